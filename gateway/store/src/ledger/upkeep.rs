//! What the writer does for the ledger besides its transactions: before files are opened anew,
//! before a day file goes, and at the end. Owns no schedule.

use super::{Cause, Changes, DISK, Inner, Ledger, take_up};
use crate::shared::Found;
use crate::state::State;
use crate::writer::Writer;
use crate::{StoreConfig, StoreError};
use riser_model::Timestamp;
use riser_wire::{Epoch, Stream};

/// Takes the ledger up at the start of the process. A ledger that cannot be taken up, as on a full
/// disk, rests until the next start, which counts everything; the store works without it.
pub(crate) fn begin(
    state: &mut State,
    found: &Found,
    config: &StoreConfig,
    now: Timestamp,
) -> Ledger {
    let cause = Cause::Start(super::Journal::read(config));
    let inner = take_up(state, found, (cause, config.keep_unsent), now).unwrap_or_else(|error| {
        let error = error.chain();
        tracing::error!(error, "the loss ledger rests until the next start");
        Inner {
            resting: true,
            ..Inner::default()
        }
    });
    Ledger::new(inner)
}

impl Ledger {
    /// Takes over what was found when the files were opened again. What is committed is counted
    /// from the files; what waits in memory stays.
    fn replace(&self, mut anew: Inner) {
        let mut inner = self.lock();
        anew.changes = std::mem::take(&mut inner.changes);
        for counts in anew.changes.values_mut() {
            counts.stored = 0;
        }
        for (epoch, set) in &inner.sent {
            anew.sent.entry(*epoch).or_default().merge(set);
        }
        anew.sent_anew = true;
        anew.closed = inner.closed;
        *inner = anew;
    }

    /// A numbering begins.
    pub(crate) fn begin_epoch(&self, epoch: Epoch) {
        self.lock().begins.insert(epoch, 0);
    }

    /// Batches that are gone with their file are not counted as durable when their marks are
    /// written.
    pub(crate) fn gone(&self, epoch: Epoch, first: u64, last: u64) {
        let mut inner = self.lock();
        inner.settled.entry(epoch).or_default().insert(first, last);
    }
}

impl Writer {
    /// Writes all that is counted, where the disk takes it.
    pub(crate) fn write_ledger(&mut self) {
        self.shared.ledger.hurry();
        self.write_marks();
    }

    /// Takes the ledger up again after damage.
    pub(crate) fn ledger_anew(&self, state: &mut State, found: &Found) {
        let (cloud, now) = (self.shared.config.keep_unsent, (self.shared.now)());
        match take_up(state, found, (Cause::Damage, cloud), now) {
            Ok(inner) => self.shared.ledger.replace(inner),
            Err(error) => {
                let error = error.chain();
                tracing::error!(error, "the loss ledger rests until the next start");
                self.shared.ledger.lock().resting = true;
            }
        }
    }

    /// What was never written goes with the process.
    pub(crate) fn count_left_over(&mut self) {
        for append in self.shared.intake.left_over() {
            self.shared.ledger.lost(DISK, (append.held, &append.scans));
        }
        self.write_ledger();
        self.shared.ledger.close();
    }

    /// What is lost with a day file that has to go.
    pub(crate) fn ledger_of(&mut self, name: &str, loses: u64) -> Changes {
        // What is settled by now counts as durable, and needs the file for that.
        self.write_ledger();
        if loses == 0 {
            return Changes::default();
        }
        super::settle::lost_with(&self.shared, name)
    }

    /// Closed hours go up, old ones go.
    pub(crate) fn tell_ledger(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let cloud = self.shared.config.keep_unsent;
        let Some(state) = self.state_mut() else {
            return Ok(());
        };
        let mut tx = state.begin(now)?;
        super::tell::prune(&tx, cloud)?;
        let told = cloud && super::tell::tell(&mut tx)?;
        let numbers = tx.numbers;
        let emitted = tx.commit()?;
        if told {
            let head = crate::Position {
                epoch: numbers.epoch,
                seq: numbers.event_head,
            };
            self.publish_events(emitted, head);
        }
        Ok(())
    }

    /// The marks of a dropped file's batches are no durable ones.
    pub(crate) fn forget_batches(&self, segments: &[crate::catalog::Segment]) {
        for s in segments {
            self.shared.ledger.gone(s.epoch, s.first, s.last);
            let numbering = (s.epoch, Stream::Data);
            self.shared.marks().settle(numbering, s.first, s.last);
        }
    }
}
