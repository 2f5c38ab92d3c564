//! The contract every adapter must pass, for a version without and two with a session key.

use crate::support::{FakeDevice, ID};
use riser_adapter_testkit::contract::{Constant, Subject};
use riser_tuya::codec::Version;
use std::net::SocketAddr;

fn config(address: SocketAddr, version: &str) -> String {
    format!(
        r#"
[listen]
ports = []

[[device]]
key = "dev"
id = "{ID}"
local_key = "0123456789abcdef"
host = "{}"
port = {}
version = "{version}"
interval_ms = 50
timeout_ms = 100
retry_ms = 100
retry_max_ms = 200
heartbeat_ms = 5000

[[device.point]]
key = "reading"
dp = 5
type = "int"

[[device.point]]
key = "setpoint"
dp = 2
type = "float"
scale = 0.1
access = "read_write"
settle_ms = 300
"#,
        address.ip(),
        address.port()
    )
}

const MISSPELT: &str =
    "[[device]]\nkey = \"d\"\nid = \"bf01\"\nlocal_key = \"0123456789abcdef\"\ntimout_ms = 5\n";

macro_rules! version {
    ($name:ident, $version:expr) => {
        mod $name {
            use super::*;
            riser_adapter_testkit::contract!(Subject {
                kind: &riser_tuya::KIND,
                config: |address| config(address, $version.text()),
                device: || FakeDevice::boxed($version, false),
                stubborn: || FakeDevice::boxed($version, true),
                reads: ("dev/reading", Constant::Int(205)),
                writes: ("dev/setpoint", Constant::Float(21.5)),
                misspelt: (MISSPELT, "timeout_ms"),
                outstanding: 1,
            });
        }
    };
}

version!(v33, Version::V33);
version!(v34, Version::V34);
version!(v35, Version::V35);
