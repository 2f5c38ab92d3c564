//! Logging in, staying logged in, logging out. Owns the order of the checks, so that nobody can
//! tell a wrong name from a wrong password, and the life of a session.

use super::attempts::Attempts;
use super::passwords::{self, Passwords};
use super::shape::{Session, User};
use super::{AppError, AppResult, Figure};
use crate::clock::Clock;
use crate::db::{Account, Db, NewUser, Renewed, Settled, TokenHash};
use crate::tenancy::{Authority, Console, LOCKED_FOR, Subject, TOKEN_LIFE_S, TRIES_MAX, Tries};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use riser_model::{Permission, Role, TenantId, Timestamp};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// A session that is not renewed ends after so long.
pub const SESSION_LIFE: Duration = Duration::from_secs(14 * 24 * 3600);
/// A refused log-in is answered no sooner than this, whatever the reason was.
const REFUSED_AFTER: Duration = Duration::from_millis(250);
/// Names that belong to nobody for which wrong passwords are counted all the same.
const STRANGERS: usize = 10_000;
/// Longest login name (RFC 5321, clause 4.5.3.1).
const EMAIL_MAX: usize = 254;

/// A session that was begun or renewed.
#[derive(Debug)]
pub struct Granted {
    /// What the client gets in the body.
    pub session: Session,
    /// The refresh token, for the cookie.
    pub refresh: String,
    /// Its life in seconds.
    pub refresh_life_s: u64,
}

/// A person to be, as the command line asks for one.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Login name.
    pub email: String,
    /// Name people read.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The tenant they belong to; none only for somebody who runs the platform.
    pub tenant: Option<TenantId>,
    /// The password, at least 12 characters.
    pub password: String,
}

#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    wrong: AtomicU64,
    locked: AtomicU64,
    reused: AtomicU64,
}

/// Logging in and out.
#[derive(Debug)]
pub struct Accounts {
    db: Db,
    authority: Arc<Authority>,
    clock: Clock,
    passwords: Passwords,
    attempts: Attempts,
    strangers: Mutex<FxHashMap<String, Tries>>,
    counts: Counts,
}

