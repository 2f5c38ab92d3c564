//! The two secrets the daemon makes for itself: the claim code and the metrics token. Owns their
//! files in the data folder, which only the daemon's user may read.

use riser_api::ClaimCode;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A code given by whoever makes the units, such as the one on the label.
const GIVEN_CODE: &str = "RISER_CLAIM_CODE";
const CLAIM_CODE: &str = "claim-code";
const METRICS_TOKEN: &str = "metrics-token";

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// A file cannot be read or written.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is no code.
    #[error(
        "there is no claim code in {}: either this gateway has been claimed, or riserd has not run \
         yet",
        path.display()
    )]
    NoCode {
        /// Where it would be.
        path: PathBuf,
    },
    /// A given code cannot be used.
    #[error("the claim code in {place} is too short: it must have at least 8 letters or digits")]
    BadCode {
        /// Where it was given.
        place: String,
    },
}

/// The claim code of this unit, and whether it was made just now.
pub(crate) fn claim_code(data_dir: &Path) -> Result<(ClaimCode, bool), SecretError> {
    match known_claim_code(data_dir) {
        Ok(code) => Ok((code, false)),
        Err(SecretError::NoCode { path }) => {
            let code = ClaimCode::generate();
            create(&path, &format!("{code}\n"))?;
            Ok((code, true))
        }
        Err(other) => Err(other),
    }
}

/// The claim code, if there is one.
pub(crate) fn known_claim_code(data_dir: &Path) -> Result<ClaimCode, SecretError> {
    let path = data_dir.join(CLAIM_CODE);
    let (text, place) = match std::env::var(GIVEN_CODE) {
        Ok(text) => (text, GIVEN_CODE.to_owned()),
        Err(_) => match std::fs::read_to_string(&path) {
            Ok(text) => (text, path.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(SecretError::NoCode { path });
            }
            Err(error) => return Err(failed("read", &path)(error)),
        },
    };
    ClaimCode::parse(&text).ok_or(SecretError::BadCode { place })
}

/// Removes the claim code: it has done its work.
pub(crate) fn forget_claim_code(data_dir: &Path) -> Result<(), SecretError> {
    let path = data_dir.join(CLAIM_CODE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", &path)(error)),
        _ => Ok(()),
    }
}

/// What a program shows to read `/metrics`; made at the first start.
pub(crate) fn metrics_token(data_dir: &Path) -> Result<String, SecretError> {
    let path = data_dir.join(METRICS_TOKEN);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => std::fs::remove_file(&path).map_err(failed("replace the empty", &path))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read", &path)(error)),
    }
    let token: [u8; 24] = rand::random();
    let token = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token);
    create(&path, &format!("{token}\n"))?;
    Ok(token)
}

/// Writes a new file only its owner may read, and only when all of it is on disk answers.
fn create(path: &Path, text: &str) -> Result<(), SecretError> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(failed("write", path))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SecretError {
    let path = path.to_owned();
    move |source| SecretError::File {
        doing,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_code_is_made_once_kept_private_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (code, fresh) = claim_code(dir.path()).unwrap();
        assert!(fresh);
        assert_eq!(claim_code(dir.path()).unwrap(), (code, false));
        let mode = dir
            .path()
            .join(CLAIM_CODE)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        forget_claim_code(dir.path()).unwrap();
        forget_claim_code(dir.path()).unwrap();
        assert!(matches!(
            known_claim_code(dir.path()),
            Err(SecretError::NoCode { .. })
        ));
    }

    #[test]
    fn the_metrics_token_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let token = metrics_token(dir.path()).unwrap();
        assert_eq!(token.len(), 32);
        assert_eq!(metrics_token(dir.path()).unwrap(), token);
    }
}
