//! Who gets in, and what they hear who do not.

use crate::frames::{data, directory, event, hello};
use crate::gateway::{Gateway, sent_away, tls};
use crate::lab::{Lab, Pki, origin, until};
use crate::raw::Raw;
use riser_cloud::clock::Clock;
use riser_cloud::pki::{Validity, revoke};
use riser_model::Timestamp;
use riser_wire::Stream;
use riser_wire::topic::UpLane;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{ConnectionError, MqttOptions, StateError};
use rustls::HandshakeKind;

fn alert(error: &ConnectionError) -> String {
    format!("{error:?}")
}

async fn refused(options: MqttOptions) -> ConnectionError {
    Gateway::connect(options).end().await
}

#[tokio::test]
async fn a_gateway_with_its_certificate_gets_in_and_is_stored() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    gateway.stored(UpLane::Event, event(1, &directory(1))).await;
    gateway.stored(UpLane::Live, data(1)).await;
    let durable = gateway
        .durable(|d| d.stream == Stream::Data && d.contiguous == 1)
        .await;
    assert!(durable.ranges.is_empty());
    lab.stop().await;
}

#[tokio::test]
async fn no_certificate_or_one_that_does_not_count_is_refused() {
    let lab = Lab::start().await;
    let (port, ca) = (lab.port, lab.pki.ca());
    let error = refused(Gateway::options("gw-001", port, tls(&ca, None))).await;
    assert!(alert(&error).contains("CertificateRequired"), "{error:?}");

    let stranger = Pki::new().gateway("gw-001");
    let error = refused(Gateway::options("gw-001", port, tls(&ca, Some(&stranger)))).await;
    assert!(alert(&error).contains("UnknownCA"), "{error:?}");

    let past = Validity {
        not_before: Timestamp(1_577_836_800_000),
        not_after: Timestamp(1_609_459_200_000),
    };
    let expired = lab.pki.gateway_for("gw-001", past);
    let error = refused(Gateway::options("gw-001", port, tls(&ca, Some(&expired)))).await;
    assert!(alert(&error).contains("CertificateExpired"), "{error:?}");

    let soon = Clock::system().now().0 + 86_400_000;
    let future = Validity {
        not_before: Timestamp(soon),
        not_after: Timestamp(soon + 86_400_000),
    };
    let early = lab.pki.gateway_for("gw-001", future);
    let error = refused(Gateway::options("gw-001", port, tls(&ca, Some(&early)))).await;
    assert!(alert(&error).contains("Certificate"), "{error:?}");

    let nameless = lab
        .pki
        .authority
        .issue_client("gw-001", Validity::days(Clock::system().now(), 1));
    let error = refused(Gateway::options(
        "gw-001",
        port,
        tls(&ca, Some(&nameless.unwrap())),
    ))
    .await;
    assert!(alert(&error).contains("Certificate"), "{error:?}");

    // A server certificate of the same authority is no gateway either.
    let server = riser_cloud::pki::Issued {
        certificate: std::fs::read_to_string(lab.pki.path().join("server.pem")).unwrap(),
        key: std::fs::read_to_string(lab.pki.path().join("server.key")).unwrap(),
        serial: String::new(),
    };
    let error = refused(Gateway::options("gw-001", port, tls(&ca, Some(&server)))).await;
    assert!(alert(&error).contains("ertificate"), "{error:?}");
    assert_eq!(lab.downlink.sessions(), 0);
    lab.stop().await;
}

#[tokio::test]
async fn the_client_id_must_be_the_name_in_the_certificate() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    for id in ["gw-002", "GW-001", "acme/gw-001"] {
        let error = refused(Gateway::options(
            id,
            lab.port,
            tls(&lab.pki.ca(), Some(&own)),
        ))
        .await;
        let wanted = ConnectReturnCode::ClientIdentifierNotValid;
        assert!(
            matches!(&error, ConnectionError::MqttState(StateError::ConnFail { reason }) if *reason == wanted)
                || matches!(&error, ConnectionError::ConnectionRefused(code) if *code == wanted),
            "{id}: {error:?}"
        );
    }
    lab.stop().await;
}

#[tokio::test]
async fn another_gateways_topics_are_refused_with_a_reason_and_the_rest_flows() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    for topic in [
        "riser/v1/acme/gw-002/up/data",
        "riser/v1/other/gw-001/up/data",
        "riser/v1/acme/gw-001/down/command",
        "riser/v1/acme/gw-001/up/else",
    ] {
        gateway
            .client
            .publish(topic, QoS::AtLeastOnce, false, "x")
            .await
            .unwrap();
        let ack = gateway.puback().await;
        assert_eq!(ack.reason, PubAckReason::NotAuthorized, "{topic}");
        let why = ack
            .properties
            .and_then(|p| p.reason_string)
            .unwrap_or_default();
        assert!(why.contains(topic) && why.contains("acme/gw-001"), "{why}");
    }
    gateway.stored(UpLane::Live, data(1)).await;
    assert!(
        lab.db
            .durable(&origin("gw-002"), crate::frames::epoch(1))
            .await
            .unwrap()
            .iter()
            .all(|d| d.contiguous == 0)
    );
    lab.stop().await;
}

