//! A secured connection: the certificate is checked unless the configuration says otherwise.

use crate::support::{Fake, TOKEN};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use riser_adapter_testkit::Running;
use riser_homeassistant::KIND;
use riser_model::{LaneState, Value};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Ends TLS in front of the fake session.
pub(crate) async fn secured(fake: &Fake, names: &[&str]) -> (SocketAddr, String) {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names).expect("the test goes on");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("the test goes on");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the test goes on")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("the test goes on");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("the test goes on");
    let (address, inner) = (
        listener.local_addr().expect("the test goes on"),
        fake.address,
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outer) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inner = TcpStream::connect(inner).await.expect("the test goes on");
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    (address, cert.pem())
}

fn config(port: u16, more: &str) -> String {
    format!("url = 'https://localhost:{port}'\ntoken = '{TOKEN}'\nbackfill_days = 0\n{more}")
}

async fn works(running: &mut Running) {
    let wanted = Value::Float(5.0);
    running
        .wait_value("sensor/outside_temperature", &wanted)
        .await;
    running.stop().await;
}

async fn refused(mut running: Running, why: &str) {
    let down = |r: &Running| {
        let lanes = r.health.lanes();
        lanes.iter().any(|l| {
            let told = l.last_error.as_deref().unwrap_or_default();
            l.state == LaneState::Down
                && told.contains("no secure connection")
                && told.contains(why)
        })
    };
    running
        .wait_until("the lane to say what is wrong", down)
        .await;
    assert!(running.log.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn the_certificate_that_is_named_is_trusted_and_no_other() {
    let fake = Fake::start().await;
    let (address, pem) = secured(&fake, &["localhost"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let named = format!("ca = '{}'", path.display());
    works(&mut Running::start(&KIND, &config(address.port(), &named))).await;

    let (other, _) = secured(&fake, &["localhost"]).await;
    let other_port = config(other.port(), &named);
    refused(Running::start(&KIND, &other_port), "in 'ca'").await;
    works(&mut Running::start(
        &KIND,
        &config(other.port(), "verify = false"),
    ))
    .await;
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let fake = Fake::start().await;
    let (address, pem) = secured(&fake, &["elsewhere"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let named = format!("ca = '{}'", path.display());
    let config = config(address.port(), &named);
    refused(Running::start(&KIND, &config), "for another name").await;
}

#[tokio::test]
async fn https_where_there_is_http_is_said() {
    let fake = Fake::start().await;
    let plain = config(fake.address.port(), "verify = false");
    refused(Running::start(&KIND, &plain), "write http://").await;
}
