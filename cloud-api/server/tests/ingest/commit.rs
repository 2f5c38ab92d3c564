//! Nothing is acknowledged before it is committed, answers keep the order of the messages, and
//! doubles, gaps and poison do no harm.

use crate::frames::{T0, alarm, data, directory, epoch, event, header, hello, scan};
use crate::gateway::{Gateway, tls};
use crate::lab::{Bench, Lab, origin, until};
use crate::raw::{Raw, publish_of};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use riser_cloud::db::{Batch, CloudEvent, Commit, CommitLog, Db, DbError};
use riser_model::{AlarmState, Event};
use riser_wire::topic::UpLane;
use riser_wire::{Down, Stream, Up, encode_data, encode_event};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAck, PubAckReason};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// The SQLite inbox, but each commit counts only when the test says so.
struct Gated {
    db: Db,
    queued: AtomicUsize,
    open: watch::Sender<BTreeSet<u64>>,
    failing: AtomicBool,
}

impl Gated {
    fn new(db: Db) -> Arc<Self> {
        let open = watch::Sender::new(BTreeSet::new());
        Arc::new(Self {
            db,
            queued: AtomicUsize::new(0),
            open,
            failing: AtomicBool::new(false),
        })
    }

    fn release(&self, seq: u64) {
        self.open.send_modify(|open| {
            open.insert(seq);
        });
    }

    async fn queued(&self, count: usize) {
        until("batches are queued", || async {
            (self.queued.load(Ordering::SeqCst) >= count).then_some(())
        })
        .await;
    }
}

impl CommitLog for Gated {
    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Commit, DbError>> {
        async move {
            if self.failing.load(Ordering::SeqCst) {
                return Ok(async { Err(DbError::Limit("the disk is full".to_owned())) }.boxed());
            }
            let (seq, mut open) = (batch.header.seq, self.open.subscribe());
            let commit = self.db.append(batch).await?;
            self.queued.fetch_add(1, Ordering::SeqCst);
            Ok(async move {
                open.wait_for(|open| open.contains(&seq))
                    .await
                    .map_err(|_| DbError::Closed)?;
                commit.await
            }
            .boxed())
        }
        .boxed()
    }
}

/// A round trip over the same connection; answers the PUBACKs that came before its end.
async fn pubacks_until_suback(gateway: &mut Gateway) -> Vec<PubAck> {
    let filter = "riser/v1/acme/gw-001/down/watch";
    gateway
        .client
        .subscribe(filter, QoS::AtLeastOnce)
        .await
        .unwrap();
    let mut acks = Vec::new();
    gateway
        .wait("SUBACK", |packet| match packet {
            Packet::PubAck(ack) => {
                acks.push(ack.clone());
                None
            }
            Packet::SubAck(_) => Some(()),
            _ => None,
        })
        .await;
    acks
}

async fn gated() -> (Bench, Arc<Gated>, Gateway, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let log = Gated::new(db.clone());
    let bench = Bench::start(db, Arc::clone(&log) as Arc<dyn CommitLog>).await;
    let own = bench.pki.gateway("gw-001");
    let gateway = Gateway::enter("gw-001", bench.port, &bench.pki.ca(), &own).await;
    (bench, log, gateway, dir)
}

#[tokio::test]
async fn a_puback_waits_for_the_commit_and_keeps_its_place() {
    let (_bench, log, mut gateway, _dir) = gated().await;
    for seq in 1..=4 {
        gateway.say(UpLane::Live, data(seq)).await;
    }
    // All four are under way at the same time, none is answered.
    log.queued(4).await;
    assert!(pubacks_until_suback(&mut gateway).await.is_empty());
    // Later ones are done first: still none is answered.
    log.release(3);
    log.release(2);
    assert!(pubacks_until_suback(&mut gateway).await.is_empty());
    log.release(1);
    let order = [
        gateway.puback().await.pkid,
        gateway.puback().await.pkid,
        gateway.puback().await.pkid,
    ];
    assert_eq!(order, [1, 2, 3]);
    log.release(4);
    assert_eq!(gateway.puback().await.pkid, 4);
}

