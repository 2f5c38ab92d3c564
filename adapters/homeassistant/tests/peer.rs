//! Against a real Home Assistant 2024.3 (`tests/peers/homeassistant_peer.py`). Its installation is
//! heavy, so these run in the nightly set (`make nightly`), not in every run.

#[path = "face/broker.rs"]
#[expect(dead_code, reason = "the tests of the face use the rest of it")]
mod broker;

use broker::Broker;
use riser_adapter::WriteResult;
use riser_adapter_testkit::harness::eventually;
use riser_adapter_testkit::programs::{Program, free_port, python, repository, skip};
use riser_adapter_testkit::{BuildingInMemory, Running};
use riser_homeassistant::{KIND, face};
use riser_model::{Access, Label, Limits, Point, Quality, Reason, Slot, Unit, Value, ValueKind};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const HOUR: i64 = 3_600_000;
/// Ten days of hours, as the peer imports them.
const HOURS: usize = 240;

/// A real Home Assistant.
struct House {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    token: String,
    port: u16,
    _folder: tempfile::TempDir,
}

impl House {
    fn start(test: &str) -> Option<Self> {
        Self::with_days(test, HOURS / 24)
    }

    /// One with statistics of so many days.
    fn with_days(test: &str, days: usize) -> Option<Self> {
        let manifest = env!("CARGO_MANIFEST_DIR");
        let Some(python) = python(manifest, "homeassistant") else {
            skip(test, "Home Assistant (make nightly)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut child = Command::new(python)
            .arg(repository(manifest).join("tests/peers/homeassistant_peer.py"))
            .arg(port.to_string())
            .arg(folder.path())
            .arg(days.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut house = Self {
            child,
            input,
            output,
            token: String::new(),
            port,
            _folder: folder,
        };
        house.token = house
            .answer()
            .strip_prefix("ready ")
            .expect("it is ready")
            .to_owned();
        Some(house)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        line.trim().to_owned()
    }

    fn say(&mut self, word: &str) -> String {
        writeln!(self.input, "{word}").expect("it listens");
        self.answer()
    }

    fn config(&self, more: &str) -> String {
        let (port, token) = (self.port, &self.token);
        format!("url = 'http://127.0.0.1:{port}'\ntoken = '{token}'\nping_seconds = 2\n{more}")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // The peer ends Home Assistant when its input ends; a kill would leave it behind.
        let _ = writeln!(self.input, "kill");
        let mut line = String::new();
        let _ = self.output.read_line(&mut line);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn float(value: f64) -> Value {
    Value::Float(value)
}

#[tokio::test]
#[ignore = "a heavy peer: make nightly"]
async fn from_onboarding_to_live_values_and_confirmed_writes() {
    let Some(mut house) = House::start("from_onboarding_to_live_values") else {
        return;
    };
    let mut running = Running::start(&KIND, &house.config("backfill_days = 0"));
    running
        .wait_value("sensor/outside_temperature", &float(5.0))
        .await;
    running.wait_value("sensor/meter", &float(1234.5)).await;
    running
        .wait_value("climate/office_setpoint", &float(21.0))
        .await;
    for (path, value) in [
        ("switch/pump", Value::Bool(true)),
        ("light/lamp", Value::Bool(true)),
        ("light/lamp_brightness", float(60.0)),
        ("input_number/setpoint", float(22.5)),
        ("select/house_mode", Value::Int(2)),
        ("input_text/note", Value::text("look at the door")),
        ("lock/front_door", Value::Bool(true)),
        ("fan/exhaust", Value::Bool(true)),
        ("fan/exhaust_speed", float(75.0)),
        ("cover/blind_position", float(10.0)),
        ("climate/office", Value::Int(0)),
        ("climate/office_setpoint", float(23.5)),
    ] {
        let result = running.write(path, value.clone()).await;
        assert_eq!(result, WriteResult::Applied(Some(value)), "{path}");
    }
    running
        .wait_value("sensor/outside_temperature", &float(7.5))
        .await;
    running
        .wait_value("binary_sensor/door", &Value::Bool(true))
        .await;
    let stuck = running.write("number/stuck_number", float(7.0)).await;
    assert!(
        matches!(stuck, WriteResult::NotEffective { .. }),
        "{stuck:?}"
    );
    let refused = running.write("input_number/setpoint", float(99.0)).await;
    assert!(matches!(refused, WriteResult::Refused(_)), "{refused:?}");

    running
        .write("input_boolean/reachable", Value::Bool(false))
        .await;
    running
        .wait_quality("sensor/remote_power", Quality::bad(Reason::DeviceDown))
        .await;

    assert_eq!(house.say("kill"), "killed");
    running
        .wait_quality("sensor/meter", Quality::bad(Reason::DeviceDown))
        .await;
    assert!(house.say("restart").starts_with("ready"));
    running.wait_value("sensor/meter", &float(1234.5)).await;
    running.stop().await;
}

#[tokio::test]
#[ignore = "a heavy peer: make nightly"]
async fn history_is_filled_in_and_a_cut_makes_no_doubles() {
    let Some(house) = House::start("history_is_filled_in") else {
        return;
    };
    let config = house.config("backfill_days = 12");
    let mut running = Running::start(&KIND, &config);
    running.wait_value("sensor/meter", &float(1234.5)).await;
    let meter = running
        .registry
        .slot("sensor/meter")
        .expect("it is declared");
    let outside = running
        .registry
        .slot("sensor/outside_temperature")
        .expect("it is declared");
    let past = running.past.clone();
    eventually("some history", || !past.samples(meter).is_empty()).await;
    running.kill();
    let mut running = Running::start_after(&KIND, &config, &running);
    let whole = |slot| {
        let samples = past.samples(slot);
        let hours: BTreeSet<i64> = samples.iter().map(|s| s.at.0.div_euclid(HOUR)).collect();
        assert_eq!(hours.len(), samples.len(), "an hour is there twice");
        samples.len() >= HOURS
    };
    eventually("all of it", || whole(meter) && whole(outside)).await;
    let first = &past.samples(meter)[..HOURS];
    for (n, sample) in (0..).zip(first) {
        assert_eq!(
            sample.value,
            Some(float(f64::from(n))),
            "hour {n} of the meter"
        );
    }
    let means = &past.samples(outside)[..HOURS];
    for (n, sample) in (0..).zip(means) {
        assert_eq!(
            sample.value,
            Some(float(20.0 + f64::from(n) / 10.0)),
            "hour {n}"
        );
    }
    running.stop().await;
}

/// Days the kills are spread over: some seconds of filling in.
const DAYS: usize = 240;

/// The gateway's program, which the nightly set builds first.
fn riserd() -> std::path::PathBuf {
    let mut path = std::env::current_exe().expect("a path");
    path.pop();
    path.pop();
    path.push("riserd");
    assert!(path.is_file(), "run `cargo build -p riserd` first");
    path
}

/// What a gateway has stored of a point before `end`: value by hour, and how many samples there are.
fn stored(riserd: &Path, config: &Path, (point, end): (&str, i64)) -> (BTreeMap<i64, f64>, usize) {
    let file = config.with_extension("csv");
    let (config, out) = (config.display().to_string(), file.display().to_string());
    let end = end.to_string();
    let asked = [
        "history", "export", "--config", &config, "--from", "0", "--to", &end,
    ];
    let done = Command::new(riserd)
        .args(asked)
        .args(["--point", point, "--out", &out])
        .output()
        .expect("riserd runs");
    if !done.status.success() {
        // The gateway has no store yet.
        return <_>::default();
    }
    let text = std::fs::read_to_string(file).expect("a file");
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let column = |name: &str| head.iter().position(|c| *c == name).expect("a column");
    let (at, value) = (column("at"), column("value"));
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let at: i64 = cells[at].parse().expect("a stamp");
        (at.div_euclid(HOUR), cells[value].parse().expect("a value"))
    });
    let rows: Vec<(i64, f64)> = rows.collect();
    (rows.iter().copied().collect(), rows.len())
}

#[tokio::test]
#[ignore = "a heavy peer and the whole gateway: make nightly"]
async fn a_gateway_killed_while_it_fills_in_history_goes_on_without_doubles() {
    let Some(house) = House::with_days("a_gateway_killed", DAYS) else {
        return;
    };
    let riserd = riserd();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("riser.toml");
    let adapter = house.config("backfill_days = 242");
    let text = format!(
        "[gateway]\nid = \"gw-1\"\ntenant = \"acme\"\ndata_dir = \"data\"\n[http]\n\
         listen = \"127.0.0.1:0\"\n[[adapter]]\nkind = \"homeassistant\"\nname = \"house\"\n{adapter}"
    );
    std::fs::write(&config, text).expect("a file");
    let start = || {
        let mut command = Command::new(&riserd);
        command.args(["run", "--config"]).arg(&config);
        Program::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))
    };
    let now = jiff::Timestamp::now().as_millisecond();
    let end = now.div_euclid(HOUR) * HOUR;
    let count = |point| stored(&riserd, &config, (point, end)).1;
    let mut cut = Vec::new();
    let mut before = 0;
    while cut.len() < 3 {
        let gateway = start();
        eventually("more history", || count("sensor/meter") > before).await;
        drop(gateway); // kill -9
        before = count("sensor/meter");
        cut.push(before);
    }
    assert!(
        cut[0] < DAYS * 24,
        "it was done before it was killed: {cut:?}"
    );
    let _gateway = start();
    let all =
        || count("sensor/meter") >= DAYS * 24 && count("sensor/outside_temperature") >= DAYS * 24;
    eventually("all of it", all).await;
    for (point, first, step) in [
        ("sensor/meter", 0.0, 1.0),
        ("sensor/outside_temperature", 20.0, 0.1),
    ] {
        let (hours, samples) = stored(&riserd, &config, (point, end));
        assert_eq!(hours.len(), samples, "{point}: an hour is there twice");
        let (from, to) = (hours.keys().next().copied(), hours.keys().last().copied());
        let range = from.zip(to).map(|(from, to)| to - from + 1);
        assert_eq!(
            range,
            i64::try_from(hours.len()).ok(),
            "{point}: an hour is missing"
        );
        for (n, value) in (0..).zip(hours.values()) {
            let wanted = first + f64::from(n) * step;
            assert!(
                (value - wanted).abs() < 1e-9,
                "{point}: hour {n} is {value}"
            );
        }
    }
    eprintln!("killed after {cut:?} of {} hours", DAYS * 24);
}

fn offered() -> BuildingInMemory {
    use Access::{Read, ReadWrite};
    let building = BuildingInMemory::default();
    let add = |path: &str, kind, access, unit: &str, states: &[&str]| {
        let path: riser_model::PointPath = path.parse().expect("a path");
        let label = |(state, text): (i64, &&str)| Label {
            state,
            text: (*text).to_owned(),
        };
        let writes = access == ReadWrite && kind == ValueKind::Float;
        building.add(Point {
            name: path.point.as_str().replace('_', " "),
            device_name: "Air handling".to_owned(),
            path,
            kind,
            unit: Unit::parse(unit).ok(),
            access,
            limits: Limits {
                min: writes.then_some(15.0),
                max: writes.then_some(30.0),
                step: writes.then_some(0.5),
            },
            labels: (0..).zip(states).map(label).collect(),
            deadband: None,
            stale_after_ms: 60_000,
        });
    };
    add("ahu-1/supply_temp", ValueKind::Float, Read, "°C", &[]);
    add("ahu-1/setpoint", ValueKind::Float, ReadWrite, "°C", &[]);
    add("ahu-1/pump", ValueKind::Bool, ReadWrite, "", &[]);
    add(
        "ahu-1/mode",
        ValueKind::Enum,
        ReadWrite,
        "",
        &["off", "day", "night"],
    );
    add("ahu-1/note", ValueKind::Text, ReadWrite, "", &[]);
    add("ahu-1/door", ValueKind::Bool, Read, "", &[]);
    add("ahu-1/energy", ValueKind::Float, Read, "kWh", &[]);
    add("ahu-1/phase", ValueKind::Enum, Read, "", &["idle", "run"]);
    for (slot, value) in (0..).zip([
        float(21.5),
        float(20.0),
        Value::Bool(false),
        Value::Int(1),
        Value::text("all well"),
        Value::Bool(true),
        float(1234.5),
        Value::Int(1),
    ]) {
        building.set(Slot(slot), Some(value), Quality::GOOD);
    }
    building
}

/// Every unit, read and written, as Home Assistant takes it or not.
fn every_unit(building: &BuildingInMemory) -> usize {
    let mut count = 0;
    for unit in Unit::all() {
        for access in [Access::Read, Access::ReadWrite] {
            let path = format!("units/u{count}").parse().expect("a path");
            let slot = building.add(Point {
                path,
                name: format!("u{count}"),
                device_name: "Units".to_owned(),
                kind: ValueKind::Float,
                unit: Some(unit),
                access,
                limits: Limits::default(),
                labels: Vec::new(),
                deadband: None,
                stale_after_ms: 60_000,
            });
            building.set(slot, Some(float(1.0)), Quality::GOOD);
            count += 1;
        }
    }
    count
}

/// A real Home Assistant, connected to a real broker at which the points of a gateway are offered, and
/// the adapter that reads them there.
struct Offering {
    house: House,
    broker: Broker,
    building: BuildingInMemory,
    face: Running,
    running: Running,
}

const FACE: &str = "writable = ['*']";

impl Offering {
    fn start(test: &str) -> Option<Self> {
        let mut house = House::start(test)?;
        let broker = Broker::start(test)?;
        let building = offered();
        let face = Running::start_showing(&face::KIND, &broker.config(FACE), &building);
        assert_eq!(house.say(&format!("mqtt {}", broker.port)), "connected");
        let reader = house.config("backfill_days = 0\ninclude_riser = true");
        let running = Running::start(&KIND, &reader);
        Some(Self {
            house,
            broker,
            building,
            face,
            running,
        })
    }

