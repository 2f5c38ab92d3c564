//! The loss ledger on the wire, both ways. Owns the bound on its numbers, so that sums of them never
//! overflow on the other side.

use crate::{WireError, proto};
use riser_model::{
    Key, LedgerCounts, LedgerDropped, LedgerEntry, LedgerLane, LedgerReport, Timestamp,
};

/// Numbers from here on are not believed: an hour has fewer samples.
const LIMIT: u64 = 1 << 53;

impl From<&LedgerReport> for proto::Ledger {
    fn from(report: &LedgerReport) -> Self {
        let lane = |l: &LedgerLane| proto::LedgerLane {
            lane: l.lane.clone(),
            devices: l.devices.iter().map(|d| d.as_str().to_owned()).collect(),
        };
        Self {
            at: report.at.0,
            rows: report.rows.iter().map(row).collect(),
            lanes: report.lanes.iter().map(lane).collect(),
        }
    }
}

fn row(entry: &LedgerEntry) -> proto::LedgerRow {
    let counts = &entry.counts;
    let dropped = &counts.dropped;
    proto::LedgerRow {
        hour: entry.hour.0,
        lane: entry.lane.clone(),
        collected: counts.collected,
        stored: counts.stored,
        sent: counts.sent,
        durable: counts.durable,
        queue_full: dropped.queue_full,
        disk: dropped.disk,
        crash: dropped.crash,
        retention: dropped.retention,
        damaged: dropped.damaged,
        refused: dropped.refused,
    }
}

impl TryFrom<proto::Ledger> for LedgerReport {
    type Error = WireError;
    fn try_from(wire: proto::Ledger) -> Result<Self, WireError> {
        let lane = |l: proto::LedgerLane| {
            let devices = l.devices.iter().map(|d| Key::new(d));
            Ok(LedgerLane {
                lane: l.lane,
                devices: devices.collect::<Result<_, _>>()?,
            })
        };
        Ok(Self {
            at: Timestamp(wire.at),
            rows: wire.rows.into_iter().map(entry).collect::<Result<_, _>>()?,
            lanes: wire
                .lanes
                .into_iter()
                .map(lane)
                .collect::<Result<_, WireError>>()?,
        })
    }
}

fn entry(wire: proto::LedgerRow) -> Result<LedgerEntry, WireError> {
    let bounded = |n: u64| {
        if n < LIMIT {
            return Ok(n);
        }
        Err(WireError::TooLarge {
            what: "a number of the ledger",
            given: n,
            limit: LIMIT - 1,
        })
    };
    Ok(LedgerEntry {
        hour: Timestamp(wire.hour),
        lane: wire.lane,
        counts: LedgerCounts {
            collected: bounded(wire.collected)?,
            stored: bounded(wire.stored)?,
            sent: bounded(wire.sent)?,
            durable: bounded(wire.durable)?,
            dropped: LedgerDropped {
                queue_full: bounded(wire.queue_full)?,
                disk: bounded(wire.disk)?,
                crash: bounded(wire.crash)?,
                retention: bounded(wire.retention)?,
                damaged: bounded(wire.damaged)?,
                refused: bounded(wire.refused)?,
            },
        },
    })
}
