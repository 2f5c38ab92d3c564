//! Writing points of a gateway. Owns what is checked before anything goes down: whether the point
//! takes the value, and for how long the command may wait and hold.

use super::alarms::refused;
use super::error::found;
use super::shape::WriteRequest;
use super::{AppError, AppResult};
use crate::clock::Clock;
use crate::db::{Db, PointRef};
use crate::ingest::Downlink;
use crate::tenancy::TenantContext;
use riser_model::{
    Command, CommandId, CommandRecord, CommandState, GatewayId, Point, PointPath, Priority, Value,
    ValueKind,
};
use std::time::Duration;
use uuid::Uuid;

/// Time within which a gateway must begin, unless the request says otherwise.
const TTL_S: u32 = 30;
/// Longest such time: an old command is a surprise.
const TTL_MAX_S: u32 = 3600;
/// Longest hold.
const HOLD_MAX_S: u32 = 365 * 24 * 3600;
/// Longest text value in octets.
const TEXT_MAX: usize = 4096;

/// Commands.
#[derive(Debug)]
pub struct Commands {
    db: Db,
    downlink: Downlink,
    clock: Clock,
}

impl Commands {
    /// Over this database, with this way down.
    #[must_use]
    pub fn new(db: Db, downlink: Downlink, clock: Clock) -> Self {
        Self {
            db,
            downlink,
            clock,
        }
    }

    /// Checks, records and sends a write. A repeat with the same id has no second effect and
    /// answers how the first stands.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Refused`] with the reason when the point does not take
    /// the value; [`AppError::Conflict`] when the id belongs to another write.
    pub async fn write(
        &self,
        who: &TenantContext,
        (gateway, path): PointRef,
        request: WriteRequest,
    ) -> AppResult<CommandRecord> {
        let sought = self.db.point(who, gateway.clone(), path.clone()).await?;
        let (origin, view) = found(sought, || format!("point {path} of gateway '{gateway}'"))?;
        let command = self.command(who, &view.point, request)?;
        let wanted = (
            command.path.clone(),
            command.value.clone(),
            command.priority,
        );
        let sent = self
            .downlink
            .command(&origin.tenant, &origin.gateway, (command, who.address()));
        let mut record = sent.await.map_err(|error| refused(&error))?;
        let known = &record.command;
        if wanted != (known.path.clone(), known.value.clone(), known.priority) {
            return Err(AppError::Conflict {
                code: "id_taken",
                message: format!(
                    "command {} was already given for another write; use a new id",
                    known.id.0
                ),
            });
        }
        let waits = record.outcome.state == CommandState::Requested
            && !self.downlink.connected(&origin.tenant, &origin.gateway);
        if waits && record.outcome.detail.is_empty() {
            "the gateway is not connected; the command waits for it and expires in time"
                .clone_into(&mut record.outcome.detail);
        }
        Ok(record)
    }

    fn command(
        &self,
        who: &TenantContext,
        point: &Point,
        request: WriteRequest,
    ) -> AppResult<Command> {
        let value = request.value.map(|value| fitted(point.kind, value));
        check(point, value.as_ref())?;
        let level = request
            .priority
            .unwrap_or(Priority::MANUAL_OPERATOR.level());
        let priority = Priority::try_from(level).map_err(|message| AppError::Refused {
            code: "priority",
            message,
        })?;
        let ttl = within(
            "ttl_seconds",
            request.ttl_seconds.unwrap_or(TTL_S),
            TTL_MAX_S,
        )?;
        let hold = request
            .hold_seconds
            .map(|hold| within("hold_seconds", hold, HOLD_MAX_S))
            .transpose()?;
        let now = self.clock.now();
        Ok(Command {
            id: CommandId(request.id.unwrap_or_else(Uuid::new_v4)),
            path: point.path.clone(),
            value,
            priority,
            issued_at: now,
            expires_at: now.plus(ttl),
            hold_until: hold.map(|hold| now.plus(hold)),
            author: who.author(),
        })
    }

    /// Commands to a gateway or to one of its points, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when there is no such gateway.
    pub async fn list(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        path: Option<PointPath>,
        limit: u32,
    ) -> AppResult<Vec<CommandRecord>> {
        let sought = self.db.commands(who, gateway.clone(), path, limit).await?;
        found(sought, || format!("gateway '{gateway}'"))
    }

    /// One command.
    ///
    /// # Errors
    /// [`AppError::NotFound`], for another tenant's too.
    pub async fn get(&self, who: &TenantContext, id: CommandId) -> AppResult<CommandRecord> {
        let record = self.db.command(who, id).await?;
        record.ok_or_else(|| AppError::NotFound(format!("command {}", id.0)))
    }
}

/// JSON has one kind of number and people write 1 for on; the point knows what it is.
fn fitted(kind: ValueKind, value: Value) -> Value {
    match (kind, value) {
        (ValueKind::Bool, Value::Int(i @ (0 | 1))) => Value::Bool(i == 1),
        (ValueKind::Float, value @ Value::Int(_)) => value.as_f64().map_or(value, Value::Float),
        (_, value) => value,
    }
}

fn check(point: &Point, value: Option<&Value>) -> AppResult<()> {
    let refuse = |message| AppError::Refused {
        code: "value_refused",
        message,
    };
    match value {
        Some(Value::Text(text)) if text.len() > TEXT_MAX => Err(refuse(format!(
            "{} takes a text of at most {TEXT_MAX} octets",
            point.path
        ))),
        Some(value) => point.check_write(value).map_err(refuse),
        None if !point.access.writable() => Err(refuse(format!("{} is read-only", point.path))),
        None => Ok(()),
    }
}

fn within(name: &str, seconds: u32, most: u32) -> AppResult<Duration> {
    if (1..=most).contains(&seconds) {
        return Ok(Duration::from_secs(seconds.into()));
    }
    Err(AppError::Refused {
        code: "duration",
        message: format!("{name} must be between 1 and {most}, not {seconds}"),
    })
}
