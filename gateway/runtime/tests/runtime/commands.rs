//! Commands from request to outcome: who wins, what is too old, what the device makes of it.

use crate::fake::{Answer, Device, Run};
use crate::support::{
    Bench, Setup, anna, eventually, outcome, own_outcome, path, point, two_points, within,
};
use futures_util::FutureExt as _;
use riser_adapter::{Clock as _, ErrorClass};
use riser_model::{Access, CommandState, Quality, Value};
use riser_runtime::{RefusedKind, RuntimeConfig};
use std::sync::Arc;
use std::time::Duration;

fn numbers(values: &[Option<f64>]) -> Vec<Option<Value>> {
    values.iter().map(|v| v.map(Value::Float)).collect()
}

/// A bench whose adapter fails and is not started again for an hour.
async fn without_adapter() -> Bench {
    let device = Device::new("fake", two_points());
    device.plan([Run::Fail(ErrorClass::Retryable)]);
    let hour = Duration::from_secs(3600);
    let setup = Setup {
        config: RuntimeConfig {
            restart_first: hour,
            restart_cap: hour,
            ..RuntimeConfig::default()
        },
        ..Setup::default()
    };
    let bench = Bench::over(device, setup).await;
    let view = || bench.runtime.adapters()[0].clone();
    eventually("it has failed", || view().last_error.is_some()).await;
    bench
}

#[tokio::test]
async fn a_write_is_requested_sent_applied_and_recorded() {
    let bench = Bench::new(Setup::default()).await;
    let mut feed = bench.runtime.command_feed();
    let command = bench.command(8, Some(21.0));
    bench.runtime.write(command.clone()).await.unwrap();
    let mut steps = Vec::new();
    let last = within(async {
        loop {
            let record = feed.recv().await.unwrap();
            assert_eq!(record.command, command);
            steps.push(record.outcome.state);
            if record.outcome.state.is_final() {
                return record;
            }
        }
    })
    .await;
    use CommandState as S;
    assert_eq!(steps, [S::Requested, S::Sent, S::Applied]);
    assert_eq!(last.outcome.read_back, Some(Value::Float(21.0)));
    assert_eq!(last.outcome.detail, "");
    assert_eq!(bench.device.writes(), numbers(&[Some(21.0)]));
    let levels = bench.runtime.priority_array(&path("d/valve"));
    assert_eq!(levels.len(), 1);
    assert_eq!((levels[0].level.level(), &levels[0].author), (8, &anna()));
    bench.store.settle().await.unwrap();
    let stored = bench.store.command(command.id).await.unwrap().unwrap();
    assert_eq!(stored.outcome, last.outcome);
    let listed = bench
        .runtime
        .commands(Some(&path("d/valve")), 10)
        .await
        .unwrap();
    assert_eq!(listed, vec![stored]);
}

#[tokio::test]
async fn what_the_feed_tells_the_list_shows_already() {
    let bench = Bench::new(Setup::default()).await;
    let mut feed = bench.runtime.command_feed();
    let valve = path("d/valve");
    for n in 1..=20 {
        let command = bench.command(8, Some(20.0));
        bench.runtime.write(command).await.unwrap();
        let told = within(async {
            loop {
                let record = feed.recv().await.unwrap();
                if record.outcome.state.is_final() {
                    return record;
                }
            }
        });
        let told = told.await;
        let listed = bench.runtime.commands(Some(&valve), 50).await.unwrap();
        assert!(listed.contains(&told), "{told:?} in {listed:?}");
        assert_eq!(listed.len(), n);
        let one = bench.runtime.commands(Some(&valve), 1).await.unwrap();
        assert_eq!(one.len(), 1);
    }
}

