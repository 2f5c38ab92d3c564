//! Present values. Owns the rows of `latest` and the rule which of two samples is the present
//! one: that of the batch numbered later. Batches are numbered as they are made, so late ones
//! (backfill) and ones stamped by a clock that was wrong never win.

use super::DbError;
use super::commands::Place;
use super::inbox::EpochState;
use super::text::{signed, value_columns};
use riser_model::Sample;
use rusqlite::{Connection, params};

/// Takes over the newest sample of each point in a batch. Samples come series by series, each in
/// order of time; slots without a point are passed over.
pub(super) fn apply(
    c: &Connection,
    state: &EpochState,
    samples: &[Sample],
    place: Place,
) -> Result<(), DbError> {
    let mut upsert = c.prepare_cached(
        "INSERT INTO latest (point, at, kind, value, quality, epoch, seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET at = excluded.at, kind = excluded.kind, value = excluded.value,
           quality = excluded.quality, epoch = excluded.epoch, seq = excluded.seq
         WHERE (excluded.epoch, excluded.seq) > (latest.epoch, latest.seq)",
    )?;
    for series in samples.chunk_by(|a, b| a.slot == b.slot) {
        let Some(last) = series.last() else { continue };
        let Some(point) = state.points.get(last.slot.index()).copied().flatten() else {
            continue;
        };
        let (kind, value) = value_columns(last.value.as_ref());
        upsert
            .execute(params![
                point,
                last.at.0,
                kind,
                value,
                last.quality.code(),
                place.epoch,
                signed(place.seq)
            ])
            .map_err(DbError::sqlite("write a present value"))?;
    }
    Ok(())
}
