//! Rollups in trends and in completeness: they stand in for what has not come, say so, and never make
//! a sample count twice.

use crate::site::{Site, T0, epoch, origin};
use bytes::Bytes;
use riser_cloud::db::Rollup;
use riser_model::ledger::{HOUR, LedgerCounts, LedgerEntry, LedgerReport, hour_of};
use riser_model::{Event, Quality, Reading, Role, ScanBatch, Slot, Timestamp, Value};
use riser_wire::cells::{self, Cell};
use riser_wire::{RollupHeader, encode_rollup};
use serde_json::Value as Json;

const POINT: &str = "/api/v1/gateways/gw-001/points/ahu-1/supply_temp";
const COMPLETENESS: &str = "/api/v1/gateways/gw-001/completeness";
const MINUTE: i64 = Timestamp::MINUTE;

/// An hour that is over.
fn hour() -> i64 {
    hour_of(Timestamp(T0 - 2 * HOUR)).0
}

/// The samples of a minute of that hour: one every ten seconds.
fn samples(minute: i64) -> Vec<(i64, f64)> {
    let value = |n: i64| f64::from(i32::try_from(minute * 10 + n).unwrap());
    (0..6)
        .map(|n| (hour() + minute * MINUTE + n * 10_000, value(n)))
        .collect()
}

async fn rolled(site: &Site, from: i64, minutes: u32) {
    let origin = origin("acme", "gw-001");
    let start = hour() + from * MINUTE;
    let mut cell = Cell::EMPTY;
    for minute in from..from + i64::from(minutes) {
        for (at, value) in samples(minute) {
            cell.add(u32::try_from(at - start).unwrap(), Some(value));
        }
    }
    let header = RollupHeader {
        epoch: epoch(&origin, 1),
        dictionary: 1,
        minute: u32::try_from(start / MINUTE).unwrap(),
        minutes,
        piece: 0,
        pieces: 1,
    };
    let mut zip = zstd::bulk::Compressor::new(3).unwrap();
    let row = cells::encode(&[(0, cell)], &mut zip).unwrap();
    let frame = Bytes::from(encode_rollup(&header, &[(0, row)]));
    let rollup = Rollup::decode(frame).unwrap();
    let here = site.db.rollup(&origin, rollup, Timestamp(T0)).await;
    let first = u64::from(header.minute);
    assert_eq!(here.unwrap(), Some((first, first + u64::from(minutes) - 1)));
}

async fn raw(site: &Site, samples: &[(i64, f64)]) {
    let scan = |(at, value): &(i64, f64)| ScanBatch {
        at: Timestamp(*at),
        readings: vec![Reading {
            slot: Slot(0),
            value: Some(Value::Float(*value)),
            quality: Quality::GOOD,
        }],
    };
    let scans = samples.iter().map(scan).collect();
    site.data(&origin("acme", "gw-001"), scans).await;
}

/// Samples and sum of each minute of the first half hour, and what is said to be rolled up.
async fn trend(site: &Site, token: &str) -> (Vec<(i64, u64, f64)>, Json) {
    let (from, to) = (hour(), hour() + 30 * MINUTE);
    let path = format!("{POINT}/trend?from={from}&to={to}&buckets=30");
    let (status, trend) = site.get(token, &path).await;
    assert_eq!(status, 200, "{trend}");
    let bucket = |b: &Json| {
        let count = b["count"].as_u64().unwrap();
        let mean = b["mean"].as_f64().unwrap();
        let minute = (b["at"].as_i64().unwrap() - from) / MINUTE;
        #[expect(clippy::cast_precision_loss, reason = "a few samples")]
        (minute, count, (mean * count as f64).round())
    };
    let buckets = trend["buckets"].as_array().unwrap().iter().map(bucket);
    (buckets.collect(), trend["rolled_up"].clone())
}

fn whole(minute: i64) -> (i64, u64, f64) {
    (minute, 6, samples(minute).iter().map(|s| s.1).sum())
}

