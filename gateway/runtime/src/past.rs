//! The past as adapters fill it in, and their notes, over the store. Owns the rule that live
//! samples never make room for back-filled ones: one adapter adds at a time, a little at a time,
//! each after the one before is on the disk, and none while the store does not keep up.

use crate::admit;
use crate::field::Field;
use crate::stats::{Counters, add, count};
use futures_util::future::BoxFuture;
use riser_adapter::{Clock, Memory, NOTE_LIMIT, Past, PastError};
use riser_model::{ScanBatch, Slot, Timestamp, ValueKind};
use riser_store::{Store, StoreError, Stream};
use std::sync::Arc;
use std::time::Duration;

/// Stamps answered at once.
const STAMPS: usize = 100_000;
/// Samples handed to the store at once.
const AT_ONCE: usize = 4096;
/// How far a stamp may be ahead of the clock: clocks of devices are never quite right.
const AHEAD_MS: i64 = 60_000;
/// How long the disk may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The past of one adapter's points; clones are the same.
#[derive(Clone)]
pub(crate) struct StoredPast {
    pub(crate) adapter: Arc<str>,
    pub(crate) store: Store,
    pub(crate) field: Arc<Field>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    /// Held by whoever adds; shared by all adapters.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
}

impl Past for StoredPast {
    fn stamps(
        &self,
        slot: Slot,
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'static, Result<Vec<Timestamp>, PastError>> {
        let past = self.clone();
        Box::pin(async move {
            let samples = past.store.samples(slot, from, to, STAMPS).await;
            let samples = samples.map_err(unavailable("read"))?;
            Ok(samples.into_iter().map(|sample| sample.at).collect())
        })
    }

    fn add(&self, scans: Vec<ScanBatch>) -> BoxFuture<'static, Result<(), PastError>> {
        let past = self.clone();
        Box::pin(async move {
            let scans = past.checked(scans)?;
            let _turn = past.turn.lock().await;
            for part in parts(scans) {
                past.store_part(part).await?;
            }
            Ok(())
        })
    }
}

impl StoredPast {
    /// Everything must be the adapter's own and of the past; what does not fit its point is stored
    /// as bad quality, as with readings of now.
    fn checked(&self, mut scans: Vec<ScanBatch>) -> Result<Vec<ScanBatch>, PastError> {
        let latest = Timestamp(self.clock.now().0.saturating_add(AHEAD_MS));
        for scan in &mut scans {
            if scan.at > latest {
                return Err(PastError::Refused(format!(
                    "a sample is stamped {} s ahead of the gateway's clock; compare the clocks",
                    scan.at.since(latest).saturating_add(AHEAD_MS) / 1000
                )));
            }
            for reading in &mut scan.readings {
                let kind = self.kind_of_own(reading.slot)?;
                if !admit::fit(reading, kind) {
                    count(&self.counters.readings_unfit);
                }
            }
        }
        Ok(scans)
    }

    fn kind_of_own(&self, slot: Slot) -> Result<ValueKind, PastError> {
        let directory = self.field.directory();
        match directory.entry(slot) {
            Some(entry) if entry.adapter == self.adapter => Ok(entry.point.kind),
            _ => Err(PastError::Refused(format!(
                "slot {} is not a point of adapter '{}'",
                slot.0, self.adapter
            ))),
        }
    }

