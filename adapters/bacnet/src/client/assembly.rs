//! Puts an answer together that comes in parts (clause 5.4.4.3). Pure; owns the caps.

use crate::codec::Segment;

/// Parts the other side may send before it waits.
const WINDOW: u8 = 16;
/// Octets of an answer, at most: 100,000 object identifiers.
const OCTETS: usize = 512 * 1024;
/// Parts of an answer, at most.
const PARTS: usize = 4096;

/// An answer that is not complete.
#[derive(Debug)]
pub(crate) struct Assembly {
    octets: Vec<u8>,
    parts: usize,
    window: u8,
    /// Parts since the last acknowledgement.
    unacknowledged: u8,
}

/// What to do after a part came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Say that parts up to this one have come.
    Acknowledge { number: u8, window: u8 },
    /// Say that the part after this one is missing.
    Again { number: u8, window: u8 },
    /// Say that this was the last; the answer is complete.
    Done { number: u8, window: u8 },
    /// It is longer than anything sensible: give it up.
    TooLong,
}

impl Assembly {
    /// Begins with the first part; `None` when another one came first.
    pub(crate) fn begin(part: Segment, body: &[u8]) -> Option<(Self, Step)> {
        if part.number != 0 {
            return None;
        }
        let mut new = Self {
            octets: Vec::with_capacity(body.len() * 4),
            parts: 0,
            window: part.window.clamp(1, WINDOW),
            // The first part is acknowledged by itself.
            unacknowledged: u8::MAX,
        };
        let step = new.take(part, body);
        Some((new, step))
    }

    /// Takes the next part.
    pub(crate) fn take(&mut self, part: Segment, body: &[u8]) -> Step {
        let window = self.window;
        let next = self.parts.to_le_bytes()[0];
        if part.number != next {
            let behind = next.wrapping_sub(part.number);
            let number = next.wrapping_sub(1);
            // One that has come before: its acknowledgement was lost.
            return match (1..=window).contains(&behind) {
                true => Step::Acknowledge { number, window },
                false => Step::Again { number, window },
            };
        }
        if self.octets.len() + body.len() > OCTETS || self.parts >= PARTS {
            return Step::TooLong;
        }
        self.octets.extend(body);
        self.parts += 1;
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        let number = part.number;
        if !part.more {
            return Step::Done { number, window };
        }
        if self.unacknowledged >= window {
            self.unacknowledged = 0;
            return Step::Acknowledge { number, window };
        }
        Step::Wait
    }

    /// The whole answer.
    pub(crate) fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u8, more: bool) -> Segment {
        Segment {
            number,
            window: 4,
            more,
        }
    }

    #[test]
    fn parts_are_acknowledged_by_the_window_and_put_together() {
        let (mut a, step) = Assembly::begin(part(0, true), &[0]).unwrap();
        assert_eq!(
            step,
            Step::Acknowledge {
                number: 0,
                window: 4
            }
        );
        for number in 1..4 {
            assert_eq!(a.take(part(number, true), &[number]), Step::Wait);
        }
        let full = Step::Acknowledge {
            number: 4,
            window: 4,
        };
        assert_eq!(a.take(part(4, true), &[4]), full);
        assert_eq!(
            a.take(part(5, false), &[5]),
            Step::Done {
                number: 5,
                window: 4
            }
        );
        assert_eq!(a.into_octets(), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_lost_part_is_asked_for_and_a_second_copy_is_not_taken() {
        let (mut a, _) = Assembly::begin(part(0, true), &[0]).unwrap();
        assert_eq!(
            a.take(part(2, true), &[2]),
            Step::Again {
                number: 0,
                window: 4
            }
        );
        assert_eq!(a.take(part(1, true), &[1]), Step::Wait);
        assert_eq!(
            a.take(part(1, true), &[1]),
            Step::Acknowledge {
                number: 1,
                window: 4
            }
        );
        assert_eq!(
            a.take(part(2, false), &[2]),
            Step::Done {
                number: 2,
                window: 4
            }
        );
        assert_eq!(a.into_octets(), [0, 1, 2]);
        assert!(Assembly::begin(part(1, true), &[1]).is_none());
    }

    #[test]
    fn numbers_go_round_and_an_endless_answer_is_given_up() {
        let (mut a, _) = Assembly::begin(part(0, true), &[0; 1]).unwrap();
        let long = vec![0; 1400];
        let mut given_up = false;
        for number in 1..5000_usize {
            let number = number.to_le_bytes()[0];
            if a.take(part(number, true), &long) == Step::TooLong {
                given_up = true;
                break;
            }
        }
        assert!(given_up && a.parts > 256);
    }
}
