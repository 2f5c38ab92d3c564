//! Adapters and rules are exchanged while the others run on.

use crate::fake::{Device, Run};
use crate::support::{
    Bench, Setup, alarm_rule, eventually, next_alarm, path, point, two_points, within, write_rule,
};
use riser_adapter::ConfigError;
use riser_model::{Access, AlarmState, Value};
use riser_rules::OnEnd;
use riser_runtime::{AdapterSpec, AdapterState, Change, PointFilter, RefusedKind, StartError};
use std::sync::Arc;

async fn with_neighbour() -> (Bench, Arc<Device>) {
    let other = Device::new("neighbour", vec![point("n/temp", Access::Read)]);
    let setup = Setup {
        others: vec![Arc::clone(&other)],
        rules: vec![alarm_rule(0)],
        ..Setup::default()
    };
    let bench = Bench::new(setup).await;
    bench.device.up().await;
    other.up().await;
    (bench, other)
}

fn paths(bench: &Bench) -> Vec<String> {
    let page = bench.runtime.points(&PointFilter::default());
    page.points
        .iter()
        .map(|p| p.point.path.to_string())
        .collect()
}

fn restarts(bench: &Bench) -> Vec<(String, u64, AdapterState)> {
    let mut all: Vec<_> = bench
        .runtime
        .adapters()
        .into_iter()
        .map(|a| (a.name, a.restarts, a.state))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test]
async fn a_changed_adapter_takes_the_place_of_the_old_one_and_the_others_run_on() {
    let (bench, other) = with_neighbour().await;
    bench.read_temp(20.0).await;
    bench.write(bench.command(12, Some(30.0))).await;
    let changed = Device::new(
        "fake",
        vec![
            point("d/temp", Access::Read),
            point("d/new", Access::Read),
            point("d/valve", Access::ReadWrite),
        ],
    );
    let change = Change {
        start: vec![changed.spec()],
        ..Change::default()
    };
    bench.runtime.change(change).await.unwrap();
    changed.up().await;
    assert_eq!(
        (bench.device.runs(), changed.runs(), other.runs()),
        (1, 1, 1)
    );
    eventually("both run", || {
        let running = AdapterState::Running;
        restarts(&bench)
            == [
                ("fake".to_owned(), 1, running),
                ("neighbour".to_owned(), 0, running),
            ]
    })
    .await;
    assert_eq!(paths(&bench), ["d/new", "d/temp", "d/valve", "n/temp"]);
    let temp = bench.runtime.point(&path("d/temp")).unwrap();
    assert_eq!(temp.value, Some(Value::Float(20.0)), "the value stays");
    assert_eq!(
        bench.runtime.priority_array(&path("d/valve")).len(),
        1,
        "the level stays"
    );
    // Commands reach the new one.
    bench.write(bench.command(12, Some(40.0))).await;
    assert_eq!(changed.writes(), [Some(Value::Float(40.0))]);
}

#[tokio::test]
async fn a_removed_adapter_takes_its_points_along_and_a_new_one_brings_its_own() {
    let (bench, other) = with_neighbour().await;
    let third = Device::new("third", vec![point("t/temp", Access::Read)]);
    let change = Change {
        stop: vec!["fake".to_owned()],
        start: vec![third.spec()],
        ..Change::default()
    };
    bench.runtime.change(change).await.unwrap();
    third.up().await;
    assert_eq!(paths(&bench), ["n/temp", "t/temp"]);
    assert_eq!(other.runs(), 1);
    let refused = bench
        .runtime
        .write(bench.command(8, Some(1.0)))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, RefusedKind::UnknownPoint);
    let stored = bench.store.points().await.unwrap().points;
    assert!(
        stored.iter().all(|(_, p)| p.path.device.as_str() != "d"),
        "retired"
    );
    // And back: the same slots, with what was held.
    let back = Device::new("fake", two_points());
    let change = Change {
        start: vec![back.spec()],
        ..Change::default()
    };
    bench.runtime.change(change).await.unwrap();
    back.up().await;
    assert_eq!(paths(&bench), ["d/temp", "d/valve", "n/temp", "t/temp"]);
}

#[tokio::test]
async fn what_cannot_be_built_or_belongs_to_another_changes_nothing() {
    let (bench, _) = with_neighbour().await;
    let broken = AdapterSpec::new("fake", || Err(ConfigError::new("lane", "no such lane")));
    let change = Change {
        stop: vec!["neighbour".to_owned()],
        start: vec![broken],
        rules: Some(vec![]),
        schedules: None,
    };
    let error = bench.runtime.change(change).await.unwrap_err();
    assert!(matches!(error, StartError::Build { .. }), "{error}");
    let thief = Device::new("thief", vec![point("n/temp", Access::Read)]);
    let change = Change {
        start: vec![thief.spec()],
        ..Change::default()
    };
    let error = bench.runtime.change(change).await.unwrap_err();
    assert!(matches!(error, StartError::Duplicate { .. }), "{error}");
    assert_eq!((bench.device.runs(), thief.runs()), (1, 0));
    assert_eq!(bench.runtime.adapters().len(), 2);
    assert_eq!(bench.runtime.rules().len(), 1);
}

#[tokio::test]
async fn an_adapter_that_waits_or_does_not_hear_is_exchanged_all_the_same() {
    let device = Device::new("fake", two_points());
    device.plan([Run::Fail(riser_adapter::ErrorClass::Misconfigured)]);
    let bench = Bench::over(device, Setup::default()).await;
    eventually("it is parked", || {
        restarts(&bench)[0].2 == AdapterState::Parked
    })
    .await;
    let good = Device::new("fake", two_points());
    let change = Change {
        start: vec![good.spec()],
        ..Change::default()
    };
    within(bench.runtime.change(change)).await.unwrap();
    good.up().await;
    eventually("it runs", || restarts(&bench)[0].2 == AdapterState::Running).await;
    assert_eq!(bench.runtime.adapters()[0].last_error, None);
}

#[tokio::test]
async fn rules_are_swapped_and_the_alarm_of_one_that_stays_stands() {
    let (bench, _) = with_neighbour().await;
    let mut feed = bench.runtime.alarm_feed();
    bench.read_temp(90.0).await;
    let raised = next_alarm(&mut feed).await;
    let rules = vec![write_rule(OnEnd::Release), alarm_rule(0)];
    let change = Change {
        rules: Some(rules),
        ..Change::default()
    };
    bench.runtime.change(change).await.unwrap();
    assert_eq!(bench.runtime.alarms(), std::slice::from_ref(&raised));
    bench.read_temp(91.0).await;
    eventually("the new rule writes", || !bench.device.writes().is_empty()).await;
    // Without the rules: the level is given back, the alarm is over and waits for its acknowledgement.
    let change = Change {
        rules: Some(vec![]),
        ..Change::default()
    };
    bench.runtime.change(change).await.unwrap();
    let cleared = next_alarm(&mut feed).await;
    assert_eq!(
        (cleared.id, cleared.state),
        (raised.id, AlarmState::ClearedUnacknowledged)
    );
    assert_eq!(bench.runtime.rules().len(), 0);
    eventually("the level is given back", || {
        bench.runtime.priority_array(&path("d/valve")).is_empty()
    })
    .await;
    assert_eq!(bench.device.runs(), 1);
}
