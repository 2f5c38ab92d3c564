//! Local HTTP: routes, authentication, live stream and the embedded technician UI.
//!
//! Owns who may do what over HTTP and how things look as JSON (`openapi.json` beside this crate is
//! the whole contract). Reading, writing and storing are done by `riser-runtime` and
//! `riser-store`; nothing here knows a protocol, a database or the cloud.

mod adding;
mod audit;
mod auth;
mod configuration;
mod door;
mod edge;
mod face;
mod live;
mod metrics;
mod plain;
mod refusal;
mod routes;
mod search;
mod server;
mod shape;
mod ui;

pub use audit::{AUDIT_SUBJECT, audit_condition};
pub use auth::{AuthError, AuthSettings, ClaimCode, Passwords};
pub use configuration::{ConfigurationDesk, ConfigurationJob};
pub use face::{BackupHealth, Counter, Face, FaceParts, Identity};
pub use live::{LiveMessage, LiveRequest, LiveValue};
pub use refusal::{ErrorBody, ErrorDetail};
pub use routes::{document, router};
pub use server::{Listening, ServeError, TlsFiles, TlsProblem, bind, load_tls};
pub use shape::{
    AcknowledgeRequest, AlarmCounts, AlarmList, ClaimRequest, CommandList, DeviceCounts,
    DeviceList, Disk, GatewayFacts, GatewayName, HealthReport, LaneList, LoginRequest, Overview,
    Person, PointDetail, PointList, Setup, StoreFacts, WriteRequest,
};
