//! Sessions: a random token in a cookie, its digest in the store. Owns the cookie and when a
//! session ends: some time after its last use, and at the latest some days after the log-in, by a
//! clock that nobody sets; people are told the end by the wall clock.

use super::{Accounts, AuthError};
use crate::shape::Person;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use riser_model::{Role, Timestamp};
use riser_store::{Session, StoreError, Trace};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::atomic::Ordering;

/// Name of the cookie.
pub(crate) const COOKIE: &str = "riser_session";
/// How much later the end of a session must become to be worth a write to the disk.
const WORTH_WRITING_MS: i64 = 60_000;

/// Who sent a request, as proven by the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: String,
    pub(crate) role: Role,
    pub(crate) expires_at: Timestamp,
    token_hash: [u8; 32],
}

impl Caller {
    pub(crate) fn person(&self) -> Person {
        Person {
            user: self.user.clone(),
            role: self.role,
            expires_at: self.expires_at,
        }
    }
}

/// A new session: what to tell the person and what to give the browser.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) person: Person,
    pub(crate) cookie: HeaderValue,
}

impl Accounts {
    pub(super) async fn grant(
        &self,
        (user, role): (String, Role),
        from: IpAddr,
    ) -> Result<Granted, AuthError> {
        let token: [u8; 32] = rand::random();
        let token = URL_SAFE_NO_PAD.encode(token);
        let now = self.steady();
        let expires_at = self.expiry(now, now);
        let session = Session {
            token_hash: digest(&token),
            user: user.clone(),
            created_at: now,
            expires_at,
        };
        self.store.login(session, &from.to_string()).await?;
        let person = Person {
            user,
            role,
            expires_at: self.shown(expires_at),
        };
        let seconds = self.settings.absolute.as_secs();
        let cookie = self.cookie(&token, seconds)?;
        Ok(Granted { person, cookie })
    }

    /// Who sent a request; `None` without a session that is still good. Using a session keeps it.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>, StoreError> {
        let Some(token) = token(headers) else {
            return Ok(None);
        };
        self.recognise(digest(token), true).await
    }

    /// The same caller again, later, for connections that last; does not keep the session.
    pub(crate) async fn still(&self, caller: &Caller) -> Result<Option<Caller>, StoreError> {
        self.recognise(caller.token_hash, false).await
    }

    async fn recognise(
        &self,
        token_hash: [u8; 32],
        used: bool,
    ) -> Result<Option<Caller>, StoreError> {
        let now = self.steady();
        let Some((session, user)) = self.store.session(token_hash, now).await? else {
            return Ok(None);
        };
        let later = self.expiry(session.created_at, now);
        let mut expires_at = session.expires_at;
        if used && later.since(expires_at) > WORTH_WRITING_MS {
            self.store.extend_session(token_hash, later).await?;
            expires_at = later;
        }
        Ok(Some(Caller {
            user: user.name,
            role: user.role,
            expires_at: self.shown(expires_at),
            token_hash,
        }))
    }

    /// Ends a session; answers with the cookie that makes the browser forget it.
    pub(crate) async fn logout(
        &self,
        caller: &Caller,
        from: IpAddr,
    ) -> Result<HeaderValue, AuthError> {
        let by = Trace::new(&caller.user, from.to_string());
        self.store.end_session(caller.token_hash, by).await?;
        self.cookie("", 0)
    }

    /// A time of a session as the wall clock will show it.
    fn shown(&self, at: Timestamp) -> Timestamp {
        let ahead = self.now().since(self.steady());
        Timestamp(at.0.saturating_add(ahead))
    }

    fn expiry(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        let latest = created_at.plus(self.settings.absolute);
        latest.min(now.plus(self.settings.idle))
    }

    fn cookie(&self, token: &str, seconds: u64) -> Result<HeaderValue, AuthError> {
        let secure = if self.secure.load(Ordering::Relaxed) {
            "; Secure"
        } else {
            ""
        };
        let text = format!(
            "{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        );
        HeaderValue::try_from(text).map_err(|e| AuthError::Hash(format!("no cookie: {e}")))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, token)| (name == COOKIE && !token.is_empty()).then_some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        let cookies = HeaderValue::from_static("theme=dark; riser_session=abc; x=1");
        headers.insert(header::COOKIE, cookies);
        assert_eq!(token(&headers), Some("abc"));
        headers.insert(header::COOKIE, HeaderValue::from_static("riser_session="));
        assert_eq!(token(&headers), None);
    }
}
