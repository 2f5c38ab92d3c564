//! A box that has never known the time, built before its certificates were issued: it reaches its
//! cloud all the same, because they say what is over. Runs under libfaketime, in January 1970.

use crate::process::{Site, write};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The library that bends clocks, or why the test is left out.
fn library() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let library = found
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.exists());
    if library.is_none() {
        assert!(std::env::var_os("CI").is_none(), "faketime is missing");
        eprintln!("SKIPPED: faketime is not installed; run `node tests/run.mjs setup`");
    }
    library
}

/// Good from a moment ago: after any program that runs here was built.
fn fresh(names: Vec<String>, issued: Duration) -> CertificateParams {
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + issued;
    params
}

fn authority(issued: Duration) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = fresh(vec![], issued);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A cloud's port, and what tells that a gateway has come in.
fn cloud(ca: &CertifiedIssuer<'static, KeyPair>, issued: Duration) -> (u16, Receiver<()>) {
    let key = KeyPair::generate().unwrap();
    let params = fresh(vec!["localhost".to_owned()], issued);
    let cert = params.signed_by(&key, ca).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (config, (tell, told)) = (Arc::new(config), channel());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
            while server.is_handshaking() && server.complete_io(&mut stream).is_ok() {}
            if !server.is_handshaking() && tell.send(()).is_err() {
                return;
            }
        }
    });
    (port, told)
}

#[test]
fn a_new_box_that_never_knew_the_time_reaches_its_cloud() {
    let Some(library) = library() else { return };
    let issued = Duration::from_secs(now().as_secs());
    let ca = authority(issued);
    let (port, came) = cloud(&ca, issued);
    let site = Site::new(&format!(
        "[cloud]\nurl = \"mqtts://localhost:{port}\"\nca = \"ca.pem\"\ncert = \"gateway.pem\"\n\
         key = \"gateway.key\"\n"
    ));
    let key = KeyPair::generate().unwrap();
    let mut params = fresh(vec![], issued);
    params.subject_alt_names = vec![SanType::URI("urn:riser:acme:gw-1".try_into().unwrap())];
    let cert = params.signed_by(&key, &ca).unwrap();
    write(&site.path("ca.pem"), &ca.pem());
    write(&site.path("gateway.pem"), &cert.pem());
    write(&site.path("gateway.key"), &key.serialize_pem());

    let back = format!("-{}s", now().as_secs() - 60);
    let daemon = site.start(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME", &back),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
    ]);
    let told = daemon
        .said
        .iter()
        .find(|line| line.contains("the time is not known"));
    let told: serde_json::Value = serde_json::from_str(told.unwrap()).unwrap();
    assert!(
        told["system"].as_i64() < Some(86_400_000),
        "in 1970: {told}"
    );
    let since = told["assumed"].as_i64().unwrap() - i64::try_from(issued.as_millis()).unwrap();
    assert!((0..10_000).contains(&since), "{told}");
    came.recv_timeout(Duration::from_secs(20))
        .unwrap_or_else(|_| panic!("it never came in: {:#?}", daemon.said));
}
