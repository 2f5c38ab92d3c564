//! The check of the whole chain. Owns what counts as broken: changed, not linked, missing in
//! between, missing at the end; and which breaks somebody has acknowledged already. The check goes
//! on behind a break from the entry as it stands, so that every further one is found as well.

use super::{AuditBreak, AuditReport, BreakTaken, COLUMNS, anchor, entry_of, given};
use crate::StoreError;
use crate::error::Doing;
use riser_model::audit::action;
use riser_model::{AuditEntry, AuditHash, ChainBreak};
use rusqlite::{Connection, Row};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Breaks nobody has acknowledged that are looked for at once; where there are more, the rest is
/// found once these are acknowledged.
pub(super) const FRESH_MAX: usize = 10;
/// Acknowledged breaks that are listed, the newest.
const TAKEN_MAX: usize = 100;

/// What an acknowledgement says of one break, in the detail of its entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) no: u64,
    pub(super) mark: String,
    pub(super) reason: String,
}

/// The detail of an acknowledging entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TakenDetail {
    pub(super) breaks: Vec<Taken>,
    pub(super) comment: String,
}

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

/// The entry before, as it stands: its number, and its hash where that can be read.
type Before = (u64, Option<AuditHash>);

/// Checks every entry that is kept.
pub(crate) fn verify(conn: &Connection, file: &Path) -> Result<AuditReport, StoreError> {
    let doing = "check the audit log";
    let anchor = anchor(conn, file)?;
    let taken = acknowledged(conn, file)?;
    let sql = format!("SELECT {COLUMNS} FROM audit ORDER BY no");
    let mut query = conn.prepare(&sql).doing(doing, file)?;
    let mut rows = query.query([]).doing(doing, file)?;
    let mut walk = Walk {
        taken,
        sound: 0,
        fresh: 0,
        breaks: Vec::new(),
    };
    let mut before: Before = (anchor.no, Some(anchor.hash));
    while let Some(row) = rows.next().doing(doing, file)? {
        before = match entry_of(row) {
            Ok(entry) => walk.entry(&entry, before),
            Err(error) if is_unfit(&error) => walk.unfit(row, before),
            Err(error) => return Err(error).doing(doing, file),
        };
        if walk.fresh >= FRESH_MAX {
            break;
        }
    }
    if walk.fresh < FRESH_MAX {
        // Entries missing at the end: the file remembers the highest number it ever gave.
        let given = given(conn, file)?;
        if given > before.0 {
            walk.found(ChainBreak::Missing(given + 1), gap_mark(before.0));
        }
    }
    Ok(walk.report((anchor.chain, anchor.no), before.0))
}

struct Walk {
    taken: FxHashMap<(u64, String), BreakTaken>,
    sound: u64,
    fresh: usize,
    breaks: Vec<AuditBreak>,
}

impl Walk {
    fn entry(&mut self, entry: &AuditEntry, (no, hash): Before) -> Before {
        match entry.follows((no, hash.unwrap_or(entry.previous))) {
            Ok(()) => self.sound += 1,
            Err(broken) => {
                let mark = match broken {
                    ChainBreak::Missing(_) => gap_mark(no),
                    _ => format!("{no}/{}/{}", short(entry.digest()), short(entry.hash)),
                };
                self.found(broken, mark);
            }
        }
        (entry.no, Some(entry.hash))
    }

    /// A row no entry can be made of.
    fn unfit(&mut self, row: &Row<'_>, before: Before) -> Before {
        let stated: i64 = row.get(0).unwrap_or_default();
        let mark = format!("{}/unreadable", before.0);
        match u64::try_from(stated) {
            Ok(no) if no > before.0 => {
                self.found(ChainBreak::Changed(no), mark);
                (no, row.get(9).ok().map(AuditHash))
            }
            // Below every number that was ever given: it is no entry at all.
            _ => {
                self.found(ChainBreak::Changed(stated.unsigned_abs()), mark);
                before
            }
        }
    }

    fn found(&mut self, broken: ChainBreak, mark: String) {
        let key = (broken.no(), mark);
        let acknowledged = self.taken.remove(&key);
        self.fresh += usize::from(acknowledged.is_none());
        self.breaks.push(AuditBreak {
            broken,
            mark: key.1,
            acknowledged,
        });
    }

    fn report(mut self, (chain, pruned): (uuid::Uuid, u64), last: u64) -> AuditReport {
        let fresh = |b: &&AuditBreak| b.acknowledged.is_none();
        let broken = self.breaks.iter().find(fresh).map(|b| b.broken.clone());
        let surplus = (self.breaks.len() - self.fresh).saturating_sub(TAKEN_MAX);
        let mut skipped = 0;
        self.breaks.retain(|b| {
            let old = b.acknowledged.is_some() && skipped < surplus;
            skipped += usize::from(old);
            !old
        });
        AuditReport {
            chain,
            pruned,
            last,
            sound: self.sound,
            broken,
            breaks: self.breaks,
        }
    }
}

/// What a gap is told from another gap by: a later one has another entry before it.
fn gap_mark(before: u64) -> String {
    format!("after {before}")
}

/// Enough of a hash to tell a break from another one at the same entry.
fn short(hash: AuditHash) -> String {
    hash.to_string().chars().take(16).collect()
}

/// The breaks somebody has acknowledged, by sound entries of the log itself.
fn acknowledged(
    conn: &Connection,
    file: &Path,
) -> Result<FxHashMap<(u64, String), BreakTaken>, StoreError> {
    let doing = "read acknowledged breaks";
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE action = ?1 ORDER BY no");
    let mut query = conn.prepare_cached(&sql).doing(doing, file)?;
    let rows = query
        .query_map([action::BREAK_ACKNOWLEDGED], entry_of)
        .doing(doing, file)?;
    let mut found = FxHashMap::default();
    for row in rows {
        let entry = match row {
            Ok(entry) if entry.digest() == entry.hash => entry,
            // Changed itself: the walk names it, and what it says does not count.
            Ok(_) => continue,
            Err(error) if is_unfit(&error) => continue,
            Err(error) => return Err(error).doing(doing, file),
        };
        let Ok(detail) = serde_json::from_str::<TakenDetail>(&entry.detail) else {
            continue;
        };
        for taken in detail.breaks.into_iter().filter(|b| b.no <= entry.no) {
            let by = BreakTaken {
                entry: entry.no,
                at: entry.at,
                by: entry.actor.clone(),
                comment: detail.comment.clone(),
            };
            found.insert((taken.no, taken.mark), by);
        }
    }
    Ok(found)
}