    async fn stop(mut self) {
        self.running.stop().await;
        self.face.stop().await;
    }
}

#[tokio::test]
#[ignore = "a heavy peer: make nightly"]
async fn points_offered_by_mqtt_are_entities_that_are_read_and_written() {
    let Some(mut offering) = Offering::start("points_offered_by_mqtt") else {
        return;
    };
    let running = &mut offering.running;
    for (path, value) in [
        ("air-handling/supply_temp", float(21.5)),
        ("air-handling/energy", float(1234.5)),
        ("air-handling/setpoint", float(20.0)),
        ("air-handling/pump", Value::Bool(false)),
        ("air-handling/mode", Value::Int(1)),
        ("air-handling/note", Value::text("all well")),
        ("air-handling/door", Value::Bool(true)),
        // This version does not pass on which states a sensor has.
        ("air-handling/phase", Value::text("run")),
        ("gw/connection", Value::Bool(true)),
    ] {
        running.wait_value(path, &value).await;
    }
    for (path, value) in [
        ("air-handling/setpoint", float(22.5)),
        ("air-handling/pump", Value::Bool(true)),
        ("air-handling/mode", Value::Int(2)),
        ("air-handling/note", Value::text("look at the filter")),
    ] {
        let result = running.write(path, value.clone()).await;
        assert_eq!(result, WriteResult::Applied(Some(value)), "{path}");
    }
    assert_eq!(offering.building.writes().len(), 4);
    let down = Quality::bad(Reason::DeviceDown);
    offering.building.set(Slot(0), None, down);
    running.wait_quality("air-handling/supply_temp", down).await;
    offering
        .building
        .set(Slot(0), Some(float(23.0)), Quality::GOOD);
    running
        .wait_value("air-handling/supply_temp", &float(23.0))
        .await;
    offering.stop().await;
}

#[tokio::test]
#[ignore = "a heavy peer: make nightly"]
async fn offered_points_outlive_kills_of_either_side_and_go_when_they_are_gone() {
    let Some(mut offering) = Offering::start("offered_points_outlive") else {
        return;
    };
    let (running, building) = (&mut offering.running, &offering.building);
    running
        .wait_value("air-handling/energy", &float(1234.5))
        .await;
    offering.face.kill();
    let down = Quality::bad(Reason::DeviceDown);
    running.wait_quality("air-handling/energy", down).await;
    running
        .wait_value("gw/connection", &Value::Bool(false))
        .await;
    offering.face = Running::start_showing(&face::KIND, &offering.broker.config(FACE), building);
    running
        .wait_value("air-handling/energy", &float(1234.5))
        .await;

    assert_eq!(offering.house.say("kill"), "killed");
    building.set(Slot(0), Some(float(24.0)), Quality::GOOD);
    assert!(offering.house.say("restart").starts_with("ready"));
    running
        .wait_value("air-handling/supply_temp", &float(24.0))
        .await;
    running
        .wait_value("air-handling/note", &Value::text("all well"))
        .await;

    building.remove(Slot(5));
    let gone = Quality::bad(Reason::NotConfigured);
    running.wait_quality("air-handling/door", gone).await;
    offering.stop().await;
}

#[tokio::test]
#[ignore = "a heavy peer: make nightly"]
async fn home_assistant_takes_every_unit_read_and_written() {
    let Some(mut offering) = Offering::start("home_assistant_takes_every_unit") else {
        return;
    };
    let units = every_unit(&offering.building);
    let taken = |r: &Running| {
        let good = r.latest.iter().filter(|(_, o)| o.quality.is_good());
        good.filter(|(path, _)| path.starts_with("units/")).count()
    };
    let all = |r: &Running| taken(r) == units;
    offering
        .running
        .wait_until(&format!("{units} units"), all)
        .await;
    offering.stop().await;
}
