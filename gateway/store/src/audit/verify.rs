//! The check of the whole chain, and the entry that tells of a break. Owns what counts as broken:
//! changed, not linked, missing in between, missing at the end.

use super::{AuditReport, COLUMNS, Note, Trace, anchor, append, entry_of};
use crate::StoreError;
use crate::error::Doing;
use crate::state::StateTx;
use riser_model::ChainBreak;
use riser_model::audit::action;
use rusqlite::Connection;
use std::path::Path;

/// Whether a column does not hold what its kind demands: somebody or something wrote into the file.
pub(super) fn is_unfit(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::FromSqlConversionFailure(..)
            | E::InvalidColumnType(..)
            | E::IntegralValueOutOfRange(..)
            | E::Utf8Error(..)
    )
}

/// Checks every entry that is kept.
pub(crate) fn verify(conn: &Connection, file: &Path) -> Result<AuditReport, StoreError> {
    let doing = "check the audit log";
    let anchor = anchor(conn, file)?;
    let sql = format!("SELECT {COLUMNS} FROM audit ORDER BY no");
    let mut query = conn.prepare(&sql).doing(doing, file)?;
    let mut rows = query.query([]).doing(doing, file)?;
    let mut report = AuditReport {
        chain: anchor.chain,
        pruned: anchor.no,
        last: anchor.no,
        sound: 0,
        broken: None,
    };
    let mut before = (anchor.no, anchor.hash);
    while let Some(row) = rows.next().doing(doing, file)? {
        let checked = match entry_of(row) {
            Ok(entry) => entry.follows(before).map(|()| entry),
            Err(error) if is_unfit(&error) => {
                Err(ChainBreak::Changed(row.get(0).doing(doing, file)?))
            }
            Err(error) => return Err(error).doing(doing, file),
        };
        match checked {
            Ok(entry) => {
                report.sound += 1;
                report.last = entry.no;
                before = (entry.no, entry.hash);
            }
            Err(broken) => {
                report.broken = Some(broken);
                break;
            }
        }
    }
    if report.broken.is_none() {
        report.broken = cut_off(conn, file, before.0)?;
    }
    Ok(report)
}

/// Entries missing at the end: the file remembers the highest number it ever gave.
fn cut_off(conn: &Connection, file: &Path, last: u64) -> Result<Option<ChainBreak>, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'audit'";
    let given: u64 = conn
        .query_row(sql, [], |r| r.get(0))
        .doing("check the end of the audit log", file)?;
    Ok((given > last).then_some(ChainBreak::Missing(given + 1)))
}

pub(super) fn report_break(tx: &mut StateTx<'_>, broken: &ChainBreak) -> Result<(), StoreError> {
    let object = format!("entry {}", broken.no());
    let sql = "SELECT count(*) FROM audit WHERE action = ?1 AND object = ?2";
    let known: u64 = tx.value(
        "look for the report of a break",
        sql,
        [action::CHAIN_BROKEN, object.as_str()],
    )?;
    if known > 0 {
        return Ok(());
    }
    tracing::error!(%broken, "the audit log was tampered with or damaged");
    let detail = serde_json::json!({ "no": broken.no(), "reason": broken.to_string() });
    append(
        tx,
        Note::new(Trace::gateway(), action::CHAIN_BROKEN, object).with(detail),
    )
}
