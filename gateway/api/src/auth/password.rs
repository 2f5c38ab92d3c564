//! Password hashes. Owns the choice of Argon2id and its cost, and the one thread that pays it, so
//! a flood of log-ins cannot take memory or the executor's threads.

use super::AuthError;
use argon2::password_hash::Error;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// Memory in KiB, rounds and lanes: the OWASP minimum of Argon2id (RFC 9106) with the least
/// memory, because a gateway has little.
const COST: (u32, u32, u32) = (7 * 1024, 5, 1);
/// Room asked for, in KiB, of which only what a hash needs is touched. glibc gives back at once what
/// it got above 32 MiB; what is smaller it keeps for later (mallopt(3), `M_MMAP_THRESHOLD`).
const ROOM: usize = 33 * 1024;
/// Work that may wait for the thread.
const WAITING: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// Makes and checks password hashes, one at a time on a thread of its own, which ends with this.
pub struct Passwords {
    jobs: Option<SyncSender<Job>>,
}

impl Passwords {
    /// Starts the thread. Where even that is impossible every question is answered with "busy".
    #[must_use]
    pub fn start() -> Self {
        let (jobs, queue) = sync_channel::<Job>(WAITING);
        let started = std::thread::Builder::new()
            .name("passwords".into())
            .spawn(move || {
                while let Ok(job) = queue.recv() {
                    job();
                }
            });
        if let Err(error) = &started {
            tracing::error!(%error, "could not start the thread that checks passwords");
        }
        Self {
            jobs: started.is_ok().then_some(jobs),
        }
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// [`AuthError::Busy`] when too many wait.
    pub async fn hash(&self, password: String) -> Result<String, AuthError> {
        self.run(move || make(&password)).await
    }

    /// Whether a password belongs to a PHC string.
    ///
    /// # Errors
    /// [`AuthError::Busy`] when too many wait; [`AuthError::Hash`] when the string cannot be read.
    pub async fn verify(&self, password: String, hash: String) -> Result<bool, AuthError> {
        self.run(move || fits(&password, &hash)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, AuthError> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move || drop(done.send(work())));
        let queued = self.jobs.as_ref().map(|jobs| jobs.try_send(job));
        match queued {
            Some(Ok(())) => answer
                .await
                .map_err(|_| AuthError::Busy)?
                .map_err(|e| AuthError::Hash(format!("could not work with a password hash: {e}"))),
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => {
                Err(AuthError::Busy)
            }
        }
    }
}

fn make(password: &str) -> Result<String, Error> {
    let (memory, rounds, lanes) = COST;
    let params = Params::new(memory, rounds, lanes, Some(Params::DEFAULT_OUTPUT_LEN))
        .map_err(|_| Error::ParamsInvalid)?;
    let salt: [u8; 16] = rand::random();
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(derive(params, password, &salt)?),
    };
    Ok(hash.to_string())
}

fn fits(password: &str, hash: &str) -> Result<bool, Error> {
    let hash = PasswordHash::new(hash)?;
    if hash.algorithm != Algorithm::Argon2id.ident() {
        return Err(Error::Algorithm);
    }
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Err(Error::EncodingInvalid);
    };
    // Compares in constant time.
    Ok(derive(Params::try_from(&hash)?, password, salt)? == *expected)
}

fn derive(params: Params, password: &str, salt: &[u8]) -> Result<Output, Error> {
    let blocks = params.block_count();
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let mut memory = Vec::with_capacity(blocks.max(ROOM));
    memory.resize(blocks, Block::new());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        &mut output,
        &mut memory,
    )?;
    Ok(Output::new(&output)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::PasswordVerifier;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::start();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
        let again = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert_ne!(hash, again, "each hash has its own salt");
        assert!(
            passwords
                .verify("correct horse".to_owned(), hash.clone())
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("battery staple".to_owned(), hash)
                .await
                .unwrap()
        );
        // Anybody else's Argon2 agrees.
        let phc = PasswordHash::new(&again).unwrap();
        let others = Argon2::default();
        assert!(others.verify_password(b"correct horse", &phc).is_ok());
        let unreadable = passwords.verify("x".to_owned(), "no hash".to_owned()).await;
        assert!(matches!(unreadable, Err(AuthError::Hash(_))));
    }
}
