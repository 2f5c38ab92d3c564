//! Alarms of a lane's devices as points: how many stand, how many nobody has acknowledged, and the
//! latest in words. Owns when devices are asked; what they tell by themselves is taken at once.

use super::ledger::{Book, Ledger};
use super::{Fault, ask, events};
use crate::client::{Client, Heard};
use crate::config::{DeviceConfig, LaneConfig};
use crate::device::{Peers, Shared};
use crate::poll::Peer;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use riser_adapter::{Clock, PointRegistry, SampleSink};
use riser_model::{
    Access, Key, Limits, Point, PointPath, Quality, Reading, Reason, ScanBatch, Slot, Value,
    ValueKind,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked who is to be asked.
const LOOK: Duration = Duration::from_millis(500);
/// Devices asked at once.
const AT_ONCE: usize = 4;

/// The points of a device's alarms; none where nobody asks for them.
pub(crate) fn points_of(device: &DeviceConfig) -> Vec<Arc<Point>> {
    let Some(every) = device.events else {
        return Vec::new();
    };
    let stale = every * 3 + Duration::from_secs(30);
    let point = |key: &str, name: &str, kind| {
        Arc::new(Point {
            path: PointPath::new(device.key.clone(), Key::slug(key)),
            name: name.to_owned(),
            device_name: device.name.clone(),
            kind,
            unit: None,
            access: Access::Read,
            limits: Limits::default(),
            labels: Vec::new(),
            deadband: None,
            stale_after_ms: u32::try_from(stale.as_millis()).unwrap_or(u32::MAX),
        })
    };
    vec![
        point("events-active", "Alarms that stand", ValueKind::Integer),
        point(
            "events-unacknowledged",
            "Alarms nobody has acknowledged",
            ValueKind::Integer,
        ),
        point("events-latest", "Latest alarm that stands", ValueKind::Text),
    ]
}

/// A device whose alarms are shown.
struct Watched {
    key: Key,
    every: Duration,
    probe: Duration,
    points: Vec<Arc<Point>>,
    slots: Vec<Slot>,
    instance: Option<u32>,
    due: Instant,
    asking: bool,
    shown: Vec<Value>,
}

/// The watch over a lane.
pub(super) struct Watch {
    devices: Vec<Watched>,
    ledger: Arc<Mutex<Ledger>>,
    client: Client,
    peers: Peers,
    adapter: String,
    registry: Arc<dyn PointRegistry>,
    samples: SampleSink,
    clock: Arc<dyn Clock>,
}

/// What came of asking a device.
type Asked = (usize, u32, Result<bool, Fault>);

impl Watch {
    pub(super) fn new(
        lane: &LaneConfig,
        client: &Client,
        shared: &Shared,
        ledger: Arc<Mutex<Ledger>>,
    ) -> Self {
        let watched = |device: &DeviceConfig| {
            Some(Watched {
                key: device.key.clone(),
                every: device.events?,
                probe: device.probe_interval,
                points: points_of(device),
                slots: Vec::new(),
                instance: device.instance,
                due: Instant::now(),
                asking: false,
                shown: Vec::new(),
            })
        };
        Self {
            devices: lane.devices.iter().filter_map(watched).collect(),
            ledger,
            client: client.clone(),
            peers: shared.peers.clone(),
            adapter: shared.adapter.clone(),
            registry: shared.registry.clone(),
            samples: shared.samples.clone(),
            clock: shared.clock.clone(),
        }
    }

    /// Watches until cancelled.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        self.declare().await;
        let mut heard = self.client.listen();
        let mut asking: FuturesUnordered<BoxFuture<'static, Asked>> = FuturesUnordered::new();
        loop {
            self.begin(&asking);
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                Some((at, instance, outcome)) = asking.next() => self.asked(at, instance, outcome).await,
                next = heard.recv() => match next {
                    Ok(Heard::Event(_, told)) => {
                        lock(&self.ledger).hear(&told, self.clock.now());
                        self.show(told.device).await;
                    }
                    // What was missed is in what devices say when asked.
                    Err(RecvError::Lagged(_)) => self.devices.iter_mut().for_each(|d| d.due = Instant::now()),
                    Ok(_) => {}
                    Err(RecvError::Closed) => return cancel.cancelled().await,
                },
                () = tokio::time::sleep(LOOK), if !self.devices.is_empty() => {}
            }
        }
    }

    async fn declare(&mut self) {
        let points: Vec<Arc<Point>> = self.devices.iter().flat_map(|d| d.points.clone()).collect();
        if points.is_empty() {
            return;
        }
        match self.registry.declare(&self.adapter, points).await {
            Ok(slots) => {
                let mut rest = slots.into_iter();
                for device in &mut self.devices {
                    device.slots = rest.by_ref().take(device.points.len()).collect();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "alarms of devices are not shown as points");
                self.devices.clear();
            }
        }
    }

    fn begin(&mut self, asking: &FuturesUnordered<BoxFuture<'static, Asked>>) {
        let now = Instant::now();
        for (at, device) in self.devices.iter_mut().enumerate() {
            if device.asking || device.due > now || asking.len() >= AT_ONCE {
                continue;
            }
            let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(peer) = peers.get(&device.key).cloned() else {
                continue;
            };
            drop(peers);
            device.asking = true;
            device.instance = Some(peer.instance());
            let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
            asking.push(Box::pin(async move {
                let outcome = learn(&peer, &ledger, &*clock).await;
                (at, peer.instance(), outcome)
            }));
        }
    }

    async fn asked(&mut self, at: usize, instance: u32, outcome: Result<bool, Fault>) {
        let Some(device) = self.devices.get_mut(at) else {
            return;
        };
        device.asking = false;
        let wait = match &outcome {
            Ok(_) => device.every,
            Err(_) => device.every.min(device.probe),
        };
        device.due = Instant::now() + wait;
        match outcome {
            Ok(_) => {
                device.shown.clear();
                self.show(instance).await;
            }
            Err(fault) => {
                tracing::debug!(device = %device.key, ?fault, "asking for events");
                let reason = match fault {
                    Fault::Silent(_) => Reason::DeviceDown,
                    _ => Reason::Fault,
                };
                let readings = device.bad(reason);
                self.emit(readings).await;
            }
        }
    }

    /// Shows the events of a device, if they are others than before.
    async fn show(&mut self, instance: u32) {
        let known = |d: &&mut Watched| d.instance == Some(instance);
        let Some(device) = self.devices.iter_mut().find(known) else {
            return;
        };
        let values = match lock(&self.ledger).book(instance) {
            Some(book) => values(book),
            None => return,
        };
        if values == device.shown {
            return;
        }
        device.shown.clone_from(&values);
        let pairs = device.slots.iter().zip(values);
        let readings = pairs.map(|(slot, value)| Reading {
            slot: *slot,
            value: Some(value),
            quality: Quality::GOOD,
        });
        let readings = readings.collect();
        self.emit(readings).await;
    }

    async fn emit(&self, readings: Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let at = self.clock.now();
        // False only when the gateway goes down.
        let _taken = self.samples.send(ScanBatch { at, readings }).await;
    }
}

