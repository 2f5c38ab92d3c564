//! How long values take until the cloud has them for good. Owns the thread that looks for them.

use crate::building::ANSWERED;
use crate::dashboard::millis;
use crate::load::now_us;
use riser_e2e::committed::Committed;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the cloud's database is looked at. A figure is too high by this at most.
const LOOK: Duration = Duration::from_millis(5);

/// Looks from its start on.
#[derive(Debug)]
pub(crate) struct Durable {
    stop: Sender<()>,
    thread: JoinHandle<Vec<f64>>,
}

impl Durable {
    /// Begins to look at the clock point of every device. A thread of its own: reading a database
    /// blocks.
    pub(crate) fn watch(lab: &Path) -> Self {
        let (stop, stopped) = channel::<()>();
        let mut committed = Committed::open(lab, ANSWERED);
        let thread = std::thread::spawn(move || {
            let mut ages = Vec::new();
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let answered = committed.look();
                let now = now_us();
                ages.extend(answered.into_iter().map(|answered| millis(now - answered)));
            }
            ages
        });
        Self { stop, thread }
    }

    /// Ends it; milliseconds from the device's answer until the value was committed in the cloud.
    pub(crate) fn end(self) -> Vec<f64> {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}
