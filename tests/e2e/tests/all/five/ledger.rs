//! The ledger of the hour, once it is over: per lane on the gateway and in the cloud, and in all
//! against the samples that are really there.

use super::Building;
use super::watch::now;
use riser_e2e::lab::{GATEWAY, OPERATOR, OPERATOR_PASSWORD};
use riser_e2e::until;
use riser_model::ledger::HOUR;
use serde_json::Value;
use std::time::Duration;

/// How long the telling and counting of closed hours may take.
const TOLD: Duration = Duration::from_secs(150);
/// Lanes of the building: Modbus, BACnet, two of Tuya, Zigbee, Home Assistant.
const LANES: usize = 6;

fn rows(body: &Value) -> Vec<Value> {
    body["rows"].as_array().cloned().unwrap_or_default()
}

fn n(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or(u64::MAX)
}

async fn an_hour_later(building: &mut Building) {
    building.lab.gateway.stop().await;
    building.lab.cloud.stop().await;
    building.clock.an_hour_later(now(), &mut building.lab);
    building.lab.cloud.start();
    building.lab.serving_cloud(&building.cloud).await;
    let (status, body) = building.cloud.login(OPERATOR, OPERATOR_PASSWORD).await;
    assert_eq!(status, 200, "{body}");
    building.lab.gateway.start();
    building.lab.serving_local(&building.local).await;
}

/// The rows of the cloud for the hour, once it is told of every lane and has counted.
async fn told(building: &mut Building, range: &str, here: &[Value]) -> Vec<Value> {
    let path = format!("/api/v1/gateways/{GATEWAY}/ledger?{range}");
    let cloud = building.cloud.clone();
    let all = |body: &Value| {
        let rows = rows(body);
        let durable: u64 = rows.iter().map(|row| n(row, "durable")).sum();
        let stored: u64 = here.iter().map(|row| n(row, "stored")).sum();
        (rows.len() == here.len() && durable == stored).then_some(())
    };
    until("the cloud is told of the hour", TOLD, || async {
        all(&cloud.get(&path).await.1)
    })
    .await;
    // It counts as it starts, and else once a minute.
    building.lab.cloud.stop().await;
    building.lab.cloud.start();
    building.lab.serving_cloud(&building.cloud).await;
    until("the cloud has counted", TOLD, || async {
        let rows = rows(&cloud.get(&path).await.1);
        let counted = rows.iter().all(|row| row["received"].is_u64());
        (rows.len() == here.len() && counted).then_some(rows)
    })
    .await
}

/// The path of every point.
async fn points(building: &Building) -> Vec<String> {
    let (_, body) = building.local.get("/api/v1/points?limit=1000").await;
    let points = body["points"].as_array().cloned().unwrap_or_default();
    assert_eq!(body["total"], points.len(), "all points are counted");
    let path = |point: &Value| point["path"].as_str().map(str::to_owned);
    points.iter().filter_map(path).collect()
}

/// Samples of these points that are really there, at the gateway and in the cloud.
async fn there(building: &Building, points: &[String], range: &str) -> (u64, u64) {
    let count = |csv: String| (csv.lines().count() as u64).saturating_sub(1);
    let (mut edge, mut cloud) = (0, 0);
    for path in points {
        let csv = format!("/points/{path}/samples.csv?{range}");
        edge += count(building.local.text(&format!("/api/v1{csv}")).await);
        let csv = format!("/api/v1/gateways/{GATEWAY}{csv}");
        cloud += count(building.cloud.text(&csv).await);
    }
    (edge, cloud)
}

/// Fails unless every sample of the hour is accounted for: collected, stored, sent, durable and
/// received are one number on each lane, and nothing was dropped.
pub(super) async fn adds_up(building: &mut Building) {
    let hour = building.clock.shows(now()).div_euclid(HOUR) * HOUR;
    // Those of a network that is learned are not all known right after a start.
    let points = self::points(building).await;
    an_hour_later(building).await;
    let local = building.local.clone();
    let range = format!("from={hour}&to={}", hour + HOUR);
    let path = format!("/api/v1/ledger?{range}");
    let here = until("nothing of the hour waits", TOLD, || async {
        let rows = rows(&local.get(&path).await.1);
        let settled = |row: &Value| row["waiting_disk"] == 0 && row["waiting_cloud"] == 0;
        (!rows.is_empty() && rows.iter().all(settled)).then_some(rows)
    })
    .await;
    // It tells of closed hours as it starts, and else once a minute.
    building.lab.gateway.stop().await;
    building.lab.gateway.start();
    building.lab.serving_local(&local).await;
    let there_rows = told(building, &range, &here).await;
    let mut sum = 0;
    let mut named = 0;
    for row in &here {
        let cloud = there_rows.iter().find(|r| r["lane"] == row["lane"]);
        let cloud = cloud.expect("the cloud knows the lane");
        let collected = n(row, "collected");
        for (list, key) in [
            (row, "stored"),
            (row, "sent"),
            (row, "durable"),
            (cloud, "collected"),
            (cloud, "received"),
        ] {
            assert_eq!(n(list, key), collected, "{key}: {row} {cloud}");
        }
        assert_eq!(row["unexplained"], 0, "{row}");
        eprintln!("ledger: {} {collected}", row["lane"]);
        sum += collected;
        named += usize::from(row["lane"].as_str().is_some_and(|lane| !lane.is_empty()));
    }
    assert!(named >= LANES, "{here:?}");
    let again = &*building;
    until("every point is known again", TOLD, || async {
        (self::points(again).await.len() >= points.len()).then_some(())
    })
    .await;
    let (edge, cloud) = there(building, &points, &range).await;
    assert_eq!(
        (edge, cloud),
        (sum, sum),
        "samples there, and those of the ledger"
    );
    eprintln!("ledger: {sum} samples collected, stored, sent, durable and received; none dropped");
}