#[tokio::test]
async fn the_same_id_twice_writes_once() {
    let bench = Bench::new(Setup::default()).await;
    let command = bench.command(8, Some(21.0));
    // At the same time, then later.
    let (one, two) = tokio::join!(
        bench.runtime.write(command.clone()),
        bench.runtime.write(command.clone())
    );
    assert_eq!(one.unwrap().command, two.unwrap().command);
    let known = || bench.runtime.command(command.id);
    within(async {
        while !known().await.unwrap().unwrap().outcome.state.is_final() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let again = bench.write(command.clone()).await;
    assert_eq!(again.outcome.state, CommandState::Applied);
    assert_eq!(bench.device.writes(), numbers(&[Some(21.0)]));
    assert_eq!(bench.runtime.stats().commands_repeated, 2);
}

#[tokio::test]
async fn what_is_too_old_is_not_begun() {
    let bench = Bench::new(Setup::default()).await;
    let mut command = bench.command(8, Some(21.0));
    command.expires_at = bench.clock.now();
    let record = bench.write(command).await;
    assert_eq!(record.outcome.state, CommandState::Expired);
    assert_eq!(bench.device.writes(), vec![]);
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), vec![]);
}

#[tokio::test]
async fn expiry_is_checked_when_the_adapter_would_be_called() {
    let bench = without_adapter().await;
    let mut feed = bench.runtime.command_feed();
    let waiting = bench
        .runtime
        .write(bench.command(8, Some(21.0)))
        .await
        .unwrap();
    assert_eq!(waiting.outcome.state, CommandState::Requested);
    bench.clock.advance(Duration::from_secs(61));
    let expired = outcome(&mut feed, waiting.command.id).await;
    assert_eq!(expired.outcome.state, CommandState::Expired);
    assert_eq!(bench.device.writes(), vec![]);
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), vec![]);
    assert_eq!(bench.runtime.stats().commands_expired, 1);
}

#[tokio::test]
async fn a_lower_priority_is_accepted_and_takes_over_when_the_higher_is_released() {
    let bench = Bench::new(Setup::default()).await;
    bench.write(bench.command(8, Some(21.0))).await;
    let lower = bench.write(bench.command(10, Some(5.0))).await;
    assert_eq!(lower.outcome.state, CommandState::AcceptedNotEffective);
    let by = lower.outcome.held_by.unwrap();
    assert_eq!((by.priority.level(), by.author), (8, Some(anna())));
    assert_eq!(bench.device.writes(), numbers(&[Some(21.0)]));

    let released = bench.write(bench.command(8, None)).await;
    assert_eq!(released.outcome.state, CommandState::Applied);
    assert_eq!(released.outcome.read_back, Some(Value::Float(5.0)));
    assert_eq!(bench.device.writes(), numbers(&[Some(21.0), Some(5.0)]));

    assert_eq!(
        bench.device.levels(),
        [(Some(8), vec![]), (Some(10), vec![8])]
    );

    bench.device.answer(Answer::NoRelinquish);
    let last = bench.write(bench.command(10, None)).await;
    assert_eq!(bench.device.levels().last(), Some(&(None, vec![10])));
    assert_eq!(last.outcome.state, CommandState::Applied);
    assert!(
        last.outcome.detail.contains("left as it is"),
        "{}",
        last.outcome.detail
    );
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), vec![]);
}

#[tokio::test]
async fn a_lower_priority_is_answered_though_the_adapter_is_away() {
    let bench = Bench::new(Setup::default()).await;
    bench.write(bench.command(8, Some(21.0))).await;
    // The array is known from before; the adapter of the second bench never comes up.
    let device = Device::new("fake", two_points());
    device.plan([Run::Fail(ErrorClass::Retryable)]);
    let hour = Duration::from_secs(3600);
    let setup = Setup {
        config: RuntimeConfig {
            restart_first: hour,
            restart_cap: hour,
            ..RuntimeConfig::default()
        },
        ..Setup::default()
    };
    let bench = bench.restart(device, setup).await;
    let lower = bench.write(bench.command(10, Some(5.0))).await;
    assert_eq!(lower.outcome.state, CommandState::AcceptedNotEffective);
}

