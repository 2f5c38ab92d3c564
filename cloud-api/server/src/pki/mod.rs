//! Who a gateway is: the service's own certificate authority, what its certificates say, and
//! which of them count no more. Owns the files of the authority and the one place where a
//! certificate becomes an identity; it opens no port and knows no database.

mod authority;
mod files;
mod identity;
mod revocation;

pub use authority::{Authority, GatewayRequest, Issued, Validity, expect_room};
pub use files::PkiError;
pub use identity::{Identity, IdentityError, fingerprint};
pub use revocation::{Revoked, revoke};
