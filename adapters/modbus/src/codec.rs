//! Octets ↔ typed requests and answers: sync, total, no I/O, no panic, no allocation on a read.
//!
//! `pdu` is what every transport carries (function code and what belongs to it), `frame` is what a
//! transport puts around it, `identity` is the inside of function 43/14. Every answer is checked
//! against the request it claims to answer: function, octet count, echoed fields.
//! Source: MODBUS Application Protocol Specification V1.1b3; MODBUS over Serial Line V1.02.

pub mod answer;
pub mod frame;
pub mod identity;
pub mod pdu;

pub use answer::{Answer, Exception, Mismatch};
pub use pdu::{Request, Table};