#[tokio::test]
async fn a_hold_that_ends_gives_way_to_the_next_level() {
    let bench = Bench::new(Setup::default()).await;
    bench.read(1, Some(Value::Float(0.0)), Quality::GOOD).await;
    bench.write(bench.command(12, Some(5.0))).await;
    let mut held = bench.command(8, Some(21.0));
    held.hold_until = Some(bench.clock.now().plus(Duration::from_secs(600)));
    bench.write(held).await;
    let mut feed = bench.runtime.command_feed();
    bench.clock.advance(Duration::from_secs(599));
    assert_eq!(bench.runtime.priority_array(&path("d/valve")).len(), 2);
    bench.clock.advance(Duration::from_secs(1));
    let fallback = own_outcome(&mut feed).await;
    assert_eq!(fallback.outcome.state, CommandState::Applied);
    assert_eq!(fallback.command.priority.level(), 12);
    let detail = &fallback.outcome.detail;
    assert!(
        detail.contains("level 8 of anna ended: its time is over"),
        "{detail}"
    );
    assert_eq!(
        bench.device.writes(),
        numbers(&[Some(5.0), Some(21.0), Some(5.0)])
    );
    // The lower one is held by the gateway alone while the higher one wins.
    let levels = [(Some(12), vec![]), (Some(8), vec![12]), (Some(12), vec![8])];
    assert_eq!(bench.device.levels(), levels);
    let stats = bench.runtime.stats();
    assert_eq!((stats.holds_ended, stats.writes_repeated), (1, 1));
}

#[tokio::test]
async fn a_hold_that_is_over_before_it_begins_is_refused() {
    let bench = Bench::new(Setup::default()).await;
    let mut command = bench.command(8, Some(21.0));
    command.hold_until = Some(bench.clock.now());
    let refused = bench.runtime.write(command).await.unwrap_err();
    assert_eq!(refused.kind, RefusedKind::NotAllowed);
}

#[tokio::test]
async fn a_read_back_that_differs_is_not_effective() {
    let bench = Bench::new(Setup::default()).await;
    bench.device.answer(Answer::Mismatch(Value::Float(19.0)));
    let record = bench.write(bench.command(8, Some(21.0))).await;
    assert_eq!(record.outcome.state, CommandState::AcceptedNotEffective);
    assert_eq!(record.outcome.read_back, Some(Value::Float(19.0)));
    assert_eq!(record.outcome.detail, "it reads back another value");
}

#[tokio::test]
async fn an_adapter_that_does_not_answer_makes_it_fail_in_words() {
    let bench = Bench::new(Setup::default()).await;
    bench.device.answer(Answer::Silence);
    let record = bench.write(bench.command(8, Some(21.0))).await;
    assert_eq!(record.outcome.state, CommandState::Failed);
    let detail = &record.outcome.detail;
    assert!(detail.contains("did not answer within"), "{detail}");
    // A person repeats it or not; nothing is held behind their back.
    assert_eq!(bench.runtime.priority_array(&path("d/valve")), vec![]);
    bench.device.answer(Answer::Refuse);
    let record = bench.write(bench.command(8, Some(21.0))).await;
    assert_eq!(record.outcome.state, CommandState::Refused);
    assert_eq!(record.outcome.detail, "the device said no");
}

