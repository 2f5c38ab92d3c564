//! What follows when the wall clock is set. Owns the order: what was stamped before is handed over,
//! what is remembered is put right, what waits may go, and one entry of the audit log tells of it.

use crate::intake::Intake;
use riser_adapter::ClockStep;
use riser_model::{Timestamp, audit::action};
use riser_store::{Correction, Note, Trace};

/// A step below this is nothing to tell of, in milliseconds.
const WORTH_TELLING: i64 = 500;

impl Intake {
    /// Follows the wall clock.
    pub(crate) fn follow_clock(&mut self) {
        match self.clock.look() {
            Some(step) => self.stepped(&step),
            // Nobody waits for the time any more.
            None if self.store.is_holding() && !self.clock.is_assumed() => {
                self.hand_over_all();
                self.release(Correction {
                    since: Timestamp(0),
                    until: Timestamp(-1),
                    by_ms: 0,
                    clock: self.clock.state(),
                });
            }
            None => {}
        }
    }

    fn stepped(&mut self, step: &ClockStep) {
        self.hand_over_all();
        let by_ms = step.by_ms();
        if let Some(since) = step.assumed_since {
            {
                let field = std::sync::Arc::clone(&self.field);
                let mut state = field.lock();
                state.table.restamp(|at| step.corrected(at));
                state.engine.restamp(&|at| step.corrected(at));
            }
            self.release(Correction {
                since,
                until: step.from,
                by_ms,
                clock: step.state,
            });
        }
        self.commander.stepped(step);
        if by_ms.abs() >= WORTH_TELLING {
            self.tell_step(step);
        }
    }

    fn release(&self, correction: Correction) {
        if let Err(error) = self.store.release(correction) {
            tracing::error!(error = error.chain(), "what is held back cannot go");
        }
    }

    /// One entry, however many notice.
    fn tell_step(&self, step: &ClockStep) {
        let detail = serde_json::json!({
            "by_ms": step.by_ms(),
            "from": step.from,
            "to": step.to,
            "assumed_since": step.assumed_since,
            "clock": step.state,
        });
        let note = Note::new(Trace::gateway(), action::CLOCK_SET, "clock").with(detail);
        let store = self.store.clone();
        let by_ms = step.by_ms();
        tokio::spawn(async move {
            if let Err(error) = store.note(note).await {
                tracing::error!(
                    error = error.chain(),
                    "that the clock was set is not recorded"
                );
            }
            if let Err(error) = store.sessions_behind(by_ms).await {
                tracing::error!(error = error.chain(), "sessions end by the clock of before");
            }
        });
    }
}
