//! Against pretend devices whose frames, ciphers and signatures are tinytuya's: every version, every
//! way of misbehaving, told apart in the right words.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what several tests share fails a test as they do themselves"
)]

use crate::foreign::{ID, KEY, TuyaPeer, config, free_datagram_port, said};
use futures_util::future::join_all;
use riser_adapter::{BuildContext, DiscoverRequest, WriteResult};
use riser_adapter_testkit::{Running, programs};
use riser_model::{DeviceState, Quality, Reason, Value};
use riser_tuya::KIND;
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const VERSIONS: [&str; 5] = ["3.1", "3.2", "3.3", "3.4", "3.5"];

/// Reads, writes, and is told of a change.
async fn works(running: &mut Running, peer: &TuyaPeer) {
    running.wait_value("plug/power", &Value::Float(95.3)).await;
    running
        .wait_value("plug/voltage", &Value::Float(231.1))
        .await;
    let result = running.write("plug/switch", Value::Bool(true)).await;
    assert_eq!(result, WriteResult::Applied(Some(Value::Bool(true))));
    let result = running.write("plug/switch", Value::Bool(true)).await;
    assert_eq!(
        result,
        WriteResult::Applied(Some(Value::Bool(true))),
        "the same again"
    );
    peer.tell(&json!({"dps": {"19": 1200}}));
    running.wait_value("plug/power", &Value::Float(120.0)).await;
}

async fn announced(version: &str) {
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let fault = if version == "3.2" { "device22" } else { "" };
    let arguments = ["--beacon", &to, "--fault", fault];
    let Some(peer) = TuyaPeer::start("announced version", version, &arguments) else {
        return;
    };
    let mut running = Running::start(&KIND, &peer.config(Some(listen), ""));
    works(&mut running, &peer).await;
    assert_eq!(peer.accepted(), 1, "{version}");
    running.stop().await;
}

#[tokio::test]
async fn the_version_a_device_announces_is_spoken_at_once() {
    join_all(VERSIONS.map(announced)).await;
}

async fn guessed(version: &str) {
    let Some(peer) = TuyaPeer::start("guessed version", version, &[]) else {
        return;
    };
    let text = peer
        .config(None, "")
        .replace("beacon_wait_ms = 3000", "beacon_wait_ms = 50");
    let mut running = Running::start(&KIND, &text);
    works(&mut running, &peer).await;
    let tries = peer.accepted();
    assert!(tries <= 2, "{version} took {tries} tries");
    running.stop().await;
    peer.tell(&json!({"dps": {"19": 953, "1": false}}));
    let mut running = Running::start_after(&KIND, &text, &running);
    works(&mut running, &peer).await;
    assert_eq!(peer.accepted(), tries + 1, "{version} was guessed at again");
    running.stop().await;
}

#[tokio::test]
async fn without_announcements_two_tries_find_the_version_and_it_is_remembered() {
    join_all(["3.1", "3.3", "3.4", "3.5"].map(guessed)).await;
}

/// Waits until the device's health says something.
async fn wait_said(running: &mut Running, words: &str) {
    running.wait_until(words, |r| said(r).contains(words)).await;
}

