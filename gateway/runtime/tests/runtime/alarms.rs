//! Alarms live: at once, beside the store, over restarts.

use crate::fake::Device;
use crate::support::{
    Bench, Setup, alarm_rule, anna, eventually, next_alarm, own_outcome, two_points, write_rule,
};
use riser_adapter::Clock as _;
use riser_model::{Acknowledgement, AlarmState, CommandState, Quality, Reason, Value};
use riser_rules::OnEnd;
use riser_store::AlarmFilter;
use std::time::{Duration, Instant};

fn open_only() -> AlarmFilter {
    AlarmFilter {
        open_only: true,
        path: None,
        limit: 10,
    }
}

/// Keeps every write of the store's state file waiting, as a dying disk would.
fn block(bench: &Bench) -> rusqlite::Connection {
    let file = bench.dir.path().join("state.db");
    let blocker = rusqlite::Connection::open(file).expect("the file opens");
    blocker
        .busy_timeout(Duration::from_secs(10))
        .expect("it is set");
    blocker
        .execute_batch("BEGIN IMMEDIATE")
        .expect("the file is taken");
    blocker
}

#[tokio::test]
async fn alarm_and_rule_act_within_one_scan_though_the_store_is_blocked() {
    let bench = Bench::new(Setup {
        rules: vec![alarm_rule(0), write_rule(OnEnd::Release)],
        ..Setup::default()
    })
    .await;
    bench.device.up().await;
    let blocker = block(&bench);
    let mut alarms = bench.runtime.alarm_feed();
    let mut commands = bench.runtime.command_feed();

    let began = Instant::now();
    bench.read_temp(90.0).await;
    let alarm = next_alarm(&mut alarms).await;
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(alarm.state, AlarmState::ActiveUnacknowledged);
    assert_eq!(alarm.value, Some(Value::Float(90.0)));
    assert_eq!(bench.runtime.alarms(), vec![alarm.clone()]);
    let written = own_outcome(&mut commands).await;
    assert_eq!(written.outcome.state, CommandState::Applied);
    assert_eq!(bench.device.writes(), vec![Some(Value::Float(100.0))]);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );

    // A person can still write: the command is begun though it could not be recorded in time.
    let by_hand = bench.write(bench.command(8, Some(50.0))).await;
    assert_eq!(by_hand.outcome.state, CommandState::Applied);
    let repeated = bench.runtime.write(by_hand.command.clone()).await.unwrap();
    assert_eq!(repeated, by_hand);
    assert_eq!(bench.device.writes().len(), 2);
    assert_eq!(bench.store.alarms(open_only()).await.unwrap(), vec![]);

    // When the disk comes back everything is there.
    drop(blocker);
    let store = bench.store.clone();
    eventually("the alarm is on disk", || {
        store.stats().committed_events >= 8
    })
    .await;
    assert_eq!(bench.store.alarms(open_only()).await.unwrap(), vec![alarm]);
    // Every event counts, those of the audit log too: the outcome may be the last of them.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let recorded = store.command(by_hand.command.id).await.unwrap().unwrap();
        if recorded.outcome == by_hand.outcome {
            break;
        }
        assert!(Instant::now() < deadline, "{:?}", recorded.outcome);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.runtime.stats().events_lost, 0);
}

#[tokio::test]
async fn acknowledging_is_told_recorded_and_ends_a_cleared_alarm() {
    let bench = Bench::new(Setup {
        rules: vec![alarm_rule(0)],
        ..Setup::default()
    })
    .await;
    let mut feed = bench.runtime.alarm_feed();
    bench.read_temp(90.0).await;
    let raised = next_alarm(&mut feed).await;
    bench.read_temp(70.0).await;
    let cleared = next_alarm(&mut feed).await;
    assert_eq!(cleared.state, AlarmState::ClearedUnacknowledged);
    let by = Acknowledgement {
        by: anna(),
        at: bench.clock.now(),
        comment: "seen".into(),
    };
    let over = bench.runtime.acknowledge(raised.id, by.clone()).unwrap();
    assert_eq!(over.state, AlarmState::Normal);
    assert_eq!(next_alarm(&mut feed).await, over);
    assert_eq!(bench.runtime.alarms(), vec![]);
    assert!(bench.runtime.acknowledge(raised.id, by).is_err());
    bench.store.settle().await.unwrap();
    assert_eq!(bench.runtime.alarm_history(10).await.unwrap(), vec![over]);
}

#[tokio::test]
async fn an_on_delay_ends_without_another_reading() {
    let bench = Bench::new(Setup {
        rules: vec![alarm_rule(5_000)],
        ..Setup::default()
    })
    .await;
    bench.device.up().await;
    tokio::time::pause();
    let mut feed = bench.runtime.alarm_feed();
    bench.read_temp(90.0).await;
    let began = tokio::time::Instant::now();
    next_alarm(&mut feed).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(5), "{took:?}");
    assert!(took <= Duration::from_millis(5_500), "{took:?}");
}

#[tokio::test]
async fn a_point_that_goes_stale_stops_the_delay() {
    let bench = Bench::new(Setup {
        rules: vec![alarm_rule(30_000)],
        ..Setup::default()
    })
    .await;
    bench.device.up().await;
    tokio::time::pause();
    let mut feed = bench.runtime.alarm_feed();
    bench.read_temp(90.0).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(feed.is_empty());
    // Ten seconds had passed when it went stale; twenty are left.
    for _ in 0..3 {
        bench.read_temp(90.0).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert!(feed.is_empty());
    bench.read_temp(90.0).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        next_alarm(&mut feed).await.state,
        AlarmState::ActiveUnacknowledged
    );
}

#[tokio::test]
async fn an_open_alarm_survives_a_restart_and_clears_afterwards() {
    let setup = || Setup {
        rules: vec![alarm_rule(0)],
        ..Setup::default()
    };
    let bench = Bench::new(setup()).await;
    let mut feed = bench.runtime.alarm_feed();
    bench.read_temp(90.0).await;
    let raised = next_alarm(&mut feed).await;
    let bench = bench
        .restart(Device::new("fake", two_points()), setup())
        .await;
    assert_eq!(bench.runtime.alarms(), vec![raised.clone()]);
    let mut feed = bench.runtime.alarm_feed();
    bench.read(0, None, Quality::bad(Reason::DeviceDown)).await;
    bench.read_temp(70.0).await;
    let cleared = next_alarm(&mut feed).await;
    assert_eq!(cleared.id, raised.id);
    assert_eq!(cleared.state, AlarmState::ClearedUnacknowledged);
}

#[tokio::test]
async fn an_open_alarm_whose_rule_is_gone_is_cleared_at_start() {
    let bench = Bench::new(Setup {
        rules: vec![alarm_rule(0)],
        ..Setup::default()
    })
    .await;
    let mut feed = bench.runtime.alarm_feed();
    bench.read_temp(90.0).await;
    let raised = next_alarm(&mut feed).await;
    let device = Device::new("fake", two_points());
    let bench = bench.restart(device, Setup::default()).await;
    let open = bench.runtime.alarms();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].id, raised.id);
    assert_eq!(open[0].state, AlarmState::ClearedUnacknowledged);
    bench.store.settle().await.unwrap();
    assert_eq!(bench.store.alarms(open_only()).await.unwrap(), open);
}
