//! A third-party broker in between: mosquitto with mutual TLS and a rule per gateway.

use crate::foreign::present;
use crate::frames::{data, directory, event, hello};
use crate::gateway::{Gateway, tls};
use crate::lab::{Lab, Pki, origin, until};
use riser_cloud::clock::Clock;
use riser_cloud::pki::Validity;
use riser_wire::topic::UpLane;
use riser_wire::{Down, Heartbeat, Stream, Up, WatchLease};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use std::net::TcpListener;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::{Child, Command};

struct Mosquitto {
    dir: TempDir,
    port: u16,
    _process: Child,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

impl Mosquitto {
    /// Certificates of the same authority; the common name is the user, so that one pattern keeps
    /// every gateway to its own topics.
    fn prepare(pki: &Pki) -> (TempDir, u16) {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let at = dir.path().display();
        let cloud = pki
            .authority
            .issue_client("cloud", Validity::days(Clock::system().now(), 30));
        cloud
            .unwrap()
            .save(dir.path(), "cloud", &pki.authority)
            .unwrap();
        std::fs::copy(pki.path().join("server.pem"), dir.path().join("server.pem")).unwrap();
        std::fs::copy(pki.path().join("server.key"), dir.path().join("server.key")).unwrap();
        std::fs::write(
            dir.path().join("acl"),
            "pattern write riser/v1/%u/up/+\npattern read riser/v1/%u/down/+\n\
             user cloud\ntopic read riser/v1/+/+/up/+\ntopic write riser/v1/+/+/down/+\n",
        )
        .unwrap();
        // As root it would drop its rights and could not read this folder.
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        std::fs::write(
            dir.path().join("mosquitto.conf"),
            format!(
                "user {user}\nper_listener_settings true\nlistener {port} 127.0.0.1\ncafile {at}/ca.pem\n\
                 certfile {at}/server.pem\nkeyfile {at}/server.key\nrequire_certificate true\n\
                 use_identity_as_username true\nallow_anonymous false\nacl_file {at}/acl\n\
                 max_inflight_messages 20\nmax_queued_messages 1000\npersistence false\n"
            ),
        )
        .unwrap();
        (dir, port)
    }

