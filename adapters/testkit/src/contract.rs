//! The contract every adapter must pass, whatever it speaks: it ends when told, shows its health,
//! survives noise, marks what is down and finds it again, refuses unknown keys in words, keeps to its
//! lane's budget, and confirms writes by reading back.
//!
//! An adapter's `tests/contract.rs` describes itself as a [`Subject`] and calls [`contract!`](crate::contract!).

use crate::harness::{GRACE, Running, build, eventually};
use crate::peer::{Mode, Peer, Respond};
use riser_adapter::{BuildContext, Kind, WriteResult};
use riser_model::{DeviceState, LaneState, Quality, Reason, Value};
use std::net::SocketAddr;
use std::time::Duration;

/// What the contract has to know of an adapter.
#[derive(Clone, Copy)]
pub struct Subject {
    /// The adapter.
    pub kind: &'static Kind,
    /// A configuration with one lane and one device behind the address, a scan every 50 ms or so,
    /// timeouts around 100 ms and probes every 200 ms or so.
    pub config: fn(SocketAddr) -> String,
    /// A well-behaved device that keeps what is written.
    pub device: fn() -> Box<dyn Respond>,
    /// A device that acknowledges writes and keeps its own value.
    pub stubborn: fn() -> Box<dyn Respond>,
    /// A point the device reads, and its value.
    pub reads: (&'static str, Constant),
    /// A writable point, and a value it does not have yet.
    pub writes: (&'static str, Constant),
    /// A configuration with one misspelt key, and the key that was meant.
    pub misspelt: (&'static str, &'static str),
    /// Requests the lane may have on the wire at once.
    pub outstanding: usize,
}

/// A value that can stand in a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constant {
    /// Two states.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Real number.
    Float(f64),
}

impl From<Constant> for Value {
    fn from(value: Constant) -> Self {
        match value {
            Constant::Bool(b) => Self::Bool(b),
            Constant::Int(i) => Self::Int(i),
            Constant::Float(f) => Self::Float(f),
        }
    }
}

impl Subject {
    async fn start(&self) -> (Peer, Running) {
        let peer = Peer::start(self.device).await;
        let running = Running::start(self.kind, &(self.config)(peer.address()));
        (peer, running)
    }

    async fn wait_good(&self, running: &mut Running) {
        running.wait_value(self.reads.0, &self.reads.1.into()).await;
    }
}

/// Ends within its grace while it reads, while nothing answers, while nobody takes its readings, and
/// while nobody is there.
pub async fn cancels_within_grace(subject: Subject) {
    let (peer, mut running) = subject.start().await;
    subject.wait_good(&mut running).await;
    let took = running.stop().await;
    assert!(took < GRACE, "while reading: {took:?}");

    let mut running = Running::start(subject.kind, &(subject.config)(peer.address()));
    peer.set_mode(Mode::Silent);
    let before = peer.requests();
    running
        .wait_until("a request on the wire", |_| peer.requests() > before)
        .await;
    let took = running.stop().await;
    assert!(took < GRACE, "while waiting for an answer: {took:?}");

    peer.set_mode(Mode::Answer);
    let (config, context) = ((subject.config)(peer.address()), BuildContext::default());
    let mut running = Running::start_narrow(subject.kind, &config, &context, 1);
    let before = peer.requests();
    // The second answer finds the sink full.
    eventually("two more requests", || peer.requests() >= before + 2).await;
    let took = running.stop().await;
    assert!(took < GRACE, "while nobody takes its readings: {took:?}");

    let address = peer.address();
    drop(peer);
    let mut running = Running::start(subject.kind, &(subject.config)(address));
    running.pump_for(Duration::from_millis(100)).await;
    let took = running.stop().await;
    assert!(took < GRACE, "while nobody is there: {took:?}");
}

/// Shows its lane up and its device online, with figures that grow.
pub async fn reports_health(subject: Subject) {
    let (_peer, mut running) = subject.start().await;
    subject.wait_good(&mut running).await;
    let up = |r: &Running| {
        let lanes = r.health.lanes();
        let devices = r.health.devices();
        let lane = lanes
            .iter()
            .any(|l| l.state == LaneState::Up && l.requests > 0 && l.connects == 1);
        let device = devices
            .iter()
            .any(|d| d.state == DeviceState::Online && d.last_ok.is_some());
        lane && device && lanes.iter().all(|l| l.adapter == "test")
    };
    running.wait_until("lane up and device online", up).await;
    running.stop().await;
}

/// Whatever octets come, the adapter goes on, and no value is good that was never sent.
pub async fn survives_garbage(subject: Subject) {
    let (peer, mut running) = subject.start().await;
    subject.wait_good(&mut running).await;
    peer.set_mode(Mode::Garbage);
    let before = peer.requests();
    running
        .wait_until("some garbage to arrive", |_| peer.requests() > before + 8)
        .await;
    assert!(running.is_alive());
    let wanted: Value = subject.reads.1.into();
    let wrong = running.log.iter().find(|o| {
        o.path == subject.reads.0 && o.quality.is_good() && o.value.as_ref() != Some(&wanted)
    });
    assert_eq!(wrong, None, "noise was taken for a value");
    peer.set_mode(Mode::Answer);
    let seen = running.good_count(subject.reads.0);
    running
        .wait_until("good readings again", |r| {
            r.good_count(subject.reads.0) > seen + 3
        })
        .await;
    running.stop().await;
}

/// A silent device is marked down once, on every point, and read again when it is back.
pub async fn marks_what_is_down(subject: Subject) {
    let (peer, mut running) = subject.start().await;
    subject.wait_good(&mut running).await;
    peer.set_mode(Mode::Silent);
    let down = Quality::bad(Reason::DeviceDown);
    running.wait_quality(subject.reads.0, down).await;
    let offline = |r: &Running| {
        r.health
            .devices()
            .iter()
            .any(|d| d.state == DeviceState::Offline)
    };
    running
        .wait_until("the device to be offline", offline)
        .await;
    running.pump_for(Duration::from_millis(600)).await;
    for path in running.latest.keys() {
        let times = running
            .log
            .iter()
            .filter(|o| o.path == *path && o.quality == down)
            .count();
        assert_eq!(times, 1, "{path} was marked down {times} times");
    }
    peer.set_mode(Mode::Answer);
    subject.wait_good(&mut running).await;
    let online = |r: &Running| {
        r.health
            .devices()
            .iter()
            .any(|d| d.state == DeviceState::Online)
    };
    running.wait_until("the device to be online", online).await;
    running.stop().await;
}

/// An unknown key is refused before anything opens, and the nearest known one is named.
pub async fn refuses_unknown_keys(subject: Subject) {
    let (config, meant) = subject.misspelt;
    match build(subject.kind, config) {
        Ok(_) => panic!("the misspelt key was accepted"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(&format!("did you mean '{meant}'")), "{text}");
            assert!(!error.at.is_empty(), "{text}");
        }
    }
}

