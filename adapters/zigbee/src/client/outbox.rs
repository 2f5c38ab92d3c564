//! What is to be published, in order, and which answer of the broker belongs to which. Owns the
//! bound: what does not fit is refused to whoever wanted it, never dropped in silence.

use std::collections::{HashMap, VecDeque};

/// Messages that may wait.
const WAITING_MAX: usize = 4_096;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// A write, by its number.
    Write(u64),
    /// A request to the bridge, by its number.
    Request(u64),
    /// A read of a device.
    Read,
}

/// One message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) purpose: Purpose,
}

/// Messages on their way. Never retained, and gone with the connection: a command that waits for a
/// broker would come as a surprise.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Outgoing>,
    handed: VecDeque<Purpose>,
    unconfirmed: HashMap<u16, Purpose>,
}

impl Outbox {
    /// Puts a message in line; `false` when there is no room.
    pub(crate) fn push(&mut self, message: Outgoing) -> bool {
        let room = self.waiting.len() < WAITING_MAX;
        if room {
            self.waiting.push_back(message);
        }
        room
    }

    /// The next message, kept until [`Outbox::sent`] is called.
    pub(crate) fn next(&self) -> Option<&Outgoing> {
        self.waiting.front()
    }

    /// The next message is with the client.
    pub(crate) fn sent(&mut self) {
        if let Some(message) = self.waiting.pop_front() {
            self.handed.push_back(message.purpose);
        }
    }

    /// The client gave the oldest message it has a packet id.
    pub(crate) fn left(&mut self, pkid: u16) -> Option<Purpose> {
        let purpose = self.handed.pop_front()?;
        if pkid != 0 {
            self.unconfirmed.insert(pkid, purpose);
        }
        Some(purpose)
    }

    /// The broker acknowledged a packet id.
    pub(crate) fn acked(&mut self, pkid: u16) -> Option<Purpose> {
        self.unconfirmed.remove(&pkid)
    }

    /// Something was sent, and the broker has not acknowledged it.
    pub(crate) fn unconfirmed(&self) -> bool {
        !self.unconfirmed.is_empty() || !self.handed.is_empty()
    }

    /// The connection is over.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
