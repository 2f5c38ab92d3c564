//! Frames cut into parts, for a broker that takes no packet as long as a frame. Owns the form of a
//! part, cutting, and joining with bounded memory. What is joined is the frame octet for octet, so
//! numbers, checksums and durable ranges know nothing of it.
//!
//! ```text
//! part := "RP" version(1) index(u16 LE) count(u16 LE) frame-length(u32 LE)
//!         crc32c(u32 LE, of the whole frame) octets
//! ```
//!
//! Parts travel on the topic of their frame, in order. All but the last are of one length.

use crate::WireError;
use crate::limits::MAX_EVENT_FRAME;

const MAGIC: [u8; 2] = *b"RP";
const VERSION: u8 = 1;
/// Octets before those of the frame.
pub const OVERHEAD: usize = 15;
/// Least octets of a frame in a part: below it a broker's limit is taken for a mistake.
pub const LEAST: usize = 512;
/// Frames one gateway may have begun and not ended. Its lanes take turns, so there may be a few.
const OPEN: usize = 4;

/// Whether a message is a part of a frame rather than a frame.
#[must_use]
pub fn is_part(message: &[u8]) -> bool {
    message.starts_with(&MAGIC)
}

/// Cuts a frame into messages of at most `most` octets; `None` when that is too little to be of
/// use.
#[must_use]
pub fn cut(frame: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    let room = most.checked_sub(OVERHEAD).filter(|room| *room >= LEAST)?;
    let count = u16::try_from(frame.len().div_ceil(room)).ok()?;
    let length = u32::try_from(frame.len()).ok()?;
    let sum = crc32c::crc32c(frame);
    let part = |(index, octets): (u16, &[u8])| {
        let mut message = Vec::with_capacity(OVERHEAD + octets.len());
        message.extend_from_slice(&MAGIC);
        message.push(VERSION);
        message.extend_from_slice(&index.to_le_bytes());
        message.extend_from_slice(&count.to_le_bytes());
        message.extend_from_slice(&length.to_le_bytes());
        message.extend_from_slice(&sum.to_le_bytes());
        message.extend_from_slice(octets);
        message
    };
    Some((0..count).zip(frame.chunks(room)).map(part).collect())
}

struct Part<'a> {
    index: u16,
    count: u16,
    frame: Name,
    octets: &'a [u8],
}

/// Which frame a part is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name {
    length: usize,
    sum: u32,
}

fn read(message: &[u8]) -> Result<Part<'_>, WireError> {
    let (head, octets) = message
        .split_at_checked(OVERHEAD)
        .ok_or(WireError::Truncated("the head of a part"))?;
    let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let long = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[2] != VERSION {
        return Err(WireError::Unknown {
            what: "version of parts",
            code: head[2].into(),
        });
    }
    let length = long(7) as usize;
    WireError::check("frame in parts", length, MAX_EVENT_FRAME)?;
    Ok(Part {
        index: short(3),
        count: short(5),
        frame: Name {
            length,
            sum: long(11),
        },
        octets,
    })
}

#[derive(Debug)]
struct Open {
    name: Name,
    next: u16,
    octets: Vec<u8>,
}

/// Joins the parts of one gateway.
#[derive(Debug, Default)]
pub struct Joiner {
    open: Vec<Open>,
}

