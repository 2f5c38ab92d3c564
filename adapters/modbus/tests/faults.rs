//! Faults in bulk: stray octets, silent units, flapping devices, holes, gateways that take one
//! request at a time. The peer is a fake in this process; its octets are bent on purpose.

use crate::support::{FakeDevice, Memory, Shared};
use riser_adapter::WriteResult;
use riser_adapter_testkit::{Mode, Peer, Reply, Respond, Running};
use riser_model::{DeviceState, Quality, Reason, Timestamp, Value};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn shared(memory: Memory) -> Shared {
    Arc::new(Mutex::new(memory))
}

fn lane(address: SocketAddr, rest: &str) -> String {
    format!(
        "[[lane]]\nkey = \"lane\"\ntransport = \"tcp\"\nhost = \"{}\"\nport = {}\n{rest}\n",
        address.ip(),
        address.port()
    )
}

/// A register's content tells its address, so that a value of another place is always noticed.
fn content(address: u16) -> u16 {
    address.wrapping_mul(40_503) ^ 0x5A5A
}

/// A device that puts four octets that belong to nothing around every hundredth answer.
struct Stray {
    device: Box<dyn Respond>,
    answers: usize,
    last: Vec<u8>,
}

impl Respond for Stray {
    fn respond(&mut self, received: &mut Vec<u8>) -> Vec<Reply> {
        let mut replies = self.device.respond(received);
        for reply in &mut replies {
            self.answers += 1;
            if self.answers.is_multiple_of(100) {
                let turn = self.answers / 100;
                // Octets of chance, nothing, and what looks most like a header: an old id.
                let octets = match turn % 3 {
                    0 => [0, 0, 0, 0],
                    1 => self
                        .last
                        .first_chunk::<2>()
                        .map_or([9; 4], |id| [id[0], id[1], 0, 0]),
                    _ => u32::try_from(turn)
                        .unwrap_or(0)
                        .wrapping_mul(2_654_435_761)
                        .to_be_bytes(),
                };
                if turn.is_multiple_of(2) {
                    reply.octets.splice(0..0, octets);
                } else {
                    reply.octets.extend(octets);
                }
            }
            self.last.clone_from(&reply.octets);
        }
        replies
    }
}

/// Reads until `wanted` readings came; returns how many and how many were wrong.
async fn check_readings(
    running: &mut Running,
    places: &BTreeMap<u32, u16>,
    wanted: usize,
) -> (usize, usize) {
    let (mut good, mut wrong) = (0, 0);
    let until = Instant::now() + Duration::from_secs(120);
    while good < wanted && Instant::now() < until {
        let next = tokio::time::timeout(Duration::from_secs(20), running.batches.recv()).await;
        let Ok(Some(batch)) = next else {
            break;
        };
        for reading in batch.readings.iter().filter(|r| r.quality.is_good()) {
            let expected = places
                .get(&reading.slot.0)
                .map(|a| Value::Int(content(*a).into()));
            good += 1;
            wrong += usize::from(reading.value != expected);
        }
    }
    (good, wrong)
}

/// Points ten registers apart, so that each is a request of its own.
fn scattered(count: u16) -> (Memory, String) {
    let memory = Memory {
        holding: (0..count * 10).map(|a| (a, content(a))).collect(),
        ..Memory::default()
    };
    let points = (0..count).map(|i| {
        format!(
            "[[device.point]]\nkey = \"r{i}\"\naddress = {}\ntype = \"u16\"\n",
            i * 10
        )
    });
    let device =
        "[[device]]\nkey = \"dev\"\nlane = \"lane\"\ngap = 0\ninterval_ms = 10\n".to_owned();
    (memory, device + &points.collect::<String>())
}

