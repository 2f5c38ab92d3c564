//! The encrypted envelope of a backup. Owns its octets: readable by this and every later version, or
//! refused with the reason.
//!
//! `RISERBK1`, the length of the header (u32, big-endian), the header (JSON: how the key is made of
//! the passphrase), then chunks of 64 KiB sealed with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03)
//! in the STREAM construction: nonce = 19 random octets, the chunk's number (u32, big-endian), 1 for
//! the last chunk. The header is associated data of every chunk, so nothing of the file can be
//! changed, cut off, appended or moved unnoticed. The key is Argon2id (RFC 9106) of the passphrase.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"RISERBK1";
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
/// A header is about 200 octets.
const HEADER_MAX: u32 = 4_096;
/// Bounds of what a file may ask of the machine that opens it: 1 GiB, 16 rounds.
const MEMORY_MAX: u32 = 1 << 20;
const ROUNDS_MAX: u32 = 16;

/// Why an envelope cannot be opened or made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The file system said no.
    #[error("could not read or write the backup")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is no backup of Riser")]
    NotOne,
    /// It was made by a newer version.
    #[error(
        "the backup has format {0}, this version of Riser knows 1: use the Riser that made it, or a \
         newer one"
    )]
    Newer(u32),
    /// The first chunk does not open.
    #[error("the passphrase or key file does not fit this backup, or its beginning was changed")]
    Key,
    /// A later chunk does not open.
    #[error("the backup was changed or damaged after its first {0} octets")]
    Changed(u64),
    /// The last chunk is missing.
    #[error("the backup is cut off after {0} octets: the copy is not complete")]
    CutOff(u64),
    /// The key could not be made.
    #[error("could not make the key: {0}")]
    Derive(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    kdf: String,
    memory_kib: u32,
    rounds: u32,
    lanes: u32,
    salt: [u8; 16],
    nonce: [u8; 19],
}

impl Header {
    fn cipher(&self, passphrase: &[u8]) -> Result<XChaCha20Poly1305, SealError> {
        if self.format != 1 || self.kdf != "argon2id" {
            return Err(SealError::Newer(self.format));
        }
        if self.memory_kib > MEMORY_MAX || self.rounds > ROUNDS_MAX || self.lanes > 4 {
            return Err(SealError::NotOne);
        }
        let wrong = |error: argon2::Error| SealError::Derive(error.to_string());
        let params =
            Params::new(self.memory_kib, self.rounds, self.lanes, Some(32)).map_err(wrong)?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &self.salt, &mut key)
            .map_err(wrong)?;
        Ok(XChaCha20Poly1305::new(&Key::from(key)))
    }

    fn nonce(&self, number: u32, last: bool) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..19].copy_from_slice(&self.nonce);
        nonce[19..23].copy_from_slice(&number.to_be_bytes());
        nonce[23] = u8::from(last);
        XNonce::from(nonce)
    }
}

/// Seals what is written to it. [`Sealing::finish`] must be called; a file without its last chunk is
/// refused when it is opened.
pub(crate) struct Sealing<W> {
    out: W,
    header: Header,
    bound: Vec<u8>,
    cipher: XChaCha20Poly1305,
    chunk: Vec<u8>,
    number: u32,
}

impl<W: Write> Sealing<W> {
    /// Begins an envelope.
    pub(crate) fn begin(mut out: W, passphrase: &[u8]) -> Result<Self, SealError> {
        let header = Header {
            format: 1,
            kdf: "argon2id".to_owned(),
            memory_kib: 32 * 1024,
            rounds: 3,
            lanes: 1,
            salt: rand::random(),
            nonce: rand::random(),
        };
        let cipher = header.cipher(passphrase)?;
        let bound = serde_json::to_vec(&header).map_err(io::Error::from)?;
        let length = u32::try_from(bound.len()).unwrap_or(u32::MAX);
        out.write_all(MAGIC)?;
        out.write_all(&length.to_be_bytes())?;
        out.write_all(&bound)?;
        Ok(Self {
            out,
            header,
            bound,
            cipher,
            chunk: Vec::with_capacity(CHUNK),
            number: 0,
        })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.header.nonce(self.number, last);
        let payload = Payload {
            msg: &self.chunk,
            aad: &self.bound,
        };
        let sealed = self.cipher.encrypt(&nonce, payload);
        let sealed = sealed.map_err(|_| io::Error::other("a chunk could not be sealed"))?;
        self.number = self
            .number
            .checked_add(1)
            .ok_or_else(|| io::Error::other("a backup holds at most 256 TiB"))?;
        self.chunk.clear();
        self.out.write_all(&sealed)
    }

