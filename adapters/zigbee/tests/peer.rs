//! Against the real zigbee2mqtt on the real mosquitto: seven models join, become points, and do what
//! they are told. A missing peer skips loudly, or fails under `CI`.

use crate::foreign::{DEVICES, House, Setting, join_all, until};
use riser_adapter::WriteResult;
use riser_adapter_testkit::Running;
use riser_model::{DeviceState, LaneState, Point, Quality, Value};
use std::collections::BTreeMap;
use std::time::Duration;

const WEATHER: &str = DEVICES[0].1;
const BULB: &str = DEVICES[1].1;
const PLUG: &str = DEVICES[2].1;
const DOOR: &str = DEVICES[3].1;
const MOTION: &str = DEVICES[4].1;
const TRV: &str = DEVICES[5].1;

fn table(text: &str) -> toml::Table {
    text.parse().expect("TOML")
}

async fn operate(running: &Running, name: &str, parameters: &str) -> Result<toml::Table, String> {
    let operate = running.operate.clone().expect("operations");
    let answer = operate.operate(name, table(parameters)).await;
    answer.map_err(|e| e.to_string())
}

async fn points(running: &Running) -> BTreeMap<String, Point> {
    let browse = running.browse.clone().expect("a way to browse");
    let mut found = BTreeMap::new();
    for device in browse.browse(String::new()).await.expect("the root") {
        for node in browse.browse(device.path).await.expect("a device") {
            let point = node.point.expect("a point");
            found.insert(point.path.to_string(), point);
        }
    }
    found
}

fn state(running: &Running, key: &str) -> Option<DeviceState> {
    let devices = running.health.devices();
    devices
        .iter()
        .find(|d| d.device.as_str() == key)
        .map(|d| d.state)
}

fn good(running: &Running, path: &str) -> Option<Value> {
    let seen = running.latest.get(path)?;
    (seen.quality == Quality::GOOD).then(|| seen.value.clone())?
}

fn up(running: &Running) -> bool {
    let lanes = running.health.lanes();
    lanes.iter().all(|l| l.state == LaneState::Up)
}

/// Device, point, kind, unit, lowest and highest, access, a line each.
const WANTED: &str = "
weather temperature float °C - read
weather humidity float % - read
weather pressure float hPa - read
weather battery float % 0..100 read
bulb state bool - - read_write
bulb brightness float - 0..254 read_write
bulb color_temp float - 250..454 read_write
bulb effect enum - - write
plug state bool - - read_write
plug power float W - read
plug current float A - read
plug voltage float V - read
plug energy float kWh - read
door contact bool - - read
door battery float % 0..100 read
motion occupancy bool - - read
motion illuminance float lx - read
trv local_temperature float °C - read
trv occupied_heating_setpoint float °C 4..35 read_write
trv system_mode enum - - read_write
trv child_lock bool - - read_write
valve local_temperature float °C - read
valve current_heating_setpoint float °C 5..35 read_write
";

/// How a point differs from its line.
fn differs(found: &BTreeMap<String, Point>, line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [device, point, kind, unit, range, access] = words[..] else {
        return Some(format!("not a line: {line}"));
    };
    let (_, address) = DEVICES
        .iter()
        .find(|(name, _)| *name == device)
        .expect("a device");
    let Some(point) = found.get(&format!("{address}/{point}")) else {
        return Some(format!("{line} is missing"));
    };
    let limits = match (point.limits.min, point.limits.max) {
        (Some(min), Some(max)) => format!("{min}..{max}"),
        _ => "-".to_owned(),
    };
    let shown = serde_json::json!([point.kind, point.access]);
    let same = shown == serde_json::json!([kind, access])
        && point.unit.map_or("-", |u| u.symbol()) == unit
        && (range == "-" || limits == range);
    (!same).then(|| format!("{line} is {point:?}"))
}

