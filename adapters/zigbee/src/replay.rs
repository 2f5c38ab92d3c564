//! The adapter without its sockets and with a clock of its own: messages go in, readings and messages
//! come out. For cases, property tests, fuzzing and the bench; the running adapter does the same in
//! `adapter`.

use crate::client::Heard;
use crate::client::driver;
use crate::config::Config;
use crate::hub::Hub;
use crate::network::At;
use crate::presence::Presence;
use riser_adapter::{BuildContext, ConfigError};
use riser_model::{Point, PointPath, Quality, Slot, Timestamp, Value};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// One reading that came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Whose.
    pub path: PointPath,
    /// What.
    pub value: Option<Value>,
    /// How far to trust it.
    pub quality: Quality,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// What an operation makes of the bridge's answer, plain and as a network map.
#[must_use]
pub fn answers(data: &serde_json::Value) -> [toml::Table; 2] {
    use crate::operate::answer;
    [answer::plain(data), answer::map(data)]
}

/// What a search makes of a list of devices.
#[must_use]
pub fn finds(devices: &[u8]) -> Vec<riser_adapter::Found> {
    crate::discover::finds_of(devices)
}

/// An adapter being told a story.
pub struct Replay {
    hub: Hub,
    base: String,
    now: At,
    slots: FxHashMap<PointPath, Slot>,
    points: Vec<Arc<Point>>,
    seen: Vec<Seen>,
    published: Vec<(String, String)>,
    /// The bridge answers checks at once.
    pub answers: bool,
}

impl Replay {
    /// Begins at a moment, in milliseconds since 1970.
    pub fn new(table: &toml::Table, at: i64) -> Result<Self, ConfigError> {
        let config = Arc::new(Config::new(table, &BuildContext::default())?);
        let now = At {
            wall: Timestamp(at),
            steady: at,
        };
        let mut replay = Self {
            base: config.base.clone(),
            hub: Hub::new(config, "test", now),
            now,
            slots: FxHashMap::default(),
            points: Vec::new(),
            seen: Vec::new(),
            published: Vec::new(),
            answers: true,
        };
        replay.settle();
        Ok(replay)
    }

    /// The broker is reached.
    pub fn connect(&mut self) {
        self.hub.heard(Heard::Connected, self.now);
        self.settle();
    }

    /// The broker is lost.
    pub fn lose(&mut self) {
        self.hub.heard(driver::anew("lost"), self.now);
        self.settle();
    }

    /// A message comes; `kept` by the broker from before or not.
    pub fn message(&mut self, topic: &str, payload: &[u8], kept: bool) {
        let heard = Heard::Message {
            topic: topic.to_owned().into(),
            payload: payload.to_vec().into(),
            retained: kept,
        };
        self.hub.heard(heard, self.now);
        self.settle();
    }

    /// Time passes, in milliseconds.
    pub fn pass(&mut self, ms: i64) {
        let end = self.now.steady.saturating_add(ms.max(0));
        while self.now.steady < end {
            let step = self
                .hub
                .idle(self.now)
                .clamp(5, 500)
                .min(end - self.now.steady);
            self.now.steady += step;
            self.now.wall = Timestamp(self.now.wall.0 + step);
            self.settle();
        }
    }

    /// What came out since the last time.
    pub fn take(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// What was published since the last time, checks left out.
    pub fn published(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.published)
    }

    /// Whether a device is there.
    #[must_use]
    pub fn presence(&self, key: &str) -> Option<Presence> {
        self.hub.network.find(key).map(|e| e.watch.shown)
    }

    /// Points declared so far.
    #[must_use]
    pub fn points(&self) -> &[Arc<Point>] {
        &self.points
    }

    fn settle(&mut self) {
        // An answer to a check may lead to more; a story that never settles is cut off.
        for _ in 0..8 {
            self.hub.step(self.now);
            self.declare();
            self.hub.network.effects.subscribe.clear();
            self.hub.network.effects.unsubscribe.clear();
            self.collect();
            if !self.deliver() {
                return;
            }
        }
    }

    fn declare(&mut self) {
        if !std::mem::take(&mut self.hub.network.effects.declare) {
            return;
        }
        let points = self.hub.network.undeclared();
        let mut slots = Vec::with_capacity(points.len());
        for (_, _, point) in &points {
            let next = Slot(u32::try_from(self.points.len()).unwrap_or(u32::MAX));
            let slot = *self.slots.entry(point.path.clone()).or_insert(next);
            match self.points.get_mut(slot.index()) {
                Some(known) => *known = Arc::clone(point),
                None => self.points.push(Arc::clone(point)),
            }
            slots.push(slot);
        }
        self.hub.network.declared(&points, &slots, self.now);
    }

    fn collect(&mut self) {
        for batch in std::mem::take(&mut self.hub.network.effects.batches) {
            for reading in batch.readings {
                if let Some(point) = self.points.get(reading.slot.index()) {
                    self.seen.push(Seen {
                        path: point.path.clone(),
                        value: reading.value,
                        quality: reading.quality,
                        at: batch.at.0,
                    });
                }
            }
        }
    }

    /// Hands over what was published; whether an answer came of it.
    fn deliver(&mut self) -> bool {
        let check = format!("{}/bridge/request/health_check", self.base);
        let mut answered = false;
        while let Some(message) = self.hub.outbox.next() {
            let (topic, payload) = (message.topic.clone(), message.payload.clone());
            self.hub.outbox.sent();
            self.hub.outbox.left(0);
            if topic != check {
                self.published.push((topic, payload));
                continue;
            }
            if self.answers {
                let asked: serde_json::Value = serde_json::from_str(&payload).unwrap_or_default();
                let answer = serde_json::json!({"status": "ok", "data": {"healthy": true}, "transaction": asked["transaction"]});
                let heard = Heard::Message {
                    topic: topic.replace("/request/", "/response/").into(),
                    payload: answer.to_string().into(),
                    retained: false,
                };
                self.hub.heard(heard, self.now);
                answered = true;
            }
        }
        answered
    }
}
