//! Faults that happen to gateways in the field, done on purpose to the real processes under load,
//! and the account that proves what became of every value. Owns the faults and the account; the
//! scenarios are in `tests/`.

pub mod account;
pub mod backlog;
pub mod building;
pub mod disk;
pub mod fleet;
pub mod hours;
pub mod link;
pub mod proc;
pub mod rig;

pub use account::{Account, Outage};
pub use building::{Building, Point};
pub use disk::Disk;
pub use fleet::Fleet;
pub use hours::Tally;
pub use rig::Rig;
pub use riser_e2e::clock::{self, Clock};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static TURN: RwLock<()> = RwLock::const_new(());

/// Waits until no other scenario runs: this one needs both cores for its timing.
pub async fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().await
}

/// Waits until no scenario runs that must be alone: this one mostly waits for timers.
pub async fn beside_others() -> RwLockReadGuard<'static, ()> {
    TURN.read().await
}

/// How often a scenario is repeated: `RISER_FAULTS_ROUNDS`, or as many times as given.
#[must_use]
pub fn rounds(usual: usize) -> usize {
    let asked = std::env::var("RISER_FAULTS_ROUNDS");
    asked.ok().and_then(|r| r.parse().ok()).unwrap_or(usual)
}

/// Where the random choices of a scenario begin: `RISER_SEED`, or anywhere; said, so that a failure
/// can be repeated.
#[must_use]
pub fn seed() -> u64 {
    let asked = std::env::var("RISER_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed = asked.unwrap_or_else(rand::random::<u64>);
    eprintln!("seed {seed} (set RISER_SEED to repeat)");
    seed
}
