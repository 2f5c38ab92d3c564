//! The README shows the sample and the list of profiles as they are. `UPDATE_README=1` puts them
//! in anew.

use riser_adapter::BuildContext;
use riser_modbus::config::{Config, Profile, Profiles, SourceRole};
use std::fmt::Write;
use std::path::Path;

#[test]
fn the_readme_includes_the_sample_and_the_profiles() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sample = include_str!("../sample.toml");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let wanted = within(&readme, "sample.toml", &format!("```toml\n{sample}```\n"));
    let wanted = within(&wanted, "profiles", &profiles());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(folder.join("README.md"), &wanted).unwrap();
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

/// The table of profiles.
fn profiles() -> String {
    let mut table =
        "| profile | device | category | points | written | source |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for profile in Profiles::load(None)
        .expect("the built-in profiles load")
        .iter()
    {
        let (points, written) = points(profile);
        let source = source(profile);
        writeln!(
            table,
            "| `{}` | {} | {} | {points} | {written} | {source} |",
            profile.name,
            profile.title,
            category(profile),
        )
        .expect("a string takes everything");
    }
    table
}

fn points(profile: &Profile) -> (usize, usize) {
    let text = format!(
        "[[lane]]\nkey=\"l\"\ntransport=\"tcp\"\nhost=\"h\"\n[[device]]\nkey=\"d\"\nlane=\"l\"\nprofile=\"{}\"\n",
        profile.name
    );
    let config = Config::new(
        &text.parse().expect("this is TOML"),
        &BuildContext::default(),
    )
    .expect("every profile makes a device; the error names it");
    let points = config.points();
    let written = points.iter().filter(|p| p.access.writable()).count();
    (points.len(), written)
}

/// As it is written in the files.
fn category(profile: &Profile) -> String {
    let name = format!("{:?}", profile.category);
    let mut written = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !written.is_empty() {
            written.push(' ');
        }
        written.extend(letter.to_lowercase());
    }
    written
}

/// The manufacturer's document, and how it was read.
fn source(profile: &Profile) -> String {
    let first = profile.sources.first().expect("loading asks for one");
    let named = profile.sources.iter().any(|s| s.role == SourceRole::Named);
    let through = match (first.role, named) {
        (SourceRole::Named, _) => " (through other tables)",
        (_, true) => " (partly through other tables)",
        (_, false) => "",
    };
    let edition = first
        .edition
        .as_ref()
        .map_or(String::new(), |e| format!(", {e}"));
    format!("{}{edition}{through}", first.document)
}

#[test]
fn the_readme_names_every_type() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for word in [
        "bool", "u8", "i64", "f32", "f64", "bcd16", "bcd32", "string", "enum", "bits", "bits32",
    ] {
        assert!(readme.contains(&format!("`{word}`")), "{word}");
    }
}
