//! The five peers of a building with five protocols: foreign stacks as processes of their own, and for
//! Home Assistant a recorded session. Owns starting, ending and telling them a new value; every value
//! told is a number of its own, so that what Riser shows says when it was told.

use crate::homeassistant::Fake;
use riser_e2e::process::free_port;
use riser_e2e::{Process, peers, until};
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long something foreign may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TUYA_KEY: &str = "0123456789abcdef";
/// The pretend plug behind the pretend stick.
const PLUG: &str = "0xa4c1380102030405";

/// One peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// pymodbus.
    Modbus,
    /// Two devices on bacpypes3: one that tells changes, one that is polled.
    Bacnet,
    /// Version 3.4, framed and ciphered by tinytuya.
    Tuya34,
    /// Version 3.5.
    Tuya35,
    /// zigbee2mqtt and its mosquitto.
    Zigbee,
    /// A recorded session.
    HomeAssistant,
}

impl Peer {
    pub(crate) const ALL: [Self; 6] = [
        Self::Modbus,
        Self::Bacnet,
        Self::Tuya34,
        Self::Tuya35,
        Self::Zigbee,
        Self::HomeAssistant,
    ];

    /// The points that show the number told last, and what one of it is there.
    pub(crate) fn shows(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Modbus => &[("m/told", 1.0)],
            Self::Bacnet => &[("b-cov/ai-1", 1.0), ("b-poll/ai-1", 1.0)],
            Self::Tuya34 => &[("t34/power", 0.1)],
            Self::Tuya35 => &[("t35/power", 0.1)],
            Self::Zigbee => &[("plug/power", 1.0)],
            Self::HomeAssistant => &[("sensor/remote_power", 1.0)],
        }
    }
}

/// What a ticker shares with whoever restarts peers.
#[derive(Clone)]
pub(crate) struct Pushing {
    number: Arc<AtomicU16>,
    radio: u16,
    house: Arc<Mutex<Option<Fake>>>,
}

impl Pushing {
    /// A number that was not told before.
    pub(crate) fn next(&self) -> u16 {
        self.number.fetch_add(1, Ordering::SeqCst)
    }

    /// Tells a number through the peer that pushes; false while it is down.
    pub(crate) async fn tell(&self, peer: Peer, number: u16) -> bool {
        if peer == Peer::Zigbee {
            let report =
                json!({"do": "report", "dev": "plug", "attrs": [[1, 2820, 1291, 41, number]]});
            return line(self.radio, &report.to_string()).await.is_some();
        }
        let house = self.house.lock().unwrap_or_else(PoisonError::into_inner);
        let there = house.as_ref();
        there.is_some_and(|fake| {
            fake.set("sensor.remote_power", "state", json!(number.to_string()));
            true
        })
    }
}

/// One line to a control port; what came back.
async fn line(port: u16, text: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let sent = stream.write_all(format!("{text}\n").as_bytes()).await;
    sent.ok()?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.ok()?;
    Some(answer)
}

/// All of them.
pub(crate) struct Field {
    modbus: (Process, u16),
    bacnet: (Process, u16),
    tuya: [(Process, u16); 2],
    broker: (Process, u16),
    radio: Process,
    bridge: Process,
    house: SocketAddr,
    pub(crate) pushing: Pushing,
}

/// What is foreign, where it is installed.
struct Installed {
    modbus: PathBuf,
    bacnet: PathBuf,
    tuya: PathBuf,
    mosquitto: PathBuf,
    publisher: PathBuf,
    python: PathBuf,
    node: PathBuf,
    bridge: PathBuf,
}

impl Installed {
    fn look() -> Option<Self> {
        Some(Self {
            modbus: peers::python("modbus")?,
            bacnet: peers::python("bacnet")?,
            tuya: peers::python("tuya")?,
            mosquitto: peers::program("mosquitto")?,
            publisher: peers::program("mosquitto_pub")?,
            python: peers::program("python3")?,
            node: peers::file("zigbee", "node_modules/node/bin/node")?,
            bridge: peers::file("zigbee", "node_modules/zigbee2mqtt/index.js")?,
        })
    }
}

fn script(name: &str) -> String {
    let path = peers::root().join("tests/peers").join(name);
    path.to_string_lossy().into_owned()
}

