//! Rules that write: at once, by the way of every command, and with patience where nobody stands by.

use crate::fake::{Answer, Device, Run};
use crate::support::{
    Bench, Setup, alarm_rule, eventually, own_outcome, path, two_points, write_rule,
};
use riser_adapter::{Clock as _, ErrorClass};
use riser_model::{AuthorKind, CommandState, Quality, Reading, Reason, ScanBatch, Value};
use riser_rules::OnEnd;
use riser_runtime::AdapterState;
use std::time::Duration;

fn with(on_end: OnEnd) -> Setup {
    Setup {
        rules: vec![write_rule(on_end), alarm_rule(0)],
        ..Setup::default()
    }
}

fn written(values: &[Option<f64>]) -> Vec<Option<Value>> {
    values.iter().map(|v| v.map(Value::Float)).collect()
}

#[tokio::test]
async fn a_rule_writes_at_its_level_and_gives_it_back() {
    let bench = Bench::new(with(OnEnd::Release)).await;
    let mut feed = bench.runtime.command_feed();
    bench.write(bench.command(12, Some(30.0))).await;
    bench.read_temp(90.0).await;
    let record = loop {
        let record = own_outcome(&mut feed).await;
        if record.command.author.kind == AuthorKind::Rule {
            break record;
        }
    };
    assert_eq!(record.outcome.state, CommandState::Applied);
    assert_eq!(record.command.author.name, "cool");
    assert_eq!(record.command.priority.level(), 10);
    bench.read_temp(70.0).await;
    let released = own_outcome(&mut feed).await;
    assert_eq!(released.command.value, None);
    assert_eq!(
        bench.device.writes(),
        written(&[Some(30.0), Some(100.0), Some(30.0)])
    );
    bench.store.settle().await.unwrap();
    let stored = bench
        .store
        .command(record.command.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored, record);
}

#[tokio::test]
async fn a_person_wins_over_a_rule_and_the_rule_takes_over_afterwards() {
    let bench = Bench::new(with(OnEnd::Release)).await;
    bench.write(bench.command(8, Some(30.0))).await;
    let mut feed = bench.runtime.command_feed();
    bench.read_temp(90.0).await;
    let record = own_outcome(&mut feed).await;
    assert_eq!(record.outcome.state, CommandState::AcceptedNotEffective);
    bench.write(bench.command(8, None)).await;
    assert_eq!(bench.device.writes(), written(&[Some(30.0), Some(100.0)]));
}

#[tokio::test]
async fn a_rule_s_write_that_failed_is_repeated_until_the_device_takes_it() {
    let bench = Bench::new(with(OnEnd::Release)).await;
    bench.device.up().await;
    tokio::time::pause();
    let mut feed = bench.runtime.command_feed();
    bench.read(1, Some(Value::Float(0.0)), Quality::GOOD).await;
    bench.device.answer(Answer::Fail);
    bench.read_temp(90.0).await;
    let failed = own_outcome(&mut feed).await;
    assert_eq!(failed.outcome.state, CommandState::Failed);
    assert!(
        failed.outcome.detail.contains("tried again"),
        "{}",
        failed.outcome.detail
    );
    let levels = bench.runtime.priority_array(&path("d/valve"));
    assert_eq!(levels[0].level.level(), 10);
    bench.device.answer(Answer::Apply);
    bench.read(1, Some(Value::Float(0.0)), Quality::GOOD).await;
    let repeated = own_outcome(&mut feed).await;
    assert_eq!(repeated.outcome.state, CommandState::Applied);
    assert_ne!(repeated.command.id, failed.command.id);
    assert_eq!(repeated.command.author, failed.command.author);
    assert_eq!(bench.device.writes(), written(&[Some(100.0), Some(100.0)]));
    // Once it has worked it is left alone.
    bench
        .read(1, Some(Value::Float(100.0)), Quality::GOOD)
        .await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(bench.device.writes().len(), 2);
}

