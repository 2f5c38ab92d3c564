//! Who may come in. Owns the first-boot claim, logging in with its limits, and sessions; users and
//! sessions are kept by the store, what a role may do by the model.

mod claim;
mod limit;
mod password;
mod session;
mod unknown;

pub use claim::ClaimCode;
pub use password::Passwords;
pub(crate) use session::{COOKIE, Caller, Granted};

use claim::ClaimGuard;
use limit::{Attempts, Strangers};
use riser_model::audit::action;
use riser_model::{Role, Timestamp};
use riser_runtime::Clock;
use riser_store::{Lockout, NewUser, Store, StoreError, User};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, watch};
use unknown::Unknown;

/// Log-ins and claims that may wait for the one that is being checked.
const WAITING: usize = 16;
/// Role of whoever claims the gateway.
const OWNER: Role = Role::TenantAdmin;

/// Limits of logging in.
#[derive(Debug, Clone, Copy)]
pub struct AuthSettings {
    /// A session nobody uses ends after this time.
    pub idle: Duration,
    /// A session ends after this time however much it is used.
    pub absolute: Duration,
    /// Wrong passwords or claim codes in a row until nothing more is tried for `lock`.
    pub wrong_in_a_row: u32,
    /// How long nothing more is tried.
    pub lock: Duration,
    /// Wrong log-ins one address may make at once.
    pub burst: u32,
    /// After how long it may make one more.
    pub refill: Duration,
    /// How often a live view is looked at: whether its session is still good and its client there.
    pub recheck: Duration,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(8 * 3600),
            absolute: Duration::from_secs(7 * 24 * 3600),
            wrong_in_a_row: 5,
            lock: Duration::from_secs(15 * 60),
            burst: 20,
            refill: Duration::from_secs(3),
            recheck: Duration::from_secs(15),
        }
    }
}

