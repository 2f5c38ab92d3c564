//! What a connection shows of itself and of the devices behind it. Owns the figures, and how often
//! they are pinned to the health board: at most once a second, and at once when a state changes.

use super::Link;
use crate::client::Trouble;
use crate::codec::{Report, Version};
use riser_model::{Breaker, DeviceHealth, DeviceState, LaneHealth, LaneState};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);
/// Sub-devices nobody configured that are remembered, at most.
const STRANGERS: usize = 64;

/// Figures of a connection since start.
#[derive(Debug)]
pub(super) struct Stats {
    requests: u64,
    timeouts: u64,
    errors: u64,
    connects: u64,
    desyncs: u64,
    latency_ms: Option<f64>,
    state: LaneState,
    last_error: Option<String>,
    /// Questions in a row that were not answered.
    pub(super) missed: u32,
    /// Versions spoken in the last try.
    tried: Vec<Version>,
    /// Sub-devices nobody configured, with what they reported.
    pub(super) strangers: BTreeMap<String, BTreeMap<u16, Json>>,
    /// When the last session ended, and when the present or last one began.
    pub(super) parted: Option<Instant>,
    began: Option<Instant>,
    dirty: bool,
    urgent: bool,
    busy: Duration,
    busy_since: Option<Instant>,
    reported: Instant,
}

impl Stats {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            requests: 0,
            timeouts: 0,
            errors: 0,
            connects: 0,
            desyncs: 0,
            latency_ms: None,
            state: LaneState::Connecting,
            last_error: None,
            missed: 0,
            tried: Vec::new(),
            strangers: BTreeMap::new(),
            parted: None,
            began: None,
            dirty: true,
            urgent: false,
            busy: Duration::ZERO,
            busy_since: None,
            reported: now,
        }
    }

    pub(super) fn tried(&mut self, versions: &[Version]) {
        self.tried = versions.to_vec();
        self.requests += 1;
    }

    /// A session began; what is to be said about it nevertheless.
    pub(super) fn connected(&mut self, remark: Option<String>) {
        self.connects += 1;
        self.state = LaneState::Up;
        self.last_error = remark;
        self.began = Some(Instant::now());
        self.changed(true);
    }

    pub(super) fn failed(&mut self, trouble: &Trouble) {
        self.state = if *trouble == Trouble::NotSeen && self.connects == 0 {
            LaneState::Connecting
        } else {
            LaneState::Down
        };
        self.errors += 1;
        let tried: Vec<&str> = self.tried.iter().map(|v| v.text()).collect();
        tracing::debug!(tried = tried.join(" "), "{trouble}");
        self.last_error = Some(trouble.to_string());
        self.changed(true);
    }

    pub(super) fn session_length(&self) -> Duration {
        match (self.began, self.parted) {
            (Some(began), Some(parted)) => parted.saturating_duration_since(began),
            _ => Duration::MAX,
        }
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.requests += 1;
        self.busy_since = Some(now);
        self.changed(false);
    }

    pub(super) fn answered(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64() * 1000.0;
        self.latency_ms = Some(self.latency_ms.map_or(took, |l| l * 0.9 + took * 0.1));
        self.idle(now);
    }

    pub(super) fn timed_out(&mut self, now: Instant) {
        self.timeouts += 1;
        self.errors += 1;
        self.idle(now);
    }

    pub(super) fn refused(&mut self, why: String) {
        self.errors += 1;
        self.last_error = Some(why);
        self.changed(false);
    }

    pub(super) fn has_said(&self, error: &str) -> bool {
        self.last_error.as_deref() == Some(error)
    }

    pub(super) fn strays(&mut self, count: u64) {
        if count > 0 {
            self.desyncs += count;
            self.changed(false);
        }
    }

    pub(super) fn idle(&mut self, now: Instant) {
        if let Some(since) = self.busy_since.take() {
            self.busy += now.saturating_duration_since(since);
        }
        self.changed(false);
    }

    pub(super) fn changed(&mut self, urgent: bool) {
        self.dirty = true;
        self.urgent |= urgent;
    }

    pub(super) fn stranger(&mut self, report: &Report) {
        let Some(node) = report.node.clone() else {
            return;
        };
        if self.strangers.len() < STRANGERS || self.strangers.contains_key(&node) {
            let points = self.strangers.entry(node).or_default();
            points.extend(report.points.iter().map(|(n, v)| (*n, v.clone())));
        }
    }

    fn utilisation(&mut self, now: Instant) -> f64 {
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

impl Link {
    /// When the next report is due; `None` when nothing changed.
    pub(super) fn report_at(&self) -> Option<Instant> {
        let stats = &self.stats;
        stats.dirty.then(|| {
            if stats.urgent {
                stats.reported
            } else {
                stats.reported + EVERY
            }
        })
    }

    /// Reports what is due.
    pub(super) fn report(&mut self, urgent: bool) {
        let now = Instant::now();
        if !urgent && self.report_at().is_none_or(|at| now < at) {
            return;
        }
        (self.stats.dirty, self.stats.urgent) = (false, false);
        let utilisation = self.stats.utilisation(now);
        let unreachable = self.members.iter().any(|m| m.unreachable);
        self.shared.health.lane(LaneHealth {
            lane: self.config.lane.clone(),
            adapter: self.shared.adapter.clone(),
            state: if unreachable && self.stats.state == LaneState::Up {
                LaneState::Degraded
            } else {
                self.stats.state
            },
            requests: self.stats.requests,
            timeouts: self.stats.timeouts,
            desyncs: self.stats.desyncs,
            overruns: 0,
            connects: self.stats.connects,
            utilisation,
            last_error: self.stats.last_error.clone(),
        });
        for place in 0..self.members.len() {
            if let Some(health) = self.health_of(place) {
                self.shared.health.device(health);
            }
        }
    }

    fn health_of(&self, place: usize) -> Option<DeviceHealth> {
        let (member, config) = (self.members.get(place)?, self.config.members.get(place)?);
        let asleep = self.config.sleepy && member.last_ok.is_some();
        let state = match () {
            () if member.unreachable || member.down => DeviceState::Offline,
            () if asleep => DeviceState::Online,
            () if self.failures > 0 => DeviceState::Offline,
            () if member.heard && self.stats.missed > 0 => DeviceState::Degraded,
            () if member.heard => DeviceState::Online,
            () => DeviceState::Unknown,
        };
        let host = self
            .config
            .host
            .as_deref()
            .unwrap_or("where it announces itself");
        Some(DeviceHealth {
            device: config.key.clone(),
            name: config.name.clone(),
            adapter: self.shared.adapter.clone(),
            lane: self.config.lane.clone(),
            address: match &member.node {
                Some(node) => format!("node {node}"),
                None => format!("{} at {host}", self.config.id),
            },
            state,
            breaker: if self.failures > 0 {
                Breaker::Open
            } else {
                Breaker::Closed
            },
            last_ok: member.last_ok,
            failures: self.failures,
            requests: self.stats.requests,
            errors: self.stats.errors,
            latency_ms: self.stats.latency_ms,
            last_error: if member.unreachable {
                Some(
                    "the gateway does not reach this sub-device; is it powered and in range?"
                        .to_owned(),
                )
            } else {
                self.stats.last_error.clone()
            },
        })
    }
}
