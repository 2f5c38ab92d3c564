//! Finished days, point by point: a day file whose day is over and of which nothing waits for the
//! cloud is written again with chunks in place of batches. Owns the rewriting; `keeper` says when,
//! the writer puts the new file in the place of the old.
//!
//! Crash safety: the new file is complete and on the disk before it is renamed over the old one,
//! so a crash at any moment leaves one of the two, each whole. What is left half-way is
//! `<day>.compacting`, deleted when the store is next opened.
//!
//! Memory is bounded by `gather`, whatever the size of the day. The old file is read in slices of a
//! few batches, without a lock between them.

mod gather;
mod keeper;
mod target;

use crate::StoreError;
use crate::error::Doing;
use crate::scan::split_id;
pub(crate) use gather::Gather;
pub(crate) use keeper::{Adopt, Keeper, begin};
use riser_model::{Sample, Slot, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use target::{Run, Target};

/// Batches read at once.
const SLICE: usize = 64;

/// Files longer than this get larger pages.
const LARGE: u64 = 8 << 20;

/// Where rewriting stands; a test ends it at any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Some batches were read.
    Read,
    /// A round of chunks was written.
    Wrote,
    /// The new file is complete and on the disk.
    Complete,
}

/// How rewriting ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The new file is complete and smaller.
    Smaller { before: u64, after: u64 },
    /// It would not be smaller; the old one stays as it is.
    Pointless,
    /// Somebody reads the old file, or `go_on` said no.
    Stopped,
}

/// A batch as it lies in the old file.
pub(super) struct Stored {
    id: i64,
    first_at: i64,
    last_at: i64,
    samples: u64,
    frame: Vec<u8>,
    counts: Option<Vec<u8>>,
}

/// Where the new file of a day is made.
pub(crate) fn temporary(day: &Path) -> PathBuf {
    day.with_extension("compacting")
}

/// Writes `old` again beside it. `go_on` is asked after every step and may wait.
pub(crate) fn rewrite(
    old: &Path,
    now: Timestamp,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<Outcome, StoreError> {
    if !crate::sqlite::fold_log(old)? {
        return Ok(Outcome::Stopped);
    }
    let new = temporary(old);
    let conn = crate::sqlite::open_reader(old)?;
    let size = |p: &Path| std::fs::metadata(p).map(|m| m.len()).doing("look at", p);
    let mut target = Target::create(&new, size(old)? > LARGE)?;
    copy_names(&conn, old, &target)?;
    let mut gather = Gather::default();
    let wanted = total(&conn, old)?;
    if !take_chunks(&conn, old, (&mut target, &mut gather), go_on)?
        || !take_batches(&conn, old, (&mut target, &mut gather), go_on)?
    {
        return Ok(Outcome::Stopped);
    }
    target.write(&mut gather, true)?;
    let kept: u64 = target
        .conn
        .query_row("SELECT coalesce(sum(samples), 0) FROM batch", [], |r| {
            r.get(0)
        })
        .doing("count what was kept", &new)?;
    if target.samples + kept != wanted {
        let detail = format!("{} and {kept} samples of {wanted}", target.samples);
        return Err(StoreError::Compaction { detail });
    }
    target.finish(now)?;
    let (before, after) = (size(old)?, size(&new)?);
    if after >= before {
        crate::files::remove(&new)?;
        drop(conn);
        return mark_pointless(old, now).map(|()| Outcome::Pointless);
    }
    if !go_on(Step::Complete) {
        return Ok(Outcome::Stopped);
    }
    Ok(Outcome::Smaller { before, after })
}

/// Samples the old file holds.
fn total(conn: &Connection, old: &Path) -> Result<u64, StoreError> {
    let sql = "SELECT (SELECT coalesce(sum(samples), 0) FROM batch) + \
               (SELECT coalesce(sum(samples), 0) FROM round)";
    conn.query_row(sql, [], |r| r.get(0))
        .doing("count the samples", old)
}

/// Takes over epochs, the newest directory and the sums.
fn copy_names(conn: &Connection, old: &Path, target: &Target) -> Result<(), StoreError> {
    let doing = "copy the names";
    for (no, epoch) in crate::scan::epochs(conn, old)? {
        let id = epoch.0.as_bytes();
        let sql = "INSERT INTO epoch VALUES (?1, ?2)";
        target
            .conn
            .execute(sql, params![no, id])
            .doing(doing, &target.path)?;
    }
    copy_lanes(conn, old, target)?;
    let sql = "SELECT version, body FROM directory ORDER BY version DESC LIMIT 1";
    let directory: Option<(i64, Vec<u8>)> = conn
        .query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()
        .doing(doing, old)?;
    if let Some((version, body)) = directory {
        let sql = "INSERT INTO directory VALUES (?1, ?2)";
        target
            .conn
            .execute(sql, params![version, body])
            .doing(doing, &target.path)?;
    }
    let sql = "SELECT first_at, last_at, batches, samples, bytes, sealed_at FROM summary";
    let sums: Option<[i64; 6]> = conn
        .query_row(sql, [], |r| {
            Ok([
                r.get(0)?,
                r.get(1)?,
                r.get(2)?,
                r.get(3)?,
                r.get(4)?,
                r.get(5)?,
            ])
        })
        .optional()
        .doing(doing, old)?;
    if let Some(sums) = sums {
        let sql = "INSERT INTO summary VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
        target.conn.execute(sql, sums).doing(doing, &target.path)?;
    }
    Ok(())
}

/// Takes over the lanes that counts of batches refer to.
fn copy_lanes(conn: &Connection, old: &Path, target: &Target) -> Result<(), StoreError> {
    let doing = "copy the lanes";
    let mut query = conn
        .prepare("SELECT no, name FROM lane")
        .doing(doing, old)?;
    let rows = query
        .query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))
        .doing(doing, old)?;
    for row in rows {
        let (no, name) = row.doing(doing, old)?;
        let sql = "INSERT INTO lane VALUES (?1, ?2)";
        let put = target.conn.execute(sql, params![no, name]);
        put.doing(doing, &target.path)?;
    }
    Ok(())
}

