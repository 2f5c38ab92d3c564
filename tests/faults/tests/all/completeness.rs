//! Completeness in the cloud: loss the ledger explains is no alarm; rows that are taken out of the
//! cloud's database are, though they were counted before and no gateway tells anything anew.

use riser_e2e::lab::{GATEWAY, OPERATOR, OPERATOR_PASSWORD};
use riser_e2e::until;
use riser_faults::Rig;
use serde_json::Value;
use std::time::Duration;

/// It looks as it starts, and else once a minute.
const NOTICED: Duration = Duration::from_secs(90);

/// The alarm about the completeness of the gateway that stands, if any.
async fn standing(rig: &Rig) -> Option<Value> {
    let (_, body) = rig.cloud.get("/api/v1/alarms?state=open").await;
    let alarms = body["alarms"].as_array().cloned().unwrap_or_default();
    let mut about = alarms
        .into_iter()
        .filter(|a| a["path"] == "riser-cloud/completeness");
    about.find(|a| a["cleared_at"].is_null())
}

async fn unexplained(rig: &Rig) -> u64 {
    let path = format!("/api/v1/gateways/{GATEWAY}/completeness");
    let (_, body) = rig.cloud.get(&path).await;
    let days = body["days"].as_array().cloned().unwrap_or_default();
    days.iter().filter_map(|d| d["unexplained"].as_u64()).sum()
}

/// Takes stored batches of samples out of the cloud's database; answers with the samples in them.
async fn take_out(rig: &mut Rig, batches: u32) -> u64 {
    rig.lab.cloud.stop().await;
    let file = rig.lab.folder.join("cloud/cloud.db");
    let conn = rusqlite::Connection::open(file).expect("the cloud's database");
    let sql = "SELECT rowid, samples FROM batch WHERE stream = 2 ORDER BY first_at LIMIT ?1";
    let mut query = conn.prepare(sql).expect("a table of batches");
    let rows = query.query_map([batches], |r| {
        Ok((r.get::<_, i64>(0)?, r.get::<_, u64>(1)?))
    });
    let found: Vec<(i64, u64)> = rows.and_then(Iterator::collect).expect("stored batches");
    for (row, _) in &found {
        conn.execute("DELETE FROM batch WHERE rowid = ?1", [row])
            .expect("a row that can be deleted");
    }
    found.iter().map(|(_, samples)| samples).sum()
}

/// After loss that is in the ledger, all of it told and counted: no alarm. Then the alarm.
pub(crate) async fn only_what_nobody_explains_is_an_alarm(rig: &mut Rig) {
    assert_eq!(standing(rig).await, None, "explained loss is no alarm");
    assert_eq!(unexplained(rig).await, 0);
    let gone = take_out(rig, 3).await;
    assert!(gone > 0);
    rig.lab.cloud.start();
    rig.lab.serving_cloud(&rig.cloud).await;
    let (status, body) = rig.cloud.login(OPERATOR, OPERATOR_PASSWORD).await;
    assert_eq!(status, 200, "{body}");
    let alarm = until("the gap is noticed", NOTICED, || standing(rig)).await;
    assert_eq!(alarm["priority"], "high", "{alarm}");
    assert_eq!(alarm["value"], gone, "{alarm}");
    assert_eq!(unexplained(rig).await, gone);
    eprintln!(
        "completeness: {gone} samples taken out of the cloud's database, all of them noticed"
    );
}
