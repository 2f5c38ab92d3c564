//! What is told when something is missing, on the real mosquitto: no broker, no login, no right to
//! publish, no bridge, another base topic, a kept word of a bridge long gone.

use crate::foreign::{Broker, config};
use riser_adapter::DiscoverRequest;
use riser_adapter_testkit::{Running, programs};
use riser_model::{DeviceState, LaneState};
use tokio_util::sync::CancellationToken;

async fn told(running: &mut Running, words: &str) -> LaneState {
    running
        .wait_until(&format!("'{words}' to be told"), |r| {
            let lanes = r.health.lanes();
            lanes
                .iter()
                .any(|l| l.last_error.as_deref().is_some_and(|e| e.contains(words)))
        })
        .await;
    running
        .health
        .lanes()
        .into_iter()
        .next()
        .expect("a lane")
        .state
}

/// A broker with a user for the bridge and one for Riser, who may only read.
async fn guarded(test: &str) -> Option<(Broker, tempfile::TempDir)> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    if programs::program("mosquitto_passwd").is_none() {
        programs::skip(test, "mosquitto_passwd");
        return None;
    }
    let (made, output) = programs::run(
        "mosquitto_passwd",
        &["-b", "-c", &file("users"), "riser", "right"],
    )
    .await;
    assert!(made, "{output}");
    std::fs::write(file("acl"), "user riser\ntopic read zigbee2mqtt/#\n").expect("a list");
    let lines = format!(
        "allow_anonymous false\npassword_file {}\nacl_file {}",
        file("users"),
        file("acl")
    );
    Some((Broker::start(test, &lines)?, folder))
}

#[tokio::test]
async fn a_broker_that_is_not_there() {
    let mut running = Running::start(
        &riser_zigbee::KIND,
        &config(programs::free_port(), "zigbee2mqtt"),
    );
    assert_eq!(
        told(&mut running, "nothing listens on 127.0.0.1:").await,
        LaneState::Down
    );
    running.stop().await;
}

#[tokio::test]
async fn a_login_that_is_wrong_or_missing() {
    let Some((broker, _folder)) = guarded("a_login").await else {
        return;
    };
    let plain = config(broker.port, "zigbee2mqtt");
    let mut running = Running::start(&riser_zigbee::KIND, &plain);
    assert_eq!(
        told(&mut running, "give username and password").await,
        LaneState::Down
    );
    running.stop().await;
    let wrong = format!("{plain}username = 'riser'\npassword = 'wrong'\n");
    let mut running = Running::start(&riser_zigbee::KIND, &wrong);
    told(
        &mut running,
        "refuses user 'riser'; check username and password",
    )
    .await;
    running.stop().await;
    let right = format!("{plain}username = 'riser'\npassword = 'right'\n");
    let mut running = Running::start(&riser_zigbee::KIND, &right);
    told(
        &mut running,
        "does not let this user publish below 'zigbee2mqtt/'",
    )
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_bridge_that_is_not_there_and_one_under_another_name() {
    let Some(broker) = Broker::start("another_name", "allow_anonymous true") else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &config(broker.port, "zigbee2mqtt"));
    let state = told(&mut running, "no zigbee2mqtt speaks under 'zigbee2mqtt'").await;
    assert_eq!(state, LaneState::Down);
    broker
        .publish("floor/zigbee/bridge/state", r#"{"state":"online"}"#, true)
        .await;
    told(
        &mut running,
        "but one does under 'floor/zigbee'; set base_topic to it",
    )
    .await;
    running.stop().await;
    let (found, mut finds) = tokio::sync::mpsc::channel(8);
    let options = format!("host = '127.0.0.1'\nport = {}", broker.port)
        .parse()
        .expect("TOML");
    let make = riser_zigbee::KIND.discover.expect("it can be looked for");
    let search = make().discover(DiscoverRequest { options }, found, CancellationToken::new());
    search.await.expect("a search");
    let find = finds.recv().await.expect("a find");
    assert_eq!(find.config["base_topic"].as_str(), Some("floor/zigbee"));
    assert!(
        find.remark.contains("it is not connected any more"),
        "{find:?}"
    );
}

#[tokio::test]
async fn a_kept_word_of_a_bridge_long_gone_is_not_believed() {
    let Some(broker) = Broker::start("kept_word", "allow_anonymous true") else {
        return;
    };
    broker
        .publish("zigbee2mqtt/bridge/state", r#"{"state":"online"}"#, true)
        .await;
    let devices = include_str!("fixtures/devices.json");
    broker
        .publish("zigbee2mqtt/bridge/devices", devices.trim(), true)
        .await;
    let key = crate::foreign::DEVICES[2].1;
    let availability = format!("zigbee2mqtt/{key}/availability");
    broker
        .publish(&availability, r#"{"state":"offline"}"#, true)
        .await;
    let mut running = Running::start(&riser_zigbee::KIND, &config(broker.port, "zigbee2mqtt"));
    told(&mut running, "though its kept state says online").await;
    running.pump_for(std::time::Duration::from_secs(4)).await;
    let devices = running.health.devices();
    let plug = devices
        .iter()
        .find(|d| d.device.as_str() == key)
        .expect("the plug");
    assert_eq!(plug.state, DeviceState::Unknown);
    running.stop().await;
}
