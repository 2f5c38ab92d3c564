//! What is inside the envelope: zstd, the manifest, then the files it lists, one behind the other.
//! Owns packing and unpacking with the check of every file; where files come from and go to is
//! `create` and `restore`.

use super::BackupError;
use super::seal::{Opening, Sealing};
use riser_model::{AuditHash, Timestamp};
use riser_store::StateFacts;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

/// Version of manifest and layout.
pub(crate) const FORMAT: u32 = 1;
/// A manifest lists some hundred files.
const MANIFEST_MAX: u32 = 16 << 20;

/// What a backup holds and of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// Tenant and name of the gateway.
    pub(crate) tenant: String,
    pub(crate) gateway: String,
    pub(crate) name: String,
    /// Version of the software that made it.
    pub(crate) version: String,
    pub(crate) made_at: Timestamp,
    pub(crate) state: StateFacts,
    /// The configuration file among the files.
    pub(crate) configuration: String,
    pub(crate) with_history: bool,
    pub(crate) with_identity: bool,
    pub(crate) files: Vec<Packed>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    /// Which of the two folders it belongs to.
    pub(crate) place: FilePlace,
    /// Its path below that folder, with `/`.
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) sha256: AuditHash,
}

/// The folder a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilePlace {
    /// The data folder.
    Data,
    /// The folder of the configuration file.
    Configuration,
}

impl FilePlace {
    fn folder(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Configuration => "configuration",
        }
    }
}

impl Packed {
    /// Describes a file that lies in the staging folder.
    pub(crate) fn of(staging: &Path, place: FilePlace, path: &str) -> Result<Self, BackupError> {
        let file = staging.join(place.folder()).join(path);
        let mut from = File::open(&file).map_err(BackupError::file("read", &file))?;
        let mut hash = Sha256::new();
        let size = std::io::copy(&mut from, &mut Hashing(&mut hash))
            .map_err(BackupError::file("read", &file))?;
        Ok(Self {
            place,
            path: path.to_owned(),
            size,
            sha256: AuditHash(hash.finalize().into()),
        })
    }

    /// Where it lies in a staging folder.
    pub(crate) fn staged(&self, staging: &Path) -> PathBuf {
        staging.join(self.place.folder()).join(&self.path)
    }

    /// Refuses paths that lead out of their folder.
    fn check(&self) -> Result<(), BackupError> {
        let path = Path::new(&self.path);
        let plain = |c: Component<'_>| matches!(c, Component::Normal(_));
        if self.path.is_empty() || !path.components().all(plain) {
            return Err(BackupError::Contents(format!(
                "a file of it would lie at '{}'",
                self.path
            )));
        }
        Ok(())
    }
}

struct Hashing<'a>(&'a mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.update(octets);
        Ok(octets.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Packs the staged files into a new file.
pub(crate) fn pack(
    manifest: &Manifest,
    staging: &Path,
    out: File,
    passphrase: &[u8],
) -> Result<File, BackupError> {
    let sealing = Sealing::begin(BufWriter::new(out), passphrase)?;
    let written = BackupError::writing();
    let mut zip = zstd::Encoder::new(sealing, 3).map_err(&written)?;
    let head = serde_json::to_vec(manifest).map_err(|e| BackupError::Contents(e.to_string()))?;
    let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
    zip.write_all(&length.to_be_bytes()).map_err(&written)?;
    zip.write_all(&head).map_err(&written)?;
    for packed in &manifest.files {
        let file = packed.staged(staging);
        let mut from = File::open(&file).map_err(BackupError::file("read", &file))?;
        std::io::copy(&mut from, &mut zip).map_err(&written)?;
    }
    let sealing = zip.finish().map_err(&written)?;
    let out = sealing.finish()?;
    out.into_inner().map_err(|e| written(e.into_error()))
}

/// Unpacks into a staging folder, or only looks when there is none; checks every octet either way.
pub(crate) fn unpack(
    file: &Path,
    passphrase: &[u8],
    staging: Option<&Path>,
) -> Result<Manifest, BackupError> {
    let from = File::open(file).map_err(BackupError::file("open", file))?;
    let opening = Opening::begin(BufReader::new(from), passphrase)?;
    let reading = BackupError::file("read", file);
    let mut zip = zstd::Decoder::new(opening).map_err(&reading)?;
    let manifest = manifest(&mut zip, &reading)?;
    for packed in &manifest.files {
        packed.check()?;
        let mut hash = Sha256::new();
        let mut part = zip.by_ref().take(packed.size);
        let size = match staging {
            None => std::io::copy(&mut part, &mut Hashing(&mut hash)).map_err(&reading)?,
            Some(staging) => stage(&mut part, &packed.staged(staging), &mut hash)?,
        };
        if size != packed.size || AuditHash(hash.finalize().into()) != packed.sha256 {
            return Err(BackupError::Contents(format!(
                "'{}' is not what the list says",
                packed.path
            )));
        }
    }
    // The last chunk is only proven by reading to the end.
    let rest = std::io::copy(&mut zip, &mut std::io::sink()).map_err(&reading)?;
    if rest > 0 {
        return Err(BackupError::Contents("it is longer than its list".into()));
    }
    Ok(manifest)
}

fn manifest(
    zip: &mut impl Read,
    reading: &impl Fn(std::io::Error) -> BackupError,
) -> Result<Manifest, BackupError> {
    let mut length = [0; 4];
    zip.read_exact(&mut length).map_err(reading)?;
    let length = u32::from_be_bytes(length);
    if length > MANIFEST_MAX {
        return Err(BackupError::Contents("its list is too long".into()));
    }
    let mut head = vec![0; length as usize];
    zip.read_exact(&mut head).map_err(reading)?;
    let unfit = |e: serde_json::Error| BackupError::Contents(format!("its list: {e}"));
    let value: serde_json::Value = serde_json::from_slice(&head).map_err(unfit)?;
    if let Some(format) = value.get("format").and_then(serde_json::Value::as_u64)
        && format > u64::from(FORMAT)
    {
        return Err(BackupError::Contents(format!(
            "it has layout {format}, this version of Riser knows {FORMAT}: use a newer Riser"
        )));
    }
    serde_json::from_value(value).map_err(unfit)
}

fn stage(from: &mut impl Read, to: &Path, hash: &mut Sha256) -> Result<u64, BackupError> {
    let failed = BackupError::file("write", to);
    if let Some(folder) = to.parent() {
        super::private_folder(folder)?;
    }
    let mut out = super::private_file(to)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = from.read(&mut buffer).map_err(&failed)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        out.write_all(&buffer[..read]).map_err(&failed)?;
        size += read as u64;
    }
    out.sync_all().map_err(&failed)?;
    Ok(size)
}
