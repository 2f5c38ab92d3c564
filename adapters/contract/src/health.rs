//! The board adapters pin their health to and everybody else reads. Owns nothing but the latest
//! report per lane and device; history of health is made of points like any other.

use riser_model::{DeviceHealth, Key, LaneHealth};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Latest health of every lane and device. Cheap to clone; clones share the board.
#[derive(Debug, Clone, Default)]
pub struct HealthBoard(Arc<Mutex<Board>>);

#[derive(Debug, Default)]
struct Board {
    lanes: BTreeMap<String, LaneHealth>,
    devices: BTreeMap<Key, DeviceHealth>,
}

impl HealthBoard {
    /// Replaces the report of one lane (keyed by its name).
    pub fn lane(&self, report: LaneHealth) {
        self.with(|b| b.lanes.insert(report.lane.clone(), report));
    }

    /// Replaces the report of one device.
    pub fn device(&self, report: DeviceHealth) {
        self.with(|b| b.devices.insert(report.device.clone(), report));
    }

    /// Forgets what an adapter pinned, when it is stopped for good.
    pub fn forget(&self, adapter: &str) {
        self.with(|b| {
            b.lanes.retain(|_, l| l.adapter != adapter);
            b.devices.retain(|_, d| d.adapter != adapter);
        });
    }

    /// Forgets devices, and the lanes only they hang on.
    pub fn forget_devices(&self, gone: impl Fn(&Key) -> bool) {
        self.with(|b| {
            let mut lanes: Vec<String> = Vec::new();
            b.devices.retain(|key, d| {
                let keep = !gone(key);
                if !keep {
                    lanes.push(d.lane.clone());
                }
                keep
            });
            lanes.retain(|lane| b.devices.values().all(|d| d.lane != *lane));
            b.lanes.retain(|lane, _| !lanes.contains(lane));
        });
    }

    /// Every lane, by name.
    #[must_use]
    pub fn lanes(&self) -> Vec<LaneHealth> {
        self.with(|b| b.lanes.values().cloned().collect())
    }

    /// Every device, by key.
    #[must_use]
    pub fn devices(&self) -> Vec<DeviceHealth> {
        self.with(|b| b.devices.values().cloned().collect())
    }

    fn with<R>(&self, f: impl FnOnce(&mut Board) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
