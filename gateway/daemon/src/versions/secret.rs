//! What of a configuration is secret, and how a document looks without it. Owns the words that make a
//! key secret, the hiding in a text, and the way back: `<hidden>` in a document that is given back
//! stands for the secret that was there.

use super::walk::{Leaf, leaves};
use riser_model::configuration::HIDDEN;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Value;

/// A key with one of these in it is secret, unless it names a file.
const WORDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "local_key",
    "api_key",
    "private_key",
    "access_key",
    "community",
];
/// Where the secret lies, not the secret.
const PLACES: [&str; 4] = ["_file", "_path", "_dir", "_env"];

/// Whether the value of a key is nobody's business.
pub(crate) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "psk"
        || key == "pin"
        || (WORDS.iter().any(|word| key.contains(word))
            && !PLACES.iter().any(|place| key.ends_with(place)))
}

/// A value as it may be shown; `None` when there is nothing to hide.
fn hidden(leaf: &Leaf) -> Option<String> {
    if leaf.secret {
        return Some(HIDDEN.to_owned());
    }
    let text = leaf.value.as_str()?;
    let (start, end) = userinfo(text)?;
    Some(format!("{}{HIDDEN}{}", &text[..start], &text[end..]))
}

/// Where name and password stand in an address such as `rtsp://name:password@host/`.
fn userinfo(text: &str) -> Option<(usize, usize)> {
    let start = text.find("://")? + 3;
    let authority = text[start..].split(['/', '?', '#']).next()?;
    let at = authority.rfind('@')?;
    Some((start, start + at))
}

/// A value in words, without anything secret.
pub(crate) fn shown(leaf: &Leaf) -> String {
    match (hidden(leaf), &leaf.value) {
        (Some(text), _) => text,
        (None, Value::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    }
}

/// A document as it may be shown: secrets replaced, everything else as written.
pub(crate) fn redact(text: &str) -> String {
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    for leaf in leaves(text) {
        if let (Some(shown), Some(span)) = (hidden(&leaf), leaf.span.clone()) {
            cuts.push((span, Value::String(shown).to_string()));
        }
    }
    let text = spliced(text, cuts);
    let mut lines: Vec<String> = text.lines().map(without_talk).collect();
    if text.ends_with('\n') {
        lines.push(String::new());
    }
    lines.join("\n")
}

/// A comment that speaks of a secret says no more than that.
fn without_talk(line: &str) -> String {
    let comment = line
        .char_indices()
        .find(|(at, c)| *c == '#' && line[..*at].matches('"').count().is_multiple_of(2));
    let Some((at, _)) = comment else {
        return line.to_owned();
    };
    let said = &line[at..];
    let split = said.find(['=', ':']);
    let about = split.is_some_and(|split| {
        let words = said[..split].split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.into_iter().any(is_secret)
    });
    match split {
        Some(split) if about => format!("{}{} {HIDDEN}", &line[..at], &said[..=split]),
        _ => line.to_owned(),
    }
}

fn spliced(text: &str, mut cuts: Vec<(Range<usize>, String)>) -> String {
    cuts.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, new) in cuts {
        if text.get(span.clone()).is_some() {
            text.replace_range(span, &new);
        }
    }
    text
}

/// A document in which `<hidden>` is what stood there in the one that runs.
///
/// # Errors
/// Where nothing is known to have stood.
pub(crate) fn revealed(text: &str, running: &str) -> Result<String, String> {
    if !text.contains(HIDDEN) {
        return Ok(text.to_owned());
    }
    let known: BTreeMap<String, Value> = leaves(running)
        .into_iter()
        .map(|leaf| (leaf.at, leaf.value))
        .collect();
    let mut cuts = Vec::new();
    for leaf in leaves(text) {
        let given = leaf.value.as_str().unwrap_or_default();
        if !given.contains(HIDDEN) {
            continue;
        }
        let before = known.get(&leaf.at).filter(|_| leaf.secret);
        let secret = match before {
            Some(value) => Some(value.clone()),
            None => known
                .get(&leaf.at)
                .and_then(Value::as_str)
                .and_then(|old| userinfo(old).map(|(start, end)| &old[start..end]))
                .map(|user| Value::String(given.replacen(HIDDEN, user, 1))),
        };
        let (Some(secret), Some(span)) = (secret, leaf.span.clone()) else {
            return Err(format!(
                "{}: '{HIDDEN}' stands for a secret, but none is known from before at this place; \
                 write the secret itself",
                leaf.at
            ));
        };
        cuts.push((span, secret.to_string()));
    }
    Ok(spliced(text, cuts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "\
[cloud]
key = \"gateway.key\"
[backup]
key_file = \"backup.key\"
[[adapter]]
kind = \"homeassistant\"
token = \"abc\\\"123\" # keep
# password = hunter2
[[adapter]]
kind = \"camera\"
[[adapter.camera]]
key = \"gate\"
url = \"rtsp://admin:pass@192.0.2.9/main\"
local_key = \"0011\"
";

    #[test]
    fn secrets_are_hidden_and_files_are_not() {
        let shown = redact(RUNNING);
        for secret in ["abc", "123", "hunter2", "admin", "pass@", "0011"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        for open in [
            "gateway.key",
            "backup.key",
            "192.0.2.9/main",
            "# keep",
            "rtsp://",
        ] {
            assert!(shown.contains(open), "no {open} in {shown}");
        }
        assert!(toml::from_str::<toml::Table>(&shown).is_ok(), "{shown}");
    }

    #[test]
    fn what_was_hidden_comes_back_and_the_rest_is_what_was_given() {
        let given = redact(RUNNING).replace("192.0.2.9", "192.0.2.10");
        let back = revealed(&given, RUNNING).unwrap();
        let table: toml::Table = toml::from_str(&back).unwrap();
        assert_eq!(table["adapter"][0]["token"].as_str(), Some("abc\"123"));
        let camera = &table["adapter"][1]["camera"][0];
        assert_eq!(camera["local_key"].as_str(), Some("0011"));
        let url = camera["url"].as_str();
        assert_eq!(url, Some("rtsp://admin:pass@192.0.2.10/main"));
    }

    #[test]
    fn a_secret_nobody_knows_is_asked_for() {
        let given = "[[adapter]]\nkind = \"new\"\ntoken = \"<hidden>\"\n";
        let error = revealed(given, RUNNING).unwrap_err();
        assert!(error.starts_with("adapter[new].token:"), "{error}");
    }
}
