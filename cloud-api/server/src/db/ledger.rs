//! The loss ledgers of gateways against what is committed here. Owns the rows of `ledger`,
//! `ledger_hour`, `ledger_lane` and `received`, and the alarm about samples nobody can account for.
//!
//! Nothing is counted while batches come in: an hour is counted out of the stored frames once its
//! gateway has told of it, and again when the gateway tells anew. So the count is exact, and may be
//! repeated.

use super::commands::Place;
use super::stretches::HourOfRollups;
use super::text::{json, signed, unsigned};
use super::{CloudEvent, Db, DbError, Origin};
use riser_model::ledger::HOUR;
use riser_model::{
    Acknowledgement, Alarm, AlarmId, AlarmPriority, AlarmState, Key, LedgerReport, PointPath,
    Timestamp, Value,
};
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Hours counted in one round.
const HOURS: usize = 48;
/// How long a gateway without backlog may leave an hour open.
const PATIENCE: i64 = 15 * Timestamp::MINUTE;
/// Device of the alarms the cloud raises itself; they have no point.
pub(super) const CLOUD_DEVICE: &str = "riser-cloud";

/// Takes over what a gateway says of closed hours. An older word changes nothing.
pub(super) fn ledger_event(
    c: &Connection,
    gateway: i64,
    report: &LedgerReport,
    place: Place,
) -> Result<(), DbError> {
    for lane in &report.lanes {
        for device in &lane.devices {
            c.prepare_cached(
                "INSERT INTO ledger_lane (gateway, device, lane) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET lane = excluded.lane",
            )?
            .execute(params![gateway, device.as_str(), lane.lane])?;
        }
    }
    for row in &report.rows {
        let counts = &row.counts;
        let rest =
            signed(counts.collected) - signed(counts.durable) - signed(counts.dropped.total());
        c.prepare_cached(
            "INSERT INTO ledger (gateway, hour, lane, body, told_at, epoch, seq, rest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET body = excluded.body, told_at = excluded.told_at,
               epoch = excluded.epoch, seq = excluded.seq, rest = excluded.rest
             WHERE (excluded.epoch, excluded.seq) >= (ledger.epoch, ledger.seq)",
        )?
        .execute(params![
            gateway,
            row.hour.0,
            row.lane,
            json(counts)?,
            report.at.0,
            place.epoch,
            signed(place.seq),
            rest
        ])
        .map_err(DbError::sqlite("enter an hour of a ledger"))?;
        c.prepare_cached(
            "INSERT INTO ledger_hour (gateway, hour, durable, collected)
             SELECT gateway, hour, sum(json_extract(body, '$.durable')),
               sum(json_extract(body, '$.collected'))
             FROM ledger WHERE gateway = ?1 AND hour = ?2 GROUP BY gateway, hour
             ON CONFLICT DO UPDATE SET durable = excluded.durable,
               collected = excluded.collected, received = NULL",
        )?
        .execute([gateway, row.hour.0])?;
    }
    Ok(())
}

/// Samples of an hour.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// By point.row, 0 for slots without a point.
    points: FxHashMap<i64, u64>,
    /// Here as rollups only.
    rolled_up: u64,
}

impl Counted {
    /// All that came in batches.
    pub(super) fn samples(&self) -> u64 {
        self.points.values().sum()
    }
}

/// An hour as the gateway had told of it when the counting began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hour {
    pub(super) gateway: i64,
    pub(super) hour: i64,
    pub(super) durable: i64,
    pub(super) collected: i64,
}