fn stretch(from: i64, to: i64) -> Json {
    serde_json::json!({"from": hour() + from * MINUTE, "to": hour() + to * MINUTE})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollups_stand_in_until_there_are_as_many_samples() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    for minute in [0, 1, 2, 4] {
        rolled(&site, minute, 1).await;
    }
    let (buckets, said) = trend(&site, &token).await;
    assert_eq!(buckets, [whole(0), whole(1), whole(2), whole(4)]);
    assert_eq!(said, serde_json::json!([stretch(0, 3), stretch(4, 5)]));

    // Some samples of a minute say less than its rollup; all of them say it themselves.
    raw(&site, &samples(1)[..4]).await;
    raw(&site, &samples(2)).await;
    raw(&site, &samples(3)).await;
    let (buckets, said) = trend(&site, &token).await;
    assert_eq!(buckets, [whole(0), whole(1), whole(2), whole(3), whole(4)]);
    assert_eq!(
        said,
        serde_json::json!([stretch(0, 2), stretch(4, 5)]),
        "only what is not there otherwise"
    );
    raw(&site, &samples(1)[4..]).await;
    let (_, said) = trend(&site, &token).await;
    assert_eq!(said, serde_json::json!([stretch(0, 1), stretch(4, 5)]));

    // A quarter has more than its minutes; it is drawn where it begins.
    rolled(&site, 15, 1).await;
    rolled(&site, 15, 15).await;
    let (buckets, _) = trend(&site, &token).await;
    let quarter: f64 = (15..30).map(|m| whole(m).2).sum();
    assert_eq!(buckets.last(), Some(&(15, 90, quarter)));

    // Another tenant's gateway of the same name has none of it.
    let other = site.token(Role::TenantAdmin, Some("beta"));
    assert_eq!(trend(&site, &other).await.0, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_rolled_up_is_never_called_complete() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    let told = |durable| {
        let counts = LedgerCounts {
            collected: 12,
            stored: 12,
            sent: durable,
            durable,
            ..LedgerCounts::default()
        };
        Event::Ledger(LedgerReport {
            at: Timestamp(T0),
            rows: vec![LedgerEntry {
                hour: Timestamp(hour()),
                lane: "tcp 192.0.2.7:502".to_owned(),
                counts,
            }],
            lanes: Vec::new(),
        })
    };
    let gateway = origin("acme", "gw-001");
    rolled(&site, 0, 1).await;
    rolled(&site, 1, 1).await;
    raw(&site, &samples(0)).await;
    raw(&site, &samples(1)[..2]).await;
    site.event(&gateway, told(8)).await;
    site.db.reckon(Timestamp(T0)).await.unwrap();
    let (_, all) = site.get(&token, COMPLETENESS).await;
    let day = &all["days"][0];
    assert_eq!(
        (&day["received"], &day["collected"]),
        (&8.into(), &12.into())
    );
    assert_eq!(
        (&day["rolled_up"], &day["unexplained"]),
        (&4.into(), &0.into())
    );
    assert!(day["completeness"].as_f64() < Some(100.0), "{day}");

    // A rollup that comes after the count is found by the next look.
    rolled(&site, 2, 1).await;
    site.db.recount(Timestamp(T0 + 1)).await.unwrap();
    let (_, all) = site.get(&token, COMPLETENESS).await;
    assert_eq!(all["days"][0]["rolled_up"], 10, "{all}");

    // Once everything has come no rollup is kept.
    raw(&site, &samples(1)[2..]).await;
    site.event(&gateway, told(12)).await;
    site.db.reckon(Timestamp(T0 + 2)).await.unwrap();
    let (_, all) = site.get(&token, COMPLETENESS).await;
    let day = &all["days"][0];
    assert_eq!(
        (&day["received"], &day["completeness"]),
        (&12.into(), &100.0.into())
    );
    let rows: i64 = site
        .db
        .read(|c| Ok(c.query_row("SELECT count(*) FROM rollup", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(rows, 0);
    let (buckets, said) = trend(&site, &token).await;
    assert_eq!((buckets, said), (vec![whole(0), whole(1)], Json::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_present_value_moves_on_but_never_back() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    let shown = async || {
        let (_, point) = site.get(&token, POINT).await;
        (point["view"]["value"].clone(), point["view"]["at"].clone())
    };
    raw(&site, &samples(1)).await;
    rolled(&site, 0, 1).await;
    let (at, value) = samples(1)[5];
    assert_eq!(shown().await, (value.into(), at.into()));
    rolled(&site, 2, 1).await;
    let (at, value) = samples(2)[5];
    assert_eq!(shown().await, (value.into(), at.into()));
}