impl Joiner {
    /// Takes a part; answers the frame when it was the last one.
    ///
    /// # Errors
    /// When it is no part, or does not follow the one before: then its frame is forgotten, and the
    /// gateway sends it again when it does not become durable.
    pub fn join(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
        let part = read(message)?;
        if part.index == 0 {
            // Begun anew: what there is of it was sent before.
            self.open.retain(|open| open.name != part.frame);
            if self.open.len() == OPEN {
                self.open.remove(0);
            }
            self.open.push(Open {
                name: part.frame,
                next: 0,
                octets: Vec::new(),
            });
        }
        let place = self.open.iter().position(|open| open.name == part.frame);
        let place = place.ok_or(WireError::Malformed("a part without those before it"))?;
        let open = &mut self.open[place];
        if part.index.checked_add(1) == Some(open.next) {
            // The broker has delivered it twice.
            return Ok(None);
        }
        let follows = part.index == open.next
            && part.index < part.count
            && open.octets.len() + part.octets.len() <= part.frame.length;
        if !follows {
            self.open.remove(place);
            return Err(WireError::Malformed(
                "a part that does not follow the one before",
            ));
        }
        open.octets.extend_from_slice(part.octets);
        open.next += 1;
        if open.next < part.count {
            return Ok(None);
        }
        let frame = self.open.remove(place).octets;
        let found = crc32c::crc32c(&frame);
        if frame.len() != part.frame.length || found != part.frame.sum {
            return Err(WireError::Checksum {
                found,
                stated: part.frame.sum,
            });
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(length: usize, seed: u8) -> Vec<u8> {
        (0..=250)
            .cycle()
            .take(length)
            .map(|n: u8| n ^ seed)
            .collect()
    }

    #[test]
    fn two_frames_cut_and_mixed_come_out_whole() {
        let (one, two) = (frame(10_000, 1), frame(7_000, 2));
        let cuts = [cut(&one, 1_000).unwrap(), cut(&two, 1_000).unwrap()];
        assert!(
            cuts.iter()
                .flatten()
                .all(|part| part.len() <= 1_000 && is_part(part))
        );
        let mut joiner = Joiner::default();
        let mut whole = Vec::new();
        for n in 0..cuts[0].len() {
            for parts in &cuts {
                if let Some(part) = parts.get(n) {
                    whole.extend(joiner.join(part).unwrap());
                    // Delivered twice: no harm, except that a last one stands alone then.
                    if n + 1 < parts.len() {
                        assert_eq!(joiner.join(part).unwrap(), None);
                    }
                }
            }
        }
        assert_eq!(whole, [two, one]);
        assert!(joiner.open.is_empty());
    }

    #[test]
    fn a_frame_sent_again_begins_anew() {
        let (whole, mut joiner) = (frame(3_000, 3), Joiner::default());
        let parts = cut(&whole, 1_000).unwrap();
        joiner.join(&parts[0]).unwrap();
        joiner.join(&parts[1]).unwrap();
        let out: Vec<_> = parts
            .iter()
            .filter_map(|p| joiner.join(p).unwrap())
            .collect();
        assert_eq!(out, [whole]);
    }

    #[test]
    fn gaps_and_damage_are_refused_and_forgotten() {
        let (whole, mut joiner) = (frame(3_000, 4), Joiner::default());
        let parts = cut(&whole, 1_000).unwrap();
        assert!(joiner.join(&parts[1]).is_err(), "nothing before it");
        joiner.join(&parts[0]).unwrap();
        assert!(joiner.join(&parts[2]).is_err(), "one is missing");
        assert!(joiner.open.is_empty());
        let mut last = parts[3].clone();
        *last.last_mut().unwrap() ^= 1;
        for part in &parts[..3] {
            joiner.join(part).unwrap();
        }
        assert!(matches!(
            joiner.join(&last),
            Err(WireError::Checksum { .. })
        ));
        assert!(joiner.open.is_empty());
    }

    #[test]
    fn what_is_begun_and_not_ended_is_bounded() {
        let mut joiner = Joiner::default();
        for seed in 0..100 {
            joiner
                .join(&cut(&frame(3_000, seed), 1_000).unwrap()[0])
                .unwrap();
        }
        assert_eq!(joiner.open.len(), OPEN);
        assert_eq!(cut(&frame(10, 0), 300), None, "too little to be of use");
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut joiner = Joiner::default();
            for mut message in messages {
                if message.len() > 2 {
                    message[..2].copy_from_slice(&MAGIC);
                }
                let _ = joiner.join(&message);
            }
            prop_assert!(joiner.open.len() <= OPEN);
        }
    }
}
