//! Batches longer than the broker takes. Owns the one that is being sent in parts, and how many
//! parts wait for the network at a time: few, so that an alarm gets between them.

use crate::counters::count;
use crate::session::Session;
use crate::speech::Label;
use crate::window::Key;
use bytes::Bytes;
use riser_store::OutboxBatch;
use riser_wire::part;
use riser_wire::topic::UpLane;
use std::collections::VecDeque;

/// Publications waiting for the network beyond which no further part is handed over.
const QUEUED: usize = 4;
/// Least packet the link goes down to by itself.
const FLOOR: usize = 1_024;

/// A batch on its way in parts.
#[derive(Debug)]
pub(crate) struct Parts {
    key: Key,
    lane: UpLane,
    left: VecDeque<Bytes>,
}

impl Session<'_> {
    /// Octets a message on this lane may have.
    pub(crate) fn room(&self, lane: UpLane) -> usize {
        self.packet_maximum
            .saturating_sub(self.speech.overhead(lane))
    }

    /// Whether a batch can be sent at all: whole, or in parts.
    pub(crate) fn sendable(&self, lane: UpLane, batch: &OutboxBatch) -> bool {
        let room = self.room(lane);
        batch.frame.len() <= room || room >= part::OVERHEAD + part::LEAST
    }

    /// Begins to send a batch in parts; false while another one is on its way.
    pub(crate) fn split(&mut self, lane: UpLane, batch: &OutboxBatch) -> bool {
        if self.parts.is_some() {
            return false;
        }
        let Some(parts) = part::cut(&batch.frame, self.room(lane)) else {
            return false;
        };
        count(&self.link.counters.split, 1);
        self.parts = Some(Parts {
            key: (batch.stream, batch.position),
            lane,
            left: parts.into_iter().map(Bytes::from).collect(),
        });
        self.feed();
        true
    }

    /// Hands over further parts, as far as there is room.
    pub(crate) fn feed(&mut self) {
        let Some(mut parts) = self.parts.take() else {
            return;
        };
        while let Some(payload) = parts.left.front().cloned() {
            let last = parts.left.len() == 1;
            let label = if last { Label::Batch } else { Label::Part };
            let key = parts.key;
            if self.speech.queued() >= QUEUED || !self.speech.say(parts.lane, label(key), payload) {
                self.parts = Some(parts);
                return;
            }
            parts.left.pop_front();
        }
    }

    /// The rest of a batch need not be sent.
    pub(crate) fn drop_parts(&mut self, key: Key) {
        self.parts.take_if(|parts| parts.key == key);
    }

    /// The broker has ended the connection over a packet it did not say it would not take: the
    /// next connection tries with half.
    pub(crate) fn learn(&mut self) {
        let largest = self.window.largest().max(self.rollups.longest());
        let largest = largest.min(self.packet_maximum);
        let most = (largest / 2).max(FLOOR);
        tracing::warn!(most, "the broker takes no packet this long: sending parts");
        self.link.packet_most = Some(most);
    }
}
