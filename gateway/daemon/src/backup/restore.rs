//! Restoring a backup. Owns the plan, and the order in which what was is put aside and what is new is
//! put in its place: nothing is touched before the whole file has been read and checked.

use super::archive::{FilePlace, Manifest, unpack};
use super::create::folder_of;
use super::{BackupError, Staging, private_folder, sync_folder};
use crate::print;
use riser_adapter::{Clock, SystemClock};
use riser_model::audit::action;
use riser_store::{Hold, Note, StoreConfig, Trace, hold};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A backup that was read and checked, ready to be put in place.
pub(crate) struct Prepared {
    pub(crate) manifest: Manifest,
    staging: Staging,
    target: Target,
    audit: String,
    /// Keeps a daemon from starting meanwhile.
    _hold: Hold,
}

/// Where things go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) configuration: PathBuf,
    /// The folder on the command line; the one the restored configuration names if absent.
    pub(crate) data_dir: Option<PathBuf>,
}

impl Target {
    fn data(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_default()
    }
}

/// Reads and checks the whole file. Whoever drops the answer has changed nothing.
pub(crate) fn prepare(
    file: &Path,
    passphrase: &[u8],
    mut target: Target,
) -> Result<Prepared, BackupError> {
    // A first look needs no folder; a wrong key or a damaged file ends here.
    let seen = unpack(file, passphrase, None)?;
    let data_dir = match target.data_dir.take() {
        Some(dir) => dir,
        None => configured(file, passphrase, (&seen, &target.configuration))?,
    };
    target.data_dir = Some(data_dir.clone());
    let hold = hold(&data_dir)?;
    let staging = Staging::new(&data_dir)?;
    let manifest = unpack(file, passphrase, Some(&staging.0))?;
    let facts = riser_store::state_facts(&staging.data().join("state.db"))?;
    if facts != manifest.state {
        return Err(BackupError::Contents(
            "its store is not what its list says".into(),
        ));
    }
    let audit = if facts.audit_last == 0 {
        "empty".to_owned()
    } else {
        match riser_store::verify_audit(&StoreConfig::new(staging.data()))?.broken {
            None => format!("whole, {} entries so far", facts.audit_last),
            Some(broken) => format!("NOT WHOLE: {broken}"),
        }
    };
    Ok(Prepared {
        manifest,
        staging,
        target,
        audit,
        _hold: hold,
    })
}

/// The data folder the configuration inside the backup names.
fn configured(
    file: &Path,
    passphrase: &[u8],
    (seen, configuration): (&Manifest, &Path),
) -> Result<PathBuf, BackupError> {
    let staging = Staging::new(&std::env::temp_dir())?;
    unpack(file, passphrase, Some(&staging.0))?;
    let path = staging.configuration().join(&seen.configuration);
    let text = std::fs::read_to_string(&path).map_err(BackupError::file("read", &path))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|e| BackupError::Contents(e.message().to_owned()))?;
    let named = table
        .get("gateway")
        .and_then(|gateway| gateway.get("data_dir")?.as_str());
    Ok(folder_of(configuration).join(named.unwrap_or("/var/lib/riser")))
}

