//! What to read when: points merged into requests (`merge`), requests in scan groups with their due
//! times (`schedule`), and what a device taught about its map by refusing (`bisect`). Pure: time and
//! answers come in as arguments, requests go out as data.

pub(crate) mod bisect;
pub(crate) mod merge;
pub(crate) mod schedule;

pub(crate) use bisect::{Bisect, Lessons};
pub(crate) use merge::{Block, Item, Rules, blocks};
pub(crate) use schedule::{Group, Turn};
