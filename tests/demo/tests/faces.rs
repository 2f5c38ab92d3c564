//! The demo as somebody who starts it sees it: every protocol it shows has values, and what is written
//! through the gateway is done in the building.

use riser_e2e::local::Local;
use riser_e2e::process::free_port;
use riser_e2e::{Process, until};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How long it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A point of every device, and between what its value must lie.
const VALUES: &[(&str, f64, f64)] = &[
    ("ahu-1/supply_temp", 5.0, 40.0),
    ("boiler-1/flow_temp", 20.0, 95.0),
    ("meter-1/power", 100.0, 50_000.0),
    ("vav-4/room_temp", 15.0, 32.0),
    ("ahu-2/supply_temp", 5.0, 40.0),
    ("ahu-2/return_temp", 10.0, 30.0),
    ("ahu-2/supply_fan", 20.0, 100.0),
    ("ahu-2/setpoint", 20.0, 20.0),
    ("ahu-2/filter_limit", 250.0, 250.0),
    ("plug-1/voltage", 220.0, 240.0),
    ("plug-1/power", 0.0, 1_500.0),
    ("thermostat-1/temperature", 10.0, 30.0),
    ("thermostat-1/setpoint", 21.5, 21.5),
    ("office-climate/temperature", 10.0, 30.0),
    ("office-climate/pressure", 1_000.0, 1_030.0),
    ("office-lamp/brightness", 180.0, 180.0),
];

/// Others, with the value they have at first.
fn states() -> [(&'static str, Value); 5] {
    [
        ("ahu-2/enable", json!(true)),
        ("ahu-2/filter_alarm", json!(false)),
        ("plug-1/switch", json!(true)),
        ("thermostat-1/eco", json!(false)),
        ("office-lamp/state", json!(false)),
    ]
}

async fn good(local: &Local, path: &str) -> Option<Value> {
    let point = local.point(path).await?;
    (point["quality"]["level"] == "good").then(|| point["value"].clone())
}

/// Starts the demo and claims its gateway.
async fn demo(folder: &std::path::Path) -> (Process, Local) {
    let said = folder.join("credentials.json");
    let port = free_port().to_string();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_riser-demo"));
    let mut demo = Process::new("demo", program, folder).arguments([
        "--dir",
        &folder.join("demo").to_string_lossy(),
        "--credentials",
        &said.to_string_lossy(),
        "--local-port",
        &port,
        "--cloud-port",
        &free_port().to_string(),
    ]);
    demo.start();
    let credentials: Value = until("the demo is up", PATIENCE, || async {
        let text = std::fs::read_to_string(&said).ok()?;
        serde_json::from_str(&text).ok()
    })
    .await;
    let local = Local::new(port.parse().expect("a port"));
    let code = credentials["local"]["code"].as_str().expect("a code");
    local.claim(code).await;
    (demo, local)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_protocol_has_values_and_takes_writes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut demo, local) = demo(folder.path()).await;
    for (path, low, high) in VALUES {
        until(&format!("{path} has a value"), PATIENCE, || async {
            let value = good(&local, path).await?.as_f64()?;
            assert!((*low..=*high).contains(&value), "{path} is {value}");
            Some(())
        })
        .await;
    }
    for (path, expected) in states() {
        until(&format!("{path} is {expected}"), PATIENCE, || async {
            (good(&local, path).await? == expected).then_some(())
        })
        .await;
    }
    for (path, value) in [
        ("ahu-2/setpoint", json!(22.5)),
        ("ahu-2/mode", json!(3)),
        ("plug-1/switch", json!(false)),
        ("thermostat-1/setpoint", json!(19.5)),
        ("office-lamp/state", json!(true)),
        ("office-lamp/brightness", json!(77)),
    ] {
        let record = local.write(path, &json!({"value": value})).await;
        assert_eq!(record["outcome"]["state"], "applied", "{path}: {record}");
    }
    // What was written moves the building: the machine on the plug takes nothing any more.
    until("the plug takes no power", PATIENCE, || async {
        (good(&local, "plug-1/power").await?.as_f64()? < 0.1).then_some(())
    })
    .await;
    let (status, devices) = local.get("/api/v1/devices").await;
    assert_eq!(status, 200, "{devices}");
    let offline = devices["devices"].as_array().expect("a list");
    let offline: Vec<&Value> = offline.iter().filter(|d| d["state"] == "offline").collect();
    assert!(offline.is_empty(), "{offline:?}");
    demo.stop().await;
}
