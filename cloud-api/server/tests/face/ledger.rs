//! Completeness: what a gateway says it collected against what is here, for its own tenant only.

use crate::site::{Site, T0, origin};
use riser_model::ledger::{HOUR, LedgerCounts, LedgerEntry, LedgerLane, LedgerReport, hour_of};
use riser_model::{Event, Key, Quality, Reading, Role, ScanBatch, Slot, Timestamp, Value};

const LEDGER: &str = "/api/v1/gateways/gw-001/ledger";
const COMPLETENESS: &str = "/api/v1/gateways/gw-001/completeness";

fn hour() -> Timestamp {
    hour_of(Timestamp(T0 - 2 * HOUR))
}

async fn received(site: &Site, tenant: &str, samples: i64) {
    let scans = (0..samples).map(|n| ScanBatch {
        at: Timestamp(hour().0 + n),
        readings: vec![Reading {
            slot: Slot(0),
            value: Some(Value::Float(1.0)),
            quality: Quality::GOOD,
        }],
    });
    site.data(&origin(tenant, "gw-001"), scans.collect()).await;
}

async fn told(site: &Site, tenant: &str, (collected, durable): (u64, u64)) {
    let counts = LedgerCounts {
        collected,
        stored: durable,
        sent: durable,
        durable,
        dropped: riser_model::LedgerDropped {
            crash: collected - durable,
            ..riser_model::LedgerDropped::default()
        },
    };
    let lane = "tcp 192.0.2.7:502".to_owned();
    let report = LedgerReport {
        at: Timestamp(T0),
        rows: vec![LedgerEntry {
            hour: hour(),
            lane: lane.clone(),
            counts,
        }],
        lanes: vec![LedgerLane {
            lane,
            devices: vec![Key::slug("ahu-1")],
        }],
    };
    let origin = origin(tenant, "gw-001");
    site.event(&origin, Event::Ledger(report)).await;
}

async fn open_alarms(site: &Site, token: &str) -> usize {
    let (_, alarms) = site.get(token, "/api/v1/alarms?state=open").await;
    let alarms = alarms["alarms"].as_array().unwrap().iter();
    alarms
        .filter(|a| a["path"] == "riser-cloud/completeness")
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_collected_is_compared_with_what_is_here() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    received(&site, "acme", 8).await;
    told(&site, "acme", (10, 8)).await;
    site.db.reckon(Timestamp(T0)).await.unwrap();
    let (status, ledger) = site.get(&token, LEDGER).await;
    assert_eq!(status, 200, "{ledger}");
    let row = &ledger["rows"][0];
    assert_eq!(
        (&row["collected"], &row["received"]),
        (&10.into(), &8.into())
    );
    assert_eq!(row["dropped"]["crash"], 2);
    let (_, all) = site.get(&token, COMPLETENESS).await;
    assert_eq!(all["days"][0]["completeness"], 80.0, "{all}");
    assert_eq!(all["days"][0]["unexplained"], 0, "{all}");
    let day = hour().day() * Timestamp::DAY;
    let one = format!("{COMPLETENESS}?from={day}&to={}", day + Timestamp::DAY);
    let (_, one) = site.get(&token, &one).await;
    assert_eq!(one["points"][0]["path"], "ahu-1/supply_temp", "{one}");
    assert_eq!(one["points"][0]["completeness"], 80.0, "{one}");
    // Another tenant's gateway of the same name has told nothing.
    let other = site.token(Role::TenantAdmin, Some("beta"));
    let (_, ledger) = site.get(&other, LEDGER).await;
    assert_eq!(ledger["rows"].as_array().unwrap().len(), 0);
    let (_, all) = site.get(&other, COMPLETENESS).await;
    assert_eq!(all["days"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_account_for_is_an_alarm_until_it_is_here() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    received(&site, "acme", 5).await;
    told(&site, "acme", (8, 8)).await;
    site.db.reckon(Timestamp(T0)).await.unwrap();
    assert_eq!(open_alarms(&site, &token).await, 1);
    let (_, all) = site.get(&token, COMPLETENESS).await;
    assert_eq!(all["days"][0]["unexplained"], 3, "{all}");
    // A second round raises no second one; the late batch explains the gap.
    site.db.reckon(Timestamp(T0 + 1)).await.unwrap();
    assert_eq!(open_alarms(&site, &token).await, 1);
    received(&site, "acme", 3).await;
    told(&site, "acme", (8, 8)).await;
    site.db.reckon(Timestamp(T0 + 2)).await.unwrap();
    let (_, alarms) = site.get(&token, "/api/v1/alarms?state=open").await;
    let states = alarms["alarms"].as_array().unwrap().iter();
    let mut states = states.filter(|a| a["path"] == "riser-cloud/completeness");
    assert_eq!(states.next().unwrap()["state"], "cleared_unacknowledged");
}

async fn lose_a_batch(site: &Site) {
    let gone = site.db.write(|c| {
        Ok(c.execute("DELETE FROM batch WHERE stream = 2 AND rowid = (SELECT max(rowid) FROM batch WHERE stream = 2)", [])?)
    });
    assert_eq!(gone.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_vanish_after_they_were_counted_are_noticed_and_old_ledgers_are_forgotten() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    received(&site, "acme", 5).await;
    received(&site, "acme", 4).await;
    told(&site, "acme", (9, 9)).await;
    for round in 0..3 {
        site.db.reckon(Timestamp(T0 + round)).await.unwrap();
        site.db.recount(Timestamp(T0 + round)).await.unwrap();
    }
    assert_eq!(open_alarms(&site, &token).await, 0);
    lose_a_batch(&site).await;
    site.db.recount(Timestamp(T0 + 10)).await.unwrap();
    site.db.reckon(Timestamp(T0 + 10)).await.unwrap();
    assert_eq!(open_alarms(&site, &token).await, 1);
    let (_, all) = site.get(&token, COMPLETENESS).await;
    assert!(all["days"][0]["unexplained"].as_u64().unwrap() > 0, "{all}");

    let retention = riser_cloud::db::Retention {
        audit_days: 0,
        ledger_days: 30,
    };
    let soon = site.db.forget(retention, Timestamp(T0)).await;
    assert_eq!(soon.unwrap(), (0, 0));
    let later = Timestamp(T0 + 31 * Timestamp::DAY);
    assert_eq!(site.db.forget(retention, later).await.unwrap(), (0, 1));
    let range = format!("{LEDGER}?from=0&to={}", T0 + 31 * Timestamp::DAY);
    let (_, ledger) = site.get(&token, &range).await;
    assert_eq!(ledger["rows"].as_array().unwrap().len(), 0, "{ledger}");
    // Nothing left to look at again is no error.
    site.db.recount(later).await.unwrap();
}
