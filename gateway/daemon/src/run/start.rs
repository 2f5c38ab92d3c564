//! Small steps of starting: the runtime over its adapters, the claim code, the pages.

use super::{RunError, store_error};
use crate::clock::GatewayClock;
use crate::config::Config;
use crate::secrets;
use riser_api::{ClaimCode, Face, Listening};
use riser_runtime::{AdapterSpec, Runtime, RuntimeConfig, StartError};
use riser_store::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) async fn start_runtime(
    config: &Config,
    store: &Store,
    clock: &Arc<GatewayClock>,
) -> Result<Runtime, StartError> {
    let settings = RuntimeConfig {
        commit_interval: Duration::from_millis(u64::from(config.storage.commit_interval_ms)),
        schedules: config.schedules.clone().into(),
        ..RuntimeConfig::default()
    };
    let adapters = config.adapters.iter().map(|entry| {
        let (kind, table, context) = (entry.kind, entry.table.clone(), entry.context.clone());
        AdapterSpec::new(&entry.name, move || (kind.build)(&table, &context))
    });
    let (adapters, rules) = (adapters.collect(), config.rules.clone());
    Runtime::start(settings, store.clone(), adapters, rules, clock.clone()).await
}

/// The claim code, as long as nobody owns this gateway. Told once, when it is made.
pub(super) async fn unclaimed(
    store: &Store,
    data_dir: &Path,
) -> Result<Option<ClaimCode>, RunError> {
    if !store
        .users()
        .await
        .map_err(store_error(data_dir))?
        .is_empty()
    {
        return Ok(None);
    }
    let (code, fresh) = secrets::claim_code(data_dir)?;
    if fresh {
        tracing::warn!(code = %code, "nobody owns this gateway yet; claim it on its page with this \
            code ('riserd claim-code' prints it again)");
    } else {
        tracing::warn!("nobody owns this gateway yet; 'riserd claim-code' prints its code");
    }
    Ok(Some(code))
}

pub(super) fn forget_code_when_claimed(face: &Face, data_dir: PathBuf) {
    let mut claimed = face.claimed();
    tokio::spawn(async move {
        // An error means that the gateway goes down unclaimed.
        if claimed.wait_for(|claimed| *claimed).await.is_ok()
            && let Err(error) = secrets::forget_claim_code(&data_dir)
        {
            tracing::warn!(error = %riser_model::chain(&error), "the claim code is of no use any more");
        }
    });
}

pub(super) fn serve(listening: Listening, face: Face, stop: &CancellationToken) -> JoinHandle<()> {
    tokio::spawn(listening.serve(riser_api::router(face), stop.clone()))
}
