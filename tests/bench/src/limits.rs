//! What this machine can do at most: its disk, SQLite, a broker, its memory. Owns the loops; they do
//! the least that still does the thing.

use riser_e2e::process::free_port;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rusqlite::{Connection, params};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

type Failed = Box<dyn std::error::Error>;

/// Samples in one transaction: as many as the gateway puts into a frame at most.
const BATCH: u32 = 4_096;
/// Blobs in one transaction: about as many as group commit has under a full load.
const GROUP: u32 = 64;

/// Repeats something for a while; answers how often it was done in a second.
fn per_second(
    stretch: Duration,
    mut once: impl FnMut(u32) -> Result<(), Failed>,
) -> Result<f64, Failed> {
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < stretch {
        once(count)?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// Appends of 4 KiB, each made durable, in a second.
pub(crate) fn syncs(dir: &Path, stretch: Duration) -> Result<f64, Failed> {
    let mut file = File::create(dir.join("syncs"))?;
    let page = [7; 4_096];
    per_second(stretch, |_| {
        file.write_all(&page)?;
        Ok(file.sync_data()?)
    })
}

fn database(path: &Path, table: &str) -> Result<Connection, Failed> {
    let conn = Connection::open(path)?;
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    conn.execute_batch(table)?;
    Ok(conn)
}

/// Rows, one for each sample, that SQLite takes in a second, in transactions of 4,096.
pub(crate) fn rows(dir: &Path, stretch: Duration) -> Result<f64, Failed> {
    let table = "CREATE TABLE sample (slot INTEGER, at INTEGER, value REAL, quality INTEGER)";
    let mut conn = database(&dir.join("rows.db"), table)?;
    let each = per_second(stretch, |batch| {
        let tx = conn.transaction()?;
        {
            let mut insert = tx.prepare_cached("INSERT INTO sample VALUES (?1, ?2, ?3, 0)")?;
            for n in 0..BATCH {
                insert.execute(params![n, batch, f64::from(n) / 10.0])?;
            }
        }
        Ok(tx.commit()?)
    })?;
    Ok(each * f64::from(BATCH))
}

/// Blobs of this many octets that SQLite takes in a second, 64 in a transaction.
pub(crate) fn blobs(dir: &Path, octets: usize, stretch: Duration) -> Result<f64, Failed> {
    let table = "CREATE TABLE batch (seq INTEGER PRIMARY KEY, frame BLOB)";
    let mut conn = database(&dir.join("blobs.db"), table)?;
    let frame = vec![0x5a_u8; octets];
    let each = per_second(stretch, |group| {
        let tx = conn.transaction()?;
        for n in 0..GROUP {
            tx.prepare_cached("INSERT INTO batch VALUES (?1, ?2)")?
                .execute(params![group * GROUP + n, frame])?;
        }
        Ok(tx.commit()?)
    })?;
    Ok(each * f64::from(GROUP))
}

/// Registers a second that are turned into numbers with a time beside them, and nothing more: what
/// a decoder would cost if the format were an array.
pub(crate) fn copies(stretch: Duration) -> Result<f64, Failed> {
    let wire: Vec<u8> = (0..2_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut out: Vec<(i64, f64)> = Vec::with_capacity(1_000);
    let each = per_second(stretch, |n| {
        out.clear();
        let registers = std::hint::black_box(&wire).chunks_exact(2);
        out.extend(registers.map(|r| {
            let register = u16::from_be_bytes([r[0], r[1]]);
            (i64::from(n), f64::from(register) / 10.0)
        }));
        std::hint::black_box(&out);
        Ok(())
    })?;
    Ok(each * 1_000.0)
}

/// A broker of nobody's, without TLS.
struct Broker {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Broker {
    async fn start() -> Result<Self, Failed> {
        let (dir, port) = (tempfile::tempdir()?, free_port());
        let file = dir.path().join("mosquitto.conf");
        let config = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 100\n"
        );
        std::fs::write(&file, config)?;
        let child = Command::new("/usr/sbin/mosquitto")
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let broker = Self {
            child,
            port,
            _dir: dir,
        };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            if began.elapsed() > Duration::from_secs(5) {
                return Err("mosquitto does not listen".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(broker)
    }
}

/// Messages of this many octets a second that one client gets acknowledged by mosquitto: QoS 1, no
/// TLS, 64 under way, nothing stored, nobody listening.
pub(crate) async fn publishes(octets: usize, stretch: Duration) -> Result<f64, Failed> {
    let broker = Broker::start().await?;
    let mut options = MqttOptions::new("limit", "127.0.0.1", broker.port);
    options.set_outgoing_inflight_upper_limit(64);
    let (client, mut events) = AsyncClient::new(options, 64);
    let payload = vec![0x5a_u8; octets];
    let sending = tokio::spawn(async move {
        let send = || client.publish("limit/data", QoS::AtLeastOnce, false, payload.clone());
        while send().await.is_ok() {}
    });
    let mut begun = None;
    let mut count = 0_u32;
    let each = loop {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await? {
            let begun = *begun.get_or_insert_with(Instant::now);
            count += 1;
            if begun.elapsed() >= stretch {
                break f64::from(count) / begun.elapsed().as_secs_f64();
            }
        }
    };
    sending.abort();
    Ok(each)
}
