//! Which sequence numbers of a stream are settled here. Owns the set (a contiguous mark and the
//! ranges above it), its bound, its row, and what of it a gateway is told.

use super::text::{signed, unsigned};
use super::{Db, DbError, Origin};
use riser_wire::limits::MAX_RANGES;
use riser_wire::{Durable, Epoch, Stream};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// Ranges a stream may have above its contiguous mark. A gateway sends newest hour first and
/// whole hours at a time, so it never comes near; without a bound a bad one could make every
/// commit write megabytes.
pub const GAPS_MAX: usize = 4096;

/// Sequence numbers settled of one stream: stored, or in quarantine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    contiguous: u64,
    /// Inclusive, ascending, disjoint, not touching; all above `contiguous + 1`.
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    /// Whether a number is settled.
    #[must_use]
    pub fn contains(&self, seq: u64) -> bool {
        if seq <= self.contiguous {
            return true;
        }
        let after = self.ranges.partition_point(|(first, _)| *first <= seq);
        after > 0 && self.ranges[after - 1].1 >= seq
    }

    /// Settles a number. False when it would need one range more than [`GAPS_MAX`]; then nothing
    /// has changed.
    #[must_use]
    pub fn insert(&mut self, seq: u64) -> bool {
        if self.contains(seq) {
            return true;
        }
        if seq == self.contiguous + 1 {
            self.contiguous = seq;
            self.absorb();
            return true;
        }
        let after = self.ranges.partition_point(|(first, _)| *first <= seq);
        let joins_before = after > 0 && self.ranges[after - 1].1 + 1 == seq;
        let joins_after = self
            .ranges
            .get(after)
            .is_some_and(|(first, _)| *first == seq + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                self.ranges[after - 1].1 = self.ranges[after].1;
                self.ranges.remove(after);
            }
            (true, false) => self.ranges[after - 1].1 = seq,
            (false, true) => self.ranges[after].0 = seq,
            (false, false) if self.ranges.len() >= GAPS_MAX => return false,
            (false, false) => self.ranges.insert(after, (seq, seq)),
        }
        true
    }

    fn absorb(&mut self) {
        let touching = self
            .ranges
            .first()
            .filter(|(first, _)| *first == self.contiguous + 1)
            .map(|(_, last)| *last);
        if let Some(last) = touching {
            self.contiguous = last;
            self.ranges.remove(0);
        }
    }

    /// What a gateway is told. With more than [`MAX_RANGES`] ranges it hears those around `near`:
    /// every answer tells the truth about what was just settled, none has to tell all of it.
    #[must_use]
    pub fn tell(&self, epoch: Epoch, stream: Stream, near: Option<u64>) -> Durable {
        let ranges = if self.ranges.len() <= MAX_RANGES {
            self.ranges.clone()
        } else {
            let at = near.map_or(self.ranges.len(), |seq| {
                self.ranges.partition_point(|(first, _)| *first <= seq)
            });
            let start = at
                .saturating_sub(MAX_RANGES / 2)
                .min(self.ranges.len() - MAX_RANGES);
            self.ranges[start..start + MAX_RANGES].to_vec()
        };
        Durable {
            epoch,
            stream,
            contiguous: self.contiguous,
            ranges,
        }
    }

    fn to_blob(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(self.ranges.len() * 16);
        for (first, last) in &self.ranges {
            blob.extend_from_slice(&first.to_le_bytes());
            blob.extend_from_slice(&last.to_le_bytes());
        }
        blob
    }

    fn from_columns(contiguous: i64, blob: &[u8]) -> Result<Self, DbError> {
        let (pairs, rest) = blob.as_chunks::<16>();
        if !rest.is_empty() {
            return Err(DbError::stored(
                "durable ranges",
                "not a whole number of pairs",
            ));
        }
        let ranges = pairs
            .iter()
            .map(|pair| {
                let number = u128::from_le_bytes(*pair);
                #[expect(clippy::cast_possible_truncation, reason = "the two halves of a pair")]
                (number as u64, (number >> 64) as u64)
            })
            .collect();
        Ok(Self {
            contiguous: unsigned(contiguous),
            ranges,
        })
    }
}

