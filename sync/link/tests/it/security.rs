//! Certificates that do not fit are refused, and the status says why.

use crate::rig::{Authority, Rig, reached, says};
use riser_model::LinkState;
use riser_sync::LinkConfig;

/// The link's last error with a client certificate of that name.
async fn error_with(rig: &Rig, name: &str) -> String {
    let config = LinkConfig {
        cert: rig.dir.path().join(format!("{name}.crt")),
        key: rig.dir.path().join(format!("{name}.key")),
        ..rig.config()
    };
    let (link, _cancel) = rig.link(config);
    says(&link, |s| s.last_error.is_some())
        .await
        .last_error
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_certificates_are_named() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    rig.authority.sign(rig.dir.path(), "expired", 2021);
    Authority::new("Somebody else").sign(rig.dir.path(), "stranger", 2090);
    let expired = error_with(&rig, "expired").await;
    assert!(
        expired.contains("gateway's certificate") && expired.contains("expired"),
        "{expired}"
    );
    let stranger = error_with(&rig, "stranger").await;
    assert!(
        stranger.contains("CA that the cloud does not know"),
        "{stranger}"
    );
    let missing = error_with(&rig, "nobody").await;
    assert!(
        missing.contains("could not read the gateway's certificate"),
        "{missing}"
    );
    std::fs::write(rig.dir.path().join("empty.crt"), "").unwrap();
    std::fs::write(rig.dir.path().join("empty.key"), "").unwrap();
    let empty = error_with(&rig, "empty").await;
    assert!(empty.contains("holds no certificate"), "{empty}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_with_the_wrong_certificate_is_not_talked_to() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let (link, _cancel) = rig.link(LinkConfig {
        host: "127.0.0.1".into(),
        ..rig.config()
    });
    let error = says(&link, |s| s.last_error.is_some())
        .await
        .last_error
        .unwrap();
    assert!(error.contains("not for the name 127.0.0.1"), "{error}");
    let other = Authority::new("Somebody else");
    other.sign(rig.dir.path(), "other", 2090);
    let ca = rig.dir.path().join("other.crt");
    let (link, _cancel) = rig.link(LinkConfig { ca, ..rig.config() });
    let error = says(&link, |s| s.last_error.is_some())
        .await
        .last_error
        .unwrap();
    assert!(
        error.contains("the certificate of localhost is not accepted"),
        "{error}"
    );
    assert!(rig.cloud.seen().hellos.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_picked_up_without_a_restart() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    rig.authority.sign(rig.dir.path(), "gw-001", 2021);
    let (link, _cancel) = rig.link(rig.config());
    says(&link, |s| {
        s.last_error
            .as_deref()
            .is_some_and(|e| e.contains("expired"))
    })
    .await;
    rig.authority.sign(rig.dir.path(), "gw-001", 2090);
    reached(&link, LinkState::Live).await;
    assert_eq!(
        link.status.borrow().last_error,
        None,
        "what is over is not shown any more"
    );
}
