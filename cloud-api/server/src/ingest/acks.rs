//! When a gateway is told what is durable. Owns the pace: at once for events and at a greeting,
//! otherwise at most every 100 ms, and at least once a minute even when nothing is new.

use riser_wire::{Durable, Stream};
use std::time::Duration;
use tokio::time::Instant;

/// Data batches settled within this time share one message.
const PACE: Duration = Duration::from_millis(100);
/// Even an idle gateway hears this often.
const REPEAT: Duration = Duration::from_secs(60);

/// What one gateway was told and is still to be told.
#[derive(Debug)]
pub(super) struct Acks {
    known: [Option<Durable>; 2],
    fresh: [bool; 2],
    last: Instant,
    due: Option<Instant>,
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Event => 0,
        Stream::Data => 1,
    }
}

impl Acks {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            known: [None, None],
            fresh: [false; 2],
            last: now - PACE,
            due: None,
        }
    }

    /// Takes over what is settled now. Urgent news goes out at once.
    pub(super) fn note(&mut self, durable: Durable, urgent: bool, now: Instant) {
        let at = index(durable.stream);
        self.known[at] = Some(durable);
        self.fresh[at] = true;
        let wanted = if urgent {
            now
        } else {
            (self.last + PACE).max(now)
        };
        self.due = Some(self.due.map_or(wanted, |due| due.min(wanted)));
    }

    /// When [`Acks::take`] should be called; `None` before the first greeting.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let repeat = self
            .known
            .iter()
            .any(Option::is_some)
            .then(|| self.last + REPEAT);
        match (self.due, repeat) {
            (Some(due), Some(repeat)) => Some(due.min(repeat)),
            (due, repeat) => due.or(repeat),
        }
    }

    /// What is to be told now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Durable> {
        let due = self.due.is_some_and(|due| due <= now);
        let repeat = now >= self.last + REPEAT;
        if !due && !repeat {
            return Vec::new();
        }
        self.due = None;
        self.last = now;
        let fresh = std::mem::take(&mut self.fresh);
        self.known
            .iter()
            .zip(fresh)
            .filter(|(_, fresh)| repeat || *fresh)
            .filter_map(|(known, _)| known.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_wire::Epoch;

    fn durable(stream: Stream, contiguous: u64) -> Durable {
        Durable {
            epoch: Epoch(uuid::Uuid::nil()),
            stream,
            contiguous,
            ranges: Vec::new(),
        }
    }

    #[test]
    fn data_waits_for_company_and_events_do_not() {
        let start = Instant::now();
        let mut acks = Acks::new(start);
        assert_eq!(acks.deadline(), None);
        acks.note(durable(Stream::Data, 1), false, start);
        assert_eq!(acks.take(start), [durable(Stream::Data, 1)]);
        acks.note(durable(Stream::Data, 2), false, start);
        acks.note(durable(Stream::Data, 3), false, start);
        assert!(acks.take(start).is_empty());
        assert_eq!(acks.deadline(), Some(start + PACE));
        assert_eq!(acks.take(start + PACE), [durable(Stream::Data, 3)]);
        acks.note(durable(Stream::Event, 1), true, start + PACE);
        assert_eq!(acks.take(start + PACE), [durable(Stream::Event, 1)]);
    }

    #[test]
    fn everything_is_repeated_each_minute() {
        let start = Instant::now();
        let mut acks = Acks::new(start);
        acks.note(durable(Stream::Data, 1), true, start);
        acks.note(durable(Stream::Event, 4), true, start);
        assert_eq!(acks.take(start).len(), 2);
        assert_eq!(acks.deadline(), Some(start + REPEAT));
        assert!(acks.take(start + REPEAT - PACE).is_empty());
        assert_eq!(acks.take(start + REPEAT).len(), 2);
        assert_eq!(acks.deadline(), Some(start + 2 * REPEAT));
    }
}
