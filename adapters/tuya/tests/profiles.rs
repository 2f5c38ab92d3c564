//! Every profile makes a device, decodes its examples, and stands in the README; so does the sample.

use riser_adapter::BuildContext;
use riser_tuya::config::{Config, Profile, Profiles, SourceRole};
use serde_json::Value as Json;
use std::fmt::Write;
use std::path::Path;

fn profiles() -> Profiles {
    Profiles::load(None).expect("the built-in profiles load; the error names the file")
}

fn device(profile: &Profile) -> Config {
    let text = format!(
        "[[device]]\nkey = \"d\"\nid = \"bf01\"\nlocal_key = \"0123456789abcdef\"\nprofile = \"{}\"\n",
        profile.name
    );
    let table = text.parse().expect("this is TOML");
    Config::new(&table, &BuildContext::default())
        .expect("every profile makes a device; the error names it")
}

#[test]
fn every_profile_decodes_its_examples() {
    for profile in profiles().iter() {
        let config = device(profile);
        assert!(
            !profile.examples.is_empty(),
            "{} shows no example",
            profile.name
        );
        for example in &profile.examples {
            let points = &config.links[0].members[0].points;
            let point = points
                .iter()
                .find(|p| p.point.path.to_string() == format!("d/{}", example.point));
            let point =
                point.unwrap_or_else(|| panic!("{} has no point {}", profile.name, example.point));
            let reported = serde_json::to_value(&example.reported).unwrap();
            let wanted = serde_json::to_value(&example.value).unwrap();
            let (value, quality) = point.mapping.decode(&reported);
            let value = value.unwrap_or_else(|| panic!("{}: {quality:?}", profile.name));
            assert!(
                quality.is_good(),
                "{} {}: {quality:?}",
                profile.name,
                example.point
            );
            let got = serde_json::to_value(&value).unwrap();
            assert!(
                same(&got, &wanted),
                "{} {}: {got} is not {wanted}",
                profile.name,
                example.point
            );
            // What is written is what would be reported.
            if point.point.access.writable() {
                let sent = point.mapping.encode(&value).unwrap();
                assert!(
                    same(&sent, &reported),
                    "{} {}: {sent}",
                    profile.name,
                    example.point
                );
            }
        }
    }
}

fn same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < 1.0e-9,
        _ => a == b,
    }
}

#[test]
fn the_kinds_a_building_needs_are_there() {
    let all = profiles();
    for name in [
        "plug-metering",
        "thermostat-bht002",
        "radiator-valve",
        "air-quality-6in1",
        "ir-controller",
        "dimmer",
        "curtain",
        "water-valve",
        "contact-sensor",
        "multi-sensor-9in1",
        "circuit-breaker",
    ] {
        assert!(all.get(name).is_ok(), "{name}");
    }
    assert!(
        all.get("plug-meterng")
            .unwrap_err()
            .contains("plug-metering")
    );
}

#[test]
fn the_sample_is_a_configuration() {
    let table: toml::Table = include_str!("../sample.toml")
        .parse()
        .expect("the sample is TOML");
    let config = Config::new(&table, &BuildContext::default()).expect("the sample is accepted");
    assert_eq!(config.links.len(), 3);
    assert_eq!(
        config.links[2].members.len(),
        2,
        "the valve hangs behind the gateway"
    );
    let power = config
        .points()
        .iter()
        .find(|p| p.path.to_string() == "plug-1/power")
        .cloned();
    let power = power.expect("the profile's point");
    assert_eq!(
        (power.name.as_str(), power.deadband),
        ("Coffee machine, power", Some(2.0))
    );
    assert!(
        config
            .points()
            .iter()
            .all(|p| p.path.to_string() != "plug-1/child_lock"),
        "it was skipped"
    );
}

#[test]
fn the_readme_includes_the_sample_and_the_profiles() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let wanted = within(
        &readme,
        "sample.toml",
        &format!("```toml\n{}```\n", include_str!("../sample.toml")),
    );
    let wanted = within(&wanted, "profiles", &table());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    } else {
        assert!(
            readme == wanted,
            "README.md shows another sample.toml or other profiles; run with UPDATE_README=1"
        );
    }
}

/// `text` with new content between the markers of that name.
fn within(text: &str, marker: &str, content: &str) -> String {
    let (open, close) = (
        format!("<!-- {marker} -->\n"),
        format!("<!-- /{marker} -->"),
    );
    let (before, rest) = text.split_once(&open).expect("the opening marker");
    let (_, after) = rest.split_once(&close).expect("the closing marker");
    format!("{before}{open}{content}{close}{after}")
}

fn table() -> String {
    let mut table =
        "| profile | device | points | written | source |\n|---|---|---|---|---|\n".to_owned();
    for profile in profiles().iter() {
        let points = device(profile).points();
        let written = points.iter().filter(|p| p.access.writable()).count();
        let source = profile.sources.first().expect("loading asks for one");
        let table_only = profile.sources.iter().all(|s| s.role == SourceRole::Table);
        let remark = if table_only {
            " (other people's tables)"
        } else {
            ""
        };
        let (name, title, document) = (&profile.name, &profile.title, &source.document);
        writeln!(
            table,
            "| `{name}` | {title} | {} | {written} | {document}{remark} |",
            points.len()
        )
        .expect("a string takes everything");
    }
    table
}
