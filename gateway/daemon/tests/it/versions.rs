//! Configurations are exchanged while the daemon runs: nothing is restarted that need not be, and what
//! does harm or nobody confirms is taken back, whatever happens in between.

use crate::bus::Bus;
use crate::process::{Daemon, Site};
use serde_json::Value;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Settling that suits a test.
const SOON: &str = "[configuration]\nsettle_seconds = 3\nlink_seconds = 3\n";

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "never came true: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn document(site: &Site) -> String {
    std::fs::read_to_string(site.path("riser.toml")).unwrap()
}

/// Applies a text from a file of its own.
fn apply(site: &Site, text: &str, arguments: &[&str]) -> crate::process::Said {
    let file = site.path("new.toml");
    std::fs::write(&file, text).unwrap();
    let mut all = vec!["config", "apply", file.to_str().unwrap()];
    all.extend(arguments);
    site.run(&all)
}

fn versions(site: &Site) -> Vec<Value> {
    let said = site.run(&["config", "list", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn running(site: &Site) -> u64 {
    let all = versions(site);
    let running = all.iter().find(|v| v["running"] == true).unwrap();
    running["version"].as_u64().unwrap()
}

fn audit(site: &Site, action: &str) -> Vec<Value> {
    let said = site.run(&["audit", "list", "--json", "--action", action]);
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits until the bus is read.
fn read(bus: &Bus) {
    let before = bus.requests();
    eventually("the bus is read", || bus.requests() > before + 1);
}

#[test]
fn an_equal_document_a_hundred_times_restarts_nothing() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let _daemon = site.start(&[]);
    read(&bus);
    let text = document(&site);
    for n in 0..100 {
        // Another layout, the same configuration.
        let said = apply(&site, &format!("# push {n}\n\n{text}"), &[]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("nothing to change"), "{}", said.out);
    }
    read(&bus);
    assert_eq!(bus.connections(), 1, "the adapter never let go of its bus");
    assert_eq!(versions(&site).len(), 1);
    assert_eq!(audit(&site, "configuration").len(), 1);
}

#[test]
fn only_what_changed_is_restarted_and_a_confirmed_change_stays() {
    let (one, two) = (Bus::new(), Bus::new());
    let site = Site::new(&format!("{}{}", one.adapter("one"), two.adapter("two")));
    let mut daemon = site.start(&[]);
    read(&one);
    read(&two);
    let text = document(&site);
    let rules = "[[rule]]\nkey = \"hot\"\npoint = \"one-1/t\"\ncondition = { test = \"above\", limit = 3 }\n\
                 action.raise_alarm = { priority = \"high\", message = \"hot\" }\n";
    let said = apply(
        &site,
        &format!("{text}{rules}"),
        &["--final", "--note", "a rule"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("rules swapped"), "{}", said.out);
    read(&one);
    assert_eq!(
        (one.connections(), two.connections()),
        (1, 1),
        "rules need no restart"
    );
    let slower = text.replace("key = \"two-1\"\n", "key = \"two-1\"\nname = \"Second\"\n");
    let said = apply(&site, &format!("{slower}{rules}"), &["--confirm", "5m"]);
    assert!(said.out.contains("adapters restarted: two"), "{said:?}");
    assert!(
        said.out
            .contains("+ adapter[two].device[two-1].name: Second"),
        "{said:?}"
    );
    eventually("the second is started again", || two.connections() == 2);
    read(&two);
    assert_eq!(one.connections(), 1);
    let second = apply(&site, &text, &[]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.err.contains("waits to be confirmed"),
        "{}",
        second.err
    );
    let said = site.run(&["config", "confirm"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(running(&site), 3);
    assert_eq!(
        audit(&site, "configuration_confirmed")[0]["source"],
        "console"
    );
    // Also after a restart, though the file says otherwise: it has not changed.
    daemon.terminate();
    assert!(daemon.ended().0.success());
    let _daemon = site.start(&[]);
    assert_eq!(running(&site), 3);
    let shown = site.run(&["config", "show"]);
    assert!(shown.out.contains("name = \"Second\""), "{}", shown.out);
    // And back by hand.
    let said = site.run(&["config", "revert", "1", "--reason", "enough"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(running(&site), 4);
    assert_eq!(versions(&site)[0]["sha256"], versions(&site)[3]["sha256"]);
}

#[test]
fn what_cannot_be_used_changes_nothing_and_says_what_to_write() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let _daemon = site.start(&[]);
    read(&bus);
    let text = document(&site);
    for (bad, wanted) in [
        (
            text.replace("transport", "trnasport"),
            "did you mean 'transport'?",
        ),
        (text.replace("\"u16\"", "\"u166\""), "did you mean 'u16'?"),
        (
            text.replace("id = \"gw-1\"", "id = \"gw-2\""),
            "who this gateway is",
        ),
        (
            format!(
                "{text}[[rule]]\nkey = \"r\"\npoint = \"no/such\"\ncondition = {{ test = \"above\", limit = 1 }}\naction.raise_alarm = {{ priority = \"low\", message = \"x\" }}\n"
            ),
            "no/such",
        ),
        ("[gateway\n".to_owned(), "no TOML"),
    ] {
        let said = apply(&site, &bad, &[]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(wanted), "no '{wanted}' in {}", said.err);
    }
    assert_eq!(bus.connections(), 1);
    assert_eq!(versions(&site).len(), 1);
    assert_eq!(audit(&site, "configuration_refused").len(), 5);
}

#[test]
fn a_change_that_breaks_an_adapter_is_taken_back_by_itself_and_says_so() {
    let (bus, other) = (Bus::new(), Bus::new());
    let site = Site::new(&format!(
        "{SOON}{}{}",
        bus.adapter("field"),
        other.adapter("other")
    ));
    let mut daemon = site.start(&[]);
    read(&bus);
    read(&other);
    let broken = document(&site).replace(&format!("port = {}", bus.port), "port = 1");
    let said = apply(
        &site,
        &broken,
        &["--confirm", "10m", "--note", "another port"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(running(&site), 2);
    let back = daemon.line("the configuration was taken back");
    assert_eq!(back["back_to"], 1, "{back}");
    assert!(
        back["why"]
            .as_str()
            .unwrap()
            .contains("no device of adapter 'field'"),
        "{back}"
    );
    assert_eq!(running(&site), 1);
    eventually("the bus is read again", || bus.connections() == 2);
    read(&bus);
    assert_eq!(other.connections(), 1);
    let entry = &audit(&site, "configuration_reverted")[0];
    assert_eq!(
        (&entry["actor"], &entry["object"]),
        (&"riserd".into(), &"configuration 2".into())
    );
    let detail: Value = serde_json::from_str(entry["detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["sha256"], versions(&site)[0]["sha256"]);
    assert_eq!(detail["runs"], versions(&site)[1]["sha256"]);
}

#[test]
fn nobody_confirms_and_the_power_goes_meanwhile() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let named =
        document(&site).replace("key = \"field-1\"\n", "key = \"field-1\"\nname = \"New\"\n");
    let mut daemon = site.start(&[]);
    read(&bus);
    // Killed in the window, started after it: taken back before anything runs.
    assert_eq!(apply(&site, &named, &["--confirm", "2s"]).code, Some(0));
    daemon.kill();
    let over = Instant::now() + Duration::from_secs(2);
    eventually("the window is over", || Instant::now() > over);
    let mut daemon = site.start(&[]);
    assert_eq!(running(&site), 1);
    assert_eq!(audit(&site, "configuration_reverted").len(), 1);
    // Killed and started in the window: it runs on, and ends with the window.
    assert_eq!(apply(&site, &named, &["--confirm", "8s"]).code, Some(0));
    daemon.kill();
    let mut second: Daemon = site.start(&[]);
    assert_eq!(running(&site), 3);
    let back = second.line("the configuration was taken back");
    assert!(
        back["why"]
            .as_str()
            .unwrap()
            .contains("nobody confirmed it"),
        "{back}"
    );
    assert_eq!(running(&site), 1);
    let reasons = audit(&site, "configuration_reverted");
    assert!(reasons.iter().all(|e| {
        e["detail"]
            .as_str()
            .unwrap()
            .contains("nobody confirmed it")
    }));
}

#[test]
fn a_version_that_never_runs_steadily_gives_way_to_the_last_that_did() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let mut daemon = site.start(&[]);
    daemon.kill();
    // As after a minute of running.
    let state = site.path("data/state.db");
    let done = std::process::Command::new("sqlite3")
        .arg(&state)
        .arg("UPDATE configuration_fate SET proven = 1")
        .status();
    assert!(done.unwrap().success());
    let file = document(&site);
    std::fs::write(
        site.path("riser.toml"),
        file.replace("\"T\"", "\"Temperature\""),
    )
    .unwrap();
    for _ in 0..5 {
        let mut daemon = site.start(&[]);
        assert_eq!(running(&site), 2);
        daemon.kill();
    }
    let daemon = site.start(&[]);
    assert_eq!(running(&site), 1);
    assert!(
        daemon
            .said
            .iter()
            .any(|line| line.contains("never ran steadily")),
        "{:#?}",
        daemon.said
    );
    // The file is still the same: it is not tried again until somebody changes it.
    drop(daemon);
    let _daemon = site.start(&[]);
    assert_eq!(running(&site), 1);
}

#[test]
fn a_file_that_cannot_be_used_any_more_stops_no_gateway_that_ran() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let mut daemon = site.start(&[]);
    daemon.terminate();
    daemon.ended();
    let file = document(&site);
    std::fs::write(
        site.path("riser.toml"),
        file.replace("transport", "trnasport"),
    )
    .unwrap();
    let daemon = site.start(&[]);
    read(&bus);
    assert!(
        daemon
            .said
            .iter()
            .any(|line| line.contains("did you mean 'transport'")),
        "{:#?}",
        daemon.said
    );
    assert_eq!(site.run(&["check-config"]).code, Some(64));
}

#[test]
fn a_change_of_the_port_starts_everything_again_and_one_that_is_taken_comes_back() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let mut daemon = site.start(&[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let moved = document(&site).replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    assert_eq!(apply(&site, &moved, &["--confirm", "5m"]).code, Some(0));
    daemon.line("the configuration was taken back");
    daemon.line("serving the local pages");
    assert_eq!(running(&site), 1);
    drop(free);
    let said = apply(&site, &moved, &["--final"]);
    assert!(
        said.out.contains("everything restarted for: http"),
        "{said:?}"
    );
    let serving = daemon.line("serving the local pages");
    assert_eq!(serving["url"], format!("http://127.0.0.1:{port}").as_str());
    assert_eq!(running(&site), 3);
    daemon.terminate();
    assert!(daemon.ended().0.success(), "{:#?}", daemon.said);
}

#[test]
fn secrets_stay_where_they_are() {
    let site = Site::new("[http.tls]\n");
    std::fs::write(site.path("riser.toml"), "[gateway]\nid = \"gw-1\"\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n# password: hunter2\n").unwrap();
    let _daemon = site.start(&[]);
    let shown = site.run(&["config", "show"]);
    assert!(
        shown.out.contains("gw-1") && !shown.out.contains("hunter2"),
        "{}",
        shown.out
    );
}
