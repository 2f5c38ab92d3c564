//! History and notes in memory: what the runtime does over the store, in the shortest form that
//! keeps the contract. A test looks at both, hands them to the next run, and makes them fail.

use futures_util::future::BoxFuture;
use riser_adapter::{Memory, NOTE_LIMIT, Past, PastError};
use riser_model::{Sample, ScanBatch, Slot, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// History in memory. Clones share it.
#[derive(Debug, Default, Clone)]
pub struct PastInMemory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    samples: Vec<Sample>,
    failing: bool,
}

impl PastInMemory {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The samples of a point, in order of time.
    #[must_use]
    pub fn samples(&self, slot: Slot) -> Vec<Sample> {
        let kept = self.lock();
        let own = kept.samples.iter().filter(|s| s.slot == slot);
        let mut own: Vec<Sample> = own.cloned().collect();
        own.sort_by_key(|s| s.at);
        own
    }

    /// From now on nothing can be stored, or it can again.
    pub fn fail(&self, failing: bool) {
        self.lock().failing = failing;
    }
}

impl Past for PastInMemory {
    fn stamps(
        &self,
        slot: Slot,
        from: Timestamp,
        to: Timestamp,
    ) -> BoxFuture<'static, Result<Vec<Timestamp>, PastError>> {
        let stamps = self.samples(slot).into_iter().map(|s| s.at);
        let stamps = stamps.filter(|at| (from..to).contains(at)).collect();
        Box::pin(async move { Ok(stamps) })
    }

    fn add(&self, scans: Vec<ScanBatch>) -> BoxFuture<'static, Result<(), PastError>> {
        let mut kept = self.lock();
        let failing = kept.failing;
        if !failing {
            let flat = scans.into_iter().flat_map(|scan| {
                scan.readings.into_iter().map(move |r| Sample {
                    slot: r.slot,
                    at: scan.at,
                    value: r.value,
                    quality: r.quality,
                })
            });
            kept.samples.extend(flat);
        }
        Box::pin(async move {
            match failing {
                true => Err(PastError::Unavailable {
                    doing: "stored",
                    source: "the test says so".into(),
                }),
                false => Ok(()),
            }
        })
    }
}

/// Notes in memory. Clones share them.
#[derive(Debug, Default, Clone)]
pub struct Notes(Arc<Mutex<BTreeMap<String, String>>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every note.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }
}

impl Memory for Notes {
    fn get(&self, key: &str) -> BoxFuture<'static, Option<String>> {
        let note = self.lock().get(key).cloned();
        Box::pin(async move { note })
    }

    fn put(&self, key: &str, note: Option<String>) -> BoxFuture<'static, ()> {
        match note {
            Some(note) if note.len() <= NOTE_LIMIT => {
                self.lock().insert(key.to_owned(), note);
            }
            Some(_) => {}
            None => {
                self.lock().remove(key);
            }
        }
        Box::pin(async {})
    }
}