async fn stray_octets(transport: &str, reads: usize) {
    const POINTS: u16 = 100;
    let (memory, device) = scattered(POINTS);
    let memory = shared(memory);
    let rtu = transport == "rtu_over_tcp";
    let answers = Arc::new(Mutex::new(0_usize));
    let peer = Peer::start(move || {
        let device = if rtu {
            FakeDevice::rtu(&memory)
        } else {
            FakeDevice::tcp(&memory)
        };
        let mut seen = answers.lock().expect("no panic");
        // Each connection goes on where the one before ended, so every hundredth answer is hit.
        *seen += 37;
        Box::new(Stray {
            device,
            answers: *seen,
            last: Vec::new(),
        })
    })
    .await;
    let config = lane(peer.address(), "timeout_ms = 300\nprobe_interval_ms = 300")
        .replace("\"tcp\"", &format!("{transport:?}"));
    let mut running = Running::start(&riser_modbus::KIND, &(config + &device));
    running
        .wait_until("the points to be declared", |r| {
            r.registry.count() == usize::from(POINTS)
        })
        .await;
    let places = (0..POINTS)
        .filter_map(|i| Some((running.registry.slot(&format!("dev/r{i}"))?.0, i * 10)))
        .collect();
    let (good, wrong) = check_readings(&mut running, &places, reads).await;
    let lanes = running.health.lanes();
    assert!(good >= reads, "only {good} readings; {lanes:?}");
    assert_eq!(wrong, 0, "{wrong} of {good} values were wrong");
    let least = u64::try_from(reads / 300).expect("a small number");
    running
        .wait_until("the figures", |r| r.health.lanes()[0].desyncs >= least)
        .await;
    running.stop().await;
}

/// Field note B2.4: four stray octets every hundred answers, a hundred thousand reads, no wrong value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stray_octets_never_become_values() {
    stray_octets("tcp", 100_000).await;
}

/// The same on frames without ids, where every loss of step costs a question to find it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stray_octets_never_become_values_on_rtu_frames() {
    stray_octets("rtu_over_tcp", 3_000).await;
}

fn five_units(interval_ms: u32) -> String {
    (1..=5)
        .map(|unit| {
            format!(
                "[[device]]\nkey = \"unit{unit}\"\nlane = \"lane\"\nunit = {unit}\ninterval_ms = {interval_ms}\n[[device.point]]\nkey = \"v\"\naddress = 0\ntype = \"u16\"\n"
            )
        })
        .collect()
}

/// A gateway with a serial line behind it: each answer takes a while.
fn slow_gateway(memory: &Shared, delay: Duration) -> Box<dyn Respond> {
    let mut device = FakeDevice {
        memory: memory.clone(),
        rtu: false,
    };
    Box::new(move |received: &mut Vec<u8>| {
        let mut replies = device.respond(received);
        replies.iter_mut().for_each(|r| r.after = delay);
        replies
    })
}

/// Field note B2.1: one silent unit of five; the others keep at least 90 % of their rate, and the
/// silent one is read again within one probe period of its return.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_unit_does_not_slow_the_others() {
    let memory = shared(Memory {
        holding: [(0, 1)].into(),
        ..Memory::default()
    });
    let of_peer = memory.clone();
    let peer = Peer::start(move || slow_gateway(&of_peer, Duration::from_millis(4))).await;
    let config =
        lane(peer.address(), "timeout_ms = 100\nprobe_interval_ms = 1000") + &five_units(100);
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running
        .wait_until("all five", |r| r.latest.len() == 5)
        .await;

    memory.lock().unwrap().mute.insert(3);
    let others = [1, 2, 4, 5].map(|u| format!("unit{u}/v"));
    let share = running
        .share_of_rate(&others, Duration::from_millis(100), Duration::from_secs(4))
        .await;
    assert!(share >= 0.9, "{:.0} % of the rate", share * 100.0);
    running
        .wait_quality("unit3/v", Quality::bad(Reason::DeviceDown))
        .await;

    memory.lock().unwrap().mute.clear();
    let began = Instant::now();
    running.wait_value("unit3/v", &Value::Int(1)).await;
    // One probe period, a probe that was already lost, and the machine's own delays.
    assert!(
        began.elapsed() < Duration::from_millis(1000 + 100 + 400),
        "{:?}",
        began.elapsed()
    );
    running.stop().await;
}

