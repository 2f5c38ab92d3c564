//! Batches that were put aside because the cloud refuses them or they cannot be read. Owns the
//! routes; keeping them is the store's.

use super::extract::Params;
use crate::face::Face;
use crate::refusal::Refusal;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use riser_model::Timestamp;
use riser_store::{Epoch, Position, PutAside, Stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Batches listed without a limit.
const LIMIT: usize = 100;

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StreamName {
    /// Alarms, outcomes of commands and the like.
    Event,
    /// Samples.
    Data,
}

/// A batch that will not be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct QuarantinedBatch {
    /// The numbering it belongs to.
    epoch: Uuid,
    /// Which stream.
    stream: StreamName,
    /// Its number.
    seq: u64,
    /// When it was put aside.
    at: Timestamp,
    /// Why, in words.
    reason: String,
    /// Source time of its first sample, where known.
    first_at: Option<Timestamp>,
    /// Source time of its last sample, where known.
    last_at: Option<Timestamp>,
    /// How many samples, where known.
    samples: Option<u32>,
    /// Octets kept of it; null where there are none any more.
    octets: Option<u64>,
}

/// Batches in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Quarantine {
    /// How many there are.
    total: u64,
    /// The newest first.
    batches: Vec<QuarantinedBatch>,
}

/// How many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QuarantineQuery {
    /// 100 if absent, 1000 at most.
    limit: Option<usize>,
}

fn shown(batch: PutAside) -> QuarantinedBatch {
    QuarantinedBatch {
        epoch: batch.position.epoch.0,
        stream: match batch.stream {
            Stream::Event => StreamName::Event,
            Stream::Data => StreamName::Data,
        },
        seq: batch.position.seq,
        at: batch.at,
        reason: batch.reason,
        first_at: batch.span.map(|(first, _)| first),
        last_at: batch.span.map(|(_, last)| last),
        samples: batch.samples,
        octets: batch.octets,
    }
}

/// Batches the cloud refuses or that cannot be read, with the reasons
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "gateway", params(QuarantineQuery),
    responses((status = 200, body = Quarantine)))]
pub(super) async fn quarantine(
    State(face): State<Face>,
    Params(query): Params<QuarantineQuery>,
) -> Result<Json<Quarantine>, Refusal> {
    let limit = query.limit.unwrap_or(LIMIT);
    let list = face.store().put_aside(limit).await?;
    Ok(Json(Quarantine {
        total: list.total,
        batches: list.batches.into_iter().map(shown).collect(),
    }))
}

/// The octets of a batch in quarantine, as they are kept
#[utoipa::path(get, path = "/api/v1/quarantine/{epoch}/{stream}/{seq}", tag = "gateway",
    params(("epoch" = Uuid, Path), ("stream" = StreamName, Path), ("seq" = u64, Path)),
    responses((status = 200, content_type = "application/octet-stream")))]
pub(super) async fn quarantined_frame(
    State(face): State<Face>,
    Path((epoch, stream, seq)): Path<(Uuid, StreamName, u64)>,
) -> Result<Response, Refusal> {
    let position = Position {
        epoch: Epoch(epoch),
        seq,
    };
    let stream = match stream {
        StreamName::Event => Stream::Event,
        StreamName::Data => Stream::Data,
    };
    let frame = face.store().put_aside_frame(stream, position).await?;
    let frame = frame.ok_or_else(|| Refusal::not_found("such batch in quarantine"))?;
    let name = format!("attachment; filename=\"{epoch}-{seq}.frame\"");
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((head, frame).into_response())
}
