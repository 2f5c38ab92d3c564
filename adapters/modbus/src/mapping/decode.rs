//! Register contents → value and quality. Total: whatever the octets are, something true comes out.

use super::{Encoding, Linear, Mapping, ones};
use riser_model::{Quality, Reason, Value, ValueKind};

/// What was read: a value, or why there is none.
pub type Decoded = (Option<Value>, Quality);

/// Largest power of ten a scale register may name; SunSpec allows ten.
pub const EXPONENT_MAX: i64 = 10;

impl Mapping {
    /// Value of a coil or discrete input.
    #[must_use]
    pub fn decode_bit(&self, on: bool) -> Decoded {
        (Some(Value::Bool(on != self.invert)), Quality::GOOD)
    }

    /// Value of registers. `octets` begins with the point's first register; `exponent` is the power
    /// of ten another register names.
    #[must_use]
    pub fn decode(&self, octets: &[u8], exponent: i32) -> Decoded {
        let Some(octets) = octets.get(..self.octets()) else {
            return absent(Reason::Undecodable);
        };
        if self.encoding == Encoding::Text {
            return self.text(octets);
        }
        let number = self.order.gather(octets);
        if self.absent.contains(&number) {
            return absent(Reason::NotAvailable);
        }
        match self.encoding {
            Encoding::Float => self.float(number, exponent),
            Encoding::Bcd => match from_bcd(number) {
                Some(number) => self.integer(number.into(), exponent),
                None => absent(Reason::Undecodable),
            },
            Encoding::Signed => self.integer(self.signed(number), exponent),
            _ => self.integer(self.cut(number).into(), exponent),
        }
    }

    /// The power of ten a decoded scale register names, if it names one.
    #[must_use]
    pub fn exponent(decoded: &Decoded) -> Option<i32> {
        match decoded {
            (Some(Value::Int(n)), quality) if quality.is_good() && n.abs() <= EXPONENT_MAX => {
                i32::try_from(*n).ok()
            }
            _ => None,
        }
    }

    fn cut(&self, number: u64) -> u64 {
        self.field
            .map_or(number, |f| number >> f.shift & ones(f.width))
    }

    fn signed(&self, number: u64) -> i128 {
        let (number, bits) = (i128::from(self.cut(number)), u32::from(self.bits()));
        if number >> (bits - 1) & 1 == 1 {
            number - (1 << bits)
        } else {
            number
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a scaled value has 53 bits, like every real number here"
    )]
    fn integer(&self, number: i128, exponent: i32) -> Decoded {
        if self.kind == ValueKind::Bool {
            return (
                Some(Value::Bool((number != 0) != self.invert)),
                Quality::GOOD,
            );
        }
        if self.kind == ValueKind::Float {
            return self.real(number as f64, exponent);
        }
        let number = match self.linear {
            Linear::Whole { mul, add } => number * i128::from(mul) + i128::from(add),
            Linear::None | Linear::Real { .. } => number,
        };
        let Ok(number) = i64::try_from(number) else {
            return absent(Reason::OutOfRange);
        };
        match self.judge(number as f64) {
            Verdict::Within => (Some(Value::Int(number)), Quality::GOOD),
            Verdict::Outside => (
                Some(Value::Int(number)),
                Quality::uncertain(Reason::OutOfRange),
            ),
            Verdict::Held(limit) => (
                Some(super::whole(limit).map_or(Value::Int(number), Value::Int)),
                Quality::uncertain(Reason::Clamped),
            ),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "two registers hold 32 bits"
    )]
    fn float(&self, number: u64, exponent: i32) -> Decoded {
        let number = if self.registers == 2 {
            shortest(f32::from_bits(number as u32))
        } else {
            f64::from_bits(number)
        };
        self.real(number, exponent)
    }

    fn real(&self, number: f64, exponent: i32) -> Decoded {
        if number.is_nan() {
            return absent(Reason::NotAvailable);
        }
        let number = power(self.scaled(number), exponent);
        if !number.is_finite() {
            return absent(Reason::OutOfRange);
        }
        match self.judge(number) {
            Verdict::Within => (Some(Value::Float(number)), Quality::GOOD),
            Verdict::Outside => (
                Some(Value::Float(number)),
                Quality::uncertain(Reason::OutOfRange),
            ),
            Verdict::Held(limit) => (
                Some(Value::Float(limit)),
                Quality::uncertain(Reason::Clamped),
            ),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "factors are checked to be below 2^53"
    )]
    fn scaled(&self, number: f64) -> f64 {
        match self.linear {
            Linear::None => number,
            Linear::Whole { mul, add } => number * mul as f64 + add as f64,
            Linear::Real { num, den, offset } => number * num / den + offset,
        }
    }

    fn judge(&self, number: f64) -> Verdict {
        let limit = match (self.min, self.max) {
            (Some(min), _) if number < min => min,
            (_, Some(max)) if number > max => max,
            _ => return Verdict::Within,
        };
        if self.clamp {
            Verdict::Held(limit)
        } else {
            Verdict::Outside
        }
    }

    fn text(&self, octets: &[u8]) -> Decoded {
        let mut octets = octets.to_vec();
        if self.order.swaps_octets() {
            octets.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
        let end = octets.iter().position(|o| *o == 0).unwrap_or(octets.len());
        octets.truncate(end);
        if octets.is_empty() && !self.absent.is_empty() {
            return absent(Reason::NotAvailable);
        }
        // Devices that are not ASCII are mostly Latin-1; every octet sequence is valid Latin-1.
        let text = String::from_utf8(octets)
            .unwrap_or_else(|e| e.as_bytes().iter().map(|o| char::from(*o)).collect());
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        (Some(Value::text(text.trim_end())), Quality::GOOD)
    }
}

enum Verdict {
    Within,
    Outside,
    Held(f64),
}

fn absent(reason: Reason) -> Decoded {
    (None, Quality::bad(reason))
}

pub(super) fn power(number: f64, exponent: i32) -> f64 {
    match exponent {
        0 => number,
        1.. => number * 10_f64.powi(exponent),
        _ => number / 10_f64.powi(-exponent),
    }
}

/// Decimal digits, four a register; `None` for a nibble above 9.
fn from_bcd(number: u64) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(4).rev() {
        let digit = number >> shift & 0xF;
        if digit > 9 {
            return None;
        }
        value = value * 10 + digit;
    }
    Some(value)
}

/// The shortest decimal that is this single-precision number, so 230.1 is not 230.10000610351562.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is the test"
)]
fn shortest(single: f32) -> f64 {
    let number = f64::from(single);
    if number.abs() >= 1.0e7 || !number.is_finite() {
        return number;
    }
    let mut den = 1.0;
    for _ in 0..8 {
        let candidate = (number * den).round() / den;
        if (candidate as f32).to_bits() == single.to_bits() {
            return candidate;
        }
        den *= 10.0;
    }
    number
}