/// Field note B2.1: a thousand times off and on, and no stall at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_flips_do_not_stall_the_lane() {
    let memory = shared(Memory {
        holding: [(0, 1)].into(),
        ..Memory::default()
    });
    let of_peer = memory.clone();
    let peer = Peer::start(move || FakeDevice::tcp(&of_peer)).await;
    let config = lane(peer.address(), "timeout_ms = 10\nprobe_interval_ms = 20") + &five_units(10);
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running
        .wait_until("all five", |r| r.latest.len() == 5)
        .await;
    for flip in 0..1000_u32 {
        let unit = u8::try_from(flip % 5 + 1).unwrap();
        memory.lock().unwrap().flip(unit);
        running.pump_for(Duration::from_millis(4)).await;
    }
    memory.lock().unwrap().mute.clear();
    for unit in 1..=5 {
        let path = format!("unit{unit}/v");
        let seen = running.good_count(&path);
        running
            .wait_until(&format!("{path} to be read"), |r| {
                r.good_count(&path) > seen + 5
            })
            .await;
    }
    running.stop().await;
}

/// Field note B2.2: four units behind a gateway at 9600 baud; never two requests at once, no timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_gets_one_request_at_a_time() {
    let memory = shared(Memory {
        holding: (0..12).map(|a| (a, a)).collect(),
        ..Memory::default()
    });
    let peer = Peer::start(move || slow_gateway(&memory, Duration::from_millis(45))).await;
    let units: String = (1..=4)
        .map(|u| format!("[[device]]\nkey = \"u{u}\"\nlane = \"lane\"\nunit = {u}\ninterval_ms = 500\n[[device.point]]\nkey = \"r\"\naddress = 0\ntype = \"u16\"\nrepeat = 12\n"))
        .collect();
    let mut running = Running::start(&riser_modbus::KIND, &(lane(peer.address(), "") + &units));
    running
        .wait_until("five scans of each", |r| {
            (1..=4).all(|u| r.good_count(&format!("u{u}/r_12")) >= 5)
        })
        .await;
    assert_eq!(peer.most_outstanding(), 1);
    let lanes = running.health.lanes();
    assert_eq!((lanes[0].timeouts, lanes[0].desyncs), (0, 0));
    running.stop().await;
}

/// A server that takes several requests at once gets them, and answers may come in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_requests_may_be_outstanding_where_allowed() {
    let (memory, device) = scattered(20);
    let memory = shared(memory);
    let peer = Peer::start(move || {
        let mut device = FakeDevice {
            memory: memory.clone(),
            rtu: false,
        };
        let mut turn = 0_u32;
        Box::new(move |received: &mut Vec<u8>| {
            let mut replies = device.respond(received);
            for reply in &mut replies {
                turn += 1;
                reply.after = Duration::from_millis(u64::from(25 - turn % 4 * 7));
            }
            replies
        })
    })
    .await;
    let config = lane(peer.address(), "outstanding = 4") + &device;
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running
        .wait_until("all points", |r| {
            r.latest.len() == 20 && r.good_count("dev/r19") > 3
        })
        .await;
    for i in 0..20_u16 {
        let value = running.value(&format!("dev/r{i}")).cloned();
        assert_eq!(value, Some(Value::Int(content(i * 10).into())));
    }
    assert!(
        (2..=4).contains(&peer.most_outstanding()),
        "{}",
        peer.most_outstanding()
    );
    running.stop().await;
}