/// Why somebody did not come in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The name or the password is wrong; which of them is not said.
    #[error("the user name or the password is wrong")]
    Wrong,
    /// The claim code is wrong.
    #[error("this is not the code of this unit; 'riserd claim-code' on the gateway prints it")]
    WrongCode,
    /// Somebody owns this gateway already.
    #[error("this gateway has been claimed already; log in instead")]
    Claimed,
    /// Nobody owns this gateway yet.
    #[error("this gateway has not been claimed yet; claim it with the code of this unit first")]
    Unclaimed,
    /// The password is too easy to guess.
    #[error("choose another password: {0}")]
    Weak(&'static str),
    /// The login name cannot be used.
    #[error("choose another user name: {0}")]
    BadName(&'static str),
    /// Too many wrong passwords or codes in a row.
    #[error("too many wrong attempts in a row; try again in {retry_after_s} s")]
    Locked {
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// Too many attempts from one address.
    #[error("too many attempts from this address; try again in {retry_after_s} s")]
    TooMany {
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// Too many log-ins at once.
    #[error("too many people are logging in at once; try again in a moment")]
    Busy,
    /// A hash could not be made or read.
    #[error("{0}")]
    Hash(String),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Users, their log-ins and their sessions.
pub(crate) struct Accounts {
    store: Store,
    clock: Arc<dyn Clock>,
    settings: AuthSettings,
    passwords: Passwords,
    claimed: watch::Sender<bool>,
    secure: AtomicBool,
    entry: Semaphore,
    // One attempt at a time: between looking at the counter of wrong passwords and raising it
    // nobody else may try. Argon2 runs one at a time anyway.
    one_at_a_time: Mutex<Limits>,
}

struct Limits {
    claim: ClaimGuard,
    attempts: Attempts,
    strangers: Strangers,
    unknown: Unknown,
}

impl Accounts {
    /// The accounts of a store. Without a claim code nobody can claim.
    pub(crate) async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        settings: AuthSettings,
        code: Option<ClaimCode>,
    ) -> Result<Self, StoreError> {
        // A disk that refuses does not keep anybody out for more than one log-in.
        if let Err(error) = store.move_sessions().await {
            tracing::warn!(error = error.chain(), "sessions end by the clock of before");
        }
        let claimed = !store.users().await?.is_empty();
        let lockout = lockout(settings);
        Ok(Self {
            store,
            clock,
            settings,
            passwords: Passwords::start(),
            claimed: watch::Sender::new(claimed),
            secure: AtomicBool::new(false),
            entry: Semaphore::new(WAITING),
            one_at_a_time: Mutex::new(Limits {
                claim: ClaimGuard::new(code, lockout),
                attempts: Attempts::new(settings.burst, settings.refill),
                strangers: Strangers::new(lockout),
                unknown: Unknown::default(),
            }),
        })
    }

    /// Now, as the store stamps lock-outs.
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Now on the clock that is never set: what sessions and attempts are reckoned by.
    fn steady(&self) -> Timestamp {
        self.clock.steady()
    }

    /// How often a live view is looked at.
    pub(crate) fn recheck(&self) -> Duration {
        self.settings.recheck
    }

    /// Whether somebody owns this gateway; changes once.
    pub(crate) fn claimed(&self) -> watch::Receiver<bool> {
        self.claimed.subscribe()
    }

    /// Marks cookies `Secure` from now on: the face is served by TLS.
    pub(crate) fn set_secure(&self) {
        self.secure.store(true, Ordering::Relaxed);
    }

    /// Makes the first user, once in the life of a gateway, and logs them in.
    pub(crate) async fn claim(
        &self,
        (code, name, password): (&str, &str, String),
        from: IpAddr,
    ) -> Result<Granted, AuthError> {
        let name = login_name(name)?;
        check_password(&name, &password)?;
        let _place = self.entry.try_acquire().map_err(|_| AuthError::Busy)?;
        let mut limits = self.one_at_a_time.lock().await;
        let now = self.steady();
        limits.attempts.take(from, now)?;
        if *self.claimed.borrow() {
            return Err(AuthError::Claimed);
        }
        if let Err(error) = limits.claim.check(code, now) {
            if matches!(error, AuthError::WrongCode) {
                self.note_stranger(Some(1), action::CLAIM_FAILED, from)
                    .await?;
            }
            return Err(error);
        }
        let user = NewUser {
            name: name.clone(),
            role: OWNER,
            password_hash: self.passwords.hash(password).await?,
        };
        let first = self.store.add_first_user(user, &from.to_string()).await?;
        self.claimed.send_replace(true);
        if !first {
            return Err(AuthError::Claimed);
        }
        limits.attempts.give_back(from);
        tracing::info!(user = %name, %from, "the gateway was claimed");
        self.grant((name, OWNER), from).await
    }

    /// Logs somebody in.
    pub(crate) async fn login(
        &self,
        name: &str,
        password: String,
        from: IpAddr,
    ) -> Result<Granted, AuthError> {
        if !*self.claimed.borrow() {
            return Err(AuthError::Unclaimed);
        }
        let _place = self.entry.try_acquire().map_err(|_| AuthError::Busy)?;
        let mut limits = self.one_at_a_time.lock().await;
        limits.attempts.take(from, self.steady())?;
        let known = match login_name(name) {
            Ok(name) => self.store.user(&name).await?,
            Err(_) => None,
        };
        let granted = match known {
            Some(user) => self.login_known(user, password, from).await,
            None => {
                self.login_stranger(&mut limits, (name, password), from)
                    .await
            }
        };
        match &granted {
            Ok(granted) => {
                limits.attempts.give_back(from);
                tracing::info!(user = %granted.person.user, %from, "logged in");
            }
            Err(error) => tracing::warn!(%from, %error, "a log-in was refused"),
        }
        granted
    }

    async fn login_known(
        &self,
        user: User,
        password: String,
        from: IpAddr,
    ) -> Result<Granted, AuthError> {
        if let Some(until) = user.locked_until {
            still_locked(until, self.now())?;
        }
        if self.passwords.verify(password, user.password_hash).await? {
            return self.grant((user.name, user.role), from).await;
        }
        let lockout = lockout(self.settings);
        let from = from.to_string();
        let after = self.store.login_failed(&user.name, lockout, &from).await?;
        if after.locked_until.is_some_and(|until| until > self.now()) {
            tracing::warn!(user = %user.name, "locked out after wrong passwords");
        }
        Err(AuthError::Wrong)
    }

    /// A name nobody has is answered like one somebody has: after the same work, and locked after
    /// as many attempts, so nobody can find out who there is.
    async fn login_stranger(
        &self,
        limits: &mut Limits,
        (name, password): (&str, String),
        from: IpAddr,
    ) -> Result<Granted, AuthError> {
        limits.strangers.check(name, self.steady())?;
        self.passwords.hash(password).await?;
        limits.strangers.failed(name, self.steady());
        let seen = limits.unknown.seen(self.steady());
        self.note_stranger(seen, action::LOGIN_FAILED, from).await?;
        Err(AuthError::Wrong)
    }
}

fn lockout(settings: AuthSettings) -> Lockout {
    Lockout {
        after: settings.wrong_in_a_row,
        for_ms: i64::try_from(settings.lock.as_millis()).unwrap_or(i64::MAX),
    }
}

/// Refuses while a lock holds.
fn still_locked(until: Timestamp, now: Timestamp) -> Result<(), AuthError> {
    match u64::try_from(until.since(now)) {
        Ok(left) if left > 0 => Err(AuthError::Locked {
            retry_after_s: left.div_ceil(1000),
        }),
        _ => Ok(()),
    }
}

/// A login name as it is kept: without blanks around it and in lower case, because telephones
/// write the first letter large.
fn login_name(name: &str) -> Result<String, AuthError> {
    let name = name.trim().to_lowercase();
    match name.chars().count() {
        0 => Err(AuthError::BadName("it must not be empty")),
        65.. => Err(AuthError::BadName("it must be at most 64 characters long")),
        _ if name.chars().any(char::is_control) => {
            Err(AuthError::BadName("it must not hold control characters"))
        }
        _ => Ok(name),
    }
}

fn check_password(name: &str, password: &str) -> Result<(), AuthError> {
    let length = password.chars().count();
    if length < 10 {
        return Err(AuthError::Weak("it must be at least 10 characters long"));
    }
    if password.len() > 256 {
        return Err(AuthError::Weak("it must be at most 256 octets long"));
    }
    let mut letters: Vec<char> = password.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < 5 {
        return Err(AuthError::Weak("use at least five different characters"));
    }
    if password.to_lowercase() == name {
        return Err(AuthError::Weak("it must not be the user name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_checked() {
        assert_eq!(login_name(" Ada ").unwrap(), "ada");
        assert!(login_name("  ").is_err());
        assert!(login_name("a\nb").is_err());
        assert!(login_name(&"x".repeat(65)).is_err());
        assert!(check_password("ada", "short").is_err());
        assert!(check_password("ada", "aaaaaaaaaaaa").is_err());
        assert!(check_password("ada-lovelace", "Ada-Lovelace").is_err());
        assert!(check_password("ada", &"long".repeat(65)).is_err());
        assert!(check_password("ada", "correct horse").is_ok());
    }

    #[test]
    fn a_lock_ends_on_time() {
        assert!(still_locked(Timestamp(1000), Timestamp(1000)).is_ok());
        match still_locked(Timestamp(1001), Timestamp(0)) {
            Err(AuthError::Locked { retry_after_s }) => assert_eq!(retry_after_s, 2),
            other => panic!("{other:?}"),
        }
    }
}
