//! A link with a bandwidth budget: it keeps to it, alarms do not wait for it, nothing is lost.

use crate::rig::{NOON, Rig, reached, says, until};
use rand::{RngExt, SeedableRng};
use riser_model::{Event, LinkState, Quality, Reading, Slot, Timestamp, Value};
use riser_wire::RollupHeader;
use std::time::{Duration, Instant};

/// 10,000 octets a second.
const KBIT_S: u32 = 80;
/// Samples of a batch whose frame has some 7,000 octets, for they are pure noise.
const NOISE: u32 = 1_000;

fn noise(random: &mut rand::rngs::StdRng) -> Vec<Reading> {
    let reading = |slot| Reading {
        slot: Slot(slot),
        value: Some(Value::Float(random.random())),
        quality: Quality::GOOD,
    };
    (0..NOISE).map(reading).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_kept_and_an_alarm_does_not_wait_for_it() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let mut random = rand::rngs::StdRng::seed_from_u64(4);
    for n in 0..10 {
        rig.store_scan(NOON + n, noise(&mut random)).await;
    }
    let mut config = rig.config();
    config.max_kbit_s = Some(KBIT_S);
    let began = Instant::now();
    let (link, _cancel) = rig.link(config);
    until("some of it is there", || rig.cloud.seen().data.len() >= 3).await;
    let event = Event::Loss {
        at: Timestamp(NOON),
        lane: "intake".into(),
        samples: 1,
        reason: "an alarm stands for it".into(),
    };
    let raised = Instant::now();
    rig.store.append_event(event).await.unwrap();
    until("the event is there", || rig.cloud.when("event 1").is_some()).await;
    let overtook = raised.elapsed();
    let behind = rig.cloud.seen().data.len();
    eprintln!("an event overtook {} batches in {overtook:?}", 10 - behind);
    assert!(behind < 9, "there was nothing to overtake: {behind}");
    // What waits would take several seconds.
    assert!(overtook < Duration::from_secs(2), "{overtook:?}");
    rig.store_scan(NOON + 100, noise(&mut random)).await;
    until("everything is durable", || rig.backlog() == 0).await;
    let came: Vec<u64> = rig.cloud.seen().data.iter().map(|h| h.seq).collect();
    let live = came.iter().position(|seq| *seq == 11);
    let last_old = came.iter().rposition(|seq| *seq < 11);
    assert!(live < last_old, "live goes before backfill: {came:?}");
    let octets = link.status.borrow().bytes_sent as f64;
    let most = 10_000.0 * (began.elapsed().as_secs_f64() + 2.0) + 10_000.0;
    assert!(
        octets <= most && octets > 70_000.0,
        "{octets} octets, at most {most}"
    );
    assert!(link.meter.counts().held_seconds >= 2);
    reached(&link, LinkState::Live).await;
}

/// More live data than the budget carries: the newest goes up as often as it may, the rest follows.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_budget_cannot_carry_live_follows_later() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let mut config = rig.config();
    config.max_kbit_s = Some(4 * KBIT_S);
    let (link, _cancel) = rig.link(config);
    reached(&link, LinkState::Live).await;
    let mut random = rand::rngs::StdRng::seed_from_u64(5);
    for n in 0..30 {
        rig.store_scan(NOON + n, noise(&mut random)).await;
    }
    until("the live lane jumped ahead", || {
        link.meter.counts().deferred > 8
    })
    .await;
    rig.store_scan(NOON + 100, noise(&mut random)).await;
    until("the newest is there", || {
        rig.cloud.when("data 31").is_some()
    })
    .await;
    until("everything is durable", || rig.backlog() == 0).await;
    let came: Vec<u64> = rig.cloud.seen().data.iter().map(|h| h.seq).collect();
    let newest = came.iter().position(|seq| *seq == 31);
    let last_old = came.iter().rposition(|seq| *seq < 31);
    assert!(
        newest < last_old,
        "the newest overtook older ones: {came:?}"
    );
    let seqs: std::collections::BTreeSet<u64> = came.into_iter().collect();
    assert_eq!(seqs.len(), 31, "nothing is lost");
    says(&link, |s| s.state == LinkState::Live).await;
}

/// Twenty minutes of pure noise, a scan every six seconds.
async fn minutes(rig: &Rig) {
    let mut random = rand::rngs::StdRng::seed_from_u64(6);
    for n in 0..200 {
        rig.store_scan(NOON + n * 6_000, noise(&mut random)).await;
    }
    rig.store_scan(NOON + 1_200_000 + 10_000, noise(&mut random))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_up_rolled_up_where_the_cloud_knows_that() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    minutes(&rig).await;
    rig.cloud.be(|m| m.rolls = true);
    let mut config = rig.config();
    config.max_kbit_s = Some(4 * KBIT_S);
    let (link, _cancel) = rig.link(config);
    until("some minutes were taken", || {
        link.meter.counts().rollups >= 3
    })
    .await;
    assert!(rig.cloud.seen().hellos[0].rollups);
    let minutes: Vec<Timestamp> = rig
        .cloud
        .seen()
        .rollups
        .iter()
        .map(RollupHeader::from)
        .collect();
    assert_eq!(
        minutes[0],
        Timestamp(NOON + 19 * 60_000),
        "the newest first"
    );
    assert!(minutes.is_sorted_by(|a, b| a >= b), "{minutes:?}");
    let whole = rig.cloud.seen().rollups[0];
    assert!(
        whole.minutes == 1 && whole.pieces > 1,
        "in several frames: {whole:?}"
    );
    assert!(rig.backlog() > 20, "their batches wait");
    let event = Event::Loss {
        at: Timestamp(NOON),
        lane: "intake".into(),
        samples: 1,
        reason: "an alarm stands for it".into(),
    };
    let raised = Instant::now();
    rig.store.append_event(event).await.unwrap();
    until("the event is there", || rig.cloud.when("event 1").is_some()).await;
    assert!(raised.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_know_rollups_gets_none() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    minutes(&rig).await;
    let mut config = rig.config();
    config.max_kbit_s = Some(2 * KBIT_S);
    let (link, _cancel) = rig.link(config);
    until("the budget held for a while", || {
        link.meter.counts().held_seconds >= 5
    })
    .await;
    assert!(rig.cloud.seen().rollups.is_empty());
    // Without a budget nobody asks for them.
    assert!(rig.cloud.seen().hellos[0].rollups);
}
