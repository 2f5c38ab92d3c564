//! What is remembered of the time across a restart, in one small file. Owns its format and how
//! often it is written: seldom, for the sake of the flash.

use super::timeline::Assumed;
use riser_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::Path;

/// Time between two writings, in milliseconds: 288 small writes a day.
pub(super) const KEEP_EVERY: i64 = 300_000;
const NAME: &str = "clock.json";

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kept {
    /// The latest time known, milliseconds since 1970; 0 for none.
    pub(super) last: i64,
    /// Which start of the machine it was.
    pub(super) boot: String,
    /// The assumed line of time, while the time was not known.
    pub(super) assumed: Option<Assumed>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    last: i64,
    boot: String,
    /// Offset against the monotonic clock, and when the line began.
    assumed: Option<(i64, i64)>,
}

impl Kept {
    /// What is remembered in a folder; nothing if there is nothing readable.
    pub(super) fn read(dir: &Path) -> Self {
        let file = dir.join(NAME);
        let Ok(text) = std::fs::read(&file) else {
            return Self::default();
        };
        match serde_json::from_slice::<Document>(&text) {
            Ok(found) => Self {
                last: found.last,
                boot: found.boot,
                assumed: found.assumed.map(|(offset, since)| Assumed {
                    offset,
                    since: Timestamp(since),
                }),
            },
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "the remembered time is unreadable");
                Self::default()
            }
        }
    }

    /// Remembers; a power cut leaves the text before or this one.
    pub(super) fn write(&self, dir: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        let document = Document {
            last: self.last,
            boot: self.boot.clone(),
            assumed: self.assumed.map(|line| (line.offset, line.since.0)),
        };
        let text = serde_json::to_vec(&document)?;
        let (file, fresh) = (dir.join(NAME), dir.join("clock.json.new"));
        let mut out = std::fs::File::create(&fresh)?;
        out.write_all(&text)?;
        out.sync_all()?;
        std::fs::rename(&fresh, &file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Kept::read(dir.path()), Kept::default());
        let kept = Kept {
            last: 1_800_000_000_000,
            boot: "a-b".to_owned(),
            assumed: Some(Assumed {
                offset: -5,
                since: Timestamp(7),
            }),
        };
        kept.write(dir.path()).unwrap();
        assert_eq!(Kept::read(dir.path()), kept);
        std::fs::write(dir.path().join(NAME), "{\"last\":").unwrap();
        assert_eq!(Kept::read(dir.path()), Kept::default());
    }
}
