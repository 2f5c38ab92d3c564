//! Audit logs of gateways: filters, the table to take away, and what becomes of a break.

use crate::site::{Site, T0, origin};
use riser_model::audit::action;
use riser_model::{AuditEntry, AuditHash, Event, Role, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

const AUDIT: &str = "/api/v1/gateways/gw-001/audit";

/// A sound chain: log-ins of ada, one a minute, and a write in between.
fn chain(id: u128, n: u64) -> Vec<AuditEntry> {
    let mut previous = AuditHash::ZERO;
    (1..=n)
        .map(|no| {
            let write = no == 3;
            let entry = AuditEntry {
                chain: Uuid::from_u128(id),
                no,
                at: Timestamp(T0 + i64::try_from(no).unwrap() * 60_000),
                actor: "ada".into(),
                source: if write { "198.51.100.9" } else { "192.0.2.7" }.into(),
                action: if write { action::WRITE } else { action::LOGIN }.into(),
                object: if write { "ahu-1/setpoint" } else { "ada" }.into(),
                detail: if write { r#"{"value":21.5}"# } else { "" }.into(),
                previous,
                hash: AuditHash::ZERO,
            }
            .sealed();
            previous = entry.hash;
            entry
        })
        .collect()
}

async fn upload(site: &Site, entries: &[AuditEntry]) {
    for entry in entries {
        let origin = origin("acme", "gw-001");
        site.event(&origin, Event::Audit(entry.clone())).await;
    }
}

fn numbers(page: &Value) -> Vec<u64> {
    let entries = page["entries"].as_array().unwrap().iter();
    entries.map(|e| e["no"].as_u64().unwrap()).collect()
}

async fn alarms(site: &Site, token: &str, state: &str) -> Vec<Value> {
    let path = format!("/api/v1/alarms?state={state}");
    let (_, body) = site.get(token, &path).await;
    let all = body["alarms"].as_array().unwrap().iter();
    all.filter(|a| a["path"] == "riser-cloud/audit")
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_filtered_paged_and_taken_away() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    upload(&site, &chain(1, 5)).await;
    upload(&site, &chain(2, 3)).await;
    let (status, all) = site.get(&token, AUDIT).await;
    assert_eq!(
        (status, &all["chain"]["state"]),
        (200, &json!("ok")),
        "{all}"
    );
    assert_eq!(
        (&all["chain"]["chains"], &all["chain"]["kept"]),
        (&json!(2), &json!(8))
    );
    assert_eq!(numbers(&all), [5, 4, 3, 3, 2, 2, 1, 1]);
    for (query, expected) in [
        ("action=write", &[3, 3][..]),
        ("search=198.51", &[3, 3]),
        ("search=ADA&before=2", &[1, 1]),
        ("search=actor", &[]),
        (&format!("from={}", T0 + 240_000), &[5, 4]),
        (&format!("to={}", T0 + 120_000), &[1, 1]),
        // Two chains have a third entry: a page does not end between them.
        ("limit=3", &[5, 4, 3, 3]),
        ("limit=3&before=3", &[2, 2, 1, 1]),
    ] {
        let (_, page) = site.get(&token, &format!("{AUDIT}?{query}")).await;
        assert_eq!(numbers(&page), expected, "{query}");
    }
    let request = site.request("GET", &format!("{AUDIT}.csv?action=write"));
    let answer = request.bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    let table = answer.text().await.unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("no,at,time,actor,source,action,object,detail,chain"));
    assert!(lines[1].contains(",ada,198.51.100.9,write,ahu-1/setpoint,\"{\"\"value\"\":21.5}\","));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_has_every_entry_of_a_long_log_once() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    upload(&site, &chain(1, 1_100)).await;
    upload(&site, &chain(2, 1_100)).await;
    let request = site.request("GET", &format!("{AUDIT}.csv"));
    let answer = request.bearer_auth(&token).send().await.unwrap();
    let table = answer.text().await.unwrap();
    let mut lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 1 + 2_200);
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 1 + 2_200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_break_is_acknowledged_by_an_admin_stays_visible_and_the_next_one_alarms_again() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    let mut entries = chain(1, 5);
    entries[2].source = "192.0.2.66".into();
    upload(&site, &entries).await;
    let (_, log) = site.get(&token, AUDIT).await;
    assert_eq!(log["chain"]["state"], "broken at 3", "{log}");
    let open = alarms(&site, &token, "open").await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["priority"], "critical");

    let take = format!("{AUDIT}/acknowledge");
    for comment in ["", "   ", &"x".repeat(501)] {
        let (status, _) = site
            .post(&token, &take, json!({ "comment": comment }))
            .await;
        assert_eq!(status, 422, "{comment}");
    }
    let said = json!({ "comment": "a test of ours" });
    let manager = site.token(Role::Manager, Some("acme"));
    assert_eq!(site.post(&manager, &take, said.clone()).await.0, 403);
    site.advance(1_000);
    let (status, log) = site.post(&token, &take, said.clone()).await;
    assert_eq!(
        (status, &log["chain"]["state"]),
        (200, &json!("ok")),
        "{log}"
    );
    let known = &log["chain"]["breaks"][0];
    assert_eq!(known["no"], 3);
    assert_eq!(known["acknowledged"]["comment"], "a test of ours");
    assert_eq!(alarms(&site, &token, "open").await.len(), 0);
    assert_eq!(alarms(&site, &token, "all").await[0]["state"], "normal");

    // The same once more says nothing new; another one does.
    upload(&site, &entries[2..3]).await;
    assert_eq!(alarms(&site, &token, "open").await.len(), 0);
    entries[4].actor = "bob".into();
    upload(&site, &[entries[4].clone().sealed()]).await;
    let (_, log) = site.get(&token, AUDIT).await;
    assert_eq!(log["chain"]["state"], "broken at 5", "{log}");
    assert_eq!(log["chain"]["breaks"].as_array().unwrap().len(), 2);
    assert_eq!(alarms(&site, &token, "open").await.len(), 1);
}