#[tokio::test]
async fn seven_models_join_and_become_points_with_units_and_ranges() {
    let Some(house) = House::empty("seven_models_join") else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    join_all(&house, &mut running).await;
    let found = points(&running).await;
    let lines = WANTED.lines().filter(|line| !line.is_empty());
    let problems: Vec<String> = lines.filter_map(|line| differs(&found, line)).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    until(&mut running, "joining to be told", |r| {
        matches!(r.value("test-bridge/last_event"), Some(Value::Text(t)) if t.contains("known and ready"))
            && r.value("test-bridge/permit_join") == Some(&Value::Bool(true))
            && r.value("test-bridge/devices") == Some(&Value::Int(7))
    })
    .await;
    let left = running
        .value("test-bridge/permit_join_left")
        .and_then(Value::as_f64);
    assert!(left.is_some_and(|s| s > 60.0 && s <= 200.0), "{left:?}");
    operate(&running, "permit_join", "seconds = 0")
        .await
        .unwrap();
    until(&mut running, "the network closed", |r| {
        r.value("test-bridge/permit_join") == Some(&Value::Bool(false))
            && r.value("test-bridge/permit_join_left") == Some(&Value::Float(0.0))
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn what_devices_report_and_are_told_comes_through() {
    let Some(house) = House::joined("what_devices_report", &Setting::default()).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    let at = |device: &str, point: &str| format!("{device}/{point}");
    until(&mut running, "what is on mains was read", |r| {
        good(r, &at(BULB, "state")).is_some() && good(r, &at(PLUG, "state")).is_some()
    })
    .await;
    for (_, key) in DEVICES {
        until(&mut running, key, |r| {
            state(r, key) == Some(DeviceState::Online)
        })
        .await;
    }
    // Reports of sensors, in their units.
    house
        .radio
        .tell(r#"{"do":"report","dev":"weather","attrs":[[1,1026,0,41,2377]]}"#);
    house.radio.tell(r#"{"do":"zone","dev":"door","status":1}"#);
    house
        .radio
        .tell(r#"{"do":"report","dev":"plug","attrs":[[1,2820,1291,41,1234]]}"#);
    until(&mut running, "reports", |r| {
        good(r, &at(WEATHER, "temperature")) == Some(Value::Float(23.77))
            && good(r, &at(DOOR, "contact")) == Some(Value::Bool(false))
            && good(r, &at(PLUG, "power")) == Some(Value::Float(1234.0))
    })
    .await;
    // Commands, confirmed by the state and by the device itself.
    let applied = running.write(&at(PLUG, "state"), Value::Bool(false)).await;
    assert_eq!(applied, WriteResult::Applied(Some(Value::Bool(false))));
    assert_eq!(house.radio.holds("plug", [1, 6, 0]), 0);
    let applied = running
        .write(&at(BULB, "brightness"), Value::Float(100.0))
        .await;
    assert_eq!(applied, WriteResult::Applied(Some(Value::Float(100.0))));
    assert_eq!(house.radio.holds("bulb", [1, 8, 0]), 100);
    let applied = running
        .write(&at(TRV, "occupied_heating_setpoint"), Value::Float(22.5))
        .await;
    assert_eq!(applied, WriteResult::Applied(Some(Value::Float(22.5))));
    assert_eq!(house.radio.holds("trv", [1, 0x201, 0x12]), 2250);
    match running
        .write(&at(BULB, "brightness"), Value::Float(300.0))
        .await
    {
        WriteResult::Refused(why) => assert!(why.contains("above the highest"), "{why}"),
        other => panic!("{other:?}"),
    }
    running.stop().await;
}

#[tokio::test]
async fn a_device_keeps_its_points_through_renames_with_slashes() {
    let Some(house) = House::joined("renames", &Setting::default()).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    let path = format!("{PLUG}/state");
    until(&mut running, "the plug", |r| {
        good(r, &path).is_some() && up(r)
    })
    .await;
    let slot = running.registry.slot(&path);
    for name in ["floor 1/room 2/plug", "plug", "floor 1/plug/state"] {
        let rename = format!("device = '{PLUG}'\nname = '{name}'");
        operate(&running, "rename", &rename).await.unwrap();
        until(&mut running, name, |r| {
            let devices = r.health.devices();
            devices
                .iter()
                .any(|d| d.device.as_str() == PLUG && d.name == name)
        })
        .await;
        for on in [false, true] {
            let result = running.write(&path, Value::Bool(on)).await;
            assert_eq!(
                result,
                WriteResult::Applied(Some(Value::Bool(on))),
                "as {name}"
            );
        }
        assert_eq!(running.registry.slot(&path), slot);
        assert_eq!(points(&running).await[&path].device_name, name);
        assert_eq!(state(&running, PLUG), Some(DeviceState::Online));
    }
    assert!(
        running
            .latest
            .get(&path)
            .is_some_and(|o| o.quality == Quality::GOOD)
    );
    running.stop().await;
}

/// What does not work is told in the bridge's words, and in ours.
async fn refused_in_words(running: &Running) {
    let wrong = operate(running, "firmware_update", &format!("device = '{DOOR}'")).await;
    assert!(wrong.is_err(), "{wrong:?}");
    let wrong = operate(
        running,
        "rename",
        &format!("device = '{PLUG}'\nname = 'a/#'"),
    )
    .await;
    assert!(wrong.is_err_and(|e| e.contains("may not have")));
    let wrong = operate(running, "remove", "device = 'nobody'").await;
    assert!(wrong.is_err_and(|e| e.contains("no such device")));
}

async fn command_a_group(house: &House, running: &mut Running) {
    operate(running, "group_add", "name = 'hall/lamps'\nid = 7")
        .await
        .expect("an answer");
    let group = "test-group-7";
    until(running, "the group", |r| state(r, group).is_some()).await;
    operate(
        running,
        "group_member_add",
        &format!("group = '{group}'\ndevice = '{BULB}'"),
    )
    .await
    .expect("an answer");
    until(running, "the group's points", |r| {
        r.registry.slot(&format!("{group}/state")).is_some()
    })
    .await;
    let applied = running
        .write(&format!("{group}/state"), Value::Bool(true))
        .await;
    assert_eq!(applied, WriteResult::Applied(Some(Value::Bool(true))));
    // The bridge tells a group's state when it has sent, not when the lamps have heard.
    until(running, "the lamp is on", |_| {
        house.radio.holds("bulb", [1, 6, 0]) == 1
    })
    .await;
}

#[tokio::test]
async fn operations_reach_the_bridge_and_are_answered() {
    let Some(house) = House::joined("operations", &Setting::default()).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    until(&mut running, "the bulb", |r| {
        good(r, &format!("{BULB}/state")).is_some() && up(r)
    })
    .await;
    command_a_group(&house, &mut running).await;
    // Binding, reporting, map.
    operate(
        &running,
        "bind",
        &format!("from = '{PLUG}'\nto = '{BULB}'\nclusters = 'genOnOff'"),
    )
    .await
    .ok();
    let reporting = format!(
        "device = '{PLUG}'\nendpoint = 1\ncluster = 'haElectricalMeasurement'\nattribute = 'activePower'\nminimum = 5\nmaximum = 600\nchange = 3"
    );
    operate(&running, "configure_reporting", &reporting)
        .await
        .unwrap();
    let map = operate(&running, "network_map", "").await.unwrap();
    let nodes = map["nodes"].as_array().expect("nodes");
    assert!(nodes.len() >= 8, "{map:?}");
    assert!(
        map["links"].as_array().is_some_and(|l| !l.is_empty()),
        "{map:?}"
    );
    refused_in_words(&running).await;
    // Gone.
    operate(
        &running,
        "remove",
        &format!("device = '{MOTION}'\nforce = true"),
    )
    .await
    .unwrap();
    until(&mut running, "the motion sensor gone", |r| {
        state(r, MOTION).is_none()
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_silent_device_is_offline_and_one_back_from_a_power_cut_is_compared() {
    let setting = Setting {
        timeouts: (1, 1500),
        ..Setting::default()
    };
    let Some(house) = House::joined("silent_device", &setting).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    let bulb = format!("{BULB}/state");
    until(&mut running, "the bulb", |r| {
        good(r, &bulb).is_some() && up(r)
    })
    .await;
    // On first: one that is off shows what it is told to be before it has heard it, and would hear it
    // after its power came back.
    for told in [true, false] {
        let told = Value::Bool(told);
        let done = running.write(&bulb, told.clone()).await;
        assert_eq!(done, WriteResult::Applied(Some(told)));
    }
    // Power away and back: it is on, as lamps are, though it was told to be off.
    house
        .radio
        .tell(r#"{"do":"power","dev":"bulb","attrs":[[1,6,0,16,1]]}"#);
    until(&mut running, "the lamp to be read again", |r| {
        good(r, &bulb) == Some(Value::Bool(true))
    })
    .await;
    let words = |r: &Running| {
        let devices = r.health.devices();
        let bulb = devices.into_iter().find(|d| d.device.as_str() == BULB);
        bulb.and_then(|d| d.last_error).unwrap_or_default()
    };
    until(&mut running, "the difference told", |r| {
        words(r).contains("since its power came back")
    })
    .await;
    assert!(
        words(&running).contains("was set to OFF"),
        "{}",
        words(&running)
    );
    // Silence: the write fails in words, and the bridge calls it offline after a minute.
    house
        .radio
        .tell(r#"{"do":"silent","dev":"bulb","on":true}"#);
    match running.write(&bulb, Value::Bool(false)).await {
        WriteResult::Failed(why) => assert!(why.contains("zigbee2mqtt could not do it"), "{why}"),
        other => panic!("{other:?}"),
    }
    running.stop().await;
}

#[tokio::test]
async fn a_bridge_that_goes_leaves_nobody_offline() {
    let Some(mut house) = House::joined("bridge_goes", &Setting::default()).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    let plug = format!("{PLUG}/state");
    until(&mut running, "the plug", |r| good(r, &plug).is_some()).await;
    let lane = |r: &Running| r.health.lanes().into_iter().next().expect("a lane");
    house.bridge.down();
    until(&mut running, "the bridge missed", |r| {
        lane(r).state == LaneState::Down
    })
    .await;
    let words = lane(&running).last_error.unwrap_or_default();
    assert!(
        words.contains("has stopped") || words.contains("not connected"),
        "{words}"
    );
    until(&mut running, "unknown", |r| {
        state(r, PLUG) == Some(DeviceState::Unknown)
    })
    .await;
    let seen = running.latest[&plug].clone();
    assert_eq!(seen.quality, Quality::uncertain(riser_model::Reason::Stale));
    match running.write(&plug, Value::Bool(true)).await {
        WriteResult::Failed(why) => assert!(why.starts_with("not sent"), "{why}"),
        other => panic!("{other:?}"),
    }
    house.bridge.up();
    until(&mut running, "everything back", |r| {
        lane(r).state == LaneState::Up
            && good(r, &plug).is_some()
            && DEVICES
                .iter()
                .all(|(_, key)| state(r, key) == Some(DeviceState::Online))
    })
    .await;
    assert!(
        running
            .log
            .iter()
            .all(|o| o.quality != Quality::bad(riser_model::Reason::DeviceDown))
    );
    running.pump_for(Duration::from_millis(10)).await;
    running.stop().await;
}
