//! The ciphers and checks of the protocol over one 16-octet key. Owns the key type, which never shows
//! itself in a log, and its fingerprint, which may.

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, Payload};
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use std::fmt;

/// Octets of a block, a key and a session nonce.
pub const BLOCK: usize = 16;

/// The key of a device, or one agreed on for a session.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalKey([u8; BLOCK]);

impl LocalKey {
    /// A key out of octets.
    #[must_use]
    pub const fn new(octets: [u8; BLOCK]) -> Self {
        Self(octets)
    }

    /// A key as the key tools print it: 16 characters, any of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.as_bytes().try_into().map(Self).map_err(|_| {
            format!(
                "a local key has 16 characters and this text has {}; take it exactly as the key tool prints it, and write it in single quotes",
                text.chars().count()
            )
        })
    }

    /// The key as text, for the file it is kept in and for nothing else.
    pub(crate) fn text(&self) -> Option<String> {
        std::str::from_utf8(&self.0).ok().map(str::to_owned)
    }

    /// Eight hexadecimal digits that tell keys apart and do not give them away.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"riser tuya key");
        hash.update(self.0);
        hex(&hash.finalize()[..4])
    }

    /// AES-ECB with PKCS#7 padding.
    #[must_use]
    pub fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let cipher = Aes128::new(&self.0.into());
        let padding = BLOCK - plain.len() % BLOCK;
        let mut out = plain.to_vec();
        out.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(0));
        for chunk in out.chunks_exact_mut(BLOCK) {
            if let Ok(block) = <&mut [u8; BLOCK]>::try_from(chunk) {
                cipher.encrypt_block(block.into());
            }
        }
        out
    }

    /// The inverse; `None` when it was not made with this key.
    #[must_use]
    pub fn decrypt(&self, secret: &[u8]) -> Option<Vec<u8>> {
        if secret.is_empty() || !secret.len().is_multiple_of(BLOCK) {
            return None;
        }
        let cipher = Aes128::new(&self.0.into());
        let mut out = secret.to_vec();
        for chunk in out.chunks_exact_mut(BLOCK) {
            let block = <&mut [u8; BLOCK]>::try_from(chunk).ok()?;
            cipher.decrypt_block(block.into());
        }
        let padding = usize::from(*out.last()?);
        let length = out.len().checked_sub(padding)?;
        let padded = (1..=BLOCK).contains(&padding)
            && out.iter().skip(length).all(|o| usize::from(*o) == padding);
        padded.then(|| {
            out.truncate(length);
            out
        })
    }

    /// One block without padding.
    #[must_use]
    pub fn encrypt_block(&self, mut block: [u8; BLOCK]) -> [u8; BLOCK] {
        Aes128::new(&self.0.into()).encrypt_block((&mut block).into());
        block
    }

    /// AES-GCM: cipher text and tag.
    #[must_use]
    pub fn seal(&self, nonce: [u8; 12], header: &[u8], plain: &[u8]) -> Vec<u8> {
        let payload = Payload {
            msg: plain,
            aad: header,
        };
        // Sealing fails only beyond 64 GiB, and frames are bounded.
        Aes128Gcm::new(&self.0.into())
            .encrypt(&nonce.into(), payload)
            .unwrap_or_default()
    }

    /// The inverse; `None` when the tag is not right.
    #[must_use]
    pub fn open(&self, nonce: [u8; 12], header: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
        let payload = Payload {
            msg: secret,
            aad: header,
        };
        Aes128Gcm::new(&self.0.into())
            .decrypt(&nonce.into(), payload)
            .ok()
    }

    /// HMAC-SHA256.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> [u8; 32] {
        self.mac(text).finalize().into_bytes().into()
    }

    /// Whether a signature is right, in constant time.
    #[must_use]
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        self.mac(text).verify_slice(signature).is_ok()
    }

    /// The signature of 3.1: the middle half of an MD5 over the enciphered text and the key.
    #[must_use]
    pub fn sign_31(&self, text: &[u8]) -> String {
        let mut hash = Md5::new();
        hash.update(b"data=");
        hash.update(text);
        hash.update(b"||lpv=3.1||");
        hash.update(self.0);
        hex(&hash.finalize()[4..12])
    }

    fn mac(&self, text: &[u8]) -> Hmac<Sha256> {
        // A key of any length is accepted.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0)
            .expect("HMAC takes a key of any length");
        mac.update(text);
        mac
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.fingerprint())
    }
}

/// The session key of 3.4 and 3.5, out of both nonces.
#[must_use]
pub fn session_key(
    device: &LocalKey,
    gcm: bool,
    ours: [u8; BLOCK],
    theirs: [u8; BLOCK],
) -> LocalKey {
    let mut mixed = ours;
    for (a, b) in mixed.iter_mut().zip(theirs) {
        *a ^= b;
    }
    if !gcm {
        return LocalKey(device.encrypt_block(mixed));
    }
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&ours[..12]);
    let sealed = device.seal(nonce, &[], &mixed);
    let mut key = [0; BLOCK];
    for (k, s) in key.iter_mut().zip(sealed) {
        *k = s;
    }
    LocalKey(key)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_show_itself() {
        let key = LocalKey::parse("0123456789abcdef").unwrap();
        assert!(!format!("{key:?}").contains("0123"));
        assert!(LocalKey::parse("too short").unwrap_err().contains("9"));
    }

    #[test]
    fn padding_of_another_key_is_refused() {
        let key = LocalKey::parse("0123456789abcdef").unwrap();
        let other = LocalKey::parse("fedcba9876543210").unwrap();
        let secret = key.encrypt(b"{\"dps\":{}}");
        assert_eq!(key.decrypt(&secret).as_deref(), Some(&b"{\"dps\":{}}"[..]));
        assert_ne!(
            other.decrypt(&secret).as_deref(),
            Some(&b"{\"dps\":{}}"[..])
        );
        assert_eq!(key.decrypt(&secret[1..]), None);
    }
}
