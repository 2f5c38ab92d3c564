//! The whole path against foreign devices: what pymodbus holds, register by register, is what both
//! faces show; what Riser writes, mbpoll reads.

use riser_e2e::cloud::Cloud;
use riser_e2e::lab::GATEWAY;
use riser_e2e::local::Local;
use riser_e2e::process::{Process, free_port};
use riser_e2e::{Lab, alone, peers, until};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Point, its table in the peer `tests/peers/modbus_peer.py` (unit 1), and what it must show.
const EXPECTED: &[(&str, &str, f64)] = &[
    ("u16", "address = 0, type = \"u16\"", 215.0),
    ("i16", "address = 1, type = \"i16\"", -5.0),
    ("scaled", "address = 0, type = \"i16\", scale = 0.1", 21.5),
    ("f32_abcd", "address = 30, type = \"f32\"", 21.5),
    (
        "f32_cdab",
        "address = 32, type = \"f32\", order = \"cdab\"",
        21.5,
    ),
    ("i32", "address = 40, type = \"i32\"", -123_456.0),
    ("i64", "address = 50, type = \"i64\"", -1_099_511_627_783.0),
    ("f64", "address = 74, type = \"f64\"", -0.125),
    (
        "input",
        "table = \"input\", address = 0, type = \"u16\"",
        231.0,
    ),
    (
        "coil",
        "table = \"coil\", address = 0, type = \"bool\"",
        1.0,
    ),
    (
        "discrete",
        "table = \"discrete\", address = 1, type = \"bool\"",
        1.0,
    ),
];

fn device(lane: &str) -> String {
    let points: String = EXPECTED
        .iter()
        .map(|(key, rest, _)| format!("  {{ key = \"{key}\", {rest} }},\n"))
        .collect();
    format!(
        "[[adapter.device]]\nkey = \"{lane}\"\nlane = \"{lane}\"\nunit = 1\ninterval_ms = 500\npoint = [\n{points}\
         {{ key = \"text\", address = 20, type = \"string\", length = 5 }},\n\
         {{ key = \"setpoint\", address = 90, type = \"i16\", scale = 0.1, unit = \"°C\", access = \"read_write\", \
         limits = {{ min = 14.0, max = 26.0 }} }},\n]\n"
    )
}

fn number(view: &serde_json::Value) -> Option<f64> {
    (view["quality"]["level"] == "good").then(|| match &view["value"] {
        serde_json::Value::Bool(b) => Some(f64::from(u8::from(*b))),
        value => value.as_f64(),
    })?
}

/// pymodbus behind TCP and behind a serial line made of two pseudo-terminals.
struct Foreign {
    port: u16,
    near: PathBuf,
    _processes: [Process; 3],
}

async fn foreign(python: PathBuf, socat: PathBuf, folder: &Path) -> Foreign {
    let script = peers::root()
        .join("tests/peers/modbus_peer.py")
        .to_string_lossy()
        .into_owned();
    let port = free_port();
    let mut tcp =
        Process::new("tcp", python.clone(), folder).arguments([&script, "tcp", &port.to_string()]);
    let (near, far) = (folder.join("near"), folder.join("far"));
    let pty = |path: &Path| format!("pty,raw,echo=0,link={}", path.display());
    let mut wire = Process::new("socat", socat, folder).arguments([pty(&far), pty(&near)]);
    wire.start();
    until(
        "the serial line is there",
        Duration::from_secs(5),
        || async { (near.exists() && far.exists()).then_some(()) },
    )
    .await;
    let mut rtu = Process::new("rtu", python, folder).arguments([
        &script,
        "rtu",
        &far.to_string_lossy(),
        "19200",
    ]);
    tcp.start();
    rtu.start();
    Foreign {
        port,
        near,
        _processes: [tcp, wire, rtu],
    }
}

/// Every point of a lane shows what the device holds, on both faces.
async fn both_show(local: &Local, cloud: &Cloud, lane: &str) {
    for (key, _, expected) in EXPECTED {
        let path = format!("{lane}/{key}");
        until(
            &format!("{path} shows {expected} on the LAN page"),
            Duration::from_secs(20),
            || async { (number(&local.point(&path).await?)? == *expected).then_some(()) },
        )
        .await;
        until(
            &format!("{path} shows {expected} on the dashboard"),
            Duration::from_secs(10),
            || async { (number(&cloud.point(GATEWAY, &path).await?)? == *expected).then_some(()) },
        )
        .await;
    }
    let text = local
        .point(&format!("{lane}/text"))
        .await
        .expect("the text point exists");
    assert_eq!(text["value"], "RISER-AHU1");
}

/// What mbpoll, another master, reads in holding register 90 of unit 1.
async fn mbpoll_says(mbpoll: PathBuf, port: u16) -> String {
    let read = tokio::process::Command::new(mbpoll)
        .args(["-0", "-1", "-m", "tcp", "-p", &port.to_string()])
        .args(["-a", "1", "-t", "4", "-r", "90", "-c", "1", "127.0.0.1"])
        .output()
        .await
        .expect("mbpoll runs");
    String::from_utf8_lossy(&read.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_register_of_a_foreign_device_is_shown_as_it_is() {
    let _turn = alone().await;
    let (Some(python), Some(socat), Some(mbpoll)) = (
        peers::python("modbus"),
        peers::program("socat"),
        peers::program("mbpoll"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let peer = foreign(python, socat, folder.path()).await;
    let building = format!(
        "[[adapter]]\nkind = \"modbus\"\nname = \"field\"\n\
         [[adapter.lane]]\nkey = \"tcp\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\n\
         [[adapter.lane]]\nkey = \"rtu\"\ntransport = \"rtu\"\nserial = \"{}\"\nbaud = 19200\nparity = \"none\"\n{}{}",
        peer.port,
        peer.near.display(),
        device("tcp"),
        device("rtu"),
    );
    let (_lab, local, cloud) = Lab::start(&building).await;
    for lane in ["tcp", "rtu"] {
        both_show(&local, &cloud, lane).await;
    }

    let record = cloud
        .write(GATEWAY, "tcp/setpoint", &json!({"value": 21.5}))
        .await;
    assert_eq!(record["outcome"]["state"], "applied", "{record}");
    assert_eq!(record["outcome"]["read_back"], 21.5);
    let said = mbpoll_says(mbpoll, peer.port).await;
    assert!(
        said.contains("[90]:") && said.contains("215"),
        "mbpoll reads what Riser wrote: {said}"
    );
    let refused = local
        .post("/api/v1/points/tcp/setpoint/write", &json!({"value": 40.0}))
        .await;
    assert_eq!(refused.0, 422, "{}", refused.1);
    let record = local.write("rtu/setpoint", &json!({"value": 19.0})).await;
    assert_eq!(record["outcome"]["state"], "applied", "{record}");
}
