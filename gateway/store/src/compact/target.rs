//! The file compaction writes. Owns the rows of chunks, times, rounds and runs, and that a chunk is
//! read back and compared before anything relies on it.

use super::gather::Gather;
use crate::StoreError;
use crate::chunk::{self, Series, Zip};
use crate::error::Doing;
use crate::scan::split_id;
use crate::sqlite::{HISTORY, create_unlogged};
use riser_model::Timestamp;
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Times remembered to find equal ones; beyond, they are forgotten and may be stored again.
const KNOWN_TIMES: usize = 4_096;

/// Consecutive numbers whose samples are in chunks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) no: i64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) first_at: i64,
    pub(super) last_at: i64,
    pub(super) batches: u64,
    pub(super) samples: u64,
    pub(super) bytes: u64,
}

/// A day file being made.
pub(super) struct Target {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    zip: Zip,
    known: FxHashMap<[u8; 32], i64>,
    times: i64,
    round: i64,
    runs: Vec<Run>,
    /// Samples in chunks so far.
    pub(super) samples: u64,
}

impl Target {
    pub(super) fn create(path: &Path, large: bool) -> Result<Self, StoreError> {
        crate::files::remove(path)?;
        let conn = create_unlogged(path, &HISTORY, large)?;
        conn.execute_batch("BEGIN").doing("begin writing", path)?;
        Ok(Self {
            conn,
            path: path.to_owned(),
            zip: Zip::new().doing("set up compression for", path)?,
            known: FxHashMap::default(),
            times: 0,
            round: 0,
            runs: Vec::new(),
            samples: 0,
        })
    }

    /// Writes what was gathered as one round.
    pub(super) fn write(&mut self, gather: &mut Gather, all: bool) -> Result<(), StoreError> {
        let (mut first_at, mut last_at) = (i64::MAX, i64::MIN);
        let (mut chunks, mut samples) = (0u32, 0u64);
        for (slot, mut series) in gather.take(all) {
            series.sort();
            let sums = self.write_chunk(slot, &series)?;
            first_at = first_at.min(sums.first_at);
            last_at = last_at.max(sums.last_at);
            chunks += 1;
            samples += series.len() as u64;
        }
        if chunks > 0 {
            let values = params![self.round, first_at, last_at, chunks, samples];
            self.conn
                .prepare_cached("INSERT INTO round VALUES (?1, ?2, ?3, ?4, ?5)")
                .and_then(|mut put| put.execute(values))
                .doing("store a round of chunks", &self.path)?;
            self.round += 1;
            self.samples += samples;
        }
        Ok(())
    }

    fn write_chunk(&mut self, slot: u32, series: &Series) -> Result<chunk::Sums, StoreError> {
        let body =
            chunk::encode(series, &mut self.zip).doing("compress a chunk for", &self.path)?;
        let times = self.times_of(series)?;
        let back = chunk::decode(&body, series.at.clone(), &mut self.zip);
        if !back.is_ok_and(|back| back.same(series)) {
            let detail = format!("slot {slot}: it does not read back as it was written");
            return Err(StoreError::Compaction { detail });
        }
        let s = series.sums();
        let f = s.figures;
        let id = self.round << 32 | i64::from(slot);
        let values = params![
            id,
            s.first_at,
            s.last_at,
            s.samples,
            s.usable,
            f.map(|f| f.min),
            f.map(|f| f.max),
            f.map(|f| f.sum),
            f.map(|f| f.first),
            f.map(|f| f.last),
            f.map(|f| f.used_at),
            times,
            body
        ];
        let sql =
            "INSERT INTO chunk VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        self.conn
            .prepare_cached(sql)
            .and_then(|mut put| put.execute(values))
            .doing("store a chunk", &self.path)?;
        Ok(s)
    }

    /// The row that holds the times of a series.
    fn times_of(&mut self, series: &Series) -> Result<i64, StoreError> {
        let mut digest = Sha256::new();
        series
            .at
            .iter()
            .for_each(|at| digest.update(at.to_le_bytes()));
        let digest: [u8; 32] = digest.finalize().into();
        if let Some(known) = self.known.get(&digest) {
            return Ok(*known);
        }
        let doing = "compress times for";
        let body = chunk::encode_times(&series.at, &mut self.zip).doing(doing, &self.path)?;
        let back = chunk::decode_times(&body, &mut self.zip);
        if back.as_ref() != Ok(&series.at) {
            let detail = "times do not read back as they were written".to_owned();
            return Err(StoreError::Compaction { detail });
        }
        self.times += 1;
        self.conn
            .prepare_cached("INSERT INTO times VALUES (?1, ?2)")
            .and_then(|mut put| put.execute(params![self.times, body]))
            .doing("store times", &self.path)?;
        if self.known.len() >= KNOWN_TIMES {
            self.known.clear();
        }
        self.known.insert(digest, self.times);
        Ok(self.times)
    }

    /// Counts a batch, or a run of them, as contained.
    pub(super) fn add_run(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last) if last.no == run.no && last.last + 1 == run.first => {
                last.last = run.last;
                last.first_at = last.first_at.min(run.first_at);
                last.last_at = last.last_at.max(run.last_at);
                last.batches += run.batches;
                last.samples += run.samples;
                last.bytes += run.bytes;
            }
            _ => self.runs.push(run),
        }
    }

    /// Keeps a batch that cannot be read as it is: it is no worse than before, and stays visible.
    pub(super) fn keep_batch(&self, row: &super::Stored) -> Result<(), StoreError> {
        tracing::warn!(
            seq = split_id(row.id).1,
            "a stored batch is damaged and kept as it is"
        );
        let values = params![
            row.id,
            row.first_at,
            row.last_at,
            row.samples,
            row.frame,
            row.counts
        ];
        self.conn
            .prepare_cached("INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            .and_then(|mut put| put.execute(values))
            .doing("keep a damaged batch", &self.path)
            .map(drop)
    }

    /// Writes the runs and the mark that it is done, and puts everything on the disk.
    pub(super) fn finish(self, now: Timestamp) -> Result<(), StoreError> {
        let doing = "finish a compacted file";
        for run in &self.runs {
            let values = params![
                run.no,
                run.first,
                run.last,
                run.first_at,
                run.last_at,
                run.batches,
                run.samples,
                run.bytes
            ];
            let sql = "INSERT OR REPLACE INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            self.conn.execute(sql, values).doing(doing, &self.path)?;
        }
        let sql = "INSERT INTO compaction VALUES (1, 1, ?1)";
        self.conn.execute(sql, [now.0]).doing(doing, &self.path)?;
        self.conn.execute_batch("COMMIT").doing(doing, &self.path)?;
        self.conn
            .close()
            .map_err(|e| e.1)
            .doing(doing, &self.path)?;
        std::fs::File::open(&self.path)
            .and_then(|file| file.sync_all())
            .doing("put on the disk", &self.path)
    }

    /// Hands what was written so far to the disk, so that the last sync is short and does not make
    /// the writer's commits wait.
    pub(super) fn sync_some(&self) {
        let synced = std::fs::File::open(&self.path).and_then(|file| file.sync_data());
        if let Err(error) = synced {
            tracing::debug!(%error, "an early sync failed; the last one decides");
        }
    }
}
