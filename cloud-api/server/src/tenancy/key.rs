//! The secret that signs access tokens. Owns the file it lives in: 32 random octets, readable
//! by the service alone, made at first start. Losing it logs everybody out and harms nothing.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Shortest secret accepted: the output of SHA-256 (RFC 7518, clause 3.2).
const SHORTEST: usize = 32;

/// A secret for HMAC-SHA-256.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// The key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be opened, read or made.
    #[error("token key {path}: {source}; the data directory must belong to the service")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is readable by others.
    #[error("token key {path} has mode {mode:o}: others could read it; run chmod 600 on it")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Too short to be safe.
    #[error("the token key has {found} octets, but needs at least 32; give it a longer one")]
    Short {
        /// How many octets it has.
        found: usize,
    },
}

impl SigningKey {
    /// Takes a secret as given, for instance from the configuration.
    ///
    /// # Errors
    /// [`KeyError::Short`] below 32 octets.
    pub fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < SHORTEST {
            return Err(KeyError::Short {
                found: secret.len(),
            });
        }
        Ok(Self(secret.to_vec()))
    }

    /// Reads the file, or makes it with mode 0600 when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, is readable by others, or is too short.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            source,
        };
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Ok(mut file) => {
                let secret: [u8; SHORTEST] = rand::random();
                file.write_all(&secret).map_err(failed)?;
                file.sync_all().map_err(failed)?;
                Self::new(&secret)
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Self::read(path),
            Err(e) => Err(failed(e)),
        }
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut secret = Vec::new();
        file.take(4096).read_to_end(&mut secret).map_err(failed)?;
        Self::new(&secret)
    }

    /// The octets, for the signer.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_private_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        let first = SigningKey::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(SigningKey::open(&path).unwrap().bytes(), first.bytes());
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        SigningKey::open(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = SigningKey::open(&path).unwrap_err();
        assert!(
            matches!(error, KeyError::Exposed { mode: 0o644, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(matches!(
            SigningKey::new(&[1; 31]),
            Err(KeyError::Short { found: 31 })
        ));
    }
}