#[tokio::test]
async fn only_own_topics_may_be_heard() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    for (filter, wanted) in [
        (
            "riser/v1/acme/gw-001/down/#",
            SubscribeReasonCode::Success(QoS::AtMostOnce),
        ),
        (
            "riser/v1/acme/gw-002/down/#",
            SubscribeReasonCode::NotAuthorized,
        ),
        ("riser/v1/acme/+/down/#", SubscribeReasonCode::NotAuthorized),
        ("#", SubscribeReasonCode::NotAuthorized),
        (
            "riser/v1/acme/gw-001/up/#",
            SubscribeReasonCode::NotAuthorized,
        ),
        (
            "$share/g/riser/v1/acme/gw-001/down/#",
            SubscribeReasonCode::SharedSubscriptionsNotSupported,
        ),
    ] {
        gateway
            .client
            .subscribe(filter, QoS::AtLeastOnce)
            .await
            .unwrap();
        let codes = gateway
            .wait("SUBACK", |packet| match packet {
                Packet::SubAck(ack) => Some(ack.return_codes.clone()),
                _ => None,
            })
            .await;
        assert_eq!(codes, [wanted], "{filter}");
    }
    lab.stop().await;
}

#[tokio::test]
async fn revocation_ends_the_session_and_the_door_stays_shut() {
    let lab = Lab::start().await;
    let (own, other) = (lab.pki.gateway("gw-001"), lab.pki.gateway("gw-002"));
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    let mut bystander = Gateway::enter("gw-002", lab.port, &lab.pki.ca(), &other).await;
    revoke(lab.pki.path(), "acme/gw-001").unwrap();
    let (code, why) = sent_away(gateway.end().await);
    assert_eq!(code, 0x87);
    assert!(why.contains("revoked"), "{why}");
    let error = refused(Gateway::options(
        "gw-001",
        lab.port,
        tls(&lab.pki.ca(), Some(&own)),
    ))
    .await;
    assert!(alert(&error).contains("CertificateRevoked"), "{error:?}");
    bystander.stored(UpLane::Live, data(1)).await;
    // A new certificate opens the door again, and a lost list does not forget the old one.
    until("the revocation is noted", || async {
        lab.db
            .revoked()
            .await
            .unwrap()
            .contains(&own.serial)
            .then_some(())
    })
    .await;
    let (pki, dir) = lab.stop().await;
    std::fs::write(pki.path().join("revoked.txt"), "").unwrap();
    let lab = Lab::start_with(pki, dir, "").await;
    let error = refused(Gateway::options(
        "gw-001",
        lab.port,
        tls(&lab.pki.ca(), Some(&own)),
    ))
    .await;
    assert!(alert(&error).contains("CertificateRevoked"), "{error:?}");
    let fresh = lab.pki.gateway("gw-001");
    Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &fresh).await;
    lab.stop().await;
}

/// A resumed TLS session does not go through the certificate verifier again.
#[tokio::test]
async fn a_resumed_session_of_a_revoked_gateway_is_refused() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let config = std::sync::Arc::new(tls(&lab.pki.ca(), Some(&own)));
    let mut first = Raw::open(lab.port, &config).await;
    first.connect("gw-001", 30).await;
    first.ping().await;
    let mut second = Raw::open(lab.port, &config).await;
    assert_eq!(
        second.handshake(),
        Some(HandshakeKind::Resumed),
        "or this test shows nothing"
    );
    second.connect("gw-001", 30).await;
    revoke(lab.pki.path(), &own.serial).unwrap();
    second.ended().await;
    let mut third = Raw::open(lab.port, &config).await;
    assert_eq!(
        third.handshake(),
        Some(HandshakeKind::Resumed),
        "or this test shows nothing"
    );
    third.send_connect("gw-001", 30).await;
    third.ended().await;
    lab.stop().await;
}

#[tokio::test]
async fn the_newest_session_wins() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut old = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    let mut new = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    assert_eq!(sent_away(old.end().await).0, 0x8E);
    new.stored(UpLane::Hello, hello(1)).await;
    assert_eq!(lab.downlink.sessions(), 1);
    let connected: bool = lab
        .db
        .read(|c| Ok(c.query_row("SELECT connected FROM gateway", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert!(
        connected,
        "the end of the old session must not hide the new one"
    );
    lab.stop().await;
}

#[tokio::test]
async fn the_server_certificate_is_replaced_while_running() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let before = Raw::open(
        lab.port,
        &std::sync::Arc::new(tls(&lab.pki.ca(), Some(&own))),
    )
    .await;
    let hosts = ["localhost".to_owned()];
    lab.pki
        .authority
        .issue_server(&hosts, Validity::days(Clock::system().now(), 5))
        .unwrap();
    lab.control.reload.notify_one();
    let old = before.server_certificate();
    until("new connections get the new certificate", || async {
        let now = Raw::open(
            lab.port,
            &std::sync::Arc::new(tls(&lab.pki.ca(), Some(&own))),
        )
        .await;
        (now.server_certificate() != old).then_some(())
    })
    .await;
    lab.stop().await;
}
