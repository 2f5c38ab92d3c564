//! What is written about breaks of the chain: the entry that tells of one, once, and the entry by
//! which somebody acknowledges those there are. Owns that an acknowledgement begins a new chain and
//! hides nothing.

use super::verify::{FRESH_MAX, Taken, TakenDetail};
use super::{AuditBreak, AuditReport, Note, Trace, append, begin_chain, verify};
use crate::state::StateTx;
use crate::{Store, StoreError};
use riser_model::audit::action;

/// Longest comment that is kept, in octets; escaped it still fits into an entry.
const COMMENT_MAX: usize = 1_000;

/// Writes the breaks nobody has acknowledged into the log, each once.
pub(super) fn report_breaks(tx: &mut StateTx<'_>, breaks: &[AuditBreak]) -> Result<(), StoreError> {
    for found in breaks {
        let (no, mark) = (found.broken.no(), &found.mark);
        let object = format!("entry {no}");
        let sql = "SELECT count(*) FROM audit WHERE action = ?1 AND object = ?2 \
                   AND instr(detail, ?3) > 0";
        let quoted = serde_json::Value::from(mark.as_str()).to_string();
        let known: u64 = tx.value(
            "look for the report of a break",
            sql,
            [action::CHAIN_BROKEN, object.as_str(), quoted.as_str()],
        )?;
        if known > 0 {
            continue;
        }
        let reason = found.broken.to_string();
        tracing::error!(reason, "the audit log was tampered with or damaged");
        let detail = serde_json::json!({ "no": no, "reason": reason, "mark": mark });
        append(
            tx,
            Note::new(Trace::gateway(), action::CHAIN_BROKEN, object).with(detail),
        )?;
    }
    Ok(())
}

/// What an acknowledgement is written down as.
fn note(by: Trace, comment: &str, breaks: &[AuditBreak]) -> Note {
    let fresh = breaks.iter().filter(|b| b.acknowledged.is_none());
    let taken = |b: &AuditBreak| Taken {
        no: b.broken.no(),
        mark: b.mark.clone(),
        reason: b.broken.to_string(),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut comment: String = comment.chars().map(plain).collect();
    let end = comment.floor_char_boundary(COMMENT_MAX);
    comment.truncate(end);
    let detail = TakenDetail {
        breaks: fresh.take(FRESH_MAX).map(taken).collect(),
        comment,
    };
    Note::new(by, action::BREAK_ACKNOWLEDGED, "audit log")
        .with(serde_json::to_value(detail).unwrap_or_default())
}

impl Store {
    /// Checks the whole chain. Breaks nobody has acknowledged are written into the log once each,
    /// so that the cloud hears of them.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn verify_audit(&self) -> Result<AuditReport, StoreError> {
        let report = self.look_at_audit().await?;
        if report.broken.is_some() {
            let fresh = |b: &&AuditBreak| b.acknowledged.is_none();
            let breaks: Vec<_> = report.breaks.iter().filter(fresh).cloned().collect();
            self.write(move |tx| report_breaks(tx, &breaks)).await?;
        }
        Ok(report)
    }

    async fn look_at_audit(&self) -> Result<AuditReport, StoreError> {
        self.read(|r| {
            let file = r.state_file();
            verify(r.state()?, &file)
        })
        .await
    }

    /// Records that somebody knows of the breaks there are, and begins a new chain. What is broken
    /// stays as it is and is named by every later check, with who took it. Answers with the log as
    /// it stands then; without a break nothing is written.
    ///
    /// # Errors
    /// The disk refused, or too many questions wait.
    pub async fn acknowledge_breaks(
        &self,
        by: Trace,
        comment: &str,
    ) -> Result<AuditReport, StoreError> {
        // The cloud hears of what was broken before it hears that somebody knows.
        let report = self.verify_audit().await?;
        if report.broken.is_none() {
            return Ok(report);
        }
        let note = note(by, comment, &report.breaks);
        self.write(move |tx| begin_chain(tx, note)).await?;
        self.verify_audit().await
    }
}
