//! A change that cuts the link is taken back by itself, and both sides say so.

use crate::outage::numbered_building;
use riser_e2e::cloud::Cloud;
use riser_e2e::lab::{GATEWAY, TENANT, tool};
use riser_e2e::local::Local;
use riser_e2e::numbered::Numbered;
use riser_e2e::process::free_port;
use riser_e2e::{Lab, alone, until};
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

async fn live(local: &Local) {
    until("the link is live", PATIENCE, || async {
        let (_, overview) = local.get("/api/v1/overview").await;
        (overview["link"]["state"] == "live").then_some(())
    })
    .await;
}

async fn running(local: &Local) -> Value {
    let (status, shown) = local.get("/api/v1/config").await;
    assert_eq!(status, 200, "{shown}");
    shown
}

#[tokio::test]
async fn a_change_that_cuts_the_link_is_taken_back_by_itself() {
    let _alone = alone().await;
    let device = Numbered::start().await;
    let building = numbered_building(device.port, 500);
    let soon = "[configuration]\nlink_seconds = 3\nsettle_seconds = 30\n";
    let (lab, local, cloud) = Lab::start(&format!("{soon}{building}")).await;
    live(&local).await;
    let shown = running(&local).await;
    let document = shown["document"].as_str().expect("a document");
    let away = document.replace(&lab.link.port.to_string(), &free_port().to_string());
    assert_ne!(away, document);
    let request = json!({"document": away, "confirm_seconds": 600, "note": "another cloud"});
    let (status, answer) = local.post("/api/v1/config", &request).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["effects"]["link"], true, "{answer}");
    assert_eq!(answer["version"]["state"], "waiting");
    let answered = device.answered();
    let versions = until("the change is taken back", PATIENCE, || async {
        let (_, list) = local.get("/api/v1/config/versions").await;
        let newest = &list["versions"][0];
        (newest["state"] == "reverted").then(|| list["versions"].clone())
    })
    .await;
    let reason = versions[0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("link to the cloud"), "{versions}");
    assert_eq!(versions[1]["running"], true);
    live(&local).await;
    assert!(device.answered() > answered, "the field was read all along");
    // The alarm and the audit log say so, also in the cloud.
    let (_, alarms) = local.get("/api/v1/alarms?state=open").await;
    let told = alarms["alarms"].as_array().expect("alarms");
    assert!(
        told.iter().any(|a| a["message"]
            .as_str()
            .is_some_and(|m| m.contains("taken back"))),
        "{alarms}"
    );
    until("the cloud has the alarm", PATIENCE, || async {
        let (_, list) = cloud.get("/api/v1/alarms?state=open").await;
        let all = list["alarms"].as_array()?;
        let told = |a: &Value| {
            a["message"]
                .as_str()
                .is_some_and(|m| m.contains("taken back"))
        };
        all.iter().any(told).then_some(())
    })
    .await;
    let (_, log) = local
        .get("/api/v1/audit?action=configuration_reverted")
        .await;
    let entry = &log["entries"][0];
    assert_eq!(entry["actor"], "riserd", "{entry}");
    let hash = versions[0]["sha256"].as_str().expect("a hash");
    assert!(
        entry["detail"].as_str().expect("detail").contains(hash),
        "{entry}"
    );
}

const TECHNICIAN: &str = "tech@demo.example";
const PASSWORD: &str = "three green pumps";

/// Logs a technician in at the cloud.
async fn technician(lab: &Lab) -> Cloud {
    let config = lab.folder.join("cloud.toml");
    let config = config.to_string_lossy();
    let user = [
        "user",
        "add",
        "--config",
        &config,
        "--tenant",
        TENANT,
        "--email",
        TECHNICIAN,
        "--name",
        "Tom Technician",
        "--role",
        "technician",
        "--password-stdin",
    ];
    tool("riser-cloud", &user, PASSWORD).await;
    let cloud = Cloud::new(lab.cloud_port);
    let (status, body) = cloud.login(TECHNICIAN, PASSWORD).await;
    assert_eq!(status, 200, "{body}");
    cloud
}

