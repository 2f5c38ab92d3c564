//! A bench: a store in a folder of its own, a clock the test sets, and a runtime over fake devices.

use crate::fake::Device;
use riser_adapter::Clock;
use riser_model::{
    Access, Alarm, AlarmPriority, Author, AuthorKind, ClockState, Command, CommandId,
    CommandRecord, Limits, Point, PointPath, Priority, Quality, Reading, ScanBatch, Timestamp,
    Value, ValueKind,
};
use riser_rules::{Action, AlarmAction, Comparison, Condition, OnEnd, Rule, WriteAction};
use riser_runtime::{Runtime, RuntimeConfig};
use riser_store::{Store, StoreConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::broadcast;
use uuid::Uuid;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;

/// Longest a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock the test sets.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("the test goes on");
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn state(&self) -> ClockState {
        ClockState::Synchronised
    }
}

/// A number of device `d` that goes stale after ten seconds.
pub(crate) fn point(path: &str, access: Access) -> Point {
    Point {
        path: path.parse().expect("a valid path"),
        name: format!("Name of {path}"),
        device_name: "Fake".into(),
        kind: ValueKind::Float,
        unit: None,
        access,
        limits: Limits {
            min: Some(0.0),
            max: Some(100.0),
            step: None,
        },
        labels: vec![],
        deadband: None,
        stale_after_ms: 10_000,
    }
}

/// `d/temp` to read and `d/valve` to write.
pub(crate) fn two_points() -> Vec<Point> {
    vec![
        point("d/temp", Access::Read),
        point("d/valve", Access::ReadWrite),
    ]
}

pub(crate) fn path(text: &str) -> PointPath {
    text.parse().expect("a valid path")
}

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) device: Arc<Device>,
}

/// What a bench is made of, where it differs from the usual.
pub(crate) struct Setup {
    pub(crate) config: RuntimeConfig,
    pub(crate) rules: Vec<Rule>,
    pub(crate) queue_samples: usize,
    pub(crate) others: Vec<Arc<Device>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: RuntimeConfig {
                reply_timeout: Duration::from_millis(300),
                ..RuntimeConfig::default()
            },
            rules: vec![],
            queue_samples: 500_000,
            others: vec![],
        }
    }
}

pub(crate) fn open_store(dir: &TempDir, clock: &Arc<TestClock>, queue_samples: usize) -> Store {
    let mut config = StoreConfig::new(dir.path());
    config.queue_samples = queue_samples;
    let clock = Arc::clone(clock);
    let (store, _) = Store::open(config, Arc::new(move || clock.now())).expect("a store");
    store
}

impl Bench {
    pub(crate) async fn new(setup: Setup) -> Self {
        let device = Device::new("fake", two_points());
        Self::over(device, setup).await
    }

    pub(crate) async fn over(device: Arc<Device>, setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        Self::on(dir, clock, device, setup).await
    }

    pub(crate) async fn on(
        dir: TempDir,
        clock: Arc<TestClock>,
        device: Arc<Device>,
        setup: Setup,
    ) -> Self {
        let store = open_store(&dir, &clock, setup.queue_samples);
        let mut adapters = vec![device.spec()];
        adapters.extend(setup.others.iter().map(|d| d.spec()));
        let injected = Arc::clone(&clock);
        let started = Runtime::start(setup.config, store.clone(), adapters, setup.rules, injected);
        let runtime = started.await.expect("the runtime starts");
        Self {
            dir,
            clock,
            store,
            runtime,
            device,
        }
    }

    /// Shuts down cleanly and starts again in the same folder, with new adapters.
    pub(crate) async fn restart(self, device: Arc<Device>, setup: Setup) -> Self {
        let report = self.runtime.shutdown(Duration::from_secs(5)).await;
        assert_eq!(report.late, Vec::<String>::new());
        self.reopen(device, setup).await
    }

    /// Starts again in the same folder once the store is closed.
    pub(crate) async fn reopen(self, device: Arc<Device>, setup: Setup) -> Self {
        let closed = self.store.close(Duration::from_secs(10)).await;
        closed.expect("the store closes");
        drop((self.runtime, self.store));
        Self::on(self.dir, self.clock, device, setup).await
    }

