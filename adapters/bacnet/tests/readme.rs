//! The README shows the samples as they are; a sample is a configuration that is accepted.
//! `UPDATE_README=1` puts it in anew.

use riser_adapter_testkit::harness::build;
use riser_bacnet::SERVER_KIND;
use riser_bacnet::config::Config;
use std::path::Path;

#[test]
fn the_readme_includes_the_samples() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut readme = std::fs::read_to_string(&file).expect("there is a README");
    let as_it_is = readme.clone();
    for (name, sample) in [
        ("sample.toml", include_str!("../sample.toml")),
        ("server.sample.toml", include_str!("../server.sample.toml")),
    ] {
        let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = readme.split_once(&open).expect("the opening marker");
        let (_, after) = rest.split_once(&close).expect("the closing marker");
        readme = format!("{before}{open}```toml\n{sample}```\n{close}{after}");
    }
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&file, &readme).expect("the README can be written");
    } else {
        assert!(
            readme == as_it_is,
            "README.md shows another sample; run with UPDATE_README=1"
        );
    }
}

/// A sample with everything it only mentions.
fn all_of(sample: &str) -> String {
    sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(option) if option.contains(" = ") => format!("{option}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[test]
fn the_sample_of_the_server_is_accepted_also_with_everything_it_only_mentions() {
    for config in [SERVER_KIND.sample.to_owned(), all_of(SERVER_KIND.sample)] {
        if let Err(error) = build(&SERVER_KIND, &config) {
            panic!("{error}\n{config}");
        }
    }
}

#[test]
fn the_sample_is_accepted_also_with_everything_it_only_mentions() {
    let sample = include_str!("../sample.toml");
    let plain = Config::new(&sample.parse().expect("it is TOML")).expect("it is accepted");
    assert_eq!((plain.points().len(), plain.doubts().len()), (3, 0));
    let all = all_of(sample);
    let table: toml::Table = all.parse().expect("every option is TOML");
    Config::new(&table).unwrap_or_else(|error| panic!("{error}\n{all}"));
}
