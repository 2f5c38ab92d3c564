//! The backup as the daemon has it, but for the folders and errors around it.

#[path = "../../../src/backup/archive.rs"]
pub(crate) mod archive;
#[path = "../../../src/backup/seal.rs"]
pub(crate) mod seal;

use std::fs::File;
use std::io;
use std::path::Path;

/// As the daemon's, as far as unpacking asks for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    #[error("could not {0}")]
    File(&'static str, #[source] io::Error),
    #[error(transparent)]
    Seal(#[from] seal::SealError),
    #[error("the backup cannot be used: {0}")]
    Contents(String),
}

impl BackupError {
    pub(crate) fn file(doing: &'static str, _: &Path) -> impl Fn(io::Error) -> Self + use<> {
        move |source| Self::File(doing, source)
    }

    pub(crate) fn writing() -> impl Fn(io::Error) -> Self {
        |source| Self::File("write", source)
    }
}

pub(crate) fn private_folder(path: &Path) -> Result<(), BackupError> {
    std::fs::create_dir_all(path).map_err(BackupError::file("make", path))
}

pub(crate) fn private_file(path: &Path) -> Result<File, BackupError> {
    File::create_new(path).map_err(BackupError::file("make", path))
}
