//! What the adapter shows of itself: its one lane, and the devices behind it. Owns the figures.

use crate::book::Book;
use riser_adapter::HealthBoard;
use riser_model::{
    DeviceHealth, DeviceState, Key, LaneHealth, LaneState, Timestamp, health::Breaker,
};
use std::collections::{BTreeMap, BTreeSet};

/// Figures of the lane and which entities are out of reach.
pub(crate) struct Report {
    board: HealthBoard,
    adapter: String,
    lane: String,
    pub(crate) requests: u64,
    pub(crate) connects: u64,
    pub(crate) lost: u64,
    state: LaneState,
    last_error: Option<String>,
    away: BTreeSet<String>,
    devices: BTreeMap<Key, DeviceHealth>,
}

impl Report {
    pub(crate) fn new(board: HealthBoard, adapter: &str, lane: String) -> Self {
        let report = Self {
            board,
            adapter: adapter.to_owned(),
            lane,
            requests: 0,
            connects: 0,
            lost: 0,
            state: LaneState::Connecting,
            last_error: None,
            away: BTreeSet::new(),
            devices: BTreeMap::new(),
        };
        report.show();
        report
    }

    /// The lane as it is now.
    pub(crate) fn show(&self) {
        self.board.lane(LaneHealth {
            lane: self.lane.clone(),
            adapter: self.adapter.clone(),
            state: self.state,
            requests: self.requests,
            timeouts: self.lost,
            connects: self.connects,
            last_error: self.last_error.clone(),
            ..LaneHealth::default()
        });
    }

    /// Connected, and everything was read.
    pub(crate) fn up(&mut self, remark: Option<String>) {
        self.state = match remark {
            Some(_) => LaneState::Degraded,
            None => LaneState::Up,
        };
        self.last_error = remark.or(self.last_error.take());
        self.show();
    }

    /// No connection, and why.
    pub(crate) fn down(&mut self, why: &str) {
        self.state = LaneState::Down;
        self.lost += 1;
        self.last_error = Some(why.to_owned());
        self.show();
        for device in self.devices.values_mut() {
            device.state = DeviceState::Offline;
            device.last_error = Some(why.to_owned());
            self.board.device(device.clone());
        }
    }

    /// Something to tell that stops nothing.
    pub(crate) fn remark(&mut self, what: String) {
        self.last_error = Some(what);
        self.show();
    }

    /// The devices from now on.
    pub(crate) fn devices(&mut self, book: &Book, away: BTreeSet<String>, at: Timestamp) {
        self.away = away;
        let before = std::mem::take(&mut self.devices);
        let gone = |key: &Key| before.contains_key(key) && !book.devices.contains_key(key);
        self.board.forget_devices(gone);
        for (key, entry) in &book.devices {
            let health = DeviceHealth {
                device: key.clone(),
                name: entry.name.clone(),
                adapter: self.adapter.clone(),
                lane: self.lane.clone(),
                address: entry.make.clone(),
                state: DeviceState::Unknown,
                breaker: Breaker::Closed,
                last_ok: None,
                failures: 0,
                requests: 0,
                errors: 0,
                latency_ms: None,
                last_error: None,
            };
            self.devices.insert(key.clone(), health);
            self.judge(book, key, at);
        }
        self.show();
    }

    /// An entity was heard of.
    pub(crate) fn heard(&mut self, book: &Book, entity: &str, away: bool, at: Timestamp) {
        let changed = match away {
            true => self.away.insert(entity.to_owned()),
            false => self.away.remove(entity),
        };
        let device = book.of_entity(entity).next();
        let Some(device) = device.map(|e| e.point.path.device.clone()) else {
            return;
        };
        if changed {
            self.judge(book, &device, at);
        } else if let (Some(health), false) = (self.devices.get_mut(&device), away) {
            health.last_ok = Some(at);
            self.board.device(health.clone());
        }
    }

    /// How a device is, by its entities.
    fn judge(&mut self, book: &Book, device: &Key, at: Timestamp) {
        let (Some(entry), Some(health)) = (book.devices.get(device), self.devices.get_mut(device))
        else {
            return;
        };
        let away: Vec<&str> = entry
            .entities
            .iter()
            .filter(|e| self.away.contains(*e))
            .map(String::as_str)
            .collect();
        health.state = match away.len() {
            0 => DeviceState::Online,
            n if n == entry.entities.len() => DeviceState::Offline,
            _ => DeviceState::Degraded,
        };
        if health.state != DeviceState::Offline {
            health.last_ok = Some(at);
        }
        health.last_error = away.first().map(|first| {
            format!(
                "{} of {} entities are unavailable in Home Assistant, {first} for one; look at the \
                 device and its integration there",
                away.len(),
                entry.entities.len()
            )
        });
        self.board.device(health.clone());
    }
}
