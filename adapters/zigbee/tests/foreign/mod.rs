//! Starting what is not ours: the real mosquitto, the real zigbee2mqtt on its own Node, and below it a
//! pretend stick with seven pretend devices. A network that has been joined once is kept under
//! `target`, so that a test need not wait for seven interviews.

use riser_adapter_testkit::Running;
use riser_adapter_testkit::programs::{Program, free_port, program, repository, skip};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");

/// The pretend devices: name on the control port, address.
pub(crate) const DEVICES: [(&str, &str); 7] = [
    ("weather", "0x00158d0001a2b3c4"),
    ("bulb", "0x000b57fffe112233"),
    ("plug", "0xa4c1380102030405"),
    ("door", "0x00124b0022aabbcc"),
    ("motion", "0x00158d0004d5e6f7"),
    ("trv", "0x048727fffe778899"),
    ("valve", "0xa4c138aabbccdd01"),
];

/// How long something foreign may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long zigbee2mqtt may take to stop before it is killed: without a broker it does not end at all.
const STOPPING: Duration = Duration::from_secs(10);

fn peers() -> PathBuf {
    std::env::var_os("RISER_PEERS")
        .map_or_else(|| repository(MANIFEST).join(".peers"), PathBuf::from)
}

/// What is needed; says loudly what is missing.
fn missing(test: &str) -> bool {
    let node = peers().join("zigbee/node_modules/node/bin/node");
    let bridge = peers().join("zigbee/node_modules/zigbee2mqtt/index.js");
    let what = [
        (program("mosquitto").is_none(), "mosquitto"),
        (program("python3").is_none(), "python3"),
        (
            !node.is_file() || !bridge.is_file(),
            "zigbee2mqtt (.peers/zigbee)",
        ),
    ];
    match what.iter().find(|(missing, _)| *missing) {
        Some((_, name)) => {
            skip(test, name);
            true
        }
        None => false,
    }
}

/// mosquitto at work.
pub(crate) struct Broker {
    pub(crate) port: u16,
    config: PathBuf,
    program: Option<Program>,
    _folder: tempfile::TempDir,
}

impl Broker {
    /// With further lines of configuration.
    pub(crate) fn start(test: &str, lines: &str) -> Option<Self> {
        if program("mosquitto").is_none() {
            skip(test, "mosquitto");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let config = folder.path().join("mosquitto.conf");
        let text = format!("listener {port} 127.0.0.1\nuser root\npersistence false\n{lines}\n");
        std::fs::write(&config, text).expect("the configuration is written");
        let mut broker = Self {
            port,
            config,
            program: None,
            _folder: folder,
        };
        broker.up();
        Some(broker)
    }

    pub(crate) fn up(&mut self) {
        let mosquitto = program("mosquitto").expect("looked for before");
        let mut command = Command::new(mosquitto);
        command.arg("-c").arg(&self.config);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.program = Some(Program::spawn(&mut command));
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "mosquitto does not listen");
            std::thread::yield_now();
        }
    }

    pub(crate) fn down(&mut self) {
        self.program = None;
    }

    /// Publishes as anybody may.
    pub(crate) async fn publish(&self, topic: &str, payload: &str, retained: bool) {
        let port = self.port.to_string();
        let mut arguments = vec![
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-t",
            topic,
            "-m",
            payload,
            "-q",
            "1",
        ];
        if retained {
            arguments.push("-r");
        }
        let (sent, output) =
            riser_adapter_testkit::programs::run("mosquitto_pub", &arguments).await;
        assert!(sent, "{output}");
    }
}

/// The pretend stick with its devices.
pub(crate) struct Radio {
    pub(crate) port: u16,
    control: u16,
    _program: Program,
}

impl Radio {
    pub(crate) fn start(joined: bool) -> Self {
        let (port, control) = (free_port(), free_port());
        let mut command = Command::new(program("python3").expect("looked for before"));
        command
            .arg("-u")
            .arg(repository(MANIFEST).join("tests/peers/zigbee_radio.py"))
            .args([
                "--port",
                &port.to_string(),
                "--control",
                &control.to_string(),
            ])
            .stderr(Stdio::null());
        if joined {
            command.arg("--joined");
        }
        Self {
            port,
            control,
            _program: Program::start(&mut command, "READY"),
        }
    }

    /// One order; what came back.
    pub(crate) fn tell(&self, order: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.control)).expect("the control port");
        stream
            .write_all(format!("{order}\n").as_bytes())
            .expect("an order");
        let mut line = String::new();
        BufReader::new(stream)
            .read_line(&mut line)
            .expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["ok"], true, "{order}: {answer}");
        answer
    }

    /// What a device itself holds.
    pub(crate) fn holds(&self, device: &str, attribute: [u32; 3]) -> serde_json::Value {
        let [endpoint, cluster, id] = attribute;
        let order =
            format!(r#"{{"do":"get","dev":"{device}","attr":[{endpoint},{cluster},{id}]}}"#);
        self.tell(&order)["value"].clone()
    }
}

