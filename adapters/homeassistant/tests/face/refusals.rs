//! What goes wrong, in words: log-in, permission, certificate, configuration, nobody there.

use crate::broker::{Broker, Watcher};
use crate::plant;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use riser_adapter_testkit::Running;
use riser_adapter_testkit::harness::{GRACE, build, eventually};
use riser_homeassistant::face::KIND;
use riser_model::LaneState;
use std::process::Command;
use std::time::Duration;

async fn says(config: &str, state: LaneState, words: &[&str]) {
    let mut running = Running::start_showing(&KIND, config, &plant());
    let said = |r: &Running| {
        let lanes = r.health.lanes();
        lanes.iter().any(|l| {
            let told = l.last_error.as_deref().unwrap_or_default();
            l.state == state && words.iter().all(|w| told.contains(w))
        })
    };
    running.wait_until(&format!("{words:?}"), said).await;
    assert!(running.stop().await < GRACE);
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_permission_are_told_apart() {
    let locked = Broker::with("a_wrong_password", |folder| {
        let file = folder.join("users");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&file)
            .args(["riser", "right"])
            .output()
            .expect("mosquitto_passwd runs");
        assert!(made.status.success());
        let acl = folder.join("acl");
        std::fs::write(&acl, "user riser\ntopic readwrite riser/gw/#\n").expect("a file");
        // mosquitto gives up root's rights, and must still read its files.
        let (file, acl) = (file.display(), acl.display());
        format!("user root\npassword_file {file}\nacl_file {acl}\n")
    });
    let Some(broker) = locked else { return };
    let wrong = broker.config("username = 'riser'\npassword = 'wrong'");
    says(&wrong, LaneState::Down, &["'riser'"]).await;
    let nobody = broker.config("");
    says(&nobody, LaneState::Down, &["username"]).await;
    let right = broker.config("username = 'riser'\npassword = 'right'");
    says(
        &right,
        LaneState::Degraded,
        &["does not let this user", "homeassistant/+/gw/#"],
    )
    .await;
}

#[tokio::test]
async fn a_certificate_is_checked() {
    let mut pem = String::new();
    let broker = Broker::with("a_certificate_is_checked", |folder| {
        let names = vec!["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a key");
        pem = cert.pem();
        let (file, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&file, &pem).expect("a file");
        std::fs::write(&key, signing_key.serialize_pem()).expect("a file");
        let (file, key) = (file.display(), key.display());
        format!("user root\nallow_anonymous true\ncertfile {file}\nkeyfile {key}\n")
    });
    let Some(broker) = broker else { return };
    let ca = broker.folder.path().join("cert.pem");
    let ca = ca.display();
    let secured = |more: &str| {
        let config = broker.config(&format!("tls = true\n{more}"));
        config.replace("'127.0.0.1'", "'localhost'")
    };
    says(&secured(""), LaneState::Down, &["certificate"]).await;
    let plain = broker.config("").replace("'127.0.0.1'", "'localhost'");
    says(&plain, LaneState::Down, &["localhost"]).await;
    let named = secured(&format!("ca = '{ca}'"));
    let mut running = Running::start_showing(&KIND, &named, &plant());
    let file = ca.to_string();
    let watcher = Watcher::with(&broker, &["--cafile", &file, "-h", "localhost"]);
    eventually("the pump", || {
        !watcher.config("binary_sensor", "ahu-1-P-pump").is_null()
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn nobody_there_is_said_and_it_ends_in_time() {
    let port = riser_adapter_testkit::programs::free_port();
    let config = format!("host = '127.0.0.1'\nport = {port}\nnode = 'gw'");
    says(&config, LaneState::Down, &["nothing listens"]).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let config = format!("host = '127.0.0.1'\nport = {port}\nnode = 'gw'");
    let mut running = Running::start_showing(&KIND, &config, &plant());
    running.pump_for(Duration::from_millis(300)).await;
    assert!(running.stop().await < GRACE, "while nothing is answered");
}

#[test]
fn a_configuration_that_is_not_meant_is_refused_in_words() {
    for (config, words) in [
        ("host = 'h'", "node"),
        ("host = 'mqtt://h'\nnode = 'gw'", "is no host"),
        ("host = 'h'\nnode = 'gw 1'", "such as 'gw-001'"),
        ("host = 'h'\nnode = 'gw'\npassword = 'x'", "username"),
        ("host = 'h'\nnode = 'gw'\nca = 'x'", "tls = true"),
        (
            "host = 'h'\nnode = 'gw'\ntls = true\ncert = 'x'",
            "private_key_file",
        ),
        (
            "host = 'h'\nnode = 'gw'\npriority = 17",
            "between 1 (highest) and 16",
        ),
        ("host = 'h'\nnode = 'gw'\nbase_topic = 'a/#'", "is no topic"),
        ("host = 'h'\nnode = 'gw'\ninterval_ms = 5", "between 50"),
        ("host = 'h'\nnode = 'gw'\nwritable = ['']", "writable[0]"),
        (
            "host = 'h'\nnode = 'gw'\nwriteable = ['*']",
            "did you mean 'writable'",
        ),
    ] {
        let Err(refused) = build(&KIND, config) else {
            panic!("{config} was accepted");
        };
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let sample: String = KIND.sample.to_owned();
    assert!(build(&KIND, &sample).is_ok(), "the sample is sound");
}
