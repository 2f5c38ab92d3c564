//! Arrangement of the octets of a number over registers: which wire octet has which weight. Owns
//! the spelling `abcd`, where `a` is the most significant octet and letters stand in wire order.

/// The arrangement of 2, 4 or 8 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Weight of each wire octet, 0 = most significant.
    place: [u8; 8],
    octets: u8,
    plain: bool,
}

/// The four orders a device may name for all of its numbers.
pub const NAMED: [&str; 4] = ["abcd", "cdab", "badc", "dcba"];

impl Order {
    /// High octet first throughout, as the specification has it.
    #[must_use]
    pub fn plain(octets: u8) -> Self {
        Self {
            place: [0, 1, 2, 3, 4, 5, 6, 7],
            octets: octets.min(8),
            plain: true,
        }
    }

    /// Reads a spelling for a number of `octets` octets. A four-letter name stands for the same
    /// habit on eight octets: `cdab` is then `ghefcdab`.
    pub fn parse(text: &str, octets: u8) -> Result<Self, String> {
        let wider = match (text, octets) {
            ("abcd", 8) => "abcdefgh",
            ("cdab", 8) => "ghefcdab",
            ("badc", 8) => "badcfehg",
            ("dcba", 8) => "hgfedcba",
            _ => text,
        };
        let wrong = || {
            let example = match octets {
                2 => "'ab' or 'ba'",
                4 => "'abcd', 'cdab', 'badc' or 'dcba'",
                _ => {
                    "'abcdefgh', 'ghefcdab', 'badcfehg', 'hgfedcba' or another arrangement of whole registers"
                }
            };
            format!("order '{text}' does not fit a value of {octets} octets; write {example}")
        };
        if wider.len() != usize::from(octets) {
            return Err(wrong());
        }
        let mut place = [0; 8];
        let mut seen = 0_u16;
        for (slot, letter) in place.iter_mut().zip(wider.bytes()) {
            let weight = letter.wrapping_sub(b'a');
            if weight >= octets {
                return Err(wrong());
            }
            *slot = weight;
            seen |= 1 << weight;
        }
        if u32::from(octets) != seen.count_ones() || !whole_registers(&place, octets) {
            return Err(wrong());
        }
        Ok(Self {
            place,
            octets,
            plain: place.iter().take(octets.into()).is_sorted(),
        })
    }

    /// The number whose octets stand at the front of `wire`; missing octets count as 0.
    #[must_use]
    pub fn gather(&self, wire: &[u8]) -> u64 {
        let octets = u32::from(self.octets);
        if self.plain {
            return wire
                .iter()
                .take(self.octets.into())
                .fold(0, |number, octet| number << 8 | u64::from(*octet));
        }
        wire.iter()
            .zip(self.place)
            .take(self.octets.into())
            .fold(0, |number, (octet, place)| {
                number | u64::from(*octet) << (8 * (octets - 1 - u32::from(place)))
            })
    }

    /// The registers that carry a number: the inverse of [`Order::gather`].
    #[must_use]
    pub fn spread(&self, number: u64) -> Vec<u16> {
        let octets = usize::from(self.octets);
        let weights = number.to_be_bytes();
        let wire: Vec<u8> = self
            .place
            .iter()
            .take(octets)
            .map(|place| {
                weights
                    .get(8 - octets + usize::from(*place))
                    .copied()
                    .unwrap_or(0)
            })
            .collect();
        wire.chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect()
    }

    /// True when the octets of each register are swapped; what text follows.
    #[must_use]
    pub fn swaps_octets(&self) -> bool {
        self.place[0] % 2 == 1
    }
}

/// Octets of one register stay together, and are swapped in all registers or in none.
fn whole_registers(place: &[u8; 8], octets: u8) -> bool {
    let swapped = place[0] % 2 == 1;
    place
        .chunks_exact(2)
        .take(usize::from(octets) / 2)
        .all(|pair| {
            let (first, second) = (pair[0], pair[1]);
            first / 2 == second / 2 && (first % 2 == 1) == swapped
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gather(order: &str, wire: &[u8]) -> u64 {
        let octets = u8::try_from(wire.len()).unwrap();
        Order::parse(order, octets).unwrap().gather(wire)
    }

    #[test]
    fn the_four_orders_of_32_bits() {
        for (order, wire) in [
            ("abcd", [0x12, 0x34, 0x56, 0x78]),
            ("cdab", [0x56, 0x78, 0x12, 0x34]),
            ("badc", [0x34, 0x12, 0x78, 0x56]),
            ("dcba", [0x78, 0x56, 0x34, 0x12]),
        ] {
            assert_eq!(gather(order, &wire), 0x1234_5678, "{order}");
        }
    }

    #[test]
    fn the_orders_of_64_bits() {
        let number = 0x0123_4567_89AB_CDEF;
        for (order, wire) in [
            ("abcdefgh", [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]),
            ("ghefcdab", [0xCD, 0xEF, 0x89, 0xAB, 0x45, 0x67, 0x01, 0x23]),
            ("badcfehg", [0x23, 0x01, 0x67, 0x45, 0xAB, 0x89, 0xEF, 0xCD]),
            ("hgfedcba", [0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01]),
            ("cdabghef", [0x45, 0x67, 0x01, 0x23, 0xCD, 0xEF, 0x89, 0xAB]),
            ("efghabcd", [0x89, 0xAB, 0xCD, 0xEF, 0x01, 0x23, 0x45, 0x67]),
        ] {
            assert_eq!(gather(order, &wire), number, "{order}");
        }
        for (short, long) in [("cdab", "ghefcdab"), ("badc", "badcfehg")] {
            assert_eq!(Order::parse(short, 8), Order::parse(long, 8));
        }
    }

    #[test]
    fn what_is_no_arrangement_is_refused() {
        for (order, octets) in [
            ("abc", 4),
            ("aabb", 4),
            ("acbd", 4),
            ("abdc", 4),
            ("abcd", 2),
            ("ABCD", 4),
            ("abce", 4),
            ("", 2),
        ] {
            assert!(Order::parse(order, octets).is_err(), "{order}");
        }
    }

    proptest! {
        #[test]
        fn spreading_is_the_inverse_of_gathering(number: u64, registers in Just([0_u8, 1, 2, 3]).prop_shuffle(), swap: bool) {
            let order: String = registers
                .iter()
                .flat_map(|r| if swap { [r * 2 + 1, r * 2] } else { [r * 2, r * 2 + 1] })
                .map(|weight| char::from(b'a' + weight))
                .collect();
            let order = Order::parse(&order, 8).unwrap();
            let wire: Vec<u8> = order.spread(number).iter().flat_map(|w| w.to_be_bytes()).collect();
            prop_assert_eq!(order.gather(&wire), number);
        }
    }
}
