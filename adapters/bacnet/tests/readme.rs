//! The README shows the sample as it is; the sample is a configuration that is accepted.
//! `UPDATE_README=1` puts it in anew.

use riser_bacnet::config::Config;
use std::path::Path;

#[test]
fn the_readme_includes_the_sample() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).expect("there is a README");
    let sample = include_str!("../sample.toml");
    let (open, close) = ("<!-- sample.toml -->\n", "<!-- /sample.toml -->");
    let (before, rest) = readme.split_once(open).expect("the opening marker");
    let (_, after) = rest.split_once(close).expect("the closing marker");
    let wanted = format!("{before}{open}```toml\n{sample}```\n{close}{after}");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&file, &wanted).expect("the README can be written");
    } else {
        assert!(
            readme == wanted,
            "README.md shows another sample.toml; run with UPDATE_README=1"
        );
    }
}

#[test]
fn the_sample_is_accepted_also_with_everything_it_only_mentions() {
    let sample = include_str!("../sample.toml");
    let plain = Config::new(&sample.parse().expect("it is TOML")).expect("it is accepted");
    assert_eq!((plain.points().len(), plain.doubts().len()), (3, 0));
    let all: String = sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(option) if option.contains(" = ") => format!("{option}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let table: toml::Table = all.parse().expect("every option is TOML");
    Config::new(&table).unwrap_or_else(|error| panic!("{error}\n{all}"));
}
