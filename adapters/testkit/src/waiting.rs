//! Waits of tests that are not for a reading: until something holds, until an adapter ends by itself.

use crate::building::BuildingInMemory;
use crate::harness::{PATIENCE, Running};
use crate::past::{Notes, PastInMemory};
use crate::registry::Registry;
use riser_adapter::{AdapterContext, AdapterError, HealthBoard, SampleSink, SystemClock};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Runs an adapter that is expected to end by itself, over a gateway of its own.
///
/// # Errors
/// What it ended with.
///
/// # Panics
/// When it does not end in time.
pub async fn run_to_end(adapter: Box<dyn riser_adapter::Adapter>) -> Result<(), AdapterError> {
    let (samples, _batches) = mpsc::channel(65_536);
    let (_commands, inbox) = mpsc::channel(1);
    let context = AdapterContext {
        name: "test".to_owned(),
        registry: Arc::new(Registry::default()),
        samples: SampleSink::new(samples),
        commands: inbox,
        past: Arc::new(PastInMemory::default()),
        memory: Arc::new(Notes::default()),
        building: BuildingInMemory::default().building(),
        health: HealthBoard::default(),
        clock: Arc::new(SystemClock),
        cancel: CancellationToken::new(),
    };
    match tokio::time::timeout(PATIENCE, adapter.run(context)).await {
        Ok(result) => result,
        Err(_) => panic!("the adapter did not end by itself"),
    }
}

/// Waits until something holds that no reading tells; looks every 5 ms.
///
/// # Panics
/// When it does not hold in time.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > until {
            panic!("waited {} s for {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Running {
    /// The share of their nominal rate that points keep, the lowest of them. Of three windows the best
    /// counts: a machine that pauses for other work is not what is measured.
    pub async fn share_of_rate(
        &mut self,
        paths: &[String],
        interval: Duration,
        window: Duration,
    ) -> f64 {
        let mut best = 0.0_f64;
        for _ in 0..3 {
            let before: Vec<usize> = paths.iter().map(|p| self.good_count(p)).collect();
            let began = Instant::now();
            self.pump_for(window).await;
            let nominal = began.elapsed().as_secs_f64() / interval.as_secs_f64();
            let counts = paths
                .iter()
                .zip(before)
                .map(|(p, b)| self.good_count(p) - b);
            let counts = counts.map(|c| f64::from(u32::try_from(c).unwrap_or(u32::MAX)));
            best = best.max(counts.fold(f64::INFINITY, f64::min) / nominal);
            if best >= 0.95 {
                break;
            }
        }
        best
    }
}
