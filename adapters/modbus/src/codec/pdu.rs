//! Protocol data units: what a request says and whether an answer answers it. Owns the limits of
//! the specification (clause 6); knows nothing of transports.

use super::answer::{Answer, Exception, Mismatch};
use std::fmt;

/// The four tables of the data model (clause 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Single bits, readable and writable.
    Coil,
    /// Single bits, readable.
    Discrete,
    /// Registers, readable.
    Input,
    /// Registers, readable and writable.
    Holding,
}

impl Table {
    /// True for the two tables of single bits.
    #[must_use]
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// True for the two tables that can be written.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }

    /// Function code that reads the table.
    #[must_use]
    pub const fn read_function(self) -> u8 {
        match self {
            Self::Coil => 1,
            Self::Discrete => 2,
            Self::Holding => 3,
            Self::Input => 4,
        }
    }

    /// Most items one read may ask for.
    #[must_use]
    pub const fn read_limit(self) -> u16 {
        if self.is_bits() { 2000 } else { 125 }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete input",
            Self::Input => "input register",
            Self::Holding => "holding register",
        })
    }
}

/// Most registers one write of function 16 may carry.
pub const WRITE_REGISTERS_MAX: usize = 123;
/// Most coils one write of function 15 may carry.
pub const WRITE_COILS_MAX: usize = 1968;
/// Most registers the write half of function 23 may carry.
pub const READ_WRITE_MAX: usize = 121;
/// Longest PDU, in octets (clause 4.1).
pub const PDU_MAX: usize = 253;

const ON: u16 = 0xFF00;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Functions 1 to 4.
    Read {
        /// Which table; decides the function.
        table: Table,
        /// First item.
        address: u16,
        /// How many items.
        quantity: u16,
    },
    /// Function 5.
    WriteCoil {
        /// Which coil.
        address: u16,
        /// On or off.
        on: bool,
    },
    /// Function 6.
    WriteRegister {
        /// Which register.
        address: u16,
        /// Its new content.
        value: u16,
    },
    /// Function 15.
    WriteCoils {
        /// First coil.
        address: u16,
        /// On or off, in order.
        values: Vec<bool>,
    },
    /// Function 16.
    WriteRegisters {
        /// First register.
        address: u16,
        /// New contents, in order.
        values: Vec<u16>,
    },
    /// Function 22: content becomes `(content & and) | (or & !and)`.
    MaskWrite {
        /// Which register.
        address: u16,
        /// Bits to keep.
        and: u16,
        /// Bits to set where not kept.
        or: u16,
    },
    /// Function 23: writes first, then reads.
    ReadWrite {
        /// First register to read.
        read_address: u16,
        /// How many to read.
        quantity: u16,
        /// First register to write.
        write_address: u16,
        /// New contents, in order.
        values: Vec<u16>,
    },
    /// Function 43, MEI type 14: read device identification.
    Identify {
        /// 1 basic, 2 regular, 3 extended, 4 one object.
        code: u8,
        /// Object to begin with.
        object: u8,
    },
}

/// A request no device may be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a request for {quantity} items at address {address} breaks the protocol's limit of {limit}"
)]
pub struct LimitError {
    /// First item.
    pub address: u16,
    /// How many were asked for.
    pub quantity: usize,
    /// How many are allowed, within the 65,536 addresses of a table.
    pub limit: usize,
}

impl Request {
    /// Function code on the wire.
    #[must_use]
    pub const fn function(&self) -> u8 {
        match self {
            Self::Read { table, .. } => table.read_function(),
            Self::WriteCoil { .. } => 5,
            Self::WriteRegister { .. } => 6,
            Self::WriteCoils { .. } => 15,
            Self::WriteRegisters { .. } => 16,
            Self::MaskWrite { .. } => 22,
            Self::ReadWrite { .. } => 23,
            Self::Identify { .. } => 43,
        }
    }

    /// Checks the limits of the specification before anything goes out.
    pub fn check(&self) -> Result<(), LimitError> {
        let within = |address: u16, quantity: usize, limit: usize| {
            if quantity == 0 || quantity > limit || usize::from(address) + quantity > 0x1_0000 {
                Err(LimitError {
                    address,
                    quantity,
                    limit,
                })
            } else {
                Ok(())
            }
        };
        match self {
            Self::Read {
                table,
                address,
                quantity,
            } => within(*address, (*quantity).into(), table.read_limit().into()),
            Self::WriteCoils { address, values } => within(*address, values.len(), WRITE_COILS_MAX),
            Self::WriteRegisters { address, values } => {
                within(*address, values.len(), WRITE_REGISTERS_MAX)
            }
            Self::ReadWrite {
                read_address,
                quantity,
                write_address,
                values,
            } => within(*read_address, (*quantity).into(), 125)
                .and_then(|()| within(*write_address, values.len(), READ_WRITE_MAX)),
            Self::WriteCoil { .. }
            | Self::WriteRegister { .. }
            | Self::MaskWrite { .. }
            | Self::Identify { .. } => Ok(()),
        }
    }

