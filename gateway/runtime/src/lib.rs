//! Intake, supervisor, commands and health: owns tasks and channels, knows only `dyn Adapter`.
//!
//! ```text
//! adapters ─► intake ─► table ─► rules ─► alarms, writes        (at once, beside storage)
//!    ▲          │         └────► watch, live                    (at once, when somebody looks)
//!    │          └─► batch ─► store                              (every commit interval)
//!    └── dispatcher ◄─ commander ◄─ people, cloud, rules
//! ```
//!
//! The way in: [`Runtime::start`]. One lock is taken per scan (`field`), everything on the hot
//! path is indexed by slot (`table`), every queue is bounded and what it drops is in
//! [`RuntimeStats`]. Nothing here waits for the disk except what people ask for by hand.

mod admit;
mod alarms;
mod backoff;
mod batch;
mod building;
mod change;
mod clock;
mod commands;
mod config;
mod directory;
mod events;
mod field;
#[cfg(test)]
mod fixture;
mod intake;
mod leases;
mod past;
mod powers;
mod questions;
mod registry;
mod runtime;
mod schedules;
mod start;
mod stats;
mod supervisor;
mod table;
mod tasks;
mod views;

pub use change::Change;
pub use config::{AdapterSpec, BuildFn, RuntimeConfig, StartError};
pub use powers::{Abilities, PowerError};
pub use questions::ReadError;
pub use riser_adapter::{
    AdapterError, BrowseNode, Clock, Discover, DiscoverRequest, ErrorClass, Field, FieldKind,
    Found, HealthBoard, Kind, Operation, SearchField, SystemClock, devices,
};
pub use riser_rules::{AcknowledgeError, Present, Rule, RuleView};
pub use runtime::Runtime;
pub use stats::RuntimeStats;
pub use views::{
    AdapterState, AdapterView, CommandRefused, LevelView, PointFilter, PointPage, QualityCounts,
    RefusedKind, ScheduleState, ShutdownReport,
};
