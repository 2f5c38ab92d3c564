//! What a run begins with: a configuration that was checked, and what the run before it left.

use crate::building::BuildingInMemory;
use crate::past::{Notes, PastInMemory};
use crate::registry::Registry;
use riser_adapter::{BuildContext, Built, ConfigError, Kind};
use std::sync::Arc;

/// What a run leaves to the next.
pub(crate) type Kept = (Arc<Registry>, PastInMemory, Notes, BuildingInMemory);

/// Checks a configuration written as text.
pub fn build(kind: &Kind, config: &str) -> Result<Built, ConfigError> {
    let table: toml::Table = match config.parse() {
        Ok(table) => table,
        Err(error) => return Err(ConfigError::from_toml("", &error)),
    };
    (kind.build)(&table, &BuildContext::default())
}
