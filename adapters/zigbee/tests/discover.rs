//! What a search finds on a broker and what it says is missing, on the real mosquitto and the real
//! zigbee2mqtt.

use crate::foreign::{Broker, DEVICES, House, Setting, until};
use riser_adapter::{Discover, DiscoverRequest, Found};
use riser_adapter_testkit::{Running, programs};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toml::Table;

fn finder() -> Box<dyn Discover> {
    riser_zigbee::KIND.discover.expect("it can be looked for")()
}

async fn search(finder: &dyn Discover, options: &str) -> Result<Vec<Found>, String> {
    let options: Table = options.parse().expect("TOML");
    let (found, mut finds) = mpsc::channel(64);
    let search = finder.discover(DiscoverRequest { options }, found, CancellationToken::new());
    search.await.map_err(|e| e.to_string())?;
    let mut all = Vec::new();
    while let Some(find) = finds.recv().await {
        all.push(find);
    }
    Ok(all)
}

fn at(broker: &Broker, more: &str) -> String {
    format!("host = '127.0.0.1'\nport = {}\n{more}", broker.port)
}

/// The bridge itself among the finds.
fn bridge<'a>(finds: &'a [Found], base: &str) -> &'a Found {
    let mut bridges = finds.iter().filter(|f| f.config.get("device").is_none());
    let found = bridges.find(|f| f.address.ends_with(&format!(" {base}")));
    assert!(found.is_some(), "no bridge {base} in {finds:#?}");
    found.expect("just looked")
}

/// One bridge has stopped, one is long gone with a device it did not understand, one has nobody.
async fn leave_words(broker: &Broker) {
    let devices: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/devices.json")).expect("JSON");
    let mut list = devices.as_array().cloned().expect("a list");
    list.retain(|d| d["type"] == "Coordinator" || d["ieee_address"] == DEVICES[0].1);
    for device in &mut list {
        if device["type"] != "Coordinator" {
            device["interview_state"] = "FAILED".into();
        }
    }
    let alone: Vec<_> = list.iter().filter(|d| d["type"] == "Coordinator").collect();
    let alone = serde_json::to_string(&alone).expect("JSON");
    let list = serde_json::to_string(&list).expect("JSON");
    let offline = r#"{"state":"offline"}"#;
    let online = r#"{"state":"online"}"#;
    for (topic, payload) in [
        ("stopped/bridge/state", offline),
        ("floor/gone/bridge/state", online),
        ("floor/gone/bridge/devices", &list),
        ("empty/bridge/state", offline),
        ("empty/bridge/devices", &alone),
    ] {
        broker.publish(topic, payload, true).await;
    }
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let Some(broker) = Broker::start("what_is_missing", "allow_anonymous true") else {
        return;
    };
    let anywhere = at(&broker, "username = ''\nbase_topic = ''");
    let finds = search(&*finder(), &anywhere).await.expect("a search");
    assert_eq!(finds.len(), 1, "{finds:#?}");
    let nobody = &finds[0];
    assert!(nobody.config.is_empty(), "{nobody:?}");
    assert!(
        nobody
            .remark
            .contains("zigbee bridge down: the broker answers, but no retained bridge/state"),
        "{nobody:?}"
    );
    leave_words(&broker).await;
    let finds = search(&*finder(), &anywhere).await.expect("a search");
    let words = |base: &str| bridge(&finds, base).remark.clone();
    assert!(
        words("stopped").contains("zigbee bridge down: it says offline"),
        "{}",
        words("stopped")
    );
    assert!(words("stopped").contains("its list of devices is not on the broker"));
    assert!(
        words("floor/gone").contains("it is not connected any more"),
        "{}",
        words("floor/gone")
    );
    assert!(
        words("empty").contains("no devices joined yet"),
        "{}",
        words("empty")
    );
    let device = finds
        .iter()
        .find(|f| f.config.contains_key("device"))
        .expect("a device");
    assert!(
        device.remark.contains("could not find out what it is"),
        "{device:?}"
    );
    assert!(device.remark.contains("the bridge is down"), "{device:?}");
    // Where one base topic is given, only that one is looked at.
    let one = search(&*finder(), &at(&broker, "base_topic = 'stopped'"))
        .await
        .expect("a search");
    assert_eq!(one.len(), 1);
    let none = search(&*finder(), &at(&broker, "base_topic = 'nothing'"))
        .await
        .expect("a search");
    assert!(
        none[0].remark.contains("is kept under 'nothing'"),
        "{none:?}"
    );
}