/// zigbee2mqtt at work.
pub(crate) struct Bridge {
    pub(crate) folder: PathBuf,
    base: String,
    program: Option<Program>,
    _temporary: Option<tempfile::TempDir>,
}

/// How zigbee2mqtt is set up.
pub(crate) struct Setting<'a> {
    pub(crate) base: &'a str,
    /// Minutes after which a device on mains is asked, and one on a battery is given up.
    pub(crate) timeouts: (u32, u32),
    /// Further lines of configuration.
    pub(crate) more: &'a str,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        Self {
            base: "zigbee2mqtt",
            timeouts: (10, 1500),
            more: "",
        }
    }
}

fn configuration(broker: u16, radio: u16, setting: &Setting<'_>) -> String {
    let Setting {
        base,
        timeouts: (active, passive),
        more,
    } = setting;
    format!(
        r#"version: 5
mqtt: {{base_topic: "{base}", server: "mqtt://127.0.0.1:{broker}"}}
serial: {{port: "tcp://127.0.0.1:{radio}", adapter: deconz}}
advanced: {{channel: 11, pan_id: 6754, ext_pan_id: [221,221,221,221,221,221,221,221], network_key: [1,3,5,7,9,11,13,15,0,2,4,6,8,10,12,13], log_level: info, log_output: [console], last_seen: ISO_8601}}
availability: {{enabled: true, active: {{timeout: {active}, max_jitter: 1000, backoff: false, pause_on_backoff_gt: 0}}, passive: {{timeout: {passive}}}}}
frontend: {{enabled: false}}
homeassistant: {{enabled: false}}
onboarding: false
{more}
"#
    )
}

impl Bridge {
    /// A folder with its configuration; nothing runs yet. `saved` is a network that was joined before.
    pub(crate) fn new(
        saved: Option<&Path>,
        broker: u16,
        radio: u16,
        setting: &Setting<'_>,
    ) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = temporary.path().join("data");
        std::fs::create_dir_all(&folder).expect("a folder");
        for name in ["database.db", "state.json", "coordinator_backup.json"] {
            if let Some(saved) = saved.map(|s| s.join(name)).filter(|f| f.is_file()) {
                let text = std::fs::read_to_string(saved).expect("a saved file");
                std::fs::write(folder.join(name), seen_just_now(&text)).expect("a copy");
            }
        }
        let mut text = configuration(broker, radio, setting);
        if saved.is_some() {
            text += "devices:\n";
            for (name, address) in DEVICES {
                text += &format!("  '{address}': {{friendly_name: '{name}'}}\n");
            }
        }
        std::fs::write(folder.join("configuration.yaml"), text).expect("the configuration");
        Self {
            folder,
            base: setting.base.to_owned(),
            program: None,
            _temporary: Some(temporary),
        }
    }

    pub(crate) fn up(&mut self) {
        let home = peers().join("zigbee/node_modules");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("out.log"));
        let log = log.expect("a log");
        let mut command = Command::new(home.join("node/bin/node"));
        command
            .arg(home.join("zigbee2mqtt/index.js"))
            .env("ZIGBEE2MQTT_DATA", &self.folder)
            .env("Z2M_ONBOARD_NO_SERVER", "1")
            // It asks git for its version, and would take this repository's for its own.
            .env("GIT_DIR", "/nonexistent")
            .current_dir(&self.folder)
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        self.program = Some(Program::spawn(&mut command));
    }

    /// Killed: it says no goodbye, its will is told by the broker.
    pub(crate) fn down(&mut self) {
        self.program = None;
    }

    /// What a supervisor does: one that ended by itself, as it does when it starts without a broker, is
    /// started again. True when it had to be.
    pub(crate) fn keep_up(&mut self) -> bool {
        let ended = self.program.as_mut().is_some_and(Program::has_ended);
        if ended {
            self.up();
        }
        ended
    }

    /// Asked to stop; it says that it goes.
    pub(crate) async fn stop(&mut self) {
        if let Some(program) = &mut self.program {
            let id = program.id().to_string();
            riser_adapter_testkit::programs::run("kill", &["-TERM", &id]).await;
            let until = Instant::now() + STOPPING;
            while !program.has_ended() && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        self.program = None;
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("out.log")).unwrap_or_default()
    }
}

/// Broker, stick and bridge.
pub(crate) struct House {
    pub(crate) broker: Broker,
    pub(crate) radio: Radio,
    pub(crate) bridge: Bridge,
}

impl House {
    /// Without any device.
    pub(crate) fn empty(test: &str) -> Option<Self> {
        Self::build(test, None, &Setting::default())
    }

    /// With the seven devices in it.
    pub(crate) async fn joined(test: &str, setting: &Setting<'_>) -> Option<Self> {
        if missing(test) {
            return None;
        }
        let saved = saved().await;
        Self::build(test, Some(&saved), setting)
    }

