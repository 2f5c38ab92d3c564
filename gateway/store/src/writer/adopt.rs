//! What the writer does for compaction: looking at sizes, and putting a rewritten day in its place.
//! Owns that nothing but the writing thread replaces a day file.

use super::Writer;
use crate::StoreError;
use crate::compact::{Adopt, temporary};
use crate::files;
use crate::retention::day_path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Writer {
    /// Looks how much the history takes on the disk.
    pub(super) fn measure(&mut self) {
        let shared = Arc::clone(&self.shared);
        let paths: Vec<(String, PathBuf)> = {
            let catalog = shared.catalog();
            let files = catalog.files().iter();
            files.map(|f| (f.name.clone(), f.path.clone())).collect()
        };
        let years = files::days(&crate::coarse::folder(&shared.config.dir)).unwrap_or_default();
        let mut sum: u64 = years.iter().map(|(_, path)| files::size(path)).sum();
        for (name, path) in paths {
            if !path.exists() {
                self.day_has_vanished(&name, &path);
                continue;
            }
            let octets = files::size(&path);
            sum += octets;
            if let Some(file) = shared.catalog().get_mut(&name) {
                file.disk_bytes = octets;
            }
        }
        let figure = &shared.counters.history_disk_bytes;
        figure.store(sum, Ordering::Relaxed);
    }

    /// Puts a rewritten day file in the place of the old one, unless that was taken up again or is
    /// gone. From here on its samples are in chunks.
    pub(super) fn adopt(&mut self, adopt: &Adopt) -> Result<(), StoreError> {
        let path = day_path(&self.shared.config, &adopt.name);
        let same = self
            .shared
            .catalog()
            .get(&adopt.name)
            .is_some_and(|f| f.sealed && !f.compacted && f.opened == adopt.opened);
        if !same || self.day.as_ref().is_some_and(|d| d.name == adopt.name) {
            let detail = format!("day {} changed while it was compacted", adopt.name);
            return Err(StoreError::Compaction { detail });
        }
        // What of it is durable is counted by the batches that go now.
        self.write_ledger();
        files::replace(&temporary(&path), &path)?;
        if let Some(file) = self.shared.catalog().get_mut(&adopt.name) {
            file.compacted = true;
            file.segments.clear();
            file.disk_bytes = files::size(&path);
        }
        Ok(())
    }
}