/// Reads the set of a stream; empty when nothing was ever settled.
pub(super) fn load(c: &Connection, epoch: i64, stream: Stream) -> Result<RangeSet, DbError> {
    let row = c
        .prepare_cached("SELECT contiguous, ranges FROM durable WHERE epoch = ?1 AND stream = ?2")?
        .query_row(params![epoch, stream as i64], |r| {
            Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    row.map_or_else(
        || Ok(RangeSet::default()),
        |(c, blob)| RangeSet::from_columns(c, &blob),
    )
}

/// Writes the set of a stream, in the transaction of what it is about.
pub(super) fn save(
    c: &Connection,
    epoch: i64,
    stream: Stream,
    set: &RangeSet,
) -> Result<(), DbError> {
    c.prepare_cached(
        "INSERT INTO durable (epoch, stream, contiguous, ranges) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET contiguous = excluded.contiguous, ranges = excluded.ranges",
    )?
    .execute(params![
        epoch,
        stream as i64,
        signed(set.contiguous),
        set.to_blob()
    ])
    .map_err(DbError::sqlite("write a durable mark"))?;
    Ok(())
}

impl Db {
    /// What is settled of both streams of an epoch; zero for one never heard of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn durable(
        &self,
        origin: &Arc<Origin>,
        epoch: Epoch,
    ) -> Result<Vec<Durable>, DbError> {
        let of = Arc::clone(origin);
        self.read(move |c| {
            let row: Option<i64> = c
                .prepare_cached(
                    "SELECT epoch.row FROM epoch JOIN gateway ON gateway.row = epoch.gateway
                     WHERE tenant = ?1 AND id = ?2 AND uuid = ?3",
                )?
                .query_row(
                    params![of.tenant.as_str(), of.gateway.as_str(), epoch.0.as_bytes()],
                    |r| r.get(0),
                )
                .optional()?;
            Stream::ALL
                .into_iter()
                .map(|stream| {
                    let set =
                        row.map_or_else(|| Ok(RangeSet::default()), |row| load(c, row, stream))?;
                    Ok(set.tell(epoch, stream, None))
                })
                .collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Walks every order of a small set of numbers against a plain set.
    #[test]
    fn every_order_yields_the_same_set() {
        fn walk(left: &[u64], set: &RangeSet, plain: &BTreeSet<u64>) {
            for seq in 1..=7 {
                assert_eq!(set.contains(seq), plain.contains(&seq), "{set:?}");
            }
            let mut last = set.contiguous;
            for (first, end) in &set.ranges {
                assert!(*first > last + 1 && end >= first, "{set:?}");
                last = *end;
            }
            for (i, seq) in left.iter().enumerate() {
                let mut rest = left.to_vec();
                rest.remove(i);
                let (mut set, mut plain) = (set.clone(), plain.clone());
                assert!(set.insert(*seq) && set.insert(*seq));
                plain.insert(*seq);
                walk(&rest, &set, &plain);
            }
        }
        walk(&[1, 2, 3, 4, 5, 6], &RangeSet::default(), &BTreeSet::new());
    }

    #[test]
    fn a_stream_full_of_gaps_is_refused_but_may_be_filled() {
        let mut set = RangeSet::default();
        for i in 0..GAPS_MAX as u64 {
            assert!(set.insert(3 + 2 * i));
        }
        let before = set.clone();
        assert!(!set.insert(1_000_000));
        assert_eq!(set, before);
        assert!(set.insert(1) && set.insert(2) && set.insert(4));
        assert_eq!(set.contiguous, 5);
    }

    #[test]
    fn what_is_told_is_bounded_and_holds_what_was_just_settled() {
        let mut set = RangeSet::default();
        for i in 0..1000 {
            assert!(set.insert(3 + 2 * i));
        }
        let epoch = Epoch(uuid::Uuid::nil());
        for seq in [3, 501, 2001] {
            let told = set.tell(epoch, Stream::Data, Some(seq));
            assert_eq!(told.ranges.len(), MAX_RANGES);
            assert!(told.ranges.contains(&(seq, seq)), "{seq}");
        }
    }

    #[test]
    fn a_set_survives_its_row() {
        let mut set = RangeSet::default();
        for seq in [1, 2, 5, 6, u64::MAX / 2] {
            assert!(set.insert(seq));
        }
        let read = RangeSet::from_columns(2, &set.to_blob()).unwrap();
        assert_eq!(read, set);
        assert!(RangeSet::from_columns(0, &[1; 15]).is_err());
    }
}
