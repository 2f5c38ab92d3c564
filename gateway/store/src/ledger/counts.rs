//! How many samples of a batch are of which moment and lane, in a few octets beside its frame: what
//! the ledger counts by, so that a batch whose frame cannot be read any more is still accounted for.
//! Owns those octets and the numbers lanes have inside one file.
//!
//! ```text
//! counts := number n, n of (step from the moment before, lane, samples), crc32c
//! ```
//!
//! All numbers are of variable length, the steps of either sign. In a day file a moment is an hour,
//! among what is held back the stamp of a scan, because its hour is not known yet.

use super::{Cell, Lanes};
use crate::StoreError;
use crate::error::Doing;
use crate::octets::{Bad, Cursor, put, sign, signed, unzigzag, zigzag};
use riser_model::ScanBatch;
use riser_model::ledger::HOUR;
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::path::Path;

/// Most entries read; a batch has no more samples than that.
const MOST: usize = 1_000_000;

/// Samples of one moment and lane; the lane is numbered by whoever made it.
pub(crate) type Count = (i64, u32, u64);

/// The octets of some counts.
pub(crate) fn encode(counts: &[Count]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + counts.len() * 5);
    put(&mut out, counts.len() as u64);
    let mut before = 0i64;
    for (moment, lane, samples) in counts {
        put(&mut out, zigzag(moment.wrapping_sub(before)));
        put(&mut out, u64::from(*lane));
        put(&mut out, *samples);
        before = *moment;
    }
    sign(&mut out);
    out
}

/// The inverse of [`encode`].
pub(crate) fn decode(octets: &[u8]) -> Result<Vec<Count>, Bad> {
    let mut c = Cursor(signed(octets)?);
    let n: usize = c.small()?;
    if n > MOST || n > c.0.len() {
        return Err(Bad("there are more counts than octets"));
    }
    let mut counts = Vec::with_capacity(n);
    let mut moment = 0i64;
    for _ in 0..n {
        moment = moment.wrapping_add(unzigzag(c.varint()?));
        counts.push((moment, c.small()?, c.varint()?));
    }
    match c.0 {
        [] => Ok(counts),
        _ => Err(Bad("something follows the counts")),
    }
}

/// Whether octets are the counts of so many samples.
pub(crate) fn are_of(octets: &[u8], samples: u64) -> bool {
    decode(octets).is_ok_and(|counts| sum(&counts) == samples)
}

fn sum(counts: &[Count]) -> u64 {
    counts.iter().fold(0, |sum, c| sum.saturating_add(c.2))
}

/// The samples of some scans by moment and lane, `moment` of their stamps.
pub(crate) fn of_scans<'a>(
    lanes: &Lanes,
    scans: impl IntoIterator<Item = &'a ScanBatch>,
    moment: fn(i64) -> i64,
) -> Vec<Count> {
    let mut counts: BTreeMap<(i64, u32), u64> = BTreeMap::new();
    for scan in scans {
        lanes.runs(scan, &mut |lane, samples| {
            *counts.entry((moment(scan.at.0), lane)).or_default() += samples;
        });
    }
    let one = |((moment, lane), samples)| (moment, lane, samples);
    counts.into_iter().map(one).collect()
}

/// The hour of a stamp, numbered.
pub(crate) fn hour_number(at: i64) -> i64 {
    at.div_euclid(HOUR)
}

/// The hour with a number, as the ledger has it.
pub(crate) fn cell(hour: i64, lane: u32) -> Cell {
    (hour.saturating_mul(HOUR), lane)
}

/// The lanes counts refer to inside one file. 0 is no lane, as everywhere.
#[derive(Debug, Default)]
pub(crate) struct FileLanes {
    numbers: FxHashMap<String, u32>,
}

impl FileLanes {
    /// Reads what a file names.
    pub(crate) fn load(conn: &Connection, file: &Path) -> Result<Self, StoreError> {
        let doing = "read the lanes of";
        let mut query = conn
            .prepare_cached("SELECT name, no FROM lane")
            .doing(doing, file)?;
        let rows = query
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))
            .doing(doing, file)?;
        let numbers = rows.collect::<Result<_, _>>().doing(doing, file)?;
        Ok(Self { numbers })
    }

    /// Renumbers counts from the ledger's lanes to those of the file, naming in it those it does
    /// not have. After a transaction that did not work this knows lanes the file does not.
    pub(crate) fn localise(
        &mut self,
        (conn, file): (&Connection, &Path),
        lanes: &Lanes,
        counts: &[Count],
    ) -> Result<Vec<Count>, StoreError> {
        let mut local = Vec::with_capacity(counts.len());
        for (moment, lane, samples) in counts {
            let no = match lanes.called(*lane) {
                "" => 0,
                name => self.number((conn, file), name)?,
            };
            local.push((*moment, no, *samples));
        }
        Ok(local)
    }

    fn number(
        &mut self,
        (conn, file): (&Connection, &Path),
        name: &str,
    ) -> Result<u32, StoreError> {
        if let Some(no) = self.numbers.get(name) {
            return Ok(*no);
        }
        let sql = "INSERT INTO lane (name) VALUES (?1) RETURNING no";
        let no = conn
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row(params![name], |r| r.get(0)))
            .doing("name a lane in", file)?;
        self.numbers.insert(name.to_owned(), no);
        Ok(no)
    }

    /// The ledger's lane of each of the file's.
    pub(crate) fn translation(&self, lanes: &Lanes) -> Translation {
        let of = |(name, no): (&String, &u32)| Some((*no, lanes.number(name)?));
        Translation(self.numbers.iter().filter_map(of).collect())
    }
}

/// From the lanes of a file to those of the ledger.
#[derive(Debug, Default)]
pub(crate) struct Translation(FxHashMap<u32, u32>);

impl Translation {
    /// The counts of so many samples, by the ledger's lanes; nothing where the octets are not that.
    pub(crate) fn read(&self, octets: Option<&[u8]>, samples: u64) -> Option<Vec<Count>> {
        let mut counts = decode(octets?).ok()?;
        if sum(&counts) != samples {
            return None;
        }
        for count in &mut counts {
            count.1 = self.0.get(&count.1).copied().unwrap_or(0);
        }
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            counts in prop::collection::vec((any::<i64>(), any::<u32>(), any::<u64>()), 0..20),
        ) {
            prop_assert_eq!(decode(&encode(&counts)), Ok(counts));
        }

        #[test]
        fn no_octets_are_too_strange(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut right = octets.clone();
            sign(&mut right);
            drop((decode(&octets), decode(&right)));
        }
    }

    #[test]
    fn a_batch_of_one_lane_costs_a_dozen_octets_and_no_flip_goes_unnoticed() {
        let hour = hour_number(1_795_262_400_000);
        let octets = encode(&[(hour, 3, 500)]);
        assert!(octets.len() <= 12, "{}", octets.len());
        assert!(are_of(&octets, 500) && !are_of(&octets, 501));
        for i in 0..octets.len() {
            let mut flipped = octets.clone();
            flipped[i] ^= 1;
            assert!(decode(&flipped).is_err());
        }
    }
}