/// Hours of which nothing is counted yet, oldest first.
fn to_count(c: &Connection) -> Result<Vec<Hour>, DbError> {
    let mut query = c.prepare_cached(
        "SELECT gateway, hour, durable, collected
         FROM ledger_hour INDEXED BY ledger_hour_to_count
         WHERE received IS NULL ORDER BY gateway, hour LIMIT ?1",
    )?;
    let rows = query.query_map([HOURS], |r| {
        Ok(Hour {
            gateway: r.get(0)?,
            hour: r.get(1)?,
            durable: r.get(2)?,
            collected: r.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts an hour out of the stored frames.
pub(super) fn count(c: &Connection, of: Hour) -> Result<Counted, DbError> {
    let (gateway, hour) = (of.gateway, of.hour);
    let mut counted = Counted::default();
    let mut epochs = c.prepare_cached("SELECT row, longest_ms FROM epoch WHERE gateway = ?1")?;
    let epochs: Vec<(i64, i64)> = epochs
        .query_map([gateway], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let within = hour..hour.saturating_add(HOUR);
    for (epoch, longest) in epochs {
        let (points, _) = super::directory::load(c, epoch)?;
        let mut rolled = HourOfRollups::load(c, epoch, (hour, within.end))?;
        let mut query = c.prepare_cached(
            "SELECT frame FROM batch INDEXED BY batch_by_time
             WHERE epoch = ?1 AND stream = 2 AND first_at >= ?2 AND first_at < ?3 AND last_at >= ?4",
        )?;
        let earliest = hour.saturating_sub(longest);
        let mut rows = query.query(params![epoch, earliest, within.end, hour])?;
        while let Some(row) = rows.next()? {
            let frame = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let samples = match riser_wire::decode_data(frame) {
                Ok((_, samples)) => samples,
                Err(error) => {
                    tracing::error!(epoch, %error, "a stored batch cannot be read any more");
                    continue;
                }
            };
            for series in samples.chunk_by(|a, b| a.slot == b.slot) {
                let slot = series.first().map_or(0, |s| s.slot.index());
                let inside = || series.iter().filter(|s| within.contains(&s.at.0));
                let n = inside().count() as u64;
                inside().for_each(|s| rolled.take(s.slot, s.at));
                // Slots without a point count too, under none: they are samples all the same.
                let point = points.get(slot).copied().flatten().unwrap_or(0);
                if n > 0 {
                    *counted.points.entry(point).or_default() += n;
                }
            }
        }
        counted.rolled_up += rolled.only_rolled_up();
    }
    Ok(counted)
}

/// Writes a count down. An hour the gateway has told anew while it was counted is left for the next
/// round: what it calls durable now may not have been here then.
pub(super) fn enter(c: &Connection, of: Hour, counted: &Counted) -> Result<(), DbError> {
    let all = counted.samples();
    let entered = c
        .prepare_cached(
            "UPDATE ledger_hour SET received = ?3,
               missing = max(durable - ?3, 0) + max(?3 - collected, 0)
             WHERE gateway = ?1 AND hour = ?2 AND durable = ?4 AND collected = ?5",
        )?
        .execute(params![
            of.gateway,
            of.hour,
            signed(all),
            of.durable,
            of.collected
        ])?;
    if entered == 0 {
        return Ok(());
    }
    rolled_up(c, of, counted)?;
    c.prepare_cached("DELETE FROM received WHERE gateway = ?1 AND hour = ?2")?
        .execute([of.gateway, of.hour])?;
    for (point, samples) in counted.points.iter().filter(|(point, _)| **point > 0) {
        c.prepare_cached(
            "INSERT INTO received (gateway, hour, point, samples) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![of.gateway, of.hour, point, signed(*samples)])?;
    }
    Ok(())
}

/// Writes down what of an hour is here rolled up only; of a complete hour no rollup is needed.
pub(super) fn rolled_up(c: &Connection, of: Hour, counted: &Counted) -> Result<(), DbError> {
    if signed(counted.samples()) >= of.collected {
        super::rolled::forget(c, of.gateway, of.hour)?;
    }
    let sql = match counted.rolled_up {
        0 => "DELETE FROM rolled_hour WHERE gateway = ?1 AND hour = ?2 AND ?3 = 0",
        _ => "INSERT OR REPLACE INTO rolled_hour (gateway, hour, samples) VALUES (?1, ?2, ?3)",
    };
    c.prepare_cached(sql)?
        .execute([of.gateway, of.hour, signed(counted.rolled_up)])?;
    Ok(())
}

/// Samples of each gateway nobody can account for: what it called durable and is not here, what it
/// never counted, and what it leaves open though nothing of it waits.
fn gaps(c: &Connection, now: Timestamp) -> Result<Vec<(i64, Origin, u64)>, DbError> {
    let mut query = c.prepare_cached(
        "SELECT g.row, g.tenant, g.id,
           coalesce((SELECT sum(missing) FROM ledger_hour WHERE gateway = g.row), 0)
           + coalesce((SELECT sum(abs(rest)) FROM ledger WHERE gateway = g.row AND rest <> 0
             AND told_at < ?1 AND g.connected = 1 AND g.backlog_batches = 0), 0)
         FROM gateway g WHERE EXISTS (SELECT 1 FROM ledger_hour WHERE gateway = g.row)",
    )?;
    let rows = query.query_map([now.0 - PATIENCE], |r| {
        let (tenant, id): (String, String) = (r.get(1)?, r.get(2)?);
        Ok((r.get::<_, i64>(0)?, tenant, id, r.get::<_, i64>(3)?))
    })?;
    rows.map(|row| {
        let (gateway, tenant, id, gap) = row?;
        Ok((gateway, Origin::stored(&tenant, &id)?, unsigned(gap)))
    })
    .collect()
}

fn path() -> PointPath {
    PointPath::new(Key::slug(CLOUD_DEVICE), Key::slug("completeness"))
}

/// Raises the alarm of a gateway with a gap, and clears it when everything is accounted for.
fn alarm(c: &Connection, gateway: i64, gap: u64, now: Timestamp) -> Result<Option<Alarm>, DbError> {
    let path = path();
    let open: Option<String> = c
        .prepare_cached(
            "SELECT body FROM alarm WHERE gateway = ?1 AND path = ?2 AND open = 1
               AND state IN ('active_unacknowledged', 'active_acknowledged')",
        )?
        .query_row(params![gateway, path.to_string()], |r| r.get(0))
        .optional()?;
    let alarm = match (open, gap) {
        (None, 0) | (Some(_), 1..) => return Ok(None),
        (None, gap) => Alarm {
            id: AlarmId(uuid::Uuid::new_v4()),
            rule: Key::slug("completeness"),
            path,
            priority: AlarmPriority::High,
            message: format!(
                "{gap} samples are unaccounted for: see the completeness of this gateway"
            ),
            state: AlarmState::ActiveUnacknowledged,
            raised_at: now,
            value: Some(Value::Int(signed(gap))),
            limit: Some(0.0),
            cleared_at: None,
            acknowledged: None,
        },
        (Some(body), 0) => {
            let mut alarm: Alarm = super::text::from_json("alarm", &body)?;
            alarm.cleared_at = Some(now);
            alarm.state = match alarm.state {
                AlarmState::ActiveAcknowledged => AlarmState::Normal,
                _ => AlarmState::ClearedUnacknowledged,
            };
            alarm
        }
    };
    let seq = unsigned(now.0);
    super::alarms::alarm_event(c, gateway, &alarm, Place { epoch: 0, seq })?;
    Ok(Some(alarm))
}

/// Takes an alarm of the cloud's own: no gateway knows of it.
pub(super) fn take(
    c: &Connection,
    gateway: i64,
    mut alarm: Alarm,
    by: Acknowledgement,
) -> Result<Alarm, DbError> {
    alarm.state = match alarm.state {
        AlarmState::ClearedUnacknowledged => AlarmState::Normal,
        _ => AlarmState::ActiveAcknowledged,
    };
    // Later than every word about it so far, and at most as late as the next round's.
    let seq = unsigned(by.at.0);
    alarm.acknowledged = Some(by);
    super::alarms::alarm_event(c, gateway, &alarm, Place { epoch: 0, seq })?;
    Ok(alarm)
}

impl Db {
    /// Counts the hours gateways have told of, raises and clears the alarms about gaps. To be
    /// repeated about once a minute.
    ///
    /// # Errors
    /// When the database cannot be read or written; nothing is lost, the next round does it.
    pub async fn reckon(&self, now: Timestamp) -> Result<(), DbError> {
        for hour in self.read(to_count).await? {
            let counted = self.read(move |c| count(c, hour)).await?;
            self.write(move |c| enter(c, hour, &counted)).await?;
        }
        for (gateway, origin, gap) in self.read(move |c| gaps(c, now)).await? {
            let changed = self.write(move |c| alarm(c, gateway, gap, now)).await?;
            if let Some(alarm) = changed {
                tracing::warn!(%origin, gap, "samples unaccounted for");
                // Without a listener there is nobody to tell.
                let _ = self.0.events.send(CloudEvent::Alarm {
                    origin: Arc::new(origin),
                    alarm: Arc::new(alarm),
                });
            }
        }
        Ok(())
    }
}
