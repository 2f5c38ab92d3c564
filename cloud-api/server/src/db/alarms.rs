//! Alarms as gateways tell of them, and acknowledgements on their way down. Owns the rows of
//! `alarm` and `acknowledgement`. The gateway alone decides the state of an alarm.

use super::commands::{Place, address};
use super::text::{from_json, json, signed, uuid, word};
use super::{Db, DbError, Origin, gateways};
use riser_model::{Acknowledgement, Alarm, AlarmId, AlarmState, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::net::IpAddr;
use std::sync::Arc;

/// What became of taking an alarm.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// Entered; it is to be sent until the gateway shows it.
    Queued(Alarm),
    /// Somebody had taken it before, or it is over: nothing to do.
    Already(Alarm),
    /// The gateway has no such alarm, or there is no such gateway.
    Unknown,
}

/// A gateway tells of an alarm. True when this is the newest word about it.
pub(super) fn alarm_event(
    c: &Connection,
    gateway: i64,
    alarm: &Alarm,
    place: Place,
) -> Result<bool, DbError> {
    let open = alarm.state != AlarmState::Normal;
    let changed = c
        .prepare_cached(
            "INSERT INTO alarm (gateway, id, path, state, open, raised_at, body, epoch, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET path = excluded.path, state = excluded.state,
               open = excluded.open, raised_at = excluded.raised_at, body = excluded.body,
               epoch = excluded.epoch, seq = excluded.seq
             WHERE (excluded.epoch, excluded.seq) > (alarm.epoch, alarm.seq)",
        )?
        .execute(params![
            gateway,
            alarm.id.0.as_bytes(),
            alarm.path.to_string(),
            word(&alarm.state)?,
            open,
            alarm.raised_at.0,
            json(alarm)?,
            place.epoch,
            signed(place.seq)
        ])
        .map_err(DbError::sqlite("enter an alarm"))?;
    if changed > 0 && (alarm.acknowledged.is_some() || !alarm.state.needs_acknowledgement()) {
        c.prepare_cached("DELETE FROM acknowledgement WHERE gateway = ?1 AND alarm = ?2")?
            .execute(params![gateway, alarm.id.0.as_bytes()])?;
    }
    Ok(changed > 0)
}

impl Db {
    /// Enters an acknowledgement and where the person was, to be sent until the gateway shows it. The
    /// earliest wins.
    ///
    /// # Errors
    /// When nothing was committed.
    pub async fn take_alarm(
        &self,
        origin: &Arc<Origin>,
        id: AlarmId,
        (acknowledgement, from): (Acknowledgement, Option<IpAddr>),
        now: Timestamp,
    ) -> Result<Taken, DbError> {
        let of = Arc::clone(origin);
        self.write(move |c| {
            let Some(gateway) = gateways::find(c, &of)? else {
                return Ok(Taken::Unknown);
            };
            let body: Option<String> = c
                .prepare_cached("SELECT body FROM alarm WHERE gateway = ?1 AND id = ?2")?
                .query_row(params![gateway, id.0.as_bytes()], |r| r.get(0))
                .optional()?;
            let Some(body) = body else {
                return Ok(Taken::Unknown);
            };
            let alarm: Alarm = from_json("alarm", &body)?;
            if alarm.acknowledged.is_some() || !alarm.state.needs_acknowledgement() {
                return Ok(Taken::Already(alarm));
            }
            if alarm.path.device.as_str() == super::ledger::CLOUD_DEVICE {
                return super::ledger::take(c, gateway, alarm, acknowledgement).map(Taken::Already);
            }
            c.prepare_cached(
                "INSERT INTO acknowledgement (gateway, alarm, body, created_at, taken_from)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                gateway,
                id.0.as_bytes(),
                json(&acknowledgement)?,
                now.0,
                from.map(|address| address.to_string())
            ])?;
            Ok(Taken::Queued(alarm))
        })
        .await
    }

    /// Acknowledgements the gateway has not shown yet, each with where the person was, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_acknowledgements(
        &self,
        origin: &Arc<Origin>,
    ) -> Result<Vec<(AlarmId, Acknowledgement, Option<IpAddr>)>, DbError> {
        let of = Arc::clone(origin);
        self.read(move |c| {
            let Some(gateway) = gateways::find(c, &of)? else {
                return Ok(Vec::new());
            };
            let mut query = c.prepare_cached(
                "SELECT alarm, body, taken_from FROM acknowledgement WHERE gateway = ?1 ORDER BY created_at",
            )?;
            let rows = query
                .query_map([gateway], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?))
                })?
                .collect::<Result<Vec<(Vec<u8>, String, Option<String>)>, _>>()?;
            rows.iter()
                .map(|(id, body, from)| {
                    Ok((
                        AlarmId(uuid("alarm id", id)?),
                        from_json("acknowledgement", body)?,
                        address(from.as_deref()),
                    ))
                })
                .collect()
        })
        .await
    }
}
