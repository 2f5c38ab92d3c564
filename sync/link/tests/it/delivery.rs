//! What leaves the outbox, in which order, and when it counts as delivered.

use crate::proxy::Net;
use crate::rig::{HOUR, NOON, Rig, reached, says, until};
use rand::{RngExt, SeedableRng};
use riser_model::{Event, LinkState, Quality, Reading, ScanBatch, Slot, Timestamp, Value};
use std::time::{Duration, Instant};

fn loss(samples: u64) -> Event {
    Event::Loss {
        at: Timestamp(NOON),
        lane: "intake".into(),
        samples,
        reason: "test".into(),
    }
}

fn watched(readings: usize) -> ScanBatch {
    let reading = Reading {
        slot: Slot(3),
        value: None,
        quality: Quality::GOOD,
    };
    ScanBatch {
        at: Timestamp(NOON),
        readings: vec![reading; readings],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn durable_ranges_free_rows_and_hello_comes_first() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    for n in 0..5 {
        rig.store_batch(NOON + n).await;
    }
    rig.store.append_event(loss(1)).await.unwrap();
    assert_eq!(rig.backlog(), 6);
    let (link, cancel) = rig.link(rig.config());
    reached(&link, LinkState::Live).await;
    until("everything is durable", || rig.backlog() == 0).await;
    assert_eq!(rig.cloud.when("hello"), Some(0));
    assert_eq!(rig.cloud.when("event 1"), Some(1), "events go before data");
    let hello = rig.cloud.seen().hellos[0].clone();
    assert_eq!((hello.epoch, hello.streams[1].head), (rig.store.epoch(), 5));
    let status = says(&link, |s| s.backlog_batches == 0 && s.samples_sent == 5).await;
    assert!(status.last_heartbeat.is_some() && status.round_trip_ms.is_some());
    assert_eq!((status.connects, status.last_error), (1, None));
    cancel.cancel();
    tokio::time::timeout(Duration::from_secs(3), link.task)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_puback_alone_frees_nothing() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    rig.cloud.be(|m| m.acks = false);
    let (link, _cancel) = rig.link(rig.config());
    reached(&link, LinkState::Live).await;
    for n in 0..4 {
        rig.store_batch(NOON + n).await;
    }
    // The fifth shows that the broker has acknowledged the others: it is live, they were before.
    until("the cloud has them", || rig.cloud.seen().data.len() >= 4).await;
    rig.store.append_event(loss(1)).await.unwrap();
    until("the cloud has the event", || {
        rig.cloud.when("event 1").is_some()
    })
    .await;
    rig.store.settle().await.unwrap();
    assert_eq!(rig.backlog(), 5);
    rig.cloud.be(|m| m.acks = true);
    until("everything is durable", || rig.backlog() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_live_goes_before_backfill_and_the_newest_hour_first() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let (link, _cancel) = rig.link(rig.config());
    reached(&link, LinkState::Live).await;
    rig.proxy.set(Net::Down);
    reached(&link, LinkState::Offline).await;
    rig.cloud.be(|m| m.acks = false);
    for n in 0..200 {
        rig.store_batch(NOON - 3 * HOUR + n).await;
    }
    for n in 0..100 {
        rig.store_batch(NOON - HOUR + n).await;
    }
    rig.proxy.set(Net::Up);
    until("the backfill has begun", || {
        rig.cloud.seen().data.len() >= 20
    })
    .await;
    assert_eq!(link.status.borrow().state, LinkState::CatchingUp);
    let committed = Instant::now();
    rig.store_batch(NOON).await;
    until("the live batch is there", || {
        rig.cloud.when("data 301").is_some()
    })
    .await;
    assert!(committed.elapsed() < Duration::from_secs(2));
    assert!(
        rig.cloud.seen().data.len() < 300,
        "backfill waits for durability"
    );
    let first = rig.cloud.seen().data[0].seq;
    assert_eq!(first, 201, "newest hour first, ascending inside it");
    rig.cloud.be(|m| m.acks = true);
    reached(&link, LinkState::Live).await;
    assert_eq!(rig.backlog(), 0);
    let seqs: std::collections::BTreeSet<u64> =
        rig.cloud.seen().data.iter().map(|h| h.seq).collect();
    assert_eq!(seqs.len(), 301, "none is missing");
    assert!(rig.cloud.seen().data.len() <= 320, "hardly any went twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_batch_is_kept_aside_and_the_rest_flows() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    rig.cloud.be(|m| m.rejects = Some(2));
    for n in 0..4 {
        rig.store_batch(NOON + n).await;
    }
    let (link, _cancel) = rig.link(rig.config());
    until("nothing waits", || rig.backlog() == 0).await;
    says(&link, |s| s.quarantined == 1 && s.state == LinkState::Live).await;
}

/// An event whose frame has more than 3,000 octets.
fn long() -> Event {
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    Event::Loss {
        at: Timestamp(NOON),
        lane: (0..4_000).map(|_| random.random_range('!'..'~')).collect(),
        samples: 1,
        reason: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_longer_than_the_broker_takes_goes_in_parts() {
    let Some(rig) = Rig::start_with("max_packet_size 2000").await else {
        return;
    };
    for event in [loss(1), long(), loss(2)] {
        rig.store.append_event(event).await.unwrap();
    }
    let (link, _cancel) = rig.link(rig.config());
    until("nothing waits", || rig.backlog() == 0).await;
    for event in ["event 1", "event 2", "event 3"] {
        assert!(rig.cloud.when(event).is_some(), "{event}");
    }
    assert!(rig.cloud.seen().parts >= 2);
    assert_eq!(link.meter.counts().split, 1);
    reached(&link, LinkState::Live).await;
    link.watch.try_send(watched(2_000)).unwrap();
    until("it is dropped and counted", || {
        link.meter.counts().watch_dropped == 2_000
    })
    .await;
    link.watch.try_send(watched(10)).unwrap();
    until("a short one passes", || rig.cloud.seen().watched == 10).await;
    let status = link.status.borrow().clone();
    assert_eq!((status.connects, status.quarantined), (1, 0));
}

/// `message_size_limit` is not announced: the link has to find it out.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_the_broker_does_not_announce_is_found_out() {
    let Some(rig) = Rig::start_with("message_size_limit 6000").await else {
        return;
    };
    let mut random = rand::rngs::StdRng::seed_from_u64(2);
    for n in 0..3 {
        let readings = (0..4_000_u32).map(|slot| Reading {
            slot: Slot(slot),
            value: Some(Value::Float(random.random())),
            quality: Quality::GOOD,
        });
        rig.store_scan(NOON + n, readings.collect()).await;
    }
    rig.store_batch(NOON + 9).await;
    let (link, _cancel) = rig.link(rig.config());
    until("nothing waits", || rig.backlog() == 0).await;
    reached(&link, LinkState::Live).await;
    let samples: u32 = rig.cloud.seen().data.iter().map(|h| h.samples).sum();
    assert!(samples >= 12_001, "{samples}");
    assert_eq!(link.status.borrow().quarantined, 0);
    // 30,000 octets: halved a few times, not once for each batch.
    assert!(
        link.status.borrow().connects <= 5,
        "{:?}",
        link.status.borrow()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_too_small_for_parts_keeps_a_frame_aside() {
    let Some(rig) = Rig::start_with("max_packet_size 400").await else {
        return;
    };
    for event in [loss(1), long(), loss(2)] {
        rig.store.append_event(event).await.unwrap();
    }
    let (link, _cancel) = rig.link(rig.config());
    until("nothing waits", || rig.backlog() == 0).await;
    assert!(rig.cloud.when("event 1").is_some() && rig.cloud.when("event 3").is_some());
    says(&link, |s| s.quarantined == 1).await;
    reached(&link, LinkState::Live).await;
    assert_eq!(link.status.borrow().connects, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn watched_values_pass_at_once_and_are_not_stored() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let (link, _cancel) = rig.link(rig.config());
    reached(&link, LinkState::Live).await;
    let scan = watched(7);
    let sent = Instant::now();
    link.watch.try_send(scan.clone()).unwrap();
    until("the cloud shows it", || rig.cloud.seen().watched == 7).await;
    assert!(sent.elapsed() < Duration::from_secs(1));
    assert_eq!(rig.backlog(), 0);
    assert_eq!(link.meter.counts().watch_sent, 7);
    rig.proxy.set(Net::Down);
    reached(&link, LinkState::Offline).await;
    link.watch.try_send(scan).unwrap();
    until("it is dropped and counted", || {
        link.meter.counts().watch_dropped == 7
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_refuses_is_kept_and_tried_again_slowly() {
    let Some(rig) = Rig::start_with("acl_file ACL").await else {
        return;
    };
    for n in 0..40 {
        rig.store_batch(NOON + n).await;
    }
    let (link, _cancel) = rig.link(rig.config());
    let status = says(&link, |s| s.last_error.is_some()).await;
    let error = status.last_error.unwrap_or_default();
    assert!(error.contains("NotAuthorized"), "{error}");
    until("it tries again", || link.meter.counts().resent >= 2).await;
    assert_eq!(rig.backlog(), 40, "nothing is lost");
    assert!(
        link.meter.counts().refused < 40,
        "and the broker is not flooded"
    );
    assert_eq!(link.status.borrow().connects, 1);
    rig.allow_data();
    until("everything is durable", || rig.backlog() == 0).await;
    reached(&link, LinkState::Live).await;
}

/// What the link costs: printed for whoever asks with `--nocapture`, never asserted.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_drains() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    const BATCHES: u32 = 1_000;
    for n in 0..BATCHES {
        let readings = (0..500_u32).map(|slot| Reading {
            slot: Slot(slot),
            value: Some(Value::Float(f64::from(slot * n % 999) / 10.0)),
            quality: Quality::GOOD,
        });
        rig.store_scan(NOON + i64::from(n), readings.collect())
            .await;
    }
    let (began, cpu) = (Instant::now(), cpu_ms());
    let (link, _cancel) = rig.link(rig.config());
    until("nothing waits", || rig.backlog() == 0).await;
    let took = began.elapsed();
    says(&link, |s| s.samples_sent >= 500 * u64::from(BATCHES)).await;
    println!(
        "{BATCHES} batches of 500 samples in {took:?}; {:.0} us CPU per batch with store, proxy, \
         encoding of TLS and the scripted cloud",
        (cpu_ms() - cpu) * 1e3 / f64::from(BATCHES)
    );
}

/// Processor time of this process so far, in milliseconds; 0 where /proc does not tell.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok())
        .sum();
    ticks * 10.0
}
