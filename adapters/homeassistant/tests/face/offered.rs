//! What is offered: descriptions, values, qualities.

use crate::broker::{Broker, Watcher};
use crate::{labels, plant, point, unit};
use riser_adapter_testkit::harness::eventually;
use riser_adapter_testkit::{BuildingInMemory, Running};
use riser_homeassistant::face::KIND;
use riser_model::{Access, Quality, Reason, Slot, Value, ValueKind};
use serde_json::json;

#[tokio::test]
async fn every_kind_of_point_is_described_as_home_assistant_wants_it() {
    let Some(broker) = Broker::start("every_kind_of_point") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let mut meter = point("meter/energy", ValueKind::Float, Access::Read);
    meter.unit = unit("kWh");
    building.add(meter);
    let mut phase = point("ahu-1/phase", ValueKind::Enum, Access::Read);
    phase.labels = labels(&["idle", "run", "run"]);
    building.add(phase);
    let config = broker.config("name = 'Plant room'\nwritable = ['ahu-1/*']");
    let mut running = Running::start_showing(&KIND, &config, &building);
    eventually("the last one", || {
        !watcher.config("sensor", "meter-P-energy").is_null()
    })
    .await;

    let gateway = watcher.config("binary_sensor", "status");
    assert_eq!(gateway["device"]["name"], "Plant room");
    assert_eq!(gateway["state_topic"], "riser/gw/status");
    assert_eq!(watcher.text("riser/gw/status").as_deref(), Some("online"));

    let temperature = watcher.config("sensor", "ahu-1-P-supply_temp");
    for (key, want) in [
        ("unique_id", json!("riser_gw_ahu-1-P-supply_temp")),
        ("name", json!("supply temp")),
        ("unit_of_measurement", json!("°C")),
        ("device_class", json!("temperature")),
        ("state_class", json!("measurement")),
        ("state_topic", json!("riser/gw/ahu-1-P-supply_temp/state")),
        ("availability_mode", json!("all")),
    ] {
        assert_eq!(temperature[key], want, "{key} of {temperature}");
    }
    let device = &temperature["device"];
    assert_eq!(device["identifiers"], json!(["riser_gw_D-ahu-1"]));
    assert_eq!(device["via_device"], gateway["device"]["identifiers"][0]);
    assert_eq!(temperature["command_topic"], json!(null));

    let setpoint = watcher.config("number", "ahu-1-P-supply_setpoint");
    let bounds = ["min", "max", "step"].map(|key| setpoint[key].as_f64());
    assert_eq!(bounds, [Some(15.0), Some(30.0), Some(0.5)]);
    assert_eq!(
        setpoint["command_topic"],
        "riser/gw/ahu-1-P-supply_setpoint/set"
    );
    assert!(!watcher.config("switch", "ahu-1-P-pump").is_null());
    assert!(!watcher.config("text", "ahu-1-P-note").is_null());
    let mode = watcher.config("select", "ahu-1-P-mode");
    assert_eq!(mode["options"], json!(["off", "day", "night"]));
    let phase = watcher.config("sensor", "ahu-1-P-phase");
    assert_eq!(phase["device_class"], "enum");
    assert_eq!(phase["options"], json!(["idle", "1 run", "2 run"]));
    let meter = watcher.config("sensor", "meter-P-energy");
    assert_eq!(
        (&meter["device_class"], &meter["state_class"]),
        (&json!("energy"), &json!("total_increasing"))
    );
    running.stop().await;
    eventually("the farewell", || {
        watcher.text("riser/gw/status").as_deref() == Some("offline")
    })
    .await;
}

#[tokio::test]
async fn without_a_word_nothing_is_writable() {
    let Some(broker) = Broker::start("nothing_is_writable") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let mut running = Running::start_showing(&KIND, &broker.config(""), &building);
    eventually("the pump", || {
        !watcher.config("binary_sensor", "ahu-1-P-pump").is_null()
    })
    .await;
    eventually("the mode", || {
        watcher.config("sensor", "ahu-1-P-mode")["device_class"] == "enum"
    })
    .await;
    broker.publish("riser/gw/ahu-1-P-pump/set", "ON", &[]);
    let refused = || {
        let last = &watcher.state("ahu-1-P-pump")["about"]["last_write"];
        last.as_str().is_some_and(|t| t.contains("'writable'"))
    };
    eventually("a refusal", refused).await;
    assert_eq!(building.writes(), []);
    running.stop().await;
}

