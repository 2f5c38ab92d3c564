//! The wire format under test, as others use it.

mod generate;
mod round_trip;
