//! Frames of gateways that could not be used. Owns the shapes of the answers.

use super::AppResult;
use super::error::found;
use crate::db::{Db, Quarantined};
use crate::tenancy::TenantContext;
use riser_model::{GatewayId, Timestamp};
use riser_wire::Stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamName {
    /// Alarms, outcomes of commands and the like.
    Event,
    /// Samples.
    Data,
}

/// A frame that could not be used. The rest of its stream flows on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantinedFrame {
    /// Names it here.
    pub id: i64,
    /// Its numbering; null, as stream and number, when even its header is unreadable.
    pub epoch: Option<Uuid>,
    /// Which stream.
    pub stream: Option<StreamName>,
    /// Its number.
    pub seq: Option<u64>,
    /// When it came.
    pub received_at: Timestamp,
    /// What is wrong with it, in words.
    pub reason: String,
    /// Octets kept of it; null when only the reason is kept.
    pub octets: Option<u64>,
}

/// Frames of a gateway in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayQuarantine {
    /// How many there are.
    pub total: u64,
    /// The newest first.
    pub frames: Vec<QuarantinedFrame>,
}

/// Frames in quarantine.
#[derive(Debug)]
pub struct Quarantines {
    db: Db,
}

fn shown(frame: Quarantined) -> QuarantinedFrame {
    let name = |stream| match stream {
        Stream::Event => StreamName::Event,
        Stream::Data => StreamName::Data,
    };
    QuarantinedFrame {
        id: frame.row,
        epoch: frame.epoch,
        stream: frame.stream.map(name),
        seq: frame.seq,
        received_at: frame.received_at,
        reason: frame.reason,
        octets: frame.octets,
    }
}

impl Quarantines {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// What of a gateway is in quarantine.
    ///
    /// # Errors
    /// [`super::AppError::NotFound`], for another tenant's too.
    pub async fn list(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        limit: usize,
    ) -> AppResult<GatewayQuarantine> {
        let asked = self.db.quarantine_list(who, gateway.clone(), limit).await?;
        let list = found(asked, || format!("gateway '{gateway}'"))?;
        Ok(GatewayQuarantine {
            total: list.total,
            frames: list.frames.into_iter().map(shown).collect(),
        })
    }

    /// The octets of one of them.
    ///
    /// # Errors
    /// [`super::AppError::NotFound`], for another tenant's too, and when only the reason is kept.
    pub async fn frame(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        id: i64,
    ) -> AppResult<Vec<u8>> {
        let asked = self.db.quarantined_frame(who, gateway.clone(), id).await?;
        found(asked, || {
            format!("frame {id} in quarantine of gateway '{gateway}'")
        })
    }
}
