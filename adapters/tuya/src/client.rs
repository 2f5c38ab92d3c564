//! One connection to one device: making it, agreeing on a version and a key, and messages both ways.
//! Owns what went wrong in words (`trouble`); what messages mean to points is the link's business.

pub mod greet;
pub mod session;
pub mod trouble;

pub use greet::{Address, connect};
pub use session::Session;
pub use trouble::{Evidence, Trouble};
