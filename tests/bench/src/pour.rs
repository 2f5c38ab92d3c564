//! How fast what has waited reaches the cloud: gateways' stores filled beforehand, each drained by
//! the link of the product, in this process, into a `riser-cloud` process over mutual TLS, until
//! the cloud has called everything durable. Beside it, what one client gets acknowledged by a broker
//! that keeps nothing.
#![expect(clippy::cast_precision_loss, reason = "counts as figures")]

use crate::keep::{push, scan};
use crate::limits;
use crate::table::{Goal, Row, row};
use crate::usage::{busy, rss};
use riser_e2e::Lab;
use riser_e2e::lab::{TENANT, tool};
use riser_model::{Access, Key, Limits, Point, PointPath, Timestamp, ValueKind};
use riser_store::{Now, Store, StoreConfig};
use riser_sync::{LinkConfig, Timings, Uplink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Failed = Box<dyn std::error::Error>;

/// What waits at each gateway.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    gateways: usize,
    /// Points of each, every one read once a second.
    points: u32,
    /// Batches a second.
    batches_per_s: u32,
    seconds: i64,
}

/// What a pouring came to.
struct Poured {
    samples_per_s: f64,
    batches_per_s: f64,
    /// Octets of a batch.
    octets: usize,
    /// Processor time of the cloud, microseconds a sample, and its memory, MB.
    cloud_micros: f64,
    cloud_rss: f64,
}

struct Gateway {
    name: String,
    store: Store,
    now: Now,
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |s| i64::try_from(s.as_millis()).unwrap_or(i64::MAX))
}

fn point(number: u32) -> Result<Point, Failed> {
    Ok(Point {
        path: format!("bench/p{number}").parse::<PointPath>()?,
        name: format!("Point {number}"),
        device_name: "Bench".to_owned(),
        kind: ValueKind::Float,
        unit: None,
        access: Access::Read,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 60_000,
    })
}

async fn fill(dir: PathBuf, name: String, backlog: Backlog) -> Result<Gateway, Failed> {
    let begin = now() - (backlog.seconds + 10) * 1_000;
    let hands = Arc::new(AtomicI64::new(begin));
    let clock = Arc::clone(&hands);
    let now: Now = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed)));
    let (store, _) = Store::open(StoreConfig::new(dir), Arc::clone(&now))?;
    let points: Result<Vec<Point>, Failed> = (0..backlog.points).map(point).collect();
    let first = store.declare_points(points?).await?.slots[0].0;
    let each = backlog.points / backlog.batches_per_s;
    for second in 0..backlog.seconds {
        for part in 0..backlog.batches_per_s {
            let at = begin + second * 1_000 + i64::from(part * 1_000 / backlog.batches_per_s);
            hands.store(at, Ordering::Relaxed);
            push(&store, vec![scan(at, first + part * each, each, second)]).await?;
            store.settle().await?;
        }
    }
    hands.store(begin + (backlog.seconds + 10) * 1_000, Ordering::Relaxed);
    Ok(Gateway { name, store, now })
}

fn link(folder: &Path, port: u16, gateway: &Gateway) -> Result<LinkConfig, Failed> {
    let file = |name: &str| folder.join(&gateway.name).join(name);
    Ok(LinkConfig {
        host: "localhost".to_owned(),
        port,
        ca: file("ca.pem"),
        cert: file("gateway.pem"),
        key: file("gateway.key"),
        tenant: Key::new(TENANT)?,
        gateway: Key::new(&gateway.name)?,
        name: gateway.name.clone(),
        version: "bench".to_owned(),
        boot: Uuid::from_u128(1),
        now: Arc::clone(&gateway.now),
        max_kbit_s: None,
        timings: Timings::default(),
    })
}

async fn issue(folder: &Path, name: &str) {
    let (pki, out) = (folder.join("pki"), folder.join(name));
    let (pki, out) = (pki.to_string_lossy(), out.to_string_lossy());
    let arguments = [
        "pki",
        "issue-gateway",
        "--dir",
        &pki,
        "--tenant",
        TENANT,
        "--gateway",
        name,
        "--out",
        &out,
    ];
    tool("riser-cloud", &arguments, "").await;
}

