//! Reports turned into readings, and what is known of each device behind a connection. Owns marking
//! points whose device is down, and those a device never reports.

use super::Link;
use crate::codec::Report;
use crate::config::Member;
use crate::mapping::Mapping;
use riser_model::{Quality, Reading, Reason, ScanBatch, Slot, Timestamp};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Unknown nodes and data points remembered for browsing, at most.
const SHOWN: usize = 256;

/// One device behind the connection.
pub(super) struct MemberState {
    pub(super) node: Option<String>,
    pub(super) points: Vec<PointState>,
    /// Numbers of the data points it is asked for by name.
    pub(super) numbers: BTreeSet<u16>,
    /// What it reported last, mapped or not.
    pub(super) latest: BTreeMap<u16, Json>,
    /// It has reported something since it was down.
    pub(super) heard: bool,
    /// Its points are marked as down.
    pub(super) down: bool,
    /// Points it does not report have been marked.
    told_missing: bool,
    pub(super) last_ok: Option<Timestamp>,
    /// The gateway says that it does not reach it.
    pub(super) unreachable: bool,
}

/// One point.
pub(super) struct PointState {
    pub(super) slot: Slot,
    pub(super) dp: u16,
    pub(super) mapping: Mapping,
}

/// A device as it is browsed.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// Node behind the gateway.
    pub(crate) node: Option<String>,
    /// Place among the configured members; none is a node nobody configured.
    pub(crate) member: Option<usize>,
    /// What it reported last.
    pub(crate) points: BTreeMap<u16, Json>,
}

impl MemberState {
    pub(super) fn new(member: &Member, slots: &[Slot]) -> Self {
        let points = member
            .points
            .iter()
            .zip(slots)
            .map(|(point, slot)| PointState {
                slot: *slot,
                dp: point.dp,
                mapping: point.mapping.clone(),
            });
        Self {
            node: member.node.clone(),
            points: points.collect(),
            numbers: member.points.iter().map(|p| p.dp).collect(),
            latest: BTreeMap::new(),
            heard: false,
            down: false,
            told_missing: false,
            last_ok: None,
            unreachable: false,
        }
    }

    /// Takes a report in; what becomes of the points it names.
    fn take(&mut self, report: &Report, whole: bool) -> Vec<Reading> {
        for (number, value) in &report.points {
            if self.latest.len() < SHOWN || self.latest.contains_key(number) {
                self.latest.insert(*number, value.clone());
            }
        }
        let mut readings = Vec::new();
        let tell_missing = whole && !self.told_missing;
        for point in &self.points {
            let (value, quality) = match report.points.get(&point.dp) {
                Some(json) => point.mapping.decode(json),
                None if tell_missing && !self.latest.contains_key(&point.dp) => {
                    (None, Quality::bad(Reason::NotAvailable))
                }
                None => continue,
            };
            readings.push(Reading {
                slot: point.slot,
                value,
                quality,
            });
        }
        self.told_missing |= whole;
        readings
    }

    /// Every point with its last value, marked down; nothing when it is marked already.
    fn mark_down(&mut self) -> Vec<Reading> {
        if std::mem::replace(&mut self.down, true) {
            return Vec::new();
        }
        (self.heard, self.told_missing) = (false, false);
        let marked = self.points.iter().map(|point| Reading {
            slot: point.slot,
            value: self
                .latest
                .get(&point.dp)
                .and_then(|json| point.mapping.decode(json).0),
            quality: Quality::bad(Reason::DeviceDown),
        });
        marked.collect()
    }
}

impl Link {
    /// A report of the device or of one behind it.
    pub(super) async fn on_report(&mut self, report: &Report, whole: bool) {
        let at = self.shared.clock.now();
        let found = self
            .members
            .iter_mut()
            .enumerate()
            .find(|(_, m)| m.node == report.node);
        let Some((place, member)) = found else {
            self.stats.stranger(report);
            return;
        };
        let readings = member.take(report, whole);
        let was_down = std::mem::take(&mut member.down);
        let first = !std::mem::replace(&mut member.heard, true);
        member.unreachable = false;
        member.last_ok = Some(at);
        self.stats.changed(first || was_down);
        if was_down && !whole {
            // Only some of its points came; the others are still marked.
            self.schedule.ask_soon(place, Instant::now());
        }
        self.emit(readings).await;
    }

    /// What a gateway says about the devices behind it.
    pub(super) async fn on_sub_devices(&mut self, online: &[String], offline: &[String]) {
        for place in 0..self.members.len() {
            let Some(member) = self.members.get_mut(place) else {
                continue;
            };
            let is = |list: &[String]| member.node.as_ref().is_some_and(|n| list.contains(n));
            let (there, gone) = (is(online), is(offline));
            if gone {
                member.unreachable = true;
                let readings = member.mark_down();
                self.stats.changed(!readings.is_empty());
                self.emit(readings).await;
            } else if there && std::mem::take(&mut member.unreachable) {
                self.schedule.ask_soon(place, Instant::now());
            }
        }
        for node in online.iter().chain(offline) {
            if self.members.iter().all(|m| m.node.as_ref() != Some(node)) {
                self.stats.stranger(&Report {
                    node: Some(node.clone()),
                    ..Report::default()
                });
            }
        }
    }

    pub(super) async fn all_down(&mut self) {
        let readings: Vec<Reading> = self
            .members
            .iter_mut()
            .flat_map(MemberState::mark_down)
            .collect();
        self.stats.changed(!readings.is_empty());
        self.emit(readings).await;
    }

    async fn emit(&mut self, readings: Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let at = self.shared.clock.now();
        // A closed sink means that the cancellation is on its way.
        let _ending = self.shared.samples.send(ScanBatch { at, readings }).await;
    }

    pub(super) fn show(&self, asked: oneshot::Sender<Vec<Shown>>) {
        let members = self.members.iter().enumerate().map(|(place, m)| Shown {
            node: m.node.clone(),
            member: Some(place),
            points: m.latest.clone(),
        });
        let strangers = self.stats.strangers.iter().map(|(node, points)| Shown {
            node: Some(node.clone()),
            member: None,
            points: points.clone(),
        });
        let _gone = asked.send(members.chain(strangers).collect());
    }
}
