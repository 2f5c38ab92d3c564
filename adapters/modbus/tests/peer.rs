//! Against independent stacks: pymodbus (TCP, RTU on a serial pair, RTU over TCP, TLS), libmodbus' own
//! test server, and mbpoll reading what was written. A missing one skips loudly, or fails under `CI`.

use crate::foreign::{PyPeer, SerialPair, certificates};
use riser_adapter::{BuildContext, DiscoverRequest, WriteResult};
use riser_adapter_testkit::{Running, programs};
use riser_model::{DeviceState, Quality, Reason, Value};
use std::time::{Duration, Instant};

/// What `modbus_peer.py` holds below address 100, as points.
const POINTS: &str = r#"
[[device.point]]
key = "temp"
address = 0
type = "i16"
scale = 0.1
access = "read_write"

[[device.point]]
key = "negative"
address = 1
type = "i16"

[[device.point]]
key = "text"
address = 20
type = "string"
length = 5

[[device.point]]
key = "bits"
address = 4
type = "bits"
bit = 4
width = 4
access = "read_write"

[[device.point]]
key = "float"
address = 92
type = "f32"
order = "cdab"
access = "read_write"

[[device.point]]
key = "masked"
address = 94
type = "bool"
bit = 9
access = "read_write"
write_function = 22

[[device.point]]
key = "both"
address = 96
type = "u32"
access = "read_write"
write_function = 23

[[device.point]]
key = "read_only"
address = 85
type = "u16"
access = "read_write"

[[device.point]]
key = "coil"
table = "coil"
address = 0
type = "bool"
access = "read_write"

[[device.point]]
key = "coil15"
table = "coil"
address = 5
type = "bool"
access = "read_write"
write_function = 15

[[device.point]]
key = "discrete"
table = "discrete"
address = 1
type = "bool"

[[device.point]]
key = "in"
table = "input"
address = 1
type = "u16"

[[device.point]]
key = "double"
address = 74
type = "f64"

[[device.point]]
key = "bcd"
address = 78
type = "bcd16"

[[device.point]]
key = "absent"
address = 80
type = "i16"
sentinel = "sunspec"

[[device.point]]
key = "row"
address = 100
type = "u16"
repeat = 400
"#;

fn ordered_points() -> String {
    let mut text = String::new();
    let orders32 = ["abcd", "cdab", "badc", "dcba"];
    let orders64 = [
        "abcdefgh", "ghefcdab", "badcfehg", "hgfedcba", "cdabghef", "efghabcd",
    ];
    let sets: [(&str, u16, &[&str]); 3] = [
        ("f32", 30, &orders32),
        ("i32", 40, &orders32),
        ("i64", 50, &orders64),
    ];
    for (kind, first, orders) in sets {
        for (nth, order) in (0..).zip(orders) {
            let step = if kind == "i64" { 4 } else { 2 };
            let address = first + nth * step;
            text += &format!(
                "[[device.point]]\nkey = \"{kind}_{order}\"\naddress = {address}\ntype = \"{kind}\"\norder = \"{order}\"\n"
            );
        }
    }
    text
}

fn device(unit: u8, rest: &str) -> String {
    format!("[[device]]\nkey = \"unit{unit}\"\nlane = \"lane\"\nunit = {unit}\n{rest}\n")
}

fn everything(unit: u8) -> String {
    device(unit, "interval_ms = 200") + POINTS + &ordered_points()
}

fn tcp_lane(transport: &str, port: u16, rest: &str) -> String {
    format!(
        "[[lane]]\nkey = \"lane\"\ntransport = \"{transport}\"\nhost = \"127.0.0.1\"\nport = {port}\n{rest}\n"
    )
}

fn row(unit: u8) -> String {
    device(
        unit,
        "interval_ms = 100\n[[device.point]]\nkey = \"r\"\naddress = 100\ntype = \"u16\"\nrepeat = 20",
    )
}

