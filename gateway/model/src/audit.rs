//! The audit log: who did what, chained by hashes. Owns the shape of an entry, the octets its hash
//! is taken over, and the check of one entry against the one before; where entries are kept and
//! shown is the store's and the cloud's.
//!
//! Canonical octets, all numbers big-endian: the text `riser-audit-1`, the chain's UUID (16), the
//! number (u64), the time (i64, milliseconds since 1970), then actor, source, action, object and
//! detail, each as its length in octets (u32) and its UTF-8, then the hash before (32). An entry's
//! hash is SHA-256 (FIPS 180-4) over them.

mod csv;

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// First octets of every hashed entry: a change of the format is another mark.
const MARK: &[u8] = b"riser-audit-1";

/// Longest text of one field, in octets; longer ones are cut where they are made.
pub const AUDIT_TEXT_MAX: usize = 4_096;

/// A SHA-256 digest; 64 hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AuditHash(pub [u8; 32]);

impl AuditHash {
    /// What stands before the first entry of a chain.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<AuditHash> for String {
    fn from(hash: AuditHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for AuditHash {
    type Error = BadHash;
    fn try_from(text: String) -> Result<Self, BadHash> {
        text.parse()
    }
}

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct BadHash;

impl FromStr for AuditHash {
    type Err = BadHash;
    fn from_str(text: &str) -> Result<Self, BadHash> {
        let mut octets = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(BadHash);
        }
        for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| BadHash)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| BadHash)?;
        }
        Ok(Self(octets))
    }
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// The chain it belongs to; another one begins when the log was lost or restored.
    pub chain: Uuid,
    /// Its number: dense, and going on from one chain to the next where the log was restored.
    pub no: u64,
    /// When, by the gateway's clock.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Who: a login name, a rule's key, or `riserd`.
    pub actor: String,
    /// From where: an address, `local`, `cloud` (with the person's address behind it where the cloud
    /// knows it), `rule`, `console` or `gateway`.
    pub source: String,
    /// What was done: a word of [`action`]. Open, so that entries of newer gateways are kept.
    pub action: String,
    /// To what: a point, an alarm, a user, a document.
    pub object: String,
    /// More, as JSON text; empty for nothing. Hashed as it stands.
    pub detail: String,
    /// Hash of the entry before; zeros before the first.
    #[schema(value_type = String)]
    pub previous: AuditHash,
    /// Hash of this entry.
    #[schema(value_type = String)]
    pub hash: AuditHash,
}

/// What can be done, as far as this version knows.
pub mod action {
    /// Somebody became the first user by the claim code.
    pub const CLAIM: &str = "claim";
    /// Somebody tried to claim with a wrong code.
    pub const CLAIM_FAILED: &str = "claim_failed";
    /// The clock of the gateway was set, by a time service or by hand.
    pub const CLOCK_SET: &str = "clock_set";
    /// Somebody logged in.
    pub const LOGIN: &str = "login";
    /// A wrong name or password.
    pub const LOGIN_FAILED: &str = "login_failed";
    /// A user was locked out after wrong passwords.
    pub const LOCKED_OUT: &str = "locked_out";
    /// Somebody logged out.
    pub const LOGOUT: &str = "logout";
    /// A write was issued.
    pub const WRITE: &str = "write";
    /// What became of a write.
    pub const OUTCOME: &str = "outcome";
    /// An operation of an adapter was asked for.
    pub const OPERATION: &str = "operation";
    /// What came of an operation.
    pub const OPERATION_OUTCOME: &str = "operation_outcome";
    /// An alarm was acknowledged.
    pub const ACKNOWLEDGE: &str = "acknowledge";
    /// A configuration was applied.
    pub const CONFIGURATION: &str = "configuration";
    /// A configuration that waited was confirmed.
    pub const CONFIGURATION_CONFIRMED: &str = "configuration_confirmed";
    /// A configuration was taken back.
    pub const CONFIGURATION_REVERTED: &str = "configuration_reverted";
    /// A configuration was asked for from afar that runs already.
    pub const CONFIGURATION_UNCHANGED: &str = "configuration_unchanged";
    /// A configuration was asked for and cannot be used, or could not be applied.
    pub const CONFIGURATION_REFUSED: &str = "configuration_refused";
    /// A user was added.
    pub const USER_ADDED: &str = "user_added";
    /// A user was removed.
    pub const USER_REMOVED: &str = "user_removed";
    /// A user got another role.
    pub const USER_ROLE: &str = "user_role";
    /// A user got another password.
    pub const USER_PASSWORD: &str = "user_password";
    /// Old entries were dropped by age or number.
    pub const PRUNED: &str = "pruned";
    /// A backup was made.
    pub const BACKUP: &str = "backup";
    /// The store was restored from a backup.
    pub const RESTORED: &str = "restored";
    /// The software was updated.
    pub const UPDATED: &str = "updated";
    /// The gateway found its own chain broken.
    pub const CHAIN_BROKEN: &str = "chain_broken";
    /// Somebody knows of the breaks there are; a new chain begins with this entry.
    pub const BREAK_ACKNOWLEDGED: &str = "break_acknowledged";
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// The entry does not have the hash it says: it was changed.
    #[error("entry {0} was changed: its hash is not that of its contents")]
    Changed(u64),
    /// The entry does not name the hash of the one before.
    #[error("entry {0} does not continue the entry before it")]
    Unlinked(u64),
    /// Entries are missing before this number.
    #[error("entries are missing before entry {0}")]
    Missing(u64),
}

