//! Beginning a numbering. Owns the rule that a number never means two things: whenever a number
//! could be given out again, everything not yet sent is numbered anew under a new random name.

use crate::StoreError;
use crate::error::Doing;
use crate::state::StateTx;
use riser_model::Event;
use riser_wire::Epoch;
use rusqlite::params;
use uuid::Uuid;

/// Begins a new epoch: events that were not durable are encoded again under it, behind a directory
/// that says what its slots mean. Batches keep the epoch they were written under.
pub(crate) fn begin(tx: &mut StateTx<'_>, reason: &str) -> Result<Epoch, StoreError> {
    let waiting = waiting_events(tx)?;
    let epoch = Epoch(Uuid::new_v4());
    tx.execute(
        "begin an epoch",
        "INSERT INTO epoch (id, begun_at, reason) VALUES (?1, ?2, ?3)",
        params![epoch.0.as_bytes(), tx.now().0, reason],
    )?;
    tx.execute("renumber events", "DELETE FROM event", [])?;
    tx.numbers.epoch = epoch;
    tx.numbers.event_head = 0;
    if tx.numbers.directory > 0 {
        crate::points::announce(tx)?;
    }
    for event in &waiting {
        tx.emit(event)?;
    }
    tracing::info!(%epoch, reason, renumbered = waiting.len(), "a new numbering begins");
    Ok(epoch)
}

/// Events that were not durable, without directories: a new one goes first anyway.
fn waiting_events(tx: &StateTx<'_>) -> Result<Vec<Event>, StoreError> {
    let doing = "read the waiting events";
    let mut query = tx
        .conn()
        .prepare("SELECT frame FROM event ORDER BY seq")
        .doing(doing, tx.file())?;
    let mut rows = query.query([]).doing(doing, tx.file())?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next().doing(doing, tx.file())? {
        let frame = row
            .get_ref(0)
            .and_then(|v| Ok(v.as_blob()?))
            .doing(doing, tx.file())?;
        match riser_wire::decode_event(frame) {
            Ok((_, Event::Directory(_))) => {}
            Ok((_, event)) => waiting.push(event),
            Err(error) => tracing::error!(%error, "a stored event is damaged and cannot be sent"),
        }
    }
    Ok(waiting)
}
