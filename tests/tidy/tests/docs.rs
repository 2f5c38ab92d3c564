//! Documents lead somewhere, decisions are numbered once, and every user-visible change is told.

use riser_tidy::{report, root, sources};
use std::collections::BTreeMap;

/// `[text](target)` links of a Markdown text, without code blocks.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            if let Some(end) = line[at + 2..].find(')') {
                found.push(line[at + 2..at + 2 + end].to_owned());
            }
        }
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let mut breaks = Vec::new();
    for source in sources(&[".md"]) {
        let folder = root()
            .join(&source.path)
            .parent()
            .map(std::path::Path::to_path_buf)
            .unwrap_or_default();
        for link in links(&source.text) {
            let target = link.split(['#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !folder.join(target).exists() {
                breaks.push(format!("{} → {link}", source.path));
            }
        }
    }
    report("links", &breaks);
}

#[test]
fn decisions_are_numbered_once_and_say_where_they_stand() {
    let mut by_number: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut breaks = Vec::new();
    for source in sources(&[".md"])
        .into_iter()
        .filter(|s| s.path.starts_with("docs/adr/"))
    {
        let name = source
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        let number = name.split('-').next().unwrap_or_default().to_owned();
        if number.len() != 4 || !number.bytes().all(|b| b.is_ascii_digit()) {
            breaks.push(format!("{name} does not begin with four digits"));
        }
        for part in ["Status:", "## Context", "## Decision", "## Consequences"] {
            if !source.text.contains(part) {
                breaks.push(format!("{name} lacks '{part}'"));
            }
        }
        by_number.entry(number).or_default().push(name);
    }
    breaks.extend(
        by_number
            .values()
            .filter(|names| names.len() > 1)
            .map(|n| format!("number given twice: {}", n.join(", "))),
    );
    for (expected, number) in (1..).zip(by_number.keys()) {
        if number.parse() != Ok(expected) {
            breaks.push(format!(
                "{number} leaves a gap before it (expected {expected:04})"
            ));
            break;
        }
    }
    report("decisions", &breaks);
}

#[test]
fn changes_are_told_one_fragment_each() {
    let kinds = ["added", "changed", "fixed", "removed", "security"];
    let breaks: Vec<String> = sources(&[".md"])
        .into_iter()
        .filter(|s| s.path.starts_with("changelog.d/") && !s.path.ends_with("README.md"))
        .filter(|s| {
            let parts: Vec<&str> = s.path.trim_end_matches(".md").split('.').collect();
            !kinds.contains(parts.last().unwrap_or(&"")) || s.text.trim().is_empty()
        })
        .map(|s| {
            format!(
                "{} must be named <topic>.<{}>.md and say something",
                s.path,
                kinds.join("|")
            )
        })
        .collect();
    report("changelog fragments", &breaks);
}

#[test]
fn every_make_target_says_what_it_does() {
    let text = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let breaks: Vec<String> = text
        .lines()
        .filter(|l| {
            l.chars().next().is_some_and(|c| c.is_ascii_lowercase())
                && l.contains(':')
                && !l.contains("##")
        })
        .map(str::to_owned)
        .collect();
    report("make help", &breaks);
}
