//! The columnar body of a data frame: series grouped, one time per scan, one column per group of
//! series that share a form and a length. Owns the layout; what surrounds it is `frame`'s.
//!
//! Constraints: a slot that was read once costs about one octet besides its value, whichever scan
//! it came from; one slot read thousands of times costs little more than its changes; one series
//! can be read without decoding the others.
//!
//! ```text
//! body   := times lists blocks
//! times  := count, first - header.first_at, then differences of differences   (zig-zag varints)
//! lists  := count, { length ≥ 2, first time index, steps … }                  (varints)
//! blocks := count, { form, series m, samples per series n, octets, block }
//! block  := slots when marks values
//! slots  := { gap to the slot before, run - 1 } until m slots are named       (varints)
//! when   := column of m: the time index (n = 1) or the list (n > 1) of each series
//! marks  := { (run - 1) * 2 + value present, quality code } until m * n samples are covered
//! values := column of m first integers, column of m * (n - 1) steps           (numeric forms)
//!         | m * n tagged values                                               (form 4)
//! ```

mod parts;
mod read;
mod tagged;
mod write;

pub(crate) use parts::quality;
pub(crate) use read::{decode, read_point};
pub(crate) use write::{Written, write};
