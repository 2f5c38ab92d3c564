//! A wall clock that is set while things run on it: holds and waiting commands keep the time they
//! have left, alarms from a time that was not known are put right, and one entry tells of it.
#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

use crate::fake::Device;
use crate::support::{alarm_rule, anna, eventually, path, two_points, within};
use riser_adapter::{Clock, ClockStep};
use riser_model::{
    Author, AuthorKind, ClockState, Command, CommandId, CommandState, Priority, Quality, Reading,
    Role, ScanBatch, Timestamp, Value, audit::action,
};
use riser_rules::{Day, Schedule, Switch};
use riser_runtime::{Change, Runtime, RuntimeConfig};
use riser_store::{AuditFilter, NewUser, Session, Store, StoreConfig, Trace};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// 2026-11-21T12:00:00Z
const NOON: i64 = 1_795_262_400_000;
const HOUR: i64 = 3_600_000;

/// A clock that is moved and set by hand.
struct Hands(Mutex<State>);

#[derive(Clone, Copy)]
struct State {
    wall: i64,
    steady: i64,
    assumed: Option<i64>,
    step: Option<ClockStep>,
}

impl Hands {
    fn at(wall: i64, assumed: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            wall,
            steady: wall,
            assumed: assumed.then_some(wall),
            step: None,
        })))
    }

    fn state(&self) -> State {
        *self.0.lock().unwrap()
    }

    /// Time passes.
    fn forward(&self, ms: i64) {
        let mut state = self.0.lock().unwrap();
        state.wall += ms;
        state.steady += ms;
    }

    /// The wall clock is set; seen at the next look.
    fn set(&self, to: i64) {
        let mut state = self.0.lock().unwrap();
        state.step = Some(ClockStep {
            from: Timestamp(state.wall),
            to: Timestamp(to),
            assumed_since: state.assumed.map(Timestamp),
            state: ClockState::Synchronised,
        });
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.state().wall)
    }
    fn steady(&self) -> Timestamp {
        Timestamp(self.state().steady)
    }
    fn is_assumed(&self) -> bool {
        self.state().assumed.is_some()
    }
    fn look(&self) -> Option<ClockStep> {
        let mut state = self.0.lock().unwrap();
        assert!(state.wall > 0, "a defect on purpose");
        let step = state.step.take()?;
        state.wall += step.by_ms();
        state.assumed = None;
        Some(step)
    }
}

struct Site {
    _dir: TempDir,
    clock: Arc<Hands>,
    store: Store,
    runtime: Runtime,
    device: Arc<Device>,
}

async fn site(clock: Arc<Hands>) -> Site {
    scheduled(clock, Vec::new()).await
}

async fn scheduled(clock: Arc<Hands>, schedules: Vec<Schedule>) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let mut config = StoreConfig::new(dir.path());
    config.hold_back = clock.is_assumed().then(|| "boot/1".to_owned());
    let now = Arc::clone(&clock);
    let (store, _) = Store::open(config, Arc::new(move || now.now())).unwrap();
    let device = Device::new("fake", two_points());
    let runtime = Runtime::start(
        RuntimeConfig {
            schedules: schedules.into(),
            ..RuntimeConfig::default()
        },
        store.clone(),
        vec![device.spec()],
        vec![alarm_rule(0)],
        clock.clone(),
    );
    let runtime = runtime.await.unwrap();
    Site {
        _dir: dir,
        clock,
        store,
        runtime,
        device,
    }
}

impl Site {
    fn command(&self, author: Author, hold: i64) -> Command {
        let now = self.clock.now();
        Command {
            id: CommandId(Uuid::new_v4()),
            path: path("d/valve"),
            value: Some(Value::Float(21.0)),
            priority: Priority::MANUAL_OPERATOR,
            issued_at: now,
            expires_at: Timestamp(now.0 + 60_000),
            hold_until: Some(Timestamp(now.0 + hold)),
            author,
        }
    }

    async fn write(&self, command: Command) -> CommandState {
        let id = command.id;
        let mut feed = self.runtime.command_feed();
        let first = self.runtime.write(command).await.unwrap();
        if first.outcome.state.is_final() {
            return first.outcome.state;
        }
        crate::support::outcome(&mut feed, id).await.outcome.state
    }

