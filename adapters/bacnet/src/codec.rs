//! Octets ↔ what they say. Sync, total, bounded: no decoder panics, allocates more than its input is
//! long, or reads past a length it was given, whatever comes (`tests/codec.rs`, `fuzz/`).
//!
//! `bvlc` is the envelope of BACnet/IP, `npdu` the network layer, `apdu` the headers, `service` the
//! parameters of services, `tag` the walker all of them read with, `value` primitive values.

pub mod apdu;
pub mod bvlc;
pub mod ids;
pub mod npdu;
pub mod schedule;
pub mod service;
pub mod tag;
mod text;
pub mod value;

pub use apdu::{Apdu, Segment, Takes};
pub use bvlc::Bvlc;
pub use ids::{ANY_INSTANCE, ObjectId, ObjectType, PropertyId};
pub use npdu::{Npdu, Payload, Remote};
pub use tag::{DecodeError, Reader};
pub use value::{Bits, Date, Datum, Time};