/// A UDP port that was free a moment ago on every address.
fn free_datagram_port() -> u16 {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port");
    socket.local_addr().expect("it has an address").port()
}

impl Field {
    /// Starts every peer, with the pretend plug joined to the Zigbee network. `None`, loudly, where
    /// one is not installed.
    pub(crate) async fn start(folder: &Path) -> Option<Self> {
        let installed = Installed::look()?;
        let (radio_port, control) = (free_port(), free_port());
        let mut field = Self {
            modbus: modbus(&installed, folder),
            bacnet: bacnet(&installed, folder),
            tuya: ["3.4", "3.5"].map(|version| tuya(&installed, folder, version)),
            broker: broker(&installed, folder),
            radio: radio(&installed, folder, (radio_port, control)),
            bridge: Process::new("zigbee2mqtt", installed.node.clone(), folder),
            house: SocketAddr::from(([127, 0, 0, 1], free_port())),
            pushing: Pushing {
                number: Arc::new(AtomicU16::new(100)),
                radio: control,
                house: Arc::default(),
            },
        };
        field.bridge = bridge(&installed, folder, (field.broker.1, radio_port));
        field.radio.start();
        for peer in Peer::ALL {
            field.up(peer).await;
        }
        field.join(&installed).await;
        Some(field)
    }

