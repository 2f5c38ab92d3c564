//! When what is due on a connection: questions for all data points of each device, requests to
//! measure anew, signs of life. Owns the clockwork only; it knows no socket.

use crate::config::{LinkConfig, Timing};
use std::time::Duration;
use tokio::time::Instant;

/// Far enough to mean "not before something happens".
pub(crate) const FAR: Duration = Duration::from_secs(3600);
/// How often a gateway is asked which sub-devices it reaches.
const SUB_DEVICES: Duration = Duration::from_secs(60);

/// Something to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// All data points of a member.
    Query(usize),
    /// Some data points of the device are to be measured anew.
    Refresh,
    /// Which sub-devices are there.
    SubDevices,
    /// A sign of life.
    Heartbeat,
}

/// The clockwork of one connection.
#[derive(Debug)]
pub(crate) struct Schedule {
    timing: Timing,
    queries: Vec<Instant>,
    refresh: Option<Instant>,
    sub_devices: Option<Instant>,
    heartbeat: Instant,
}

impl Schedule {
    /// Everything is due at once, but the signs of life.
    pub(crate) fn new(config: &LinkConfig, now: Instant) -> Self {
        let refreshes = !config.timing.refresh.is_zero()
            && config.members.iter().any(|m| !m.refresh.is_empty());
        Self {
            timing: config.timing,
            queries: vec![now; config.members.len()],
            refresh: refreshes.then_some(now + config.timing.refresh),
            sub_devices: (config.members.len() > 1).then_some(now),
            heartbeat: now + config.timing.heartbeat,
        }
    }

    /// What is due, the most urgent first; it is then not due again before its time.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Due> {
        let first = self
            .queries
            .iter()
            .enumerate()
            .filter(|(_, at)| **at <= now)
            .min_by_key(|(_, at)| **at);
        if let Some((member, _)) = first.map(|(m, at)| (m, *at)) {
            self.asked(member, now);
            return Some(Due::Query(member));
        }
        let passed = |at: &Option<Instant>| at.is_some_and(|at| at <= now);
        if passed(&self.sub_devices) {
            self.sub_devices = Some(now + SUB_DEVICES);
            return Some(Due::SubDevices);
        }
        if passed(&self.refresh) {
            self.refresh = Some(now + self.timing.refresh);
            return Some(Due::Refresh);
        }
        if self.heartbeat <= now {
            self.sent(now);
            return Some(Due::Heartbeat);
        }
        None
    }

    /// A member was asked, or answered, now.
    pub(crate) fn asked(&mut self, member: usize, now: Instant) {
        if let Some(at) = self.queries.get_mut(member) {
            *at = now + self.timing.interval;
        }
    }

    /// A member is to be asked as soon as possible.
    pub(crate) fn ask_soon(&mut self, member: usize, now: Instant) {
        if let Some(at) = self.queries.get_mut(member) {
            *at = now;
        }
    }

    /// Something was sent: it is a sign of life too.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.heartbeat = now + self.timing.heartbeat;
    }

    /// When something is due next.
    pub(crate) fn next(&self, now: Instant) -> Instant {
        let query = self.queries.iter().min().copied();
        let all = [query, self.refresh, self.sub_devices, Some(self.heartbeat)];
        all.into_iter().flatten().min().unwrap_or(now + FAR)
    }
}
