//! The line of time stamps are taken from. Pure: milliseconds in, milliseconds out. Owns when the
//! system's clock is believed, and how a change of it is followed.
//!
//! Stamps come from the monotonic clock plus an offset, so that setting the system's clock changes
//! nothing until it is looked at, and everything stamped in between is on one line. Small
//! differences are steered away so slowly that time never goes back; larger ones are a step.
//!
//! While the time is not known the line is *assumed*: it goes on from the latest time that must be
//! past. It ends when the time service says that it has set the clock, or when the clock was set by
//! hand and nobody has contradicted for [`BY_HAND`].

use riser_adapter::ClockStep;
use riser_model::{ClockState, Timestamp};

/// Differences below this are steered, not stepped, in milliseconds.
pub(crate) const STEP: i64 = 500;
/// What one look may steer.
const STEER: i64 = 5;
/// How long after a step a stamp of the line before may still arrive.
const LATE: i64 = 60_000;
/// How long a clock set by hand has to stand before it is believed.
const BY_HAND: i64 = 10_000;
/// A clock that runs ahead of the build by more is as wrong as one behind it: twenty years.
const HORIZON: i64 = 20 * 365 * 86_400_000;

/// What the operating system says, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The clock that never steps, since the machine started.
    pub(crate) mono: i64,
    /// The wall clock, since 1970.
    pub(crate) wall: i64,
    /// Whether the time service says that it has set it.
    pub(crate) synchronised: bool,
}

/// What is known before the first look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// When this program was built; no stamp is before it.
    pub(crate) built: i64,
    /// Another time that is over; no stamp is before it, unless a time service says so.
    pub(crate) past: i64,
    /// The latest time known from before; no stamp is before it, unless a time service says so.
    pub(crate) last: i64,
    /// How far stamps may have gone beyond `last` unseen.
    pub(crate) unseen: i64,
    /// The assumed line of a process of this gateway before, if the machine has not restarted.
    pub(crate) continued: Option<Assumed>,
    /// Whether a clock that looks right is to be believed before a time service has set it.
    pub(crate) believe: bool,
}

/// An assumed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assumed {
    /// Its offset.
    pub(crate) offset: i64,
    /// When it began, on itself.
    pub(crate) since: Timestamp,
}

/// The line.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    built: i64,
    floor: i64,
    offset: i64,
    first_offset: i64,
    synchronised: bool,
    assumed: Option<Timestamp>,
    /// The system's clock against the monotonic one when the line was assumed.
    disbelieved: i64,
    /// Since when, by the monotonic clock, it stands somewhere else.
    set_at: Option<i64>,
    stepped: Option<(ClockStep, i64)>,
    /// A change that nobody was told of yet.
    pending: Option<ClockStep>,
}

impl Timeline {
    pub(crate) fn new(known: Known, now: Reading) -> Self {
        // One that lies as far ahead as no clock is believed says nothing.
        let past = Some(known.past).filter(|past| past - known.built <= HORIZON);
        let known = Known {
            past: past.unwrap_or(0),
            ..known
        };
        let floor = known.built.max(known.past).max(known.last);
        let actual = now.wall - now.mono;
        let mut line = Self {
            built: known.built,
            floor,
            offset: actual,
            first_offset: actual,
            synchronised: false,
            assumed: None,
            disbelieved: actual,
            set_at: None,
            stepped: None,
            pending: None,
        };
        let trusted = now.synchronised && line.possible(now.wall);
        let looks_right = line.possible(now.wall) && now.wall >= floor;
        if let Some(Assumed { offset, since }) = known.continued {
            (line.offset, line.assumed) = (offset, Some(since));
        } else if !trusted && !looks_right {
            let last = known.last.saturating_add(known.unseen);
            let from = known.built.max(known.past).max(last);
            (line.offset, line.assumed) = (from - now.mono, Some(Timestamp(from)));
        } else if !trusted && !known.believe {
            line.assumed = Some(Timestamp(now.wall));
        }
        line.first_offset = line.offset;
        line.pending = line.look(now);
        line
    }

    /// Whether the clock can be right at all.
    fn possible(&self, wall: i64) -> bool {
        wall >= self.built && wall - self.built <= HORIZON
    }