    /// Lets the plug into the network.
    async fn join(&self, installed: &Installed) {
        let bridge = &self.bridge;
        until("zigbee2mqtt runs", PATIENCE, || async {
            bridge.log().contains("Zigbee2MQTT started").then_some(())
        })
        .await;
        let port = self.broker.1.to_string();
        let topic = "zigbee2mqtt/bridge/request/permit_join";
        let arguments = ["-p", &port, "-t", topic, "-m", "{\"time\":200}", "-q", "1"];
        let sent = tokio::process::Command::new(&installed.publisher)
            .args(arguments)
            .status();
        assert!(sent.await.expect("mosquitto_pub runs").success());
        until("the network is open", PATIENCE, || async {
            bridge
                .log()
                .contains("bridge/response/permit_join")
                .then_some(())
        })
        .await;
        line(self.pushing.radio, r#"{"do":"join","dev":"plug"}"#).await;
        until("the plug has joined", PATIENCE, || async {
            let log = bridge.log();
            log.contains("Successfully configured").then_some(())
        })
        .await;
    }

    /// Ends a peer as a power cut would; of Zigbee the bridge, the broker or both.
    pub(crate) async fn down(&mut self, peer: Peer, parts: ZigbeeParts) {
        match peer {
            Peer::Modbus => self.modbus.0.kill().await,
            Peer::Bacnet => self.bacnet.0.kill().await,
            Peer::Tuya34 => self.tuya[0].0.kill().await,
            Peer::Tuya35 => self.tuya[1].0.kill().await,
            Peer::Zigbee => {
                if parts != ZigbeeParts::Broker {
                    self.bridge.kill().await;
                }
                if parts != ZigbeeParts::Bridge {
                    self.broker.0.kill().await;
                }
            }
            Peer::HomeAssistant => drop(self.take_house()),
        }
    }

    fn take_house(&self) -> Option<Fake> {
        let house = self.pushing.house.lock();
        house.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts a peer again, whatever of it is down; waits until it listens.
    pub(crate) async fn up(&mut self, peer: Peer) {
        match peer {
            Peer::Modbus => ready(&mut self.modbus.0).await,
            Peer::Bacnet => ready(&mut self.bacnet.0).await,
            Peer::Tuya34 => ready(&mut self.tuya[0].0).await,
            Peer::Tuya35 => ready(&mut self.tuya[1].0).await,
            Peer::Zigbee => {
                for part in [&mut self.broker.0, &mut self.bridge] {
                    if !part.running() {
                        part.start();
                    }
                }
            }
            Peer::HomeAssistant => {
                let fake = Fake::on(self.house).await;
                let house = self.pushing.house.lock();
                *house.unwrap_or_else(PoisonError::into_inner) = Some(fake);
            }
        }
    }

    /// Gives a peer a number to show.
    pub(crate) async fn tell(&mut self, peer: Peer) -> u16 {
        let number = self.pushing.next();
        let push = json!({"dps": {"19": number}}).to_string();
        match peer {
            Peer::Modbus => write_register(self.modbus.1, 91, number).await,
            Peer::Bacnet => self.bacnet.0.order(&format!("set ai:1 {number}.0")).await,
            Peer::Tuya34 | Peer::Tuya35 => {
                let process = &self.tuya[usize::from(peer == Peer::Tuya35)].0;
                let log = process.log();
                let ready = log.lines().rfind(|l| l.starts_with("READY"));
                let control = ready.and_then(|l| l.split(' ').nth(2)?.parse().ok());
                line(control.expect("it said its port"), &push).await;
            }
            Peer::Zigbee | Peer::HomeAssistant => {
                self.pushing.tell(peer, number).await;
            }
        }
        number
    }

    /// Adapters, lanes and devices for them, as a gateway's configuration has them.
    pub(crate) fn configuration(&self) -> String {
        let (modbus, bacnet, house) = (self.modbus.1, self.bacnet.1, self.house);
        let [t34, t35] = ["3.4", "3.5"].map(|version| {
            let number = version.replace('.', "");
            let port = self.tuya[usize::from(version == "3.5")].1;
            format!(
                "[[adapter.device]]\nkey = \"t{number}\"\nid = \"bf0123456789abcdef00{number}\"\nlocal_key = \"{TUYA_KEY}\"\n\
                 host = \"127.0.0.1\"\nport = {port}\nversion = \"{version}\"\ninterval_ms = 500\nretry_max_ms = 5000\n\
                 point = [\n{{ key = \"power\", dp = 19, type = \"float\", scale = 0.1, unit = \"W\" }},\n\
                 {{ key = \"voltage\", dp = 20, type = \"float\", scale = 0.1, unit = \"V\" }},\n\
                 {{ key = \"switch\", dp = 1, type = \"bool\", access = \"read_write\" }},\n]\n"
            )
        });
        format!(
            "[[adapter]]\nkind = \"modbus\"\nname = \"modbus\"\n\
             [[adapter.lane]]\nkey = \"m\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\nport = {modbus}\nprobe_interval_ms = 2000\n\
             [[adapter.device]]\nkey = \"m\"\nlane = \"m\"\nunit = 1\ninterval_ms = 500\npoint = [\n\
             {{ key = \"told\", address = 91, type = \"u16\" }},\n\
             {{ key = \"f32\", address = 32, type = \"f32\", order = \"cdab\" }},\n\
             {{ key = \"i64\", address = 50, type = \"i64\" }},\n]\n\
             [[adapter]]\nkind = \"bacnet\"\nname = \"bacnet\"\n\
             [[adapter.lane]]\nkey = \"b\"\naddress = \"127.0.0.1\"\nport = {bacnet}\nbroadcast = [\"127.255.255.255\"]\ntimeout_ms = 1000\n\
             [[adapter.device]]\nkey = \"b-cov\"\nlane = \"b\"\ninstance = 1101\nlearn = true\nprobe_interval_ms = 3000\n\
             [[adapter.device]]\nkey = \"b-poll\"\nlane = \"b\"\naddress = \"127.0.0.12:{bacnet}\"\nlearn = true\ncov = false\n\
             interval_ms = 500\nprobe_interval_ms = 3000\n\
             [[adapter]]\nkind = \"tuya\"\nname = \"tuya\"\n[adapter.listen]\nports = []\n{t34}{t35}\
             [[adapter]]\nkind = \"zigbee\"\nname = \"zigbee\"\nhost = \"127.0.0.1\"\nport = {}\nreconnect_max_ms = 5000\n\
             [[adapter.device]]\nieee = \"{PLUG}\"\nkey = \"plug\"\n\
             [[adapter]]\nkind = \"homeassistant\"\nname = \"house\"\nurl = \"http://{house}\"\ntoken = \"{}\"\nbackfill_days = 0\n",
            self.broker.1,
            crate::homeassistant::TOKEN,
        )
    }
}

/// What of Zigbee goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZigbeeParts {
    /// zigbee2mqtt.
    Bridge,
    /// mosquitto.
    Broker,
    /// Both.
    Both,
}

async fn ready(process: &mut Process) {
    let times = |process: &Process| process.log().matches("READY").count();
    let before = times(process);
    process.start();
    let what = format!("{} listens", process.name());
    let process = &*process;
    until(&what, PATIENCE, || async {
        (times(process) > before).then_some(())
    })
    .await;
}

fn modbus(installed: &Installed, folder: &Path) -> (Process, u16) {
    let port = free_port();
    let process = Process::new("pymodbus", installed.modbus.clone(), folder);
    let script = script("modbus_peer.py");
    (process.arguments([&script, "tcp", &port.to_string()]), port)
}

fn bacnet(installed: &Installed, folder: &Path) -> (Process, u16) {
    let port = free_datagram_port();
    let process = Process::new("bacpypes3", installed.bacnet.clone(), folder).taking_orders();
    let devices = [("11", "1101"), ("12", "1102")];
    let devices = devices.map(|(last, n)| [format!("127.0.0.{last}/8:{port}"), n.to_owned()]);
    let script = script("bacnet_devices.py");
    let process = process.arguments(["-u", &script]);
    (process.arguments(devices.concat()), port)
}

fn tuya(installed: &Installed, folder: &Path, version: &str) -> (Process, u16) {
    let (port, number) = (free_port(), version.replace('.', ""));
    let process = Process::new(&format!("tuya-{number}"), installed.tuya.clone(), folder);
    let id = format!("bf0123456789abcdef00{number}");
    let script = script("tuya_peer.py");
    let who = [&script, version, &id, TUYA_KEY];
    (
        process
            .arguments(who)
            .arguments(["--port", &port.to_string()]),
        port,
    )
}

fn broker(installed: &Installed, folder: &Path) -> (Process, u16) {
    let port = free_port();
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let text = format!(
        "listener {port} 127.0.0.1\nuser {user}\nallow_anonymous true\npersistence false\n"
    );
    let file = folder.join("zigbee.conf");
    std::fs::write(&file, text).expect("a file of the test");
    let process = Process::new("mosquitto-zigbee", installed.mosquitto.clone(), folder);
    (process.arguments(["-c", &file.to_string_lossy()]), port)
}

fn radio(installed: &Installed, folder: &Path, (port, control): (u16, u16)) -> Process {
    let script = script("zigbee_radio.py");
    Process::new("radio", installed.python.clone(), folder)
        .arguments(["-u", &script, "--port", &port.to_string()])
        .arguments(["--control", &control.to_string()])
}

/// zigbee2mqtt with a network of its own, empty yet.
fn bridge(installed: &Installed, folder: &Path, (broker, radio): (u16, u16)) -> Process {
    let home = folder.join("zigbee2mqtt");
    std::fs::create_dir_all(&home).expect("a folder of the test");
    // Without `last_seen` a state is stamped when the gateway hears it.
    let text = format!(
        "version: 5\nmqtt: {{base_topic: zigbee2mqtt, server: \"mqtt://127.0.0.1:{broker}\"}}\n\
         serial: {{port: \"tcp://127.0.0.1:{radio}\", adapter: deconz}}\n\
         advanced: {{channel: 11, pan_id: 6754, ext_pan_id: [221,221,221,221,221,221,221,221], network_key: [1,3,5,7,9,11,13,15,0,2,4,6,8,10,12,13], log_level: info, log_output: [console], last_seen: disable}}\n\
         availability: {{enabled: true}}\nfrontend: {{enabled: false}}\nhomeassistant: {{enabled: false}}\nonboarding: false\n"
    );
    std::fs::write(home.join("configuration.yaml"), text).expect("a file of the test");
    let program = installed.bridge.clone();
    Process::new("zigbee2mqtt", installed.node.clone(), folder)
        .arguments([program.to_string_lossy()])
        .environment("ZIGBEE2MQTT_DATA", &home.to_string_lossy())
        .environment("Z2M_ONBOARD_NO_SERVER", "1")
        // It asks git for its version, and would take this repository's for its own.
        .environment("GIT_DIR", "/nonexistent")
}

/// Function 6 of Modbus, as any master sends it.
async fn write_register(port: u16, address: u16, value: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("pymodbus listens");
    let mut request = vec![0, 1, 0, 0, 0, 6, 1, 6];
    request.extend(address.to_be_bytes());
    request.extend(value.to_be_bytes());
    stream.write_all(&request).await.expect("a request");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(request, answer, "the register is written");
}
