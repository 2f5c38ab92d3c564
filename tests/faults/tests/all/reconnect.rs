//! Ten thousand connections that end: at every octet of the way to a working link, and from a working
//! one. Neither the gateway's link nor the cloud may gather anything by it, and nothing is lost.
//!
//! The link runs in this process with waits of milliseconds, because the ones of the field would make
//! a day of it; cloud, TLS and sockets are the real ones.

use riser_e2e::lab::{GATEWAY, TENANT};
use riser_e2e::proxy::{How, Mode, Spoil};
use riser_e2e::{Lab, until};
use riser_faults::{alone, proc, rig, rounds};
use riser_model::{ClockState, LinkState, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use riser_store::{Now, Store, StoreConfig};
use riser_sync::{LinkConfig, LinkHandle, Timings, Uplink};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Connections after which a good one must come, and a batch become durable over it.
const EVERY: u64 = 100;
/// Octets of the cloud within which a connection has become a working one.
const WAY: u64 = 640;
/// Growth of a process over a thousand reconnects, in kilobytes, once it has settled.
const SLOPE: f64 = 64.0;

fn start(lab: &Lab, store: &Store, stop: &CancellationToken) -> LinkHandle {
    let identity = lab.folder.join("identity");
    let now: Now = Arc::new(|| Timestamp(rig::now()));
    let config = LinkConfig {
        host: "localhost".to_owned(),
        port: lab.link.port,
        ca: identity.join("ca.pem"),
        cert: identity.join("gateway.pem"),
        key: identity.join("gateway.key"),
        tenant: TENANT.parse().expect("a tenant"),
        gateway: GATEWAY.parse().expect("a gateway"),
        name: "Reconnecting".to_owned(),
        version: "test".to_owned(),
        boot: uuid::Uuid::from_u128(1),
        now,
        max_kbit_s: None,
        timings: Timings {
            retry_first: Duration::from_millis(5),
            retry_cap: Duration::from_millis(5),
            turned_away_cap: Duration::from_millis(5),
            heartbeat: Duration::from_secs(1),
            ..Timings::default()
        },
    };
    Uplink::start(config, store.clone(), stop.clone())
}

/// Stores a batch of a hundred values.
async fn store_batch(store: &Store, number: i64) {
    let reading = |slot| Reading {
        slot: Slot(slot),
        value: Some(Value::Int(number)),
        quality: Quality::GOOD,
    };
    let scan = ScanBatch {
        at: Timestamp(rig::now()),
        readings: (1..=100).map(reading).collect(),
    };
    store.collected(&scan);
    store
        .append(vec![scan], ClockState::Synchronised, 0)
        .expect("room for a batch");
    store.settle().await.expect("a batch is stored");
}

/// Slope of a line through `(connections, kilobytes)`, in kilobytes a thousand connections.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let under: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    if under > 0.0 {
        over / under * 1_000.0
    } else {
        0.0
    }
}

async fn reconnects(times: u64) {
    let mut lab = Lab::prepare("").await;
    lab.cloud.start();
    let cloud = lab.operator().await;
    let now: Now = Arc::new(|| Timestamp(rig::now()));
    let settings = StoreConfig::new(lab.folder.join("gateway"));
    let (store, _) = Store::open(settings, now).expect("a fresh store");
    let stop = CancellationToken::new();
    let link = start(&lab, &store, &stop);
    let (mut batches, mut here, mut there) = (0, Vec::new(), Vec::new());
    let began = Instant::now();
    while lab.link.accepted() < times {
        batches += 1;
        store_batch(&store, batches).await;
        lab.link.set(Mode::Pass);
        until("a good connection", Duration::from_secs(60), || async {
            let live = link.status.borrow().state == LinkState::Live;
            (live && store.outbox().occupancy().batches == 0).then_some(())
        })
        .await;
        let connections = lab.link.accepted() as f64;
        here.push((connections, proc::own() as f64));
        there.push((connections, proc::resident(&lab.cloud) as f64));
        lab.link.set(Mode::Cut);
        let enough = lab.link.accepted() + EVERY;
        let mut octet = lab.link.accepted() * 37 % WAY;
        while lab.link.accepted() < enough {
            let tried = lab.link.accepted();
            lab.link.set(Mode::Spoilt(Spoil {
                how: How::Reset,
                after_down: octet + 1,
                up_only: false,
            }));
            until("another attempt", Duration::from_secs(60), || async {
                (lab.link.accepted() > tried).then_some(())
            })
            .await;
            octet = (octet + 37) % WAY;
        }
    }
    lab.link.set(Mode::Pass);
    until("everything is durable", Duration::from_secs(60), || async {
        (store.outbox().occupancy().batches == 0).then_some(())
    })
    .await;
    stop.cancel();
    assert!(cloud.gateway(GATEWAY).await.is_some());
    report(&lab, (batches, began.elapsed()), (&here, &there));
}

/// Connections so far, kilobytes.
type Size = (f64, f64);

fn report(lab: &Lab, (batches, took): (i64, Duration), (here, there): (&[Size], &[Size])) {
    let connections = lab.link.accepted();
    for (who, sizes) in [("gateway's link", here), ("cloud", there)] {
        // What is filled once, such as caches, is not gathered by connecting.
        let settled = &sizes[sizes.len() / 3..];
        let slope = slope(settled);
        let ends = [sizes.first(), settled.first(), sizes.last()];
        let [first, third, last] = ends.map(|p| p.map_or(0.0, |p| p.1));
        eprintln!(
            "{connections} connections in {took:.0?}, {batches} batches durable: {who} {first} kB at first, \
             {third} kB after a third, {last} kB at last; {slope:.1} kB a thousand connections"
        );
        if connections >= 5_000 {
            assert!(slope < SLOPE, "the {who} gathers memory");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_ten_thousand_reconnects() {
    let _turn = alone().await;
    reconnects(rounds(10_000) as u64).await;
}
