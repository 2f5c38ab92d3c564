//! Imports only go down the floors of `docs/architecture.md`.

use cargo_metadata::{DependencyKind, MetadataCommand};
use riser_tidy::{report, root, sources};
use std::collections::BTreeMap;

/// Each crate, the Riser crates it may use in production, in order of floors.
const ALLOWED: &[(&str, &[&str])] = &[
    ("riser-model", &[]),
    ("riser-adapter", &["riser-model"]),
    ("riser-rules", &["riser-model"]),
    ("riser-wire", &["riser-model"]),
    ("riser-adapter-testkit", &["riser-model", "riser-adapter"]),
    ("riser-mqtt", &[]),
    (
        "riser-homeassistant",
        &["riser-model", "riser-adapter", "riser-mqtt"],
    ),
    ("riser-modbus", &["riser-model", "riser-adapter"]),
    ("riser-bacnet", &["riser-model", "riser-adapter"]),
    ("riser-tuya", &["riser-model", "riser-adapter"]),
    (
        "riser-zigbee",
        &["riser-model", "riser-adapter", "riser-mqtt"],
    ),
    ("riser-store", &["riser-model", "riser-wire"]),
    (
        "riser-runtime",
        &["riser-model", "riser-store", "riser-rules", "riser-adapter"],
    ),
    ("riser-sync", &["riser-model", "riser-store", "riser-wire"]),
    (
        "riser-api",
        &["riser-model", "riser-store", "riser-runtime"],
    ),
    (
        "riserd",
        &[
            "riser-model",
            "riser-adapter",
            "riser-rules",
            "riser-wire",
            "riser-modbus",
            "riser-tuya",
            "riser-zigbee",
            "riser-bacnet",
            "riser-homeassistant",
            "riser-store",
            "riser-runtime",
            "riser-sync",
            "riser-api",
        ],
    ),
    ("riser-cloud", &["riser-model", "riser-rules", "riser-wire"]),
    ("riser-sim", &["riser-bacnet", "riser-tuya"]),
    ("riser-demo", &["riser-e2e"]),
    ("riser-tidy", &[]),
    (
        "riser-bench",
        &[
            // The codec of its simulated devices.
            "riser-bacnet",
            "riser-e2e",
            "riser-model",
            "riser-wire",
            "riser-store",
            "riser-sync",
        ],
    ),
    ("riser-e2e", &["riser-model", "riser-wire"]),
    (
        "riser-faults",
        &[
            "riser-e2e",
            "riser-model",
            "riser-wire",
            "riser-store",
            "riser-sync",
            "riser-cloud",
        ],
    ),
];

#[test]
fn crates_import_only_lower_floors() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut breaks = Vec::new();
    for package in &metadata.packages {
        let Some(may) = allowed.get(package.name.as_str()) else {
            breaks.push(format!(
                "{} has no floor in tests/tidy/tests/floors.rs",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let ours = dependency.path.is_some();
            let test_kit = dependency.kind == DependencyKind::Development;
            if ours && !test_kit && !may.contains(&dependency.name.as_str()) {
                breaks.push(format!(
                    "{} must not import {}",
                    package.name, dependency.name
                ));
            }
        }
    }
    report("floors", &breaks);
}

#[test]
fn every_crate_takes_the_house_lints() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let breaks: Vec<String> = metadata
        .packages
        .iter()
        .filter(|p| {
            !std::fs::read_to_string(&p.manifest_path)
                .unwrap()
                .contains("[lints]\nworkspace = true")
        })
        .map(|p| p.manifest_path.to_string())
        .collect();
    report("lints.workspace = true", &breaks);
}

/// Inside the cloud: http → app → db, ingest → db, live beside app. `(folder, must not name)`.
const CLOUD: &[(&str, &[&str])] = &[
    (
        "cloud-api/server/src/http/",
        &["crate::db", "crate::ingest", "crate::pki"],
    ),
    (
        "cloud-api/server/src/db/",
        &["crate::http", "crate::app", "crate::ingest", "crate::live"],
    ),
    ("cloud-api/server/src/app/", &["crate::http", "crate::pki"]),
    (
        "cloud-api/server/src/ingest/",
        &["crate::http", "crate::app", "crate::live"],
    ),
    ("cloud-api/server/src/live/", &["crate::http"]),
];

#[test]
fn the_cloud_keeps_its_inner_floors() {
    let mut breaks = Vec::new();
    for source in sources(&[".rs"]) {
        for (folder, banned) in CLOUD
            .iter()
            .filter(|(folder, _)| source.path.starts_with(folder))
        {
            for word in banned
                .iter()
                .filter(|w| source.production_text().contains(*w))
            {
                breaks.push(format!("{} names {word}; {folder} must not", source.path));
            }
        }
    }
    report("cloud floors", &breaks);
}

#[test]
fn only_its_owner_names_a_guarded_crate() {
    // (crate, folder that may name it): a later change of library stays local.
    let guarded = [
        (
            "rusqlite::",
            &[
                "gateway/store/",
                "cloud-api/server/src/db/",
                "cloud-api/server/src/app/",
                // The bench looks at what is committed from outside, read only.
                "tests/e2e/src/committed.rs",
                // What SQLite does by itself is the limit beside the store's figures.
                "tests/bench/src/limits.rs",
            ][..],
        ),
        ("mqtt_protocol_core::", &["cloud-api/server/src/ingest/"]),
        ("tokio_modbus::", &["adapters/modbus/", "tests/sim/"]),
        (
            "rumqttc::",
            &[
                "sync/link/",
                "adapters/homeassistant/src/face/",
                "adapters/mqtt/",
                "adapters/zigbee/",
                "cloud-api/server/src/ingest/",
                // A broker by itself is a limit, and a fleet is two thousand clients.
                "tests/bench/src/limits.rs",
                "tests/faults/src/fleet.rs",
                "tests/sim/src/mqtt.rs",
            ],
        ),
        ("prost::", &["sync/wire/"]),
    ];
    let mut breaks = Vec::new();
    for source in sources(&[".rs"])
        .iter()
        .filter(|s| s.is_production() && !s.path.starts_with("tests/tidy"))
    {
        for (name, homes) in guarded {
            if source.production_text().contains(name)
                && !homes.iter().any(|h| source.path.starts_with(h))
            {
                breaks.push(format!(
                    "{} names {name}, which belongs to {}",
                    source.path,
                    homes.join(", ")
                ));
            }
        }
    }
    report("guarded crates", &breaks);
}
