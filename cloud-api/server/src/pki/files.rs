//! Files of the authority: names, permissions, and never writing over a key. Owns the error the
//! operator reads.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(super) const CA_CERT: &str = "ca.pem";
pub(super) const CA_KEY: &str = "ca.key";
pub(super) const SERVER_CERT: &str = "server.pem";
pub(super) const SERVER_KEY: &str = "server.key";
/// One line per certificate ever issued: serial, kind, name, not before, not after, fingerprint.
pub(super) const ISSUED: &str = "issued.txt";
/// One line per certificate that counts no more.
pub(super) const REVOKED: &str = "revoked.txt";

/// Why something about certificates did not work.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file could not be read or written.
    #[error("{path}: {message}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A request that makes no sense.
    #[error("{0}")]
    Request(String),
    /// The certificate could not be made.
    #[error("the certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
}

impl PkiError {
    pub(super) fn file(path: &Path, message: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.to_owned(),
            message: message.to_string(),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path)
        .map_err(|e| PkiError::file(path, format!("{e}; run 'riser-cloud pki init' first?")))
}

/// Writes a file that must not be there yet, readable by its owner alone.
pub(super) fn create(path: &Path, text: &str) -> Result<(), PkiError> {
    write(path, text, OpenOptions::new().write(true).create_new(true))
}

/// Writes a file whole, in place of one that may be there.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), PkiError> {
    let beside = path.with_extension("new");
    write(
        &beside,
        text,
        OpenOptions::new().write(true).create(true).truncate(true),
    )?;
    std::fs::rename(&beside, path).map_err(|e| PkiError::file(path, e))
}

/// Adds a line at the end, on the disk before it answers.
pub(super) fn append(path: &Path, line: &str) -> Result<(), PkiError> {
    write(
        path,
        &format!("{line}\n"),
        OpenOptions::new().append(true).create(true),
    )
}

fn write(path: &Path, text: &str, how: &mut OpenOptions) -> Result<(), PkiError> {
    let written = how.mode(0o600).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|e| PkiError::file(path, format!("{e}; nothing that exists is written over")))
}

pub(super) fn make_dir(dir: &Path) -> Result<(), PkiError> {
    std::fs::create_dir_all(dir).map_err(|e| PkiError::file(dir, e))
}
