//! Every hundredth batch of a backlog is poisoned, half of them so that only the cloud finds out: the
//! rest flows, the poisoned ones are in quarantine with their reasons on both sides, and the ledger
//! knows of which lane and hour their samples were.

use crate::ledger::{find, n, rows, told};
use riser_e2e::lab::{GATEWAY, tool};
use riser_e2e::{Lab, until};
use riser_faults::{Building, Rig, alone, backlog, rig};
use riser_model::ledger::HOUR;
use riser_wire::{decode_data, peek};
use rusqlite::{Connection, params};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// Seconds without the cloud.
const OFFLINE: u32 = 3_600;
/// Which batches are poisoned.
const EVERY: u64 = 100;

/// What was poisoned.
#[derive(Debug, Default)]
struct Poisoned {
    /// Number of each batch, and whether even its checksum is wrong.
    batches: BTreeMap<u64, bool>,
    /// Samples in all of them.
    samples: u64,
    /// Octets of each as they are now.
    frames: BTreeMap<u64, Vec<u8>>,
    /// Times of their samples.
    times: BTreeSet<i64>,
    /// Samples by hour and slot: all that are stored, and of them those that are poisoned.
    hours: BTreeMap<(i64, u32), (u64, u64)>,
}

/// Turns the first octet of the body of every hundredth batch in `dir`; every other one gets a checksum
/// that fits again, as a defect in whoever wrote it would leave it.
fn poison(dir: &Path) -> Poisoned {
    let mut poisoned = Poisoned::default();
    for file in std::fs::read_dir(dir.join("history")).expect("the history") {
        let path = file.expect("a file").path();
        if path.extension().is_none_or(|e| e != "db") {
            continue;
        }
        let day = Connection::open(&path).expect("a day file");
        let rows: Vec<(i64, Vec<u8>)> = day
            .prepare("SELECT id, frame FROM batch ORDER BY id")
            .and_then(|mut q| q.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
            .expect("batches");
        for (id, mut frame) in rows {
            let (header, samples) = decode_data(&frame).expect("a sound batch");
            let poisons = header.seq % EVERY == 0;
            for sample in &samples {
                let hour = sample.at.0.div_euclid(HOUR) * HOUR;
                let sums = poisoned.hours.entry((hour, sample.slot.0)).or_default();
                sums.0 += 1;
                sums.1 += u64::from(poisons);
            }
            if !poisons {
                continue;
            }
            poisoned.samples += samples.len() as u64;
            poisoned.times.extend(samples.iter().map(|s| s.at.0));
            // Frame = 5 octets, the last two of them the header's length; header; body; checksum.
            let body = 5 + usize::from(u16::from_le_bytes([frame[3], frame[4]]));
            let end = frame.len() - 4;
            frame[body] ^= 0x10;
            let plain = (header.seq / EVERY).is_multiple_of(2);
            if !plain {
                let sum = crc32c::crc32c(&frame[..end]).to_le_bytes();
                frame[end..].copy_from_slice(&sum);
            }
            assert!(
                decode_data(&frame).is_err(),
                "batch {} is poisoned",
                header.seq
            );
            assert_eq!(peek(&frame).is_err(), plain);
            day.execute(
                "UPDATE batch SET frame = ?2 WHERE id = ?1",
                params![id, frame],
            )
            .expect("a batch is poisoned");
            poisoned.batches.insert(header.seq, plain);
            poisoned.frames.insert(header.seq, frame);
        }
    }
    poisoned
}

fn list(body: &Value, key: &str) -> Vec<Value> {
    body[key].as_array().cloned().unwrap_or_default()
}

/// Number and reason of each, none without one.
fn reasons(list: &[Value]) -> BTreeMap<u64, String> {
    let one = |batch: &Value| {
        let reason = batch["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.len() > 10, "{batch}");
        (batch["seq"].as_u64().unwrap_or(0), reason)
    };
    list.iter().map(one).collect()
}

/// The gateway shows each poisoned batch with its reason, in its API, its figures and as files.
async fn at_the_gateway(rig: &Rig, poisoned: &Poisoned) {
    let count = poisoned.batches.len() as u64;
    let body = rig.local.get("/api/v1/quarantine?limit=1000").await.1;
    assert_eq!(body["total"], count, "{body}");
    let batches = list(&body, "batches");
    let reasons = reasons(&batches);
    assert!(reasons.keys().eq(poisoned.batches.keys()), "{body}");
    for (seq, plain) in &poisoned.batches {
        let reason = &reasons[seq];
        assert_eq!(reason.contains("checksum"), *plain, "{seq}: {reason}");
    }
    let samples: u64 = batches.iter().filter_map(|b| b["samples"].as_u64()).sum();
    assert_eq!(samples, poisoned.samples, "{body}");
    assert_eq!(rig.link().await["quarantined"], count);
    let metrics = rig.local.text("/metrics").await;
    let metric = format!("riser_link_quarantined_batches {count}");
    assert!(metrics.lines().any(|line| line == metric), "{metrics}");
    let (config, out) = (
        rig.lab.folder.join("riser.toml"),
        rig.lab.folder.join("exported"),
    );
    let (config, folder) = (config.to_string_lossy(), out.to_string_lossy());
    let export = ["quarantine", "--config", &config, "--export", &folder];
    let said = tool("riserd", &export, "").await;
    assert!(said.contains(&format!("{count} in quarantine")), "{said}");
    for batch in &batches {
        let (epoch, seq) = (batch["epoch"].as_str().unwrap_or(""), batch["seq"].as_u64());
        let seq = seq.unwrap_or(0);
        let file = out.join(format!("{epoch}-data-{seq}.frame"));
        let octets = std::fs::read(&file).expect("an exported batch");
        assert_eq!(octets, poisoned.frames[&seq], "{}", file.display());
    }
    eprintln!(
        "{count} batches with {samples} samples in quarantine, such as: {:?}",
        reasons.values().take(2).collect::<Vec<_>>()
    );
}

/// The cloud shows those that only it could find, with reason and octets.
async fn in_the_cloud(rig: &Rig, poisoned: &Poisoned) {
    let path = format!("/api/v1/gateways/{GATEWAY}/quarantine");
    let body = rig.cloud.get(&format!("{path}?limit=1000")).await.1;
    let frames = list(&body, "frames");
    let expected = poisoned.batches.iter().filter(|(_, plain)| !**plain);
    assert!(
        reasons(&frames).keys().eq(expected.map(|(seq, _)| seq)),
        "{body}"
    );
    assert_eq!(body["total"], frames.len(), "{body}");
    for frame in &frames {
        let seq = frame["seq"].as_u64().unwrap_or(0);
        assert_eq!(frame["octets"], poisoned.frames[&seq].len(), "{frame}");
    }
}

/// Everything else is in the cloud, once.
async fn the_rest_flowed(rig: &Rig, poisoned: &Poisoned, backlog: &backlog::Backlog) {
    let samples = rig.cloud.samples(GATEWAY, "num0/n0").await;
    let times: Vec<i64> = samples
        .iter()
        .filter(|(_, value)| *value >= 1_000.0)
        .map(|(at, _)| *at)
        .collect();
    let once: BTreeSet<i64> = times.iter().copied().collect();
    assert_eq!(times.len(), once.len(), "none came twice");
    let interval = i64::from(rig.building.interval);
    let all = (0..backlog.scans).map(|n| backlog.from + i64::try_from(n).unwrap_or(0) * interval);
    let expected: BTreeSet<i64> = all.filter(|at| !poisoned.times.contains(at)).collect();
    assert!(expected.len() < times.len() + poisoned.batches.len());
    assert_eq!(once, expected, "all but the poisoned ones");
}

/// What the ledger must say, by hour and lane: slots are given out device by device.
fn by_lane(rig: &Rig, poisoned: &Poisoned) -> BTreeMap<(i64, String), (u64, u64)> {
    let mut lanes: BTreeMap<(i64, String), (u64, u64)> = BTreeMap::new();
    for ((hour, slot), (all, bad)) in &poisoned.hours {
        let device = usize::try_from(slot - 1).unwrap_or(0) / rig.building.points;
        let lane = format!("tcp 127.0.0.1:{}", rig.devices[device].port);
        let sums = lanes.entry((*hour, lane)).or_default();
        *sums = (sums.0 + all, sums.1 + bad);
    }
    lanes
}

/// Every sample of the poisoned batches is in the ledger as refused, all others as durable; on the
/// gateway and in the cloud.
async fn accounted(rig: &mut Rig, poisoned: &Poisoned) {
    let truth = by_lane(rig, poisoned);
    let hours = || truth.keys().map(|(hour, _)| *hour);
    let (first, last) = (hours().min().unwrap_or(0), hours().max().unwrap_or(0));
    let range = format!("from={first}&to={}", last + 1);
    let path = format!("/api/v1/ledger?{range}");
    let settled = |rows: &[Value]| rows.iter().all(|row| row["waiting_cloud"] == 0);
    let here = until("all of it is counted", Duration::from_secs(30), || async {
        let rows = rows(&rig.local.get(&path).await.1);
        settled(&rows).then_some(rows)
    })
    .await;
    // It tells of hours of which nothing waits any more as it starts, and else once a minute.
    rig.lab.gateway.stop().await;
    rig.start_gateway().await;
    let there = told(rig, (&range, truth.len())).await;
    assert_eq!((here.len(), there.len()), (truth.len(), truth.len()));
    for ((hour, lane), (all, bad)) in &truth {
        for list in [&here, &there] {
            let row = find(list, *hour, lane);
            for key in ["collected", "stored"] {
                assert_eq!(n(row, key), *all, "{key}: {row}");
            }
            assert_eq!(n(row, "durable"), all - bad, "{row}");
            let dropped = row["dropped"].as_object().expect("a ledger row");
            for (key, count) in dropped {
                let wanted = if key == "refused" { *bad } else { 0 };
                assert_eq!(*count, wanted, "{key}: {row}");
            }
        }
        let here = find(&here, *hour, lane);
        for key in ["waiting_disk", "waiting_cloud", "unexplained"] {
            assert_eq!(here[key], 0, "{key}: {here}");
        }
        let there = find(&there, *hour, lane);
        assert_eq!(n(there, "received"), all - bad, "{there}");
    }
    let path = format!("/api/v1/gateways/{GATEWAY}/completeness?{range}");
    let body = rig.cloud.get(&path).await.1;
    let unexplained: u64 = list(&body, "days")
        .iter()
        .map(|d| n(d, "unexplained"))
        .sum();
    assert_eq!(unexplained, 0, "{body}");
    eprintln!(
        "{} rows of lanes and hours explain all {} poisoned samples",
        truth.len(),
        poisoned.samples
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hundredth_batch_is_poisoned_and_the_rest_flows() {
    let _turn = alone().await;
    let building = Building::STEADY;
    let devices = building.devices().await;
    let lab = Lab::prepare(&building.configuration(&devices)).await;
    let dir = lab.folder.join("gateway");
    // All of it in hours that are closed.
    let from = rig::now() - i64::from(OFFLINE) * 1_000 - HOUR - 180_000;
    let backlog = backlog::fill(&dir, (building, &devices), from, OFFLINE).await;
    let poisoned = poison(&dir);
    assert!(poisoned.batches.len() > 20, "{poisoned:?}");
    let begun = Instant::now();
    let mut rig = Rig::with(lab, devices, building).await;
    rig.caught_up().await;
    eprintln!("drained past the poison in {:.1?}", begun.elapsed());
    at_the_gateway(&rig, &poisoned).await;
    in_the_cloud(&rig, &poisoned).await;
    the_rest_flowed(&rig, &poisoned, &backlog).await;
    accounted(&mut rig, &poisoned).await;
}
