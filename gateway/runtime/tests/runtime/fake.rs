//! A fake field device and the adapter that serves it. What each run of the adapter does, and what
//! the device makes of writes, is up to the test.

use futures_util::future::BoxFuture;
use riser_adapter::{
    Adapter, AdapterCommand, AdapterContext, AdapterError, Building, Built, ErrorClass, Memory,
    Past, PointRegistry, SampleSink, WriteResult,
};
use riser_model::{DeviceHealth, DeviceState, Point, Slot, Value};
use riser_runtime::AdapterSpec;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{oneshot, watch};

/// What one run of the adapter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// Serves until told to end.
    Serve,
    /// Serves and does not hear that it should end.
    Deaf,
    Panic,
    Return,
    Fail(ErrorClass),
    /// Serves until the test says [`Device::fail_now`].
    ServeThenFail,
}

/// What the device makes of writes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Apply,
    Mismatch(Value),
    Refuse,
    Fail,
    /// Never answers.
    Silence,
    /// No relinquish, everything else applies: like Modbus.
    NoRelinquish,
}

/// What the adapter was given to keep things.
type Kept = (Arc<dyn Past>, Arc<dyn Memory>);

/// A fake device.
pub(crate) struct Device {
    pub(crate) name: &'static str,
    points: Vec<Arc<Point>>,
    plans: Mutex<VecDeque<Run>>,
    answer: Mutex<Answer>,
    pub(crate) runs: AtomicU32,
    writes: Mutex<Vec<Option<Value>>>,
    levels: Mutex<Vec<(Option<u8>, Vec<u8>)>>,
    kept: Mutex<Vec<oneshot::Sender<WriteResult>>>,
    up: watch::Sender<Option<(SampleSink, Vec<Slot>)>>,
    registry: Mutex<Option<Arc<dyn PointRegistry>>>,
    past: Mutex<Option<Kept>>,
    building: Mutex<Option<Building>>,
    fail: tokio::sync::Notify,
}

impl Device {
    pub(crate) fn new(name: &'static str, points: Vec<Point>) -> Arc<Self> {
        Arc::new(Self {
            name,
            points: points.into_iter().map(Arc::new).collect(),
            plans: Mutex::default(),
            answer: Mutex::new(Answer::Apply),
            runs: AtomicU32::new(0),
            writes: Mutex::default(),
            levels: Mutex::default(),
            kept: Mutex::default(),
            up: watch::Sender::new(None),
            registry: Mutex::default(),
            past: Mutex::default(),
            building: Mutex::default(),
            fail: tokio::sync::Notify::new(),
        })
    }

    /// What the next runs do; afterwards it serves.
    pub(crate) fn plan(&self, runs: impl IntoIterator<Item = Run>) {
        self.plans.lock().expect("no test panicked").extend(runs);
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().expect("no test panicked") = answer;
    }

    /// Ends a run that was planned as [`Run::ServeThenFail`].
    pub(crate) fn fail_now(&self) {
        self.fail.notify_one();
    }

    /// The values written to the device so far; `None` relinquishes.
    pub(crate) fn writes(&self) -> Vec<Option<Value>> {
        self.writes.lock().expect("no test panicked").clone()
    }

