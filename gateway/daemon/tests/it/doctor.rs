//! The doctor finds what is wrong and says what to do; it disturbs nothing.

use crate::process::{Site, write};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use std::net::TcpListener;
use std::sync::Arc;

const FIELD: &str = "[[adapter]]\nkind = \"modbus\"\n[[adapter.lane]]\nkey = \"plant\"\n\
    transport = \"tcp\"\nhost = \"127.0.0.1\"\nport = 1\n[[adapter.device]]\nkey = \"ahu-1\"\n\
    lane = \"plant\"\n[[adapter.device.point]]\nkey = \"t\"\nname = \"T\"\naddress = 0\n\
    type = \"i16\"\n";

#[test]
fn a_sound_gateway_is_sound_running_or_not() {
    let site = Site::new("");
    std::fs::create_dir(site.path("data")).unwrap();
    let idle = site.run(&["doctor"]);
    assert_eq!(idle.code, Some(0), "{idle:?}");
    assert!(
        idle.out.contains("not running with this data folder"),
        "{}",
        idle.out
    );

    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = std::fs::read_to_string(site.path("riser.toml")).unwrap();
    write(
        &site.path("riser.toml"),
        &text.replace("127.0.0.1:0", &format!("127.0.0.1:{port}")),
    );
    let _daemon = site.start(&[]);
    let running = site.run(&["doctor"]);
    assert_eq!(running.code, Some(0), "{running:?}");
    assert!(
        running.out.contains("running and collecting"),
        "{}",
        running.out
    );
    assert!(running.out.contains("sound: "), "{}", running.out);
}

#[test]
fn a_lane_that_cannot_be_reached_is_found() {
    let site = Site::new(FIELD);
    let said = site.run(&["doctor"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let lane = said
        .out
        .lines()
        .find(|l| l.starts_with("FAIL  lane"))
        .unwrap();
    assert!(lane.contains("127.0.0.1:1"), "{lane}");
    assert!(said.out.contains("→ look at power, cable"), "{}", said.out);
    assert!(
        !site.path("data").exists(),
        "the doctor must leave nothing behind"
    );
}

#[test]
fn a_bad_configuration_is_the_first_finding() {
    let site = Site::with("[gateway]\nidd = \"x\"\n");
    let said = site.run(&["doctor"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.starts_with("FAIL  config"), "{}", said.out);
    assert!(said.out.contains("did you mean 'id'?"), "{}", said.out);
}

#[test]
fn an_expired_certificate_and_an_absent_cloud_are_found() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let site = Site::new(&format!(
        "[cloud]\nurl = \"mqtts://127.0.0.1:{closed}\"\nca = \"ca.pem\"\ncert = \"gateway.pem\"\n\
         key = \"gateway.key\"\n"
    ));
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.subject_alt_names = vec![SanType::URI("urn:riser:acme:gw-1".try_into().unwrap())];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let cert = params.self_signed(&key).unwrap().pem();
    write(&site.path("ca.pem"), &cert);
    write(&site.path("gateway.pem"), &cert);
    write(&site.path("gateway.key"), &key.serialize_pem());
    let said = site.run(&["doctor"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let expired = said
        .out
        .lines()
        .filter(|l| l.starts_with("FAIL  certificate"))
        .count();
    assert_eq!(expired, 2, "{}", said.out);
    assert!(said.out.contains("expired "), "{}", said.out);
    let cloud = said
        .out
        .lines()
        .find(|l| l.starts_with("FAIL  cloud"))
        .unwrap();
    assert!(cloud.contains("no connection to 127.0.0.1"), "{cloud}");
}

#[test]
fn a_damaged_store_is_found() {
    let site = Site::new("");
    let mut daemon = site.start(&[]);
    daemon.terminate();
    assert!(daemon.ended().0.success());
    let state = site.path("data/state.db");
    let mut octets = std::fs::read(&state).unwrap();
    let middle = octets.len() / 2;
    octets[middle - 2048..middle + 2048].fill(0xA5);
    std::fs::write(&state, octets).unwrap();
    let said = site.run(&["doctor"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("FAIL  store"), "{}", said.out);
}

/// A cloud's port: takes one connection after the other from gateways of `ca`.
fn cloud(
    ca: &CertifiedIssuer<'static, KeyPair>,
    gateways: &CertifiedIssuer<'static, KeyPair>,
) -> u16 {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let cert = params.signed_by(&key, ca).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(gateways.der().clone()).unwrap();
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
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A refused client is told so; then, or when it has seen enough, it hangs up.
            while server.complete_io(&mut stream).is_ok() && !server.is_handshaking() {}
        }
    });
    port
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn a_cloud_that_takes_the_certificate_and_one_that_does_not_are_told_apart() {
    let (own, other) = (authority(), authority());
    for (gateways, code, text) in [
        (&own, 0, "ok    cloud"),
        (&other, 1, "does not take this gateway's certificate"),
    ] {
        let port = cloud(&own, gateways);
        let site = Site::new(&format!(
            "[cloud]\nurl = \"mqtts://localhost:{port}\"\nca = \"ca.pem\"\n\
             cert = \"gateway.pem\"\nkey = \"gateway.key\"\n"
        ));
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        let name = "urn:riser:acme:gw-1".try_into().unwrap();
        params.subject_alt_names = vec![SanType::URI(name)];
        let cert = params.signed_by(&key, &own).unwrap();
        write(&site.path("ca.pem"), &own.pem());
        write(&site.path("gateway.pem"), &cert.pem());
        write(&site.path("gateway.key"), &key.serialize_pem());
        let said = site.run(&["doctor"]);
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.out.contains(text), "{}", said.out);
    }
}