#[tokio::test]
async fn a_refusal_keeps_its_place_too() {
    let (_bench, log, mut gateway, _dir) = gated().await;
    gateway.say(UpLane::Live, data(1)).await;
    gateway
        .client
        .publish("riser/v1/acme/gw-002/up/data", QoS::AtLeastOnce, false, "x")
        .await
        .unwrap();
    log.queued(1).await;
    assert!(pubacks_until_suback(&mut gateway).await.is_empty());
    log.release(1);
    assert_eq!(gateway.puback().await.reason, PubAckReason::Success);
    assert_eq!(gateway.puback().await.reason, PubAckReason::NotAuthorized);
}

#[tokio::test]
async fn what_could_not_be_stored_is_said_and_taken_the_next_time() {
    let (_bench, log, mut gateway, _dir) = gated().await;
    log.failing.store(true, Ordering::SeqCst);
    gateway.say(UpLane::Live, data(1)).await;
    let ack = gateway.puback().await;
    assert_eq!(ack.reason, PubAckReason::QuotaExceeded);
    let why = ack
        .properties
        .and_then(|p| p.reason_string)
        .unwrap_or_default();
    assert!(
        why.contains("the disk is full") && why.contains("send it again"),
        "{why}"
    );
    log.failing.store(false, Ordering::SeqCst);
    log.release(1);
    gateway.stored(UpLane::Live, data(1)).await;
}

