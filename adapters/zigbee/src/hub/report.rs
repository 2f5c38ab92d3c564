//! Health as people see it: the lane, and every device that has changed. Owns when it is pinned: with
//! each change, and not more often.

use super::Hub;
use crate::network::At;
use crate::network::presence::Presence;
use crate::operate::{Shelf, Shelves};
use riser_adapter::HealthBoard;
use riser_model::{LaneHealth, LaneState};
use std::sync::{Arc, PoisonError};

impl Hub {
    /// Pins what has changed.
    pub(crate) fn report(&mut self, board: &HealthBoard, connects: u64, at: At) {
        let gone = std::mem::take(&mut self.network.effects.gone);
        if !gone.is_empty() {
            board.forget_devices(|key| gone.contains(key));
        }
        let name = &self.network.name;
        for entity in self.network.entities.values_mut() {
            if std::mem::take(&mut entity.touched) {
                board.device(entity.health(name, at));
            }
        }
        if !std::mem::take(&mut self.touched) {
            return;
        }
        let bridge = &self.network.bridge;
        board.lane(LaneHealth {
            lane: name.clone(),
            adapter: name.clone(),
            state: self.lane_state(at),
            requests: self.sent,
            timeouts: self.missed,
            desyncs: self.network.unreadable,
            overruns: 0,
            connects,
            utilisation: 0.0,
            last_error: bridge
                .words(&self.config.base, &self.place)
                .or_else(|| self.all_at_once())
                .or_else(|| self.forgotten(at).then(|| self.without_lists())),
        });
    }

    fn lane_state(&self, at: At) -> LaneState {
        match self.network.bridge.lane() {
            LaneState::Up if self.all_at_once().is_some() || self.forgotten(at) => {
                LaneState::Degraded
            }
            state => state,
        }
    }

    /// The broker has kept nothing of what the bridge said.
    fn without_lists(&self) -> String {
        let next = if self.config.may_restart_bridge {
            "it was asked to start anew, which tells them again"
        } else {
            "restart it (restart_bridge), which tells them again"
        };
        format!(
            "zigbee2mqtt answers, and the broker {} has forgotten its lists of devices: switch persistence on in the broker; {next}",
            self.place
        )
    }

    /// When nobody answers any more, it is the stick and not the devices.
    fn all_at_once(&self) -> Option<String> {
        let mut devices = 0;
        for entity in self.network.entities.values() {
            if matches!(entity.id, crate::network::entity::EntityId::Device(_)) {
                devices += 1;
                if entity.watch.shown != Presence::Offline {
                    return None;
                }
            }
        }
        (devices >= 3).then(|| {
            format!("all {devices} devices are offline at once: the stick hangs or its antenna is off; restart zigbee2mqtt or plug the stick anew")
        })
    }

    /// Shows to whoever browses what there is.
    pub(crate) fn lay_out(&self, shelves: &Shelves) {
        let mut shelves = shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.clear();
        for entity in self.network.entities.values() {
            let shelf = Shelf {
                name: entity.name.clone(),
                remark: entity.remark.clone().or_else(|| {
                    let what = format!("{} {}", entity.model, entity.description);
                    (!what.trim().is_empty()).then(|| what.trim().to_owned())
                }),
                points: entity.points.iter().map(|p| Arc::clone(&p.point)).collect(),
            };
            shelves.insert(entity.key.to_string(), shelf);
        }
    }
}