impl Accounts {
    /// Starts the password threads.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn start(db: Db, authority: Arc<Authority>, clock: Clock) -> AppResult<Self> {
        Ok(Self {
            db,
            authority,
            clock,
            passwords: Passwords::start()?,
            attempts: Attempts::default(),
            strangers: Mutex::default(),
            counts: Counts::default(),
        })
    }

    /// Logs somebody in.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] for a wrong name or password, [`AppError::Locked`] after
    /// five of them, [`AppError::TooMany`] when the address or account has no tries left.
    pub async fn login(
        &self,
        email: &str,
        password: String,
        address: IpAddr,
    ) -> AppResult<Granted> {
        let begun = Instant::now();
        let email = email.trim().to_lowercase();
        if email.is_empty() || email.len() > EMAIL_MAX || password.len() > passwords::LONGEST {
            return Err(AppError::Malformed(
                "give an email address of at most 254 and a password of at most 1024 octets"
                    .to_owned(),
            ));
        }
        self.attempts.take(address, &email, self.clock.now())?;
        match self.check(&email, password).await {
            Ok(subject) => {
                self.attempts.give_back(address, &email);
                self.counts.passed.fetch_add(1, Ordering::Relaxed);
                self.begin(subject).await
            }
            Err(error) => {
                tokio::time::sleep_until(begun + REFUSED_AFTER).await;
                Err(error)
            }
        }
    }

    async fn check(&self, email: &str, password: String) -> AppResult<Subject> {
        let account = self.db.account(email.to_owned()).await?;
        let tries = match &account {
            Some(account) => account.tries,
            None => self.stranger(email),
        };
        self.unlocked(tries)?;
        let hash = account.as_ref().map(|a| a.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        let now = self.clock.now();
        let settled = match &account {
            Some(account) => self.db.settle(account.subject.user, right, now).await?,
            None => self.settle_stranger(email, now),
        };
        match (settled, account) {
            (Settled::Passed, Some(Account { subject, .. })) => Ok(subject),
            (Settled::Locked(tries), _) => {
                self.unlocked(tries)?;
                Err(self.wrong(tries))
            }
            (Settled::Wrong(tries), _) => Err(self.wrong(tries)),
            (Settled::Passed, None) => Err(AppError::Internal("nobody was let in".to_owned())),
        }
    }

    fn unlocked(&self, tries: Tries) -> AppResult<()> {
        let Some(retry_after_s) = tries.locked_s(self.clock.now()) else {
            return Ok(());
        };
        self.counts.locked.fetch_add(1, Ordering::Relaxed);
        Err(AppError::Locked {
            failures: tries.failed,
            retry_after_s,
        })
    }

    fn wrong(&self, tries: Tries) -> AppError {
        self.counts.wrong.fetch_add(1, Ordering::Relaxed);
        let left = TRIES_MAX.saturating_sub(tries.failed);
        let minutes = LOCKED_FOR.as_secs() / 60;
        AppError::Unauthenticated {
            code: "wrong_credentials",
            message: if left == 0 {
                format!(
                    "the email or the password is wrong; the account is now locked for {minutes} minutes"
                )
            } else {
                format!(
                    "the email or the password is wrong; {left} more wrong ones lock the account for {minutes} minutes"
                )
            },
        }
    }

    fn stranger(&self, email: &str) -> Tries {
        let strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        strangers.get(email).copied().unwrap_or_default()
    }

    /// A name that belongs to nobody locks like any other, or its not locking would tell.
    fn settle_stranger(&self, email: &str, now: Timestamp) -> Settled {
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if strangers.len() >= STRANGERS {
            strangers.retain(|_, tries| tries.first_at.is_some_and(|at| now < at.plus(LOCKED_FOR)));
        }
        let before = strangers.get(email).copied().unwrap_or_default();
        if before.locked_s(now).is_some() {
            return Settled::Locked(before);
        }
        let after = before.wrong(now);
        if strangers.len() < STRANGERS {
            strangers.insert(email.to_owned(), after);
        }
        Settled::Wrong(after)
    }

    async fn begin(&self, subject: Subject) -> AppResult<Granted> {
        let now = self.clock.now();
        let (secret, hash) = new_secret();
        let expires_at = now.plus(SESSION_LIFE);
        self.db
            .begin_session(subject.user, hash, now, expires_at)
            .await?;
        self.grant(subject, secret, now)
    }

    fn grant(&self, subject: Subject, refresh: String, now: Timestamp) -> AppResult<Granted> {
        let access_token = self
            .authority
            .issue(&subject, now)
            .map_err(|e| AppError::Internal(format!("signing an access token: {e}")))?;
        Ok(Granted {
            session: Session {
                access_token,
                expires_in: TOKEN_LIFE_S,
                user: User {
                    id: subject.user,
                    email: subject.email,
                    name: subject.name,
                    role: subject.role,
                    tenant: subject.tenant,
                },
            },
            refresh,
            refresh_life_s: SESSION_LIFE.as_secs(),
        })
    }

    /// Renews a session; the token given is used up.
    ///
    /// # Errors
    /// [`AppError::Unauthenticated`] when the token is unknown, ended, or was used before.
    pub async fn refresh(&self, secret: &str) -> AppResult<Granted> {
        let ended = || AppError::Unauthenticated {
            code: "session_ended",
            message: "this session has ended; log in again".to_owned(),
        };
        let hash = hash_of(secret).ok_or_else(ended)?;
        let now = self.clock.now();
        let (next, next_hash) = new_secret();
        let renewed = self
            .db
            .renew_session(hash, next_hash, now, now.plus(SESSION_LIFE));
        match renewed.await? {
            Renewed::Yes(subject) => self.grant(subject, next, now),
            Renewed::Unknown => Err(ended()),
            Renewed::Raced => Err(AppError::Conflict {
                code: "session_raced",
                message: "another window has just renewed this session; repeat the request, the \
                          browser has the newer cookie by now"
                    .to_owned(),
            }),
            Renewed::Reused { user } => {
                self.counts.reused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%user, "a used refresh token came again: the sessions of that log-in were ended");
                Err(AppError::Unauthenticated {
                    code: "session_reused",
                    message: "this session was renewed elsewhere, so all sessions of its log-in \
                              were ended; log in again, and change the password if that was not you"
                        .to_owned(),
                })
            }
        }
    }

    /// Ends a session. One that is not known has ended already.
    ///
    /// # Errors
    /// When the database did not take it.
    pub async fn logout(&self, secret: &str) -> AppResult<()> {
        if let Some(hash) = hash_of(secret) {
            self.db.end_session(hash, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Operating figures.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        vec![
            Figure::counter(
                "riser_logins_total",
                "Log-ins that worked.",
                read(&self.counts.passed),
            ),
            Figure::counter(
                "riser_logins_wrong_total",
                "Log-ins with a wrong name or password.",
                read(&self.counts.wrong),
            ),
            Figure::counter(
                "riser_logins_locked_total",
                "Log-ins refused because the account was locked.",
                read(&self.counts.locked),
            ),
            Figure::counter(
                "riser_sessions_reused_total",
                "Refresh tokens that came a second time.",
                read(&self.counts.reused),
            ),
        ]
    }
}

/// Makes a person, or gives the one of this login name new rights and a new password. For the
/// command line: it hashes on the calling thread.
///
/// # Errors
/// What is wrong with the request, or why nothing was committed.
pub async fn put_person(
    db: &Db,
    console: Console,
    person: NewPerson,
    now: Timestamp,
) -> AppResult<Uuid> {
    let email = person.email.trim().to_lowercase();
    let refuse = |message: &str| {
        Err(AppError::Refused {
            code: "person",
            message: message.to_owned(),
        })
    };
    if !email.contains('@') || email.len() > EMAIL_MAX {
        return refuse("the login name must be an email address of at most 254 characters");
    }
    if person.password.chars().count() < passwords::SHORTEST {
        return refuse("the password must have at least 12 characters");
    }
    if person.password.len() > passwords::LONGEST {
        return refuse("the password must have at most 1024 octets");
    }
    if person.tenant.is_none() && !person.role.may(Permission::AllTenants) {
        return refuse("this role belongs to a tenant; name one");
    }
    let new = NewUser {
        email,
        name: person.name,
        role: person.role,
        tenant: person.tenant,
        password_hash: passwords::hash(&person.password)?,
    };
    Ok(db.put_user(console, new, now).await?)
}

/// 256 random bits and their hash; only the hash is kept.
fn new_secret() -> (String, TokenHash) {
    let secret: [u8; 32] = rand::random();
    let text = URL_SAFE_NO_PAD.encode(secret);
    (text, Sha256::digest(secret).into())
}

fn hash_of(secret: &str) -> Option<TokenHash> {
    let octets = URL_SAFE_NO_PAD.decode(secret).ok()?;
    (octets.len() == 32).then(|| Sha256::digest(octets).into())
}
