//! Collects scans until they are worth a commit. Owns the two bounds, age and number of samples;
//! what is handed over is moved, never copied.

use riser_model::ScanBatch;
use std::time::Duration;
use tokio::time::Instant;

/// Scans on their way to the store.
#[derive(Debug)]
pub(crate) struct Batcher {
    scans: Vec<ScanBatch>,
    samples: usize,
    due: Option<Instant>,
    interval: Duration,
    limit: usize,
}

impl Batcher {
    pub(crate) fn new(interval: Duration, limit: usize) -> Self {
        Self {
            scans: Vec::new(),
            samples: 0,
            due: None,
            interval,
            limit,
        }
    }

    /// Takes a scan. Returns what must be handed over now, if the batch is large enough.
    pub(crate) fn push(&mut self, scan: ScanBatch) -> Option<Vec<ScanBatch>> {
        if scan.readings.is_empty() {
            return None;
        }
        self.due
            .get_or_insert_with(|| Instant::now() + self.interval);
        self.samples += scan.readings.len();
        self.scans.push(scan);
        (self.samples >= self.limit).then(|| self.take())
    }

    /// Everything collected so far.
    pub(crate) fn take(&mut self) -> Vec<ScanBatch> {
        self.samples = 0;
        self.due = None;
        let room = self.scans.len();
        std::mem::replace(&mut self.scans, Vec::with_capacity(room))
    }

    /// When the oldest scan has waited long enough; `None` when nothing waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }
}
