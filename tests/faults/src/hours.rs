//! What the loss ledger must say, per lane and hour, by the device's own record and the samples that
//! are there. Owns the counting; the ledger itself is never asked here.

use crate::clock::Clock;
use crate::rig::{Rig, now};
use riser_e2e::lab::GATEWAY;
use riser_model::Timestamp;
use riser_model::ledger::{HOUR, hour_of};
use std::collections::{BTreeMap, BTreeSet};

/// What was collected so shortly before a kill may be in no ledger: 10 ms and what was on its way,
/// on a machine with more to do than this.
const UNTOLD: i64 = 250;

/// Samples of one lane in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// At the edge.
    pub stored: u64,
    /// In the cloud.
    pub received: u64,
    /// Given out by the device and not at the edge.
    pub lost: u64,
    /// Of them, given out so shortly before an outage or in one that the ledger need not know them.
    pub untold: u64,
}

/// Every sample that is there and every one that is not.
#[derive(Debug, Default)]
pub struct Tally {
    /// By begin of the hour and lane.
    pub hours: BTreeMap<(i64, String), Counted>,
    /// Samples in the cloud by point.
    pub points: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts what lies before the hour that now is by the clock.
    pub async fn take(rig: &Rig, clock: &Clock) -> Self {
        let end = hour_of(Timestamp(clock.shows(now()))).0;
        let mut tally = Self::default();
        for (number, device) in rig.devices.iter().enumerate() {
            let lane = format!("tcp 127.0.0.1:{}", device.port);
            let given = device.given();
            for point in rig.building.all(number) {
                let csv = format!("/points/{point}/samples.csv?from=0&to={end}");
                let edge = rows(&rig.local.text(&format!("/api/v1{csv}")).await);
                let cloud = rows(
                    &rig.cloud
                        .text(&format!("/api/v1/gateways/{GATEWAY}{csv}"))
                        .await,
                );
                for (at, _) in &edge {
                    tally.hour(*at, &lane).stored += 1;
                }
                for (at, _) in &cloud {
                    tally.hour(*at, &lane).received += 1;
                }
                if !point.ends_with("/relay") && !point.ends_with("/door") {
                    let there = edge.iter().filter_map(|(_, number)| *number).collect();
                    tally.missing((rig, clock), &lane, (&given, &there), end);
                }
                tally.points.insert(point, cloud.len() as u64);
            }
        }
        tally
    }

    fn missing(
        &mut self,
        (rig, clock): (&Rig, &Clock),
        lane: &str,
        (given, there): (&[i64], &BTreeSet<u64>),
        end: i64,
    ) {
        for (number, real) in (1..).zip(given) {
            let at = clock.shows(*real);
            if at >= end || there.contains(&number) {
                continue;
            }
            let young = |o: &crate::Outage| (o.from - UNTOLD..=o.until).contains(real);
            let untold = rig.outages.iter().any(young);
            let hour = self.hour(at, lane);
            hour.lost += 1;
            hour.untold += u64::from(untold);
        }
    }

    fn hour(&mut self, at: i64, lane: &str) -> &mut Counted {
        let hour = at.div_euclid(HOUR) * HOUR;
        self.hours.entry((hour, lane.to_owned())).or_default()
    }
}

/// Time and, where it is good, number of every sample of a table.
///
/// # Panics
/// When what came is no table of samples.
fn rows(csv: &str) -> Vec<(i64, Option<u64>)> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| head.iter().position(|c| *c == name);
    let [at, value, quality] = ["at", "value", "quality"].map(column);
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |column: Option<usize>| column.and_then(|c| fields.get(c).copied());
        let time = field(at).and_then(|f| f.parse().ok());
        // A mark of staleness repeats the last value.
        let good = field(quality) == Some("good");
        let number = field(value).filter(|_| good).and_then(|f| f.parse().ok());
        (time.expect("a sample has a time"), number)
    };
    lines.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_without_a_value_count_too() {
        let csv = "at,value,quality,reason\r\n5,7,good,\r\n6,,bad,stale\r\n7,7,bad,stale\r\n";
        assert_eq!(rows(csv), [(5, Some(7)), (6, None), (7, None)]);
    }
}
