//! Hashing passwords (Argon2id, RFC 9106) on threads of their own. Owns the cost parameters, the
//! bounded queue in front of the threads, and the hash that stands in for people who do not
//! exist, so that a wrong name takes as long as a wrong password.

use super::{AppError, AppResult};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Hashes at a time: each takes a core and 19 MiB for some tens of milliseconds.
const THREADS: usize = 2;
/// Log-ins waiting for a thread; more are told to come again.
const WAITING: usize = 32;
/// Longest password looked at, in octets; keeps the work per attempt bounded.
pub const LONGEST: usize = 1024;
/// Shortest password accepted for a new account, in characters (NIST SP 800-63B-4, clause 3.1.1).
pub const SHORTEST: usize = 12;

enum Job {
    Verify {
        password: String,
        hash: Option<String>,
        answer: oneshot::Sender<AppResult<bool>>,
    },
    Hash {
        password: String,
        answer: oneshot::Sender<AppResult<String>>,
    },
}

/// The hashing threads. They end when this is dropped.
#[derive(Debug)]
pub struct Passwords {
    jobs: SyncSender<Job>,
}

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started or the stand-in hash cannot be made.
    pub fn start() -> AppResult<Self> {
        let (jobs, inbox) = sync_channel(WAITING);
        let inbox = Arc::new(Mutex::new(inbox));
        let nobody: Arc<str> = hash("the password of nobody")?.into();
        for number in 0..THREADS {
            let (inbox, nobody) = (Arc::clone(&inbox), Arc::clone(&nobody));
            std::thread::Builder::new()
                .name(format!("passwords-{number}"))
                .spawn(move || work(&inbox, &nobody))
                .map_err(|e| AppError::Internal(format!("password thread: {e}")))?;
        }
        Ok(Self { jobs })
    }

    /// Whether the password fits the hash. Without a hash the answer is no, after the same work.
    ///
    /// # Errors
    /// [`AppError::Busy`] when too many wait; [`AppError::Internal`] when the hash is unreadable.
    pub async fn verify(&self, password: String, hash: Option<String>) -> AppResult<bool> {
        let (answer, result) = oneshot::channel();
        self.submit(Job::Verify {
            password,
            hash,
            answer,
        })?;
        result.await.map_err(|_| stopped())?
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// [`AppError::Busy`] when too many wait.
    pub async fn hash(&self, password: String) -> AppResult<String> {
        let (answer, result) = oneshot::channel();
        self.submit(Job::Hash { password, answer })?;
        result.await.map_err(|_| stopped())?
    }

    fn submit(&self, job: Job) -> AppResult<()> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => AppError::Busy("too many log-ins at once"),
            TrySendError::Disconnected(_) => stopped(),
        })
    }
}

fn stopped() -> AppError {
    AppError::Internal("the password threads have stopped".to_owned())
}

fn work(inbox: &Mutex<Receiver<Job>>, nobody: &str) {
    loop {
        let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(Job::Verify {
                password,
                hash,
                answer,
            }) => {
                let result = fits(&password, hash.as_deref().unwrap_or(nobody));
                // Whoever asked may have gone; the answer is then nobody's.
                let _ = answer.send(result.map(|fits| fits && hash.is_some()));
            }
            Ok(Job::Hash { password, answer }) => {
                let _ = answer.send(self::hash(&password));
            }
            Err(_) => return,
        }
    }
}

/// 19 MiB, two passes, one lane: the first choice of the OWASP password storage guidance.
fn argon2() -> AppResult<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None)
        .map_err(|e| AppError::Internal(format!("Argon2 parameters: {e}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password here and now; takes some tens of milliseconds, so not on an async thread.
///
/// # Errors
/// [`AppError::Internal`] when the random salt cannot be had.
pub fn hash(password: &str) -> AppResult<String> {
    argon2()?
        .hash_password(password.as_bytes())
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|e| AppError::Internal(format!("hashing a password: {e}")))
}

fn fits(password: &str, hash: &str) -> AppResult<bool> {
    let parsed = PasswordHash::new(hash)
        .map_err(|e| AppError::Internal(format!("a stored password hash is unreadable: {e}")))?;
    Ok(argon2()?
        .verify_password(password.as_bytes(), &parsed)
        .is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_somebody_fits() {
        let passwords = Passwords::start().unwrap();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let right = passwords.verify("correct horse".into(), Some(hash.clone()));
        assert!(right.await.unwrap());
        let wrong = passwords.verify("correct horsf".into(), Some(hash));
        assert!(!wrong.await.unwrap());
        let nobody = passwords.verify("the password of nobody".into(), None);
        assert!(!nobody.await.unwrap());
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_turned_away_not_kept() {
        let passwords = Passwords::start().unwrap();
        let mut waiting = Vec::new();
        let mut busy = 0;
        for _ in 0..WAITING + THREADS + 8 {
            let (answer, result) = oneshot::channel();
            let job = Job::Hash {
                password: "x".into(),
                answer,
            };
            match passwords.submit(job) {
                Ok(()) => waiting.push(result),
                Err(AppError::Busy(_)) => busy += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(busy >= 1, "nothing was turned away");
        for result in waiting {
            result.await.unwrap().unwrap();
        }
    }
}
