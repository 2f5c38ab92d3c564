//! The contract every adapter must pass, for Modbus over TCP and for RTU frames over TCP.

use crate::support::{FakeDevice, Memory, Shared};
use riser_adapter_testkit::Respond;
use riser_adapter_testkit::contract::{Constant, Subject};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

fn memory(stubborn: bool) -> Shared {
    Arc::new(Mutex::new(Memory {
        holding: (0..20).map(|a| (a, a + 200)).collect(),
        stubborn,
        ..Memory::default()
    }))
}

fn config(address: SocketAddr, transport: &str) -> String {
    format!(
        r#"
[[lane]]
key = "lane"
transport = "{transport}"
host = "{}"
port = {}
timeout_ms = 100
probe_interval_ms = 200
connect_timeout_ms = 500

[[device]]
key = "dev"
lane = "lane"
unit = 7
interval_ms = 50

[[device.point]]
key = "reading"
address = 5
type = "u16"

[[device.point]]
key = "setpoint"
address = 8
type = "i16"
scale = 0.1
access = "read_write"
settle_ms = 300
"#,
        address.ip(),
        address.port()
    )
}

const MISSPELT: &str = "[[lane]]\nkey = \"l\"\ntransport = \"tcp\"\nhost = \"h\"\ntimout_ms = 5\n";

fn subject(
    device: fn() -> Box<dyn Respond>,
    stubborn: fn() -> Box<dyn Respond>,
    config: fn(SocketAddr) -> String,
) -> Subject {
    Subject {
        kind: &riser_modbus::KIND,
        config,
        device,
        stubborn,
        reads: ("dev/reading", Constant::Int(205)),
        writes: ("dev/setpoint", Constant::Float(21.5)),
        misspelt: (MISSPELT, "timeout_ms"),
        outstanding: 1,
    }
}

mod tcp {
    use super::*;
    riser_adapter_testkit::contract!(subject(
        || FakeDevice::tcp(&memory(false)),
        || FakeDevice::tcp(&memory(true)),
        |address| config(address, "tcp"),
    ));
}

mod rtu_over_tcp {
    use super::*;
    riser_adapter_testkit::contract!(subject(
        || FakeDevice::rtu(&memory(false)),
        || FakeDevice::rtu(&memory(true)),
        |address| config(address, "rtu_over_tcp"),
    ));
}
