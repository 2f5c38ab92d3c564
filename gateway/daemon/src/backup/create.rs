//! Making a backup. Owns what goes into it and that it is complete, readable and under its name only
//! when all of it is on disk.

use super::archive::{FORMAT, FilePlace, Manifest, Packed, pack, unpack};
use super::{BackupError, Staging, private_file, private_folder, sync_folder};
use crate::config::Config;
use riser_adapter::{Clock, SystemClock};
use riser_store::StoreConfig;
use std::path::{Path, PathBuf};

/// What a backup is made of: the parts of the configuration it needs, so that the daemon can keep
/// them.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(super) data_dir: PathBuf,
    pub(super) configuration: PathBuf,
    files: Vec<PathBuf>,
    identity: Vec<PathBuf>,
    tenant: String,
    gateway: String,
    name: String,
}

impl Source {
    /// The gateway's name within its tenant.
    pub(super) fn gateway(&self) -> &str {
        &self.gateway
    }

    /// What the configuration says.
    pub(crate) fn of(config: &Config) -> Self {
        let mut identity = Vec::new();
        if let Some(cloud) = &config.cloud {
            identity.extend([cloud.ca.clone(), cloud.cert.clone(), cloud.key.clone()]);
        }
        let base = folder_of(&config.file);
        if let Some(tls) = &config.http.tls {
            identity.extend([base.join(&tls.cert), base.join(&tls.key)]);
        }
        let mut files = config.files.clone();
        if let Some(profiles) = &config.gateway.profile_dir {
            below(&base.join(profiles), &mut files);
        }
        Self {
            data_dir: config.gateway.data_dir.clone(),
            configuration: config.file.clone(),
            files,
            identity,
            tenant: config.gateway.tenant.to_string(),
            gateway: config.gateway.id.to_string(),
            name: config.gateway.name.clone(),
        }
    }
}

/// What may be left out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent {
    pub(crate) history: bool,
    pub(crate) identity: bool,
}

/// A backup that was made and read back.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) manifest: Manifest,
    pub(crate) octets: u64,
    /// Files that lie outside the configuration's folder and are not in it.
    pub(crate) left_out: Vec<PathBuf>,
}

/// Folder of a file.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Every file below a folder; one that cannot be read is missed by whoever reads it next.
fn below(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            below(&path, into);
        } else {
            into.push(path);
        }
    }
}

/// Makes a backup beside a running daemon or without one.
pub(crate) fn create(
    source: &Source,
    out: &Path,
    extent: Extent,
    passphrase: &[u8],
) -> Result<Made, BackupError> {
    let staging = Staging::new(&source.data_dir)?;
    let mut gathered = Gathered {
        staging: &staging,
        files: Vec::new(),
        left_out: Vec::new(),
    };
    let store = StoreConfig::new(&source.data_dir);
    let state = staging.data().join("state.db");
    riser_store::copy_state(&store, &state)?;
    gathered.pack(FilePlace::Data, "state.db")?;
    if extent.history {
        gathered.history(&store)?;
    }
    gathered.configuration(source, extent)?;
    let configuration = relative(source, &source.configuration).unwrap_or_default();
    let manifest = Manifest {
        format: FORMAT,
        tenant: source.tenant.clone(),
        gateway: source.gateway.clone(),
        name: source.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: SystemClock.now(),
        state: riser_store::state_facts(&state)?,
        configuration,
        with_history: extent.history,
        with_identity: extent.identity,
        files: gathered.files,
    };
    let left_out = gathered.left_out;
    let octets = write(&manifest, &staging, out, passphrase)?;
    Ok(Made {
        manifest,
        octets,
        left_out,
    })
}

/// Writes under another name, reads it back, and only then gives it its own.
fn write(
    manifest: &Manifest,
    staging: &Staging,
    out: &Path,
    passphrase: &[u8],
) -> Result<u64, BackupError> {
    let taken = std::io::ErrorKind::AlreadyExists;
    if out.exists() {
        return Err(BackupError::file("overwrite", out)(taken.into()));
    }
    let folder = folder_of(out);
    private_folder(&folder)?;
    let partial = folder.join(format!(".backup-{}.partial", uuid::Uuid::new_v4()));
    let made = (|| {
        let file = pack(manifest, &staging.0, private_file(&partial)?, passphrase)?;
        file.sync_all()
            .map_err(BackupError::file("write", &partial))?;
        if unpack(&partial, passphrase, None)? != *manifest {
            return Err(BackupError::NotTheSame);
        }
        let octets = file
            .metadata()
            .map_err(BackupError::file("read", &partial))?;
        std::fs::rename(&partial, out).map_err(BackupError::file("write", out))?;
        sync_folder(&folder)?;
        Ok(octets.len())
    })();
    if made.is_err() && partial.exists() {
        std::fs::remove_file(&partial).map_err(BackupError::file("remove", &partial))?;
    }
    made
}

fn relative(source: &Source, file: &Path) -> Option<String> {
    let below = file.strip_prefix(folder_of(&source.configuration)).ok()?;
    below.to_str().map(str::to_owned)
}

struct Gathered<'a> {
    staging: &'a Staging,
    files: Vec<Packed>,
    left_out: Vec<PathBuf>,
}

impl Gathered<'_> {
    fn pack(&mut self, place: FilePlace, path: &str) -> Result<(), BackupError> {
        self.files.push(Packed::of(&self.staging.0, place, path)?);
        Ok(())
    }

    fn history(&mut self, store: &StoreConfig) -> Result<(), BackupError> {
        for name in riser_store::history_files(store)? {
            let to = self.staging.data().join(&name);
            private_folder(&folder_of(&to))?;
            if let (true, Some(path)) =
                (riser_store::copy_history(store, &name, &to)?, name.to_str())
            {
                self.pack(FilePlace::Data, path)?;
            }
        }
        Ok(())
    }

    fn configuration(&mut self, source: &Source, extent: Extent) -> Result<(), BackupError> {
        let mut files = source.files.clone();
        if extent.identity {
            files.extend(source.identity.clone());
            for secret in ["claim-code", "metrics-token"] {
                let file = source.data_dir.join(secret);
                if file.exists() {
                    copy(&file, &self.staging.data().join(secret))?;
                    self.pack(FilePlace::Data, secret)?;
                }
            }
        }
        files.sort();
        files.dedup();
        for file in files.into_iter().filter(|file| file.exists()) {
            let Some(path) = relative(source, &file) else {
                self.left_out.push(file);
                continue;
            };
            copy(&file, &self.staging.configuration().join(&path))?;
            self.pack(FilePlace::Configuration, &path)?;
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    private_folder(&folder_of(to))?;
    std::fs::copy(from, to)
        .map(drop)
        .map_err(BackupError::file("copy", from))
}
