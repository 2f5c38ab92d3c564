//! How real numbers become integers without losing a bit. Most readings are a small decimal
//! number that arithmetic has turned into an f64; if one of the usual ways of doing that
//! arithmetic gives back exactly the same bits, only the integer and the way are stored.

/// How the integers of a block turn back into values. The code is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// 0 or 1.
    Bool,
    /// The integer itself.
    Int,
    /// Bits of an f64, chained by exclusive or.
    Bits64,
    /// Bits of an f32 that was widened, chained by exclusive or.
    Bits32,
    /// Each value with its own tag: text, or a series that changes its kind.
    Tagged,
    /// `integer / 10^n` in f64.
    Divided(u8),
    /// `integer * 10^-n` in f64.
    Multiplied(u8),
    /// `integer / 10^n` in f32, widened.
    Narrow(u8),
}

/// Powers of ten up to the largest exponent of a [`Form`].
const TENS: [f64; 8] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
const TENTHS: [f64; 8] = [1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7];
const NARROW_TENS: [f32; 8] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
/// Adding and taking away this number rounds to an integer, for magnitudes below [`LARGEST`].
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// 2^51: the largest magnitude the rounding above is exact for.
const LARGEST: f64 = 2_251_799_813_685_248.0;
/// 2^24: the largest magnitude an f32 holds every integer of.
const LARGEST_NARROW: f64 = 16_777_216.0;

impl Form {
    /// The code on the wire.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Bool => 0,
            Self::Int => 1,
            Self::Bits64 => 2,
            Self::Bits32 => 3,
            Self::Tagged => 4,
            Self::Divided(n) => 16 + n,
            Self::Multiplied(n) => 32 + n,
            Self::Narrow(n) => 48 + n,
        }
    }

    /// The inverse of [`Form::code`].
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Bool,
            1 => Self::Int,
            2 => Self::Bits64,
            3 => Self::Bits32,
            4 => Self::Tagged,
            16..=23 => Self::Divided(code - 16),
            32..=39 => Self::Multiplied(code - 32),
            48..=55 => Self::Narrow(code - 48),
            _ => return None,
        })
    }

    /// Whether successive integers are chained by exclusive or instead of subtraction.
    pub(crate) fn is_bits(self) -> bool {
        matches!(self, Self::Bits64 | Self::Bits32)
    }

    /// The integer for `value`, if this form gives back exactly the same bits.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the magnitude is checked against the rounding bound, and the bits afterwards"
    )]
    pub(crate) fn integer(self, value: f64) -> Option<i64> {
        let scaled = match self {
            Self::Bits64 => return Some(value.to_bits().cast_signed()),
            Self::Bits32 => return narrow(value).map(|f| i64::from(f.to_bits())),
            Self::Divided(n) | Self::Multiplied(n) | Self::Narrow(n) => {
                value * TENS[usize::from(n)]
            }
            Self::Bool | Self::Int | Self::Tagged => return None,
        };
        let bound = if matches!(self, Self::Narrow(_)) {
            LARGEST_NARROW
        } else {
            LARGEST
        };
        // Also false for NaN.
        if scaled.abs() < bound {
            let integer = ((scaled + ROUNDING) - ROUNDING) as i64;
            (self.real(integer).to_bits() == value.to_bits()).then_some(integer)
        } else {
            None
        }
    }

    /// The real number for `integer`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the writer checked that the same arithmetic gives back the same bits"
    )]
    pub(crate) fn real(self, integer: i64) -> f64 {
        match self {
            Self::Divided(n) => integer as f64 / TENS[usize::from(n & 7)],
            Self::Multiplied(n) => integer as f64 * TENTHS[usize::from(n & 7)],
            Self::Narrow(n) => f64::from(integer as f32 / NARROW_TENS[usize::from(n & 7)]),
            Self::Bits32 => f64::from(f32::from_bits(integer as u32)),
            Self::Bits64 | Self::Bool | Self::Int | Self::Tagged => {
                f64::from_bits(integer.cast_unsigned())
            }
        }
    }
}

