//! Frames that came in parts. Owns the answer while a frame is not whole; joining itself is the
//! wire's.

use super::pipeline::Answer;
use super::reason::Reason;
use bytes::Bytes;
use riser_wire::part::{self, Joiner};

/// The message to work on: what came, or the frame its last part has made whole. `Err` is the
/// answer to a part that is not the last, or that leads to nothing.
pub(super) fn whole(joiner: &mut Joiner, payload: Bytes) -> Result<Bytes, Box<Answer>> {
    if !part::is_part(&payload) {
        return Ok(payload);
    }
    match joiner.join(&payload) {
        Ok(Some(frame)) => Ok(frame.into()),
        // Taken; what it is part of is not stored yet, and nothing says that it is.
        Ok(None) => Err(Box::default()),
        Err(error) => Err(Box::new(Answer {
            refused: Some(Reason::new(
                Reason::IMPLEMENTATION,
                format!("a part of a frame leads to nothing: {error}; send the frame again"),
            )),
            ..Answer::default()
        })),
    }
}
