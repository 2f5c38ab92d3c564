//! Value → register contents, for writes. What does not fit the register is refused in words.

use super::decode::power;
use super::{Encoding, Linear, Mapping, ones};
use riser_model::{Value, ValueKind};

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded {
    /// A coil.
    Bit(bool),
    /// Whole registers.
    Registers(Vec<u16>),
    /// Some bits of registers; the others stay.
    Masked {
        /// Bits that change.
        mask: Vec<u16>,
        /// Their new content; 0 elsewhere.
        bits: Vec<u16>,
    },
}

impl Mapping {
    /// Encodes a value; `exponent` as for decoding. The error says what does not fit.
    pub fn encode(&self, value: &Value, exponent: i32) -> Result<Encoded, String> {
        match self.encoding {
            Encoding::Bit => truth(value).map(|on| Encoded::Bit(on != self.invert)),
            Encoding::Text => self.encode_text(value),
            _ => {
                let number = self.number(value, exponent)?;
                let pattern = match self.field {
                    Some(field) => number << field.shift,
                    None => number,
                };
                if self.absent.contains(&pattern) {
                    return Err(format!(
                        "'{value}' is register content {pattern:#x}, which this device reads as \"not available\""
                    ));
                }
                Ok(match self.field {
                    Some(field) => Encoded::Masked {
                        mask: self.order.spread(field.mask()),
                        bits: self.order.spread(pattern),
                    },
                    None => Encoded::Registers(self.order.spread(pattern)),
                })
            }
        }
    }

    /// The value the device will report once it holds what was encoded.
    #[must_use]
    pub fn expected(&self, encoded: &Encoded, exponent: i32) -> Option<Value> {
        match encoded {
            Encoded::Bit(on) => self.decode_bit(*on).0,
            Encoded::Registers(words) | Encoded::Masked { bits: words, .. } => {
                let octets: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
                self.decode(&octets, exponent).0
            }
        }
    }

    /// Whether a read-back shows what was written: exactly as encoded, or within `tolerance`.
    #[must_use]
    pub fn confirms(&self, expected: &Value, got: &Value, tolerance: f64) -> bool {
        if expected == got {
            return true;
        }
        match (expected, got) {
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                let (Some(a), Some(b)) = (expected.as_f64(), got.as_f64()) else {
                    return false;
                };
                // Six digits are what single precision keeps of a number.
                let rounding = if self.encoding == Encoding::Float {
                    a.abs() * 1.0e-6
                } else {
                    0.0
                };
                self.kind != ValueKind::Enum && (a - b).abs() <= tolerance + rounding
            }
            _ => false,
        }
    }

    /// The register's number, cut to its bits, in the order of the number.
    fn number(&self, value: &Value, exponent: i32) -> Result<u64, String> {
        if self.kind == ValueKind::Bool {
            return truth(value).map(|on| u64::from(on != self.invert));
        }
        if self.encoding == Encoding::Float {
            return self.float_bits(value, exponent);
        }
        let number = self.unscaled(value, exponent)?;
        let bits = u32::from(self.bits());
        let (low, high) = match self.encoding {
            Encoding::Signed => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
            Encoding::Bcd => (0, 10_i128.pow(bits / 4) - 1),
            _ => (0, (1_i128 << bits) - 1),
        };
        if !(low..=high).contains(&number) {
            return Err(format!(
                "'{value}' would be register number {number}, and the register holds {low} to {high}"
            ));
        }
        let number = if self.encoding == Encoding::Bcd {
            to_bcd(number)
        } else {
            number
        };
        // In range, so the lowest 64 bits are the two's complement.
        let octets = number.to_be_bytes();
        let low = octets.last_chunk().map_or(0, |o| u64::from_be_bytes(*o));
        Ok(low & ones(self.bits()))
    }

    fn unscaled(&self, value: &Value, exponent: i32) -> Result<i128, String> {
        match (value, self.linear) {
            (Value::Int(i), Linear::None) if exponent == 0 => Ok((*i).into()),
            (Value::Int(i), Linear::Whole { mul, add }) if exponent == 0 && mul != 0 => {
                let rest = i128::from(*i) - i128::from(add);
                if rest % i128::from(mul) == 0 {
                    Ok(rest / i128::from(mul))
                } else {
                    Err(format!(
                        "'{value}' is not reachable: this register moves in steps of {mul}"
                    ))
                }
            }
            _ => self.inverse(value, exponent).and_then(|number| {
                super::whole(number.round())
                    .map(i128::from)
                    .ok_or_else(|| format!("'{value}' does not fit a register"))
            }),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "factors are checked to be below 2^53"
    )]
    fn inverse(&self, value: &Value, exponent: i32) -> Result<f64, String> {
        let number = match value {
            Value::Int(_) | Value::Float(_) => value.as_f64(),
            Value::Bool(_) | Value::Text(_) => None,
        };
        let Some(number) = number.filter(|n| n.is_finite()) else {
            return Err(format!("'{value}' is not a number"));
        };
        let number = power(number, -exponent);
        let raw = match self.linear {
            Linear::None => number,
            Linear::Whole { mul, add } => (number - add as f64) / mul as f64,
            Linear::Real { num, den, offset } => (number - offset) * den / num,
        };
        if raw.is_finite() {
            Ok(raw)
        } else {
            Err(format!("'{value}' does not fit a register"))
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "overflow to infinity is checked"
    )]
    fn float_bits(&self, value: &Value, exponent: i32) -> Result<u64, String> {
        let number = self.inverse(value, exponent)?;
        if self.registers != 2 {
            return Ok(number.to_bits());
        }
        let single = number as f32;
        if single.is_finite() {
            Ok(single.to_bits().into())
        } else {
            Err(format!("'{value}' does not fit single precision"))
        }
    }

    fn encode_text(&self, value: &Value) -> Result<Encoded, String> {
        let Value::Text(text) = value else {
            return Err(format!("'{value}' is not text"));
        };
        let room = self.octets();
        if text.len() > room || text.bytes().any(|b| b == 0) {
            return Err(format!(
                "the text takes {} octets (or holds a NUL), and the registers hold {room}",
                text.len()
            ));
        }
        let mut octets = text.as_bytes().to_vec();
        octets.resize(room, 0);
        let swap = self.order.swaps_octets();
        Ok(Encoded::Registers(
            octets
                .chunks_exact(2)
                .map(|pair| {
                    if swap {
                        u16::from_be_bytes([pair[1], pair[0]])
                    } else {
                        u16::from_be_bytes([pair[0], pair[1]])
                    }
                })
                .collect(),
        ))
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(on) => Ok(*on),
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        _ => Err(format!("'{value}' is neither true nor false")),
    }
}

fn to_bcd(number: i128) -> i128 {
    let (mut rest, mut out, mut shift) = (number, 0, 0);
    while rest > 0 {
        out |= (rest % 10) << shift;
        rest /= 10;
        shift += 4;
    }
    out
}
