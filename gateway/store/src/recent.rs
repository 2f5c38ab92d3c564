//! The newest committed batches in memory, so a link that keeps up never reads the disk. Owns the
//! bound on their octets; what falls out is still on disk.

use crate::{OutboxBatch, Position};
use riser_wire::{Epoch, Stream};
use std::collections::VecDeque;

/// Rings of both streams of the newest epoch.
#[derive(Debug)]
pub(crate) struct Recent {
    epoch: Epoch,
    event: Ring,
    data: Ring,
}

#[derive(Debug, Default)]
struct Ring {
    /// Consecutive numbers, ascending.
    batches: VecDeque<OutboxBatch>,
    /// The newest committed number; may be ahead of an empty ring after opening.
    head: u64,
    bytes: usize,
    limit: usize,
}

impl Recent {
    /// Empty rings behind the given heads. Events get an eighth of the octets: they are few.
    pub(crate) fn new(epoch: Epoch, event_head: u64, data_head: u64, bytes: usize) -> Self {
        let ring = |head, limit| Ring {
            head,
            limit,
            ..Ring::default()
        };
        Self {
            epoch,
            event: ring(event_head, bytes / 8),
            data: ring(data_head, bytes),
        }
    }

    fn ring(&mut self, stream: Stream) -> &mut Ring {
        match stream {
            Stream::Event => &mut self.event,
            Stream::Data => &mut self.data,
        }
    }

    /// Takes a committed batch.
    pub(crate) fn push(&mut self, batch: OutboxBatch) {
        if batch.position.epoch == self.epoch {
            self.ring(batch.stream).push(batch);
        }
    }

    /// Forgets everything: a new epoch begins.
    pub(crate) fn begin(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        for ring in [&mut self.event, &mut self.data] {
            *ring = Ring {
                limit: ring.limit,
                ..Ring::default()
            };
        }
    }

    /// Forgets the batches of a stream; they are asked from the disk.
    pub(crate) fn forget(&mut self, stream: Stream) {
        let ring = self.ring(stream);
        ring.batches.clear();
        ring.bytes = 0;
    }

    /// Batches after a position; `None` when the disk has to be asked.
    pub(crate) fn after(
        &mut self,
        stream: Stream,
        after: Position,
        max: usize,
    ) -> Option<Vec<OutboxBatch>> {
        let seq = if after.epoch == self.epoch {
            after.seq
        } else {
            0
        };
        self.ring(stream).after(seq, max)
    }

    /// When a batch was taken from the field, if it is still here.
    pub(crate) fn at(
        &mut self,
        stream: Stream,
        position: Position,
    ) -> Option<riser_model::Timestamp> {
        if position.epoch != self.epoch {
            return None;
        }
        let found = self.ring(stream).after(position.seq.checked_sub(1)?, 1)?;
        found.first().map(|b| b.at)
    }
}

impl Ring {
    fn push(&mut self, batch: OutboxBatch) {
        if batch.position.seq != self.head + 1 {
            self.batches.clear();
            self.bytes = 0;
        }
        self.head = batch.position.seq;
        self.bytes += batch.frame.len();
        self.batches.push_back(batch);
        while self.bytes > self.limit
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.frame.len();
        }
    }

    fn after(&self, seq: u64, max: usize) -> Option<Vec<OutboxBatch>> {
        if seq >= self.head {
            return Some(Vec::new());
        }
        let oldest = self.batches.front()?.position.seq;
        let skip = usize::try_from((seq + 1).checked_sub(oldest)?).ok()?;
        Some(self.batches.iter().skip(skip).take(max).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::Timestamp;

    fn batch(epoch: Epoch, seq: u64) -> OutboxBatch {
        OutboxBatch {
            position: Position { epoch, seq },
            stream: Stream::Data,
            frame: vec![0; 100].into(),
            samples: 1,
            at: Timestamp(seq.cast_signed()),
        }
    }

    #[test]
    fn answers_from_memory_or_says_that_it_cannot() {
        let epoch = Epoch(uuid::Uuid::from_u128(1));
        let other = Epoch(uuid::Uuid::from_u128(2));
        let mut recent = Recent::new(epoch, 0, 4, 300);
        let seqs = |r: &mut Recent, epoch, seq, max| {
            let found = r.after(Stream::Data, Position { epoch, seq }, max);
            found.map(|b| b.iter().map(|b| b.position.seq).collect::<Vec<_>>())
        };
        assert_eq!(seqs(&mut recent, epoch, 4, 9), Some(vec![]));
        assert_eq!(
            seqs(&mut recent, epoch, 3, 9),
            None,
            "from before it was opened"
        );
        for seq in 5..=9 {
            recent.push(batch(epoch, seq));
        }
        assert_eq!(seqs(&mut recent, epoch, 6, 9), Some(vec![7, 8, 9]));
        assert_eq!(seqs(&mut recent, epoch, 6, 2), Some(vec![7, 8]));
        assert_eq!(seqs(&mut recent, epoch, 5, 9), None, "fell out");
        recent.begin(other);
        assert_eq!(seqs(&mut recent, epoch, 8, 9), Some(vec![]));
        recent.push(batch(epoch, 10));
        recent.push(batch(other, 1));
        assert_eq!(
            seqs(&mut recent, epoch, 8, 9),
            Some(vec![1]),
            "another epoch: from the first"
        );
    }
}
