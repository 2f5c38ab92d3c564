//! The near side of a lane: opening its transport, keeping requests and answers together, noticing
//! when the two ends have lost step. Owns the octets; what to ask and what answers mean is `lane`'s.

pub mod session;
pub mod transport;

pub use session::{Pending, Received, SendError, Session, Stray};
pub use transport::{Connection, Framing, OpenError, open};
