//! The doctor finds what is wrong and says what to do; it disturbs nothing.

use crate::process::{Site, write};
use rcgen::{CertificateParams, KeyPair, SanType};
use std::net::TcpListener;

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
