//! One device on a lane while it runs: its plan, its breaker, what it taught, what waits to be sent
//! to it. Owns which of its requests comes next; the lane chooses between devices.

use super::breaker::Breaker;
use super::points::Points;
use super::work::{Place, WriteJob};
use crate::codec::Table;
use crate::config::{DeviceConfig, LaneConfig, PointConfig};
use crate::poll::{Bisect, Group, Item, Lessons, Rules, Turn, blocks};
use riser_model::{Access, Key, Slot, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// How long a device without a single readable point waits before it is tried as a whole again.
const RECHECK: Duration = Duration::from_secs(600);
/// Answer shapes remembered on a line without transaction ids, and for how long.
const SHAPES: usize = 16;
const SHAPE_LIFE: Duration = Duration::from_secs(60);

/// A scan group with what it is made of.
pub(crate) struct Scan {
    pub(crate) group: Group,
    pub(crate) table: Table,
    interval: Duration,
    items: Vec<Item>,
}

/// A turn waiting to be tried again.
pub(crate) struct Retry {
    pub(crate) scan: usize,
    pub(crate) turn: Turn,
    pub(crate) attempt: u8,
    pub(crate) not_before: Instant,
}

pub(crate) struct Device {
    pub(crate) key: Key,
    pub(crate) name: String,
    pub(crate) unit: u8,
    pub(crate) timeout: Duration,
    pub(crate) retries: u8,
    gap: u16,
    pub(crate) points: Points,
    pub(crate) scans: Vec<Scan>,
    pub(crate) breaker: Breaker,
    pub(crate) retry: VecDeque<Retry>,
    pub(crate) bisect: Option<(usize, Bisect)>,
    pub(crate) piece_at: Instant,
    pub(crate) writes: VecDeque<Box<WriteJob>>,
    pub(crate) writing: bool,
    /// Nothing was heard since the points were marked down.
    pub(crate) down: bool,
    pub(crate) heard: bool,
    /// Tries of the part of a refused block that is being asked for.
    pub(crate) piece_failures: u8,
    /// Serial only: an answer may still be on its way, so the next question must be of another shape.
    pub(crate) suspect: bool,
    pub(crate) twice_refused: bool,
    pub(crate) shapes: Vec<(u8, usize, Instant)>,
    /// Something it answered before; what a probe asks for.
    pub(crate) known: Option<Place>,
    span: [u16; 2],
    cuts: BTreeSet<(Table, u16)>,
    holes: BTreeSet<usize>,
    pub(crate) recheck_at: Instant,
    pub(crate) report: Report,
}

/// Figures of a device since start.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) latency_ms: Option<f64>,
    pub(crate) last_ok: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
    pub(crate) changed: bool,
    pub(crate) urgent: bool,
}

impl Report {
    /// An answer took this long.
    pub(crate) fn took(&mut self, latency: Duration) {
        let ms = latency.as_secs_f64() * 1000.0;
        // The mean of about the last eight.
        self.latency_ms = Some(self.latency_ms.map_or(ms, |old| old + (ms - old) / 8.0));
    }
}

impl Device {
    pub(crate) fn new(
        config: DeviceConfig,
        slots: &[Slot],
        lane: &LaneConfig,
        now: Instant,
    ) -> Self {
        let scans = group_points(&config.points, now);
        let points = Points::new(config.points, slots);
        let mut device = Self {
            key: config.key,
            name: config.name,
            unit: config.unit,
            timeout: config.timeout,
            retries: config.retries,
            gap: config.gap,
            points,
            scans,
            breaker: Breaker::new(lane.failures_to_park, lane.probe_interval, now),
            retry: VecDeque::new(),
            bisect: None,
            piece_at: now,
            writes: VecDeque::new(),
            writing: false,
            down: false,
            heard: false,
            piece_failures: 0,
            suspect: false,
            twice_refused: false,
            shapes: Vec::new(),
            known: None,
            span: [config.max_span, Table::Coil.read_limit()],
            cuts: BTreeSet::new(),
            holes: BTreeSet::new(),
            recheck_at: now + RECHECK,
            report: Report {
                changed: true,
                urgent: true,
                ..Report::default()
            },
        };
        device.plan();
        device
    }

    /// Gives every scan group its phase; `place` counts the groups of the whole lane.
    pub(crate) fn spread(&mut self, place: &mut u32, of: u32, now: Instant) {
        for scan in &mut self.scans {
            let phase = scan.interval * *place / of.max(1);
            scan.group = Group::new(scan.interval, phase, now);
            *place += 1;
        }
        self.plan();
    }

    /// Makes requests anew out of what is known of the device.
    fn plan(&mut self) {
        for scan in &mut self.scans {
            let bits = usize::from(scan.table.is_bits());
            let rules = Rules {
                span: self.span.get(bits).copied().unwrap_or(1),
                gap: if bits == 1 {
                    self.gap.saturating_mul(16)
                } else {
                    self.gap
                },
                cuts: &self.cuts,
                holes: &self.holes,
            };
            scan.group
                .plan(blocks(scan.table, scan.items.clone(), &rules));
        }
        self.retry.clear();
    }

    /// Takes over what a bisection found; returns the points the device does not have.
    pub(crate) fn learn(&mut self, table: Table, lessons: Lessons, now: Instant) -> Vec<usize> {
        let bits = usize::from(table.is_bits());
        if let (Some(span), Some(mine)) = (lessons.span, self.span.get_mut(bits)) {
            *mine = span.min(*mine);
        }
        self.cuts
            .extend(lessons.cuts.iter().map(|address| (table, *address)));
        self.holes.extend(lessons.holes.iter().copied());
        self.recheck_at = now + RECHECK;
        self.plan();
        lessons.holes
    }

