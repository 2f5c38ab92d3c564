//! The contract every adapter must pass. The test kit's peer listens on TCP; a relay carries the
//! datagrams to it, one for one.

use crate::support::{Memory, datagram, relay, split};
use riser_adapter_testkit::contract::{Constant, Subject};
use riser_adapter_testkit::{Reply, Respond};
use std::net::SocketAddr;

fn respond(stubborn: bool) -> Box<dyn Respond> {
    let mut memory = Memory::new(stubborn);
    Box::new(move |received: &mut Vec<u8>| {
        let mut replies = Vec::new();
        while let Some(request) = split(received) {
            replies.extend(datagram(&mut memory, &request).map(Reply::now));
        }
        replies
    })
}

fn config(address: SocketAddr) -> String {
    let at = relay(address);
    format!(
        r#"
[[lane]]
key = "lane"
address = "127.0.0.1"
port = 0
broadcast = ["127.255.255.255"]
timeout_ms = 100
retries = 1

[[device]]
key = "dev"
lane = "lane"
address = "{at}"
instance = 77
interval_ms = 50
probe_interval_ms = 200
settle_ms = 300

[[device.point]]
key = "reading"
object = "ai:1"

[[device.point]]
key = "setpoint"
object = "ao:1"
access = "read_write"
"#
    )
}

const MISSPELT: &str = "[[lane]]\nkey = \"l\"\ntimout_ms = 5\n";

fn subject() -> Subject {
    Subject {
        kind: &riser_bacnet::KIND,
        config,
        device: || respond(false),
        stubborn: || respond(true),
        reads: ("dev/reading", Constant::Float(205.0)),
        writes: ("dev/setpoint", Constant::Float(21.5)),
        misspelt: (MISSPELT, "timeout_ms"),
        outstanding: 1,
    }
}

riser_adapter_testkit::contract!(subject());
