//! Counting hours again that were counted before. Owns the round through them: what was here once and
//! is gone from the database must be noticed though no gateway tells anything anew.
//!
//! A few hours in each round, from the newest back, the gateway next that waited longest; then from
//! the newest again.

use super::ledger::{Counted, Hour, count, enter, rolled_up};
use super::text::signed;
use super::{Db, DbError};
use riser_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// Hours looked at in one round.
const HOURS: i64 = 8;

/// The next hour of the gateway that waited longest, and what was counted then; nothing where none
/// of its hours is counted yet.
type Next = (i64, Option<(Hour, i64)>);

fn next(c: &Connection) -> Result<Option<Next>, DbError> {
    let gateway: Option<(i64, i64)> = c
        .prepare_cached(
            "SELECT g.row, coalesce(r.hour, 9223372036854775807) FROM gateway g
             LEFT JOIN ledger_recount r ON r.gateway = g.row
             WHERE EXISTS (SELECT 1 FROM ledger_hour WHERE gateway = g.row)
             ORDER BY coalesce(r.looked_at, 0), g.row LIMIT 1",
        )?
        .query_row([], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let Some((gateway, behind)) = gateway else {
        return Ok(None);
    };
    let mut query = c.prepare_cached(
        "SELECT hour, durable, collected, received FROM ledger_hour
         WHERE gateway = ?1 AND hour < ?2 AND received IS NOT NULL ORDER BY hour DESC LIMIT 1",
    )?;
    let mut below = |below: i64| {
        query
            .query_row([gateway, below], |r| {
                let hour = Hour {
                    gateway,
                    hour: r.get(0)?,
                    durable: r.get(1)?,
                    collected: r.get(2)?,
                };
                Ok((hour, r.get(3)?))
            })
            .optional()
    };
    let found = match below(behind)? {
        None => below(i64::MAX)?,
        found => found,
    };
    Ok(Some((gateway, found)))
}

/// Writes down how far the round is, and a count that is another one than before.
fn looked(
    c: &Connection,
    (gateway, found): Next,
    (counted, now): (&Counted, Timestamp),
) -> Result<(), DbError> {
    let hour = found.map_or(i64::MAX, |(of, _)| of.hour);
    c.prepare_cached(
        "INSERT INTO ledger_recount (gateway, hour, looked_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET hour = excluded.hour, looked_at = excluded.looked_at",
    )?
    .execute(params![gateway, hour, now.0])?;
    let all = signed(counted.samples());
    match found {
        Some((of, before)) if before != all => {
            tracing::warn!(
                gateway,
                hour,
                before,
                all,
                "an hour has other samples than it had"
            );
            enter(c, of, counted)
        }
        // Rollups come and go without their gateway telling anything.
        Some((of, _)) => rolled_up(c, of, counted),
        None => Ok(()),
    }
}

impl Db {
    /// Counts a few hours again. To be repeated before each [`Db::reckon`], which raises the alarm
    /// about what is missing.
    ///
    /// # Errors
    /// When the database cannot be read or written; the next round does it.
    pub async fn recount(&self, now: Timestamp) -> Result<(), DbError> {
        for step in 0..HOURS {
            let Some((gateway, found)) = self.read(next).await? else {
                return Ok(());
            };
            let counted = match found {
                Some((of, _)) => self.read(move |c| count(c, of)).await?,
                None => Counted::default(),
            };
            // Each look is later than the one before, also within one round.
            let at = Timestamp(now.0.saturating_add(step));
            self.write(move |c| looked(c, (gateway, found), (&counted, at)))
                .await?;
        }
        Ok(())
    }
}