    /// When the hold of `d/valve` ends, as people see it.
    fn until(&self) -> Option<Timestamp> {
        self.runtime.priority_array(&path("d/valve")).first()?.until
    }

    async fn steps_told(&self) -> usize {
        let entries = self
            .store
            .audit(AuditFilter {
                limit: 100,
                ..AuditFilter::default()
            })
            .await
            .unwrap();
        entries
            .iter()
            .filter(|e| e.action == action::CLOCK_SET)
            .count()
    }

    /// Waits until the clock was looked at.
    async fn seen(&self) {
        eventually("the step is seen", || self.clock.state().step.is_none()).await;
    }
}

#[tokio::test]
async fn a_step_of_three_hours_neither_ends_nor_prolongs_a_hold() {
    for by in [3 * HOUR, -3 * HOUR] {
        let site = site(Hands::at(NOON, false)).await;
        site.device.up().await;
        let held = site.write(site.command(anna(), HOUR)).await;
        assert_eq!(held, CommandState::Applied);
        site.clock.forward(HOUR / 2);
        site.clock.set(site.clock.now().0 + by);
        site.seen().await;
        let end = Timestamp(NOON + HOUR + by);
        eventually("the end is shown by the new time", || {
            site.until() == Some(end)
        })
        .await;
        // Shortly before its end it holds, shortly after it does not.
        site.clock.forward(HOUR / 2 - 1_000);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!(site.until(), Some(end), "step of {by}");
        site.clock.forward(2_000);
        eventually("its time is over", || site.until().is_none()).await;
        assert_eq!(site.steps_told().await, 1, "one entry");
    }
}

