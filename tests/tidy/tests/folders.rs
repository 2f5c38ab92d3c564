//! The top level is fixed, and an adapter folder is complete or it does not merge.

use riser_tidy::{report, root};
use std::path::Path;

const TOP: &[&str] = &[
    "gateway",
    "adapters",
    "sync",
    "cloud-api",
    "yocto",
    "systemd",
    "config",
    "tests",
    "docs",
    "changelog.d",
    ".ci",
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "clippy.toml",
    "deny.toml",
    "package.json",
    "package-lock.json",
    ".gitignore",
    ".npmrc",
    "tsconfig.base.json",
    "eslint.config.mjs",
    "eslint.config.js",
    "vitest.config.ts",
    ".prettierrc.json",
    ".prettierignore",
    ".editorconfig",
    // Made again by the build, ignored by git.
    ".git",
    "target",
    "node_modules",
    ".peers",
    ".demo",
    "test-results",
    ".claude",
];

#[test]
fn the_top_level_is_fixed() {
    let breaks: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !TOP.contains(&name.as_str()))
        .collect();
    report("top level", &breaks);
}

const SECTIONS: &[&str] = &[
    "What it talks to",
    "Tested devices",
    "Configuration",
    "Points and units",
    "Writes",
    "Timing and load",
    "When it fails",
    "Limits",
    "Spec clauses",
];

const PARTS: &[&str] = &["config", "codec", "client", "mapping", "poll", "adapter"];

fn adapters() -> Vec<std::path::PathBuf> {
    std::fs::read_dir(root().join("adapters"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| {
            p.is_dir()
                && !["contract", "testkit", "mqtt"]
                    .iter()
                    .any(|name| p.ends_with(name))
        })
        .collect()
}

fn check_adapter(folder: &Path, breaks: &mut Vec<String>) {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut want = |what: &str, there: bool| {
        if !there {
            breaks.push(format!("adapters/{name}: {what} is missing"));
        }
    };
    for file in [
        "README.md",
        "sample.toml",
        "QUALITY.toml",
        "tests/contract.rs",
        "tests/peer.rs",
        "fuzz/Cargo.toml",
    ] {
        want(file, folder.join(file).is_file());
    }
    for part in PARTS {
        let there = folder.join(format!("src/{part}.rs")).is_file()
            || folder.join(format!("src/{part}/mod.rs")).is_file();
        want(&format!("src/{part}"), there);
    }
    let cases = std::fs::read_dir(folder.join("tests/cases"))
        .map(Iterator::count)
        .unwrap_or(0);
    want("at least one case in tests/cases", cases > 0);
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    for section in SECTIONS {
        want(
            &format!("README section '{section}'"),
            readme.contains(&format!("## {section}")),
        );
    }
}

#[test]
fn adapter_folders_are_complete() {
    let mut breaks = Vec::new();
    for folder in adapters() {
        check_adapter(&folder, &mut breaks);
    }
    report("adapter folder", &breaks);
}

#[test]
fn adapter_checklists_are_honest() {
    let mut breaks = Vec::new();
    for folder in adapters() {
        let file = folder.join("QUALITY.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                breaks.push(format!("{}: {error}", file.display()));
                continue;
            }
        };
        for (rule, value) in &table {
            let good = match value {
                toml::Value::String(word) => word == "done",
                toml::Value::Table(t) => t
                    .get("exempt")
                    .and_then(toml::Value::as_str)
                    .is_some_and(|r| r.len() > 15),
                _ => false,
            };
            if !good {
                breaks.push(format!(
                    "{}: {rule} must be \"done\" or {{ exempt = \"the reason\" }}",
                    file.display()
                ));
            }
        }
    }
    report("adapter checklist", &breaks);
}
