//! Signs of life: a server that falls silent without closing the connection is noticed.

use crate::client::socket::Lost;
use std::time::Duration;
use tokio::time::Instant;

/// Whether the connection lives: something is heard between two pings.
pub(super) struct Beat {
    every: Duration,
    heard: Instant,
    asked: Option<Instant>,
}

impl Beat {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            heard: Instant::now(),
            asked: None,
        }
    }

    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = None;
    }

    /// Whether to ask now.
    pub(super) fn due(&mut self) -> Result<bool, Lost> {
        match self.asked {
            Some(asked) if asked.elapsed() >= self.every => {
                Err(Lost::Ended("nothing is heard any more".to_owned()))
            }
            None if self.heard.elapsed() >= self.every => {
                self.asked = Some(Instant::now());
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