type Both<'a> = (&'a mut Target, &'a mut Gather);

/// Samples that are in chunks already: of a day that was taken up again after it was compacted.
fn take_chunks(
    conn: &Connection,
    old: &Path,
    (target, gather): Both<'_>,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<bool, StoreError> {
    for run in runs(conn, old)? {
        target.add_run(run);
    }
    let mut next = -1i64;
    let mut chunks = crate::chunks::Chunks::new(conn, old)?;
    while let Some(found) = chunks.after(next)? {
        next = found.id;
        let slot = Slot(found.slot());
        for (at, value, quality) in found.series.within(i64::MIN, i64::MAX) {
            gather.push(&Sample {
                slot,
                at,
                value,
                quality,
            });
        }
        if !round_or_go_on(target, gather, go_on)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn runs(conn: &Connection, old: &Path) -> Result<Vec<Run>, StoreError> {
    let doing = "read the runs";
    let sql = "SELECT no, first, last, first_at, last_at, batches, samples, bytes FROM run";
    let mut query = conn.prepare(sql).doing(doing, old)?;
    let rows = query
        .query_map([], |r| {
            Ok(Run {
                no: r.get(0)?,
                first: r.get(1)?,
                last: r.get(2)?,
                first_at: r.get(3)?,
                last_at: r.get(4)?,
                batches: r.get(5)?,
                samples: r.get(6)?,
                bytes: r.get(7)?,
            })
        })
        .doing(doing, old)?;
    rows.collect::<Result<_, _>>().doing(doing, old)
}

fn take_batches(
    conn: &Connection,
    old: &Path,
    (target, gather): Both<'_>,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<bool, StoreError> {
    let mut after = 0;
    loop {
        let slice = slice(conn, old, after)?;
        let Some(last) = slice.last() else {
            return Ok(true);
        };
        after = last.id;
        for stored in &slice {
            take_batch(stored, target, gather)?;
        }
        if !round_or_go_on(target, gather, go_on)? {
            return Ok(false);
        }
    }
}

fn slice(conn: &Connection, old: &Path, after: i64) -> Result<Vec<Stored>, StoreError> {
    let doing = "read batches";
    let sql = "SELECT id, first_at, last_at, samples, frame, counts FROM batch WHERE id > ?1 \
               ORDER BY id LIMIT ?2";
    let mut query = conn.prepare_cached(sql).doing(doing, old)?;
    let rows = query
        .query_map(params![after, i64::try_from(SLICE).unwrap_or(1)], |r| {
            Ok(Stored {
                id: r.get(0)?,
                first_at: r.get(1)?,
                last_at: r.get(2)?,
                samples: r.get(3)?,
                frame: r.get(4)?,
                counts: r.get(5)?,
            })
        })
        .doing(doing, old)?;
    rows.collect::<Result<_, _>>().doing(doing, old)
}

fn take_batch(stored: &Stored, target: &mut Target, gather: &mut Gather) -> Result<(), StoreError> {
    let samples = match riser_wire::decode_data(&stored.frame) {
        Ok((_, samples)) if samples.len() as u64 == stored.samples => samples,
        _ => return target.keep_batch(stored),
    };
    samples.iter().for_each(|sample| gather.push(sample));
    let (no, seq) = split_id(stored.id);
    target.add_run(Run {
        no,
        first: seq,
        last: seq,
        first_at: stored.first_at,
        last_at: stored.last_at,
        batches: 1,
        samples: stored.samples,
        bytes: stored.frame.len() as u64,
    });
    Ok(())
}

/// Writes a round when memory says so, then asks whether to go on.
fn round_or_go_on(
    target: &mut Target,
    gather: &mut Gather,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<bool, StoreError> {
    if !gather.is_full() {
        return Ok(go_on(Step::Read));
    }
    target.write(gather, false)?;
    target.sync_some();
    Ok(go_on(Step::Wrote))
}

/// Notes in the old file that there is nothing to gain.
fn mark_pointless(old: &Path, now: Timestamp) -> Result<(), StoreError> {
    let doing = "note that compaction gains nothing";
    let conn = crate::sqlite::open_plain(old)?;
    let sql = "INSERT OR REPLACE INTO compaction VALUES (1, 2, ?1)";
    conn.execute(sql, [now.0]).doing(doing, old).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, StoreConfig};
    use riser_model::{ClockState, Quality, Reading, ScanBatch, Value};
    use std::sync::Arc;
    use std::time::Duration;

    const NOON: i64 = 1_795_262_400_000;

    fn open(dir: &Path, at: i64) -> Store {
        let config = StoreConfig {
            min_free_bytes: 0,
            compact: false,
            keep_unsent: false,
            ..StoreConfig::new(dir)
        };
        Store::open(config, Arc::new(move || Timestamp(at)))
            .unwrap()
            .0
    }

    async fn samples(dir: &Path) -> Vec<Sample> {
        let store = open(dir, NOON + Timestamp::DAY);
        let (from, to) = (Timestamp(0), Timestamp(i64::MAX));
        let mut found = Vec::new();
        for slot in [Slot(1), Slot(900)] {
            found.extend(store.samples(slot, from, to, usize::MAX / 4).await.unwrap());
        }
        store.close(Duration::from_secs(20)).await.unwrap();
        found
    }

    /// A day whose batches take several slices to read.
    async fn a_day(dir: &Path) -> PathBuf {
        let store = open(dir, NOON);
        for n in 0..300i64 {
            let reading = |slot| Reading {
                slot: Slot(slot),
                value: Some(Value::Float((n % 7) as f64 / 10.0)),
                quality: Quality::GOOD,
            };
            let scan = |i: i64| ScanBatch {
                at: Timestamp(NOON + n * 2_000 + i * 100),
                readings: vec![reading(1), reading(900)],
            };
            let scans = (0..10).map(scan).collect();
            store.append(scans, ClockState::Synchronised, 0).unwrap();
            store.settle().await.unwrap();
        }
        store.close(Duration::from_secs(20)).await.unwrap();
        // Sealed by the next day.
        let store = open(dir, NOON + Timestamp::DAY);
        store.settle().await.unwrap();
        store.close(Duration::from_secs(20)).await.unwrap();
        dir.join("history/2026-11-21.db")
    }

    #[tokio::test]
    async fn a_crash_at_any_step_leaves_a_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let day = a_day(dir.path()).await;
        let before = samples(dir.path()).await;
        assert_eq!(before.len(), 6_000);
        let mut steps = Vec::new();
        for crash in 0.. {
            let mut step = 0;
            let outcome = rewrite(&day, Timestamp(NOON), &mut |s| {
                step += 1;
                steps.push(s);
                step <= crash
            });
            let outcome = outcome.unwrap();
            // What the process leaves when it ends here.
            let left = std::fs::read(temporary(&day)).unwrap();
            assert_eq!(samples(dir.path()).await, before, "step {crash}");
            assert!(!temporary(&day).exists(), "step {crash}");
            if let Outcome::Smaller { before, after } = outcome {
                assert!(after < before);
                // Or after the rename: the complete file is all there is.
                std::fs::write(&day, left).unwrap();
                break;
            }
            assert_eq!(outcome, Outcome::Stopped);
        }
        assert!(steps.contains(&Step::Read) && steps.contains(&Step::Complete));
        assert_eq!(samples(dir.path()).await, before);
        let problems = crate::check(dir.path()).unwrap().problems;
        assert_eq!(problems, Vec::<String>::new());
    }
}
