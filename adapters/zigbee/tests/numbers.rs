//! A state of an enum keeps its number, whatever zigbee2mqtt adds to what it knows of a model.

use crate::support::{House, Near, Shared};
use riser_adapter_testkit::{Peer, Running};
use riser_model::Value;
use serde_json::json;
use std::sync::{Arc, Mutex};

const IEEE: &str = "0x0011223344556677";

fn list(modes: &[&str]) -> String {
    let exposes =
        json!([{"type": "enum", "name": "mode", "property": "mode", "access": 7, "values": modes}]);
    json!([{
        "ieee_address": IEEE, "friendly_name": "trv", "type": "Router", "power_source": "Mains (single phase)",
        "supported": true, "disabled": false, "interview_state": "SUCCESSFUL",
        "definition": {"model": "M", "vendor": "V", "description": "a device", "exposes": exposes},
    }])
    .to_string()
}

fn tell(house: &Shared, modes: &[&str]) {
    let mut house = house.lock().expect("no panic");
    house
        .retained
        .insert("z/bridge/devices".to_owned(), list(modes));
}

async fn labels(running: &Running) -> Vec<(i64, String)> {
    let browse = running.browse.clone().expect("a way to browse");
    let nodes = browse.browse(IEEE.to_owned()).await.unwrap_or_default();
    let points = nodes.into_iter().filter_map(|node| node.point);
    points
        .flat_map(|p| p.labels)
        .map(|l| (l.state, l.text))
        .collect()
}

#[tokio::test]
async fn a_state_keeps_its_number_over_restarts_and_new_states() {
    let state = ("z/trv".to_owned(), json!({"mode": "heat"}));
    let house: Shared = Arc::new(Mutex::new(House {
        retained: [(
            "z/bridge/state".to_owned(),
            json!({"state": "online"}).to_string(),
        )]
        .into(),
        state: Some(state),
        ..House::default()
    }));
    tell(&house, &["off", "heat"]);
    let near = Arc::clone(&house);
    let peer = Peer::start(move || Near::boxed(&near)).await;
    let config = format!(
        "host = '{}'\nport = {}\nbase_topic = 'z'\ncheck_interval_ms = 50\nanswer_timeout_ms = 100\nreconnect_max_ms = 200\n",
        peer.address().ip(),
        peer.address().port()
    );
    let path = format!("{IEEE}/mode");
    let mut running = Running::start(&riser_zigbee::KIND, &config);
    running.wait_value(&path, &Value::Int(1)).await;
    assert_eq!(
        labels(&running).await,
        [(0, "off".into()), (1, "heat".into())]
    );
    running.stop().await;
    // A new version of zigbee2mqtt lists another state first; the gateway starts anew.
    tell(&house, &["auto", "heat", "off"]);
    let mut running = Running::start_after(&riser_zigbee::KIND, &config, &running);
    running
        .wait_until("a state", |r| r.good_count(&path) > 0)
        .await;
    assert_eq!(running.value(&path), Some(&Value::Int(1)));
    let all = [(0, "off".into()), (1, "heat".into()), (2, "auto".into())];
    assert_eq!(labels(&running).await, all);
    let applied = running.write(&path, Value::Int(2)).await;
    assert_eq!(
        applied,
        riser_adapter::WriteResult::Applied(Some(Value::Int(2)))
    );
    let told = house
        .lock()
        .unwrap()
        .heard
        .last()
        .cloned()
        .expect("a command");
    assert_eq!(told.1, json!({"mode": "auto"}).to_string());
    running.stop().await;
    // A state that is listed no more gives its number to nobody.
    tell(&house, &["eco", "off", "auto"]);
    let mut running = Running::start_after(&riser_zigbee::KIND, &config, &running);
    running.wait_value(&path, &Value::Int(2)).await;
    let all = [(0, "off".into()), (2, "auto".into()), (3, "eco".into())];
    assert_eq!(labels(&running).await, all);
    running.stop().await;
}
