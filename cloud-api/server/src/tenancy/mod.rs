//! Who asks, and for which tenant. Owns the proof every query demands ([`TenantContext`]), the
//! access tokens that carry it between requests, and the key that signs them. Nothing outside
//! this folder can make a context; it touches neither the database nor HTTP.

mod context;
mod key;
mod lockout;
mod token;

pub use context::{Console, Identity, OtherTenant, TenantContext};
pub use key::{KeyError, SigningKey};
pub use lockout::{LOCKED_FOR, TRIES_MAX, Tries};
pub use token::{Authority, Subject, TOKEN_LIFE_S, TokenError};
