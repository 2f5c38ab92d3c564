//! What clients with bad manners get, and that they harm nobody else.

use crate::frames::{data, hello};
use crate::gateway::{Gateway, sent_away, tls};
use crate::lab::{DEADLINE, Lab, until};
use crate::raw::{Raw, packet, publish};
use riser_wire::topic::UpLane;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn two_hundred_silent_connections_keep_nobody_out() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut silent = Vec::new();
    for i in 0..300 {
        let mut stream = TcpStream::connect(("127.0.0.1", lab.port)).await.unwrap();
        if i % 3 == 0 {
            // Some begin a TLS record and leave it at that.
            stream.write_all(&[0x16, 3, 1, 0, 200]).await.unwrap();
        }
        silent.push(stream);
    }
    let ca = lab.pki.ca();
    let entering = Gateway::enter("gw-001", lab.port, &ca, &own);
    let mut gateway = tokio::time::timeout(Duration::from_secs(3), entering)
        .await
        .unwrap();
    gateway.stored(UpLane::Live, data(1)).await;
    drop(silent);
    lab.stop().await;
}

#[tokio::test]
async fn silence_beyond_the_keep_alive_ends_the_session() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut raw = Raw::open(lab.port, &Arc::new(tls(&lab.pki.ca(), Some(&own)))).await;
    raw.connect("gw-001", 1).await;
    raw.ping().await;
    assert_eq!(raw.ended().await, Some(0x8D));
    until("the gateway counts as gone", || async {
        (lab.downlink.sessions() == 0).then_some(())
    })
    .await;
    lab.stop().await;
}

#[tokio::test]
async fn a_keep_alive_longer_than_allowed_is_replaced() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut options = Gateway::options("gw-001", lab.port, tls(&lab.pki.ca(), Some(&own)));
    options.set_keep_alive(Duration::from_secs(7200));
    let mut gateway = Gateway::connect(options);
    let told = gateway
        .wait("CONNACK", |packet| match packet {
            Packet::ConnAck(ack) => Some(ack.properties.clone().unwrap()),
            _ => None,
        })
        .await;
    assert_eq!(told.server_keep_alive, Some(300));
    assert_eq!(told.max_qos, Some(1));
    assert_eq!(told.retain_available, Some(0));
    assert_eq!(told.shared_subscription_available, Some(0));
    assert_eq!(told.receive_max, Some(64));
    assert!(told.max_packet_size.unwrap() >= 1024 * 1024);
    lab.stop().await;
}

#[tokio::test]
async fn what_was_announced_as_absent_ends_the_session() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let topic = "riser/v1/acme/gw-001/up/data";
    for (qos, retain, code) in [
        (QoS::ExactlyOnce, false, 0x9B),
        (QoS::AtLeastOnce, true, 0x9A),
        (QoS::AtMostOnce, false, 0x9B),
    ] {
        let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
        gateway
            .client
            .publish(topic, qos, retain, "x")
            .await
            .unwrap();
        let (found, why) = sent_away(gateway.end().await);
        assert_eq!(found, code, "{why}");
        assert!(!why.is_empty());
    }
    let mut options = Gateway::options("gw-001", lab.port, tls(&lab.pki.ca(), Some(&own)));
    options.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, false, None));
    let error = Gateway::connect(options).end().await;
    assert!(
        format!("{error:?}").contains("ImplementationSpecificError"),
        "{error:?}"
    );
    lab.stop().await;
}

#[tokio::test]
async fn octets_that_are_no_mqtt_end_the_connection() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let config = Arc::new(tls(&lab.pki.ca(), Some(&own)));
    for octets in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        packet(0x30, b"\x00\x01ax"),
        packet(0x10, b"\x00\x04MQTT\x09\x02\x00\x1e\x00\x00\x00"),
        vec![0x32, 0xff, 0xff, 0xff, 0x7f],
    ] {
        let mut raw = Raw::open(lab.port, &config).await;
        raw.send(&octets).await;
        raw.ended().await;
    }
    // The same after a proper CONNECT.
    let mut raw = Raw::open(lab.port, &config).await;
    raw.connect("gw-001", 30).await;
    raw.send(&[0x32, 0xff, 0xff, 0xff, 0x7f]).await;
    assert_eq!(raw.ended().await, Some(0x95), "packet too large");
    let mut raw = Raw::open(lab.port, &config).await;
    raw.connect("gw-001", 30).await;
    raw.send_connect("gw-001", 30).await;
    assert_eq!(raw.ended().await, Some(0x82), "a second CONNECT");
    lab.stop().await;
}

#[tokio::test]
async fn a_gateway_that_publishes_where_it_must_not_for_ever_is_sent_away() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut raw = Raw::open(lab.port, &Arc::new(tls(&lab.pki.ca(), Some(&own)))).await;
    raw.connect("gw-001", 30).await;
    for id in 1..=60 {
        raw.send(&publish("riser/v1/acme/gw-002/up/data", id)).await;
        let (first, body) = raw.receive().await.unwrap();
        assert_eq!((first, body[2]), (0x40, 0x87), "PUBACK, not authorized");
    }
    let mut burst = Vec::new();
    for id in 61..=100 {
        burst.extend(publish("riser/v1/acme/gw-002/up/data", id));
    }
    raw.send(&burst).await;
    assert_eq!(raw.ended().await, Some(0x87));
    assert!(lab.downlink.figures().refused.load(Ordering::Relaxed) >= 100);
    lab.stop().await;
}

#[tokio::test]
async fn a_stop_answers_what_was_sent_and_says_why() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    lab.control.stop.cancel();
    assert_eq!(sent_away(gateway.end().await).0, 0x8B);
    tokio::time::timeout(DEADLINE, lab.stop()).await.unwrap();
}