impl Watched {
    fn bad(&mut self, reason: Reason) -> Vec<Reading> {
        let shown = std::mem::take(&mut self.shown);
        let slots = self.slots.iter().enumerate();
        slots
            .map(|(at, slot)| Reading {
                slot: *slot,
                value: shown.get(at).cloned(),
                quality: Quality::bad(reason),
            })
            .collect()
    }
}

fn values(book: &Book) -> Vec<Value> {
    let count = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    vec![
        count(book.active().count()),
        count(book.unacknowledged()),
        Value::text(&book.latest()),
    ]
}

/// Asks a device which events stand, and what their objects are called. False when it does not say.
pub(super) async fn learn(
    peer: &Peer,
    ledger: &Mutex<Ledger>,
    clock: &dyn Clock,
) -> Result<bool, Fault> {
    let instance = peer.instance();
    let standing = events::ask(peer).await?;
    match &standing {
        Some(standing) => lock(ledger).answer(instance, standing, clock.now()),
        None => lock(ledger).begin(instance),
    }
    let nameless = lock(ledger).nameless(instance);
    if !nameless.is_empty() {
        let names = ask::names(peer, &nameless).await?;
        let names = nameless.into_iter().zip(names).collect();
        lock(ledger).name(instance, names);
    }
    Ok(standing.is_some())
}

pub(super) fn lock(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
