//! Alarms: seeing and taking them. Owns the routes; the states are `riser_rules::alarm`.

use super::extract::{AtId, Body, From, Params};
use crate::auth::Caller;
use crate::face::Face;
use crate::refusal::Refusal;
use crate::shape::{AcknowledgeRequest, AlarmList};
use axum::Json;
use axum::extract::State;
use riser_model::{Acknowledgement, Alarm, AlarmId, AlarmState, Author, AuthorKind};
use serde::Deserialize;
use std::collections::HashSet;
use utoipa::{IntoParams, ToSchema};

/// Longest comment, in characters.
const COMMENT_MAX: usize = 1000;

/// Which alarms, by where they stand.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum AlarmScope {
    /// Active or not acknowledged.
    Open,
    /// Every one, past ones too.
    All,
}

/// Which alarms.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AlarmQuery {
    /// Where they stand; open ones if absent.
    #[param(inline)]
    state: Option<AlarmScope>,
    /// At most so many; 200 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Alarms, the newest first
#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms", params(AlarmQuery),
    responses((status = 200, body = AlarmList)))]
pub(super) async fn alarms(
    State(face): State<Face>,
    Params(query): Params<AlarmQuery>,
) -> Result<Json<AlarmList>, Refusal> {
    let limit = query.limit.unwrap_or(200).clamp(1, 1000);
    // The runtime knows the open ones before they are on disk, and however the disk is doing.
    let mut alarms = face.runtime().alarms();
    alarms.retain(|alarm| alarm.state != AlarmState::Normal);
    if query.state == Some(AlarmScope::All) {
        let recorded = face.runtime().alarm_history(limit).await?;
        let known: HashSet<AlarmId> = alarms.iter().map(|alarm| alarm.id).collect();
        alarms.extend(
            recorded
                .into_iter()
                .filter(|alarm| !known.contains(&alarm.id)),
        );
    }
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.raised_at));
    alarms.truncate(limit);
    Ok(Json(AlarmList { alarms }))
}

/// Take an alarm
///
/// An alarm somebody took before keeps that acknowledgement, and the answer shows it.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/acknowledge", tag = "alarms",
    request_body = AcknowledgeRequest,
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = Alarm)))]
pub(super) async fn acknowledge(
    State(face): State<Face>,
    caller: Caller,
    AtId(id): AtId,
    From(address): From,
    Body(request): Body<AcknowledgeRequest>,
) -> Result<Json<Alarm>, Refusal> {
    if request.comment.chars().count() > COMMENT_MAX {
        return Err(Refusal::malformed(format!(
            "the comment is longer than {COMMENT_MAX} characters"
        )));
    }
    let acknowledgement = Acknowledgement {
        by: Author {
            kind: AuthorKind::Local,
            name: caller.user,
        },
        at: face.now(),
        comment: request.comment,
    };
    let from = Some(address.to_string());
    let runtime = face.runtime();
    let alarm = runtime.acknowledge_from(AlarmId(id), acknowledgement, from)?;
    Ok(Json(alarm))
}