impl Prepared {
    /// What would happen, for a person to say yes to.
    pub(crate) fn plan(&self) -> String {
        let m = &self.manifest;
        let mut text = describe(m);
        let mut line = |what: &str| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{what}");
        };
        line(&format!("  audit log   {}", self.audit));
        line("");
        line("This would happen:");
        let data = self.target.data();
        line(&format!(
            "  {}: the store with users, alarms, commands, points{}",
            data.display(),
            if m.with_history {
                " and history is replaced"
            } else {
                " is replaced; its history is put aside too, because the backup has none"
            }
        ));
        if m.state.schema < riser_store::state_schema() {
            line(&format!(
                "  its tables are brought from version {} to {}",
                m.state.schema,
                riser_store::state_schema()
            ));
        }
        for (path, there) in self.configuration_files() {
            let verb = if there { "replaced" } else { "written" };
            line(&format!("  {}: {verb}", path.display()));
        }
        line(
            "  everybody must log in again; batches get a new numbering, the audit log a new chain",
        );
        line("  what is replaced stays beside it under names with 'before-restore'");
        text
    }

    fn configuration_files(&self) -> Vec<(PathBuf, bool)> {
        let files = self.manifest.files.iter();
        files
            .filter(|packed| packed.place == FilePlace::Configuration)
            .map(|packed| {
                let to = self.configuration_target(&packed.path);
                let there = to.exists();
                (to, there)
            })
            .collect()
    }

    fn configuration_target(&self, path: &str) -> PathBuf {
        if path == self.manifest.configuration {
            return self.target.configuration.clone();
        }
        folder_of(&self.target.configuration).join(path)
    }

    /// Puts it in place. Answers with what was done.
    pub(crate) fn apply(self) -> Result<String, BackupError> {
        let now = SystemClock.now();
        let detail = serde_json::json!({
            "gateway": self.manifest.gateway, "made_at": self.manifest.made_at,
            "version": self.manifest.version, "audit_last": self.manifest.state.audit_last,
        });
        let note = Note::new(
            Trace::new(crate::deeds::person(), "console"),
            action::RESTORED,
            "store",
        )
        .with(detail);
        riser_store::adopt(&self.staging.data(), note, now)?;
        let data = self.target.data();
        let aside = data.join(format!("before-restore-{}", now.0));
        private_folder(&aside)?;
        for name in [
            "state.db",
            "state.db-wal",
            "state.db-shm",
            "history",
            "rollup",
            // Their slots and numbers are those of the store that goes.
            "held.db",
            "held.db-wal",
            "held.db-shm",
            "ledger.journal",
        ] {
            shift(&data.join(name), &aside.join(name))?;
        }
        let staged = self.staging.data();
        let entries = std::fs::read_dir(&staged).map_err(BackupError::file("read", &staged))?;
        for entry in entries {
            let name = entry
                .map_err(BackupError::file("read", &staged))?
                .file_name();
            // Secrets of the other gateway are put aside like the rest.
            shift(&data.join(&name), &aside.join(&name))?;
            shift(&staged.join(&name), &data.join(&name))?;
        }
        sync_folder(&data)?;
        for packed in &self.manifest.files {
            if packed.place == FilePlace::Configuration {
                let to = self.configuration_target(&packed.path);
                put(&packed.staged(&self.staging.0), &to, now.0)?;
            }
        }
        Ok(format!(
            "restored; what was there before is in {}. Start the gateway: systemctl start riserd",
            aside.display()
        ))
    }
}

/// Renames what is there.
fn shift(from: &Path, to: &Path) -> Result<(), BackupError> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(BackupError::file("move", from)),
    }
}

/// Writes a configuration file, by way of another name; one that differs is kept beside it.
fn put(from: &Path, to: &Path, now: i64) -> Result<(), BackupError> {
    let new = std::fs::read(from).map_err(BackupError::file("read", from))?;
    if std::fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let folder = folder_of(to);
    std::fs::create_dir_all(&folder).map_err(BackupError::file("make the folder", &folder))?;
    let beside = |end: &str| {
        let mut name = to.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let partial = beside(".restoring");
    std::fs::copy(from, &partial).map_err(BackupError::file("write", &partial))?;
    std::fs::File::open(&partial)
        .and_then(|file| file.sync_all())
        .map_err(BackupError::file("write", &partial))?;
    shift(to, &beside(&format!(".before-restore-{now}")))?;
    shift(&partial, to)?;
    sync_folder(&folder)
}

/// What a backup holds, for people.
pub(crate) fn describe(m: &Manifest) -> String {
    let extent = match (m.with_history, m.with_identity) {
        (true, true) => "everything, with history and identity",
        (true, false) => "everything, with history, without identity",
        (false, true) => "everything but history, with identity",
        (false, false) => "everything but history and identity",
    };
    let octets: u64 = m.files.iter().map(|file| file.size).sum();
    format!(
        "Backup of gateway {}/{} ({})\n  made        {} by riserd {}\n  contents    {extent}; {} files, \
         {octets} octets\n  store       schema {}, {} points, {} users, {} alarms\n",
        m.tenant,
        m.gateway,
        m.name,
        print::time(m.made_at),
        m.version,
        m.files.len(),
        m.state.schema,
        m.state.points,
        m.state.users,
        m.state.alarms
    )
}
