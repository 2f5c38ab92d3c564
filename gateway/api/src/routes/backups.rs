//! Backups on request. Owns the route; making and restoring them is the daemon's.

use super::extract::From;
use crate::auth::Caller;
use crate::face::{BackupHealth, Face};
use crate::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use riser_model::audit::action;
use riser_store::{Note, Trace};

/// Make a backup now, restore it into a temporary folder and compare
///
/// The result follows in the overview.
#[utoipa::path(post, path = "/api/v1/backups", tag = "gateway", operation_id = "make_backup",
    responses((status = 202, body = BackupHealth)))]
pub(super) async fn make(
    State(face): State<Face>,
    caller: Caller,
    From(address): From,
) -> Result<(StatusCode, Json<BackupHealth>), Refusal> {
    let Some(health) = face.backup() else {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "no_backup_configured",
            "no backups are configured: add [backup] with dir and key_file to riser.toml",
        ));
    };
    let by = Trace::new(caller.user, address.to_string());
    let note = Note::new(by, action::BACKUP, "asked for");
    face.store().note(note).await?;
    face.backup_now();
    Ok((StatusCode::ACCEPTED, Json(health)))
}