    async fn store_part(&self, scans: Vec<ScanBatch>) -> Result<(), PastError> {
        let not_now = |why: &str| PastError::Unavailable {
            doing: "stored",
            source: why.into(),
        };
        if self.store.is_holding() {
            return Err(not_now("the time is not known yet"));
        }
        let samples: u64 = scans.iter().map(|s| s.readings.len() as u64).sum();
        let before = self.store.stats();
        if before.queued_samples + samples > before.queue_limit / 2 {
            return Err(not_now("the disk does not keep up with what is read now"));
        }
        let mut committed = self.store.committed(Stream::Data);
        scans.iter().for_each(|scan| self.store.collected(scan));
        let dictionary = self.store.directory_version();
        let taken = self.store.append(scans, self.clock.state(), dictionary);
        taken.map_err(|full| not_now(full.reason))?;
        let mark = self.store.stats().appended_samples;
        let on_disk = async {
            loop {
                let now = self.store.stats();
                if now.dropped_samples > before.dropped_samples {
                    return Err(not_now("the disk did not keep up, samples were dropped"));
                }
                if now.committed_samples + now.dropped_samples >= mark {
                    return Ok(());
                }
                if committed.changed().await.is_err() {
                    return Err(not_now("the gateway is going down"));
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, on_disk).await;
        waited.map_err(|_| not_now("the disk did not answer in time"))??;
        add(&self.counters.samples_backfilled, samples);
        Ok(())
    }
}

/// Scans in parts of a few thousand samples each, in their order.
fn parts(scans: Vec<ScanBatch>) -> Vec<Vec<ScanBatch>> {
    let mut parts: Vec<Vec<ScanBatch>> = Vec::new();
    let mut room = 0;
    for scan in scans.into_iter().filter(|s| !s.readings.is_empty()) {
        let wanted = scan.readings.len();
        match parts.last_mut() {
            Some(part) if wanted <= room => {
                room -= wanted;
                part.push(scan);
            }
            _ => {
                room = AT_ONCE.saturating_sub(wanted);
                parts.push(vec![scan]);
            }
        }
    }
    parts
}

fn unavailable(doing: &'static str) -> impl FnOnce(StoreError) -> PastError {
    move |source| PastError::Unavailable {
        doing,
        source: Box::new(source),
    }
}

/// The notes of one adapter.
pub(crate) struct StoredMemory {
    pub(crate) adapter: Arc<str>,
    pub(crate) store: Store,
}

impl StoredMemory {
    fn key(&self, key: &str) -> String {
        format!("adapter/{}/{key}", self.adapter)
    }
}

impl Memory for StoredMemory {
    fn get(&self, key: &str) -> BoxFuture<'static, Option<String>> {
        let (key, store) = (self.key(key), self.store.clone());
        Box::pin(async move {
            let read = store.value(&key).await;
            let read = read.inspect_err(|error| {
                tracing::warn!(key, error = error.chain(), "a note cannot be read");
            });
            String::from_utf8(read.ok()??).ok()
        })
    }

    fn put(&self, key: &str, note: Option<String>) -> BoxFuture<'static, ()> {
        let (key, store) = (self.key(key), self.store.clone());
        Box::pin(async move {
            let kept = match note {
                Some(note) if note.len() > NOTE_LIMIT => {
                    let octets = note.len();
                    tracing::warn!(key, octets, "a note is too long and is not taken");
                    return;
                }
                Some(note) => store.set_value(&key, note.into_bytes()).await,
                None => store.remove_value(&key).await,
            };
            if let Err(error) = kept {
                tracing::warn!(key, error = error.chain(), "a note cannot be kept");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::{Quality, Reading, Value};

    fn scan(at: i64, readings: u32) -> ScanBatch {
        ScanBatch {
            at: Timestamp(at),
            readings: (0..readings)
                .map(|slot| Reading {
                    slot: Slot(slot),
                    value: Some(Value::Int(1)),
                    quality: Quality::GOOD,
                })
                .collect(),
        }
    }

    #[test]
    fn parts_keep_order_and_are_small() {
        let scans: Vec<_> = (0..10).map(|at| scan(at, 1000)).collect();
        let parts = parts(scans.clone());
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(parts.concat(), scans);
    }

    #[test]
    fn an_empty_scan_makes_no_part() {
        assert!(parts(vec![scan(1, 0)]).is_empty());
        assert_eq!(parts(vec![scan(1, 9000), scan(2, 1)]).len(), 2);
    }
}
