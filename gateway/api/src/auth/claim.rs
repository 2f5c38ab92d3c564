//! The code that proves somebody stands beside a new gateway. Owns how a code looks and the pause
//! after wrong ones; who is told the code is the daemon's.

use super::AuthError;
use super::limit::Strikes;
use rand::RngExt;
use riser_model::Timestamp;
use riser_store::Lockout;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// Without 0, 1, I and O, which are taken for each other.
const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// 10 letters of 32 are 50 bits: more than anybody tries at five per quarter of an hour.
const LENGTH: usize = 10;

/// The claim code of one unit. Its text is for people; comparing ignores case, blanks and dashes.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimCode(String);

impl ClaimCode {
    /// A new random code.
    #[must_use]
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        let letter = |_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]);
        Self((0..LENGTH).map(letter).collect())
    }

    /// A code given by whoever makes the units: at least 8 letters or digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code = plain(text);
        (8..=64).contains(&code.len()).then_some(Self(code))
    }

    fn matches(&self, given: &str) -> bool {
        // Digests have one length whatever was given, so time tells nothing.
        let own = Sha256::digest(self.0.as_bytes());
        let other = Sha256::digest(plain(given).as_bytes());
        own.as_slice().ct_eq(other.as_slice()).into()
    }
}

/// In groups of five: `7KQ2M-XW94T`.
impl fmt::Display for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in self.0.chars().enumerate() {
            if index > 0 && index % 5 == 0 {
                f.write_str("-")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimCode(…)")
    }
}

fn plain(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.take(65).map(|c| c.to_ascii_uppercase()).collect()
}

/// Compares codes, and pauses after too many wrong ones.
pub(super) struct ClaimGuard {
    code: Option<ClaimCode>,
    strikes: Strikes,
}

impl ClaimGuard {
    pub(super) fn new(code: Option<ClaimCode>, lockout: Lockout) -> Self {
        Self {
            code,
            strikes: Strikes::new(lockout),
        }
    }

    pub(super) fn check(&mut self, given: &str, now: Timestamp) -> Result<(), AuthError> {
        self.strikes.check(now)?;
        if self.code.as_ref().is_some_and(|code| code.matches(given)) {
            return Ok(());
        }
        self.strikes.add(now);
        tracing::warn!("somebody tried to claim this gateway with a wrong code");
        Err(AuthError::WrongCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let code = ClaimCode::generate();
        let text = code.to_string();
        assert_eq!(text.len(), LENGTH + 1);
        assert!(code.matches(&text));
        assert!(code.matches(&text.to_lowercase().replace('-', " ")));
        assert!(!code.matches(""));
        assert!(!code.matches(&text[..9]));
        assert!(ClaimCode::parse("short-1").is_none());
        assert_eq!(ClaimCode::parse(&text), Some(code));
    }

    #[test]
    fn five_wrong_codes_pause_even_the_right_one() {
        let code = ClaimCode::generate();
        let lockout = Lockout {
            after: 5,
            for_ms: 900_000,
        };
        let mut guard = ClaimGuard::new(Some(code.clone()), lockout);
        for _ in 0..5 {
            let wrong = guard.check("WRONG-WRONG", Timestamp(0));
            assert!(matches!(wrong, Err(AuthError::WrongCode)));
        }
        let paused = guard.check(&code.to_string(), Timestamp(899_999));
        assert!(matches!(
            paused,
            Err(AuthError::Locked { retry_after_s: 1 })
        ));
        assert!(guard.check(&code.to_string(), Timestamp(900_000)).is_ok());
    }
}
