//! Reading the tree for the house rules. Owns how files are found and counted; each rule is a test
//! under `tests/` and collects every break before it fails, so one run shows all of them.

use std::path::{Path, PathBuf};

/// One file of the repository.
#[derive(Debug)]
pub struct Source {
    /// Path relative to the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap_or_default()
}

/// Folders that hold nothing people wrote.
const SKIPPED: &[&str] = &[
    "target",
    "node_modules",
    "dist",
    ".git",
    ".peers",
    ".demo",
    "__generated__",
    "corpus",
    "artifacts",
    "test-results",
];

/// Every file whose name ends with one of `endings`, sorted by path.
#[must_use]
pub fn sources(endings: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            );
            if path.is_dir() && !path.is_symlink() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|e| name.ends_with(e))
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                let path = path
                    .strip_prefix(&root)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Source {
    /// True for code that ships or supports shipping: not a test, bench, fuzz target or build script.
    #[must_use]
    pub fn is_production(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        let inner = if parts.first() == Some(&"tests") {
            &parts[1..]
        } else {
            &parts[..]
        };
        !inner
            .iter()
            .any(|p| matches!(*p, "tests" | "benches" | "fuzz" | "examples" | "dev"))
            && !self.path.ends_with("build.rs")
            && !self.path.contains(".test.")
            && !self.path.contains(".config.")
    }

    /// The text without the test module at its end.
    #[must_use]
    pub fn production_text(&self) -> &str {
        self.text
            .find("\n#[cfg(test)]\nmod ")
            .map_or(&self.text, |end| &self.text[..end])
    }
}

/// Fails with every break of a rule, or not at all.
///
/// # Panics
/// When there is a break: this is how a test fails.
#[expect(clippy::panic, reason = "a broken rule fails the test that calls this")]
pub fn report(rule: &str, breaks: &[String]) {
    if !breaks.is_empty() {
        panic!("{rule}: {} broken\n  {}", breaks.len(), breaks.join("\n  "));
    }
}