    /// Sends one reading of `d/temp`.
    pub(crate) async fn read_temp(&self, value: f64) {
        self.read(0, Some(Value::Float(value)), Quality::GOOD).await;
    }

    /// Sends one reading of the n-th point.
    pub(crate) async fn read(&self, index: usize, value: Option<Value>, quality: Quality) {
        let (sink, slots) = self.device.up().await;
        let reading = Reading {
            slot: slots[index],
            value,
            quality,
        };
        let scan = ScanBatch {
            at: self.clock.now(),
            readings: vec![reading],
        };
        assert!(sink.send(scan).await);
    }

    /// A command of Anna's for `d/valve` that may wait a minute.
    pub(crate) fn command(&self, level: u8, value: Option<f64>) -> Command {
        let now = self.clock.now();
        Command {
            id: CommandId(Uuid::new_v4()),
            path: path("d/valve"),
            value: value.map(Value::Float),
            priority: Priority::new(level).expect("a level"),
            issued_at: now,
            expires_at: now.plus(Duration::from_secs(60)),
            hold_until: None,
            author: anna(),
        }
    }

    /// Writes and waits for the outcome.
    pub(crate) async fn write(&self, command: Command) -> CommandRecord {
        let mut feed = self.runtime.command_feed();
        let id = command.id;
        let accepted = self.runtime.write(command).await.expect("accepted");
        if accepted.outcome.state.is_final() {
            return accepted;
        }
        outcome(&mut feed, id).await
    }
}

pub(crate) fn anna() -> Author {
    Author {
        kind: AuthorKind::Local,
        name: "anna".into(),
    }
}

/// The final record of a command, off the feed.
pub(crate) async fn outcome(
    feed: &mut broadcast::Receiver<CommandRecord>,
    id: CommandId,
) -> CommandRecord {
    within(async {
        loop {
            let record = feed.recv().await.expect("the feed goes on");
            if record.command.id == id && record.outcome.state.is_final() {
                return record;
            }
        }
    })
    .await
}

/// The next final record of a command of the gateway itself, off the feed.
pub(crate) async fn own_outcome(feed: &mut broadcast::Receiver<CommandRecord>) -> CommandRecord {
    within(async {
        loop {
            let record = feed.recv().await.expect("the feed goes on");
            if record.outcome.state.is_final() {
                return record;
            }
        }
    })
    .await
}

pub(crate) async fn next_alarm(feed: &mut broadcast::Receiver<Alarm>) -> Alarm {
    within(async { feed.recv().await.expect("the feed goes on") }).await
}

/// Waits for something that must happen. Real time, so that paused time does not cut it short.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let began = Instant::now();
    loop {
        match tokio::time::timeout(Duration::from_millis(100), &mut future).await {
            Ok(value) => return value,
            Err(_) => assert!(began.elapsed() < PATIENCE, "it never happened"),
        }
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn above(limit: f64, on_delay_ms: u64) -> Condition {
    Condition {
        test: Comparison::Above,
        limit: Value::Float(limit),
        hysteresis: 0.0,
        on_delay_ms,
        off_delay_ms: 0,
    }
}

/// Raises an alarm while `d/temp` is above 80.
pub(crate) fn alarm_rule(on_delay_ms: u64) -> Rule {
    Rule {
        key: "hot".parse().expect("a key"),
        enabled: true,
        point: path("d/temp"),
        condition: above(80.0, on_delay_ms),
        action: Action::RaiseAlarm(AlarmAction {
            priority: AlarmPriority::High,
            message: "too hot".into(),
            flap_raises: 3,
            flap_window_ms: 900_000,
        }),
    }
}

/// Writes 100 to `d/valve` while `d/temp` is above 80.
pub(crate) fn write_rule(on_end: OnEnd) -> Rule {
    Rule {
        key: "cool".parse().expect("a key"),
        enabled: true,
        point: path("d/temp"),
        condition: above(80.0, 0),
        action: Action::Write(WriteAction {
            point: path("d/valve"),
            value: Value::Float(100.0),
            on_end,
            priority: Priority::new(10).expect("a level"),
        }),
    }
}
