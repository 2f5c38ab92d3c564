//! What the test watches while peers come and go: how late each lane is, with all peers up and while
//! another is down, and how much memory the gateway has.

use crate::five::peers::{Field, Peer, Pushing};
use riser_e2e::Clock;
use riser_e2e::cloud::parse_csv;
use riser_e2e::local::Local;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often peers that push tell a number, and the others are asked.
pub(crate) const TICK: Duration = Duration::from_millis(500);
/// What is told or read so shortly before an end may be lost with it.
const EDGE: i64 = 1_500;

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |s| i64::try_from(s.as_millis()).unwrap_or(i64::MAX))
}

/// A time a peer was not there: from its end until it was right again, in real milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    pub(crate) peer: Peer,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// Numbers told by peers that push, and when.
pub(crate) struct Ticker {
    told: Arc<Mutex<Vec<(Peer, u16, i64)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ticker {
    pub(crate) fn start(field: &Field) -> Self {
        let told: Arc<Mutex<Vec<(Peer, u16, i64)>>> = Arc::default();
        let (kept, pushing) = (Arc::clone(&told), field.pushing.clone());
        let task = tokio::spawn(async move {
            let mut timer = tokio::time::interval(TICK);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                timer.tick().await;
                tick(&pushing, &kept).await;
            }
        });
        Self { told, task }
    }

    fn of(&self, peer: Peer) -> BTreeMap<u16, i64> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = told.iter().filter(|(p, _, _)| *p == peer);
        of_peer.map(|(_, number, at)| (*number, *at)).collect()
    }
}

async fn tick(pushing: &Pushing, kept: &Mutex<Vec<(Peer, u16, i64)>>) {
    for peer in [Peer::Zigbee, Peer::HomeAssistant] {
        let (number, at) = (pushing.next(), now());
        if pushing.tell(peer, number).await {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push((peer, number, at));
        }
    }
}

/// Lateness of one lane in milliseconds, with all peers up and while another is down.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    pub(crate) all_up: Vec<i64>,
    pub(crate) other_down: Vec<i64>,
    /// Numbers told by a peer that was there, and never seen.
    pub(crate) missing: usize,
}

/// The value that 99 of 100 do not exceed; 0 of none.
pub(crate) fn p99(values: &[i64]) -> i64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    let index = (values.len() * 99).div_ceil(100).saturating_sub(1);
    values.get(index).copied().unwrap_or(0)
}

/// The points whose times are looked at: of the peers that are polled one read each interval.
fn witness(peer: Peer) -> &'static str {
    let shows = peer.shows();
    shows.last().map_or("", |(path, _)| path)
}

/// How late every lane was from `from` on, in real milliseconds.
pub(crate) async fn lateness(
    local: &Local,
    ticker: &Ticker,
    (clock, from): (&Clock, i64),
    gaps: &[Gap],
) -> BTreeMap<Peer, Lateness> {
    let mut all = BTreeMap::new();
    for peer in Peer::ALL {
        let path = witness(peer);
        let (begin, end) = (clock.shows(from), clock.shows(now()));
        let csv = format!("/api/v1/points/{path}/samples.csv?from={begin}&to={end}");
        let samples = parse_csv(&local.text(&csv).await);
        let ahead = clock.shows(0);
        let seen: Vec<(i64, f64)> = samples.iter().map(|(at, v)| (at - ahead, *v)).collect();
        let mut late = Lateness::default();
        if matches!(peer, Peer::Zigbee | Peer::HomeAssistant) {
            let told = ticker.of(peer);
            let told = told.into_iter().filter(|(_, at)| *at >= from);
            late.pushed(peer, gaps, told, &seen);
        } else {
            late.polled(peer, gaps, &seen);
        }
        all.insert(peer, late);
    }
    all
}

impl Lateness {
    /// Whether this time counts, and where: not while the peer itself was away.
    fn add(&mut self, peer: Peer, gaps: &[Gap], (from, until): (i64, i64)) {
        let touches = |gap: &Gap| gap.from - EDGE <= until && gap.until + EDGE >= from;
        let touching = gaps.iter().filter(|g| touches(g));
        let mut list = &mut self.all_up;
        for gap in touching {
            if gap.peer == peer {
                return;
            }
            list = &mut self.other_down;
        }
        list.push(until - from);
    }

    /// A scan is late by what is beyond its interval.
    fn polled(&mut self, peer: Peer, gaps: &[Gap], seen: &[(i64, f64)]) {
        let interval = i64::try_from(TICK.as_millis()).unwrap_or(0);
        for pair in seen.windows(2) {
            self.add(peer, gaps, (pair[0].0, pair[1].0));
        }
        for list in [&mut self.all_up, &mut self.other_down] {
            list.iter_mut().for_each(|ms| *ms = (*ms - interval).max(0));
        }
    }

    /// A number is as old as the time from its telling to its being heard.
    fn pushed(
        &mut self,
        peer: Peer,
        gaps: &[Gap],
        told: impl Iterator<Item = (u16, i64)>,
        seen: &[(i64, f64)],
    ) {
        let last = seen.last().map_or(0, |(at, _)| *at);
        for (number, at) in told {
            let own = |g: &Gap| g.peer == peer && g.from - EDGE <= at && at <= g.until + EDGE;
            let same = |(_, v): &&(i64, f64)| (*v - f64::from(number)).abs() < 0.01;
            match seen.iter().find(same) {
                Some((heard, _)) => self.add(peer, gaps, (at, *heard)),
                None if at < last - EDGE && !gaps.iter().any(own) => self.missing += 1,
                None => {}
            }
        }
    }
}

/// Memory of the gateway over time: seconds since the start of the watch, kilobytes.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) seen: Vec<(f64, f64)>,
}

impl Memory {
    /// Kilobytes a minute by the line that fits best.
    pub(crate) fn slope(&self) -> f64 {
        let n = self.seen.len().max(1) as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.seen.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|s| s.0), mean(|s| s.1));
        let up: f64 = self.seen.iter().map(|s| (s.0 - x) * (s.1 - y)).sum();
        let below: f64 = self.seen.iter().map(|s| (s.0 - x) * (s.0 - x)).sum();
        if below > 0.0 { up / below * 60.0 } else { 0.0 }
    }

    pub(crate) fn extremes(&self) -> (f64, f64) {
        let sizes = self.seen.iter().map(|s| s.1);
        let least = sizes.clone().fold(f64::INFINITY, f64::min);
        (least, sizes.fold(0.0, f64::max))
    }
}

/// The figures of every lane, a line each.
pub(crate) fn table(all: &BTreeMap<Peer, Lateness>) -> String {
    let mut text = String::new();
    for (peer, late) in all {
        let (up, down) = (&late.all_up, &late.other_down);
        let most = |list: &[i64]| list.iter().copied().max().unwrap_or(0);
        let _ = writeln!(
            text,
            "{peer:?}: p99 {} ms of {} with all up (most {}), {} ms of {} while another is down (most {}), {} missing",
            p99(up),
            up.len(),
            most(up),
            p99(down),
            down.len(),
            most(down),
            late.missing
        );
    }
    text
}
