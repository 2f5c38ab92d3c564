//! Many gateways at once, and frames in parts.

use crate::frames::{header, hello, scan};
use crate::gateway::{Gateway, Heard, sent_away};
use crate::lab::{Bench, Lab};
use riser_cloud::db::Db;
use riser_cloud::ingest::IngestLimits;
use riser_model::Key;
use riser_wire::topic::{self, UpLane};
use riser_wire::{Stream, encode_data, part, retry};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn the_surplus_is_told_when_to_come_back_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let limits = IngestLimits {
        sessions_per_s: 1,
        ..IngestLimits::default()
    };
    let bench = Bench::start_with(db.clone(), Arc::new(db), limits).await;
    let (mut kept, mut waits) = (Vec::new(), Vec::new());
    for n in 0..6 {
        let name = format!("gw-{n:03}");
        let own = bench.pki.gateway(&name);
        let tls = crate::gateway::tls(&bench.pki.ca(), Some(&own));
        let mut gateway = Gateway::connect(Gateway::options(&name, bench.port, tls));
        let Heard::Packet(packet) = gateway.next().await else {
            panic!("{name} was not answered")
        };
        let Packet::ConnAck(connack) = *packet else {
            panic!("{packet:?}")
        };
        let properties = connack.properties.unwrap().user_properties;
        match retry::asked(&properties) {
            Some(wait) => {
                let (code, text) = sent_away(gateway.end().await);
                assert_eq!(code, 0x89, "{text}");
                assert!(text.contains("connect again in"), "{text}");
                waits.push(wait);
            }
            None => kept.push(gateway),
        }
    }
    // One at once and one a second; the handshakes before took their time too.
    assert!(
        kept.len() >= 2 && waits.len() >= 2,
        "{} {waits:?}",
        kept.len()
    );
    assert!(waits.iter().all(|w| *w > Duration::from_secs(1)));
    assert!(
        waits.windows(2).all(|w| w[0] < w[1]),
        "each another moment: {waits:?}"
    );
}

#[tokio::test]
async fn a_frame_in_parts_is_stored_as_a_whole_one() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    let header = header(Stream::Data, 1);
    let noise = |n: u32| f64::from(n.wrapping_mul(0x9e37_79b9)).sqrt();
    let scans: Vec<_> = (0..1_000)
        .map(|n| scan(header.first_at.0, n, noise(n)))
        .collect();
    let parts = part::cut(&encode_data(&header, &scans), 1_000).unwrap();
    assert!(parts.len() > 3);
    let topic = topic::up(
        &Key::new("acme").unwrap(),
        &Key::new("gw-001").unwrap(),
        UpLane::Live,
    );
    for part in &parts[1..] {
        let publish = gateway
            .client
            .publish(&topic, QoS::AtLeastOnce, false, part.clone());
        publish.await.unwrap();
        assert_eq!(
            gateway.puback().await.reason,
            PubAckReason::ImplementationSpecificError
        );
    }
    for part in &parts {
        let publish = gateway
            .client
            .publish(&topic, QoS::AtLeastOnce, false, part.clone());
        publish.await.unwrap();
    }
    let durable = gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 1)
        .await;
    assert_eq!(durable.ranges, []);
    lab.stop().await;
}
