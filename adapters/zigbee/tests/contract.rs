//! The contract every adapter must pass. Of its clauses one is told here in Zigbee's own way: a silent
//! line is broker and bridge away, so its devices are unknown and not down; a device is down when
//! the bridge says so.

use crate::support::{House, Near, Shared};
use riser_adapter_testkit::contract::{Constant, Subject};
use riser_adapter_testkit::{Mode, Peer, Respond, Running, contract};
use riser_model::{DeviceState, Quality, Reason, Value};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const IEEE: &str = "0x0011223344556677";

/// The bridge's list with one device: a sensor that is also a switch.
fn devices(ieee: &str, name: &str) -> String {
    let exposes = json!([
        {"type": "numeric", "name": "temperature", "property": "temperature", "access": 1, "unit": "°C"},
        {"type": "numeric", "name": "setpoint", "property": "setpoint", "access": 7, "unit": "°C", "value_min": 5, "value_max": 30, "value_step": 0.5},
    ]);
    let device = json!({
        "ieee_address": ieee, "friendly_name": name, "type": "Router", "power_source": "Mains (single phase)",
        "supported": true, "disabled": false, "interview_state": "SUCCESSFUL",
        "definition": {"model": "M", "vendor": "V", "description": "a device", "exposes": exposes},
    });
    json!([device]).to_string()
}

fn house(stubborn: bool) -> Shared {
    let retained = [
        (
            "z/bridge/state".to_owned(),
            json!({"state": "online"}).to_string(),
        ),
        ("z/bridge/devices".to_owned(), devices(IEEE, "room/one")),
    ];
    Arc::new(Mutex::new(House {
        retained: retained.into(),
        state: Some((
            "z/room/one".to_owned(),
            json!({"temperature": 20.5, "setpoint": 18}),
        )),
        stubborn,
        ..House::default()
    }))
}

fn config(address: SocketAddr) -> String {
    format!(
        "host = '{}'\nport = {}\nbase_topic = 'z'\ncheck_interval_ms = 50\nanswer_timeout_ms = 100\nreconnect_max_ms = 200\n\
         grace_ms = 300\noffline_delay_ms = 100\nstartup_ms = 0\nsettle_ms = 400\nskip = ['linkquality']\n\
         [[device]]\nieee = '{IEEE}'\nkey = 'dev'\n",
        address.ip(),
        address.port()
    )
}

const SUBJECT: Subject = Subject {
    kind: &riser_zigbee::KIND,
    config,
    device: || Near::boxed(&house(false)),
    stubborn: || Near::boxed(&house(true)),
    reads: ("dev/temperature", Constant::Float(20.5)),
    writes: ("dev/setpoint", Constant::Float(21.5)),
    misspelt: ("host = 'h'\nbase_topc = 'z'\n", "base_topic"),
    outstanding: 2,
};

contract!(SUBJECT;
    cancels_within_grace
    reports_health
    survives_garbage
    refuses_unknown_keys
    keeps_to_its_budget
    confirms_writes
    refuses_what_cannot_be_written
);

fn state(running: &Running) -> Option<DeviceState> {
    let devices = running.health.devices();
    devices
        .iter()
        .find(|d| d.device.as_str() == "dev")
        .map(|d| d.state)
}

fn near(house: &Shared) -> impl FnMut() -> Box<dyn Respond> + Send + 'static {
    let house = Arc::clone(house);
    move || Near::boxed(&house)
}

#[tokio::test]
async fn marks_what_is_down() {
    let house = house(false);
    let peer = Peer::start(near(&house)).await;
    let mut running = Running::start(&riser_zigbee::KIND, &config(peer.address()));
    running
        .wait_value("dev/temperature", &Value::Float(20.5))
        .await;
    let say = |word: &str, with: bool| {
        let mut house = house.lock().unwrap();
        house.state = with.then(|| {
            (
                "z/room/one".to_owned(),
                json!({"temperature": 20.5, "setpoint": 18}),
            )
        });
        let message = json!({"state": word}).to_string();
        house
            .script
            .push_back(("z/room/one/availability".to_owned(), message));
    };
    say("offline", false);
    let down = Quality::bad(Reason::DeviceDown);
    running.wait_quality("dev/temperature", down).await;
    running
        .wait_until("offline", |r| state(r) == Some(DeviceState::Offline))
        .await;
    running.pump_for(Duration::from_millis(600)).await;
    for path in ["dev/temperature", "dev/setpoint"] {
        let times = running
            .log
            .iter()
            .filter(|o| o.path == path && o.quality == down)
            .count();
        assert_eq!(times, 1, "{path} was marked down {times} times");
    }
    say("online", true);
    running
        .wait_value("dev/temperature", &Value::Float(20.5))
        .await;
    running
        .wait_until("online", |r| state(r) == Some(DeviceState::Online))
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_silent_line_makes_devices_unknown_and_not_down() {
    let house = house(false);
    let peer = Peer::start(near(&house)).await;
    let mut running = Running::start(&riser_zigbee::KIND, &config(peer.address()));
    running
        .wait_value("dev/temperature", &Value::Float(20.5))
        .await;
    peer.set_mode(Mode::Silent);
    running
        .wait_quality("dev/temperature", Quality::uncertain(Reason::Stale))
        .await;
    running
        .wait_until("unknown", |r| state(r) == Some(DeviceState::Unknown))
        .await;
    running.pump_for(Duration::from_millis(500)).await;
    let marks = running
        .log
        .iter()
        .filter(|o| o.path == "dev/temperature" && !o.quality.is_good());
    assert_eq!(marks.count(), 1);
    peer.set_mode(Mode::Answer);
    running
        .wait_value("dev/temperature", &Value::Float(20.5))
        .await;
    running
        .wait_until("online", |r| state(r) == Some(DeviceState::Online))
        .await;
    let down = running
        .log
        .iter()
        .find(|o| o.quality == Quality::bad(Reason::DeviceDown));
    assert_eq!(down, None);
    running.stop().await;
}
