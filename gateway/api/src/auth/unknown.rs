//! What the audit log says of log-ins nobody has a name for. Owns that guessing cannot fill the log:
//! one entry a minute, with how many attempts it stands for.

use super::{Accounts, AuthError};
use riser_model::Timestamp;
use riser_store::{Note, Trace};
use std::net::IpAddr;

/// Time between two entries.
const PAUSE_MS: i64 = 60_000;

/// Attempts since the last entry.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    quiet_until: Option<Timestamp>,
    attempts: u32,
}

impl Unknown {
    /// Counts one more; answers with how many the entry due now stands for.
    pub(super) fn seen(&mut self, now: Timestamp) -> Option<u32> {
        self.attempts = self.attempts.saturating_add(1);
        let quiet = |until: Timestamp| (1..=PAUSE_MS).contains(&until.since(now));
        if self.quiet_until.is_some_and(quiet) {
            return None;
        }
        self.quiet_until = Some(Timestamp(now.0.saturating_add(PAUSE_MS)));
        Some(std::mem::take(&mut self.attempts))
    }
}

impl Accounts {
    /// Writes an entry about somebody unknown, where one is due. The name that was tried is left
    /// out: people type passwords there.
    pub(super) async fn note_stranger(
        &self,
        due: Option<u32>,
        action: &'static str,
        from: IpAddr,
    ) -> Result<(), AuthError> {
        let Some(attempts) = due else {
            return Ok(());
        };
        let trace = Trace::new("unknown", from.to_string());
        let note = Note::new(trace, action, "").with(serde_json::json!({ "attempts": attempts }));
        Ok(self.store.note(note).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_makes_one_entry_a_minute() {
        let mut unknown = Unknown::default();
        assert_eq!(unknown.seen(Timestamp(0)), Some(1));
        assert_eq!(unknown.seen(Timestamp(1)), None);
        assert_eq!(unknown.seen(Timestamp(59_999)), None);
        assert_eq!(unknown.seen(Timestamp(60_000)), Some(3));
        // A clock set back must not silence the log for long.
        assert_eq!(unknown.seen(Timestamp(-1_000_000)), Some(1));
    }
}
