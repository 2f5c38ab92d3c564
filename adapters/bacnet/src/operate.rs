//! What can be done with BACnet devices besides reading and writing points: schedules and calendars,
//! setting clocks, alarms, lists for engineers. Owns the way from outside to the running devices;
//! `list` says what there is, the other files do one thing each.

mod ask;
mod calendar;
mod cells;
mod clock;
mod ede;
mod events;
mod exchange;
mod ledger;
mod list;
mod recipient;
mod schedule;
mod timetable;
mod watch;
mod words;

pub(crate) use watch::points_of as event_points;

use crate::client::{Client, RequestError};
use crate::codec::{DecodeError, ObjectId, ObjectType};
use crate::config::{ClockTerms, Config, DeviceConfig, LaneConfig};
use crate::device::{Peers, Shared};
use crate::poll::Peer;
use futures_util::future::BoxFuture;
use ledger::Ledger;
use riser_adapter::{AdapterError, Clock, ErrorClass, Operate, Operation};
use riser_model::Key;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use toml::{Table, Value};

/// What operations work with while the adapter runs. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Desk(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    clock: Option<Arc<dyn Clock>>,
    lanes: FxHashMap<Key, Open>,
}

/// A lane that is open.
#[derive(Clone)]
struct Open {
    client: Client,
    ledger: Arc<Mutex<Ledger>>,
}

impl Desk {
    fn with<T>(&self, work: impl FnOnce(&mut Running) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The adapter runs from now on, until what is given back is dropped.
    pub(crate) fn begin(&self, clock: Arc<dyn Clock>) -> Runs {
        self.with(|r| r.clock = Some(clock));
        Runs(self.clone())
    }
}

/// The adapter runs; at its end its ports close.
pub(crate) struct Runs(Desk);

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.with(|r| *r = Running::default());
    }
}

/// What has to go on beside the devices of a lane while it is open.
pub(crate) fn begin(
    lane: &LaneConfig,
    client: &Client,
    shared: &Shared,
    desk: &Desk,
) -> Vec<BoxFuture<'static, ()>> {
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let open = Open {
        client: client.clone(),
        ledger: ledger.clone(),
    };
    desk.with(|r| r.lanes.insert(lane.key.clone(), open));
    let watch = watch::Watch::new(lane, client, shared, ledger);
    let mut work: Vec<BoxFuture<'static, ()>> = vec![Box::pin(watch.run(shared.cancel.clone()))];
    if lane.clock.every.is_some() {
        let keeping = clock::Keeping {
            terms: lane.clock.clone(),
            devices: lane.devices.iter().map(|d| d.key.clone()).collect(),
            peers: shared.peers.clone(),
            client: client.clone(),
            clock: shared.clock.clone(),
        };
        work.push(Box::pin(clock::keep(keeping, shared.cancel.clone())));
    }
    work
}

/// Why an operation was not done.
#[derive(Debug)]
enum Fault {
    /// It was asked for in a way that cannot be meant; nothing was sent.
    Wrong(String),
    /// It was tried.
    Failed(String),
    /// It was tried, and nobody answered.
    Silent(String),
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        match error.is_silence() {
            true => Self::Silent(error.to_string()),
            false => Self::Failed(error.to_string()),
        }
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Failed(format!("the answer cannot be read: {error}"))
    }
}

/// The operations of an adapter.
pub(crate) struct Operations {
    inner: Arc<Inner>,
}

struct Inner {
    devices: Vec<DeviceConfig>,
    lanes: Vec<(Key, ClockTerms)>,
    /// Which lane a device is on, by its place.
    on: FxHashMap<Key, usize>,
    peers: Peers,
    desk: Desk,
}

impl Operations {
    pub(crate) fn new(config: &Config, peers: Peers, desk: Desk) -> Self {
        let devices = config.lanes.iter().flat_map(|l| l.devices.iter().cloned());
        let lanes = config.lanes.iter().enumerate();
        let on = lanes.flat_map(|(at, l)| l.devices.iter().map(move |d| (d.key.clone(), at)));
        let lanes = config
            .lanes
            .iter()
            .map(|l| (l.key.clone(), l.clock.clone()));
        Self {
            inner: Arc::new(Inner {
                devices: devices.collect(),
                lanes: lanes.collect(),
                on: on.collect(),
                peers,
                desk,
            }),
        }
    }
}

impl Operate for Operations {
    fn operations(&self) -> Vec<Operation> {
        let lanes = self.inner.lanes.iter().map(|(key, _)| key.to_string());
        list::operations(lanes.collect())
    }

