//! The plain types every part of Riser speaks: ids, points, values, quality, samples, commands,
//! alarms, time. Owns no I/O, no task and no clock; the wire, the database and the HTTP faces
//! each convert from these at their own edge (`docs/architecture.md`).

pub mod alarm;
pub mod audit;
pub mod chain;
pub mod command;
pub mod configuration;
pub mod csv;
pub mod disk;
pub mod event;
pub mod health;
pub mod id;
pub mod ledger;
pub mod point;
pub mod quality;
pub mod role;
pub mod sample;
pub mod time;
pub mod trend;
pub mod unit;
pub mod value;
pub mod view;

pub use alarm::{Acknowledgement, Alarm, AlarmId, AlarmPriority, AlarmState};
pub use audit::{AUDIT_TEXT_MAX, AuditEntry, AuditHash, ChainBreak};
pub use chain::chain;
pub use command::{
    Author, AuthorKind, Command, CommandId, CommandRecord, CommandState, HeldBy, Outcome, Priority,
};
pub use configuration::{
    ConfigurationAnswer, ConfigurationAsk, ConfigurationDifference, ConfigurationEffects,
    ConfigurationPoint, ConfigurationPreview, ConfigurationProblem, ConfigurationRefusal,
    ConfigurationRefusalKind, ConfigurationReply, ConfigurationState, ConfigurationVersion,
};
pub use csv::{csv_cell, csv_value};
pub use disk::{DiskStage, Wear};
pub use event::{Event, PointDirectory};
pub use health::{
    Breaker, DeviceHealth, DeviceState, LaneHealth, LaneState, LinkState, LinkStatus,
};
pub use id::{GatewayId, Key, PointPath, Slot, TenantId};
pub use ledger::{
    Ledger, LedgerAsOf, LedgerCounts, LedgerDropped, LedgerEntry, LedgerLane, LedgerReport,
    LedgerRow,
};
pub use point::{Access, Label, Limits, Point, ValueKind};
pub use quality::{Level, Quality, Reason};
pub use role::{Permission, Role};
pub use sample::{Reading, Sample, ScanBatch};
pub use time::{ClockState, Timestamp};
pub use trend::{Bucket, Trend, TrendBuilder};
pub use unit::Unit;
pub use value::Value;
pub use view::PointView;
