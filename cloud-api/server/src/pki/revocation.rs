//! Certificates that count no more. Owns the list file, the set the verifier asks, and noticing
//! that the file has changed. An entry is a serial number or a SHA-256 fingerprint; it never goes
//! away again: whoever should come back gets a new certificate.

use super::files::{self, ISSUED, PkiError, REVOKED};
use super::identity::Identity;
use arc_swap::ArcSwap;
use rustc_hash::FxHashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;

/// The set in force. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revoked(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    set: ArcSwap<FxHashSet<String>>,
    file: Option<PathBuf>,
    changed: watch::Sender<u64>,
}

/// What tells one state of the file from another without reading it.
type Stamp = Option<(SystemTime, u64)>;

impl Revoked {
    /// The entries known so far, and the file that may bring more.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = String>, file: Option<PathBuf>) -> Self {
        let (changed, _) = watch::channel(0);
        Self(Arc::new(Shared {
            set: ArcSwap::from_pointee(known.into_iter().collect()),
            file,
            changed,
        }))
    }

    /// Whether a certificate counts no more.
    #[must_use]
    pub fn contains(&self, identity: &Identity) -> bool {
        let set = self.0.set.load();
        set.contains(&identity.serial) || set.contains(&identity.fingerprint)
    }

    /// Wakes whenever entries have been added.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Adds entries; answers those that are new.
    pub fn add(&self, entries: impl IntoIterator<Item = String>) -> Vec<String> {
        let old = self.0.set.load_full();
        let new: Vec<String> = entries.into_iter().filter(|e| !old.contains(e)).collect();
        if !new.is_empty() {
            let mut set = FxHashSet::clone(&old);
            set.extend(new.iter().cloned());
            self.0.set.store(Arc::new(set));
            self.0.changed.send_modify(|count| *count += 1);
        }
        new
    }

    /// Reads the file and adds what is new in it; answers that. Lines that are no entry are
    /// reported and passed over.
    ///
    /// # Errors
    /// When the file cannot be read. What was known stays in force.
    pub fn reload(&self) -> Result<Vec<String>, PkiError> {
        let Some(path) = &self.0.file else {
            return Ok(Vec::new());
        };
        let text = std::fs::read_to_string(path).map_err(|e| {
            PkiError::file(path, format!("{e}; what was revoked before stays revoked"))
        })?;
        let (entries, wrong) = parse(&text);
        for line in wrong {
            tracing::error!(
                file = %path.display(), line,
                "this line of the revocation list is neither a serial number nor a SHA-256 \
                 fingerprint in hexadecimal; it revokes nothing"
            );
        }
        Ok(self.add(entries))
    }

    /// A watch on the file for changes since the last look.
    #[must_use]
    pub fn stamp(&self) -> Option<(SystemTime, u64)> {
        let meta = std::fs::metadata(self.0.file.as_ref()?).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }

    /// Reloads the file when its stamp differs from `last`, and moves `last` on.
    ///
    /// # Errors
    /// As [`Revoked::reload`].
    pub fn reload_if_changed(&self, last: &mut Stamp) -> Result<Vec<String>, PkiError> {
        let stamp = self.stamp();
        if stamp == *last {
            return Ok(Vec::new());
        }
        *last = stamp;
        self.reload()
    }
}

/// Entries, and the numbers of lines that are none.
fn parse(text: &str) -> (Vec<String>, Vec<usize>) {
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match canonical(line) {
            Some(entry) => entries.push(entry),
            None => wrong.push(number + 1),
        }
    }
    (entries, wrong)
}

/// Upper and lower case, colons and leading zeros do not matter, except in a fingerprint, whose
/// length tells it apart.
fn canonical(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .filter(|c| *c != ':')
        .collect::<String>()
        .to_ascii_lowercase();
    let valid =
        !plain.is_empty() && plain.len() <= 64 && plain.bytes().all(|b| b.is_ascii_hexdigit());
    let entry = if plain.len() == 64 {
        plain.as_str()
    } else {
        plain.trim_start_matches('0')
    };
    (valid && !entry.is_empty()).then(|| entry.to_owned())
}

/// Adds certificates to the list file of an authority: one by serial number or fingerprint, or
/// all that were ever issued to `tenant/gateway`. Answers the entries written.
///
/// # Errors
/// When nothing matches, or the list cannot be written.
pub fn revoke(dir: &Path, what: &str) -> Result<Vec<String>, PkiError> {
    let entries = if what.contains('/') {
        issued_to(dir, what)?
    } else {
        let entry = canonical(what).ok_or_else(|| {
            PkiError::Request(format!(
                "'{what}' is neither a serial number in hexadecimal nor tenant/gateway"
            ))
        })?;
        vec![entry]
    };
    let path = dir.join(REVOKED);
    let (listed, _) = parse(&std::fs::read_to_string(&path).unwrap_or_default());
    for entry in entries.iter().filter(|e| !listed.contains(e)) {
        files::append(&path, &format!("{entry} # {what}"))?;
    }
    Ok(entries)
}

fn issued_to(dir: &Path, name: &str) -> Result<Vec<String>, PkiError> {
    let list = files::read(&dir.join(ISSUED))?;
    let entries: Vec<String> = list
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|fields| fields.get(1) == Some(&"gateway") && fields.get(2) == Some(&name))
        .filter_map(|fields| canonical(fields.first()?))
        .collect();
    if entries.is_empty() {
        return Err(PkiError::Request(format!(
            "no certificate was ever issued to {name} by the authority in {}; see {ISSUED} there",
            dir.display()
        )));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_in_any_spelling() {
        let (entries, wrong) = parse("# list\n\n0A:bc # acme/gw\nzz\n00ff\n000\n");
        assert_eq!(entries, ["abc", "ff"]);
        assert_eq!(wrong, [4, 6]);
        let print = "0".repeat(63) + "1";
        assert_eq!(canonical(&print), Some(print));
    }

    #[test]
    fn what_is_revoked_stays_revoked_when_the_file_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("revoked.txt");
        std::fs::write(&path, "0a\n").unwrap();
        let revoked = Revoked::new(["b".to_owned()], Some(path.clone()));
        let mut last = None;
        assert_eq!(revoked.reload_if_changed(&mut last).unwrap(), ["a"]);
        assert!(revoked.reload_if_changed(&mut last).unwrap().is_empty());
        std::fs::remove_file(&path).unwrap();
        assert!(revoked.reload_if_changed(&mut last).is_err());
        let set = revoked.0.set.load();
        assert!(set.contains("a") && set.contains("b"));
    }
}
