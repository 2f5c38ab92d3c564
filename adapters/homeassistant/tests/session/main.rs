//! The adapter on a recorded session: what becomes a point, values, writes, faults, history.

mod discover;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use riser_adapter::{ErrorClass, WriteResult};
use riser_adapter_testkit::Running;
use riser_adapter_testkit::harness::eventually;
use riser_homeassistant::KIND;
use riser_model::{DeviceState, LaneState, Quality, Reason, Value};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Fake, TOKEN};

const HOUR: i64 = 3_600_000;

fn start(fake: &Fake) -> Running {
    Running::start(&KIND, &(fake.config() + "backfill_days = 0\n"))
}

fn float(value: f64) -> Value {
    Value::Float(value)
}

#[tokio::test]
async fn every_supported_entity_is_a_point_with_its_value() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    for (path, value) in [
        ("sensor/outside_temperature", float(5.0)),
        ("sensor/meter", float(1234.5)),
        ("sensor/weather_word", Value::text("all well")),
        ("sensor/phase", Value::Int(1)),
        ("binary_sensor/door", Value::Bool(false)),
        ("input_number/setpoint", float(20.0)),
        ("input_select/mode", Value::Int(1)),
        ("input_text/note", Value::text("all well")),
        ("light/lamp", Value::Bool(false)),
        ("light/lamp_brightness", float(0.0)),
        ("fan/exhaust_speed", float(0.0)),
        ("cover/blind", Value::Int(3)),
        ("cover/blind_position", float(40.0)),
        ("lock/front_door", Value::Bool(false)),
        ("climate/office", Value::Int(1)),
        ("climate/office_temperature", float(5.0)),
        ("climate/office_setpoint", float(21.0)),
        ("climate/office_action", Value::Int(0)),
    ] {
        running.wait_value(path, &value).await;
    }
    let nobody = running
        .latest
        .keys()
        .find(|p| p.starts_with("person") || p.starts_with("zone"));
    assert_eq!(nobody, None);
    let lanes = running.health.lanes();
    assert_eq!((lanes.len(), lanes[0].state), (1, LaneState::Up));
    let devices = running.health.devices();
    assert!(
        devices.iter().all(|d| d.state == DeviceState::Online),
        "{devices:?}"
    );
    running.stop().await;
}

#[tokio::test]
async fn changes_arrive_and_unavailable_is_not_a_value() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    running
        .wait_value("sensor/outside_temperature", &float(5.0))
        .await;
    fake.set("sensor.outside_temperature", "state", json!("6.25"));
    running
        .wait_value("sensor/outside_temperature", &float(6.25))
        .await;
    for (state, reason) in [
        ("unavailable", Reason::DeviceDown),
        ("unknown", Reason::NotAvailable),
        ("warm", Reason::Undecodable),
        ("inf", Reason::Undecodable),
    ] {
        fake.set("sensor.outside_temperature", "state", json!(state));
        running
            .wait_quality("sensor/outside_temperature", Quality::bad(reason))
            .await;
    }
    fake.set("sensor.outside_temperature", "state", json!("unavailable"));
    let degraded = |r: &Running| {
        let devices = r.health.devices();
        devices
            .iter()
            .any(|d| d.device.as_str() == "sensor" && d.state == DeviceState::Degraded)
    };
    running
        .wait_until("the device to be degraded", degraded)
        .await;
    running.stop().await;
}

#[tokio::test]
async fn writes_become_service_calls_and_are_confirmed_by_the_state() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    running
        .wait_value("sensor/outside_temperature", &float(5.0))
        .await;
    for (path, value) in [
        ("switch/pump", Value::Bool(true)),
        ("light/lamp", Value::Bool(true)),
        ("light/lamp_brightness", float(60.0)),
        ("input_number/setpoint", float(22.5)),
        ("input_select/mode", Value::Int(2)),
        ("input_text/note", Value::text("look at the door")),
        ("lock/front_door", Value::Bool(true)),
        ("fan/exhaust", Value::Bool(true)),
        ("fan/exhaust_speed", float(75.0)),
        ("cover/blind_position", float(10.0)),
        ("climate/office", Value::Int(0)),
        ("climate/office_setpoint", float(23.5)),
    ] {
        let result = running.write(path, value.clone()).await;
        assert_eq!(result, WriteResult::Applied(Some(value)), "{path}");
    }
    let again = running.write("switch/pump", Value::Bool(true)).await;
    assert_eq!(again, WriteResult::Applied(Some(Value::Bool(true))));
    running.stop().await;
}