    fn operate(
        &self,
        name: &str,
        parameters: Table,
    ) -> BoxFuture<'static, Result<Table, AdapterError>> {
        let (inner, name) = (self.inner.clone(), name.to_owned());
        Box::pin(async move {
            let given = Given(&parameters);
            let outcome = inner.carry_out(&name, given).await;
            outcome.map_err(|fault| {
                let (class, why) = match fault {
                    Fault::Wrong(why) => (ErrorClass::Misconfigured, why),
                    Fault::Failed(why) | Fault::Silent(why) => (ErrorClass::Retryable, why),
                };
                let object = match given.text("device") {
                    "" => "the network".to_owned(),
                    device => format!("device {device}"),
                };
                AdapterError::new(class, name.replace('_', " "), object).advise(why)
            })
        })
    }
}

impl Inner {
    async fn carry_out(&self, name: &str, given: Given<'_>) -> Result<Table, Fault> {
        match name {
            "schedule_read" => schedule::read(&self.peer(given)?, given).await,
            "schedule_write" => schedule::write(&self.peer(given)?, given).await,
            "calendar_read" => calendar::read(&self.peer(given)?, given).await,
            "calendar_write" => calendar::write(&self.peer(given)?, given).await,
            "time_sync" => clock::set(self, given).await,
            "events" => events::show(self, given).await,
            "event_acknowledge" => events::acknowledge(self, given).await,
            "event_recipient" => recipient::change(&self.peer(given)?, given).await,
            "ede_import" => exchange::import(self, given),
            "ede_export" => exchange::export(self, given).await,
            other => Err(Fault::Wrong(format!("there is no operation '{other}'"))),
        }
    }

    fn device(&self, key: &str) -> Result<&DeviceConfig, Fault> {
        let found = self.devices.iter().find(|d| d.key.as_str() == key);
        found.ok_or_else(|| {
            let known = self.devices.iter().map(|d| d.key.as_str());
            Fault::Wrong(match riser_adapter::config::nearest(key, known) {
                Some(near) => format!("there is no device '{key}'; did you mean '{near}'?"),
                None => "no device is configured".to_owned(),
            })
        })
    }

    /// The device a parameter names, as it was found.
    fn peer(&self, given: Given<'_>) -> Result<Peer, Fault> {
        let device = self.device(given.text("device"))?;
        self.found(&device.key).ok_or_else(|| {
            Fault::Failed(
                "it has not answered since the adapter started; look at its lane".to_owned(),
            )
        })
    }

    /// How the devices of a device's lane are told the time.
    fn terms(&self, device: &Key) -> Option<&ClockTerms> {
        let lane = self.lanes.get(*self.on.get(device)?)?;
        Some(&lane.1)
    }

    /// What is known of the events of a device's lane.
    fn ledger(&self, device: &Key) -> Option<Arc<Mutex<Ledger>>> {
        let (lane, _) = self.lanes.get(*self.on.get(device)?)?;
        self.desk
            .with(|r| r.lanes.get(lane).map(|l| l.ledger.clone()))
    }

    fn found(&self, key: &Key) -> Option<Peer> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(key).cloned()
    }

    fn clock(&self) -> Result<Arc<dyn Clock>, Fault> {
        let clock = self.desk.with(|r| r.clock.clone());
        clock.ok_or_else(|| Fault::Failed("the adapter does not run".to_owned()))
    }
}

/// The parameters of an operation. A field left empty on a screen is one that is not given.
#[derive(Clone, Copy)]
struct Given<'a>(&'a Table);

impl<'a> Given<'a> {
    /// A text as it is, with every blank and line of it.
    fn raw(self, key: &str) -> &'a str {
        let text = self.0.get(key).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    fn text(self, key: &str) -> &'a str {
        self.raw(key).trim()
    }

    /// A text, where it is given.
    fn maybe(self, key: &str) -> Option<&'a str> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// An object of a type; an instance alone is enough.
    fn object(self, key: &str, kind: ObjectType) -> Result<ObjectId, Fault> {
        let text = self.text(key);
        let bare = text.parse().ok().map(|at| ObjectId::new(kind, at));
        let found = bare.or_else(|| ObjectId::parse(text));
        match found.filter(|o| o.kind() == kind) {
            Some(object) => Ok(object),
            None => Err(Fault::Wrong(format!(
                "'{text}' is no {kind}; write {kind}:1, or its number alone"
            ))),
        }
    }
}

/// Makes a table of names and values, in order.
fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    let entries = entries.into_iter();
    entries
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
