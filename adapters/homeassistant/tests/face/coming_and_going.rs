//! Points, gateways and brokers that come and go.

use crate::broker::{Broker, Watcher};
use crate::plant;
use riser_adapter_testkit::Running;
use riser_adapter_testkit::harness::eventually;
use riser_homeassistant::face::KIND;
use riser_model::{LaneState, Quality, Slot, Value};

#[tokio::test]
async fn what_is_gone_is_unavailable_and_later_forgotten() {
    let Some(broker) = Broker::start("what_is_gone") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let config = broker
        .config("forget_seconds = 4")
        .replace("forget_seconds = 1\n", "");
    let mut running = Running::start_showing(&KIND, &config, &building);
    building.set(Slot(0), Some(Value::Float(20.0)), Quality::GOOD);
    let state = || watcher.state("ahu-1-P-supply_temp");
    eventually("the value", || state()["available"] == "online").await;
    building.remove(Slot(0));
    eventually("unavailable", || state()["available"] == "offline").await;
    assert!(
        !watcher.config("sensor", "ahu-1-P-supply_temp").is_null(),
        "forgotten too early"
    );
    eventually("forgotten", || {
        state().is_null() && watcher.config("sensor", "ahu-1-P-supply_temp").is_null()
    })
    .await;
    assert!(
        !watcher.config("sensor", "ahu-1-P-note").is_null(),
        "the others stay"
    );
    running.stop().await;
}

#[tokio::test]
async fn an_earlier_runs_points_are_forgotten_and_other_gateways_left_alone() {
    let Some(broker) = Broker::start("an_earlier_run") else {
        return;
    };
    let watcher = Watcher::start(&broker);
    let building = plant();
    let mut running = Running::start_showing(&KIND, &broker.config(""), &building);
    eventually("the pump", || {
        !watcher.config("binary_sensor", "ahu-1-P-pump").is_null()
    })
    .await;
    eventually("its state", || !watcher.state("ahu-1-P-pump").is_null()).await;
    running.kill();
    broker.publish("homeassistant/sensor/gw2/a-P-b/config", "{}", &["-r"]);
    broker.publish("homeassistant/sensor/gw/of_somebody/config", "{}", &["-r"]);
    broker.publish("homeassistant/sensor/gw/old-P-thing/config", "{}", &["-r"]);
    broker.publish("riser/gw/old-P-thing/state", "{}", &["-r"]);
    eventually("the last will", || {
        watcher.text("riser/gw/status").as_deref() == Some("offline")
    })
    .await;

    let more = "writable = ['ahu-1/pump']\nexclude = ['*/note']";
    let mut running = Running::start_showing(&KIND, &broker.config(more), &building);
    eventually("back", || {
        watcher.text("riser/gw/status").as_deref() == Some("online")
    })
    .await;
    eventually("the pump as a switch", || {
        !watcher.config("switch", "ahu-1-P-pump").is_null()
    })
    .await;
    eventually("and no longer as a sensor", || {
        watcher.config("binary_sensor", "ahu-1-P-pump").is_null()
    })
    .await;
    eventually("the note left out", || {
        watcher.config("sensor", "ahu-1-P-note").is_null()
    })
    .await;
    eventually("the old one forgotten", || {
        watcher
            .text("homeassistant/sensor/gw/old-P-thing/config")
            .is_none()
    })
    .await;
    eventually("with its state", || {
        watcher.text("riser/gw/old-P-thing/state").is_none()
    })
    .await;
    assert!(!watcher.state("ahu-1-P-pump").is_null(), "the state stays");
    for others in [
        "homeassistant/sensor/gw2/a-P-b/config",
        "homeassistant/sensor/gw/of_somebody/config",
    ] {
        assert!(watcher.text(others).is_some(), "{others}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_broker_that_forgot_everything_is_told_everything() {
    let Some(mut broker) = Broker::start("a_broker_that_forgot") else {
        return;
    };
    let building = plant();
    building.set(Slot(0), Some(Value::Float(20.0)), Quality::GOOD);
    let mut running = Running::start_showing(&KIND, &broker.config(""), &building);
    let up = |r: &Running| r.health.lanes().iter().any(|l| l.state == LaneState::Up);
    running.wait_until("a connection", up).await;
    broker.end();
    let down = |r: &Running| {
        let lanes = r.health.lanes();
        lanes
            .iter()
            .any(|l| l.state == LaneState::Down && l.last_error.is_some())
    };
    running.wait_until("no connection", down).await;
    building.set(Slot(0), Some(Value::Float(23.0)), Quality::GOOD);
    broker.again();
    let watcher = Watcher::start(&broker);
    eventually("the value of meanwhile", || {
        watcher.state("ahu-1-P-supply_temp")["value"] == 23.0
    })
    .await;
    eventually("five points, the gateway, its status", || {
        watcher.counts().0 == 12
    })
    .await;
    let lane = running.health.lanes().remove(0);
    assert_eq!((lane.state, lane.connects), (LaneState::Up, 2));
    running.stop().await;
}
