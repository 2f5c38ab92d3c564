//! The only format on the link, and in the gateway's history: frames with a protobuf header and
//! a columnar body, the messages beside them, and the topics they travel on.
//!
//! Everything here is synchronous, total and bounded: a decoder given any octets answers with a
//! value or a [`WireError`], within the limits of [`limits`]. No I/O, no clock, no task. Model
//! types are converted in `to_proto` and `from_proto` only. The format is written down in
//! `docs/spec/wire.md`.

mod body;
pub mod cells;
mod census;
mod configuration;
mod directory;
mod envelope;
mod error;
mod float;
mod frame;
mod from_proto;
mod ledger;
pub mod limits;
mod message;
pub mod part;
mod plane;
mod proto;
pub mod retry;
mod rollup;
mod to_proto;
pub mod topic;
mod varint;
mod zip;

pub use directory::DirectoryEncoder;
pub use error::WireError;
pub use frame::{
    BatchHeader, Epoch, Stream, decode_data, decode_event, encode_data, encode_event, peek,
    read_point,
};
pub use message::{
    ConfigurationRequest, Down, Durable, Heartbeat, Hello, StreamHead, Up, WatchLease,
};
pub use rollup::{RollupHeader, encode_rollup, peek_rollup, read_rollup, read_rollup_point};