    pub(crate) fn now(&self, mono: i64) -> Timestamp {
        Timestamp(mono.saturating_add(self.offset))
    }

    /// On the line of the start of the process, whatever was stepped since.
    pub(crate) fn steady(&self, mono: i64) -> Timestamp {
        Timestamp(mono.saturating_add(self.first_offset))
    }

    pub(crate) fn state(&self) -> ClockState {
        match self.synchronised && self.assumed.is_none() {
            true => ClockState::Synchronised,
            false => ClockState::Unsynchronised,
        }
    }

    pub(crate) fn assumed(&self) -> Option<Assumed> {
        self.assumed.map(|since| Assumed {
            offset: self.offset,
            since,
        })
    }

    /// The line that was assumed at the start, though its end may be known by now.
    pub(crate) fn was_assumed(&self) -> Option<Assumed> {
        let ended = self.pending.and_then(|step| step.assumed_since);
        let since = self.assumed.or(ended)?;
        let offset = self.first_offset;
        Some(Assumed { offset, since })
    }

    /// Follows the system's clock. What it answers is told once.
    pub(crate) fn look(&mut self, now: Reading) -> Option<ClockStep> {
        let before = self.pending.take();
        let trusted = now.synchronised && self.possible(now.wall);
        let step = match self.assumed {
            Some(began) => self.look_assumed(began, now, trusted),
            None => self.follow(now, trusted),
        };
        self.synchronised = trusted;
        step.or(before)
    }

    fn look_assumed(&mut self, began: Timestamp, now: Reading, trusted: bool) -> Option<ClockStep> {
        let actual = now.wall - now.mono;
        let moved = (actual - self.disbelieved).abs() >= STEP;
        let set = moved && self.possible(now.wall) && now.wall >= self.floor;
        match (set, self.set_at) {
            (false, _) => self.set_at = None,
            (true, None) => self.set_at = Some(now.mono),
            (true, Some(_)) => {}
        }
        let by_hand = self.set_at.is_some_and(|at| now.mono - at >= BY_HAND);
        if !trusted && !by_hand {
            return None;
        }
        self.assumed = None;
        Some(self.step(now, Some(began), trusted))
    }

    fn follow(&mut self, now: Reading, trusted: bool) -> Option<ClockStep> {
        let difference = now.wall - self.now(now.mono).0;
        if difference.abs() < STEP {
            self.offset += difference.clamp(-STEER, STEER);
            return None;
        }
        // A clock that cannot be right is not followed; the line goes on.
        let same = ((now.wall - now.mono) - self.disbelieved).abs() < STEP;
        let behind = !trusted && same && now.wall < self.floor;
        if !self.possible(now.wall) || behind {
            return None;
        }
        Some(self.step(now, None, trusted))
    }

    fn step(&mut self, now: Reading, assumed_since: Option<Timestamp>, trusted: bool) -> ClockStep {
        let from = self.now(now.mono);
        self.offset = now.wall - now.mono;
        let step = ClockStep {
            from,
            to: Timestamp(now.wall),
            assumed_since,
            state: match trusted {
                true => ClockState::Synchronised,
                false => ClockState::Unsynchronised,
            },
        };
        self.stepped = Some((step, now.mono));
        step
    }

    /// Goes on with the assumed line as if it were known: nobody waits for the time any more.
    pub(crate) fn give_up(&mut self) {
        // The line stays where it is; a system's clock that looks right is followed from now on.
        self.assumed = None;
        self.set_at = None;
    }

    /// A stamp on the present line, though it may have been taken on the one before.
    pub(crate) fn settled(&self, at: Timestamp, mono: i64) -> Timestamp {
        let Some((step, _)) = self.stepped.filter(|(_, when)| mono - when <= LATE) else {
            return at;
        };
        let by = step.by_ms();
        let earliest = match step.assumed_since {
            Some(began) => began,
            None => Timestamp(step.from.0 - LATE),
        };
        let old = match by >= 0 {
            // Everything on the line before is before its end, and everything since is later.
            true => at >= earliest && at <= step.from && at < step.to,
            // From the future.
            false => at > self.now(mono) && at <= step.from,
        };
        match old {
            true => Timestamp(at.0.saturating_add(by)),
            false => at,
        }
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
