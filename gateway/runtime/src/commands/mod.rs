//! Writes, from request to outcome. Owns what happens between "somebody wants a value" and "this
//! is what the device made of it":
//!
//! ```text
//! write / rule ──► commander ──► dispatcher of the adapter ──► adapter ──► outcome
//!                  known id?      expired?  who wins?          read-back    feed, event
//!                  allowed?
//! ```
//!
//! - `commander`: admission, the feed, what is recorded;
//! - `progress`: what becomes of a command at the device;
//! - `dispatcher`: one per adapter, in order per point, with expiry and timeout;
//! - `levels`: the priority arrays and what an answer means (pure);
//! - `keeper`: ends holds, repeats what is not settled, records the arrays;
//! - `recent`: ids seen lately.

pub(crate) mod commander;
pub(crate) mod dispatcher;
pub(crate) mod keeper;
pub(crate) mod levels;
mod progress;
mod recent;
mod time;
mod words;

pub(crate) use commander::{Commander, Port};
pub(crate) use dispatcher::{Dispatcher, Inbox};