/// Field note B2.3: a hole at 11175 and at most 50 registers a request. All good registers are read,
/// the device is asked about it once, and in steady state there are no exceptions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_and_a_limit_are_learned_once() {
    let memory = shared(Memory {
        holding: (11_100..11_225)
            .filter(|a| *a != 11_175)
            .map(|a| (a, content(a)))
            .collect(),
        most: 50,
        ..Memory::default()
    });
    let of_peer = memory.clone();
    let peer = Peer::start(move || FakeDevice::tcp(&of_peer)).await;
    let config = lane(peer.address(), "")
        + "[[device]]\nkey = \"dev\"\nlane = \"lane\"\ninterval_ms = 50\n[[device.point]]\nkey = \"r\"\naddress = 11100\ntype = \"u16\"\nrepeat = 125\n";
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running
        .wait_until("every point", |r| r.latest.len() == 125)
        .await;
    running
        .wait_until("a scan after learning", |r| r.good_count("dev/r_125") > 2)
        .await;
    let learned = memory.lock().unwrap().exceptions;
    assert!(learned <= 2 * 7 + 1, "{learned} exceptions");
    let requests = peer.requests();
    running
        .wait_until("ten more scans", |_| peer.requests() > requests + 50)
        .await;
    assert_eq!(
        memory.lock().unwrap().exceptions,
        learned,
        "an exception in steady state"
    );
    for i in 1..=125_u16 {
        let latest = &running.latest[&format!("dev/r_{i}")];
        let address = 11_099 + i;
        if address == 11_175 {
            assert_eq!(latest.quality, Quality::bad(Reason::NotConfigured));
        } else {
            assert_eq!(
                latest.value,
                Some(Value::Int(content(address).into())),
                "{address}"
            );
        }
    }
    assert_eq!(running.health.devices()[0].state, DeviceState::Degraded);
    running.stop().await;
}

/// A request that stays silent although its device answers others costs the others nothing for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_silent_request_does_not_hold_up_its_device() {
    let memory = shared(Memory {
        holding: [(0, 1)].into(),
        ..Memory::default()
    });
    let peer = Peer::start(move || {
        let mut device = FakeDevice {
            memory: memory.clone(),
            rtu: false,
        };
        Box::new(move |received: &mut Vec<u8>| {
            // Function 4 is swallowed.
            while received.get(7) == Some(&4) && received.len() >= 12 {
                received.drain(..12);
            }
            device.respond(received)
        })
    })
    .await;
    let config = lane(
        peer.address(),
        "timeout_ms = 300\nretries = 0\nprobe_interval_ms = 60000",
    ) + "[[device]]\nkey = \"dev\"\nlane = \"lane\"\ninterval_ms = 50\n[[device.point]]\nkey = \"good\"\naddress = 0\ntype = \"u16\"\n[[device.point]]\nkey = \"mute\"\ntable = \"input\"\naddress = 0\ntype = \"u16\"\n";
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running
        .wait_quality("dev/mute", Quality::bad(Reason::Fault))
        .await;
    let seen = running.good_count("dev/good");
    let began = Instant::now();
    running
        .wait_until("twenty scans", |r| r.good_count("dev/good") >= seen + 20)
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    running.stop().await;
}

/// The lane's budget is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_per_second_is_a_ceiling() {
    let (memory, device) = scattered(20);
    let memory = shared(memory);
    let peer = Peer::start(move || FakeDevice::tcp(&memory)).await;
    let config = lane(peer.address(), "requests_per_second = 50.0") + &device;
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running
        .wait_until("a beginning", |_| peer.requests() > 2)
        .await;
    let (began, before) = (Instant::now(), peer.requests());
    running
        .wait_until("some requests", |_| peer.requests() > before + 40)
        .await;
    let rate = 40.0 / began.elapsed().as_secs_f64();
    assert!(rate < 55.0, "{rate:.0} requests a second");
    running.stop().await;
}