    fn build(test: &str, saved: Option<&Path>, setting: &Setting<'_>) -> Option<Self> {
        if missing(test) {
            return None;
        }
        let broker = Broker::start(test, "allow_anonymous true")?;
        let radio = Radio::start(saved.is_some());
        let mut bridge = Bridge::new(saved, broker.port, radio.port, setting);
        bridge.up();
        Some(Self {
            broker,
            radio,
            bridge,
        })
    }

    /// A configuration for it, with short times.
    pub(crate) fn config(&self) -> String {
        config(self.broker.port, &self.bridge.base)
    }
}

/// A configuration with short times.
pub(crate) fn config(port: u16, base: &str) -> String {
    format!(
        "host = '127.0.0.1'\nport = {port}\nbase_topic = '{base}'\ncheck_interval_ms = 1000\nanswer_timeout_ms = 4000\n\
         grace_ms = 3000\noffline_delay_ms = 3000\nstartup_ms = 20000\nread_pause_ms = 100\nsettle_ms = 15000\n"
    )
}

/// The folder of a network whose seven devices have joined; made once and kept.
async fn saved() -> PathBuf {
    static MAKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one_at_a_time = MAKING.lock().await;
    let script =
        std::fs::read(repository(MANIFEST).join("tests/peers/zigbee_radio.py")).expect("the stick");
    let list =
        std::fs::read(repository(MANIFEST).join("tests/peers/zigbee.npm")).expect("the list");
    let stamp = script
        .iter()
        .chain(&list)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("zigbee-{stamp:016x}"));
    if home.join("done").is_file() {
        return home;
    }
    let mut house = House::empty("join seven devices").expect("looked for before");
    eprintln!("letting seven devices join, once");
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    join_all(&house, &mut running).await;
    running.stop().await;
    house.bridge.stop().await;
    std::fs::create_dir_all(&home).expect("a folder");
    for name in ["database.db", "state.json", "coordinator_backup.json"] {
        let from = house.bridge.folder.join(name);
        if from.is_file() {
            std::fs::copy(from, home.join(name)).expect("a copy");
        }
    }
    std::fs::write(home.join("done"), "").expect("a mark");
    home
}

/// The devices of a saved database as if they had joined just now: one that was saved days ago would
/// be of devices nobody has heard for as long.
fn seen_just_now(database: &str) -> String {
    const MARK: &str = "\"lastSeen\":";
    let now = riser_adapter::Clock::now(&riser_adapter::SystemClock).0;
    let mut parts = database.split(MARK);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text + MARK + &now.to_string() + rest
    })
}

/// Lets the seven devices join, through the adapter.
pub(crate) async fn join_all(house: &House, running: &mut Running) {
    until(running, "the bridge", |r| {
        r.value("test-bridge/online") == Some(&riser_model::Value::Bool(true))
    })
    .await;
    let mut parameters = toml::Table::new();
    parameters.insert("seconds".to_owned(), 200.into());
    let operate = running.operate.clone().expect("operations");
    let answer = operate
        .operate("permit_join", parameters)
        .await
        .expect("permit_join");
    assert_eq!(
        answer.get("time").and_then(toml::Value::as_integer),
        Some(200),
        "{answer:?}"
    );
    for (name, _) in DEVICES {
        house
            .radio
            .tell(&format!(r#"{{"do":"join","dev":"{name}"}}"#));
    }
    let first = [
        "temperature",
        "brightness",
        "power",
        "contact",
        "occupancy",
        "occupied_heating_setpoint",
        "current_heating_setpoint",
    ];
    until(running, "seven devices known", |r| {
        let mut known = DEVICES.iter().zip(first);
        known.all(|((_, key), point)| r.registry.slot(&format!("{key}/{point}")).is_some())
    })
    .await;
    // Bindings and reporting are set after the interview; a network saved before would do it again.
    let began = Instant::now();
    let calm = |log: &str| log.matches("Successfully configured").count() >= 5;
    while !calm(&house.bridge.log()) && began.elapsed() < Duration::from_secs(25) {
        running.pump_for(Duration::from_millis(100)).await;
    }
}

/// Waits longer than the kit does: a bridge on a busy machine takes its time.
pub(crate) async fn until(
    running: &mut Running,
    what: &str,
    mut holds: impl FnMut(&Running) -> bool,
) {
    let end = Instant::now() + PATIENCE;
    loop {
        running.pump();
        if holds(running) {
            return;
        }
        assert!(
            running.is_alive(),
            "waited for {what}, but the adapter ended"
        );
        assert!(
            Instant::now() <= end,
            "waited {PATIENCE:?} for {what}; latest {:#?}; lanes {:#?}; devices {:#?}",
            running.latest,
            running.health.lanes(),
            running.health.devices()
        );
        running.pump_for(Duration::from_millis(20)).await;
    }
}
