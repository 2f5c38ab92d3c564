//! Backup and restore: one encrypted file with everything but history (history on request). Owns the
//! errors, the passphrase and the folders things are put together in; `seal` is the envelope,
//! `archive` its contents, `create` and `restore` the two directions, `command` the command line.

mod archive;
pub(crate) mod command;
mod create;
mod drill;
mod restore;
mod seal;

pub(crate) use create::Source;
pub(crate) use drill::{Health, start as start_drills};

use riser_store::StoreError;
use seal::SealError;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Shorter passphrases are guessed however slow the key is made.
const PASSPHRASE_MIN: usize = 12;

/// Why a backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// A file cannot be read or written.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The envelope cannot be opened or made.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is inside contradicts itself.
    #[error("the backup cannot be used: {0}")]
    Contents(String),
    /// No passphrase.
    #[error(
        "the passphrase is too short: give at least {PASSPHRASE_MIN} characters on standard input, \
         or a file with --key-file (such as one made by 'head -c 32 /dev/urandom | base64')"
    )]
    Passphrase,
    /// Nobody said yes.
    #[error("nothing was changed: say yes, or give --yes")]
    NotConfirmed,
    /// What was read back is not what was written.
    #[error(
        "the backup that was just written does not read back as it was made: the disk or the memory of this machine is bad"
    )]
    NotTheSame,
    /// A restored copy is not what the original was.
    #[error("the restored copy is not what was backed up: {0}")]
    Drill(String),
}

impl BackupError {
    fn file(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| {
            // What went wrong with the envelope comes through the layers above it.
            if source
                .get_ref()
                .is_some_and(|inner| inner.is::<SealError>())
            {
                return match source
                    .into_inner()
                    .map(|inner| inner.downcast::<SealError>())
                {
                    Some(Ok(seal)) => Self::Seal(*seal),
                    _ => Self::Contents("it is damaged".into()),
                };
            }
            Self::File {
                doing,
                path: path.clone(),
                source,
            }
        }
    }

    fn writing() -> impl Fn(io::Error) -> Self {
        Self::file("write", Path::new("the backup"))
    }
}

/// The secret a backup is sealed with: a key file, or the first line of standard input.
fn passphrase(key_file: Option<&Path>) -> Result<Vec<u8>, BackupError> {
    let text = match key_file {
        Some(path) => std::fs::read(path).map_err(BackupError::file("read the key in", path))?,
        None => {
            let mut line = String::new();
            let stdin = Path::new("the passphrase from standard input");
            io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(BackupError::file("read", stdin))?;
            line.into_bytes()
        }
    };
    let end = text.iter().rposition(|c| !c.is_ascii_whitespace());
    let text = text[..end.map_or(0, |last| last + 1)].to_vec();
    if text.len() < PASSPHRASE_MIN {
        return Err(BackupError::Passphrase);
    }
    Ok(text)
}

/// A folder with its parents that only its owner may enter.
fn private_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(BackupError::file("make the folder", path))
}

/// A new file only its owner may read.
fn private_file(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(BackupError::file("make", path))
}

fn sync_folder(path: &Path) -> Result<(), BackupError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(BackupError::file("write", path))
}

/// A folder to put things together in; gone with this value.
struct Staging(PathBuf);

impl Staging {
    fn new(below: &Path) -> Result<Self, BackupError> {
        let path = below.join(format!("staging-{}", uuid::Uuid::new_v4()));
        private_folder(&path.join("data"))?;
        private_folder(&path.join("configuration"))?;
        Ok(Self(path))
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn configuration(&self) -> PathBuf {
        self.0.join("configuration")
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a folder could not be removed");
        }
    }
}