#[tokio::test]
async fn values_are_told_with_quality_and_stamp_and_bad_ones_are_unavailable() {
    let Some(broker) = Broker::start("values_are_told") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let mut running = Running::start_showing(&KIND, &broker.config(""), &building);
    let temperature = Slot(0);
    let state = || watcher.state("ahu-1-P-supply_temp");
    eventually("nothing read yet", || {
        state()["about"]["reason"] == "initial"
    })
    .await;
    assert_eq!(
        (state()["available"].clone(), state()["value"].clone()),
        (json!("offline"), json!(null))
    );

    building.set(temperature, Some(Value::Float(21.5)), Quality::GOOD);
    eventually("the value", || state()["value"] == 21.5).await;
    let good = state();
    assert_eq!(
        (&good["available"], &good["about"]["quality"]),
        (&json!("online"), &json!("good"))
    );
    assert_eq!(good["about"]["point"], "ahu-1/supply_temp");
    let stamp = good["about"]["stamp"]
        .as_str()
        .and_then(|t| t.parse::<jiff::Timestamp>().ok());
    assert!(stamp.is_some(), "{good}");

    let down = Quality::bad(Reason::DeviceDown);
    building.set(temperature, Some(Value::Float(21.5)), down);
    eventually("unavailable", || state()["available"] == "offline").await;
    assert_eq!(state()["about"]["reason"], "device_down");
    let stale = Quality::uncertain(Reason::Overridden);
    building.set(temperature, Some(Value::Float(20.0)), stale);
    eventually("usable again", || state()["available"] == "online").await;
    assert_eq!(state()["about"]["quality"], "uncertain");

    running.stop().await;
}

#[tokio::test]
async fn states_are_told_by_their_texts_and_texts_as_far_as_they_fit() {
    let Some(broker) = Broker::start("states_are_told") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let mut running = Running::start_showing(&KIND, &broker.config(""), &building);
    building.set(Slot(2), Some(Value::Bool(true)), Quality::GOOD);
    building.set(Slot(3), Some(Value::Int(2)), Quality::GOOD);
    building.set(Slot(4), Some(Value::text(&"ä".repeat(300))), Quality::GOOD);
    eventually("the pump", || {
        watcher.state("ahu-1-P-pump")["value"] == "ON"
    })
    .await;
    eventually("the mode", || {
        watcher.state("ahu-1-P-mode")["value"] == "night"
    })
    .await;
    let note = || {
        watcher.state("ahu-1-P-note")["value"]
            .as_str()
            .map(|t| t.chars().count())
    };
    eventually("the note, as long as a state may be", || {
        note() == Some(255)
    })
    .await;
    // A state nobody named is not told as one of the others.
    building.set(Slot(3), Some(Value::Int(9)), Quality::GOOD);
    eventually("an unknown mode", || {
        watcher.state("ahu-1-P-mode")["value"].is_null()
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_thousand_points_that_change_all_the_time_are_told_at_the_pace() {
    let Some(broker) = Broker::start("a_thousand_points") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = BuildingInMemory::default();
    let slots: Vec<Slot> = (0..1000)
        .map(|n| {
            building.add(point(
                &format!("d{}/p{n}", n % 20),
                ValueKind::Integer,
                Access::Read,
            ))
        })
        .collect();
    let config = broker
        .config("interval_ms = 500")
        .replace("interval_ms = 50\n", "");
    let mut running = Running::start_showing(&KIND, &config, &building);
    eventually("all descriptions and states", || watcher.counts().0 == 2002).await;
    let before = watcher.counts().1;
    for round in 0..30 {
        for slot in &slots {
            building.set(*slot, Some(Value::Int(round)), Quality::GOOD);
        }
        tokio::task::yield_now().await;
    }
    eventually("the last values", || {
        (0..1000).all(|n| watcher.state(&format!("d{}-P-p{n}", n % 20))["value"] == 29)
    })
    .await;
    let told = watcher.counts().1 - before;
    assert!(told < 15_000, "{told} messages for 30,000 changes");
    running.stop().await;
}
