//! What the commands print.

use crate::process::{Site, write};

#[test]
fn the_sample_is_a_sound_configuration() {
    let site = Site::with("");
    let sample = site.run(&["sample-config"]);
    assert_eq!(sample.code, Some(0));
    write(&site.path("riser.toml"), &sample.out);
    let checked = site.run(&["check-config"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked
            .out
            .contains("1 adapters, 1 devices, 2 points, 2 rules, no cloud")
    );
    assert!(!site.path("data").exists(), "checking must open nothing");
}

#[test]
fn the_sample_names_every_key_the_daemon_knows() {
    let sample = Site::with("").run(&["sample-config"]).out;
    for key in [
        "id",
        "tenant",
        "name",
        "data_dir",
        "profile_dir",
        "clock_synchronised_file",
        "clock_wait",
        "clock_hold_hours",
        "listen",
        "tls",
        "session_idle_minutes",
        "session_days",
        "commit_interval_ms",
        "retention_days",
        "history_max_mb",
        "min_free_mb",
        "url",
        "ca",
        "cert",
        "key",
        "kind",
        "file",
    ] {
        let found = sample.lines().any(|line| {
            line.trim_start_matches(['#', ' '])
                .starts_with(&format!("{key} = "))
        });
        assert!(found, "{key} is not in config/riser.toml");
    }
}

#[test]
fn adapters_have_samples_and_unknown_ones_a_hint() {
    let site = Site::with("");
    let modbus = site.run(&["sample-config", "modbus"]);
    assert_eq!(modbus.code, Some(0));
    assert!(modbus.out.contains("[[lane]]"));
    let unknown = site.run(&["sample-config", "modbsu"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.contains("did you mean 'modbus'?"),
        "{}",
        unknown.err
    );
}

#[test]
fn an_adapter_may_stand_in_a_file_of_its_own() {
    let site = Site::new("[[adapter]]\nkind = \"modbus\"\nfile = \"field.toml\"\n");
    let lane = "[[lane]]\nkey = \"plant\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\n";
    let device = "[[device]]\nkey = \"ahu-1\"\nlane = \"plant\"\n[[device.point]]\nkey = \"t\"\n\
                  name = \"Supply\"\naddress = 0\ntype = \"i16\"\n";
    write(
        &site.path("field.toml"),
        &format!("{lane}{device}unit = \"°C\"\n"),
    );
    let points = site.run(&["points"]);
    assert_eq!(points.code, Some(0), "{points:?}");
    let rows: Vec<&str> = points.out.lines().collect();
    assert!(rows[0].starts_with("point "), "{rows:?}");
    assert!(
        rows[1].starts_with("ahu-1/t ") && rows[1].ends_with("Supply"),
        "{rows:?}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&site.run(&["points", "--json"]).out).unwrap();
    assert_eq!(json[0]["path"], "ahu-1/t");

    write(
        &site.path("field.toml"),
        &format!("{lane}{device}unti = \"°C\"\n"),
    );
    let wrong = site.run(&["check-config"]);
    assert_eq!(wrong.code, Some(64));
    assert!(
        wrong.err.contains("field.toml:13: device[0].point[0]"),
        "{}",
        wrong.err
    );
    assert!(wrong.err.contains("did you mean 'unit'?"), "{}", wrong.err);
}

#[test]
fn the_version_and_the_missing_claim_code() {
    let site = Site::new("");
    let version = site.run(&["version"]);
    assert_eq!(
        version.out,
        format!("riserd {}\n", env!("CARGO_PKG_VERSION"))
    );
    let none = site.run(&["claim-code"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("riserd has not run yet"), "{}", none.err);
}

#[test]
fn a_point_that_is_stale_between_any_two_readings_is_warned_of() {
    let site = Site::new(
        r#"
[[adapter]]
kind = "modbus"
name = "field"
[[adapter.lane]]
key = "bus"
transport = "tcp"
host = "127.0.0.1"
port = 1
[[adapter.device]]
key = "meter"
name = "Meter"
lane = "bus"
interval_ms = 60000
point = [
  { key = "power", address = 0, type = "u16", stale_after_ms = 10000 },
  { key = "energy", address = 1, type = "u16" },
]
"#,
    );
    let checked = site.run(&["check-config"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let warnings: Vec<&str> = checked
        .out
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("adapter 'field': point meter/power: stale_after_ms = 10000"));
}
