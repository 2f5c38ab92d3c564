//! Seeing and taking alarms. Owns the rule that the first to take one has taken it; the state of
//! an alarm is the gateway's to decide.

use super::error::found;
use super::shape::GatewayAlarm;
use super::{AppError, AppResult};
use crate::clock::Clock;
use crate::db::{AlarmQuery, CloudEvent, Db, Origin};
use crate::ingest::{Downlink, DownlinkError};
use crate::tenancy::TenantContext;
use riser_model::{Acknowledgement, Alarm, AlarmId, GatewayId};
use std::sync::Arc;

/// Which alarms.
pub type AlarmFilter = AlarmQuery;

/// Longest comment beside an acknowledgement, in characters.
const COMMENT_MAX: usize = 1000;

/// Alarms.
#[derive(Debug)]
pub struct Alarms {
    db: Db,
    downlink: Downlink,
    clock: Clock,
}

impl Alarms {
    /// Over this database, with this way down.
    #[must_use]
    pub fn new(db: Db, downlink: Downlink, clock: Clock) -> Self {
        Self {
            db,
            downlink,
            clock,
        }
    }

    /// Alarms whoever asks may see, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(
        &self,
        who: &TenantContext,
        filter: AlarmFilter,
    ) -> AppResult<Vec<GatewayAlarm>> {
        let rows = self.db.alarms(who, filter).await?;
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Takes an alarm: recorded here, sent down now or when the gateway is back. One that was
    /// taken before stays with whoever took it.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Refused`] for a comment that is too long.
    pub async fn acknowledge(
        &self,
        who: &TenantContext,
        (gateway, id): (GatewayId, AlarmId),
        comment: String,
    ) -> AppResult<GatewayAlarm> {
        if comment.chars().count() > COMMENT_MAX {
            return Err(AppError::Refused {
                code: "comment_too_long",
                message: format!("a comment has at most {COMMENT_MAX} characters; shorten it"),
            });
        }
        let before = self.one(who, &gateway, id).await?;
        if before.1.acknowledged.is_some() || !before.1.state.needs_acknowledgement() {
            return Ok(shown(before));
        }
        let acknowledgement = Acknowledgement {
            by: who.author(),
            at: self.clock.now(),
            comment,
        };
        let Origin {
            tenant,
            gateway: of,
        } = &before.0;
        self.downlink
            .acknowledge(tenant, of, id, (acknowledgement, who.address()))
            .await
            .map_err(|error| refused(&error))?;
        let (origin, alarm) = self.one(who, &gateway, id).await?;
        self.db.announce(CloudEvent::Alarm {
            origin: Arc::new(origin.clone()),
            alarm: Arc::new(alarm.clone()),
        });
        Ok(shown((origin, alarm)))
    }

    async fn one(
        &self,
        who: &TenantContext,
        gateway: &GatewayId,
        id: AlarmId,
    ) -> AppResult<(Origin, Alarm)> {
        let sought = self.db.alarm(who, gateway.clone(), id).await?;
        found(sought, || format!("alarm {} of gateway '{gateway}'", id.0))
    }
}

fn shown((origin, alarm): (Origin, Alarm)) -> GatewayAlarm {
    GatewayAlarm {
        tenant: origin.tenant,
        gateway: origin.gateway,
        alarm,
    }
}

/// Something that was just there and is gone is not found; anything else is a fault.
pub(super) fn refused(error: &DownlinkError) -> AppError {
    match error {
        DownlinkError::Unknown { what, .. } => AppError::NotFound(what.clone()),
        DownlinkError::Db { source, .. } => {
            let detail = AppError::from(source.clone());
            match detail {
                AppError::Internal(text) => AppError::Internal(format!("{error}: {text}")),
                other => other,
            }
        }
    }
}