#[tokio::test]
async fn a_step_is_noted_for_the_sessions_that_are_kept() {
    let site = site(Hands::at(NOON, false)).await;
    let user = NewUser {
        name: "anna".to_owned(),
        role: Role::Operator,
        password_hash: "$none".to_owned(),
    };
    let by = Trace::new("test", "console");
    site.store.add_user(user, by).await.unwrap();
    let session = Session {
        token_hash: [7; 32],
        user: "anna".to_owned(),
        created_at: Timestamp(NOON),
        expires_at: Timestamp(NOON + HOUR),
    };
    site.store.login(session, "192.0.2.7").await.unwrap();
    site.clock.set(NOON + 3 * HOUR);
    let noted = async {
        while site
            .store
            .value("sessions_behind_ms")
            .await
            .unwrap()
            .is_none()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(noted).await;
    let ends = || async {
        let found = site.store.session([7; 32], Timestamp(0)).await.unwrap();
        found.map(|(session, _)| session.expires_at)
    };
    assert_eq!(ends().await, Some(Timestamp(NOON + HOUR)));
    site.store.move_sessions().await.unwrap();
    assert_eq!(ends().await, Some(Timestamp(NOON + 4 * HOUR)));
}

#[tokio::test]
async fn a_waiting_command_keeps_the_time_it_has_left() {
    for by in [3 * HOUR, -3 * HOUR] {
        let site = site(Hands::at(NOON, false)).await;
        site.device.up().await;
        // Two writes of a point that does not answer: the second waits.
        site.device.answer(crate::fake::Answer::Silence);
        let (first, second) = (site.command(anna(), HOUR), site.command(anna(), HOUR));
        let id = second.id;
        site.runtime.write(first).await.unwrap();
        let mut feed = site.runtime.command_feed();
        site.runtime.write(second).await.unwrap();
        site.clock.set(NOON + by);
        site.seen().await;
        // Not over by the step, however far the wall clock went.
        site.clock.forward(30_000);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let record = site.runtime.command(id).await.unwrap().unwrap();
        assert_eq!(
            record.outcome.state,
            CommandState::Requested,
            "step of {by}"
        );
        // Over when its minute is over, however far back the wall clock is.
        site.clock.forward(31_000);
        let over = within(crate::support::outcome(&mut feed, id)).await;
        assert_eq!(over.outcome.state, CommandState::Expired, "step of {by}");
    }
}

#[tokio::test]
async fn a_time_that_becomes_known_puts_right_what_was_told_and_what_is_shown() {
    let truth = NOON + 3 * 24 * HOUR;
    let site = site(Hands::at(NOON, true)).await;
    let (sink, slots) = site.device.up().await;
    let reading = |value| Reading {
        slot: slots[0],
        value: Some(Value::Float(value)),
        quality: Quality::GOOD,
    };
    let scan = |at, value| ScanBatch {
        at: Timestamp(at),
        readings: vec![reading(value)],
    };
    assert!(sink.send(scan(NOON + 500, 90.0)).await);
    eventually("the alarm is raised", || !site.runtime.alarms().is_empty()).await;
    // A command of the cloud, which knows the time: days ahead, and good for a minute all the same.
    let mut command = site.command(
        Author {
            kind: AuthorKind::Cloud,
            name: "olga".into(),
        },
        HOUR,
    );
    command.issued_at = Timestamp(truth);
    command.expires_at = Timestamp(truth + 60_000);
    command.hold_until = Some(Timestamp(truth + HOUR));
    assert_eq!(site.write(command).await, CommandState::Applied);
    assert_eq!(
        site.until(),
        Some(Timestamp(NOON + HOUR)),
        "an hour from now"
    );

    site.clock.forward(1_000);
    site.clock.set(truth + 1_000);
    site.seen().await;
    let right = Timestamp(truth + 500);
    eventually("the alarm is put right", || {
        site.runtime.alarms()[0].raised_at == right
    })
    .await;
    eventually("the value is put right", || {
        site.runtime.point(&path("d/temp")).unwrap().at == Some(right)
    })
    .await;
    eventually("the hold is put right", || {
        site.until() == Some(Timestamp(truth + HOUR))
    })
    .await;
    eventually("nothing is held back", || {
        !site.store.is_holding() && site.store.stats().held_samples == 0
    })
    .await;
    site.store.settle().await.unwrap();
    let kept = site
        .store
        .samples(slots[0], Timestamp(0), Timestamp(truth + HOUR), 9);
    let kept: Vec<Timestamp> = kept.await.unwrap().iter().map(|s| s.at).collect();
    assert_eq!(kept, [right]);
    assert_eq!(site.steps_told().await, 1);
}

/// 20 from 11:00, 80 from 13:00, given back at 17:00, in a zone an hour ahead.
fn day() -> Schedule {
    let switch = |at: &str, value: Option<f64>| Switch {
        days: vec![
            Day::Mon,
            Day::Tue,
            Day::Wed,
            Day::Thu,
            Day::Fri,
            Day::Sat,
            Day::Sun,
        ],
        at: at.to_owned(),
        value: value.map(Value::Float),
    };
    Schedule {
        key: "day".parse().unwrap(),
        enabled: true,
        point: path("d/valve"),
        zone: "Europe/Berlin".into(),
        priority: Priority::new(14).unwrap(),
        switch: vec![
            switch("11:00", Some(20.0)),
            switch("13:00", Some(80.0)),
            switch("17:00", None),
        ],
    }
}

#[tokio::test]
async fn a_schedule_writes_once_a_switch_however_the_clock_is_set() {
    // 12:30 UTC is 13:30 in Berlin.
    let site = scheduled(Hands::at(NOON + HOUR / 2, false), vec![day()]).await;
    site.device.up().await;
    let writes = |n: usize| {
        let device = Arc::clone(&site.device);
        async move {
            eventually("it is written", || device.writes().len() >= n).await;
            // Several more looks change nothing.
            tokio::time::sleep(Duration::from_millis(800)).await;
            let writes = device.writes();
            assert_eq!(writes.len(), n, "{writes:?}");
            writes.last().cloned().flatten()
        }
    };
    assert_eq!(writes(1).await, Some(Value::Float(80.0)));
    // Back by three hours: 10:30, so what was given back at 17:00 yesterday holds.
    site.clock.set(site.clock.now().0 - 3 * HOUR);
    assert_eq!(writes(2).await, None);
    // On to 11:00 by itself.
    site.clock.forward(HOUR / 2);
    assert_eq!(writes(3).await, Some(Value::Float(20.0)));
    // Forth by three hours, over 13:00.
    site.clock.set(site.clock.now().0 + 3 * HOUR);
    assert_eq!(writes(4).await, Some(Value::Float(80.0)));
    // A step inside one switch is no transition.
    site.clock.set(site.clock.now().0 + HOUR);
    assert_eq!(writes(4).await, Some(Value::Float(80.0)));
    let level = &site.runtime.priority_array(&path("d/valve"))[0];
    assert_eq!(
        (level.level.level(), level.author.name.as_str()),
        (14, "day")
    );
}

#[tokio::test]
async fn a_schedule_switches_nothing_while_the_time_is_not_known() {
    let site = scheduled(Hands::at(NOON, true), vec![day()]).await;
    site.device.up().await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(site.device.writes(), vec![]);
    assert!(site.runtime.schedules().waiting, "and says so");
    site.clock.set(NOON + 24 * HOUR + HOUR / 2);
    eventually("it is written", || {
        site.device.writes() == [Some(Value::Float(80.0))]
    })
    .await;
    assert!(!site.runtime.schedules().waiting);
}

#[tokio::test]
async fn schedules_are_exchanged_while_the_adapter_runs_on() {
    // 13:30 in Berlin.
    let site = scheduled(Hands::at(NOON + HOUR / 2, false), vec![day()]).await;
    site.device.up().await;
    let wrote = |wanted: Vec<Option<f64>>| {
        let device = Arc::clone(&site.device);
        let wanted: Vec<_> = wanted.into_iter().map(|v| v.map(Value::Float)).collect();
        let what = format!("{wanted:?} is written");
        async move { eventually(&what, || device.writes() == wanted).await }
    };
    let exchange = |schedules: Vec<Schedule>| {
        let change = Change {
            schedules: Some(schedules),
            ..Change::default()
        };
        let runtime = site.runtime.clone();
        async move { within(runtime.change(change)).await.unwrap() }
    };
    wrote(vec![Some(80.0)]).await;
    assert_eq!(site.runtime.schedules().enabled, 1);
    // The same again, beside one that has nothing to say now: nothing is written a second time.
    let mut other = day();
    other.key = "other".parse().unwrap();
    other.priority = Priority::new(15).unwrap();
    other.switch.retain(|switch| switch.value.is_none());
    exchange(vec![day(), other]).await;
    eventually("both are carried out", || {
        site.runtime.schedules().enabled == 2
    })
    .await;
    // Another value for the switch in force.
    let mut warmer = day();
    warmer.switch[1].value = Some(Value::Float(60.0));
    exchange(vec![warmer]).await;
    wrote(vec![Some(80.0), Some(60.0)]).await;
    // Without it its level is given back.
    exchange(Vec::new()).await;
    eventually("the level is given back", || {
        site.runtime.priority_array(&path("d/valve")).is_empty()
    })
    .await;
    let adapters = site.runtime.adapters();
    assert_eq!((site.device.runs(), adapters[0].restarts), (1, 0));
}

#[tokio::test]
async fn a_part_that_has_ended_by_a_defect_is_named() {
    let site = site(Hands::at(NOON, false)).await;
    site.device.up().await;
    assert_eq!(site.runtime.broken(), None);
    assert!(site.store.is_writing());
    // The clock fails its reader: the intake, which looks at it.
    site.clock.forward(-2 * NOON);
    let broken = || site.runtime.broken().as_deref() == Some("intake");
    eventually("the intake is missed", broken).await;
    assert!(site.store.is_writing(), "the store goes on");
    site.runtime.shutdown(Duration::from_secs(5)).await;
    assert_eq!(site.runtime.broken(), None, "ended in order");
    site.store.close(Duration::from_secs(5)).await.unwrap();
    assert!(!site.store.is_writing());
}

#[tokio::test]
async fn a_store_whose_writing_has_ended_by_a_defect_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Hands::at(NOON, false);
    let now = Arc::clone(&clock);
    let ask = Arc::new(move || {
        let at = now.now();
        assert!(at.0 > 0, "a defect on purpose");
        at
    });
    let (store, _) = Store::open(StoreConfig::new(dir.path()), ask).unwrap();
    assert!(store.is_writing());
    clock.forward(-2 * NOON);
    drop(store.settle());
    let _ = tokio::time::timeout(Duration::from_secs(5), store.settle()).await;
    eventually("it has ended", || !store.is_writing()).await;
}
