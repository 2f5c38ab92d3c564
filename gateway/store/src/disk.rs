//! How much room there is and how worn the flash is. Owns the stages of a disk that fills and when
//! one follows another; what is given up at each is done where it is kept.
//!
//! | stage | what is given up |
//! |---|---|
//! | ample | nothing |
//! | low | the oldest days of history, sent ones first |
//! | scarce | compaction too, which needs room while it works; there is no history left to drop |
//! | full | samples: they wait in memory and the oldest go, counted; events, alarms and the audit log are still written, from the reserve |

use crate::writer::Writer;
use crate::{StoreConfig, files};
use riser_model::{DiskStage, Wear};
use std::path::Path;
use std::sync::atomic::Ordering;

/// What decides the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Free octets.
    pub(crate) free: u64,
    /// How many must be.
    pub(crate) least: u64,
    /// Whether a day could still be dropped.
    pub(crate) droppable: bool,
    /// Whether a write was refused for want of room, and none has worked since.
    pub(crate) refused: bool,
}

/// The stage, given the one before: to leave one takes a tenth more than not to enter it.
pub(crate) fn stage(before: DiskStage, room: Room) -> DiskStage {
    let Room {
        free,
        least,
        droppable,
        refused,
    } = room;
    if refused {
        return DiskStage::Full;
    }
    let below = |limit: u64, stage: DiskStage| {
        let limit = match before >= stage {
            true => limit.saturating_add(limit / 10),
            false => limit,
        };
        free < limit
    };
    if !droppable && below(least / 2, DiskStage::Scarce) {
        DiskStage::Scarce
    } else if below(least, DiskStage::Low) {
        DiskStage::Low
    } else {
        DiskStage::Ample
    }
}

/// The most worn eMMC below a folder such as `/sys/block`; `None` where there is none.
pub(crate) fn wear(blocks: &Path) -> Option<Wear> {
    let devices = std::fs::read_dir(blocks).ok()?.flatten();
    let found = devices.filter_map(|device| {
        let name = device.file_name();
        let name = name.to_str()?;
        // Its boot areas are blocks of their own and show the same.
        (name.starts_with("mmcblk") && !name.contains("boot")).then_some(())?;
        wear_of(&device.path().join("device"))
    });
    found.max_by_key(|wear| (wear.used_percent, wear.spare))
}

fn wear_of(device: &Path) -> Option<Wear> {
    // Two areas, in tenths: `0x01 0x02`; 0 is "not defined", 0x0b is exceeded.
    let life = std::fs::read_to_string(device.join("life_time")).ok()?;
    let tenths = life.split_whitespace().filter_map(hex).max()?;
    let spare = std::fs::read_to_string(device.join("pre_eol_info"));
    let spare = spare.ok().and_then(|text| hex(text.trim())).unwrap_or(0);
    Some(Wear {
        used_percent: tenths.min(11).saturating_mul(10),
        spare,
    })
}

fn hex(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

impl crate::shared::Shared {
    /// The stage as of the last look.
    pub(crate) fn stage(&self) -> DiskStage {
        DiskStage::from_number(self.counters.stage.load(Ordering::Relaxed))
    }

    fn set_stage(&self, stage: DiskStage) {
        self.counters.stage.store(stage as u64, Ordering::Relaxed);
    }
}

impl Writer {
    /// Looks how much room there is, and says so when the stage is another one.
    pub(crate) fn look_at_disk(&mut self) {
        let config: &StoreConfig = &self.shared.config;
        let free = (config.free_space)(&config.dir);
        let figure = free.map_or(0, |f| f.saturating_add(1));
        let counters = &self.shared.counters;
        counters
            .free_bytes_plus_one
            .store(figure, Ordering::Relaxed);
        let refused = self.refused_for_room();
        let Some(free) = free.or(refused.then_some(0)) else {
            return;
        };
        let room = Room {
            free,
            least: files::floor(config),
            droppable: self.shared.catalog().files().len() > 1,
            refused,
        };
        let before = self.shared.stage();
        let stage = stage(before, room);
        if stage != before {
            self.shared.set_stage(stage);
            match stage.advice() {
                Some(advice) => tracing::warn!(?stage, free, "{advice}"),
                None => tracing::info!(free, "there is room on the disk again"),
            }
        }
        *self.shared.wear() = wear(&self.shared.config.blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(free: u64, droppable: bool) -> Room {
        Room {
            free,
            least: 1_000,
            droppable,
            refused: false,
        }
    }

    #[test]
    fn a_disk_that_fills_goes_through_every_stage_and_back() {
        use DiskStage::{Ample, Full, Low, Scarce};
        let refused = Room {
            refused: true,
            ..room(0, false)
        };
        let mut before = Ample;
        for (now, want) in [
            (room(1_000, true), Ample),
            (room(999, true), Low),
            (room(1_050, true), Low),
            (room(400, true), Low),
            (room(499, false), Scarce),
            (room(540, false), Scarce),
            (room(560, false), Low),
            (room(100, false), Scarce),
            (refused, Full),
            (room(10, false), Scarce),
            (room(5_000, false), Ample),
        ] {
            before = stage(before, now);
            assert_eq!(before, want, "{now:?}");
            assert_eq!(before.advice().is_none(), before == Ample);
            assert_eq!(DiskStage::from_number(before as u64), before);
        }
    }

    #[test]
    fn the_most_worn_flash_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(wear(&dir.path().join("none")), None);
        let device = |name: &str, life: &str, spare: Option<&str>| {
            let device = dir.path().join(name).join("device");
            std::fs::create_dir_all(&device).unwrap();
            std::fs::write(device.join("life_time"), life).unwrap();
            if let Some(spare) = spare {
                std::fs::write(device.join("pre_eol_info"), spare).unwrap();
            }
        };
        // A card in a slot does not say; neither does a disk.
        std::fs::create_dir_all(dir.path().join("mmcblk1/device")).unwrap();
        device("sda", "0x0b 0x0b", None);
        assert_eq!(wear(dir.path()), None);
        device("mmcblk0", "0x01 0x02\n", Some("0x01\n"));
        device("mmcblk0boot0", "0x0b 0x0b\n", Some("0x03\n"));
        let good = wear(dir.path()).unwrap();
        assert_eq!((good.used_percent, good.spare), (20, 1));
        assert_eq!(good.advice(), None);
        device("mmcblk2", "0x09 0x0a\n", None);
        let worn = wear(dir.path()).unwrap();
        assert_eq!((worn.used_percent, worn.spare), (100, 0));
        assert!(worn.advice().unwrap().contains("plan to replace"));
        device("mmcblk2", "0x0b 0x01\n", Some("0x03\n"));
        let over = wear(dir.path()).unwrap();
        assert!(over.advice().unwrap().contains("end of its life"));
    }
}
