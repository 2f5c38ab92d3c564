//! What has been learned of a device and outlives a restart: the version it speaks, whether its data
//! points have to be asked for by name, and which key worked, by its fingerprint. Never the key.

use crate::codec::{LocalKey, Version};
use riser_adapter::Memory;

/// Notes about one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// It was talked to in this version.
    pub(super) version: Option<Version>,
    /// It gives data points only by name.
    pub(super) named: bool,
    /// Fingerprint of the key that worked last.
    pub(super) key: Option<String>,
}

impl Learned {
    pub(super) async fn recall(memory: &dyn Memory, id: &str) -> Self {
        memory
            .get(&note(id))
            .await
            .map_or_else(Self::default, |text| Self::parse(&text))
    }

    pub(super) async fn keep(&self, memory: &dyn Memory, id: &str) {
        memory.put(&note(id), Some(self.text())).await;
    }

    pub(super) fn knows(&self, key: &LocalKey) -> bool {
        self.key.as_ref() == Some(&key.fingerprint())
    }

    /// Unknown words are passed over: another version of the program may have written them.
    fn parse(text: &str) -> Self {
        let mut learned = Self::default();
        for (word, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            match word {
                "version" => learned.version = Version::parse(value),
                "named" => learned.named = value == "1",
                "key" => learned.key = Some(value.to_owned()),
                _ => {}
            }
        }
        learned
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.version.map(|v| format!("version={v}")));
        parts.extend(self.named.then(|| "named=1".to_owned()));
        parts.extend(self.key.as_ref().map(|k| format!("key={k}")));
        parts.join(";")
    }
}

fn note(id: &str) -> String {
    format!("device/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_being_written() {
        let learned = Learned {
            version: Some(Version::V34),
            named: true,
            key: Some("ab12cd34".to_owned()),
        };
        assert_eq!(Learned::parse(&learned.text()), learned);
        assert_eq!(Learned::parse("nonsense;version=9.9"), Learned::default());
    }
}