#[tokio::test]
async fn a_point_never_has_two_writes_under_way_and_others_are_not_held_up() {
    let mut points = two_points();
    points.push(point("d/other", Access::ReadWrite));
    let bench = Bench::over(Device::new("fake", points), Setup::default()).await;
    bench.device.answer(Answer::Silence);
    let mut feed = bench.runtime.command_feed();
    let first = bench
        .runtime
        .write(bench.command(8, Some(1.0)))
        .await
        .unwrap();
    eventually("the first is sent", || bench.device.writes().len() == 1).await;
    bench.device.answer(Answer::Apply);
    let second = bench
        .runtime
        .write(bench.command(8, Some(2.0)))
        .await
        .unwrap();
    let mut other = bench.command(8, Some(3.0));
    other.path = path("d/other");
    let other = bench.write(other).await;
    assert_eq!(other.outcome.state, CommandState::Applied);
    assert_eq!(bench.device.writes(), numbers(&[Some(1.0), Some(3.0)]));
    let failed = outcome(&mut feed, first.command.id).await;
    assert_eq!(failed.outcome.state, CommandState::Failed);
    let applied = outcome(&mut feed, second.command.id).await;
    assert_eq!(applied.outcome.state, CommandState::Applied);
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_recorded_and_on_the_feed() {
    let bench = Bench::new(Setup::default()).await;
    let mut feed = bench.runtime.command_feed();
    let mut unknown = bench.command(8, Some(1.0));
    unknown.path = path("d/nothing");
    let mut read_only = bench.command(8, Some(1.0));
    read_only.path = path("d/temp");
    let mut release = bench.command(8, None);
    release.path = path("d/temp");
    let mut text = bench.command(8, None);
    text.value = Some(Value::text("open"));
    for (command, kind, words) in [
        (
            unknown,
            RefusedKind::UnknownPoint,
            "there is no point 'd/nothing'",
        ),
        (read_only, RefusedKind::NotAllowed, "read-only"),
        (release, RefusedKind::NotAllowed, "read-only"),
        (text, RefusedKind::NotAllowed, "takes a number"),
        (
            bench.command(8, Some(101.0)),
            RefusedKind::NotAllowed,
            "above the highest",
        ),
    ] {
        let id = command.id;
        let refused = bench.runtime.write(command).await.unwrap_err();
        assert_eq!(refused.kind, kind);
        let detail = &refused.record.outcome.detail;
        assert!(detail.contains(words), "{detail}");
        assert_eq!(outcome(&mut feed, id).await, *refused.record);
        bench.store.settle().await.unwrap();
        let stored = bench.store.command(id).await.unwrap().unwrap();
        assert_eq!(stored.outcome.state, CommandState::Refused);
    }
    assert_eq!(bench.device.writes(), vec![]);
}

#[tokio::test]
async fn too_many_waiting_commands_are_refused_as_busy() {
    let bench = without_adapter().await;
    let mut busy = 0;
    let mut accepted = 0;
    for n in 0..400 {
        let command = bench.command(8, Some(f64::from(n % 100)));
        match bench.runtime.write(command).await {
            Ok(_) => accepted += 1,
            Err(refused) => {
                assert_eq!(refused.kind, RefusedKind::Busy);
                busy += 1;
            }
        }
    }
    assert!((192..=256).contains(&accepted), "{accepted}");
    assert_eq!(accepted + busy, 400);
    assert_eq!(bench.runtime.stats().commands_refused, busy);
}

#[tokio::test]
async fn commands_that_waited_are_written_in_order_when_the_adapter_is_back() {
    let device = Device::new("fake", two_points());
    device.plan([Run::ServeThenFail]);
    let setup = Setup {
        config: RuntimeConfig {
            restart_first: Duration::from_millis(300),
            restart_cap: Duration::from_millis(300),
            ..RuntimeConfig::default()
        },
        ..Setup::default()
    };
    let bench = Bench::over(Arc::clone(&device), setup).await;
    device.up().await;
    device.fail_now();
    let view = || bench.runtime.adapters()[0].clone();
    eventually("it has failed", || view().last_error.is_some()).await;
    let mut feed = bench.runtime.command_feed();
    let mut last = None;
    for n in 1..=5 {
        let record = bench
            .runtime
            .write(bench.command(8, Some(f64::from(n))))
            .await;
        last = Some(record.unwrap().command.id);
    }
    let record = outcome(&mut feed, last.unwrap()).await;
    assert_eq!(record.outcome.state, CommandState::Applied);
    let expected: Vec<_> = (1..=5).map(|n| Some(f64::from(n))).collect();
    assert_eq!(device.writes(), numbers(&expected));
}

#[tokio::test]
async fn a_command_goes_its_way_though_whoever_asked_has_gone() {
    let bench = Bench::new(Setup::default()).await;
    let mut feed = bench.runtime.command_feed();
    let command = bench.command(8, Some(21.0));
    let id = command.id;
    // As when a browser is closed before the disk has answered.
    assert!(bench.runtime.write(command).now_or_never().is_none());
    let done = outcome(&mut feed, id).await;
    assert_eq!(done.outcome.state, CommandState::Applied);
    assert_eq!(bench.device.writes(), numbers(&[Some(21.0)]));
}
