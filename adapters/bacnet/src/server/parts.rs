//! Requests that come in parts. Owns how many may be open at once and how long one may stay so.

use super::answer::Asker;
use crate::client::{Address, Assembly, Step};
use crate::codec::Segment;
use crate::codec::service::error::{BUFFER_OVERFLOW, OUT_OF_RESOURCES};
use rustc_hash::FxHashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Requests that may be coming in at once.
const OPEN: usize = 16;
/// How long the next part may take.
const PART: Duration = Duration::from_secs(10);

/// What to do after a part came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nothing.
    Nothing,
    /// Say what has come, or from where on it is missing.
    Acknowledge {
        negative: bool,
        number: u8,
        window: u8,
    },
    /// Say that this was the last; the request is whole.
    Whole {
        number: u8,
        window: u8,
        body: Vec<u8>,
    },
    /// Give it up, for this reason.
    GiveUp(u8),
}

/// Requests that are coming in.
#[derive(Debug, Default)]
pub(crate) struct Parts(FxHashMap<(Address, u8), (Assembly, Instant)>);

impl Parts {
    /// Takes a part of a request.
    pub(crate) fn take(
        &mut self,
        asker: &Asker,
        part: Segment,
        body: &[u8],
        now: Instant,
    ) -> Taken {
        let key = (asker.from.clone(), asker.invoke);
        let open = self.0.len();
        let step = match self.0.get_mut(&key) {
            Some((assembly, heard)) => {
                *heard = now;
                assembly.take(part, body)
            }
            None if part.number == 0 && open >= OPEN => {
                return Taken::GiveUp(OUT_OF_RESOURCES);
            }
            None => match Assembly::begin(part, body) {
                Some((assembly, step)) => {
                    self.0.insert(key.clone(), (assembly, now));
                    step
                }
                None => return Taken::Nothing,
            },
        };
        let acknowledge = |negative, number, window| Taken::Acknowledge {
            negative,
            number,
            window,
        };
        match step {
            Step::Wait => Taken::Nothing,
            Step::Acknowledge { number, window } => acknowledge(false, number, window),
            Step::Again { number, window } => acknowledge(true, number, window),
            Step::Done { number, window } => {
                let whole = self.0.remove(&key);
                let body = whole.map(|(assembly, _)| assembly.into_octets());
                Taken::Whole {
                    number,
                    window,
                    body: body.unwrap_or_default(),
                }
            }
            Step::TooLong => {
                self.0.remove(&key);
                Taken::GiveUp(BUFFER_OVERFLOW)
            }
        }
    }

    /// The asker gives up.
    pub(crate) fn end(&mut self, from: &Address, invoke: u8) {
        self.0.remove(&(from.clone(), invoke));
    }

    /// Forgets those whose next part does not come.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.0
            .retain(|_, (_, heard)| now.duration_since(*heard) < PART);
    }
}
