//! How long audit logs and loss ledgers are kept here. Owns what goes together: of an audit log only
//! its oldest part goes, so that what stays is still one chain; of a ledger a whole hour goes.

use super::{Db, DbError};
use riser_model::Timestamp;
use rusqlite::{Connection, params};

/// Hours of ledgers that go in one transaction.
const HOURS: u32 = 48;
/// Audit entries that go in one transaction.
const ENTRIES: u32 = 5_000;

/// Days things are kept; 0 keeps them for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Audit entries of gateways.
    pub audit_days: u32,
    /// Hours of the loss ledgers.
    pub ledger_days: u32,
}

/// The time before which things are too old; `None` keeps all.
fn before(now: Timestamp, days: u32) -> Option<i64> {
    let age = Timestamp::DAY.saturating_mul(i64::from(days));
    (days > 0).then(|| now.0.saturating_sub(age))
}

/// The oldest part of a chain that is too old: entries below a number.
type Old = (i64, Vec<u8>, i64);

/// By number up to the first entry that is young enough, so a clock that was wrong once tears no
/// hole.
fn old_entries(c: &Connection, cutoff: i64) -> Result<Vec<Old>, DbError> {
    let mut query = c.prepare_cached(
        "SELECT gateway, chain, min(no), max(no) + 1,
           min(CASE WHEN json_extract(body, '$.at') >= ?1 THEN no END)
         FROM audit GROUP BY gateway, chain",
    )?;
    let mut rows = query.query([cutoff])?;
    let mut old = Vec::new();
    while let Some(row) = rows.next()? {
        let (first, end): (i64, i64) = (row.get(2)?, row.get(3)?);
        let below = row.get::<_, Option<i64>>(4)?.unwrap_or(end);
        if first < below {
            old.push((row.get(0)?, row.get(1)?, below));
        }
    }
    Ok(old)
}

fn audit(c: &Connection, (gateway, chain, below): &Old) -> Result<usize, DbError> {
    let mut query = c.prepare_cached(
        "DELETE FROM audit WHERE gateway = ?1 AND chain = ?2 AND no IN (
           SELECT no FROM audit WHERE gateway = ?1 AND chain = ?2 AND no < ?3
           ORDER BY no LIMIT ?4)",
    )?;
    Ok(query.execute(params![gateway, chain, below, ENTRIES])?)
}

fn ledger(c: &Connection, cutoff: i64) -> Result<usize, DbError> {
    let mut oldest = c.prepare_cached(
        "SELECT gateway, hour FROM ledger_hour WHERE hour < ?1 ORDER BY hour LIMIT ?2",
    )?;
    let rows = oldest.query_map(params![cutoff, HOURS], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let hours: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    for (gateway, hour) in &hours {
        for table in ["received", "rolled_hour", "ledger", "ledger_hour"] {
            let sql = format!("DELETE FROM {table} WHERE gateway = ?1 AND hour = ?2");
            c.prepare_cached(&sql)?.execute([gateway, hour])?;
        }
    }
    Ok(hours.len())
}

impl Db {
    /// Drops what is too old, in steps that hold up nobody. Answers with how many entries and hours
    /// went.
    ///
    /// # Errors
    /// When the database cannot be written; the next round goes on.
    pub async fn forget(
        &self,
        retention: Retention,
        now: Timestamp,
    ) -> Result<(usize, usize), DbError> {
        let mut gone = (0, 0);
        if let Some(cutoff) = before(now, retention.audit_days) {
            for old in self.read(move |c| old_entries(c, cutoff)).await? {
                loop {
                    let part = old.clone();
                    let n = self.write(move |c| audit(c, &part)).await?;
                    gone.0 += n;
                    if n < ENTRIES as usize {
                        break;
                    }
                }
            }
        }
        if let Some(cutoff) = before(now, retention.ledger_days) {
            loop {
                let n = self.write(move |c| ledger(c, cutoff)).await?;
                gone.1 += n;
                if n < HOURS as usize {
                    break;
                }
            }
        }
        Ok(gone)
    }
}
