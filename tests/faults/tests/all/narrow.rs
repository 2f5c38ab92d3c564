//! A third-party broker that takes no packet as long as a batch, and does not say so beforehand: every
//! batch arrives in parts, once, with the real gateway before the broker and the real cloud behind it.

use riser_e2e::lab::GATEWAY;
use riser_e2e::{Lab, peers, until};
use riser_faults::backlog;
use riser_faults::{Building, Rig, alone, rig};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// Batches of this one have some thousands of octets: noise in each of 250 samples a second and point.
const BUILDING: Building = Building {
    devices: 10,
    points: 50,
    interval: 100,
};
/// Octets of a message the broker takes.
const LIMIT: usize = 2_048;
/// Seconds of backlog.
const SECONDS: u32 = 20;

/// Longest data frame the gateway has stored.
fn longest_frame(lab: &Lab) -> usize {
    let days = std::fs::read_dir(lab.folder.join("gateway/history")).expect("day files");
    let days = days.filter_map(|entry| Some(entry.ok()?.path()));
    let longest = days
        .filter(|p| p.extension().is_some_and(|e| e == "db"))
        .map(|path| {
            let file = rusqlite::Connection::open(path).expect("a day file");
            let longest = "SELECT coalesce(max(length(frame)), 0) FROM batch";
            file.query_row(longest, [], |row| row.get::<_, usize>(0))
                .expect("its batches")
        });
    longest.max().unwrap_or(0)
}

async fn metric(rig: &Rig, name: &str) -> Option<f64> {
    let metrics = rig.local.text("/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_longer_than_a_broker_takes_arrive_in_parts() {
    let _turn = alone().await;
    let Some(program) = peers::program("mosquitto") else {
        return;
    };
    let devices = BUILDING.devices().await;
    let mut lab = Lab::prepare(&BUILDING.configuration(&devices)).await;
    let mut broker = lab.behind_broker(program).await;
    let mut settings = std::fs::File::options()
        .append(true)
        .open(lab.folder.join("mosquitto.conf"))
        .expect("its settings");
    writeln!(settings, "message_size_limit {LIMIT}").expect("a line more");
    let from = rig::now() - i64::from(SECONDS) * 1_000 - 5_000;
    let dir = lab.folder.join("gateway");
    let backlog = backlog::fill(&dir, (BUILDING, &devices), from, SECONDS).await;
    let longest = longest_frame(&lab);
    assert!(longest > LIMIT, "the longest frame has {longest} octets");
    broker.start();
    lab.cloud.start();
    lab.gateway.start();
    let local = lab.technician().await;
    let cloud = lab.operator().await;
    let rig = Rig {
        lab,
        devices,
        building: BUILDING,
        local,
        cloud,
        outages: Vec::new(),
    };
    rig.flowing(Duration::from_secs(90)).await;
    rig.caught_up().await;
    for point in ["num0/n0", "num9/n49"] {
        let scans = until(
            "all of a point is there",
            Duration::from_secs(20),
            || async {
                let mut scans: BTreeMap<i64, u32> = BTreeMap::new();
                for (_, value) in rig.cloud.samples(GATEWAY, point).await {
                    if value >= 1_000.0 {
                        *scans.entry(backlog::number(value)).or_default() += 1;
                    }
                }
                (scans.len() as u64 == backlog.scans).then_some(scans)
            },
        )
        .await;
        assert!(scans.values().all(|n| *n == 1), "{point}: none came twice");
    }
    let split = metric(&rig, "riser_link_split_total").await;
    let link = rig.link().await;
    eprintln!("frames of up to {longest} octets through {LIMIT}: {split:?} in parts; {link}");
    assert!(split > Some(20.0), "{split:?} went in parts");
    assert_eq!(link["quarantined"], 0, "{link}");
}
