//! What a disk that fills or wears out makes known. Owns how urgent each is; the words are the
//! store's.

use riser_model::{AlarmPriority, DiskStage};
use riser_rules::Present;
use riser_runtime::Runtime;
use riser_store::{DiskState, Store, StoreStats};

/// Raises, changes or clears the alarms about the disk; to be called every few seconds.
pub(super) fn look(runtime: &Runtime, store: &Store) {
    let stats = store.stats();
    runtime.condition("disk", room(&stats));
    runtime.condition("flash", wear(&stats));
}

fn room(stats: &StoreStats) -> Option<Present> {
    if let Some(advice) = stats.stage.advice() {
        let priority = match stats.stage {
            DiskStage::Ample | DiskStage::Low => AlarmPriority::Medium,
            DiskStage::Scarce => AlarmPriority::High,
            DiskStage::Full => AlarmPriority::Critical,
        };
        let message = advice.to_owned();
        return Some(Present { priority, message });
    }
    let DiskState::Failing { error, .. } = &stats.disk else {
        return None;
    };
    Some(Present {
        priority: AlarmPriority::Critical,
        message: format!(
            "The disk refuses what it is given: values wait in memory, and the oldest are lost when \
             it fills. See whether the disk is broken: {error}"
        ),
    })
}

fn wear(stats: &StoreStats) -> Option<Present> {
    let advice = stats.wear?.advice()?;
    Some(Present {
        priority: AlarmPriority::High,
        message: advice.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::{Timestamp, Wear};

    #[test]
    fn every_stage_and_a_broken_disk_are_alarms_of_rising_urgency() {
        let of = |stage| {
            let stats = StoreStats {
                stage,
                ..StoreStats::default()
            };
            room(&stats).map(|present| present.priority)
        };
        assert_eq!(of(DiskStage::Ample), None);
        assert_eq!(of(DiskStage::Low), Some(AlarmPriority::Medium));
        assert_eq!(of(DiskStage::Scarce), Some(AlarmPriority::High));
        assert_eq!(of(DiskStage::Full), Some(AlarmPriority::Critical));
        let mut stats = StoreStats {
            disk: DiskState::Failing {
                since: Timestamp(1),
                error: "disk I/O error".to_owned(),
            },
            ..StoreStats::default()
        };
        assert!(room(&stats).unwrap().message.contains("disk I/O error"));
        assert_eq!(wear(&stats).map(|p| p.priority), None);
        stats.wear = Some(Wear {
            used_percent: 110,
            spare: 1,
        });
        assert!(wear(&stats).is_some());
    }
}