async fn run(backlog: Backlog) -> Result<Poured, Failed> {
    let mut lab = Lab::prepare("").await;
    let mut gateways = Vec::new();
    for number in 0..backlog.gateways {
        let name = format!("pour-{number}");
        issue(&lab.folder, &name).await;
        let dir = lab.folder.join(format!("{name}-store"));
        gateways.push(fill(dir, name, backlog).await?);
    }
    let (mut samples, mut batches, mut octets) = (0, 0, 0);
    for gateway in &gateways {
        let stats = gateway.store.stats();
        samples += stats.committed_samples;
        batches += stats.committed_batches;
        octets += stats.frame_bytes;
    }
    lab.cloud.start();
    lab.operator().await;
    let cloud = lab.cloud.id().ok_or("the cloud does not run")?;
    let stop = CancellationToken::new();
    let (begun, before) = (Instant::now(), busy(cloud));
    let mut links = Vec::new();
    for gateway in &gateways {
        let config = link(&lab.folder, lab.mqtt_port, gateway)?;
        links.push(Uplink::start(config, gateway.store.clone(), stop.clone()));
    }
    let waits = |gateway: &Gateway| gateway.store.outbox().occupancy().batches > 0;
    while gateways.iter().any(waits) {
        if begun.elapsed() > Duration::from_secs(300) {
            let status = links[0].status.borrow().clone();
            return Err(format!("not drained within 5 min: {status:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (took, used) = (begun.elapsed().as_secs_f64(), busy(cloud) - before);
    let poured = Poured {
        samples_per_s: samples as f64 / took,
        batches_per_s: batches as f64 / took,
        octets: usize::try_from(octets / batches.max(1))?,
        cloud_micros: used.as_secs_f64() * 1e6 / samples as f64,
        cloud_rss: rss(cloud),
    };
    stop.cancel();
    for link in links {
        link.task.await?;
    }
    for gateway in gateways {
        gateway.store.close(Duration::from_secs(30)).await?;
    }
    lab.cloud.stop().await;
    Ok(poured)
}

fn remark(poured: &Poured) -> String {
    format!(
        "{:.0} batches/s of {} octets; cloud {:.2} µs a sample, {:.0} MB",
        poured.batches_per_s, poured.octets, poured.cloud_micros, poured.cloud_rss
    )
}

/// The figures, each beside its limit.
pub(crate) async fn pour(quick: bool) -> Result<Vec<Row>, Failed> {
    let stretch = Duration::from_secs(if quick { 2 } else { 5 });
    // What a gateway with 500 points each second has after an outage, in its usual batches.
    let one = run(Backlog {
        gateways: 1,
        points: 500,
        batches_per_s: 2,
        seconds: if quick { 1_800 } else { 7_200 },
    })
    .await?;
    // Four larger ones at a time: what the cloud can take.
    let four = run(Backlog {
        gateways: 4,
        points: 8_000,
        batches_per_s: 2,
        seconds: if quick { 60 } else { 300 },
    })
    .await?;
    let small = limits::publishes(one.octets, stretch).await?;
    let large = limits::publishes(four.octets, stretch).await?;
    let share = |part: f64, whole: f64| format!("{:.0} % of it", part / whole * 100.0);
    Ok(vec![
        row(
            "drained after an outage at 500 samples/s",
            one.samples_per_s,
            "samples/s",
            Goal::Least(10_000.0),
        )
        .remark(format!(
            "{:.0} times as fast as it came; {}",
            one.samples_per_s / 500.0,
            remark(&one)
        )),
        row("limit: such messages to mosquitto", small, "/s", Goal::None)
            .remark(share(one.batches_per_s, small)),
        row(
            "cloud ingest, four gateways, on the disk",
            four.samples_per_s,
            "samples/s",
            Goal::Least(100_000.0),
        )
        .remark(remark(&four)),
        row("limit: such messages to mosquitto", large, "/s", Goal::None)
            .remark(share(four.batches_per_s, large)),
    ])
}
