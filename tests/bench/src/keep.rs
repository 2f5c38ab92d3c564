//! What the gateway's store does beside what the machine's disk and SQLite do: appending, octets to
//! the disk, size after compaction, a year as a trend, and the decoder of the wire format.
#![expect(clippy::cast_precision_loss, reason = "counts as figures")]

#[path = "../../../gateway/store/benches/history/figures.rs"]
mod figures;
#[path = "../../sim/src/physics.rs"]
mod physics;

use crate::limits;
use crate::table::{Goal, Row, row};
use riser_model::{ClockState, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_store::{Store, StoreConfig, StoreFull};
use riser_wire::{BatchHeader, Epoch, Stream, decode_data, encode_data};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

type Failed = Box<dyn std::error::Error>;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;
/// Points of the load that is appended, in scans of 125, as 800 Modbus reads give.
const POINTS: u32 = 100_000;
const SCAN: u32 = 125;
/// Samples of one append: the gateway hands them over when there are so many.
const APPEND: u32 = 4_000;
/// Samples that may wait for the disk.
const WAITING: u64 = 100_000;

/// One scan with two digits of noise, as analogue sensors give.
pub(crate) fn scan(at: i64, first: u32, count: u32, round: i64) -> ScanBatch {
    let reading = |slot: u32| {
        let mut seed =
            (u64::from(slot) << 32 | round.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        seed = (seed ^ seed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let raw = 2_000 + slot % 700 + u32::from((seed >> 58) as u8);
        Reading {
            slot: Slot(slot),
            value: Some(Value::Float(f64::from(raw) / 10.0)),
            quality: Quality::GOOD,
        }
    };
    ScanBatch {
        at: Timestamp(at),
        readings: (first..first + count).map(reading).collect(),
    }
}

/// Hands a batch over, and waits while many others wait for the disk: the queue of the store
/// rather drops the oldest than stops a building.
pub(crate) async fn push(store: &Store, scans: Vec<ScanBatch>) -> Result<(), StoreFull> {
    while store.stats().queued_samples > WAITING {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    store.append(scans, ClockState::Synchronised, 0)
}

/// Samples a second that are on the disk, and octets of a frame.
async fn append(stretch: Duration) -> Result<(f64, usize), Failed> {
    let dir = tempfile::tempdir()?;
    let hands = Arc::new(AtomicI64::new(START));
    let clock = Arc::clone(&hands);
    let now = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed)));
    let (store, _) = Store::open(StoreConfig::new(dir.path()), now)?;
    let begun = Instant::now();
    let (mut slot, mut round) = (0, 0);
    while begun.elapsed() < stretch {
        // 100,000 points once a second of the gateway's clock.
        let at = START + round * 1_000 + i64::from(slot / APPEND) * 40;
        hands.store(at, Ordering::Relaxed);
        let scans = (0..APPEND / SCAN).map(|n| scan(at, slot + n * SCAN, SCAN, round));
        push(&store, scans.collect()).await?;
        slot = (slot + APPEND) % POINTS;
        round += i64::from(slot == 0);
    }
    store.settle().await?;
    let took = begun.elapsed().as_secs_f64();
    let stats = store.stats();
    store.close(Duration::from_secs(30)).await?;
    let lost = stats.dropped_samples + stats.shed_samples;
    let each = if lost == 0 {
        stats.committed_samples as f64 / took
    } else {
        f64::NAN
    };
    let octets = stats.frame_bytes / stats.committed_batches.max(1);
    Ok((each, usize::try_from(octets)?))
}

/// Samples a second that one core gets out of frames of 1,000 samples, checksum included.
fn decode(stretch: Duration) -> Result<f64, Failed> {
    let scans: Vec<ScanBatch> = (0..10)
        .map(|n| scan(START + i64::from(n), n * 100, 100, 1))
        .collect();
    let header = BatchHeader {
        epoch: Epoch(Uuid::from_u128(1)),
        stream: Stream::Data,
        seq: 1,
        first_at: Timestamp(START),
        last_at: Timestamp(START + 9),
        dictionary: 1,
        clock: ClockState::Synchronised,
        samples: 1_000,
    };
    let frame = encode_data(&header, &scans);
    let (begun, mut samples) = (Instant::now(), 0);
    while begun.elapsed() < stretch {
        samples += std::hint::black_box(decode_data(&frame)?.1).len();
    }
    Ok(samples as f64 / begun.elapsed().as_secs_f64())
}

/// The figures of the store and of the decoder, each beside its limit.
pub(crate) async fn keep(quick: bool) -> Result<Vec<Row>, Failed> {
    let (stretch, seconds) = if quick { (2, 20) } else { (5, 60) };
    let stretch = Duration::from_secs(stretch);
    let dir = tempfile::tempdir()?;
    let mut rows = appending(dir.path(), stretch).await?;
    let (ours, floor) = (decode(stretch)?, limits::copies(stretch)?);
    let remark = format!("{:.0} times the time of copying", floor / ours);
    rows.push(
        row(
            "decoding a frame, one core",
            ours / 1e6,
            "M samples/s",
            Goal::None,
        )
        .remark(remark),
    );
    rows.push(row(
        "limit: registers copied into numbers",
        floor / 1e6,
        "M samples/s",
        Goal::None,
    ));
    rows.extend(writing(seconds).await);
    rows.push(day().await);
    rows.push(year().await);
    Ok(rows)
}

async fn writing(seconds: i64) -> [Row; 3] {
    let half = figures::writing(Duration::from_millis(500), seconds).await;
    let whole = figures::writing(Duration::from_secs(1), seconds).await;
    let (unit, goal) = ("octets/sample", Goal::Most(40.0));
    [
        row("to the disk at 1,000 samples/s", half.octets, unit, goal).remark(format!(
            "commit every 500 ms, {:.1} KiB each",
            half.commit_kib
        )),
        row("the same, commit every second", whole.octets, unit, goal)
            .remark(format!("{:.1} KiB each", whole.commit_kib)),
        row(
            "limit: one page of 4 KiB a commit",
            half.page,
            unit,
            Goal::None,
        )
        .remark(format!("{:.2} with a commit every second", whole.page)),
    ]
}

async fn day() -> Row {
    let day = figures::demo_day().await;
    let what = "day of the demo building, compacted";
    row(what, day.compacted, "octets/sample", Goal::Most(3.0)).remark(format!(
        "{:.1} M samples; {:.2} before, rollups {:.3}; {:.2} µs a sample",
        day.samples / 1e6,
        day.written,
        day.rollups,
        day.micros
    ))
}

async fn year() -> Row {
    let year = figures::a_year().await;
    let slowest = year.times.last().copied().unwrap_or(f64::NAN);
    row(
        "a year at 1 min as a trend",
        slowest,
        "ms",
        Goal::Most(20.0),
    )
    .remark(format!(
        "slowest of {} points; {} buckets of {} h; {:.2} octets/sample",
        year.times.len(),
        year.buckets,
        year.bucket_ms / 3_600_000,
        year.octets
    ))
}

async fn appending(dir: &Path, stretch: Duration) -> Result<Vec<Row>, Failed> {
    let (ours, octets) = append(2 * stretch).await?;
    let (blobs, plain) = (
        limits::blobs(dir, octets, stretch)?,
        limits::rows(dir, stretch)?,
    );
    let syncs = limits::syncs(dir, stretch)?;
    let blobs = blobs * f64::from(APPEND);
    Ok(vec![
        row(
            "appended to the store, on the disk",
            ours,
            "samples/s",
            Goal::Least(200_000.0),
        )
        .remark(format!(
            "{:.1} times SQLite's rows, {:.0} % of its blobs",
            ours / plain,
            ours / blobs * 100.0
        )),
        row(
            "limit: SQLite, a row a sample",
            plain,
            "samples/s",
            Goal::None,
        )
        .remark("4,096 in a transaction, WAL, synchronous = FULL"),
        row(
            "limit: SQLite, our frames as blobs",
            blobs,
            "samples/s",
            Goal::None,
        )
        .remark(format!("{octets} octets each, 64 in a transaction")),
        row("limit: 4 KiB and fdatasync", syncs, "/s", Goal::None),
    ])
}