/// Every register of the peer, compared one by one.
async fn compare_all(running: &mut Running) {
    let last = "unit1/row_400";
    running
        .wait_until("the last register", |r| r.good_count(last) > 0)
        .await;
    running
        .wait_until("every table", |r| {
            r.good_count("unit1/coil") > 0 && r.good_count("unit1/in") > 0
        })
        .await;
    let expected = [
        ("temp", Value::Float(21.5)),
        ("negative", Value::Int(-5)),
        ("text", Value::text("RISER-AHU1")),
        ("bits", Value::Int(0xA)),
        ("coil", Value::Bool(true)),
        ("discrete", Value::Bool(true)),
        ("in", Value::Int(480)),
        ("double", Value::Float(-0.125)),
        ("bcd", Value::Int(1234)),
        ("read_only", Value::Int(7)),
    ];
    for (point, value) in expected {
        running.wait_value(&format!("unit1/{point}"), &value).await;
    }
    for order in ["abcd", "cdab", "badc", "dcba"] {
        running
            .wait_value(&format!("unit1/f32_{order}"), &Value::Float(21.5))
            .await;
        running
            .wait_value(&format!("unit1/i32_{order}"), &Value::Int(-123_456))
            .await;
    }
    for order in [
        "abcdefgh", "ghefcdab", "badcfehg", "hgfedcba", "cdabghef", "efghabcd",
    ] {
        running
            .wait_value(&format!("unit1/i64_{order}"), &Value::Int(-(1 << 40) - 7))
            .await;
    }
    running
        .wait_quality("unit1/absent", Quality::bad(Reason::NotAvailable))
        .await;
    for i in 1..=400_i64 {
        assert_eq!(
            running.value(&format!("unit1/row_{i}")),
            Some(&Value::Int(1000 + i - 1)),
            "register {}",
            99 + i
        );
    }
}

