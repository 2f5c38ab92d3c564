//! What the adapter costs: processor time per property value at 30,000 values a second. The devices
//! are their own process, so that only the adapter is measured. Run with `cargo bench -p riser-bacnet`;
//! figures are printed, nothing is asserted.
//!
//! The rig, for others to run: 30 devices on 127.0.2.1 to 127.0.2.30, 1,000 analog inputs each with
//! present value and status flags, no segmentation, answers as fast as they come. A value read counts
//! once, its flags not at all.
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

use riser_adapter_testkit::Running;
use riser_bacnet::codec::service::property::{self, Reference};
use riser_bacnet::codec::service::{self, device};
use riser_bacnet::codec::{Apdu, Bits, Bvlc, Datum, Npdu, Payload, PropertyId};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEVICES: u8 = 30;
const POINTS: u32 = 1000;
const PORT: u16 = 47_999;

fn main() {
    if std::env::args().any(|a| a == "--devices") {
        return serve();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let _devices = Devices::start();
        reads().await;
    });
}

fn config(devices: u8, rest: &str) -> String {
    let mut text = format!(
        "[[lane]]\nkey = \"lane\"\naddress = \"127.0.0.1\"\nport = {}\nbroadcast = [\"127.255.255.255\"]\n",
        PORT + 1
    );
    for nth in 1..=devices {
        text += &format!(
            "[[device]]\nkey = \"d{nth}\"\nlane = \"lane\"\naddress = \"127.0.2.{nth}:{PORT}\"\ninstance = {nth}\n{rest}\n"
        );
        for point in 1..=POINTS {
            text += &format!("[[device.point]]\nkey = \"p{point}\"\nobject = \"ai:{point}\"\n");
        }
    }
    text
}

/// Every value once a second.
async fn reads() {
    let mut running = Running::start(&riser_bacnet::KIND, &config(DEVICES, "interval_ms = 1000"));
    let _warm = count(&mut running, Duration::from_secs(3)).await;
    let (cpu, began) = (processor_time(), Instant::now());
    let values = count(&mut running, Duration::from_secs(10)).await;
    let (cpu, wall) = (processor_time() - cpu, began.elapsed().as_secs_f64());
    let overruns: u64 = running.health.lanes().iter().map(|l| l.overruns).sum();
    let values = f64::from(values);
    println!(
        "reading: {:.0} values/s from {DEVICES} devices, {:.3} cores, {:.2} µs of processor time a value, {overruns} rounds late",
        values / wall,
        cpu / wall,
        cpu * 1.0e6 / values,
    );
    running.stop().await;
}

/// Readings that came in a time.
async fn count(running: &mut Running, time: Duration) -> u32 {
    let until = tokio::time::Instant::now() + time;
    let mut readings = 0;
    while let Ok(Some(batch)) = tokio::time::timeout_at(until, running.batches.recv()).await {
        readings += u32::try_from(batch.readings.len()).unwrap_or(u32::MAX);
    }
    readings
}

/// Seconds of processor time of this process.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The devices in a process of their own.
struct Devices(Child);

impl Devices {
    fn start() -> Self {
        let own = std::env::current_exe().expect("a path");
        let mut child = Command::new(own)
            .arg("--devices")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the devices start");
        let output = child.stdout.take().expect("it was piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        Self(child)
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        let _ended_before = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn serve() {
    for nth in 1..=DEVICES {
        let at = SocketAddrV4::new(Ipv4Addr::new(127, 0, 2, nth), PORT);
        let socket = UdpSocket::bind(at).expect("a port");
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = answer(nth, &buffer[..length]) {
                    let _gone = socket.send_to(&answer, from);
                }
            }
        });
    }
    println!("READY");
    // Until the bench has ended.
    let _ended = std::io::stdin().lines().map_while(Result::ok).count();
}

fn answer(nth: u8, datagram: &[u8]) -> Option<Vec<u8>> {
    let Bvlc::Unicast(npdu) = Bvlc::decode(datagram).ok()? else {
        return None;
    };
    let Payload::Apdu(apdu) = Npdu::decode(npdu).ok()?.payload else {
        return None;
    };
    match Apdu::decode(apdu).ok()? {
        Apdu::Unconfirmed {
            service: service::WHO_IS,
            ..
        } => {
            let body = device::IAm {
                instance: nth.into(),
                max_apdu: 1476,
                segmentation: device::Segmentation::None,
                vendor: 999,
            }
            .encoded();
            let service = service::I_AM;
            Some(frame(&Apdu::Unconfirmed {
                service,
                body: &body,
            }))
        }
        Apdu::Confirmed {
            invoke,
            service: service::READ_PROPERTY_MULTIPLE,
            body,
            ..
        } => {
            let wanted = property::decode_read_many(body).ok()?;
            let found: Vec<_> = wanted.into_iter().map(|w| (w, Ok(value(&w)))).collect();
            let body = property::read_many_answer(&found);
            let service = service::READ_PROPERTY_MULTIPLE;
            Some(frame(&Apdu::ComplexAck {
                segment: None,
                invoke,
                service,
                body: &body,
            }))
        }
        _ => None,
    }
}

fn value(wanted: &Reference) -> Vec<u8> {
    match wanted.property {
        PropertyId::PRESENT_VALUE => Datum::Real(21.5).encoded(),
        _ => Datum::Bits(Bits::new(&[false; 4])).encoded(),
    }
}

fn frame(apdu: &Apdu<'_>) -> Vec<u8> {
    let (mut octets, mut npdu) = (Vec::new(), Vec::new());
    apdu.encode(&mut octets);
    Npdu {
        to: None,
        from: None,
        expects: false,
        payload: Payload::Apdu(&octets),
    }
    .encode(&mut npdu);
    Bvlc::Unicast(&npdu).encoded()
}
