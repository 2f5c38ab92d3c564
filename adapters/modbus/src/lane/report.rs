//! What a lane shows of itself and its devices. Owns the figures and how often they are pinned to
//! the health board: at most once a second, and at once when a state changes.

use super::{Device, Lane};
use riser_model::{DeviceHealth, DeviceState, LaneHealth, LaneState};
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);

/// Figures of a lane since start.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) requests: u64,
    pub(crate) timeouts: u64,
    pub(crate) desyncs: u64,
    pub(crate) overruns: u64,
    pub(crate) connects: u64,
    pub(crate) last_error: Option<String>,
    /// Something changed since the last report.
    pub(crate) changed: bool,
    state: LaneState,
    busy: Duration,
    busy_since: Option<Instant>,
    reported: Instant,
}

impl Stats {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            requests: 0,
            timeouts: 0,
            desyncs: 0,
            overruns: 0,
            connects: 0,
            last_error: None,
            changed: true,
            state: LaneState::Connecting,
            busy: Duration::ZERO,
            busy_since: None,
            reported: now,
        }
    }

    /// The number of requests on the wire changed.
    pub(crate) fn outstanding(&mut self, count: usize, now: Instant) {
        match (self.busy_since, count) {
            (None, 1..) => self.busy_since = Some(now),
            (Some(since), 0) => {
                self.busy += now.saturating_duration_since(since);
                self.busy_since = None;
            }
            _ => {}
        }
    }

    fn utilisation(&mut self, now: Instant) -> f64 {
        if let Some(since) = self.busy_since.replace(now) {
            self.busy += now.saturating_duration_since(since);
        } else {
            self.busy_since = None;
        }
        let whole = now.saturating_duration_since(self.reported).as_secs_f64();
        let busy = std::mem::take(&mut self.busy).as_secs_f64();
        self.reported = now;
        if whole > 0.0 {
            (busy / whole).min(1.0)
        } else {
            0.0
        }
    }
}

impl Lane {
    /// When the next report is due; `None` when nothing changed.
    pub(super) fn report_at(&self) -> Option<Instant> {
        let changed = self.stats.changed || self.devices.iter().any(|d| d.report.changed);
        changed.then(|| self.stats.reported + EVERY)
    }

    /// Reports what is due.
    pub(super) fn report(&mut self, now: Instant) {
        let state = self.state();
        let urgent = state != self.stats.state || self.devices.iter().any(|d| d.report.urgent);
        if !urgent && self.report_at().is_none_or(|at| now < at) {
            return;
        }
        self.stats.state = state;
        self.stats.changed = false;
        let utilisation = self.stats.utilisation(now);
        self.health.lane(LaneHealth {
            lane: self.config.name.clone(),
            adapter: self.adapter.clone(),
            state,
            requests: self.stats.requests,
            timeouts: self.stats.timeouts,
            desyncs: self.stats.desyncs,
            overruns: self.stats.overruns,
            connects: self.stats.connects,
            utilisation,
            last_error: self.stats.last_error.clone(),
        });
        for device in &mut self.devices {
            if std::mem::take(&mut device.report.changed) {
                device.report.urgent = false;
                self.health
                    .device(health(device, &self.config.name, &self.adapter));
            }
        }
    }

    fn state(&self) -> LaneState {
        if self.link.down().is_some() {
            return LaneState::Down;
        }
        let mut parked = self.devices.iter().map(|d| !d.breaker.is_closed());
        match (parked.clone().all(|p| p), parked.any(|p| p)) {
            (true, true) => LaneState::Down,
            (_, true) => LaneState::Degraded,
            _ if self.link.ever_up() => LaneState::Up,
            _ => LaneState::Connecting,
        }
    }
}

fn health(device: &Device, lane: &str, adapter: &str) -> DeviceHealth {
    let report = &device.report;
    DeviceHealth {
        device: device.key.clone(),
        name: device.name.clone(),
        adapter: adapter.to_owned(),
        lane: lane.to_owned(),
        address: format!("unit {}", device.unit),
        state: match (device.down || !device.breaker.is_closed(), device.heard) {
            (true, _) => DeviceState::Offline,
            (_, false) => DeviceState::Unknown,
            _ if device.is_impaired() || device.breaker.failures() > 0 => DeviceState::Degraded,
            _ => DeviceState::Online,
        },
        breaker: device.breaker.state(),
        last_ok: report.last_ok,
        failures: device.breaker.failures(),
        requests: report.requests,
        errors: report.errors,
        latency_ms: report.latency_ms,
        last_error: report.last_error.clone(),
    }
}