async fn wrong_key((version, fault): (&str, &str)) {
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let arguments = ["--beacon", &to, "--fault", fault];
    let Some(peer) = TuyaPeer::start("wrong key", version, &arguments) else {
        return;
    };
    let text = peer.config(Some(listen), "local_key = \"fedcba9876543210\"");
    let mut running = Running::start(&KIND, &text);
    wait_said(&mut running, "wrong key").await;
    assert_eq!(running.good_count("plug/power"), 0, "{version} {fault}");
    let down = Quality::bad(Reason::DeviceDown);
    running.wait_quality("plug/power", down).await;
    running.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_called_one_whatever_the_device_does_about_it() {
    let faults = ["", "closes", "complains"];
    let all = ["3.3", "3.4", "3.5"]
        .into_iter()
        .flat_map(|v| faults.map(|f| (v, f)));
    join_all(all.map(wrong_key)).await;
}

#[tokio::test]
async fn a_wrong_key_of_3_1_shows_at_the_first_signed_report() {
    let Some(peer) = TuyaPeer::start("wrong key 3.1", "3.1", &[]) else {
        return;
    };
    let more = "version = \"3.1\"\nlocal_key = \"fedcba9876543210\"";
    let mut running = Running::start(&KIND, &peer.config(None, more));
    running.wait_value("plug/power", &Value::Float(95.3)).await;
    peer.tell(&json!({"dps": {"19": 1}}));
    wait_said(&mut running, "key changed").await;
    running.stop().await;
}

async fn rekeyed(version: &str) {
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let Some(peer) = TuyaPeer::start("key rotation", version, &["--beacon", &to]) else {
        return;
    };
    let mut running = Running::start(&KIND, &peer.config(Some(listen), ""));
    works(&mut running, &peer).await;
    let new = "new>key'with$16!";
    peer.tell(&json!({"key": new}));
    wait_said(&mut running, "key changed").await;
    let update = |key: &str| {
        let mut parameters = toml::Table::new();
        parameters.insert("device".to_owned(), "plug".into());
        parameters.insert("local_key".to_owned(), key.into());
        running
            .operate
            .as_ref()
            .map(|o| o.operate("update_key", parameters))
    };
    let refused = update("abcdefghijklmnop").unwrap().await.unwrap_err();
    assert!(
        refused.to_string().contains("the key before stays in use"),
        "{refused}"
    );
    let answer = update(new).unwrap().await.unwrap();
    assert!(
        answer["result"].as_str().unwrap().contains(version),
        "{answer}"
    );
    assert!(
        answer["kept"].as_str().unwrap().contains("configuration"),
        "{answer}"
    );
    peer.tell(&json!({"dps": {"19": 953}}));
    works(&mut running, &peer).await;
    running.stop().await;
}

#[tokio::test]
async fn a_key_that_changes_is_exchanged_in_place() {
    join_all(["3.3", "3.4", "3.5"].map(rekeyed)).await;
}

#[tokio::test]
async fn a_new_key_in_the_key_file_is_found_by_itself_and_an_updated_one_is_written_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("devices.json");
    let list = |key: &str| json!([{"id": ID, "key": key, "name": "Plug", "uuid": "x"}]).to_string();
    std::fs::write(&file, list(KEY)).unwrap();
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let Some(peer) = TuyaPeer::start("key file", "3.4", &["--beacon", &to]) else {
        return;
    };
    let text = peer
        .config(Some(listen), "")
        .replace(&format!("local_key = \"{KEY}\"\n"), "");
    let text = format!("keys_file = \"devices.json\"\n{text}");
    let context = BuildContext {
        base_dir: folder.path().to_owned(),
        ..BuildContext::default()
    };
    let mut running = Running::start_with(&KIND, &text, &context);
    works(&mut running, &peer).await;
    peer.tell(&json!({"key": "second key 16 !!"}));
    wait_said(&mut running, "key changed").await;
    std::fs::write(&file, list("second key 16 !!")).unwrap();
    peer.tell(&json!({"dps": {"19": 953, "1": false}}));
    works(&mut running, &peer).await;
    peer.tell(&json!({"key": "third key 16  !!"}));
    let mut parameters = toml::Table::new();
    parameters.insert("text".to_owned(), list("third key 16  !!").into());
    let answer = running
        .operate
        .as_ref()
        .unwrap()
        .operate("import_keys", parameters)
        .await
        .unwrap();
    assert!(
        answer["plug"].as_str().unwrap().contains("written to"),
        "{answer}"
    );
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept.contains("third key 16  !!") && kept.contains("uuid"),
        "{kept}"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_busy_device_is_called_busy_and_found_when_it_is_free() {
    let Some(peer) = TuyaPeer::start("busy", "3.3", &["--max-conn", "1"]) else {
        return;
    };
    let holder = std::net::TcpStream::connect(("127.0.0.1", peer.port)).unwrap();
    while peer.tell(&json!({"get": 1}))["connections"] != 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut running = Running::start(&KIND, &peer.config(None, "version = \"3.3\""));
    wait_said(&mut running, "busy").await;
    drop(holder);
    works(&mut running, &peer).await;
    running.stop().await;
}

async fn misled((written, spoken): (&str, &str)) {
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let Some(peer) = TuyaPeer::start("wrong version", spoken, &["--beacon", &to]) else {
        return;
    };
    let more = format!("version = \"{written}\"");
    let mut running = Running::start(&KIND, &peer.config(Some(listen), &more));
    works(&mut running, &peer).await;
    let words = said(&running);
    assert!(
        words.contains("wrong version") && words.contains(&format!("speaks {spoken}")),
        "{words}"
    );
    assert!(
        peer.accepted() <= 2 + u64::from(written == "3.3"),
        "{written}: {}",
        peer.accepted()
    );
    running.stop().await;
}

#[tokio::test]
async fn a_wrong_version_is_told_and_the_right_one_spoken_in_the_second_try() {
    join_all(
        [
            ("3.3", "3.4"),
            ("3.4", "3.3"),
            ("3.3", "3.5"),
            ("3.5", "3.1"),
        ]
        .map(misled),
    )
    .await;
}

#[tokio::test]
async fn nobody_there_no_answer_and_not_seen_are_three_things() {
    let port = programs::free_port();
    let mut running = Running::start(&KIND, &config(port, None, "version = \"3.3\""));
    wait_said(&mut running, "not reachable").await;
    running.stop().await;

    let Some(peer) = TuyaPeer::start("mute", "3.3", &["--fault", "mute"]) else {
        return;
    };
    let mut running = Running::start(&KIND, &peer.config(None, "version = \"3.3\""));
    wait_said(&mut running, "no answer").await;
    running.stop().await;

    let text = config(port, Some(free_datagram_port()), "").replace("host = \"127.0.0.1\"\n", "");
    let text = text.replace("beacon_wait_ms = 3000", "beacon_wait_ms = 100");
    let mut running = Running::start(&KIND, &text);
    wait_said(&mut running, "not seen").await;
    match running.write("plug/switch", Value::Bool(true)).await {
        WriteResult::Failed(why) => assert!(why.contains("not seen"), "{why}"),
        other => panic!("{other:?}"),
    }
    running.stop().await;
}

async fn refuses_frames(version: &str) {
    let Some(peer) = TuyaPeer::start("bad check", version, &[]) else {
        return;
    };
    let more = format!("version = \"{version}\"");
    let mut running = Running::start(&KIND, &peer.config(None, &more));
    running.wait_value("plug/power", &Value::Float(95.3)).await;
    peer.tell(&json!({"fault": "badcheck"}));
    peer.tell(&json!({"dps": {"19": 6666}}));
    wait_said(&mut running, "bad check").await;
    running.pump();
    let wrong = running
        .log
        .iter()
        .any(|o| o.value == Some(Value::Float(666.6)));
    assert!(!wrong, "{version}: a value from a refused frame");
    peer.tell(&json!({"fault": ""}));
    running.wait_value("plug/power", &Value::Float(666.6)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_frame_with_a_wrong_check_is_refused() {
    join_all(["3.3", "3.4", "3.5"].map(refuses_frames)).await;
}

/// Every oddity in one version; the peer is told to change its manners in between.
async fn odd_manners(version: &str) {
    let faults = [
        "garbage",
        "split",
        "slow=0.2",
        "nocode",
        "device22",
        "noack",
        "silent-push",
        "drop=6",
    ];
    let Some(peer) = TuyaPeer::start("odd manners", version, &[]) else {
        return;
    };
    for (n, fault) in (1..).zip(faults) {
        peer.tell(&json!({"fault": fault, "kick": 1}));
        let more = format!("version = \"{version}\"");
        let mut running = Running::start(&KIND, &peer.config(None, &more));
        running.wait_value("plug/power", &Value::Float(95.3)).await;
        let on = Value::Bool(n % 2 == 1);
        let result = running.write("plug/switch", on.clone()).await;
        let applied = result == WriteResult::Applied(Some(on));
        assert!(
            applied || fault == "drop=6",
            "{version} {fault}: {result:?}"
        );
        peer.tell(&json!({"dps": {"20": 2400 + n}, "raw": 1}));
        let volts = Value::Float(f64::from(2400 + n) / 10.0);
        running.wait_value("plug/voltage", &volts).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn odd_manners_do_no_harm_in_3_1_and_3_3() {
    tokio::join!(odd_manners("3.1"), odd_manners("3.3"));
}

#[tokio::test]
async fn odd_manners_do_no_harm_in_3_4_and_3_5() {
    tokio::join!(odd_manners("3.4"), odd_manners("3.5"));
}

async fn stubborn(version: &str) {
    let Some(peer) = TuyaPeer::start("stubborn", version, &["--fault", "stubborn"]) else {
        return;
    };
    let more = format!("version = \"{version}\"");
    let mut running = Running::start(&KIND, &peer.config(None, &more));
    running
        .wait_value("plug/voltage", &Value::Float(231.1))
        .await;
    match running.write("plug/voltage", Value::Float(100.0)).await {
        WriteResult::NotEffective { read_back, detail } => {
            assert_eq!(read_back, Some(Value::Float(231.1)));
            assert!(detail.contains("acknowledged"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    peer.tell(&json!({"fault": "refuse"}));
    match running.write("plug/voltage", Value::Float(100.0)).await {
        WriteResult::Refused(why) => assert!(why.contains("dp not allowed"), "{why}"),
        other => panic!("{other:?}"),
    }
    peer.tell(&json!({"fault": "mute"}));
    match running.write("plug/voltage", Value::Float(100.0)).await {
        WriteResult::Failed(why) => assert!(why.contains("did not acknowledge"), "{why}"),
        other => panic!("{other:?}"),
    }
    running.stop().await;
}

#[tokio::test]
async fn a_device_that_keeps_its_own_value_or_says_no_is_believed() {
    join_all(["3.3", "3.5"].map(stubborn)).await;
}

/// Two devices behind the plug, which so becomes a gateway.
const BEHIND: &str = r#"
[[device]]
key = "valve"
via = "plug"
node = "a4c1380001"
[[device.point]]
key = "open"
dp = 1
type = "bool"
access = "read_write"
settle_ms = 300

[[device]]
key = "door"
via = "plug"
node = "a4c1380002"
[[device.point]]
key = "contact"
dp = 101
type = "enum"
values = ["closed", "open"]
"#;

async fn gateway(version: &str) {
    let nodes =
        r#"{"a4c1380001": {"1": false}, "a4c1380002": {"101": "open"}, "a4c1380003": {"5": 7}}"#;
    let Some(peer) = TuyaPeer::start("gateway", version, &["--nodes", nodes]) else {
        return;
    };
    let more = format!("version = \"{version}\"");
    let text = peer.config(None, &more) + BEHIND;
    let mut running = Running::start(&KIND, &text);
    running.wait_value("valve/open", &Value::Bool(false)).await;
    running.wait_value("door/contact", &Value::Int(1)).await;
    let result = running.write("valve/open", Value::Bool(true)).await;
    assert_eq!(result, WriteResult::Applied(Some(Value::Bool(true))));
    peer.tell(&json!({"node": "a4c1380002", "dps": {"101": "closed"}}));
    running.wait_value("door/contact", &Value::Int(0)).await;
    assert_eq!(peer.accepted(), 1, "one connection for all");

    let browse = running.browse.clone().unwrap();
    let nodes = browse.browse("plug".to_owned()).await.unwrap();
    assert!(
        nodes.iter().any(|n| n.name.contains("a4c1380003")),
        "{nodes:?}"
    );
    let known = nodes
        .iter()
        .any(|n| n.path == "plug/19" && n.remark.is_none());
    assert!(
        known
            && nodes
                .iter()
                .any(|n| n.path == "plug/18" && n.remark.is_some()),
        "{nodes:?}"
    );
    running.stop().await;

    peer.tell(&json!({"offline": ["a4c1380001"]}));
    let mut running = Running::start(&KIND, &text);
    running
        .wait_quality("valve/open", Quality::bad(Reason::DeviceDown))
        .await;
    running.wait_value("door/contact", &Value::Int(0)).await;
    let offline = |r: &Running| {
        let devices = r.health.devices();
        let valve = devices.iter().find(|d| d.device.as_str() == "valve");
        valve.is_some_and(|d| d.state == DeviceState::Offline)
    };
    running.wait_until("the valve to be offline", offline).await;
    running.stop().await;
}

#[tokio::test]
async fn devices_behind_a_gateway_are_read_written_and_lost_one_by_one() {
    join_all(["3.3", "3.4", "3.5"].map(gateway)).await;
}

#[tokio::test]
async fn a_sleeping_device_is_read_when_it_wakes_and_is_not_down_when_it_sleeps() {
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let Some(peer) = TuyaPeer::start("sleepy", "3.3", &["--beacon", &to]) else {
        return;
    };
    let mut running = Running::start(&KIND, &peer.config(Some(listen), "sleepy = true"));
    running.wait_value("plug/power", &Value::Float(95.3)).await;
    let accepted = peer.accepted();
    peer.tell(&json!({"kick": 1}));
    running
        .wait_until("the next waking", |_| peer.accepted() > accepted)
        .await;
    let down = running.log.iter().filter(|o| !o.quality.is_good()).count();
    assert_eq!(down, 0, "sleep was taken for a fault");
    running.stop().await;
}

#[tokio::test]
async fn a_device_that_moved_is_found_where_it_announces_itself() {
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let Some(peer) = TuyaPeer::start("moved", "3.4", &["--beacon", &to]) else {
        return;
    };
    let more = "host = \"127.0.0.77\"\nconnect_timeout_ms = 300";
    let text = peer
        .config(Some(listen), more)
        .replacen("connect_timeout_ms = 700\n", "", 1);
    let mut running = Running::start(&KIND, &text);
    works(&mut running, &peer).await;
    running.stop().await;
}

async fn discovered(version: &str) {
    let listen = free_datagram_port();
    let to = format!("127.0.0.1:{listen}");
    let Some(_peer) = TuyaPeer::start("discovery", version, &["--beacon", &to]) else {
        return;
    };
    let keys = json!([{"id": ID, "key": KEY, "name": "Heizung Bad", "version": "3.2"}]).to_string();
    let options = format!(
        "seconds = 3\naddress = \"127.0.0.1\"\nports = [{listen}]\nask = []\nkeys = '''{keys}'''"
    );
    let found = search(&options).await;
    let [find] = &found[..] else {
        panic!("{found:?}")
    };
    let announced = ("version".to_owned(), version.to_owned());
    assert!(find.identity.contains(&announced), "{find:?}");
    assert!(find.remark.contains("no profile"), "{}", find.remark);
    assert!(
        find.remark.contains("the device is right"),
        "{}",
        find.remark
    );
    let device = riser_adapter::search::devices(&find.config).next().unwrap();
    assert_eq!(device["key"].as_str(), Some("heizung-bad"));
    assert_eq!(device["local_key"].as_str(), Some(KEY));
    let text = toml::to_string(&find.config).unwrap();
    assert!(
        riser_adapter_testkit::harness::build(&KIND, &text).is_ok(),
        "{text}"
    );
}

#[tokio::test]
async fn discovery_hears_every_version_and_says_what_is_missing() {
    join_all(["3.1", "3.3", "3.4", "3.5"].map(discovered)).await;
}

async fn search(options: &str) -> Vec<riser_adapter::Found> {
    let (found, mut finds) = mpsc::channel(16);
    let request = DiscoverRequest {
        options: options.parse().expect("this is TOML"),
    };
    let discover = KIND.discover.expect("it can search")();
    let search = discover.discover(request, found, CancellationToken::new());
    let (ended, all) = tokio::join!(search, async {
        let mut all = Vec::new();
        while let Some(find) = finds.recv().await {
            all.push(find);
        }
        all
    });
    ended.expect("the search ends well");
    all
}
