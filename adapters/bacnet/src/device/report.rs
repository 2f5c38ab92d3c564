//! What a device shows of itself. Owns how often: at once when its state changes, else once a second.

use crate::poll::peer::Figures;
use riser_adapter::HealthBoard;
use riser_model::{Breaker, DeviceHealth, DeviceState, Key, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);

/// Who a report is about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) device: Key,
    pub(crate) name: String,
    pub(crate) adapter: String,
    pub(crate) lane: String,
}

/// The state of a device as people see it.
pub(crate) struct Report {
    about: About,
    board: HealthBoard,
    figures: Arc<Mutex<Figures>>,
    pub(crate) address: String,
    state: DeviceState,
    failures: u32,
    last_ok: Option<Timestamp>,
    trouble: Option<String>,
    /// Stands for as long as it is true, whatever else happens.
    finding: Option<String>,
    pinned: Option<Instant>,
    changed: bool,
}

impl Report {
    pub(crate) fn new(about: About, board: HealthBoard, figures: Arc<Mutex<Figures>>) -> Self {
        Self {
            about,
            board,
            figures,
            address: String::new(),
            state: DeviceState::Unknown,
            failures: 0,
            last_ok: None,
            trouble: None,
            finding: None,
            pinned: None,
            changed: true,
        }
    }

    pub(crate) fn state(&self) -> DeviceState {
        self.state
    }

    /// Something came from the device.
    pub(crate) fn heard(&mut self, at: Timestamp) {
        self.last_ok = Some(at);
        self.failures = 0;
        self.changed = true;
        let state = match self.finding.is_some() || self.trouble.is_some() {
            true => DeviceState::Degraded,
            false => DeviceState::Online,
        };
        self.become_state(state);
    }

    /// Something went wrong that the device survives.
    pub(crate) fn trouble(&mut self, text: String) {
        self.trouble = Some(text);
        self.changed = true;
    }

    /// What went wrong is over.
    pub(crate) fn well(&mut self) {
        self.trouble = None;
    }

    /// Something is wrong in the network that only people can change.
    pub(crate) fn finding(&mut self, text: Option<String>) {
        self.changed |= self.finding != text;
        self.finding = text;
    }

    /// It does not answer.
    pub(crate) fn silent(&mut self, text: String) {
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(text);
        self.changed = true;
        self.become_state(DeviceState::Offline);
    }

    fn become_state(&mut self, state: DeviceState) {
        if std::mem::replace(&mut self.state, state) != state {
            self.pinned = None;
            self.pin(Instant::now());
        }
    }

    /// Pins the report to the board, if it is time and something changed.
    pub(crate) fn pin(&mut self, now: Instant) {
        let early = self.pinned.is_some_and(|at| now < at + EVERY);
        if early || !std::mem::take(&mut self.changed) {
            return;
        }
        self.pinned = Some(now);
        let figures = self
            .figures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.board.device(DeviceHealth {
            device: self.about.device.clone(),
            name: self.about.name.clone(),
            adapter: self.about.adapter.clone(),
            lane: self.about.lane.clone(),
            address: self.address.clone(),
            state: self.state,
            breaker: match self.state {
                DeviceState::Offline => Breaker::Open,
                _ => Breaker::Closed,
            },
            last_ok: self.last_ok,
            failures: self.failures,
            requests: figures.requests,
            errors: figures.errors,
            latency_ms: figures.latency_ms,
            last_error: self.finding.clone().or_else(|| self.trouble.clone()),
        });
    }
}
