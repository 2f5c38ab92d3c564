//! What travels with a request through a session: why it was sent, and what a write still needs.

use super::points::LivePoint;
use crate::codec::{Request, Table};
use crate::config::WriteFunction;
use crate::mapping::Encoded;
use crate::poll::{Block, Turn};
use riser_adapter::WriteResult;
use riser_model::{Timestamp, Value};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A request's purpose.
#[derive(Debug)]
pub(crate) struct Job {
    /// Index of the device on the lane.
    pub(crate) device: usize,
    pub(crate) work: Work,
}

#[derive(Debug)]
pub(crate) enum Work {
    /// A request of a scan group.
    Scan {
        scan: usize,
        turn: Turn,
        attempt: u8,
    },
    /// A part of a refused block.
    Piece { node: usize, block: Arc<Block> },
    /// Is the device there, and are the two ends in step?
    Probe,
    /// A step of a write.
    Write(Box<WriteJob>),
}

/// Some registers or bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: Table,
    pub(crate) address: u16,
    pub(crate) quantity: u16,
}

/// A write as it comes to a lane.
#[derive(Debug)]
pub(crate) struct LaneWrite {
    pub(crate) device: usize,
    pub(crate) point: usize,
    pub(crate) value: Option<Value>,
    pub(crate) expires_at: Timestamp,
    pub(crate) reply: oneshot::Sender<WriteResult>,
}

/// A write on its way.
#[derive(Debug)]
pub(crate) struct WriteJob {
    pub(crate) point: usize,
    pub(crate) encoded: Encoded,
    /// What read-back must show.
    pub(crate) expected: Value,
    pub(crate) expires_at: Timestamp,
    pub(crate) reply: oneshot::Sender<WriteResult>,
    pub(crate) stage: Stage,
    pub(crate) not_before: Instant,
    /// Tries of the present stage that failed.
    pub(crate) failures: u8,
    /// The write got no answer: only read-back can tell whether it worked.
    pub(crate) doubt: Option<String>,
}

/// Where a write stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The other bits of the registers have to be known first.
    ReadFirst,
    /// To be written: these registers, or the bit.
    Write(Encoded),
    /// Written; read back until it shows or the time is over.
    ReadBack { until: Instant, wait_ms: u32 },
}

impl WriteJob {
    /// The request of the present step.
    pub(super) fn request(&self, point: &LivePoint) -> Request {
        let address = point
            .write
            .as_ref()
            .map_or(point.address, |w| w.config.address);
        let quantity = point.mapping.registers;
        match &self.stage {
            Stage::ReadFirst => Request::Read {
                table: Table::Holding,
                address,
                quantity,
            },
            Stage::ReadBack { .. } => Request::Read {
                table: point.table,
                address: point.address,
                quantity,
            },
            Stage::Write(content) => write_request(content, point, address),
        }
    }
}

fn write_request(content: &Encoded, point: &LivePoint, address: u16) -> Request {
    let function = point.write.as_ref().map(|w| w.config.function);
    match content {
        Encoded::Bit(on) if function == Some(WriteFunction::Coils) => Request::WriteCoils {
            address,
            values: vec![*on],
        },
        Encoded::Bit(on) => Request::WriteCoil { address, on: *on },
        Encoded::Masked { mask, bits } => Request::MaskWrite {
            address,
            and: !mask.first().copied().unwrap_or(0),
            or: bits.first().copied().unwrap_or(0),
        },
        Encoded::Registers(words) => match (function, words.as_slice()) {
            (Some(WriteFunction::ReadWrite), words) => Request::ReadWrite {
                read_address: point.address,
                quantity: point.mapping.registers,
                write_address: address,
                values: words.to_vec(),
            },
            (Some(WriteFunction::Register), [word]) => Request::WriteRegister {
                address,
                value: *word,
            },
            (_, words) => Request::WriteRegisters {
                address,
                values: words.to_vec(),
            },
        },
    }
}

/// The registers as read, with the written bits put in.
pub(super) fn merge(encoded: &Encoded, data: &[u8]) -> Encoded {
    let Encoded::Masked { mask, bits } = encoded else {
        return encoded.clone();
    };
    let words = data
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    Encoded::Registers(
        words
            .zip(mask.iter().zip(bits))
            .map(|(word, (mask, bits))| (word & !mask) | bits)
            .collect(),
    )
}