#[tokio::test]
async fn a_device_that_does_not_answer_is_not_pestered_and_is_written_when_it_is_back() {
    let bench = Bench::new(with(OnEnd::Release)).await;
    bench.device.up().await;
    tokio::time::pause();
    let mut feed = bench.runtime.command_feed();
    bench.device.answer(Answer::Fail);
    bench.read(1, None, Quality::bad(Reason::DeviceDown)).await;
    bench.read_temp(90.0).await;
    own_outcome(&mut feed).await;
    bench.device.answer(Answer::Apply);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(bench.device.writes().len(), 1);
    bench.read(1, Some(Value::Float(0.0)), Quality::GOOD).await;
    let began = tokio::time::Instant::now();
    let repeated = own_outcome(&mut feed).await;
    assert_eq!(repeated.outcome.state, CommandState::Applied);
    assert!(
        began.elapsed() <= Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_rule_whose_adapter_is_parked_keeps_its_wish() {
    // The points are read by one adapter and written by another, which is parked.
    let reader = Device::new("fake", two_points()[..1].to_vec());
    let writer = Device::new("writer", two_points()[1..].to_vec());
    writer.plan([Run::Fail(ErrorClass::Misconfigured)]);
    let setup = Setup {
        others: vec![writer],
        ..with(OnEnd::Release)
    };
    let bench = Bench::over(reader, setup).await;
    let parked = || bench.runtime.adapters()[1].state == AdapterState::Parked;
    eventually("it is parked", parked).await;
    let mut feed = bench.runtime.command_feed();
    bench.read_temp(90.0).await;
    let refused = own_outcome(&mut feed).await;
    assert_eq!(refused.outcome.state, CommandState::Refused);
    let array = || bench.runtime.priority_array(&path("d/valve"));
    eventually("the wish is kept", || array().len() == 1).await;
    assert_eq!(array()[0].author.name, "cool");
}

#[tokio::test]
async fn a_rule_s_write_that_waited_too_long_is_made_when_the_adapter_is_back() {
    let device = Device::new("fake", two_points());
    device.plan([Run::ServeThenFail]);
    let away = Duration::from_secs(100);
    let mut setup = with(OnEnd::Release);
    setup.config.restart_first = away;
    setup.config.restart_cap = away;
    let bench = Bench::over(device, setup).await;
    let (sink, slots) = bench.device.up().await;
    tokio::time::pause();
    bench.device.fail_now();
    let view = || bench.runtime.adapters()[0].clone();
    eventually("it has failed", || view().last_error.is_some()).await;
    let mut feed = bench.runtime.command_feed();
    let reading = |index: usize, value| ScanBatch {
        at: bench.clock.now(),
        readings: vec![Reading {
            slot: slots[index],
            value: Some(Value::Float(value)),
            quality: Quality::GOOD,
        }],
    };
    assert!(sink.send(reading(0, 90.0)).await);
    eventually("the rule has acted", || {
        bench.runtime.stats().rule_writes == 1
    })
    .await;
    bench.clock.advance(Duration::from_secs(61));
    let expired = own_outcome(&mut feed).await;
    assert_eq!(expired.outcome.state, CommandState::Expired);
    assert_eq!(bench.runtime.priority_array(&path("d/valve")).len(), 1);
    assert_eq!(bench.device.writes(), vec![]);
    bench.device.up().await;
    bench.read(1, Some(Value::Float(0.0)), Quality::GOOD).await;
    let made = own_outcome(&mut feed).await;
    assert_eq!(made.outcome.state, CommandState::Applied);
    assert_eq!(bench.device.writes(), written(&[Some(100.0)]));
}

#[tokio::test]
async fn rules_are_shown_as_they_stand() {
    let bench = Bench::new(with(OnEnd::Keep)).await;
    bench.read_temp(90.0).await;
    let present = || {
        bench
            .runtime
            .rules()
            .iter()
            .map(|r| r.present)
            .collect::<Vec<_>>()
    };
    eventually("both are present", || present() == [Some(true), Some(true)]).await;
    assert_eq!(bench.runtime.stats().rule_writes, 1);
    assert_eq!(bench.runtime.stats().alarm_notifications, 1);
}
