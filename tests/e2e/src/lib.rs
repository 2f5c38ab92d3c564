//! What the end-to-end tests stand on: real processes, a link that can be spoilt, a fake Modbus
//! device that numbers every value it gives out, and clients for both HTTP faces. Owns no test.

pub mod broker;
pub mod clock;
pub mod cloud;
pub mod committed;
pub mod lab;
pub mod local;
pub mod numbered;
pub mod peers;
pub mod process;
pub mod proxy;
pub mod wait;

pub use clock::Clock;
pub use lab::Lab;
pub use process::Process;
pub use wait::{until, within};

static LABS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Waits until no other end-to-end test runs: each needs both cores for its timing.
pub async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    LABS.lock().await
}
