//! The whole adapter contract: what a protocol crate implements and everything it may touch.
//!
//! An adapter owns its lanes and its devices; it knows no store, no rule, no link and no other
//! adapter. It declares its points, sends what it reads, takes commands, reports health, and ends
//! when told to. One required behaviour per method, further powers are separate traits.

pub mod building;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod context;
pub mod error;
pub mod health;
pub mod operate;
pub mod past;
pub mod search;

pub use building::{Building, HeldLevel, PointSource, PointWriter};
pub use catalog::{Browse, BrowseNode, Built, Kind, Snapshot, SnapshotImage};
pub use clock::{Clock, ClockStep, SystemClock};
pub use config::{BuildContext, ConfigError};
pub use context::{
    AdapterCommand, AdapterContext, Declared, PointRegistry, RegistryError, SampleSink, WriteResult,
};
pub use error::{AdapterError, ErrorClass};
pub use health::HealthBoard;
pub use operate::{Field, FieldKind, Operate, Operation};
pub use past::{Memory, NOTE_LIMIT, Past, PastError};
pub use search::{Discover, DiscoverRequest, Found, SearchField, devices};

use futures_util::future::BoxFuture;

/// One configured instance of a protocol: a set of lanes with their devices.
pub trait Adapter: Send {
    /// Short name of the protocol, such as `modbus`; also the value of `kind` in the configuration.
    fn kind(&self) -> &'static str;

    /// Works until `context.cancel` is cancelled, then ends within its grace. Returning earlier is
    /// an error whose class decides whether the supervisor starts the adapter again.
    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>>;

    /// Configured devices, each with the lane it is on, named as in [`riser_model::LaneHealth`]. The
    /// loss ledger counts by lane; a device not named counts under the name of the instance.
    fn lanes(&self) -> Vec<(riser_model::Key, String)> {
        Vec::new()
    }

    /// What in its configuration works and is hardly meant, in words, each with what to do.
    fn doubts(&self) -> Vec<String> {
        Vec::new()
    }
}
