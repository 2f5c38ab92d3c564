//! The only gateway crate that knows SQLite: state, history files, outbox, users, alarms.
//!
//! One thread writes, a few read. Samples wait in a bounded queue and go to disk in group commits,
//! encoded once, in the octets that go up the link (`docs/adr/0006-store-encodes-once.md`). Events go
//! first and alone. Nothing leaves the outbox before the cloud calls it durable.
//!
//! ```text
//! append ──► intake ──► writer ──► history/<day>.db   batches, minute rollups
//! append_event ──►          └────► state.db           events, marks, alarms, commands, points, users
//! outbox ◄── recent (memory) or disk          trend, samples ◄── reader threads
//! ```
//!
//! Files: `state.db`, one `history/<day>.db` a day and one `rollup/<year>.db` a year; their tables are
//! explained in `schema/`. A finished day of which nothing waits for the cloud is compacted: its
//! batches become chunks, one a point (`compact`).
//! Recovery: SQLite replays its log; numbers continue after the highest found; a damaged file is
//! set aside (renamed) and a new epoch begins, so no number ever means two things; minute rollups
//! of the last minutes are rebuilt from the batches. What was acknowledged survives a power cut.

mod aside;
mod audit;
mod catalog;
mod changes;
mod check;
mod chunk;
mod chunks;
mod claim;
mod coarse;
mod compact;
mod config;
mod configurations;
mod dayfile;
mod disk;
mod documents;
mod epoch;
mod error;
mod export;
mod files;
mod held;
mod intake;
mod ledger;
mod lock;
mod marks;
mod octets;
mod outbox;
mod people;
mod points;
mod ranges;
mod readers;
mod recent;
mod records;
mod recover;
mod retention;
mod rolled;
mod rollup;
mod scan;
mod series;
mod sessions;
mod shared;
mod snapshot;
mod sqlite;
mod state;
mod stats;
mod store;
mod writer;

pub use aside::{PutAside, PutAsideList, read_put_aside, read_put_aside_frame};
pub use audit::{
    AuditBreak, AuditFilter, AuditReport, BreakTaken, Note, Trace, list_audit, verify_audit,
};
pub use check::{CheckReport, check};
pub use config::{FreeSpace, LEAST_BLOCK, Now, StoreConfig, block_size};
pub use configurations::{
    ConfigurationDocument, ConfigurationStanding, Deed, NewConfiguration, read_configurations,
};
pub use error::{StoreError, StoreFull};
pub use export::{ExportAsk, ExportFormat, ExportReport, export};
pub use files::SetAside;
pub use held::Correction;
pub use ledger::{LedgerFilter, read_ledger};
pub use outbox::{DurableRanges, Occupancy, Outbox, OutboxBatch};
pub use people::{Lockout, NewUser, Session, User};
pub use points::Declared;
pub use records::{AlarmFilter, CommandFilter};
pub use recover::Recovery;
use riser_wire::cells;
pub use riser_wire::{Epoch, Stream};
pub use rolled::{RolledUp, RollupAsk};
pub use snapshot::{
    Hold, StateFacts, adopt, copy_history, copy_state, history_files, hold, state_facts,
    state_schema,
};
pub use stats::{DiskState, StoreStats};
pub use store::{Store, StoreLate};

/// A number of one stream in one numbering. Ordered within one epoch only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The numbering.
    pub epoch: Epoch,
    /// The number, from 1; 0 is before the first.
    pub seq: u64,
}
