//! The loss ledger: what became of every sample, per lane and hour. Owns the columns and the two
//! equations that must hold (`docs/reference/ledger.md`); counts samples, never values.

use crate::{Key, Timestamp};
use serde::{Deserialize, Serialize};

/// Milliseconds of an hour.
pub const HOUR: i64 = 3_600_000;
/// How long after its end an hour still waits for samples under way.
pub const CLOSES_AFTER: i64 = 120_000;

/// Samples that are gone, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LedgerDropped {
    /// Before storing: the disk did not keep up and the queue was full.
    pub queue_full: u64,
    /// Before storing: the disk refused them until the gateway ended.
    pub disk: u64,
    /// Before storing: in memory when the process or the power ended.
    pub crash: u64,
    /// After storing: their day file had to go before the cloud had them.
    pub retention: u64,
    /// After storing: their file was damaged or lost before the cloud had them.
    pub damaged: u64,
    /// After storing: the cloud refused their batch, or it cannot be read; kept aside here.
    pub refused: u64,
}

impl LedgerDropped {
    /// Lost on the way to the disk.
    #[must_use]
    pub fn before_storing(&self) -> u64 {
        self.queue_full + self.disk + self.crash
    }

    /// Lost between the disk and the cloud.
    #[must_use]
    pub fn after_storing(&self) -> u64 {
        self.retention + self.damaged + self.refused
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.before_storing() + self.after_storing()
    }
}

/// Figures of one lane in one hour, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LedgerCounts {
    /// Taken in from the adapter, to be recorded.
    pub collected: u64,
    /// Committed to the disk of the gateway.
    pub stored: u64,
    /// Given to the link at least once.
    pub sent: u64,
    /// Called durable by the cloud.
    pub durable: u64,
    /// Gone, by reason.
    pub dropped: LedgerDropped,
}

impl LedgerCounts {
    /// Adds another hour, or another lane.
    pub fn add(&mut self, other: &Self) {
        self.collected = self.collected.saturating_add(other.collected);
        self.stored = self.stored.saturating_add(other.stored);
        self.sent = self.sent.saturating_add(other.sent);
        self.durable = self.durable.saturating_add(other.durable);
        let (mine, theirs) = (&mut self.dropped, &other.dropped);
        mine.queue_full = mine.queue_full.saturating_add(theirs.queue_full);
        mine.disk = mine.disk.saturating_add(theirs.disk);
        mine.crash = mine.crash.saturating_add(theirs.crash);
        mine.retention = mine.retention.saturating_add(theirs.retention);
        mine.damaged = mine.damaged.saturating_add(theirs.damaged);
        mine.refused = mine.refused.saturating_add(theirs.refused);
    }

    /// What is neither stored nor dropped; below 0 when more was stored than was counted.
    #[must_use]
    pub fn waiting_disk(&self) -> i64 {
        signed(self.collected) - signed(self.stored) - signed(self.dropped.before_storing())
    }

    /// What is stored and neither durable nor dropped.
    #[must_use]
    pub fn waiting_cloud(&self) -> i64 {
        signed(self.stored) - signed(self.durable) - signed(self.dropped.after_storing())
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What may still be under way, so that the rest must add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LedgerAsOf {
    /// When the figures were taken.
    pub at: Timestamp,
    /// Oldest hour of which samples wait for the disk; none when nothing waits.
    pub disk_from: Option<Timestamp>,
    /// Oldest hour of which samples wait for the cloud; none when nothing waits.
    pub cloud_from: Option<Timestamp>,
    /// Whether there is a cloud to wait for.
    pub cloud: bool,
}

/// One lane in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LedgerRow {
    /// Begin of the hour (UTC).
    pub hour: Timestamp,
    /// The lane, such as `tcp 192.0.2.7:502`.
    pub lane: String,
    /// The figures.
    #[serde(flatten)]
    pub counts: LedgerCounts,
    /// Collected, neither stored nor dropped yet.
    pub waiting_disk: i64,
    /// Stored, neither durable nor dropped yet; 0 without a cloud.
    pub waiting_cloud: i64,
    /// Samples nobody can account for; 0 is as it must be.
    pub unexplained: u64,
}

impl LedgerRow {
    /// Adds another hour of the lane.
    fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.waiting_disk = self.waiting_disk.saturating_add(other.waiting_disk);
        self.waiting_cloud = self.waiting_cloud.saturating_add(other.waiting_cloud);
        self.unexplained = self.unexplained.saturating_add(other.unexplained);
    }

