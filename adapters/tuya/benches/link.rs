//! What the adapter costs: the codec for each message and version, and a hundred devices that are
//! asked every second. Run with `cargo bench -p riser-tuya`; figures are printed, nothing asserted.
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

#[path = "../tests/support/mod.rs"]
mod support;

use riser_adapter_testkit::{Peer, Running};
use riser_tuya::codec::frame::{Frame, seal};
use riser_tuya::codec::payload::{open_message, wrap};
use riser_tuya::codec::{LocalKey, Message, Version, command};
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{FakeDevice, ID};

const KEY: LocalKey = LocalKey::new(*b"0123456789abcdef");
const REPORT: &[u8] =
    br#"{"protocol":4,"t":1700000000,"data":{"dps":{"1":true,"9":0,"18":412,"19":953,"20":2311,"26":0}}}"#;

fn main() {
    for version in Version::ALL {
        codec(version);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(devices());
}

fn codec(version: Version) {
    const TIMES: u32 = 20_000;
    let body = wrap(REPORT, command::STATUS, version, &KEY);
    let frame = Frame {
        sequence: 1,
        command: command::STATUS,
        body,
    };
    let raw = seal(&frame, version.framing(), &KEY, [1; 12]);
    let began = Instant::now();
    for _ in 0..TIMES {
        let opened =
            open_message(black_box(&raw), version, &KEY).expect("it was made with this key");
        black_box(Message::new(&opened));
    }
    let each = began.elapsed().as_secs_f64() * 1.0e6 / f64::from(TIMES);
    println!(
        "{version}: {each:.2} µs to open, decipher and understand a report of six data points"
    );
}

/// A hundred devices, each asked ten times a second; both ends run in this process.
async fn devices() {
    let mut peers = Vec::new();
    let mut config = "[listen]\nports = []\n".to_owned();
    for n in 0..100 {
        let peer = Peer::start(|| FakeDevice::boxed(Version::V35, false)).await;
        config += &format!(
            "[[device]]\nkey = \"d{n}\"\nid = \"{ID}{n}\"\nlocal_key = \"0123456789abcdef\"\nhost = \"127.0.0.1\"\nport = {}\nversion = \"3.5\"\ninterval_ms = 100\n\
             [[device.point]]\nkey = \"reading\"\ndp = 5\ntype = \"int\"\n[[device.point]]\nkey = \"setpoint\"\ndp = 2\ntype = \"float\"\nscale = 0.1\n",
            peer.address().port()
        );
        peers.push(peer);
    }
    let mut running = Running::start(&riser_tuya::KIND, &config);
    running.pump_for(Duration::from_secs(2)).await;
    let (before, cpu, began) = (running.log.len(), processor_time(), Instant::now());
    running.pump_for(Duration::from_secs(10)).await;
    let readings = u32::try_from(running.log.len() - before).unwrap_or(u32::MAX);
    let (cpu, wall) = (processor_time() - cpu, began.elapsed().as_secs_f64());
    println!(
        "100 devices of 3.5, asked ten times a second: {:.0} readings/s, {:.3} cores, {:.1} µs a reading (devices included)",
        f64::from(readings) / wall,
        cpu / wall,
        cpu * 1.0e6 / f64::from(readings)
    );
    running.stop().await;
}

/// Processor time of this process, in seconds.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |n: usize| {
        fields
            .get(n)
            .and_then(|f| f.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}