    /// A device that was away may be another one, or a finished one: holes are tried again, but not
    /// more often than once in a while.
    pub(crate) fn forget_holes(&mut self, now: Instant) {
        if !self.holes.is_empty() && now >= self.recheck_at {
            self.holes.clear();
            self.recheck_at = now + RECHECK;
            self.plan();
        }
    }

    /// Some requests are refused or fail while others are answered.
    pub(crate) fn is_impaired(&self) -> bool {
        !self.holes.is_empty() || self.scans.iter().any(|s| s.group.is_impaired())
    }

    /// When nothing is left to read, the whole map is tried again after a while.
    pub(crate) fn is_barren(&self) -> bool {
        !self.holes.is_empty() && self.scans.iter().all(|s| s.group.ready_at().is_none())
    }

    /// Scan as soon as possible.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.scans.iter_mut().for_each(|s| s.group.resume(now));
    }

    /// Serial: an answer of this function and length may still come.
    pub(crate) fn expect_late(&mut self, function: u8, octets: usize, now: Instant) {
        self.suspect = true;
        self.shapes
            .retain(|(f, o, until)| *until > now && (*f, *o) != (function, octets));
        if self.shapes.len() == SHAPES {
            self.shapes.remove(0);
        }
        self.shapes.push((function, octets, now + SHAPE_LIFE));
    }

    /// Serial: the distinguishable answer came, so everything before it has come or never will.
    pub(crate) fn in_step(&mut self) {
        self.suspect = false;
        self.twice_refused = false;
        self.shapes.clear();
    }

    /// A write whose next step waits for its time.
    pub(crate) fn queue_write(&mut self, write: Box<WriteJob>) {
        self.writing = false;
        self.writes.push_front(write);
    }
}

/// One scan group for each interval and table.
fn group_points(points: &[PointConfig], now: Instant) -> Vec<Scan> {
    let mut groups: BTreeMap<(Duration, Table), Vec<Item>> = BTreeMap::new();
    for (point, config) in points.iter().enumerate() {
        if config.point.access != Access::Write {
            let group = groups.entry((config.interval, config.table)).or_default();
            group.push(Item {
                address: config.address,
                length: config.mapping.registers,
                point,
            });
        }
    }
    groups
        .into_iter()
        .map(|((interval, table), items)| Scan {
            group: Group::new(interval, Duration::ZERO, now),
            table,
            interval,
            items,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Request;
    use crate::config::Config;
    use riser_adapter::BuildContext;

    fn device(now: Instant) -> Device {
        let text = "[[lane]]\nkey = \"l\"\ntransport = \"tcp\"\nhost = \"h\"\n[[device]]\nkey = \"d\"\nlane = \"l\"\n[[device.point]]\nkey = \"r\"\naddress = 0\ntype = \"u16\"\nrepeat = 4\n";
        let table = text.parse().expect("TOML");
        let config = Config::new(&table, &BuildContext::default()).expect("valid");
        let lane = config.lanes.into_iter().next().expect("a lane");
        let own = lane.devices.first().cloned().expect("a device");
        let slots: Vec<Slot> = (0..4).map(Slot).collect();
        Device::new(own, &slots, &lane, now)
    }

    fn asked(device: &mut Device, now: Instant) -> Vec<Request> {
        let mut overruns = 0;
        std::iter::from_fn(|| device.take(now, &mut overruns).map(|(_, request)| request)).collect()
    }

    fn read(address: u16, quantity: u16) -> Request {
        Request::Read {
            table: Table::Holding,
            address,
            quantity,
        }
    }

    #[test]
    fn holes_are_tried_again_once_in_a_while_when_the_device_was_away() {
        let now = Instant::now();
        let mut device = device(now);
        assert_eq!(asked(&mut device, now), [read(0, 4)]);
        let lessons = Lessons {
            holes: vec![1],
            ..Lessons::default()
        };
        assert_eq!(device.learn(Table::Holding, lessons, now), [1]);
        let later = now + Duration::from_secs(2);
        assert_eq!(asked(&mut device, later), [read(0, 1), read(2, 2)]);
        device.forget_holes(later);
        assert!(device.is_impaired(), "too early");
        let much_later = now + RECHECK;
        device.forget_holes(much_later);
        device.resume(much_later);
        assert_eq!(asked(&mut device, much_later), [read(0, 4)]);
    }

    #[test]
    fn a_device_without_one_readable_point_is_looked_at_again() {
        let now = Instant::now();
        let mut device = device(now);
        let lessons = Lessons {
            holes: vec![0, 1, 2, 3],
            ..Lessons::default()
        };
        device.learn(Table::Holding, lessons, now);
        assert_eq!(asked(&mut device, now), []);
        assert_eq!(device.ready_at(), Some(now + RECHECK));
        device.forget_holes(now + RECHECK);
        assert_eq!(asked(&mut device, now + RECHECK), [read(0, 4)]);
    }

    #[test]
    fn a_question_on_a_serial_line_differs_from_every_answer_still_due() {
        let now = Instant::now();
        let mut device = device(now);
        for octets in [4, 6, 10] {
            device.expect_late(3, octets, now);
        }
        assert_eq!(device.probe_request(true), Some(read(0, 3)));
        device.in_step();
        assert_eq!(device.probe_request(true), Some(read(0, 1)));
    }
}
