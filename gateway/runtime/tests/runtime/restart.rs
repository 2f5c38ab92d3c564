//! What survives a restart: levels, holds, and that nothing is carried out twice.

use crate::fake::{Answer, Device};
use crate::support::{Bench, Setup, eventually, own_outcome, path, two_points, write_rule};
use riser_adapter::Clock as _;
use riser_model::{CommandState, Quality, Value};
use riser_rules::OnEnd;
use riser_runtime::RuntimeConfig;
use std::sync::Arc;
use std::time::Duration;

fn fresh() -> Arc<Device> {
    Device::new("fake", two_points())
}

#[tokio::test]
async fn held_levels_survive_and_nothing_is_written_again() {
    let bench = Bench::new(Setup::default()).await;
    let mut held = bench.command(8, Some(21.0));
    held.hold_until = Some(bench.clock.now().plus(Duration::from_secs(600)));
    bench.write(held).await;
    bench.write(bench.command(12, Some(5.0))).await;
    let before = bench.runtime.priority_array(&path("d/valve"));
    assert_eq!(before.len(), 2);
    let bench = bench.restart(fresh(), Setup::default()).await;
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), before);
    bench.device.up().await;
    let lower = bench.write(bench.command(10, Some(7.0))).await;
    assert_eq!(lower.outcome.state, CommandState::AcceptedNotEffective);
    assert_eq!(bench.device.writes(), vec![]);
    // Released levels do not come back.
    for level in [8, 10, 12] {
        bench.write(bench.command(level, None)).await;
    }
    let bench = bench.restart(fresh(), Setup::default()).await;
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), vec![]);
}

#[tokio::test]
async fn a_hold_that_ended_while_the_gateway_was_off_falls_back_at_start() {
    let bench = Bench::new(Setup::default()).await;
    bench.write(bench.command(12, Some(5.0))).await;
    let mut held = bench.command(8, Some(21.0));
    held.hold_until = Some(bench.clock.now().plus(Duration::from_secs(600)));
    bench.write(held).await;
    bench.runtime.shutdown(Duration::from_secs(5)).await;
    bench.clock.advance(Duration::from_secs(601));
    let device = fresh();
    let bench = bench.reopen(Arc::clone(&device), Setup::default()).await;
    bench.read(1, Some(Value::Float(21.0)), Quality::GOOD).await;
    let five = vec![Some(Value::Float(5.0))];
    eventually("the device is told", || device.writes() == five).await;
    let levels = bench.runtime.priority_array(&path("d/valve"));
    assert_eq!(levels.len(), 1);
    assert_eq!(levels[0].level.level(), 12);
}

#[tokio::test]
async fn a_known_id_is_not_carried_out_again_after_a_restart() {
    let bench = Bench::new(Setup::default()).await;
    let command = bench.command(8, Some(21.0));
    let first = bench.write(command.clone()).await;
    let bench = bench.restart(fresh(), Setup::default()).await;
    bench.device.up().await;
    let again = bench.runtime.write(command).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(bench.device.writes(), vec![]);
    assert_eq!(bench.runtime.stats().commands_repeated, 1);
}

#[tokio::test]
async fn a_command_a_crash_cut_off_ends_as_failed_and_is_not_carried_out() {
    let bench = Bench::new(Setup::default()).await;
    let command = bench.command(8, Some(21.0));
    // As if power was lost between recording and beginning.
    assert!(
        bench
            .store
            .record_command(command.clone(), true)
            .await
            .unwrap()
    );
    let bench = bench.restart(fresh(), Setup::default()).await;
    bench.device.up().await;
    bench.store.settle().await.unwrap();
    let record = bench.runtime.command(command.id).await.unwrap().unwrap();
    assert_eq!(record.outcome.state, CommandState::Failed);
    assert!(
        record.outcome.detail.contains("restarted"),
        "{}",
        record.outcome.detail
    );
    let again = bench.runtime.write(command).await.unwrap();
    assert_eq!(again.outcome.state, CommandState::Failed);
    assert_eq!(bench.device.writes(), vec![]);
}