/// The commit is done, the service dies before it can say so, the gateway sends again.
#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_stored_once() {
    let (bench, log, gateway, dir) = gated().await;
    gateway.say(UpLane::Live, data(1)).await;
    log.queued(1).await;
    until("the batch is on the disk", || async {
        let count: i64 = log
            .db
            .read(|c| Ok(c.query_row("SELECT count(*) FROM batch", [], |r| r.get(0))?))
            .await
            .unwrap();
        (count == 1).then_some(())
    })
    .await;
    drop((bench, gateway));
    log.db.close().await;
    drop(log);
    let db = until("the folder is free", || async { Db::open(dir.path()).ok() }).await;
    let bench = Bench::start(db.clone(), Arc::new(db.clone())).await;
    let own = bench.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", bench.port, &bench.pki.ca(), &own).await;
    gateway.stored(UpLane::Live, data(1)).await;
    assert_eq!(db.figures().duplicates.load(Ordering::Relaxed), 1);
    let count: i64 = db
        .read(|c| Ok(c.query_row("SELECT count(*) FROM batch", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn doubles_and_gaps_end_as_one_contiguous_range() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    for seq in [5, 6, 3, 5, 1, 3] {
        gateway.stored(UpLane::Backfill, data(seq)).await;
    }
    let durable = gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 1)
        .await;
    assert_eq!(durable.ranges, [(3, 3), (5, 6)]);
    for seq in [2, 4] {
        gateway.stored(UpLane::Backfill, data(seq)).await;
    }
    gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 6)
        .await;
    let rows: Vec<i64> = lab
        .db
        .read(|c| {
            let mut query = c.prepare("SELECT seq FROM batch WHERE stream = 2 ORDER BY seq")?;
            Ok(query
                .query_map([], |r| r.get(0))?
                .collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    assert_eq!(rows, [1, 2, 3, 4, 5, 6]);
    assert_eq!(lab.db.figures().duplicates.load(Ordering::Relaxed), 2);
    // A new epoch is a numbering of its own.
    gateway.stored(UpLane::Hello, hello(2)).await;
    let durable = gateway
        .durable(|d| d.epoch == epoch(2) && d.stream == Stream::Data)
        .await;
    assert_eq!(durable.contiguous, 0);
    lab.stop().await;
}

/// Present value of the one point: value, source time.
async fn latest(db: &Db) -> Option<(f64, i64)> {
    db.read(|c| {
        let mut query = c.prepare("SELECT value, at FROM latest")?;
        let row = query
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
            .next()
            .transpose()?;
        Ok(row)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn the_present_value_follows_the_newest_batch_only() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.stored(UpLane::Event, event(1, &directory(1))).await;
    gateway.stored(UpLane::Live, data(5)).await;
    assert_eq!(latest(&lab.db).await, Some((5.0, T0 + 5000)));
    // Backfill, and a batch of a clock that was wrong and is put right by the next one.
    gateway.stored(UpLane::Backfill, data(4)).await;
    assert_eq!(latest(&lab.db).await, Some((5.0, T0 + 5000)));
    let far = T0 + 1_000_000_000_000;
    let mut wrong = header(Stream::Data, 6);
    (wrong.first_at.0, wrong.last_at.0) = (far, far);
    gateway
        .stored(
            UpLane::Live,
            Up::Batch(encode_data(&wrong, &[scan(far, 0, 6.0)])),
        )
        .await;
    assert_eq!(latest(&lab.db).await, Some((6.0, far)));
    gateway.stored(UpLane::Live, data(7)).await;
    assert_eq!(latest(&lab.db).await, Some((7.0, T0 + 7000)));
    lab.stop().await;
}

#[tokio::test]
async fn late_alarm_events_raise_nothing_again() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut news = lab.db.events();
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    let active = Event::Alarm(alarm(AlarmState::ActiveUnacknowledged));
    let over = Event::Alarm(alarm(AlarmState::Normal));
    gateway.stored(UpLane::Event, event(3, &over)).await;
    gateway.stored(UpLane::Event, event(2, &active)).await;
    gateway.stored(UpLane::Event, event(3, &over)).await;
    let state: (String, bool) = lab
        .db
        .read(|c| {
            Ok(c.query_row("SELECT state, open FROM alarm", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })?)
        })
        .await
        .unwrap();
    assert_eq!(state, ("normal".to_owned(), false));
    let mut told = Vec::new();
    while let Ok(event) = news.try_recv() {
        if let CloudEvent::Alarm { alarm, .. } = event {
            told.push(alarm.state);
        }
    }
    assert_eq!(told, [AlarmState::Normal]);
    lab.stop().await;
}

/// An event body under a data header: header and checksum are right, the body is not.
fn poison(seq: u64) -> Up {
    let mut frame = encode_event(&header(Stream::Event, seq), &directory(1));
    let at = frame
        .windows(2)
        .position(|w| w == [0x10, 0x01])
        .expect("field 2, stream: event");
    frame[at + 1] = 2;
    let end = frame.len() - 4;
    let sum = crc32c::crc32c(&frame[..end]);
    frame[end..].copy_from_slice(&sum.to_le_bytes());
    Up::Batch(frame)
}

async fn kept_aside(db: &Db) -> i64 {
    let sql = "SELECT count(*) FROM quarantine WHERE frame IS NOT NULL";
    db.read(move |c| Ok(c.query_row(sql, [], |r| r.get(0))?))
        .await
        .unwrap()
}

#[tokio::test]
async fn poison_goes_into_quarantine_and_the_rest_flows() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    gateway.stored(UpLane::Live, data(1)).await;
    gateway.say(UpLane::Live, poison(2)).await;
    let rejected = |down| match down {
        Down::Rejected { seq, reason, .. } => Some((seq, reason)),
        _ => None,
    };
    let (seq, reason) = gateway.down("rejection", rejected).await;
    assert_eq!(seq, 2);
    assert!(!reason.is_empty());
    gateway.stored(UpLane::Live, data(3)).await;
    gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 3)
        .await;
    assert_eq!(kept_aside(&lab.db).await, 1);
    // A gateway that was away hears it again.
    let mut again = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    again.listen().await;
    again.say(UpLane::Hello, hello(1)).await;
    assert_eq!(again.down("rejection", rejected).await, (2, reason));
    lab.stop().await;
}

#[tokio::test]
async fn damage_that_hides_even_the_number_is_answered_by_its_code() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    let Up::Batch(mut damaged) = data(4) else {
        unreachable!("data makes a batch")
    };
    damaged[10] ^= 1;
    gateway.say(UpLane::Live, Up::Batch(damaged)).await;
    let ack = gateway.puback().await;
    assert_eq!(ack.reason, PubAckReason::PayloadFormatInvalid);
    let why = ack
        .properties
        .and_then(|p| p.reason_string)
        .unwrap_or_default();
    assert!(why.contains("checksum"), "{why}");
    // An event where data belongs, and a number that is none.
    let Up::Batch(frame) = event(1, &directory(1)) else {
        unreachable!("event makes a batch")
    };
    gateway.say(UpLane::Live, Up::Batch(frame)).await;
    assert_eq!(
        gateway.puback().await.reason,
        PubAckReason::PayloadFormatInvalid
    );
    gateway.say(UpLane::Live, data(0)).await;
    assert_eq!(
        gateway.puback().await.reason,
        PubAckReason::PayloadFormatInvalid
    );
    assert_eq!(kept_aside(&lab.db).await, 3);
    let settled = lab.db.durable(&origin("gw-001"), epoch(1)).await.unwrap();
    assert!(
        settled
            .iter()
            .all(|d| d.contiguous == 0 && d.ranges.is_empty()),
        "{settled:?}"
    );
    lab.stop().await;
}

