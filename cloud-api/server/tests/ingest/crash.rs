//! `kill -9` of the real process under load: what was called durable is there, nothing is
//! doubled, and it starts again by itself within two seconds.

use crate::frames::{T0, data, epoch, hello};
use crate::gateway::Gateway;
use crate::gateway::Heard;
use crate::lab::{DEADLINE, Pki, until};
use riser_cloud::db::Db;
use riser_wire::topic::UpLane;
use riser_wire::{Down, Stream};
use rumqttc::v5::mqttbytes::v5::Packet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

const ROUNDS: u64 = 6;

fn start(config: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_riser-cloud"))
        .args(["run", "--config"])
        .arg(config)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Sends batches from `next` on until the connection ends; answers the highest contiguous number
/// it was told is durable, and the next one to send.
async fn send_until_killed(mut gateway: Gateway, durable: &mut u64, sent: &mut u64) {
    loop {
        let window = *sent < *durable + 200;
        tokio::select! {
            heard = gateway.next() => match heard {
                Heard::Ended(_) => return,
                Heard::Packet(packet) => {
                    if let Packet::Publish(publish) = *packet
                        && let Ok(Down::Durable(d)) = Down::decode(&publish.payload)
                        && d.stream == Stream::Data
                    {
                        *durable = (*durable).max(d.contiguous);
                    }
                }
            },
            () = std::future::ready(()), if window => {
                *sent += 1;
                gateway.say(UpLane::Live, data(*sent)).await;
            }
        }
    }
}

/// Starts the service, sends until it is killed at the given moment; answers what is durable now.
async fn round(config: &Path, port: u16, pki: &Pki, durable: u64, life: Duration) -> u64 {
    let mut process = start(config);
    let started = Instant::now();
    until("the service listens", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()
            .map(drop)
    })
    .await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "start took {:?}",
        started.elapsed()
    );
    let own = pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", port, &pki.ca(), &own).await;
    gateway.listen().await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    let told = gateway
        .durable(|d| d.stream == Stream::Data)
        .await
        .contiguous;
    assert!(told >= durable, "{durable} were durable, now only {told}");
    // As the link: what is not durable goes again.
    let (mut now, mut sent) = (told, told);
    let killing = async {
        tokio::time::sleep(life).await;
        process.kill().await.unwrap();
    };
    let sending = send_until_killed(gateway, &mut now, &mut sent);
    tokio::time::timeout(DEADLINE, async { tokio::join!(sending, killing) })
        .await
        .unwrap();
    assert!(
        now > told,
        "no progress in {life:?}: the test shows nothing"
    );
    now
}

async fn number(db: &Db, sql: &'static str) -> u64 {
    let number: i64 = db
        .read(move |c| Ok(c.query_row(sql, [], |r| r.get(0))?))
        .await
        .unwrap();
    number.unsigned_abs()
}

#[tokio::test]
async fn what_was_called_durable_survives_kill_9() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let config = folder.path().join("cloud.toml");
    let text = format!(
        "data_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:{port}\"\n\
         [pki]\ndir = \"{}\"\n",
        pki.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let mut durable = 0;
    for n in 0..ROUNDS {
        // At another moment each time.
        let life = Duration::from_millis(150 + n * 83);
        durable = round(&config, port, &pki, durable, life).await;
    }
    let db = Db::open(&folder.path().join("data")).unwrap();
    let count = number(&db, "SELECT count(*) FROM batch WHERE stream = 2").await;
    let distinct = number(
        &db,
        "SELECT count(DISTINCT seq) FROM batch WHERE stream = 2",
    )
    .await;
    assert_eq!(count, distinct, "doubled");
    let upto = db
        .read(move |c| {
            let sql = "SELECT count(*) FROM batch WHERE stream = 2 AND seq <= ?1";
            let upto: i64 = c.query_row(sql, [i64::try_from(durable).unwrap()], |r| r.get(0))?;
            Ok(upto.unsigned_abs())
        })
        .await
        .unwrap();
    assert_eq!(upto, durable, "called durable, but not there");
    assert_eq!(
        number(&db, "SELECT min(first_at) FROM batch").await,
        (T0 + 1000).unsigned_abs()
    );
    let marks = db
        .durable(&crate::lab::origin("gw-001"), epoch(1))
        .await
        .unwrap();
    assert!(
        marks
            .iter()
            .any(|d| d.stream == Stream::Data && d.contiguous >= durable)
    );
    let whole: String = db
        .read(|c| Ok(c.query_row("PRAGMA integrity_check", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(whole, "ok");
}
