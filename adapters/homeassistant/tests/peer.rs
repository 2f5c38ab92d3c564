//! Against a real Home Assistant 2024.3 (`tests/peers/homeassistant_peer.py`). Its installation is
//! heavy, so these run in the nightly set (`make nightly`), not in every run.

use riser_adapter::WriteResult;
use riser_adapter_testkit::Running;
use riser_adapter_testkit::harness::eventually;
use riser_adapter_testkit::programs::{free_port, python, repository, skip};
use riser_homeassistant::KIND;
use riser_model::{Quality, Reason, Value};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
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