/// Never more on the wire than the lane allows, also while writes come in.
pub async fn keeps_to_its_budget(subject: Subject) {
    let (peer, mut running) = subject.start().await;
    subject.wait_good(&mut running).await;
    let mut results = Vec::new();
    for _ in 0..20 {
        results.push(
            running
                .send_write(subject.writes.0, Some(subject.writes.1.into()))
                .await,
        );
    }
    for result in results {
        let result = tokio::time::timeout(crate::harness::PATIENCE, result).await;
        assert!(
            matches!(result, Ok(Ok(WriteResult::Applied(_)))),
            "{result:?}"
        );
    }
    running.stop().await;
    let most = peer.most_outstanding();
    assert!(
        (1..=subject.outstanding).contains(&most),
        "{most} requests at once"
    );
}

/// A write is applied when read-back shows it, and not effective when the device keeps its own value.
pub async fn confirms_writes(subject: Subject) {
    let (path, value) = subject.writes;
    let value: Value = value.into();
    let (_peer, mut running) = subject.start().await;
    subject.wait_good(&mut running).await;
    let result = running.write(path, value.clone()).await;
    assert_eq!(result, WriteResult::Applied(Some(value.clone())));
    running.wait_value(path, &value).await;
    running.stop().await;

    let peer = Peer::start(subject.stubborn).await;
    let mut running = Running::start(subject.kind, &(subject.config)(peer.address()));
    subject.wait_good(&mut running).await;
    match running.write(path, value.clone()).await {
        WriteResult::NotEffective { read_back, detail } => {
            assert!(
                read_back != Some(value) && !detail.is_empty(),
                "{read_back:?} {detail}"
            );
        }
        other => panic!("a write the device ignores ended as {other:?}"),
    }
    running.stop().await;
}

/// A write of a point that is not there, or of a read-only one, is refused and not dropped.
pub async fn refuses_what_cannot_be_written(subject: Subject) {
    let (_peer, mut running) = subject.start().await;
    subject.wait_good(&mut running).await;
    for path in ["nobody/nothing", subject.reads.0] {
        match running.write(path, subject.writes.1.into()).await {
            WriteResult::Refused(why) => assert!(!why.is_empty()),
            other => panic!("a write of {path} ended as {other:?}"),
        }
    }
    running.stop().await;
}

/// Makes a test of every clause for the subject a function returns.
#[macro_export]
macro_rules! contract {
    ($subject:expr) => {
        $crate::contract!($subject;
            cancels_within_grace
            reports_health
            survives_garbage
            marks_what_is_down
            refuses_unknown_keys
            keeps_to_its_budget
            confirms_writes
            refuses_what_cannot_be_written
        );
    };
    ($subject:expr; $($clause:ident)*) => {
        $(
            #[tokio::test]
            async fn $clause() {
                $crate::contract::$clause($subject).await;
            }
        )*
    };
}
