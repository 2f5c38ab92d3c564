//! A link that only looks alive is found out and replaced.

use crate::proxy::Net;
use crate::rig::{NOON, Rig, reached, says, until};
use riser_model::LinkState;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_to_heartbeats_is_shown_as_degraded() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    rig.cloud.be(|m| m.beats = false);
    let mut config = rig.config();
    config.timings.heartbeat = Duration::from_secs(1);
    config.timings.heartbeat_limit = Duration::from_secs(2);
    let (link, _cancel) = rig.link(config);
    says(&link, |s| {
        s.connects == 1 && s.state == LinkState::Connecting
    })
    .await;
    reached(&link, LinkState::Degraded).await;
    rig.cloud.be(|m| m.beats = true);
    reached(&link, LinkState::Live).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_durable_progress_builds_a_new_client() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    rig.cloud.be(|m| m.acks = false);
    rig.store_batch(NOON).await;
    let mut config = rig.config();
    config.timings.progress_limit = Duration::from_secs(2);
    let (link, _cancel) = rig.link(config);
    let status = says(&link, |s| s.connects >= 2).await;
    let error = status.last_error.unwrap_or_default();
    assert!(
        error.is_empty() || error.contains("confirmed nothing"),
        "{error}"
    );
    assert!(
        rig.cloud.seen().data.len() >= 2,
        "the batch went again on the new connection"
    );
    rig.cloud.be(|m| m.acks = true);
    until("it is durable", || rig.backlog() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_noticed_and_replaced() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let mut config = rig.config();
    config.timings.heartbeat = Duration::from_secs(1);
    config.timings.silence_limit = Duration::from_secs(3);
    config.timings.connect = Duration::from_secs(1);
    let (link, _cancel) = rig.link(config);
    reached(&link, LinkState::Live).await;
    rig.proxy.set(Net::Hole);
    let began = Instant::now();
    rig.store_batch(NOON).await;
    reached(&link, LinkState::Offline).await;
    assert!(began.elapsed() < Duration::from_secs(6));
    rig.proxy.set(Net::Up);
    reached(&link, LinkState::Live).await;
    until("nothing waits", || rig.backlog() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_back_in_a_moment() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let (link, _cancel) = rig.link(rig.config());
    for round in 2..5 {
        reached(&link, LinkState::Live).await;
        rig.proxy.set(Net::Down);
        reached(&link, LinkState::Offline).await;
        rig.proxy.set(Net::Up);
        let healed = Instant::now();
        says(&link, |s| s.connects == round && s.state == LinkState::Live).await;
        assert!(
            healed.elapsed() < Duration::from_secs(2),
            "{:?}",
            healed.elapsed()
        );
    }
}
