//! Adapters fail in every way; the others do not notice.

use crate::fake::{Device, Run};
use crate::support::{Bench, Setup, eventually, point, two_points};
use riser_adapter::ErrorClass;
use riser_model::{Access, CommandState, DeviceState};
use riser_runtime::{AdapterSpec, AdapterState, RefusedKind, Runtime, RuntimeConfig, StartError};
use std::sync::Arc;
use std::time::Duration;

fn states(bench: &Bench) -> Vec<AdapterState> {
    bench.runtime.adapters().iter().map(|a| a.state).collect()
}

fn neighbour() -> Arc<Device> {
    Device::new("neighbour", vec![point("n/temp", Access::Read)])
}

async fn with_neighbour(plan: Vec<Run>) -> (Bench, Arc<Device>) {
    let device = Device::new("fake", two_points());
    device.plan(plan);
    let other = neighbour();
    let setup = Setup {
        others: vec![Arc::clone(&other)],
        ..Setup::default()
    };
    (Bench::over(device, setup).await, other)
}

#[tokio::test(start_paused = true)]
async fn a_panic_restarts_that_adapter_only() {
    let (bench, other) = with_neighbour(vec![Run::Panic]).await;
    other.up().await;
    bench.device.up().await;
    assert_eq!((bench.device.runs(), other.runs()), (2, 1));
    let views = bench.runtime.adapters();
    assert_eq!(views[0].state, AdapterState::Running);
    assert_eq!(views[0].restarts, 1);
    assert_eq!((views[0].points, views[1].points), (2, 1));
    let error = views[0].last_error.clone().unwrap();
    assert!(error.contains("panicked: a defect in the fake"), "{error}");
    assert_eq!(views[1].last_error, None);
    let stats = bench.runtime.stats();
    assert_eq!((stats.adapter_panics, stats.adapter_restarts), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_for_ever_with_growing_bounded_waits() {
    let plan = vec![Run::Fail(ErrorClass::Retryable); 50];
    let (bench, _) = with_neighbour(plan).await;
    let began = tokio::time::Instant::now();
    bench.device.up().await;
    let took = began.elapsed();
    assert_eq!(bench.device.runs(), 51);
    // Fifty waits between half a second and the cap of a minute; growing, so well above the least.
    // No upper bound here: the paused clock also runs on while the store's thread works. That each
    // wait stays below the cap is shown beside the backoff itself.
    assert!(took > Duration::from_secs(120), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn ending_without_being_told_is_an_error_that_may_pass() {
    let (bench, _) = with_neighbour(vec![Run::Return]).await;
    bench.device.up().await;
    let view = &bench.runtime.adapters()[0];
    assert!(view.last_error.clone().unwrap().contains("ended by itself"));
}

#[tokio::test(start_paused = true)]
async fn a_misconfigured_adapter_is_parked_and_says_why() {
    let (bench, other) = with_neighbour(vec![Run::Fail(ErrorClass::Misconfigured)]).await;
    other.up().await;
    eventually("it is parked", || states(&bench)[0] == AdapterState::Parked).await;
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(bench.device.runs(), 1);
    assert_eq!(
        states(&bench),
        [AdapterState::Parked, AdapterState::Running]
    );
    let refused = bench
        .runtime
        .write(bench.command(8, Some(5.0)))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, RefusedKind::Unavailable);
    let detail = &refused.record.outcome.detail;
    assert!(
        detail.contains("parked: could not reach on fake (look at the cable)"),
        "{detail}"
    );
    assert_eq!(refused.record.outcome.state, CommandState::Refused);
}

#[tokio::test(start_paused = true)]
async fn repeated_fatal_errors_quarantine_it_and_it_gets_another_chance_much_later() {
    let fatal = Run::Fail(ErrorClass::Fatal);
    let (bench, _) = with_neighbour(vec![fatal, Run::Panic, fatal]).await;
    eventually("it is quarantined", || {
        states(&bench)[0] == AdapterState::Quarantined
    })
    .await;
    assert_eq!(bench.device.runs(), 3);
    tokio::time::sleep(Duration::from_secs(3500)).await;
    assert_eq!(bench.device.runs(), 3);
    bench.device.up().await;
    assert_eq!(bench.device.runs(), 4);
    assert_eq!(states(&bench)[0], AdapterState::Running);
}

#[tokio::test(start_paused = true)]
async fn devices_of_an_adapter_that_is_not_running_are_unknown() {
    let (bench, _) = with_neighbour(vec![
        Run::ServeThenFail,
        Run::Fail(ErrorClass::Misconfigured),
    ])
    .await;
    bench.device.up().await;
    let device = || bench.runtime.health().devices()[0].clone();
    eventually("it is online", || {
        !bench.runtime.health().devices().is_empty()
    })
    .await;
    assert_eq!(device().state, DeviceState::Online);
    bench.device.fail_now();
    eventually("it is unknown", || device().state == DeviceState::Unknown).await;
    assert!(device().last_error.unwrap().contains("not running"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_in_time_is_named_and_cut_off() {
    let (bench, other) = with_neighbour(vec![Run::Deaf]).await;
    bench.device.up().await;
    other.up().await;
    let began = tokio::time::Instant::now();
    let report = bench.runtime.shutdown(Duration::from_secs(3)).await;
    assert_eq!(report.late, vec!["fake".to_owned()]);
    assert!(began.elapsed() >= Duration::from_secs(3));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(states(&bench)[1], AdapterState::Stopped);
    // A second call has nothing to do.
    let again = bench.runtime.shutdown(Duration::from_secs(3)).await;
    assert_eq!(again.late, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn shutting_down_in_good_time_names_nobody_and_ends_waiting_commands() {
    let fail = Run::Fail(ErrorClass::Retryable);
    let (bench, other) = with_neighbour(vec![fail; 100]).await;
    other.up().await;
    let mut feed = bench.runtime.command_feed();
    let waiting = bench
        .runtime
        .write(bench.command(8, Some(5.0)))
        .await
        .unwrap();
    assert!(!waiting.outcome.state.is_final());
    let report = bench.runtime.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.late, Vec::<String>::new());
    let ended = crate::support::outcome(&mut feed, waiting.command.id).await;
    assert_eq!(ended.outcome.state, CommandState::Failed);
    assert!(
        ended.outcome.detail.contains("not begun"),
        "{}",
        ended.outcome.detail
    );
    let late = bench
        .runtime
        .write(bench.command(8, Some(5.0)))
        .await
        .unwrap_err();
    assert_eq!(late.kind, RefusedKind::Unavailable);
}

async fn start(specs: Vec<AdapterSpec>) -> Result<Runtime, StartError> {
    // The store must outlive the call; its folder need not.
    let bench = Bench::over(neighbour(), Setup::default()).await;
    let store = bench.store.clone();
    let clock = Arc::clone(&bench.clock);
    Runtime::start(RuntimeConfig::default(), store, specs, vec![], clock).await
}

#[tokio::test]
async fn two_adapters_cannot_share_a_name_or_a_point() {
    let one = Device::new("one", two_points());
    let two = Device::new("two", vec![point("d/temp", Access::Read)]);
    let error = start(vec![one.spec(), one.spec()]).await.unwrap_err();
    assert!(
        matches!(&error, StartError::Name { name } if name == "one"),
        "{error}"
    );
    let error = start(vec![one.spec(), two.spec()]).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("point d/temp of adapter 'two' is already declared by 'one'"),
        "{text}"
    );
}
