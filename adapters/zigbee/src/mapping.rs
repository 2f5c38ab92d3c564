//! From features to points, from states to readings, and from values to what is published. Owns no
//! connection and no memory of a device: everything here is a function of its arguments.

pub mod encode;
pub mod point;
pub mod unit;
pub mod value;

pub use encode::{CannotWrite, payload, read_request};
pub use point::{EntityName, build};
pub use value::read;