#[tokio::test]
async fn a_write_that_does_not_work_says_why() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    running
        .wait_value("input_number/setpoint", &float(20.0))
        .await;
    fake.faults.stubborn.store(true, Ordering::SeqCst);
    match running.write("input_number/setpoint", float(25.0)).await {
        WriteResult::NotEffective { read_back, detail } => {
            assert_eq!(read_back, Some(float(20.0)));
            assert!(detail.contains("does not show it"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    fake.faults.stubborn.store(false, Ordering::SeqCst);
    fake.faults.refusing.store(true, Ordering::SeqCst);
    match running.write("switch/pump", Value::Bool(true)).await {
        WriteResult::Refused(why) => assert!(why.contains("Service not found"), "{why}"),
        other => panic!("{other:?}"),
    }
    for (path, value) in [
        ("sensor/meter", float(1.0)),
        ("nobody/nothing", float(1.0)),
        ("input_select/mode", Value::Int(17)),
    ] {
        let result = running.write(path, value).await;
        assert!(
            matches!(result, WriteResult::Refused(_)),
            "{path}: {result:?}"
        );
    }
    let mut released = running.send_write("switch/pump", None).await;
    running.pump_for(Duration::from_millis(300)).await;
    assert!(matches!(released.try_recv(), Ok(WriteResult::Refused(_))));
    running.stop().await;
}

#[tokio::test]
async fn what_is_lost_is_marked_once_and_comes_back() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    let path = "sensor/outside_temperature";
    running.wait_value(path, &float(5.0)).await;
    let address = fake.address;
    drop(fake);
    let down = Quality::bad(Reason::DeviceDown);
    running.wait_quality(path, down).await;
    running.pump_for(Duration::from_millis(1500)).await;
    let times = running
        .log
        .iter()
        .filter(|o| o.path == path && o.quality == down)
        .count();
    assert_eq!(times, 1);
    let failed = running.write("switch/pump", Value::Bool(true)).await;
    assert!(matches!(failed, WriteResult::Failed(_)), "{failed:?}");
    let _fake = Fake::on(address).await;
    running.wait_value(path, &float(5.0)).await;
    running.stop().await;
}

#[tokio::test]
async fn one_that_falls_silent_is_noticed_and_noise_is_no_value() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    let path = "sensor/outside_temperature";
    running.wait_value(path, &float(5.0)).await;
    fake.faults.mute.store(true, Ordering::SeqCst);
    running
        .wait_quality(path, Quality::bad(Reason::DeviceDown))
        .await;
    fake.faults.mute.store(false, Ordering::SeqCst);
    running.wait_value(path, &float(5.0)).await;
    fake.faults.noise.store(true, Ordering::SeqCst);
    running
        .wait_quality(path, Quality::bad(Reason::DeviceDown))
        .await;
    fake.faults.noise.store(false, Ordering::SeqCst);
    running.wait_value(path, &float(5.0)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_refused_token_parks_the_adapter_with_words() {
    let fake = Fake::start().await;
    let config = fake.config().replace(TOKEN, "wrong");
    let table: toml::Table = config.parse().unwrap();
    let built = (KIND.build)(&table, &<_>::default()).unwrap();
    let error = riser_adapter_testkit::harness::run_to_end(built.adapter)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Misconfigured);
    let text = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        text.contains("refuses the access token") && text.contains("long-lived"),
        "{text}"
    );
}

#[tokio::test]
async fn one_that_is_too_old_is_told_and_taken_once_it_was_updated() {
    let fake = Fake::start().await;
    fake.edit(|house| house["version"] = json!("2022.12.1"));
    let mut running = start(&fake);
    let old = |r: &Running| {
        let lanes = r.health.lanes();
        let told = lanes.iter().filter_map(|l| l.last_error.as_deref());
        told.into_iter().any(|t| t.contains("older than 2023.4"))
    };
    running.wait_until("words", old).await;
    assert!(running.log.is_empty());
    fake.edit(|house| house["version"] = json!("2023.4.0"));
    running
        .wait_value("sensor/outside_temperature", &float(5.0))
        .await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_gateway_of_riser_offers_there_is_no_point_again() {
    let fake = Fake::start().await;
    fake.edit(|house| {
        let device = json!({"id": "d1", "name": "Air handling", "identifiers": [["mqtt", "riser_gw_D-ahu-1"]]});
        house["config/device_registry/list"].as_array_mut().unwrap().push(device);
        let entity = json!({"entity_id": "sensor.ahu_1_supply", "id": "e1", "device_id": "d1"});
        house["config/entity_registry/list"].as_array_mut().unwrap().push(entity);
        let state = json!({"entity_id": "sensor.ahu_1_supply", "state": "21", "attributes": {"unit_of_measurement": "°C"}});
        house["get_states"].as_array_mut().unwrap().push(state);
    });
    let mut running = start(&fake);
    running
        .wait_value("sensor/outside_temperature", &float(5.0))
        .await;
    fake.set("sensor.ahu_1_supply", "state", json!("22"));
    running.pump_for(Duration::from_millis(500)).await;
    let own = |r: &Running| r.latest.keys().any(|p| p.starts_with("air-handling"));
    assert!(!own(&running), "{:?}", running.latest.keys());
    running.stop().await;
    let config = fake.config() + "backfill_days = 0\ninclude_riser = true";
    let mut running = Running::start(&KIND, &config);
    running.wait_until("it is wanted", own).await;
    running.stop().await;
}

#[tokio::test]
async fn points_keep_their_paths_when_things_are_renamed() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    running
        .wait_value("input_number/setpoint", &float(20.0))
        .await;
    fake.edit(|house| {
        for list in ["get_states", "config/entity_registry/list"] {
            for entry in house[list].as_array_mut().unwrap() {
                if entry["entity_id"] == "input_number.setpoint" {
                    entry["entity_id"] = json!("input_number.wanted_warmth");
                }
            }
        }
    });
    fake.registries_changed();
    let seen = running.good_count("input_number/setpoint");
    let again = |r: &Running| r.good_count("input_number/setpoint") > seen;
    running.wait_until("the renamed entity", again).await;
    fake.set("input_number.wanted_warmth", "state", json!("20.5"));
    running
        .wait_value("input_number/setpoint", &float(20.5))
        .await;
    running.stop().await;
    let mut running = Running::start_after(&KIND, &(fake.config() + "backfill_days = 0"), &running);
    running
        .wait_value("input_number/setpoint", &float(20.5))
        .await;
    let result = running.write("input_number/setpoint", float(23.0)).await;
    assert_eq!(result, WriteResult::Applied(Some(float(23.0))));
    running.stop().await;
}

#[tokio::test]
async fn numbers_of_states_keep_their_meaning_and_new_ones_come_after() {
    let fake = Fake::start().await;
    let mut running = start(&fake);
    running
        .wait_value("input_select/mode", &Value::Int(1))
        .await;
    fake.set(
        "input_select.mode",
        "options",
        json!(["holiday", "night", "home", "away"]),
    );
    fake.set("input_select.mode", "state", json!("holiday"));
    running
        .wait_value("input_select/mode", &Value::Int(3))
        .await;
    fake.set("input_select.mode", "state", json!("away"));
    running
        .wait_value("input_select/mode", &Value::Int(0))
        .await;
    running.stop().await;
}

#[tokio::test]
async fn history_is_filled_in_once_and_again_after_a_break() {
    let fake = Fake::start().await;
    let config = fake.config() + "backfill_days = 20\n";
    let mut running = Running::start(&KIND, &config);
    running.wait_value("sensor/meter", &float(1234.5)).await;
    let slot = running.registry.slot("sensor/meter").unwrap();
    // Cut off in the middle, as by a kill.
    let past = running.past.clone();
    eventually("some history", || !past.samples(slot).is_empty()).await;
    running.kill();
    let begun = past.samples(slot).len();
    assert!((1..=480).contains(&begun), "{begun}");
    let mut running = Running::start_after(&KIND, &config, &running);
    let outside = running.registry.slot("sensor/outside_temperature").unwrap();
    let hours = |slot| {
        let samples = past.samples(slot);
        let hours: std::collections::BTreeSet<i64> =
            samples.iter().map(|s| s.at.0.div_euclid(HOUR)).collect();
        assert_eq!(hours.len(), samples.len(), "an hour is there twice");
        hours.len()
    };
    eventually("all of it", || hours(slot) == 480 && hours(outside) == 480).await;
    for sample in past.samples(slot) {
        let hour = sample.at.0.div_euclid(HOUR);
        #[expect(clippy::cast_precision_loss, reason = "hours are far below 2^53")]
        let reading = hour as f64;
        assert_eq!(sample.value, Some(float(reading)));
        assert_eq!(sample.at.0.rem_euclid(HOUR), HOUR - 1);
    }
    running.stop().await;
}
