//! What Home Assistant asks for: writes through the gateway, with their outcome.

use crate::broker::{Broker, Watcher};
use crate::plant;
use riser_adapter::PointWriter;
use riser_adapter_testkit::Running;
use riser_adapter_testkit::harness::eventually;
use riser_homeassistant::face::KIND;
use riser_model::{Priority, Quality, Slot, Value};
use serde_json::json;

#[tokio::test]
async fn commands_are_written_at_their_level_and_shown_with_what_came_of_them() {
    let Some(broker) = Broker::start("commands_are_written") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    building.set(Slot(1), Some(Value::Float(18.0)), Quality::GOOD);
    let config = broker.config("writable = ['*']\npriority = 12");
    let mut running = Running::start_showing(&KIND, &config, &building);
    eventually("the note", || {
        !watcher.config("text", "ahu-1-P-note").is_null()
    })
    .await;
    let set = |object: &str, payload: &str| {
        broker.publish(&format!("riser/gw/{object}/set"), payload, &[]);
    };
    for (object, payload, shown) in [
        ("ahu-1-P-supply_setpoint", "21.5", json!(21.5)),
        ("ahu-1-P-pump", "ON", json!("ON")),
        ("ahu-1-P-mode", "night", json!("night")),
        (
            "ahu-1-P-note",
            "look at the filter",
            json!("look at the filter"),
        ),
    ] {
        set(object, payload);
        let done = || {
            let state = watcher.state(object);
            state["value"] == shown && state["about"]["last_write"] == "applied"
        };
        eventually(object, done).await;
    }
    let writes = building.writes();
    assert_eq!(writes.len(), 4);
    assert!(
        writes
            .iter()
            .all(|w| w.priority.level() == 12 && w.author.name == "homeassistant-mqtt 127.0.0.1")
    );
    assert_eq!(writes[2].value, Some(Value::Int(2)));

    running.stop().await;
}

#[tokio::test]
async fn what_is_no_command_is_refused_in_words_and_a_level_is_released() {
    let Some(broker) = Broker::start("what_is_no_command") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let config = broker.config("writable = ['*']");
    let mut running = Running::start_showing(&KIND, &config, &building);
    eventually("the note", || {
        !watcher.config("text", "ahu-1-P-note").is_null()
    })
    .await;
    let set = |object: &str, payload: &str| {
        broker.publish(&format!("riser/gw/{object}/set"), payload, &[]);
    };
    set("ahu-1-P-supply_setpoint", "21.5");
    eventually("a value", || {
        watcher.state("ahu-1-P-supply_setpoint")["value"] == 21.5
    })
    .await;
    let last = |object: &str| {
        watcher.state(object)["about"]["last_write"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    set("ahu-1-P-supply_setpoint", "99");
    eventually("over the limit", || {
        last("ahu-1-P-supply_setpoint").contains("above the highest")
    })
    .await;
    for (object, payload, why) in [
        ("ahu-1-P-supply_setpoint", "warm", "'warm' is not a number"),
        ("ahu-1-P-supply_setpoint", "nan", "'nan' is not a number"),
        ("ahu-1-P-pump", "on", "'on' is not ON or OFF"),
        (
            "ahu-1-P-mode",
            "noon",
            "'noon' is not one of the point's states",
        ),
        ("ahu-1-P-supply_temp", "5", "'writable'"),
    ] {
        set(object, payload);
        eventually(why, || last(object).contains(why)).await;
    }
    assert_eq!(watcher.state("ahu-1-P-supply_setpoint")["value"], 21.5);

    broker.publish("riser/gw/ahu-1-P-supply_setpoint/release", "", &[]);
    let path = "ahu-1/supply_setpoint".parse().unwrap();
    eventually("the level is released", || {
        building.levels(&path).is_empty()
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_level_above_holds_and_is_named() {
    let Some(broker) = Broker::start("a_level_above_holds") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let path: riser_model::PointPath = "ahu-1/pump".parse().unwrap();
    let by = "the operator".to_owned();
    building
        .write(
            path,
            Some(Value::Bool(false)),
            Priority::MANUAL_OPERATOR,
            by,
        )
        .await;
    let config = broker.config("writable = ['*']");
    let mut running = Running::start_showing(&KIND, &config, &building);
    eventually("the pump", || {
        !watcher.config("switch", "ahu-1-P-pump").is_null()
    })
    .await;
    broker.publish("riser/gw/ahu-1-P-pump/set", "ON", &[]);
    let held = || {
        let state = watcher.state("ahu-1-P-pump");
        let last = state["about"]["last_write"].as_str().unwrap_or_default();
        last == "accepted, not effective (level 8 is held by the operator)"
            && state["value"] == "OFF"
    };
    eventually("who holds it", held).await;
    running.stop().await;
}

#[tokio::test]
async fn a_retained_command_is_of_another_time() {
    let Some(broker) = Broker::start("a_retained_command") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    broker.publish("riser/gw/ahu-1-P-pump/set", "ON", &["-r"]);
    let building = plant();
    let config = broker.config("writable = ['*']");
    let mut running = Running::start_showing(&KIND, &config, &building);
    let refused = || {
        let state = watcher.state("ahu-1-P-pump");
        let last = state["about"]["last_write"].as_str().unwrap_or_default();
        last.contains("a retained command is not carried out")
    };
    eventually("a refusal", refused).await;
    assert_eq!(building.writes(), []);
    running.stop().await;
}