    /// Ends the envelope and gives back what it was written to.
    pub(crate) fn finish(mut self) -> Result<W, SealError> {
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // A full chunk waits for what follows: the last one is marked.
        if self.chunk.len() == CHUNK {
            self.seal(false)?;
        }
        let taken = octets.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens an envelope; what is read from it is exactly what was written.
pub(crate) struct Opening<R> {
    from: R,
    header: Header,
    bound: Vec<u8>,
    cipher: XChaCha20Poly1305,
    chunk: Vec<u8>,
    read: usize,
    ahead: Vec<u8>,
    number: u32,
    octets: u64,
    ended: bool,
}

impl<R: Read> Opening<R> {
    /// Opens the first chunk, so a wrong key is known at once.
    pub(crate) fn begin(mut from: R, passphrase: &[u8]) -> Result<Self, SealError> {
        let mut fixed = [0; 12];
        from.read_exact(&mut fixed).map_err(|_| SealError::NotOne)?;
        let (magic, length) = fixed.split_at(8);
        let length = u32::from_be_bytes(length.try_into().map_err(|_| SealError::NotOne)?);
        if magic != MAGIC || length > HEADER_MAX {
            return Err(SealError::NotOne);
        }
        let mut bound = vec![0; length as usize];
        from.read_exact(&mut bound)
            .map_err(|_| SealError::CutOff(12))?;
        let header: Header = serde_json::from_slice(&bound).map_err(|_| SealError::NotOne)?;
        let cipher = header.cipher(passphrase)?;
        let mut opening = Self {
            from,
            header,
            octets: 12 + u64::from(length),
            bound,
            cipher,
            chunk: Vec::new(),
            read: 0,
            ahead: Vec::new(),
            number: 0,
            ended: false,
        };
        opening.ahead = opening.sealed_chunk()?;
        opening.next_chunk()?;
        Ok(opening)
    }

    fn sealed_chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut sealed = Vec::new();
        let most = (CHUNK + TAG) as u64;
        self.from.by_ref().take(most).read_to_end(&mut sealed)?;
        Ok(sealed)
    }

    fn next_chunk(&mut self) -> Result<(), SealError> {
        let sealed = std::mem::take(&mut self.ahead);
        self.ahead = self.sealed_chunk()?;
        let last = self.ahead.is_empty();
        let open = |last| {
            let payload = Payload {
                msg: &sealed,
                aad: &self.bound,
            };
            let nonce = self.header.nonce(self.number, last);
            self.cipher.decrypt(&nonce, payload)
        };
        match open(last) {
            Ok(plain) => self.chunk = plain,
            // Whole, but not marked as the last one.
            Err(_) if last && open(false).is_ok() => {
                return Err(SealError::CutOff(self.octets + sealed.len() as u64));
            }
            Err(_) if self.number == 0 => return Err(SealError::Key),
            Err(_) if last => return Err(SealError::CutOff(self.octets)),
            Err(_) => return Err(SealError::Changed(self.octets)),
        }
        self.octets += sealed.len() as u64;
        self.number = self.number.saturating_add(1);
        self.read = 0;
        self.ended = last;
        Ok(())
    }
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() && !self.ended {
            self.next_chunk().map_err(io::Error::other)?;
        }
        let rest = &self.chunk[self.read..];
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.read += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealing = Sealing::begin(Vec::new(), b"correct horse").unwrap();
        sealing.write_all(plain).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(file: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, String> {
        let mut opening = Opening::begin(file, passphrase).map_err(|e| e.to_string())?;
        let mut plain = Vec::new();
        let read = opening.read_to_end(&mut plain);
        read.map(|_| plain).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_sealed_opens_and_nothing_else() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let plain: Vec<u8> = (0..=250).cycle().take(length).collect();
            let file = sealed(&plain);
            assert_eq!(opened(&file, b"correct horse").unwrap(), plain, "{length}");
            let wrong = opened(&file, b"wrong horse").unwrap_err();
            assert!(wrong.contains("does not fit"), "{wrong}");
            let short = &file[..file.len() - 1];
            assert!(opened(short, b"correct horse").is_err(), "{length}");
            let mut changed = file.clone();
            *changed.last_mut().unwrap() ^= 1;
            assert!(opened(&changed, b"correct horse").is_err(), "{length}");
        }
    }

    #[test]
    fn a_file_cut_between_chunks_is_cut_off() {
        let file = sealed(&vec![7; 3 * CHUNK]);
        let cut = file.len() - (CHUNK + TAG);
        let error = opened(&file[..cut], b"correct horse").unwrap_err();
        assert!(error.contains("cut off"), "{error}");
        let mut header = file;
        header[20] ^= 1;
        assert!(opened(&header, b"correct horse").is_err());
        assert!(opened(b"something else entirely", b"x").is_err());
    }
}
