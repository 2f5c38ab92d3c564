//! Where the independent peers are and what happens without them: a loud skip on a laptop, a
//! failure in continuous integration.

use std::path::{Path, PathBuf};

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap_or_default()
}

/// The Python of one peer environment, such as `modbus`.
#[must_use]
pub fn python(environment: &str) -> Option<PathBuf> {
    file(environment, "bin/python")
}

/// A file of one peer environment, such as a program in `zigbee`.
#[must_use]
pub fn file(environment: &str, path: &str) -> Option<PathBuf> {
    let home = std::env::var_os("RISER_PEERS").map_or_else(|| root().join(".peers"), PathBuf::from);
    present(environment, home.join(environment).join(path))
}

/// A program on the PATH.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|p| p.join(name))
        .find(|p| p.is_file());
    found.or_else(|| present(name, PathBuf::from("/usr/sbin").join(name)))
}

fn present(name: &str, path: PathBuf) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "peer {name} is missing; `make test` installs it"
    );
    eprintln!(
        "SKIPPED: peer {name} is not installed ({}); run `node tests/run.mjs setup`",
        path.display()
    );
    None
}