#[tokio::test]
async fn the_level_of_a_rule_that_was_removed_is_given_back_at_start() {
    let bench = Bench::new(Setup {
        rules: vec![write_rule(OnEnd::Keep)],
        ..Setup::default()
    })
    .await;
    let mut feed = bench.runtime.command_feed();
    bench.read_temp(90.0).await;
    own_outcome(&mut feed).await;
    assert_eq!(bench.runtime.priority_array(&path("d/valve")).len(), 1);
    let device = fresh();
    device.answer(Answer::NoRelinquish);
    let bench = bench.restart(device, Setup::default()).await;
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), vec![]);
    let mut feed = bench.runtime.command_feed();
    bench
        .read(1, Some(Value::Float(100.0)), Quality::GOOD)
        .await;
    let told = own_outcome(&mut feed).await;
    assert_eq!(told.command.value, None);
    let detail = &told.outcome.detail;
    assert!(
        detail.contains("of rule cool ended: its rule or schedule was removed"),
        "{detail}"
    );
    assert!(detail.contains("left as it is"), "{detail}");
}

#[tokio::test]
async fn a_rule_that_ended_while_the_gateway_was_off_gives_its_level_back() {
    let setup = || Setup {
        rules: vec![write_rule(OnEnd::Release)],
        ..Setup::default()
    };
    let bench = Bench::new(setup()).await;
    let mut feed = bench.runtime.command_feed();
    bench.read_temp(90.0).await;
    own_outcome(&mut feed).await;
    let bench = bench.restart(fresh(), setup()).await;
    assert_eq!(bench.runtime.priority_array(&path("d/valve")).len(), 1);
    let mut feed = bench.runtime.command_feed();
    bench.read_temp(70.0).await;
    let released = own_outcome(&mut feed).await;
    assert_eq!(released.command.value, None);
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), vec![]);
}

#[tokio::test]
async fn a_release_the_device_did_not_take_is_still_owed_to_it_after_a_restart() {
    let bench = Bench::new(Setup::default()).await;
    bench.write(bench.command(12, Some(5.0))).await;
    bench.write(bench.command(8, Some(21.0))).await;
    bench.device.answer(Answer::Fail);
    let released = bench.write(bench.command(8, None)).await;
    assert_eq!(released.outcome.state, CommandState::Failed);
    let device = fresh();
    let bench = bench.restart(Arc::clone(&device), Setup::default()).await;
    bench.read(1, Some(Value::Float(21.0)), Quality::GOOD).await;
    let five = vec![Some(Value::Float(5.0))];
    eventually("the device is told", || device.writes() == five).await;
    let told = || bench.runtime.stats().writes_repeated == 1;
    eventually("the repeat is counted", told).await;
    // Once it has been taken nothing is owed any more.
    let bench = bench.restart(fresh(), Setup::default()).await;
    assert_eq!(bench.store.value("unsettled/d").await.unwrap(), None);
}

#[tokio::test]
async fn a_command_cut_off_at_the_device_leaves_the_levels_as_they_were() {
    let setup = || Setup {
        config: RuntimeConfig {
            reply_timeout: Duration::from_secs(600),
            ..RuntimeConfig::default()
        },
        ..Setup::default()
    };
    let bench = Bench::new(setup()).await;
    bench.write(bench.command(12, Some(5.0))).await;
    let before = bench.runtime.priority_array(&path("d/valve"));
    bench.device.answer(Answer::Silence);
    let command = bench.command(8, Some(21.0));
    let id = command.id;
    bench.runtime.write(command).await.unwrap();
    eventually("it is at the device", || bench.device.writes().len() == 2).await;
    let report = bench.runtime.shutdown(Duration::ZERO).await;
    assert!(report.late.contains(&"commands".to_owned()), "{report:?}");
    let device = fresh();
    let bench = bench.reopen(Arc::clone(&device), setup()).await;
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), before);
    bench.store.settle().await.unwrap();
    let record = bench.runtime.command(id).await.unwrap().unwrap();
    assert_eq!(record.outcome.state, CommandState::Failed);
    // The device may hold 21: what wins is written again as soon as it answers.
    bench.read(1, Some(Value::Float(21.0)), Quality::GOOD).await;
    let five = vec![Some(Value::Float(5.0))];
    eventually("the device is told", || device.writes() == five).await;
}
