//! A change that cuts the link is taken back by itself, and both sides say so.

use crate::outage::numbered_building;
use riser_e2e::lab::GATEWAY;
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
    let entry = until("the cloud has the audit entry", PATIENCE, || async {
        let path = format!("/api/v1/gateways/{GATEWAY}/audit?action=configuration_reverted");
        let (_, list) = cloud.get(&path).await;
        list["entries"]
            .as_array()
            .and_then(|all| all.first().cloned())
    })
    .await;
    assert_eq!(entry["actor"], "riserd", "{entry}");
    let hash = versions[0]["sha256"].as_str().expect("a hash");
    assert!(
        entry["detail"].as_str().expect("detail").contains(hash),
        "{entry}"
    );
}
