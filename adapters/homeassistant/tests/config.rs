//! What a technician may write, and what comes back when it is wrong.

use riser_adapter::{BuildContext, ConfigError};
use riser_homeassistant::KIND;
use std::path::Path;

fn build(text: &str, base: &Path) -> Result<(), ConfigError> {
    let context = BuildContext {
        base_dir: base.to_owned(),
        profile_dir: None,
    };
    let table = text.parse().expect("TOML");
    (KIND.build)(&table, &context).map(drop)
}

fn refusal(text: &str) -> String {
    build(text, Path::new("/"))
        .expect_err("it is refused")
        .to_string()
}

#[test]
fn the_sample_is_a_configuration_with_every_key_at_its_default() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("homeassistant.token"), "abc.def\n").unwrap();
    build(KIND.sample, folder.path()).unwrap();
    let uncommented: String = KIND
        .sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && !rest.contains('`') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let plain = uncommented.replace("ca = \"homeassistant-ca.pem\"", "");
    build(&plain, folder.path()).unwrap();
}

#[test]
fn what_is_wrong_is_said_with_what_to_write() {
    for (text, words) in [
        (
            "url = 'ha.local'\ntoken = 'x'",
            "http://homeassistant.local:8123",
        ),
        ("url = 'http://h'", "long-lived access token"),
        ("url = 'http://h'\ntoken = 'a'\ntoken_file = 'b'", "either"),
        ("url = 'http://h'\ntoken = 'two words'", "one word"),
        (
            "url = 'http://h'\ntoken_file = 'nowhere'",
            "cannot read /nowhere",
        ),
        ("url = 'http://h'\ntoken = 'x'\nca = 'x.pem'", "https://"),
        (
            "url = 'https://h'\ntoken = 'x'\nca = 'nowhere.pem'",
            "/nowhere.pem",
        ),
        (
            "url = 'http://h'\ntoken = 'x'\nbackfil_days = 3",
            "did you mean 'backfill_days'",
        ),
        (
            "url = 'http://h'\ntoken = 'x'\nbackfill_days = 9999",
            "3660",
        ),
        (
            "url = 'http://h'\ntoken = 'x'\nping_seconds = 0",
            "between 1 and 300",
        ),
        (
            "url = 'http://h'\ntoken = 'x'\ninclude = ['']",
            "include[0]",
        ),
    ] {
        let error = refusal(text);
        assert!(error.contains(words), "{text}\n{error}");
    }
}

#[test]
fn a_certificate_can_be_given_or_the_check_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
    std::fs::write(folder.path().join("ca.pem"), key.cert.pem()).unwrap();
    let base = "url = 'https://h'\ntoken = 'x'\n";
    build(&format!("{base}ca = 'ca.pem'"), folder.path()).unwrap();
    build(&format!("{base}verify = false"), folder.path()).unwrap();
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    let empty = build(&format!("{base}ca = 'empty.pem'"), folder.path()).unwrap_err();
    assert!(
        empty.to_string().contains("holds no certificate"),
        "{empty}"
    );
}
