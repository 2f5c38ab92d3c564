//! The pretend devices of `tests/peers/tuya_peer.py`, framed and ciphered by tinytuya: starting them,
//! telling them what to do, and the configuration that reaches them.
#![expect(
    clippy::panic,
    reason = "a test that cannot set up its peer has failed"
)]

use riser_adapter_testkit::{Running, programs};
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

pub(crate) const ID: &str = "bf0123456789abcdef01ab";
pub(crate) const KEY: &str = "0123456789abc<$'";

/// A running peer; ends with this value.
pub(crate) struct TuyaPeer {
    child: Child,
    pub(crate) port: u16,
    control: u16,
}

impl TuyaPeer {
    /// Starts one, or says why the test does not run.
    pub(crate) fn start(test: &str, version: &str, arguments: &[&str]) -> Option<Self> {
        let manifest = env!("CARGO_MANIFEST_DIR");
        let Some(python) = programs::python(manifest, "tuya") else {
            programs::skip(test, "the Python environment 'tuya' (make test makes it)");
            return None;
        };
        let script = programs::repository(manifest).join("tests/peers/tuya_peer.py");
        let mut command = Command::new(python);
        command.arg(script).args([version, ID, KEY]).args(arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            panic!("could not start {command:?}");
        };
        let mut line = String::new();
        let output = child.stdout.take().map(BufReader::new);
        let Some(Ok(_)) = output.map(|mut o| o.read_line(&mut line)) else {
            panic!("{command:?} said nothing");
        };
        let ports: Vec<u16> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|w| w.parse().ok())
            .collect();
        let [port, control] = ports[..] else {
            panic!("{command:?} said '{line}'");
        };
        Some(Self {
            child,
            port,
            control,
        })
    }

    /// Tells it something; its state afterwards.
    pub(crate) fn tell(&self, order: &Json) -> Json {
        let said = || -> std::io::Result<Json> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.control))?;
            stream.write_all(format!("{order}\n").as_bytes())?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line)?;
            Ok(serde_json::from_str(&line)?)
        };
        match said() {
            Ok(state) => state,
            Err(error) => panic!("the peer did not take {order}: {error}"),
        }
    }

    /// Connections it has accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.tell(&json!({"get": 1}))["accepted"]
            .as_u64()
            .unwrap_or(0)
    }

    /// A configuration for it; `more` stands in the device's table.
    pub(crate) fn config(&self, listen: Option<u16>, more: &str) -> String {
        config(self.port, listen, more)
    }
}

impl Drop for TuyaPeer {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A configuration with one device; `more` stands in its table, before its points.
pub(crate) fn config(port: u16, listen: Option<u16>, more: &str) -> String {
    let ports = listen.map_or(String::new(), |p| p.to_string());
    let key = if more.contains("local_key") {
        String::new()
    } else {
        format!("local_key = \"{KEY}\"\n")
    };
    let host = if more.contains("host") {
        ""
    } else {
        "host = \"127.0.0.1\"\n"
    };
    format!(
        r#"
[listen]
address = "127.0.0.1"
ports = [{ports}]

[[device]]
key = "plug"
id = "{ID}"
{key}{host}port = {port}
interval_ms = 400
timeout_ms = 700
connect_timeout_ms = 700
heartbeat_ms = 300
retry_ms = 200
retry_max_ms = 400
beacon_wait_ms = 3000
{more}

[[device.point]]
key = "switch"
dp = 1
type = "bool"
access = "read_write"
settle_ms = 300

[[device.point]]
key = "power"
dp = 19
type = "float"
scale = 0.1
unit = "W"

[[device.point]]
key = "voltage"
dp = 20
type = "float"
scale = 0.1
unit = "V"
access = "read_write"
settle_ms = 300
"#
    )
}

/// A datagram port of loopback that was free a moment ago.
pub(crate) fn free_datagram_port() -> u16 {
    match UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()) {
        Ok(address) => address.port(),
        Err(error) => panic!("no free port: {error}"),
    }
}

/// What the device's health says went wrong.
pub(crate) fn said(running: &Running) -> String {
    let devices = running.health.devices();
    devices
        .first()
        .and_then(|d| d.last_error.clone())
        .unwrap_or_default()
}
