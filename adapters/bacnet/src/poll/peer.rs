//! One device as it is asked: where it is, what it takes, how many requests at once, and the figures
//! of all that. Owns single reads and writes; many at once are `ladder`'s.

use super::ladder::Habits;
use crate::client::{Address, Answer, Ask, Client, RequestError};
use crate::codec::service::device::Segmentation;
use crate::codec::service::property::{self, Reference, Write};
use crate::codec::{DecodeError, service};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What a device takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Octets of the longest APDU.
    pub max_apdu: usize,
    /// Messages in parts.
    pub segmentation: Segmentation,
}

impl Default for Caps {
    /// What every device on BACnet/IP can do, for one that does not say.
    fn default() -> Self {
        Self {
            max_apdu: 480,
            segmentation: Segmentation::None,
        }
    }
}

/// Figures of a device since start.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Requests asked, repeats not counted.
    pub requests: u64,
    /// Requests nobody answered.
    pub errors: u64,
    /// Requests the device refused.
    pub refused: u64,
    /// Answer time in milliseconds, smoothed.
    pub latency_ms: Option<f64>,
}

/// A device that was found. Clones share everything.
#[derive(Clone)]
pub struct Peer {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) address: Address,
    pub(super) instance: u32,
    pub(super) caps: Caps,
    pub(super) turn: Semaphore,
    pub(super) outstanding: usize,
    pub(super) habits: Mutex<Habits>,
    figures: Arc<Mutex<Figures>>,
}

/// What makes a peer.
pub struct Making {
    /// The port it is reached through.
    pub client: Client,
    /// Where it is.
    pub address: Address,
    /// Its instance.
    pub instance: u32,
    /// What it takes.
    pub caps: Caps,
    /// Requests on the wire at once.
    pub outstanding: usize,
    /// What was learned of it before.
    pub habits: Habits,
    /// Figures that go on.
    pub figures: Arc<Mutex<Figures>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peer {
    /// A device that was found.
    #[must_use]
    pub fn new(making: Making) -> Self {
        Self {
            shared: Arc::new(Shared {
                client: making.client,
                address: making.address,
                instance: making.instance,
                caps: making.caps,
                turn: Semaphore::new(making.outstanding.max(1)),
                outstanding: making.outstanding.max(1),
                habits: Mutex::new(making.habits),
                figures: making.figures,
            }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Its instance.
    #[must_use]
    pub fn instance(&self) -> u32 {
        self.shared.instance
    }

    /// What it takes.
    #[must_use]
    pub fn caps(&self) -> Caps {
        self.shared.caps
    }

    /// The port it is reached through.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// What was learned of it so far.
    #[must_use]
    pub fn habits(&self) -> Habits {
        lock(&self.shared.habits).clone()
    }

    pub(super) fn change_habits(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut lock(&self.shared.habits));
    }

    /// Asks it, in its turn.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn ask(&self, service: u8, body: &[u8], retry: bool) -> Result<Answer, RequestError> {
        let shared = &self.shared;
        // The semaphore is never closed.
        let _turn = shared.turn.acquire().await.ok();
        let began = Instant::now();
        let ask = Ask {
            to: &shared.address,
            service,
            body,
            max_apdu: shared.caps.max_apdu,
            parts: shared.caps.segmentation.receives(),
            retry,
        };
        let outcome = shared.client.ask(ask).await;
        self.note(began.elapsed(), outcome.as_ref().err());
        outcome
    }

    fn note(&self, took: Duration, error: Option<&RequestError>) {
        let mut figures = lock(&self.shared.figures);
        figures.requests += 1;
        if error.is_some_and(RequestError::is_silence) {
            figures.errors += 1;
            return;
        }
        figures.refused += u64::from(error.is_some());
        let took = took.as_secs_f64() * 1000.0;
        figures.latency_ms = Some(match figures.latency_ms {
            Some(before) => before * 0.9 + took * 0.1,
            None => took,
        });
    }

    /// Reads one property.
    ///
    /// # Errors
    /// As [`Peer::ask`], and an answer about something else.
    pub async fn read(&self, wanted: &Reference) -> Result<Vec<u8>, RequestError> {
        self.read_with(wanted, true).await
    }

    pub(super) async fn read_with(
        &self,
        wanted: &Reference,
        retry: bool,
    ) -> Result<Vec<u8>, RequestError> {
        let body = property::read(wanted);
        match self.ask(service::READ_PROPERTY, &body, retry).await? {
            Answer::Octets(octets) => {
                let (got, value) = property::decode_read_answer(&octets)?;
                let same = got.property == wanted.property && got.index == wanted.index;
                // Asked for "whichever device this is", a device answers with its own name.
                match same && got.object.kind() == wanted.object.kind() {
                    true => Ok(value.to_vec()),
                    false => Err(DecodeError::Missing("the property that was asked for").into()),
                }
            }
            _ => Err(DecodeError::Missing("the value").into()),
        }
    }

    /// Writes one property.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn write(&self, write: &Write) -> Result<(), RequestError> {
        let body = write.encoded();
        self.ask(service::WRITE_PROPERTY, &body, true)
            .await
            .map(|_| ())
    }

    /// Octets of writes that go into one request; 0 where it takes one at a time only.
    #[must_use]
    pub fn room_for_writes(&self) -> usize {
        match self.habits().write_single {
            true => 0,
            false => self.shared.caps.max_apdu.min(1476).saturating_sub(4),
        }
    }

    /// Writes many properties. After an error none, some or all but one of them are written.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn write_many(&self, writes: &[Write]) -> Result<(), RequestError> {
        let body = property::write_many(writes);
        let answer = self.ask(service::WRITE_PROPERTY_MULTIPLE, &body, false);
        answer.await.map(|_| ())
    }

    /// Notes that it writes one property at a time only.
    pub(crate) fn writes_singly(&self) {
        self.change_habits(|habits| habits.write_single = true);
    }
}