/// A server that goes away is marked down, and found again when it is back on the same port.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_is_found_again() {
    let memory = shared(Memory {
        holding: [(0, 1)].into(),
        ..Memory::default()
    });
    let of_first = memory.clone();
    let first = Peer::start(move || FakeDevice::tcp(&of_first)).await;
    let address = first.address();
    let config = lane(address, "timeout_ms = 100\nprobe_interval_ms = 300")
        + "[[device]]\nkey = \"dev\"\nlane = \"lane\"\ninterval_ms = 50\n[[device.point]]\nkey = \"v\"\naddress = 0\ntype = \"u16\"\naccess = \"read_write\"\n";
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running.wait_value("dev/v", &Value::Int(1)).await;
    drop(first);
    running
        .wait_quality("dev/v", Quality::bad(Reason::DeviceDown))
        .await;
    let result = running.write("dev/v", Value::Int(3)).await;
    let refused = format!("{result:?}");
    assert!(
        refused.contains("Failed") && refused.contains("could not connect"),
        "{refused}"
    );
    let second = Peer::start_at(&address.to_string(), move || FakeDevice::tcp(&memory)).await;
    running.wait_value("dev/v", &Value::Int(1)).await;
    second.set_mode(Mode::Answer);
    running.stop().await;
}

/// A write that waited too long is not carried out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_write_is_not_carried_out() {
    let memory = shared(Memory {
        holding: [(0, 1)].into(),
        ..Memory::default()
    });
    let of_peer = memory.clone();
    let peer = Peer::start(move || FakeDevice::tcp(&of_peer)).await;
    let config = lane(peer.address(), "")
        + "[[device]]\nkey = \"dev\"\nlane = \"lane\"\n[[device.point]]\nkey = \"v\"\naddress = 0\ntype = \"u16\"\naccess = \"read_write\"\n";
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running.wait_value("dev/v", &Value::Int(1)).await;
    let past = Timestamp(running.latest["dev/v"].at.0 - 1);
    let result = running
        .send_write_until("dev/v", Some(Value::Int(9)), past)
        .await;
    let result = result.await.unwrap();
    assert!(
        matches!(&result, WriteResult::Failed(why) if why.contains("expired")),
        "{result:?}"
    );
    assert!(!memory.lock().unwrap().functions.contains(&6));
    running.stop().await;
}

/// A write whose requester has given up, and told people that it failed, is not carried out later.
/// One thread, so that nothing runs between its sending and its giving up.
#[tokio::test]
async fn a_write_nobody_waits_for_any_more_is_not_carried_out() {
    let memory = shared(Memory {
        holding: [(0, 1)].into(),
        ..Memory::default()
    });
    let of_peer = memory.clone();
    let peer = Peer::start(move || FakeDevice::tcp(&of_peer)).await;
    let config = lane(peer.address(), "")
        + "[[device]]\nkey = \"dev\"\nlane = \"lane\"\n[[device.point]]\nkey = \"v\"\naddress = 0\ntype = \"u16\"\naccess = \"read_write\"\n";
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running.wait_value("dev/v", &Value::Int(1)).await;
    let later = Timestamp(running.latest["dev/v"].at.0 + 60_000);
    drop(
        running
            .send_write_until("dev/v", Some(Value::Int(7)), later)
            .await,
    );
    let result = running.write("dev/v", Value::Int(8)).await;
    assert_eq!(result, WriteResult::Applied(Some(Value::Int(8))));
    let written = memory.lock().unwrap().functions.clone();
    assert_eq!(written.iter().filter(|f| **f == 6 || **f == 16).count(), 1);
    running.stop().await;
}

/// Field note B2.6: a timeout below what the line takes is told before it fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_the_line_cannot_keep_is_shown() {
    let (memory, _) = scattered(2);
    let memory = shared(memory);
    let peer = Peer::start(move || FakeDevice::rtu(&memory)).await;
    let config = lane(peer.address(), "baud = 1200\ntimeout_ms = 200")
        .replace("\"tcp\"", "\"rtu_over_tcp\"")
        + "[[device]]\nkey = \"dev\"\nlane = \"lane\"\n[[device.point]]\nkey = \"r\"\naddress = 0\ntype = \"u16\"\nrepeat = 20\n";
    let mut running = Running::start(&riser_modbus::KIND, &config);
    let told = |r: &Running| {
        let lanes = r.health.lanes();
        let error = lanes.first().and_then(|l| l.last_error.clone());
        error.is_some_and(|e| e.contains("timeout_ms = 200 is below") && e.contains("1200 baud"))
    };
    running.wait_until("the warning", told).await;
    running.stop().await;
}
