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
                Heard::Packet(Packet::Publish(publish)) => {
                    if let Ok(Down::Durable(d)) = Down::decode(&publish.payload)
                        && d.stream == Stream::Data
                    {
                        *durable = (*durable).max(d.contiguous);
                    }
                }
                Heard::Packet(_) => {}
            },
            () = std::future::ready(()), if window => {
                *sent += 1;
                gateway.say(UpLane::Live, data(*sent)).await;
            }
        }
    }
}

#[tokio::test]
async fn what_was_called_durable_survives_kill_9() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = folder.path().join("cloud.toml");
    let text = format!(
        "data_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:{port}\"\n\
         [pki]\ndir = \"{}\"\n",
        pki.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let own = pki.gateway("gw-001");
    let mut durable = 0_u64;
    for round in 0..ROUNDS {
        let mut process = start(&config);
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
        let mut gateway = Gateway::enter("gw-001", port, &pki.ca(), &own).await;
        gateway.listen().await;
        gateway.stored(UpLane::Hello, hello(1)).await;
        let told = gateway.durable(|d| d.stream == Stream::Data).await;
        assert!(
            told.contiguous >= durable,
            "{durable} were durable, now only {}",
            told.contiguous
        );
        durable = told.contiguous;
        // As the link: what is not durable goes again.
        let mut sent = durable;
        let before = durable;
        let killing = async {
            // At another moment each time.
            tokio::time::sleep(Duration::from_millis(150 + round * 83)).await;
            process.kill().await.unwrap();
        };
        let sending = send_until_killed(gateway, &mut durable, &mut sent);
        tokio::time::timeout(DEADLINE, async { tokio::join!(sending, killing) })
            .await
            .unwrap();
        assert!(
            durable > before,
            "round {round} made no progress; the test shows nothing"
        );
    }
    let db = Db::open(&folder.path().join("data")).unwrap();
    let (count, distinct, highest): (u64, u64, u64) = db
        .read(|c| {
            let sql = "SELECT count(*), count(DISTINCT seq), max(seq) FROM batch WHERE stream = 2";
            let row = c.query_row(sql, [], |r| {
                Ok((
                    r.get::<_, i64>(0)?,
                    r.get::<_, i64>(1)?,
                    r.get::<_, i64>(2)?,
                ))
            })?;
            Ok((
                row.0.unsigned_abs(),
                row.1.unsigned_abs(),
                row.2.unsigned_abs(),
            ))
        })
        .await
        .unwrap();
    assert_eq!(count, distinct, "doubled");
    assert!(
        highest >= durable && count >= durable,
        "{durable} were durable, {count} are there"
    );
    let first: i64 = db
        .read(|c| Ok(c.query_row("SELECT min(first_at) FROM batch", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(first, T0 + 1000);
    let whole: String = db
        .read(|c| Ok(c.query_row("PRAGMA integrity_check", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(whole, "ok");
    let origin = crate::lab::origin("gw-001");
    let marks = db.durable(&origin, epoch(1)).await.unwrap();
    assert!(
        marks
            .iter()
            .any(|d| d.stream == Stream::Data && d.contiguous >= durable)
    );
}