    fn start(dir: TempDir, port: u16) -> Self {
        let program = if present_in_sbin() {
            "/usr/sbin/mosquitto"
        } else {
            "mosquitto"
        };
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let process = Command::new(program)
            .arg("-c")
            .arg(dir.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            dir,
            port,
            _process: process,
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

fn present_in_sbin() -> bool {
    std::path::Path::new("/usr/sbin/mosquitto").is_file()
}

async fn lab_behind_mosquitto() -> (Lab, Mosquitto) {
    let pki = Pki::new();
    let (dir, port) = Mosquitto::prepare(&pki);
    let at = dir.path().display();
    let more = format!(
        "[broker]\nurl = \"mqtts://localhost:{port}\"\nca = \"{at}/ca.pem\"\ncert = \"{at}/cloud.pem\"\n\
         key = \"{at}/cloud.key\"\n"
    );
    let broker = Mosquitto::start(dir, port);
    until("mosquitto listens", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()
            .map(drop)
    })
    .await;
    let lab = Lab::start_with(pki, tempfile::tempdir().unwrap(), &more).await;
    (lab, broker)
}

/// Enters through the broker. The cloud may not have subscribed yet, so the hello is repeated, as
/// a gateway's own watchdog would.
async fn enter(lab: &Lab, broker: &Mosquitto) -> Gateway {
    enter_as(lab, broker, "gw-001").await
}

async fn enter_as(lab: &Lab, broker: &Mosquitto, id: &str) -> Gateway {
    let own = lab.pki.gateway(id);
    let options = Gateway::options(id, broker.port, tls(&lab.pki.ca(), Some(&own)));
    let mut gateway = Gateway::connect(options);
    gateway.connected().await;
    gateway.listen().await;
    until("the cloud hears", || async {
        gateway.say(UpLane::Hello, hello(1)).await;
        let of = origin(id);
        lab.downlink
            .connected(&of.tenant, &of.gateway)
            .then_some(())
    })
    .await;
    gateway.durable(|d| d.stream == Stream::Data).await;
    gateway
}

#[tokio::test]
async fn the_same_gateway_works_through_mosquitto() {
    if !present("mosquitto") {
        return;
    }
    let (lab, broker) = lab_behind_mosquitto().await;
    let mut gateway = enter(&lab, &broker).await;
    gateway.say(UpLane::Event, event(1, &directory(1))).await;
    for seq in [1, 3, 2, 3, 4] {
        gateway.say(UpLane::Live, data(seq)).await;
    }
    gateway
        .durable(|d| d.stream == Stream::Event && d.contiguous == 1)
        .await;
    gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 4)
        .await;
    let beat = Heartbeat {
        nonce: 77,
        sent_at: Clock::system().now(),
        backlog_batches: 0,
        backlog_bytes: 0,
        backlog_age_ms: 0,
    };
    gateway.say(UpLane::Heartbeat, Up::Heartbeat(beat)).await;
    gateway
        .down("answer", |down| {
            matches!(down, Down::Heartbeat { nonce: 77 }).then_some(())
        })
        .await;
    let of = origin("gw-001");
    let lease = WatchLease {
        paths: vec!["ahu-1/supply_temp".parse().unwrap()],
        seconds: 30,
    };
    assert!(lab.downlink.watch(&of.tenant, &of.gateway, lease.clone()));
    gateway
        .down("lease", |down| {
            matches!(down, Down::Watch(l) if l == lease).then_some(())
        })
        .await;
    // The broker's own rule: another gateway's topic is refused there.
    gateway
        .client
        .publish("riser/v1/acme/gw-002/up/data", QoS::AtLeastOnce, false, "x")
        .await
        .unwrap();
    gateway
        .wait("refusal", |packet| match packet {
            rumqttc::v5::mqttbytes::v5::Packet::PubAck(ack) => {
                (ack.reason == PubAckReason::NotAuthorized).then_some(())
            }
            _ => None,
        })
        .await;
    assert!(
        !lab.downlink
            .connected(&of.tenant, &origin("gw-002").gateway),
        "{}",
        broker.log()
    );
    lab.stop().await;
}

/// The broker goes away and comes back empty: nothing it had acknowledged may be lost for good.
#[tokio::test]
async fn a_broker_that_forgets_everything_costs_nothing() {
    if !present("mosquitto") {
        return;
    }
    let (lab, broker) = lab_behind_mosquitto().await;
    let mut gateway = enter(&lab, &broker).await;
    gateway.say(UpLane::Live, data(1)).await;
    gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 1)
        .await;
    let Mosquitto {
        dir,
        port,
        _process: mut process,
    } = broker;
    process.kill().await.unwrap();
    gateway.end().await;
    let broker = Mosquitto::start(dir, port);
    until("mosquitto listens again", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()
            .map(drop)
    })
    .await;
    // As the link does: a new connection, and what is not durable again until it is.
    let own = lab.pki.gateway("gw-001");
    let options = Gateway::options("gw-001", broker.port, tls(&lab.pki.ca(), Some(&own)));
    let mut gateway = Gateway::connect(options);
    gateway.connected().await;
    gateway.listen().await;
    until("what is not durable becomes so", || async {
        gateway.say(UpLane::Hello, hello(1)).await;
        gateway.say(UpLane::Live, data(2)).await;
        let durable = lab
            .db
            .durable(&origin("gw-001"), crate::frames::epoch(1))
            .await
            .unwrap();
        durable
            .iter()
            .any(|d| d.stream == Stream::Data && d.contiguous == 2)
            .then_some(())
    })
    .await;
    gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 2)
        .await;
    lab.stop().await;
}

/// What one gateway sends and can never be stored must not keep the others out: the broker would
/// deliver it first on every new connection.
#[tokio::test]
async fn a_gateway_at_its_limit_keeps_no_other_out() {
    if !present("mosquitto") {
        return;
    }
    let (lab, broker) = lab_behind_mosquitto().await;
    let full = enter_as(&lab, &broker, "gw-001").await;
    let mut other = enter_as(&lab, &broker, "gw-002").await;
    // As after 4,096 holes: 3, 5, 7, … are there.
    let ranges: Vec<u8> = (1..=4096_u64)
        .flat_map(|n| [2 * n + 1, 2 * n + 1])
        .flat_map(u64::to_le_bytes)
        .collect();
    let file = rusqlite::Connection::open(lab.data.path().join("cloud.db")).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(5))
        .unwrap();
    let entered = file.execute(
        "INSERT INTO durable (epoch, stream, contiguous, ranges)
         SELECT epoch.row, 2, 1, ?1 FROM epoch JOIN gateway ON gateway.row = epoch.gateway
         WHERE gateway.id = 'gw-001'",
        [ranges],
    );
    assert_eq!(entered.unwrap(), 1);
    full.say(UpLane::Live, data(20_000)).await;
    until("the batch is refused", || async {
        let refused = &lab.downlink.figures().refused;
        (refused.load(std::sync::atomic::Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    other.say(UpLane::Live, data(1)).await;
    other
        .durable(|d| d.stream == Stream::Data && d.contiguous == 1)
        .await;
    let refused = lab
        .downlink
        .figures()
        .refused
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(refused, 1, "{}", broker.log());
    lab.stop().await;
}
