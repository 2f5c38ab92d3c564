//! The contract every adapter must pass. The suite of the test kit answers request by request; here
//! the server speaks first and unasked, so each clause is on the fake session.

mod support;

use riser_adapter::WriteResult;
use riser_adapter_testkit::Running;
use riser_adapter_testkit::harness::{GRACE, build, eventually};
use riser_homeassistant::KIND;
use riser_model::{DeviceState, LaneState, Quality, Reason, Value};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::Fake;

const READS: (&str, Value) = ("sensor/outside_temperature", Value::Float(5.0));

async fn started() -> (Fake, Running) {
    let fake = Fake::start().await;
    let mut running = Running::start(&KIND, &(fake.config() + "backfill_days = 0\n"));
    running.wait_value(READS.0, &READS.1).await;
    (fake, running)
}

#[tokio::test]
async fn cancels_within_grace() {
    let (fake, mut running) = started().await;
    assert!(running.stop().await < GRACE, "while it reads");

    fake.faults.mute.store(true, Ordering::SeqCst);
    let config = fake.config();
    let mut running = Running::start(&KIND, &config);
    running.pump_for(Duration::from_millis(300)).await;
    assert!(running.stop().await < GRACE, "while nothing is answered");

    fake.faults.mute.store(false, Ordering::SeqCst);
    let mut running = Running::start_narrow(&KIND, &config, &<_>::default(), 1);
    let up = || {
        running
            .health
            .lanes()
            .iter()
            .any(|l| l.state == LaneState::Up)
    };
    eventually("the lane to be up", up).await;
    fake.set("sensor.outside_temperature", "state", "6".into());
    fake.set("sensor.outside_temperature", "state", "7".into());
    assert!(
        running.stop().await < GRACE,
        "while nobody takes its readings"
    );

    drop(fake);
    let mut running = Running::start(&KIND, &config);
    running.pump_for(Duration::from_millis(100)).await;
    assert!(running.stop().await < GRACE, "while nobody is there");
}

#[tokio::test]
async fn reports_health() {
    let (_fake, mut running) = started().await;
    let up = |r: &Running| {
        let lane = r.health.lanes().into_iter().next();
        let lane = lane.is_some_and(|l| {
            l.state == LaneState::Up && l.requests > 0 && l.connects == 1 && l.adapter == "test"
        });
        let devices = r.health.devices();
        let online =
            |d: &riser_model::DeviceHealth| d.state == DeviceState::Online && d.last_ok.is_some();
        lane && !devices.is_empty() && devices.iter().all(online)
    };
    running.wait_until("lane up and devices online", up).await;
    running.stop().await;
}

#[tokio::test]
async fn survives_garbage() {
    let (fake, mut running) = started().await;
    fake.faults.noise.store(true, Ordering::SeqCst);
    running
        .wait_quality(READS.0, Quality::bad(Reason::DeviceDown))
        .await;
    running.pump_for(Duration::from_secs(1)).await;
    assert!(running.is_alive());
    let wrong = running
        .log
        .iter()
        .find(|o| o.path == READS.0 && o.quality.is_good() && o.value != Some(READS.1));
    assert_eq!(wrong, None, "noise was taken for a value");
    fake.faults.noise.store(false, Ordering::SeqCst);
    running.wait_value(READS.0, &READS.1).await;
    running.stop().await;
}

#[tokio::test]
async fn refuses_unknown_keys() {
    let Err(error) = build(&KIND, "url = 'http://h'\ntoken = 'x'\nconfirm_second = 4") else {
        panic!("the misspelt key was accepted");
    };
    assert!(
        error.to_string().contains("did you mean 'confirm_seconds'"),
        "{error}"
    );
}

#[tokio::test]
async fn refuses_what_cannot_be_written() {
    let (_fake, mut running) = started().await;
    for path in ["nobody/nothing", READS.0] {
        match running.write(path, Value::Float(1.0)).await {
            WriteResult::Refused(why) => assert!(!why.is_empty()),
            other => panic!("a write of {path} ended as {other:?}"),
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn many_writes_at_once_all_have_an_outcome() {
    let (_fake, mut running) = started().await;
    let mut results = Vec::new();
    for n in 0..40 {
        let value = Value::Float(f64::from(n % 20) + 6.0);
        results.push(
            running
                .send_write("input_number/setpoint", Some(value))
                .await,
        );
    }
    for result in results {
        let result = tokio::time::timeout(Duration::from_secs(20), result).await;
        assert!(
            matches!(
                result,
                Ok(Ok(
                    WriteResult::Applied(_) | WriteResult::NotEffective { .. }
                ))
            ),
            "{result:?}"
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn entities_that_come_and_go_are_followed() {
    let fake = Fake::start().await;
    let mut running = Running::start(&KIND, &(fake.config() + "backfill_days = 0\n"));
    running
        .wait_value("sensor/outside_temperature", &Value::Float(5.0))
        .await;
    fake.edit(|house| {
        let states = house["get_states"].as_array_mut().unwrap();
        states.retain(|s| s["entity_id"] != "sensor.remote_power");
        states.push(json!({"entity_id": "sensor.cellar", "state": "11",
            "attributes": {"unit_of_measurement": "°C", "friendly_name": "Cellar"}}));
    });
    fake.registries_changed();
    running
        .wait_value("sensor/cellar", &Value::Float(11.0))
        .await;
    let gone = Quality::bad(Reason::NotConfigured);
    running.wait_quality("sensor/remote_power", gone).await;
    running.stop().await;
}
