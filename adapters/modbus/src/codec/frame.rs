//! What a transport puts around a PDU: the MBAP header on TCP and TLS, unit id and CRC on a serial
//! line. Owns finding where a frame ends in a stream of octets; decides nothing about whose it is.

use super::pdu::PDU_MAX;

/// Octets of an MBAP header, unit id included.
pub const MBAP: usize = 7;
/// Longest frame of either kind.
pub const FRAME_MAX: usize = 260;

/// What the octets received so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peel {
    /// The beginning of something; more is needed.
    More,
    /// A whole frame.
    Frame(Frame),
    /// No frame begins here: the two ends have lost step.
    Garbage(&'static str),
}

/// Where things are in a buffer that begins with a whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Transaction id; 0 on a serial line.
    pub transaction: u16,
    /// Unit id.
    pub unit: u8,
    /// First octet of the PDU.
    pub start: usize,
    /// One past its last octet.
    pub end: usize,
    /// Octets of the whole frame.
    pub length: usize,
}

/// Transaction id at the front of a TCP stream, as soon as its two octets are there.
#[must_use]
pub fn transaction(buffer: &[u8]) -> Option<u16> {
    buffer.first_chunk().map(|id| u16::from_be_bytes(*id))
}

/// Finds a TCP frame at the front of `buffer` and judges the header as early as it can.
#[must_use]
pub fn peel_mbap(buffer: &[u8]) -> Peel {
    if buffer.iter().skip(2).take(2).any(|octet| *octet != 0) {
        return Peel::Garbage("the protocol id is not 0");
    }
    let (Some(transaction), Some(&[high, low])) = (transaction(buffer), buffer.get(4..6)) else {
        return Peel::More;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !(3..=PDU_MAX + 1).contains(&length) {
        return Peel::Garbage("the length field is not 3 to 254");
    }
    let total = length + 6;
    match (buffer.get(6), buffer.len() >= total) {
        (Some(&unit), true) => Peel::Frame(Frame {
            transaction,
            unit,
            start: MBAP,
            end: total,
            length: total,
        }),
        _ => Peel::More,
    }
}

/// Finds a serial answer at the front of `buffer`: its own function code and counts say how long
/// it is, the CRC says whether that was true.
#[must_use]
pub fn peel_rtu(buffer: &[u8]) -> Peel {
    let length = match rtu_length(buffer) {
        Length::Known(length) if length > 256 => {
            return Peel::Garbage("the counts say more than 256 octets");
        }
        Length::Known(length) => length,
        Length::More => return Peel::More,
        Length::Unknown => return Peel::Garbage("no such function code"),
    };
    let Some(frame) = buffer.get(..length) else {
        return Peel::More;
    };
    let (body, check) = frame.split_at(length - 2);
    if check != crc(body).to_le_bytes() {
        return Peel::Garbage("the CRC is wrong");
    }
    Peel::Frame(Frame {
        transaction: 0,
        unit: body.first().copied().unwrap_or(0),
        start: 1,
        end: length - 2,
        length,
    })
}

enum Length {
    Known(usize),
    More,
    Unknown,
}

/// Octets of the serial answer that begins here, CRC included.
fn rtu_length(buffer: &[u8]) -> Length {
    let Some(&function) = buffer.get(1) else {
        return Length::More;
    };
    match function {
        0x80.. => Length::Known(5),
        1..=4 | 12 | 17 | 20 | 21 | 23 => match buffer.get(2) {
            Some(&count) => Length::Known(5 + usize::from(count)),
            None => Length::More,
        },
        5 | 6 | 8 | 11 | 15 | 16 => Length::Known(8),
        7 => Length::Known(5),
        22 => Length::Known(10),
        43 => identity_length(buffer),
        _ => Length::Unknown,
    }
}

/// Function 43 has no total count: its objects have to be walked.
fn identity_length(buffer: &[u8]) -> Length {
    let Some(&objects) = buffer.get(7) else {
        return Length::More;
    };
    let mut at = 8;
    for _ in 0..objects {
        let Some(&length) = buffer.get(at + 1) else {
            return Length::More;
        };
        at += 2 + usize::from(length);
        if at > 254 {
            return Length::Known(257);
        }
    }
    Length::Known(at + 2)
}

/// Puts a PDU, appended to `out` by `pdu`, into a TCP frame.
pub fn wrap_mbap(out: &mut Vec<u8>, transaction: u16, unit: u8, pdu: impl FnOnce(&mut Vec<u8>)) {
    let from = out.len();
    out.extend_from_slice(&transaction.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, unit]);
    pdu(out);
    let length = u16::try_from(out.len() - from - 6).unwrap_or(0);
    if let Some(field) = out.get_mut(from + 4..from + 6) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Puts a PDU, appended to `out` by `pdu`, into a serial frame.
pub fn wrap_rtu(out: &mut Vec<u8>, unit: u8, pdu: impl FnOnce(&mut Vec<u8>)) {
    let from = out.len();
    out.push(unit);
    pdu(out);
    let check = crc(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&check.to_le_bytes());
}

/// CRC-16 of a serial frame (MODBUS over Serial Line V1.02, clause 6.2.2).
#[must_use]
pub fn crc(octets: &[u8]) -> u16 {
    octets.iter().fold(0xFFFF, |crc, octet| {
        let [low, high] = crc.to_le_bytes();
        CRC_TABLE[usize::from(low ^ octet)] ^ u16::from(high)
    })
}

const CRC_TABLE: [u16; 256] = crc_table();

const fn crc_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0_u16;
    while index < 256 {
        let mut value = index;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                (value >> 1) ^ 0xA001
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index as usize] = value;
        index += 1;
    }
    table
}
