//! What the cloud asks of a gateway is obeyed; what the MQTT client cannot is contained
//! (`docs/adr/0009-mqtt-client.md`).

use crate::endpoint::{Endpoint, Manner};
use crate::rig::{NOON, Yard, reached, says, until};
use riser_model::LinkState;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{PubAck, Publish};
use rumqttc::v5::{MqttState, Request};
use std::time::Duration;

/// What a loaded machine may add to a wait.
const SLACK: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_put_off_comes_back_when_it_was_told_to() {
    let yard = Yard::new();
    let wait = Duration::from_secs(2);
    let manners = vec![Manner::PutOff(wait), Manner::Proper];
    let endpoint = Endpoint::start(yard.dir.path(), manners).await;
    let (link, _cancel) = yard.link(yard.config(endpoint.port));
    let status = says(&link, |s| s.last_error.is_some()).await;
    let error = status.last_error.unwrap_or_default();
    assert!(error.contains("come back in 2 s"), "{error}");
    assert_eq!(status.connects, 0, "it was not let in");
    reached(&link, LinkState::Live).await;
    let arrivals = endpoint.arrivals();
    let away = arrivals[1] - arrivals[0];
    assert!(away >= wait && away < wait + wait / 4 + SLACK, "{away:?}");
    assert_eq!(link.meter.counts().postponed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farewell_says_when_to_come_back() {
    let yard = Yard::new();
    let wait = Duration::from_secs(2);
    let manners = vec![Manner::Farewell(wait), Manner::Proper];
    let endpoint = Endpoint::start(yard.dir.path(), manners).await;
    let (link, _cancel) = yard.link(yard.config(endpoint.port));
    says(&link, |s| s.connects == 1 && s.state == LinkState::Offline).await;
    reached(&link, LinkState::Live).await;
    let arrivals = endpoint.arrivals();
    let away = arrivals[1] - arrivals[0];
    assert!(away >= wait && away < wait + wait / 4 + SLACK, "{away:?}");
    assert_eq!(link.meter.counts().postponed, 1);
}

/// rumqtt #1056, #1014: two publications under one packet id stop the client for good, and it
/// carries that state into every further connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_puback_that_never_comes_does_not_stop_the_link() {
    let yard = Yard::new();
    let manners = vec![Manner::Withholds, Manner::Proper];
    let endpoint = Endpoint::start(yard.dir.path(), manners).await;
    let (link, _cancel) = yard.link(yard.config(endpoint.port));
    reached(&link, LinkState::Live).await;
    // More than there are packet ids: the one that is never given back comes up again.
    for n in 0..200 {
        yard.store_batch(NOON + n).await;
    }
    until("everything is durable", || {
        yard.store.outbox().occupancy().batches == 0
    })
    .await;
    says(&link, |s| s.connects == 2 && s.state == LinkState::Live).await;
}

/// Should this fail, the defect is gone from the client, and the decision can be looked at again.
#[test]
fn the_client_still_carries_a_collision_into_the_next_connection() {
    let mut state = MqttState::new(1, false);
    let publish = || Request::Publish(Publish::new("t", QoS::AtLeastOnce, "x", None));
    assert!(state.handle_outgoing_packet(publish()).unwrap().is_some());
    assert!(state.handle_outgoing_packet(publish()).unwrap().is_none());
    state.clean();
    assert!(state.collision.is_some(), "rumqtt #1056 is fixed");
    let answer = PubAck::new(1, None);
    let packet = rumqttc::v5::mqttbytes::v5::Packet::PubAck(answer);
    assert!(
        state.handle_incoming_packet(packet).is_err(),
        "nothing can clear it any more"
    );
}
