//! Register contents ↔ values of points: order of octets, type, bit fields, scale, "not available",
//! limits. Owns every conversion between the two; knows nothing of requests and devices.
//!
//! `order` arranges octets, `decode` reads, `encode` is its inverse for writes.

pub mod decode;
pub mod encode;
pub mod order;

pub use encode::Encoded;
pub use order::Order;

use riser_model::ValueKind;

/// What the octets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A coil or discrete input.
    Bit,
    /// Whole number without sign.
    Unsigned,
    /// Whole number in two's complement.
    Signed,
    /// IEEE 754, single in two registers, double in four.
    Float,
    /// Four binary coded decimal digits a register.
    Bcd,
    /// Characters, two a register.
    Text,
}

/// Some bits of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Lowest bit, 0 = least significant.
    pub shift: u8,
    /// How many bits.
    pub width: u8,
}

impl Field {
    /// The field's bits in place.
    #[must_use]
    pub fn mask(self) -> u64 {
        ones(self.width) << self.shift
    }
}

/// From the register's number to the point's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Linear {
    /// As it is.
    None,
    /// Whole factor and summand: whole numbers stay whole.
    Whole {
        /// Factor.
        mul: i64,
        /// Summand.
        add: i64,
    },
    /// `number × num ÷ den + offset`. Dividing by a power of ten yields the decimal people expect
    /// (0.3, not 0.30000000000000004), which multiplying by 0.1 does not.
    Real {
        /// Factor.
        num: f64,
        /// Divisor, a power of ten.
        den: f64,
        /// Summand.
        offset: f64,
    },
}

impl Linear {
    /// The conversion for a scale and an offset as written.
    #[must_use]
    pub fn new(scale: f64, offset: f64) -> Self {
        match (whole(scale), whole(offset)) {
            (Some(1), Some(0)) => Self::None,
            (Some(mul), Some(add)) => Self::Whole { mul, add },
            _ => {
                let (num, den) = decimal(scale);
                Self::Real { num, den, offset }
            }
        }
    }
}

/// How one point's value lies in registers.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// What the octets are.
    pub encoding: Encoding,
    /// Registers, 1 to 125; 1 for a single bit.
    pub registers: u16,
    /// Arrangement of the octets.
    pub order: Order,
    /// Only these bits of the number.
    pub field: Option<Field>,
    /// Two-state points: 0 is true.
    pub invert: bool,
    /// Register number to value.
    pub linear: Linear,
    /// Register contents that mean "no reading", in the order of the number, not of the wire.
    pub absent: Box<[u64]>,
    /// Smallest sensible value.
    pub min: Option<f64>,
    /// Largest sensible value.
    pub max: Option<f64>,
    /// Hold the value at its limit instead of doubting it.
    pub clamp: bool,
    /// Kind of the point's value.
    pub kind: ValueKind,
}

impl Mapping {
    /// Octets the value takes on the wire; a single bit has none of its own.
    #[must_use]
    pub fn octets(&self) -> usize {
        if self.encoding == Encoding::Bit {
            0
        } else {
            usize::from(self.registers) * 2
        }
    }

    /// Bits of the number.
    fn bits(&self) -> u8 {
        self.field.map_or_else(
            || u8::try_from(self.octets() * 8).unwrap_or(64).min(64),
            |f| f.width,
        )
    }
}

/// The lowest `width` bits set.
pub(crate) fn ones(width: u8) -> u64 {
    if width >= 64 {
        u64::MAX
    } else {
        (1 << width) - 1
    }
}

/// The number as a whole one, if it is one and small enough to be exact.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and below 2^53"
)]
pub(crate) fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64)
}

/// A scale as factor and power-of-ten divisor, both exact where the scale is a short decimal.
fn decimal(scale: f64) -> (f64, f64) {
    for digits in 0..=12 {
        let den = 10_f64.powi(digits);
        let num = (scale * den).round();
        if num.abs() < 9.0e15 && num != 0.0 && (num / den).to_bits() == scale.to_bits() {
            return (num, den);
        }
    }
    (scale, 1.0)
}
