//! Any octets as a backup, and any octets inside an envelope that opens: the list, the files, and what
//! follows. Nothing may be written outside the folder it is unpacked into.
#![no_main]
#![expect(dead_code, reason = "the daemon's files are here whole")]

extern crate self as riser_store;

mod opened;

/// As the store's, in a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StateFacts {
    pub schema: i64,
    pub points: u64,
    pub users: u64,
    pub alarms: u64,
    pub audit_last: u64,
}

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use std::path::Path;

const PASSPHRASE: &[u8] = b"a key for fuzzing";
const HEADER: &str = "{\"format\":1,\"kdf\":\"argon2id\",\"memory_kib\":8,\"rounds\":1,\"lanes\":1,\
    \"salt\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],\
    \"nonce\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}";

/// An envelope of one chunk whose key is made quickly.
fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut key = [0; 32];
    let params = argon2::Params::new(8, 1, 1, Some(32)).expect("parameters");
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(PASSPHRASE, &[0; 16], &mut key)
        .expect("a key");
    let mut nonce = [0; 24];
    nonce[23] = 1;
    let payload = Payload {
        msg: plain,
        aad: HEADER.as_bytes(),
    };
    let cipher = XChaCha20Poly1305::new(&Key::from(key));
    let chunk = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .expect("a chunk");
    let length = u32::try_from(HEADER.len()).expect("a short header");
    [
        b"RISERBK1",
        &length.to_be_bytes()[..],
        HEADER.as_bytes(),
        &chunk,
    ]
    .concat()
}

/// A list of one file with this path, size and hash, then the file.
fn listed(path: &str, octets: &[u8]) -> Vec<u8> {
    let path = serde_json::to_string(path).expect("a string");
    let hash: [u8; 32] = Sha256::digest(octets).into();
    let hash: String = hash.iter().map(|o| format!("{o:02x}")).collect();
    let list = format!(
        "{{\"format\":1,\"tenant\":\"t\",\"gateway\":\"g\",\"name\":\"n\",\"version\":\"0\",\
         \"made_at\":0,\"state\":{{\"schema\":1,\"points\":0,\"users\":0,\"alarms\":0,\"audit_last\":0}},\
         \"configuration\":\"riser.toml\",\"with_history\":false,\"with_identity\":false,\
         \"files\":[{{\"place\":\"data\",\"path\":{path},\"size\":{},\"sha256\":\"{hash}\"}}]}}",
        octets.len()
    );
    let length = u32::try_from(list.len()).expect("a short list");
    [&length.to_be_bytes()[..], list.as_bytes(), octets].concat()
}

fn unpack(home: &Path, octets: &[u8]) -> bool {
    let file = home.join("file");
    std::fs::write(&file, octets).expect("a file in memory");
    let looked = opened::archive::unpack(&file, PASSPHRASE, None).is_ok();
    let inside = home.join("inside");
    std::fs::create_dir_all(&inside).expect("a folder in memory");
    let unpacked = opened::archive::unpack(&file, PASSPHRASE, Some(&inside)).is_ok();
    std::fs::remove_dir_all(&inside).expect("a folder in memory");
    std::fs::remove_file(&file).expect("a file in memory");
    let rest = std::fs::read_dir(home).expect("a folder in memory").count();
    assert_eq!(rest, 0, "something lies outside");
    assert!(
        looked || !unpacked,
        "a look takes no more than unpacking does"
    );
    unpacked
}

fuzz_target!(|octets: &[u8]| {
    let home = std::env::temp_dir().join(format!("riser-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a folder");
    let Some((how, rest)) = octets.split_first() else {
        return;
    };
    // Much text is nothing to find here.
    let rest = &rest[..rest.len().min(32 * 1024)];
    let zip = |plain: &[u8]| zstd::bulk::compress(plain, 1).expect("compressed");
    let cut = rest.iter().position(|o| *o == 0).unwrap_or(rest.len());
    let (path, octets) = rest.split_at(cut);
    let path = String::from_utf8_lossy(path);
    let file = match how % 4 {
        0 => rest.to_vec(),
        1 => sealed(rest),
        2 => sealed(&zip(rest)),
        _ => sealed(&zip(&listed(&path, octets))),
    };
    let unpacked = unpack(&home, &file);
    assert!(unpacked || how % 4 < 3 || path != "state.db");
});