/// The receive maximum counts packet ids: one that is used again and again must not let a gateway
/// pile up messages here that wait for their commit.
#[tokio::test]
async fn a_gateway_that_reuses_one_packet_id_is_held_back_all_the_same() {
    let (bench, log, gateway, _dir) = gated().await;
    drop(gateway);
    let own = bench.pki.gateway("gw-001");
    let config = Arc::new(tls(&bench.pki.ca(), Some(&own)));
    let mut raw = Raw::open(bench.port, &config).await;
    raw.connect("gw-001", 0).await;
    let mut burst = Vec::new();
    for seq in 1..=4000 {
        let Up::Batch(frame) = data(seq) else {
            unreachable!("data makes a batch")
        };
        burst.extend(publish_of("riser/v1/acme/gw-001/up/data", 1, &frame));
    }
    let sending = tokio::spawn(async move {
        raw.send(&burst).await;
        raw
    });
    log.queued(128).await;
    let more = tokio::time::timeout(Duration::from_secs(1), log.queued(1000));
    assert!(more.await.is_err(), "nothing holds it back");
    // It goes on as soon as there is room.
    for seq in 1..=4000 {
        log.release(seq);
    }
    log.queued(4000).await;
    drop(sending);
}

/// The directory of a very large gateway is the longest frame there is.
#[tokio::test]
async fn a_directory_of_more_than_a_megabyte_comes_through() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    // Names that do not compress below half their length.
    let mut state = 1_u64;
    let points = (0..10_000).map(|slot| {
        let mut point = crate::frames::point(&format!("device/point-{slot}"));
        point.name = (0..16)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                format!("{state:016x}")
            })
            .collect();
        (riser_model::Slot(slot), point)
    });
    let points = points.collect();
    let directory = Event::Directory(riser_model::PointDirectory { version: 1, points });
    let frame = event(1, &directory);
    assert!(frame.clone().encode().len() > riser_wire::limits::MAX_FRAME);
    gateway.stored(UpLane::Event, frame).await;
    lab.stop().await;
}

/// A frame of well compressed nothing goes into quarantine before it is unpacked.
#[tokio::test]
async fn a_frame_of_a_million_samples_is_not_unpacked() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    let scans: Vec<_> = (0..1_000_000).map(|at| scan(T0 + at, 0, 1.0)).collect();
    let frame = encode_data(&header(Stream::Data, 1), &scans);
    assert!(frame.len() < riser_wire::limits::MAX_FRAME);
    gateway.say(UpLane::Live, Up::Batch(frame)).await;
    let reason = gateway
        .down("word of it", |down| match down {
            Down::Rejected { seq: 1, reason, .. } => Some(reason),
            _ => None,
        })
        .await;
    assert!(reason.contains("65,536"), "{reason}");
    lab.stop().await;
}