#[tokio::test]
async fn a_broker_that_refuses_is_told_from_one_that_is_not_there() {
    let nobody = format!("host = '127.0.0.1'\nport = {}", programs::free_port());
    let error = search(&*finder(), &nobody).await.expect_err("no broker");
    assert!(error.contains("nothing listens on 127.0.0.1"), "{error}");
    let error = search(&*finder(), "host = 'mqtt://x'")
        .await
        .expect_err("no host");
    assert!(error.contains("is no host"), "{error}");
    let Some(broker) = Broker::start("a_broker_that_refuses", "allow_anonymous false") else {
        return;
    };
    let error = search(&*finder(), &at(&broker, ""))
        .await
        .expect_err("no login");
    assert!(error.contains("give username and password"), "{error}");
    let login = at(&broker, "username = 'riser'\npassword = 'wrong'");
    let error = search(&*finder(), &login).await.expect_err("a wrong login");
    assert!(error.contains("refuses user 'riser'"), "{error}");
}

/// Beside the network that runs, a find says that it is there already.
async fn beside_what_runs(house: &House) {
    let mut finder = finder();
    let runs: Table = house.config().parse().expect("TOML");
    finder.beside(vec![runs.clone()]);
    let finds = search(&*finder, &at(&house.broker, ""))
        .await
        .expect("a search");
    assert_eq!(
        finder.known(&runs, bridge(&finds, "zigbee2mqtt")),
        Some(String::new())
    );
    let again = finds
        .iter()
        .find(|f| f.address.ends_with(DEVICES[0].1))
        .expect("the weather sensor");
    assert!(
        again
            .remark
            .contains("it runs already as 0x00158d0001a2b3c4"),
        "{again:?}"
    );
    assert_eq!(finder.known(&runs, again), None);
    let joined = finder.join(&runs, again);
    assert_eq!(joined.keys().collect::<Vec<_>>(), ["device"]);
}

#[tokio::test]
async fn a_running_bridge_is_found_with_its_devices_and_what_they_offer() {
    let Some(house) = House::joined("a_running_bridge", &Setting::default()).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    until(&mut running, "the bridge", |r| {
        DEVICES
            .iter()
            .all(|(_, key)| r.health.devices().iter().any(|d| d.device.as_str() == *key))
    })
    .await;
    let finder = finder();
    let finds = search(&*finder, &at(&house.broker, ""))
        .await
        .expect("a search");
    assert_eq!(finds.len(), 8, "{finds:#?}");
    let own = bridge(&finds, "zigbee2mqtt");
    assert!(own.remark.starts_with("zigbee2mqtt is running"), "{own:?}");
    let told = |key: &str| own.identity.iter().any(|(k, v)| k == key && !v.is_empty());
    assert!(
        ["version", "coordinator", "devices"]
            .iter()
            .all(|k| told(k)),
        "{own:?}"
    );
    let device = |find: &Found| -> Option<Table> {
        find.config
            .get("device")?
            .as_array()?
            .first()?
            .as_table()
            .cloned()
    };
    let weather = finds
        .iter()
        .find(|f| device(f).is_some_and(|d| d["ieee"].as_str() == Some(DEVICES[0].1)));
    let weather = weather.expect("the weather sensor");
    assert!(
        weather.remark.starts_with("offers 7 points") || weather.remark.contains("Temperature °C"),
        "{weather:?}"
    );
    // What is proposed is accepted; an entry gives the device a key of its own.
    let entry = device(weather).expect("an entry");
    assert_eq!(entry["key"].as_str(), Some("weather"));
    let text = toml::to_string(&weather.config).expect("TOML");
    riser_adapter_testkit::harness::build(&riser_zigbee::KIND, &text)
        .unwrap_or_else(|e| panic!("{e}\n{text}"));
    beside_what_runs(&house).await;
    running.stop().await;
}