impl ChainBreak {
    /// Number of the entry that is named.
    #[must_use]
    pub fn no(&self) -> u64 {
        match self {
            Self::Changed(no) | Self::Unlinked(no) | Self::Missing(no) => *no,
        }
    }
}

impl AuditEntry {
    /// The hash its contents have.
    #[must_use]
    pub fn digest(&self) -> AuditHash {
        let mut hash = Sha256::new();
        hash.update(MARK);
        hash.update(self.chain.as_bytes());
        hash.update(self.no.to_be_bytes());
        hash.update(self.at.0.to_be_bytes());
        for text in [
            &self.actor,
            &self.source,
            &self.action,
            &self.object,
            &self.detail,
        ] {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            hash.update(length.to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(self.previous.0);
        AuditHash(hash.finalize().into())
    }

    /// The entry with its hash filled in.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.hash = self.digest();
        self
    }

    /// Checks the entry itself, and against the number and hash of the one before it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn follows(&self, (no, hash): (u64, AuditHash)) -> Result<(), ChainBreak> {
        if self.hash != self.digest() {
            return Err(ChainBreak::Changed(self.no));
        }
        if Some(self.no) != no.checked_add(1) {
            return Err(ChainBreak::Missing(self.no));
        }
        if self.previous != hash {
            return Err(ChainBreak::Unlinked(self.no));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn entry(no: u64, previous: AuditHash) -> AuditEntry {
        AuditEntry {
            chain: Uuid::from_u128(7),
            no,
            at: Timestamp(1_760_000_000_000),
            actor: "ada".into(),
            source: "192.0.2.7".into(),
            action: action::LOGIN.into(),
            object: "ada".into(),
            detail: String::new(),
            previous,
            hash: AuditHash::ZERO,
        }
        .sealed()
    }

    #[test]
    fn the_hash_is_fixed_for_ever() {
        // Computed by Python's hashlib from the layout above.
        let expected = "a16127dd4ee7c1a1d376b8d6a4298abd027dce195931b5d8b4e9227671a16e96";
        assert_eq!(entry(1, AuditHash::ZERO).hash.to_string(), expected);
    }

    #[test]
    fn entries_follow_one_another_and_changes_are_named() {
        let first = entry(1, AuditHash::ZERO);
        let second = entry(2, first.hash);
        assert_eq!(first.follows((0, AuditHash::ZERO)), Ok(()));
        assert_eq!(second.follows((1, first.hash)), Ok(()));
        assert_eq!(second.follows((0, first.hash)), Err(ChainBreak::Missing(2)));
        assert_eq!(
            second.follows((1, AuditHash::ZERO)),
            Err(ChainBreak::Unlinked(2))
        );
        let mut changed = second.clone();
        changed.actor = "bob".into();
        assert_eq!(
            changed.follows((1, first.hash)),
            Err(ChainBreak::Changed(2))
        );
        // Text moved from one field to the next is another text.
        let mut moved = second;
        moved.actor = "ad".into();
        moved.source = "a192.0.2.7".into();
        assert_ne!(moved.digest(), moved.hash);
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = entry(1, AuditHash::ZERO).hash;
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("00".parse::<AuditHash>().is_err());
        assert!("zz".repeat(32).parse::<AuditHash>().is_err());
    }
}