/// Asks for something and waits for the step that answers it.
async fn asked(cloud: &Cloud, what: &str, body: Value) -> Value {
    let path = format!("/api/v1/gateways/{GATEWAY}/config");
    let (status, sent) = cloud.post(&format!("{path}{what}"), &body).await;
    assert_eq!(status, 202, "{sent}");
    until("the gateway answers", PATIENCE, || async {
        let (_, shown) = cloud.get(&path).await;
        let steps = shown["steps"].as_array()?;
        steps
            .iter()
            .find(|s| s["request"] == sent["request"])
            .cloned()
    })
    .await
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn the_cloud_changes_the_configuration_and_hears_what_became_of_it() {
    let _alone = alone().await;
    let device = Numbered::start().await;
    let (lab, local, operator) = Lab::start(&numbered_building(device.port, 500)).await;
    live(&local).await;
    let cloud = technician(&lab).await;
    let path = format!("/api/v1/gateways/{GATEWAY}/config");
    let (status, body) = operator.get(&path).await;
    assert_eq!(status, 403, "{body}");
    let document = running(&local).await["document"]
        .as_str()
        .expect("a document")
        .to_owned();
    let same = asked(
        &cloud,
        "",
        json!({"document": format!("# the same\n{document}")}),
    )
    .await;
    assert_eq!(same["action"], "configuration_unchanged", "{same}");
    let bad = asked(
        &cloud,
        "",
        json!({"document": document.replace("transport", "trnasport")}),
    )
    .await;
    assert_eq!(bad["action"], "configuration_refused", "{bad}");
    assert!(
        bad["reason"]
            .as_str()
            .is_some_and(|r| r.contains("did you mean 'transport'")),
        "{bad}"
    );
    let rule = "[[rule]]\nkey = \"r\"\npoint = \"num/n0\"\ncondition = { test = \"above\", limit = 1e9 }\n\
        action.raise_alarm = { priority = \"low\", message = \"x\" }\n";
    let request = json!({"document": format!("{document}{rule}"), "note": "from afar"});
    let step = asked(&cloud, "", request).await;
    assert_eq!(
        (&step["action"], &step["version"]),
        (&json!("configuration"), &json!(2)),
        "{step}"
    );
    assert_eq!(
        (&step["actor"], &step["source"]),
        (&json!(TECHNICIAN), &json!("cloud 127.0.0.1"))
    );
    let (_, shown) = cloud.get(&path).await;
    assert_eq!(
        (&shown["version"], &shown["waiting"]),
        (&json!(2), &json!(true)),
        "{shown}"
    );
    let kept = asked(&cloud, "/confirm", json!({"version": 2})).await;
    assert_eq!(kept["action"], "configuration_confirmed", "{kept}");
    let (_, shown) = cloud.get(&path).await;
    assert_eq!(
        (&shown["version"], &shown["waiting"]),
        (&json!(2), &json!(false)),
        "{shown}"
    );
    let here = running(&local).await;
    assert_eq!(here["version"]["sha256"], shown["sha256"]);
}

/// Waits until the newest document the cloud wants has come so far.
async fn desired(cloud: &Cloud, state: &str) -> Value {
    let path = format!("/api/v1/gateways/{GATEWAY}/config");
    until(&format!("it is {state}"), PATIENCE, || async {
        let (_, shown) = cloud.get(&path).await;
        (shown["desired"]["state"] == state).then(|| shown.clone())
    })
    .await
}

#[tokio::test]
async fn a_document_waits_for_a_gateway_that_is_away_and_the_newest_is_applied_once() {
    let _alone = alone().await;
    let device = Numbered::start().await;
    let (mut lab, local, _) = Lab::start(&numbered_building(device.port, 500)).await;
    live(&local).await;
    let cloud = technician(&lab).await;
    let path = format!("/api/v1/gateways/{GATEWAY}/config");
    let document = running(&local).await["document"]
        .as_str()
        .expect("a document")
        .to_owned();
    lab.gateway.stop().await;
    until("the gateway is gone", PATIENCE, || async {
        let (_, shown) = cloud.get(&format!("/api/v1/gateways/{GATEWAY}")).await;
        (shown["connected"] == false).then_some(())
    })
    .await;
    let rule = |key: &str| {
        format!(
            "{document}[[rule]]\nkey = \"{key}\"\npoint = \"num/n0\"\n\
             condition = {{ test = \"above\", limit = 1e9 }}\n\
             action.raise_alarm = {{ priority = \"low\", message = \"x\" }}\n"
        )
    };
    let push = |key: &str| json!({"document": rule(key), "note": key, "confirm_seconds": 0});
    // The first gives way to the second, the second is cancelled, the third waits.
    for key in ["one", "two"] {
        let (status, sent) = cloud.post(&path, &push(key)).await;
        assert_eq!((status, &sent["waiting"]), (202, &json!(true)), "{sent}");
    }
    let (status, shown) = cloud.delete(&format!("{path}/desired")).await;
    assert_eq!(
        (status, &shown["desired"]["state"]),
        (200, &json!("cancelled"))
    );
    let (_, sent) = cloud.post(&path, &push("three")).await;
    // The cloud may be started again meanwhile.
    lab.cloud.stop().await;
    lab.cloud.start();
    let shown = desired(&cloud, "waiting").await;
    assert_eq!(shown["desired"]["by"], TECHNICIAN, "{shown}");
    lab.gateway.start();
    let shown = desired(&cloud, "answered").await;
    assert_eq!(shown["desired"]["ended_by"], "configuration", "{shown}");
    assert_eq!(shown["version"], 2, "{shown}");
    let step = &shown["steps"][0];
    assert_eq!(
        (&step["request"], &step["actor"], &step["note"]),
        (&sent["request"], &json!(TECHNICIAN), &json!("three")),
        "{shown}"
    );
    // Who asked is in the gateway's own audit log; it came once, at the connect, and not again.
    lab.gateway.stop().await;
    lab.gateway.start();
    lab.serving_local(&local).await;
    live(&local).await;
    let (_, log) = local.get("/api/v1/audit?search=three").await;
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 1, "{log}");
    assert_eq!(entries[0]["actor"], TECHNICIAN, "{log}");
    let source = entries[0]["source"].as_str().unwrap_or_default();
    assert!(source.starts_with("cloud"), "{log}");
}
