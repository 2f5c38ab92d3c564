//! Access tokens: signed, short-lived, self-contained (RFC 7519, HS256). Owns their claims and
//! their checking; whether a person may have one is decided in `app::accounts`.

use super::{Identity, SigningKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use riser_model::{Role, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Life of an access token in seconds.
pub const TOKEN_LIFE_S: u32 = 15 * 60;

const ISSUER: &str = "riser-cloud";
/// Longest token looked at; a genuine one has about 400 octets.
const LONGEST: usize = 4096;

/// Whom a token is issued to.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The person's id.
    pub user: Uuid,
    /// Login name.
    pub email: String,
    /// Name people read.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The tenant they belong to.
    pub tenant: Option<TenantId>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: Uuid,
    email: String,
    name: String,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
    iat: i64,
    exp: i64,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this service, or tampered with.
    #[error("the access token is not one of this service; log in again")]
    Invalid,
    /// Genuine, but too old.
    #[error("the access token has expired; renew it with POST /api/v1/auth/refresh")]
    Expired,
}

/// Issues and checks access tokens.
pub struct Authority {
    sign: EncodingKey,
    check: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(hidden)")
    }
}

impl Authority {
    /// An authority with this key.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // The library reads the system clock; ours is injected, so the age is checked below.
        validation.validate_exp = false;
        Self {
            sign: EncodingKey::from_secret(key.bytes()),
            check: DecodingKey::from_secret(key.bytes()),
            validation,
        }
    }

    /// Issues a token that lives [`TOKEN_LIFE_S`] seconds from `now`.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] when the claims cannot be signed, which a sound key rules out.
    pub fn issue(&self, subject: &Subject, now: Timestamp) -> Result<String, TokenError> {
        let iat = now.0.div_euclid(1000);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: subject.user,
            email: subject.email.clone(),
            name: subject.name.clone(),
            role: subject.role,
            tenant: subject.tenant.clone(),
            iat,
            exp: iat + i64::from(TOKEN_LIFE_S),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .map_err(|_| TokenError::Invalid)
    }

    /// Checks a token at `now`.
    ///
    /// # Errors
    /// Why it is refused; the two cases differ because only one can be mended by renewing.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Invalid);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.check, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let expires_at = Timestamp(claims.exp.saturating_mul(1000));
        if now >= expires_at {
            return Err(TokenError::Expired);
        }
        Ok(Identity {
            user: claims.sub,
            email: claims.email.into(),
            name: claims.name.into(),
            role: claims.role,
            tenant: claims.tenant,
            expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            user: Uuid::from_u128(7),
            email: "op@example.org".into(),
            name: "Op".into(),
            role: Role::Operator,
            tenant: Some(TenantId::new("acme").unwrap()),
        }
    }

    fn authority(octet: u8) -> Authority {
        Authority::new(&SigningKey::new(&[octet; 32]).unwrap())
    }

    #[test]
    fn lives_exactly_its_life() {
        let a = authority(1);
        let t0 = Timestamp(1_700_000_000_000);
        let token = a.issue(&subject(), t0).unwrap();
        let last = Timestamp(t0.0 + i64::from(TOKEN_LIFE_S) * 1000 - 1);
        assert_eq!(a.verify(&token, last).unwrap().role(), Role::Operator);
        let end = Timestamp(last.0 + 1);
        assert_eq!(a.verify(&token, end).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn another_key_another_algorithm_and_tampering_are_refused() {
        let a = authority(1);
        let now = Timestamp(1_700_000_000_000);
        let token = a.issue(&subject(), now).unwrap();
        assert_eq!(
            authority(2).verify(&token, now).unwrap_err(),
            TokenError::Invalid
        );
        // {"alg":"none","typ":"JWT"}
        let body = token.split('.').nth(1).unwrap();
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
        assert_eq!(a.verify(&none, now).unwrap_err(), TokenError::Invalid);
        let mut bent = token.into_bytes();
        let middle = bent.len() / 2;
        bent[middle] = if bent[middle] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bent).unwrap();
        assert_eq!(a.verify(&bent, now).unwrap_err(), TokenError::Invalid);
    }
}