/// `value` as f32, if nothing is lost. A NaN never qualifies: widening may change its bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the bits are compared afterwards"
)]
fn narrow(value: f64) -> Option<f32> {
    let narrowed = value as f32;
    (!value.is_nan() && f64::from(narrowed).to_bits() == value.to_bits()).then_some(narrowed)
}

/// Forms worth trying for a number of full f64 precision, likeliest first.
const WIDE: [Form; 13] = [
    Form::Divided(1),
    Form::Divided(2),
    Form::Divided(3),
    Form::Multiplied(1),
    Form::Multiplied(2),
    Form::Multiplied(3),
    Form::Divided(4),
    Form::Divided(5),
    Form::Divided(6),
    Form::Multiplied(4),
    Form::Multiplied(5),
    Form::Multiplied(6),
    Form::Divided(7),
];
/// Forms worth trying for a number that an f32 holds too: wholes, halves, quarters, then f32
/// decimals.
const SHORT: [Form; 8] = [
    Form::Divided(0),
    Form::Divided(1),
    Form::Divided(2),
    Form::Divided(3),
    Form::Narrow(1),
    Form::Narrow(2),
    Form::Narrow(3),
    Form::Narrow(4),
];

/// Chooses forms series by series; keeps to forms it has chosen before, so that neighbours share
/// a block.
#[derive(Debug, Default)]
pub(crate) struct Chooser {
    recent: [Option<Form>; 4],
}

impl Chooser {
    /// The form for a series of reals, and its integers appended to `integers`.
    pub(crate) fn choose(
        &mut self,
        values: &(impl Iterator<Item = f64> + Clone),
        integers: &mut Vec<i64>,
    ) -> Form {
        let start = integers.len();
        let mut fits = |form: Form| {
            integers.truncate(start);
            values
                .clone()
                .all(|v| form.integer(v).map(|i| integers.push(i)).is_some())
        };
        if let Some(position) = self.recent.iter().position(|f| f.is_some_and(&mut fits)) {
            self.recent[..=position].rotate_right(1);
            return self.recent[0].unwrap_or(Form::Bits64);
        }
        let short = values.clone().all(|v| narrow(v).is_some());
        let candidates = if short {
            SHORT.as_slice()
        } else {
            WIDE.as_slice()
        };
        if let Some(form) = candidates.iter().copied().find(|f| fits(*f)) {
            self.recent.rotate_right(1);
            self.recent[0] = Some(form);
            return form;
        }
        let form = if short { Form::Bits32 } else { Form::Bits64 };
        fits(form);
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(values: &[f64]) -> (Form, Vec<i64>) {
        let mut integers = Vec::new();
        let form = Chooser::default().choose(&values.iter().copied(), &mut integers);
        (form, integers)
    }

    #[test]
    fn the_usual_arithmetic_is_recognised() {
        assert_eq!(choose(&[23.4, 23.0]), (Form::Divided(1), vec![234, 230]));
        assert_eq!(choose(&[234.0 * 0.1, 3.0 * 0.1]).0, Form::Multiplied(1));
        assert_eq!(choose(&[f64::from(23.4_f32)]), (Form::Narrow(1), vec![234]));
        assert_eq!(choose(&[7.0, -8.0]), (Form::Divided(0), vec![7, -8]));
        assert_eq!(choose(&[std::f64::consts::PI]).0, Form::Bits64);
        assert_eq!(choose(&[f64::from(std::f32::consts::PI)]).0, Form::Bits32);
    }

    #[test]
    fn odd_numbers_keep_their_bits() {
        let odd = [
            -0.0,
            f64::NAN,
            f64::from_bits(0x7ff0_0000_0000_0001),
            f64::INFINITY,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            1e300,
            9_007_199_254_740_993.0,
        ];
        for value in odd {
            let (form, integers) = choose(&[value]);
            assert_eq!(form.real(integers[0]).to_bits(), value.to_bits(), "{value}");
        }
    }

    #[test]
    fn every_form_survives_its_code() {
        for code in 0..=u8::MAX {
            if let Some(form) = Form::from_code(code) {
                assert_eq!(form.code(), code);
            }
        }
    }
}