    /// Appends the PDU. The caller has checked the limits.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.function());
        let mut put = |word: u16| out.extend_from_slice(&word.to_be_bytes());
        match self {
            Self::Read {
                address, quantity, ..
            } => {
                put(*address);
                put(*quantity);
            }
            Self::WriteCoil { address, on } => {
                put(*address);
                put(if *on { ON } else { 0 });
            }
            Self::WriteRegister { address, value } => {
                put(*address);
                put(*value);
            }
            Self::WriteCoils { address, values } => {
                put(*address);
                put(count(values.len()));
                put_bits(values, out);
            }
            Self::WriteRegisters { address, values } => {
                put(*address);
                put(count(values.len()));
                put_words(values, out);
            }
            Self::MaskWrite { address, and, or } => {
                put(*address);
                put(*and);
                put(*or);
            }
            Self::ReadWrite {
                read_address,
                quantity,
                write_address,
                values,
            } => {
                put(*read_address);
                put(*quantity);
                put(*write_address);
                put(count(values.len()));
                put_words(values, out);
            }
            Self::Identify { code, object } => out.extend_from_slice(&[14, *code, *object]),
        }
    }

    /// Length in octets of the PDU of a good answer; `None` where only the answer itself tells.
    #[must_use]
    pub fn answer_length(&self) -> Option<usize> {
        match self {
            Self::Read {
                table, quantity, ..
            } => Some(2 + data_octets(*table, *quantity)),
            Self::ReadWrite { quantity, .. } => Some(2 + 2 * usize::from(*quantity)),
            Self::WriteCoil { .. }
            | Self::WriteRegister { .. }
            | Self::WriteCoils { .. }
            | Self::WriteRegisters { .. } => Some(5),
            Self::MaskWrite { .. } => Some(7),
            Self::Identify { .. } => None,
        }
    }

    /// Reads the PDU of an answer. Everything that does not fit the request is a mismatch.
    pub fn decode<'a>(&self, pdu: &'a [u8]) -> Result<Answer<'a>, Mismatch> {
        let (&function, body) = pdu.split_first().ok_or(Mismatch::Empty)?;
        if function == self.function() | 0x80 {
            return match body {
                [code] => Ok(Answer::Exception(Exception(*code))),
                _ => Err(Mismatch::Length {
                    expected: 2,
                    got: pdu.len(),
                }),
            };
        }
        if function != self.function() {
            return Err(Mismatch::Function {
                expected: self.function(),
                got: function,
            });
        }
        match self {
            Self::Read {
                table, quantity, ..
            } => counted(body, data_octets(*table, *quantity)).map(Answer::Data),
            Self::ReadWrite { quantity, .. } => {
                counted(body, 2 * usize::from(*quantity)).map(Answer::Data)
            }
            Self::Identify { .. } => Ok(Answer::Identity(body)),
            _ => self.check_echo(body),
        }
    }

    fn check_echo<'a>(&self, body: &[u8]) -> Result<Answer<'a>, Mismatch> {
        let mut expected = Vec::with_capacity(PDU_MAX);
        self.encode(&mut expected);
        // Functions 5, 6 and 22 echo all of the request, 15 and 16 its address and quantity.
        let echoed = self.answer_length().unwrap_or(expected.len());
        let echo = expected.get(1..echoed).unwrap_or_default();
        if body.len() != echo.len() {
            return Err(Mismatch::Length {
                expected: echo.len() + 1,
                got: body.len() + 1,
            });
        }
        match body.iter().zip(echo).position(|(a, b)| a != b) {
            None => Ok(Answer::Written),
            Some(at) => Err(Mismatch::Echo { at: at + 1 }),
        }
    }
}

/// Data octets that `quantity` items of a table take.
#[must_use]
pub fn data_octets(table: Table, quantity: u16) -> usize {
    if table.is_bits() {
        usize::from(quantity).div_ceil(8)
    } else {
        2 * usize::from(quantity)
    }
}

fn counted(body: &[u8], expected: usize) -> Result<&[u8], Mismatch> {
    let (&announced, data) = body.split_first().ok_or(Mismatch::Length {
        expected: expected + 2,
        got: 1,
    })?;
    if usize::from(announced) != expected {
        return Err(Mismatch::OctetCount {
            expected,
            got: announced.into(),
        });
    }
    if data.len() != expected {
        return Err(Mismatch::Length {
            expected: expected + 2,
            got: data.len() + 2,
        });
    }
    Ok(data)
}

fn count(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn put_words(values: &[u16], out: &mut Vec<u8>) {
    out.push(u8::try_from(values.len() * 2).unwrap_or(u8::MAX));
    for value in values {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn put_bits(values: &[bool], out: &mut Vec<u8>) {
    out.push(u8::try_from(values.len().div_ceil(8)).unwrap_or(u8::MAX));
    for eight in values.chunks(8) {
        out.push(
            eight
                .iter()
                .enumerate()
                .fold(0, |octet, (i, on)| octet | u8::from(*on) << i),
        );
    }
}
