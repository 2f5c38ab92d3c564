//! What was collected since the last writing of the ledger, in a small file beside `state.db`.
//! Owns its octets and the thread that writes them.
//!
//! Constraints: written up to a hundred times a second, so never synced; whole each time, so that
//! half a write is told by the checksum and counts as none. Layout, all little-endian: `RLJ1`,
//! generation u64, entries u32, entries of hour i64, lane u32, samples u64, CRC-32C u32. Only the
//! generation the ledger on disk is at counts: what is older is in it already.

use super::{Cell, Changes};
use crate::error::Doing;
use crate::shared::Shared;
use crate::{StoreConfig, StoreError};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const MAGIC: [u8; 4] = *b"RLJ1";
/// Pause after a writing: what is collected in it may be missing after a crash.
const PAUSE: Duration = Duration::from_millis(10);
/// How often a journal that cannot be read is read again: a writing may be under way.
const LOOKS: usize = 20;
/// A longer file is none.
const MAX_ENTRIES: usize = 1_000_000;

/// What a process before has left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) generation: u64,
    pub(crate) collected: Vec<(Cell, u64)>,
}

fn file(config: &StoreConfig) -> PathBuf {
    config.dir.join("ledger.journal")
}

pub(super) fn encode(generation: u64, changes: &Changes) -> Vec<u8> {
    let cells = changes.iter().filter(|(_, c)| c.collected > 0);
    let mut octets = Vec::with_capacity(20 + changes.len() * 20);
    octets.extend_from_slice(&MAGIC);
    octets.extend_from_slice(&generation.to_le_bytes());
    octets.extend_from_slice(&[0; 4]);
    let mut entries = 0u32;
    for ((hour, lane), counts) in cells {
        entries += 1;
        octets.extend_from_slice(&hour.to_le_bytes());
        octets.extend_from_slice(&lane.to_le_bytes());
        octets.extend_from_slice(&counts.collected.to_le_bytes());
    }
    octets[12..16].copy_from_slice(&entries.to_le_bytes());
    let sum = crc32c::crc32c(&octets);
    octets.extend_from_slice(&sum.to_le_bytes());
    octets
}

fn decode(octets: &[u8]) -> Option<Journal> {
    let (magic, rest) = octets.split_first_chunk::<4>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (entries, rest) = rest.split_first_chunk::<4>()?;
    let entries = usize::try_from(u32::from_le_bytes(*entries)).ok()?;
    if *magic != MAGIC || entries > MAX_ENTRIES {
        return None;
    }
    let (body, rest) = rest.split_at_checked(entries * 20)?;
    let sum = rest.first_chunk::<4>()?;
    let signed = octets.get(..16 + body.len())?;
    if crc32c::crc32c(signed) != u32::from_le_bytes(*sum) {
        return None;
    }
    let mut collected = Vec::with_capacity(entries);
    for entry in body.chunks_exact(20) {
        let (hour, rest) = entry.split_first_chunk::<8>()?;
        let (lane, samples) = rest.split_first_chunk::<4>()?;
        let cell = (i64::from_le_bytes(*hour), u32::from_le_bytes(*lane));
        collected.push((cell, u64::from_le_bytes(*samples.first_chunk::<8>()?)));
    }
    Some(Journal {
        generation: u64::from_le_bytes(*generation),
        collected,
    })
}

impl Journal {
    /// Reads what was left; one that is missing or half written is as none.
    pub(crate) fn read(config: &StoreConfig) -> Self {
        let octets = std::fs::read(file(config)).unwrap_or_default();
        decode(&octets).unwrap_or_default()
    }

    /// The journal of a store, and what is wrong with it; `None` where there is none yet. One that is
    /// being written is looked at again.
    pub(crate) fn check(config: &StoreConfig) -> Option<(PathBuf, Option<&'static str>)> {
        let path = file(config);
        for _ in 0..LOOKS {
            let octets = std::fs::read(&path).ok().filter(|o| !o.is_empty())?;
            if decode(&octets).is_some() {
                return Some((path, None));
            }
        }
        let problem = "it cannot be read; what was under way when the gateway ended is not known";
        Some((path, Some(problem)))
    }
}

/// Starts the thread that writes. It waits for the disk so that nobody else has to.
pub(crate) fn start(shared: Arc<Shared>) -> Result<JoinHandle<()>, StoreError> {
    let path = file(&shared.config);
    // It was read before this; one that could not be must not be found damaged for ever.
    let damaged = Journal::check(&shared.config).is_some_and(|(_, problem)| problem.is_some());
    if damaged {
        tracing::warn!(file = %path.display(), "the journal of the ledger could not be read and begins anew");
    }
    let journal = File::options()
        .create(true)
        .truncate(damaged)
        .write(true)
        .open(&path);
    // Without it a crash costs the knowledge of what was under way, nothing else.
    let journal = journal.inspect_err(|error| tracing::warn!(%error, "no journal of the ledger"));
    std::thread::Builder::new()
        .name("riser-ledger".to_owned())
        .spawn(move || {
            while let Some(octets) = shared.ledger.next_journal(PAUSE) {
                if let Ok(file) = &journal
                    && let Err(error) = file.write_all_at(&octets, 0)
                {
                    tracing::debug!(%error, "the journal of the ledger is not written");
                }
            }
        })
        .doing("start the thread of the ledger's journal", &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::ledger::LedgerCounts;

    #[test]
    fn what_is_written_is_read_and_half_of_it_is_nothing() {
        let counts = |collected| LedgerCounts {
            collected,
            ..LedgerCounts::default()
        };
        let changes: Changes = [((3_600_000, 1), counts(7)), ((0, 2), counts(0))]
            .into_iter()
            .collect();
        let octets = encode(9, &changes);
        let wanted = Journal {
            generation: 9,
            collected: vec![((3_600_000, 1), 7)],
        };
        assert_eq!(decode(&octets), Some(wanted));
        let mut longer = octets.clone();
        longer.extend_from_slice(b"left of a longer one");
        assert!(decode(&longer).is_some());
        for cut in 0..octets.len() {
            assert_eq!(decode(&octets[..cut]), None);
        }
        for i in 0..octets.len() {
            let mut flipped = octets.clone();
            flipped[i] ^= 1;
            assert_eq!(decode(&flipped), None);
        }
    }
}