    /// A row as it stands at a time.
    #[must_use]
    pub fn new(hour: Timestamp, lane: String, counts: LedgerCounts, as_of: &LedgerAsOf) -> Self {
        let disk = counts.waiting_disk();
        let cloud = if as_of.cloud {
            counts.waiting_cloud()
        } else {
            0
        };
        let closed = is_closed(hour, as_of.at);
        let past = |from: Option<Timestamp>| closed && from.is_none_or(|from| hour < from);
        // Less than nothing can never wait.
        let gap = |waiting: i64, past: bool| {
            if past || waiting < 0 {
                waiting.unsigned_abs()
            } else {
                0
            }
        };
        Self {
            hour,
            lane,
            counts,
            waiting_disk: disk,
            waiting_cloud: cloud,
            unexplained: gap(disk, past(as_of.disk_from)) + gap(cloud, past(as_of.cloud_from)),
        }
    }
}

/// Whether nothing more is expected to be collected in an hour.
#[must_use]
pub fn is_closed(hour: Timestamp, now: Timestamp) -> bool {
    now.since(hour) >= HOUR + CLOSES_AFTER
}

/// Begin of the hour a time lies in.
#[must_use]
pub fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(HOUR).saturating_mul(HOUR))
}

/// The ledger, or part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ledger {
    /// When it was taken and what was under way.
    pub as_of: LedgerAsOf,
    /// In order of hours, then lanes.
    pub rows: Vec<LedgerRow>,
}

impl Ledger {
    /// The same with one row per lane and day (UTC); `hour` is the begin of the day then.
    #[must_use]
    pub fn by_day(self) -> Self {
        let mut days: Vec<LedgerRow> = Vec::new();
        for row in self.rows {
            let day = Timestamp(row.hour.day() * Timestamp::DAY);
            match days
                .iter_mut()
                .rev()
                .find(|d| d.hour == day && d.lane == row.lane)
            {
                Some(sum) => sum.add(&row),
                None => days.push(LedgerRow { hour: day, ..row }),
            }
        }
        days.sort_by(|a, b| (a.hour, &a.lane).cmp(&(b.hour, &b.lane)));
        Self { rows: days, ..self }
    }
}

/// The devices of a lane, so that the cloud can count by lane too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLane {
    /// The lane.
    pub lane: String,
    /// Devices on it.
    pub devices: Vec<Key>,
}

/// What goes up of the ledger: closed hours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LedgerReport {
    /// When it was taken.
    pub at: Timestamp,
    /// Hour, lane, figures.
    pub rows: Vec<LedgerEntry>,
    /// The lanes of these rows as they are now.
    pub lanes: Vec<LedgerLane>,
}

/// One lane in one closed hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Begin of the hour.
    pub hour: Timestamp,
    /// The lane.
    pub lane: String,
    /// The figures.
    pub counts: LedgerCounts,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(collected: u64, stored: u64, durable: u64, as_of: &LedgerAsOf) -> LedgerRow {
        let counts = LedgerCounts {
            collected,
            stored,
            durable,
            ..LedgerCounts::default()
        };
        LedgerRow::new(Timestamp(0), "bus".to_owned(), counts, as_of)
    }

    fn as_of(at: i64) -> LedgerAsOf {
        LedgerAsOf {
            at: Timestamp(at),
            disk_from: None,
            cloud_from: None,
            cloud: true,
        }
    }

    #[test]
    fn an_open_hour_may_have_samples_under_way() {
        assert_eq!(row(10, 8, 7, &as_of(HOUR)).unexplained, 0);
    }

    #[test]
    fn a_closed_hour_must_add_up_unless_something_that_old_waits() {
        let closed = as_of(HOUR + CLOSES_AFTER);
        assert_eq!(row(10, 10, 10, &closed).unexplained, 0);
        assert_eq!(row(10, 8, 7, &closed).unexplained, 3);
        let waiting = LedgerAsOf {
            cloud_from: Some(Timestamp(0)),
            ..closed
        };
        assert_eq!(row(10, 8, 7, &waiting).unexplained, 2);
        let alone = LedgerAsOf {
            cloud: false,
            ..closed
        };
        assert_eq!(row(8, 8, 0, &alone).unexplained, 0);
    }

    #[test]
    fn days_are_the_sums_of_their_hours() {
        let as_of = as_of(HOUR);
        let at = |hour: i64, lane: &str| LedgerRow {
            hour: Timestamp(hour * HOUR),
            lane: lane.to_owned(),
            ..row(10, 8, 7, &as_of)
        };
        let rows = vec![at(0, "a"), at(0, "b"), at(23, "a"), at(24, "a")];
        let days = Ledger { as_of, rows }.by_day().rows;
        let seen: Vec<_> = days
            .iter()
            .map(|d| {
                (
                    d.hour.day(),
                    d.lane.as_str(),
                    d.counts.collected,
                    d.waiting_cloud,
                )
            })
            .collect();
        assert_eq!(seen, [(0, "a", 20, 2), (0, "b", 10, 1), (1, "a", 10, 1)]);
    }

    #[test]
    fn more_than_was_collected_is_never_right() {
        assert_eq!(row(7, 8, 8, &as_of(1)).unexplained, 1);
    }
}