/// Every way of writing, each confirmed by read-back.
async fn write_all(running: &mut Running) {
    for (point, value) in [
        ("temp", Value::Float(-3.5)),
        ("float", Value::Float(18.25)),
        ("masked", Value::Bool(true)),
        ("both", Value::Int(70_000)),
        ("bits", Value::Int(0x3)),
        ("coil", Value::Bool(false)),
        ("coil15", Value::Bool(true)),
    ] {
        let result = running
            .write(&format!("unit1/{point}"), value.clone())
            .await;
        assert_eq!(result, WriteResult::Applied(Some(value)), "{point}");
    }
    let result = running.write("unit1/read_only", Value::Int(9)).await;
    assert!(
        matches!(&result, WriteResult::Refused(why) if why.contains("exception 2")),
        "{result:?}"
    );
    let result = running.write("unit1/temp", Value::Float(5000.0)).await;
    assert!(
        matches!(&result, WriteResult::Refused(why) if why.contains("-32768 to 32767")),
        "{result:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pymodbus_over_tcp_register_by_register() {
    let Some(peer) = PyPeer::tcp("pymodbus_over_tcp", "tcp") else {
        return;
    };
    let mut running = Running::start(
        &riser_modbus::KIND,
        &(tcp_lane("tcp", peer.port, "timeout_ms = 15000") + &everything(1)),
    );
    compare_all(&mut running).await;
    write_all(&mut running).await;
    if programs::program("mbpoll").is_some() {
        let port = peer.port.to_string();
        let common = ["-1", "-q", "-0", "-m", "tcp", "-p", &port, "-a", "1"];
        for (table, address, shown) in [
            ("4", "0", "65501"),
            ("4:hex", "94", "0x0200"),
            ("0", "0", "0"),
            ("0", "5", "1"),
        ] {
            let mut arguments = common.to_vec();
            arguments.extend(["-t", table, "-r", address, "-c", "1", "127.0.0.1"]);
            let (_, output) = programs::run("mbpoll", &arguments).await;
            let line = output
                .lines()
                .find(|l| l.starts_with(&format!("[{address}]")))
                .unwrap_or_default();
            assert_eq!(
                line.split_whitespace().nth(1),
                Some(shown),
                "mbpoll says: {output}"
            );
        }
    } else {
        programs::skip("mbpoll reads what was written", "mbpoll");
    }
    let lanes = running.health.lanes();
    assert_eq!((lanes[0].desyncs, lanes[0].timeouts), (0, 0), "{lanes:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pymodbus_over_a_serial_line_register_by_register() {
    let Some(pair) = SerialPair::new("pymodbus_over_a_serial_line") else {
        return;
    };
    let Some(_peer) = PyPeer::serial("pymodbus_over_a_serial_line", &pair) else {
        return;
    };
    let config = pair.lane("") + &everything(1);
    let mut running = Running::start(&riser_modbus::KIND, &config);
    compare_all(&mut running).await;
    write_all(&mut running).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pymodbus_with_rtu_frames_over_tcp_register_by_register() {
    let Some(peer) = PyPeer::tcp("pymodbus_with_rtu_frames_over_tcp", "rtu_over_tcp") else {
        return;
    };
    let config = tcp_lane("rtu_over_tcp", peer.port, "baud = 115200") + &everything(1);
    let mut running = Running::start(&riser_modbus::KIND, &config);
    compare_all(&mut running).await;
    write_all(&mut running).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pymodbus_over_tls_with_a_client_certificate() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let Some(peer) = PyPeer::tls("pymodbus_over_tls", folder.path()) else {
        return;
    };
    let context = BuildContext {
        base_dir: folder.path().to_owned(),
        profile_dir: None,
    };
    let start = |rest: &str| {
        let config = tcp_lane("tls", peer.port, rest) + &everything(1);
        Running::start_with(&riser_modbus::KIND, &config, &context)
    };
    let mut running = start(
        "ca = \"ca.pem\"\nserver_name = \"plc-1\"\ncert = \"client.pem\"\nprivate_key = \"client.key\"",
    );
    compare_all(&mut running).await;
    write_all(&mut running).await;
    running.stop().await;
    for (rest, words) in [
        (
            "ca = \"stranger.pem\"\nserver_name = \"plc-1\"\ncert = \"client.pem\"\nprivate_key = \"client.key\"",
            "certificate",
        ),
        (
            "ca = \"ca.pem\"\nserver_name = \"plc-2\"\ncert = \"client.pem\"\nprivate_key = \"client.key\"",
            "certificate",
        ),
        (
            "ca = \"ca.pem\"\nserver_name = \"plc-1\"",
            "demand a client certificate",
        ),
    ] {
        let mut running = start(rest);
        running
            .wait_until("the refusal", |r| {
                r.health
                    .lanes()
                    .iter()
                    .any(|l| l.last_error.as_ref().is_some_and(|e| e.contains(words)))
            })
            .await;
        running
            .wait_quality("unit1/temp", Quality::bad(Reason::DeviceDown))
            .await;
        assert!(
            running.log.iter().all(|o| !o.quality.is_good()),
            "a value came through a refused connection"
        );
        running.stop().await;
    }
}

/// The units that misbehave, all on one connection: what is good is right, what is not is marked.
async fn nasty(running: &mut Running, silent: &[u8]) {
    for unit in [1, 7, 9] {
        let path = format!("unit{unit}/r_20");
        running
            .wait_until(&format!("{path} five times"), |r| r.good_count(&path) >= 5)
            .await;
    }
    for unit in silent {
        running
            .wait_quality(&format!("unit{unit}/r_1"), Quality::bad(Reason::DeviceDown))
            .await;
    }
    // Late answers are still coming in; the healthy units must not notice.
    running.pump_for(Duration::from_secs(4)).await;
    let seen = running.good_count("unit1/r_1");
    running.pump_for(Duration::from_secs(2)).await;
    assert!(
        running.good_count("unit1/r_1") > seen + 5,
        "unit 1 is starved"
    );
    for observed in running.log.iter().filter(|o| o.quality.is_good()) {
        let (device, point) = observed.path.split_once('/').expect("a path");
        let unit: i64 = device[4..].parse().expect("a number");
        let place: i64 = point[2..].parse().expect("a number");
        assert_eq!(
            observed.value,
            Some(Value::Int(unit * 1000 + place - 1)),
            "{}",
            observed.path
        );
    }
    for device in running.health.devices() {
        let unit: u8 = device.device.as_str()[4..].parse().expect("a number");
        let offline = device.state == DeviceState::Offline;
        assert_eq!(offline, silent.contains(&unit), "{device:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nasty_units_over_tcp() {
    let Some(peer) = PyPeer::tcp("nasty_units_over_tcp", "tcp") else {
        return;
    };
    let silent = [2, 4, 5, 6, 8];
    let units: String = [1, 7, 9].iter().chain(&silent).map(|u| row(*u)).collect();
    let config = tcp_lane(
        "tcp",
        peer.port,
        "timeout_ms = 150\nprobe_interval_ms = 1500",
    ) + &units;
    let mut running = Running::start(&riser_modbus::KIND, &config);
    nasty(&mut running, &silent).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nasty_units_on_a_serial_line() {
    let Some(pair) = SerialPair::new("nasty_units_on_a_serial_line") else {
        return;
    };
    let Some(_peer) = PyPeer::serial("nasty_units_on_a_serial_line", &pair) else {
        return;
    };
    let silent = [4, 5, 6, 8];
    let units: String = [1, 7, 9].iter().chain(&silent).map(|u| row(*u)).collect();
    let config = pair.lane("timeout_ms = 150\nprobe_interval_ms = 1500") + &units;
    let mut running = Running::start(&riser_modbus::KIND, &config);
    nasty(&mut running, &silent).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_exception_is_told_apart() {
    let Some(peer) = PyPeer::tcp("every_exception_is_told_apart", "tcp") else {
        return;
    };
    let points: String = [1, 4, 8, 10, 11, 20]
        .iter()
        .map(|n| format!("[[device.point]]\nkey = \"e{n}\"\naddress = {n}\ntype = \"u16\"\n"))
        .collect();
    let config = tcp_lane("tcp", peer.port, "failures_to_park = 100\nretries = 0")
        + &device(3, "gap = 0\ninterval_ms = 100")
        + &points;
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running.wait_value("unit3/e20", &Value::Int(42)).await;
    for n in [1, 4, 8] {
        let reason = if n == 1 {
            Reason::NotConfigured
        } else {
            Reason::Fault
        };
        running
            .wait_quality(&format!("unit3/e{n}"), Quality::bad(reason))
            .await;
    }
    // 10 and 11 are the gateway's word for silence; the request is parked while others are answered.
    for n in [10, 11] {
        running
            .wait_quality(&format!("unit3/e{n}"), Quality::bad(Reason::Fault))
            .await;
    }
    running.stop().await;
}

/// Field note B2.1 on a serial line: five units, one mute, muted and unmuted by signal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_mute_unit_of_five_on_a_serial_line() {
    let Some(pair) = SerialPair::new("one_mute_unit_of_five") else {
        return;
    };
    let Some(peer) = PyPeer::serial("one_mute_unit_of_five", &pair) else {
        return;
    };
    let units: String = (11..=15)
        .map(row)
        .collect::<String>()
        .replace("interval_ms = 100", "interval_ms = 250");
    let config = pair.lane("timeout_ms = 150\nprobe_interval_ms = 1500") + &units;
    let mut running = Running::start(&riser_modbus::KIND, &config);
    for unit in 11..=15 {
        running
            .wait_until("all five", |r| r.good_count(&format!("unit{unit}/r_1")) > 2)
            .await;
    }
    peer.signal("USR1").await;
    let others = [11, 12, 13, 14].map(|u| format!("unit{u}/r_1"));
    let share = running
        .share_of_rate(&others, Duration::from_millis(250), Duration::from_secs(5))
        .await;
    assert!(share >= 0.9, "{:.0} % of the rate", share * 100.0);
    running
        .wait_quality("unit15/r_1", Quality::bad(Reason::DeviceDown))
        .await;
    peer.signal("USR2").await;
    let began = Instant::now();
    running.wait_value("unit15/r_1", &Value::Int(15_000)).await;
    assert!(
        began.elapsed() < Duration::from_millis(1500 + 150 + 500),
        "{:?}",
        began.elapsed()
    );
    running.stop().await;
}

/// Registers of libmodbus' test server (its `unit-test.h`).
const LIBMODBUS: &str = r#"
[[device.point]]
key = "register"
address = 0x160
type = "u16"
access = "read_write"

[[device.point]]
key = "float"
address = 0x164
type = "f32"
order = "dcba"
access = "write"

[[device.point]]
key = "coil"
table = "coil"
address = 0x130
type = "bool"
access = "read_write"

[[device.point]]
key = "inputs"
table = "discrete"
address = 0x1C4
type = "bool"
repeat = 8

[[device.point]]
key = "input"
table = "input"
address = 0x108
type = "u16"

[[device.point]]
key = "always_busy"
address = 0x170
type = "u16"

[[device.point]]
key = "slow"
address = 0x172
type = "u16"
interval_ms = 5000
"#;

/// libmodbus, a third implementer: values, writes, a slow answer, a register that is always busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libmodbus_test_server() {
    let Some(server) = crate::foreign::LibModbus::build("libmodbus_test_server") else {
        return;
    };
    let (_running_server, port) = server.start();
    let config = tcp_lane("tcp", port, "timeout_ms = 2000")
        + &device(17, "interval_ms = 100\ngap = 0\nretries = 5")
        + LIBMODBUS;
    let mut running = Running::start(&riser_modbus::KIND, &config);
    running.wait_value("unit17/input", &Value::Int(10)).await;
    // 0xAC, from the lowest bit up.
    for (bit, on) in (1..=8).zip([false, false, true, true, false, true, false, true]) {
        running
            .wait_value(&format!("unit17/inputs_{bit}"), &Value::Bool(on))
            .await;
    }
    for (point, value) in [
        ("register", Value::Int(0x022B)),
        ("coil", Value::Bool(true)),
    ] {
        let result = running
            .write(&format!("unit17/{point}"), value.clone())
            .await;
        assert_eq!(result, WriteResult::Applied(Some(value)), "{point}");
    }
    let result = running.write("unit17/float", Value::Float(1.5)).await;
    assert_eq!(result, WriteResult::Applied(None));
    running.wait_value("unit17/slow", &Value::Int(0)).await;
    running
        .wait_quality("unit17/always_busy", Quality::bad(Reason::Fault))
        .await;
    assert_eq!(running.health.lanes()[0].desyncs, 0);
    running.stop().await;
}

/// libmodbus' lies: another id, another unit octet by octet, fewer registers than asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libmodbus_lies_never_become_values() {
    let Some(server) = crate::foreign::LibModbus::build("libmodbus_lies") else {
        return;
    };
    for (what, point) in [
        (
            "a foreign transaction id",
            "address = 0x171\ntype = \"u16\"",
        ),
        (
            "a foreign unit, octet by octet",
            "address = 0x173\ntype = \"u16\"",
        ),
        (
            "fewer registers than asked for",
            "address = 0x160\ntype = \"u32\"",
        ),
    ] {
        let (_running_server, port) = server.start();
        let config = tcp_lane("tcp", port, "retries = 0")
            + &device(17, "interval_ms = 100")
            + &format!("[[device.point]]\nkey = \"lie\"\n{point}\n");
        let mut running = Running::start(&riser_modbus::KIND, &config);
        running
            .wait_until(what, |r| r.health.lanes().iter().any(|l| l.desyncs > 0))
            .await;
        running
            .wait_quality("unit17/lie", Quality::bad(Reason::DeviceDown))
            .await;
        assert!(
            running.log.iter().all(|o| !o.quality.is_good()),
            "{what} was taken for a value"
        );
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_finds_what_answers_and_says_what_it_is() {
    let Some(peer) = PyPeer::tcp("discovery", "tcp") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let profile = "title = \"Test AHU\"\nvendor = \"RealPeer\"\nmodel = \"AHU-1\"\ncategory = \"air_handling\"\n[[source]]\nrole = \"document\"\ndocument = \"tests/peers/modbus_peer.py\"\nsection = \"all\"\n[fingerprint]\nvendor_name = \"realpeer\"\n[[fingerprint.registers]]\ntable = \"holding\"\naddress = 100\nequals = [1000, 1001]\n[[point]]\nkey = \"t\"\naddress = 0\ntype = \"i16\"\n";
    std::fs::write(folder.path().join("test-ahu.toml"), profile).unwrap();
    let options = format!(
        "hosts = [\"127.0.0.1\"]\nport = {}\nunits = [\"1-4\", 20]\nrate = 200.0\ntimeout_ms = 300\nprofile_dir = {:?}",
        peer.port,
        folder.path()
    );
    let discover = riser_modbus::KIND.discover.expect("Modbus can discover")();
    let (found, mut finds) = tokio::sync::mpsc::channel(16);
    let request = DiscoverRequest {
        options: options.parse().unwrap(),
    };
    discover
        .discover(request, found, tokio_util::sync::CancellationToken::new())
        .await
        .unwrap();
    let mut all = Vec::new();
    while let Some(find) = finds.recv().await {
        all.push(find);
    }
    let first = &all[0];
    assert_eq!(first.address, format!("tcp 127.0.0.1:{} unit 1", peer.port));
    assert_eq!(first.profile.as_deref(), Some("test-ahu"), "{first:?}");
    assert!(
        first
            .identity
            .contains(&("vendor_name".into(), "RealPeer".into())),
        "{first:?}"
    );
    assert!(
        all.iter()
            .all(|f| !f.address.ends_with("unit 4") && !f.address.ends_with("unit 20")),
        "{all:?}"
    );
    // What was found can be run as it is.
    let context = BuildContext {
        base_dir: folder.path().to_owned(),
        profile_dir: Some(folder.path().to_owned()),
    };
    let mut running = Running::start_with(&riser_modbus::KIND, &first.config.to_string(), &context);
    running
        .wait_until("a reading of the find", |r| {
            r.log.iter().any(|o| o.value == Some(Value::Int(215)))
        })
        .await;
    running.stop().await;
}