    /// Of each write, the level of its value and the levels that are to go.
    pub(crate) fn levels(&self) -> Vec<(Option<u8>, Vec<u8>)> {
        self.levels.lock().expect("no test panicked").clone()
    }

    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }

    /// The way for readings and the slots of the points, once the adapter is up.
    pub(crate) async fn up(&self) -> (SampleSink, Vec<Slot>) {
        let mut up = self.up.subscribe();
        let up = up
            .wait_for(Option::is_some)
            .await
            .expect("the test goes on");
        up.clone().expect("the test goes on")
    }

    /// What the adapter declares its points with, once it is up.
    pub(crate) async fn registry(&self) -> Arc<dyn PointRegistry> {
        self.up().await;
        let registry = self.registry.lock().expect("no test panicked");
        Arc::clone(registry.as_ref().expect("the test goes on"))
    }

    /// What the adapter fills history in with, and where it makes notes, once it is up.
    pub(crate) async fn past(&self) -> (Arc<dyn Past>, Arc<dyn Memory>) {
        self.up().await;
        let past = self.past.lock().expect("no test panicked");
        past.clone().expect("the test goes on")
    }

    /// The points of the gateway as the adapter may show them, once it is up.
    pub(crate) async fn building(&self) -> Building {
        self.up().await;
        let building = self.building.lock().expect("no test panicked");
        building.clone().expect("the test goes on")
    }

    pub(crate) fn spec(self: &Arc<Self>) -> AdapterSpec {
        let device = Arc::clone(self);
        AdapterSpec::new(self.name, move || {
            let adapter = Box::new(FakeAdapter(Arc::clone(&device)));
            Ok(Built::new(adapter, device.points.clone()))
        })
    }

    fn take(&self, command: AdapterCommand) {
        self.writes
            .lock()
            .expect("no test panicked")
            .push(command.value.clone());
        let released = command.released.iter().map(|l| l.level()).collect();
        self.levels
            .lock()
            .expect("no test panicked")
            .push((command.winner.map(riser_model::Priority::level), released));
        let result = match (
            &*self.answer.lock().expect("no test panicked"),
            &command.value,
        ) {
            (Answer::NoRelinquish, None) | (Answer::Refuse, _) => {
                WriteResult::Refused("the device said no".into())
            }
            (Answer::Apply | Answer::NoRelinquish, value) => WriteResult::Applied(value.clone()),
            (Answer::Mismatch(value), _) => WriteResult::NotEffective {
                read_back: Some(value.clone()),
                detail: "it reads back another value".into(),
            },
            (Answer::Fail, _) => WriteResult::Failed("no answer within 1 s".into()),
            (Answer::Silence, _) => {
                self.kept
                    .lock()
                    .expect("no test panicked")
                    .push(command.reply);
                return;
            }
        };
        command.reply.send(result).expect("the test goes on");
    }
}

struct FakeAdapter(Arc<Device>);

impl Adapter for FakeAdapter {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn run(
        self: Box<Self>,
        context: AdapterContext,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(serve(self.0, context))
    }
}

async fn serve(device: Arc<Device>, mut context: AdapterContext) -> Result<(), AdapterError> {
    device.runs.fetch_add(1, Ordering::SeqCst);
    let plan = device.plans.lock().expect("no test panicked").pop_front();
    let plan = plan.unwrap_or(Run::Serve);
    let failure =
        |class| AdapterError::new(class, "reach", device.name).advise("look at the cable");
    match plan {
        Run::Panic => break_down(),
        Run::Return => return Ok(()),
        Run::Fail(class) => return Err(failure(class)),
        Run::Serve | Run::Deaf | Run::ServeThenFail => {}
    }
    let declared = context
        .registry
        .declare(&context.name, device.points.clone());
    let slots = declared.await.expect("the points can be declared");
    if let Some(point) = device.points.first() {
        context.health.device(health(point));
    }
    *device.registry.lock().expect("no test panicked") = Some(Arc::clone(&context.registry));
    let past = (Arc::clone(&context.past), Arc::clone(&context.memory));
    *device.past.lock().expect("no test panicked") = Some(past);
    *device.building.lock().expect("no test panicked") = Some(context.building.clone());
    device
        .up
        .send_replace(Some((context.samples.clone(), slots)));
    loop {
        tokio::select! {
            () = context.cancel.cancelled(), if plan != Run::Deaf => return Ok(()),
            () = device.fail.notified(), if plan == Run::ServeThenFail => {
                device.up.send_replace(None);
                return Err(failure(ErrorClass::Retryable));
            }
            command = context.commands.recv() => match command {
                Some(command) => device.take(command),
                None => std::future::pending().await,
            }
        }
    }
}

#[expect(clippy::panic, reason = "a defect is what this fakes")]
fn break_down() -> ! {
    panic!("a defect in the fake")
}

fn health(point: &Point) -> DeviceHealth {
    DeviceHealth {
        device: point.path.device.clone(),
        name: point.device_name.clone(),
        adapter: "fake".into(),
        lane: "lane".into(),
        address: String::new(),
        state: DeviceState::Online,
        breaker: riser_model::Breaker::Closed,
        last_ok: None,
        failures: 0,
        requests: 0,
        errors: 0,
        latency_ms: None,
        last_error: None,
    }
}
