//! Keys from a file of one of the usual key tools. Owns which shapes are understood: `devices.json`
//! and `snapshot.json` of tinytuya, the list `tuya-cli wizard` prints, and the answer of the vendor's
//! own device list (`result`, `local_key`).

use crate::codec::{LocalKey, Version, beacon::is_id};
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// Longest file read.
const LONGEST: u64 = 8 * 1024 * 1024;

/// A device as a key tool lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDevice {
    /// Identity.
    pub id: String,
    /// Its key, where it has one of its own.
    pub key: Option<LocalKey>,
    /// The name in the vendor's application.
    pub name: Option<String>,
    /// Version, where the tool has seen it.
    pub version: Option<Version>,
    /// Node, where it is a sub-device of a gateway.
    pub node: Option<String>,
}

/// A file with keys.
#[derive(Debug, Clone)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The file at a path; nothing is opened.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it holds now.
    pub fn read(&self) -> Result<Vec<KnownDevice>, String> {
        let path = self.0.display();
        let unreadable = |e: std::io::Error| format!("{path} could not be read: {e}");
        let length = std::fs::metadata(&self.0).map_err(unreadable)?.len();
        if length > LONGEST {
            return Err(format!(
                "{path} has {length} octets; a list of keys is far shorter"
            ));
        }
        let text = std::fs::read_to_string(&self.0).map_err(unreadable)?;
        read(&text).map_err(|problem| format!("{path}: {problem}"))
    }

    /// The key it holds of one device by now.
    pub async fn key_of(&self, id: &str) -> Option<LocalKey> {
        let length = tokio::fs::metadata(&self.0).await.ok()?.len();
        let text = tokio::fs::read_to_string(&self.0)
            .await
            .ok()
            .filter(|_| length <= LONGEST)?;
        read(&text).ok()?.into_iter().find(|d| d.id == id)?.key
    }
}

impl KeyFile {
    /// Writes a device's key into the list, whole or not at all.
    pub async fn store(&self, id: &str, key: &LocalKey) -> Result<(), String> {
        let wrong =
            |e: &dyn std::fmt::Display| format!("{} could not be written: {e}", self.0.display());
        let text = tokio::fs::read_to_string(&self.0)
            .await
            .map_err(|e| wrong(&e))?;
        let mut json: Json = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
        let key = key.text().ok_or_else(|| wrong(&"the key is no text"))?;
        if !put(&mut json, id, &key) {
            return Err(wrong(&format!("it does not list {id}")));
        }
        let text = serde_json::to_string_pretty(&json).map_err(|e| wrong(&e))?;
        self.replace(text.as_bytes()).await.map_err(|e| wrong(&e))
    }

    async fn replace(&self, text: &[u8]) -> std::io::Result<()> {
        let name = self.0.file_name().unwrap_or_default().to_string_lossy();
        let fresh = self.0.with_file_name(format!(".{name}.new"));
        let mut file = tokio::fs::File::create(&fresh).await?;
        // Keys are nobody else's business: the new file may be read by whom the old one might.
        file.set_permissions(tokio::fs::metadata(&self.0).await?.permissions())
            .await?;
        file.write_all(text).await?;
        file.sync_all().await?;
        tokio::fs::rename(&fresh, &self.0).await
    }
}

/// Replaces the key of a device wherever in the list it stands.
fn put(json: &mut Json, id: &str, key: &str) -> bool {
    match json {
        Json::Array(list) => {
            list.iter_mut()
                .map(|entry| put(entry, id, key))
                .filter(|done| *done)
                .count()
                > 0
        }
        Json::Object(entry)
            if ID
                .iter()
                .any(|k| entry.get(*k).and_then(Json::as_str) == Some(id)) =>
        {
            let field = KEY
                .iter()
                .find(|k| entry.contains_key(**k))
                .unwrap_or(&"key");
            entry.insert((*field).to_owned(), Json::from(key));
            true
        }
        Json::Object(entry) => {
            entry
                .values_mut()
                .map(|inner| put(inner, id, key))
                .filter(|done| *done)
                .count()
                > 0
        }
        _ => false,
    }
}

const ID: [&str; 5] = ["id", "devId", "dev_id", "device_id", "gwId"];
const KEY: [&str; 3] = ["key", "local_key", "localKey"];

/// Understands a list of devices.
pub fn read(text: &str) -> Result<Vec<KnownDevice>, String> {
    let json: Json = serde_json::from_str(text).map_err(|e| format!("is not JSON: {e}"))?;
    let inner = |key: &str| json.get(key)?.as_array();
    let list = json
        .as_array()
        .or_else(|| inner("devices"))
        .or_else(|| inner("result"))
        .or_else(|| json.get("result")?.get("list")?.as_array())
        .ok_or("holds no list of devices; take devices.json of tinytuya, the list tuya-cli wizard prints, or the vendor's own device list")?;
    let devices: Vec<KnownDevice> = list
        .iter()
        .filter_map(Json::as_object)
        .filter_map(device)
        .collect();
    if devices.is_empty() {
        return Err("holds no device with an id".to_owned());
    }
    Ok(devices)
}

fn device(entry: &Map<String, Json>) -> Option<KnownDevice> {
    let word = |keys: &[&str]| {
        let found = keys.iter().find_map(|k| entry.get(*k)?.as_str());
        found.filter(|w| !w.is_empty()).map(str::to_owned)
    };
    let id = word(&ID).filter(|id| is_id(id))?;
    Some(KnownDevice {
        key: word(&KEY).and_then(|k| LocalKey::parse(&k).ok()),
        name: word(&["name"]),
        version: word(&["version", "ver"]).and_then(|v| Version::parse(&v)),
        node: word(&["node_id", "nodeId", "cid"]).filter(|n| is_id(n)),
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_shape_is_understood() {
        let key = LocalKey::parse("abcdefgh<'$!3456").unwrap();
        let entry = |k: &str| format!(r#"{{"id":"bf01","{k}":"abcdefgh<'$!3456","name":"Plug"}}"#);
        for text in [
            format!("[{}]", entry("key")),
            format!(r#"{{"timestamp":1,"devices":[{}]}}"#, entry("key")),
            format!(r#"{{"result":[{}]}}"#, entry("local_key")),
            format!(r#"{{"result":{{"list":[{}]}}}}"#, entry("localKey")),
        ] {
            let devices = read(&text).unwrap();
            assert_eq!(devices[0].id, "bf01");
            assert_eq!(devices[0].key.as_ref(), Some(&key));
        }
        assert!(read("{}").unwrap_err().contains("devices.json"));
        assert!(read("[]").unwrap_err().contains("no device"));
    }
}
