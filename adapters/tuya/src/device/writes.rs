//! Writes: one at a time, sent, acknowledged, and believed only when the device shows the value, by
//! itself or when asked. Owns the deadline, and saying what came of each.

use super::Link;
use super::talk::Asked;
use crate::codec::request::Request;
use crate::codec::{Message, Report, Version};
use riser_adapter::WriteResult;
use riser_model::{Access, Timestamp, Value};
use serde_json::Value as Json;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A write for this connection.
#[derive(Debug)]
pub(crate) struct LinkWrite {
    pub(crate) member: usize,
    pub(crate) point: usize,
    pub(crate) value: Option<Value>,
    pub(crate) expires_at: Timestamp,
    pub(crate) reply: oneshot::Sender<WriteResult>,
}

impl LinkWrite {
    pub(crate) fn answer(self, result: WriteResult) {
        let _gone = self.reply.send(result);
    }
}

/// A write that was sent.
pub(super) struct Confirm {
    write: LinkWrite,
    dp: u16,
    /// What the device has to show.
    wanted: Option<Value>,
    /// What it shows.
    shown: Option<Value>,
    /// When it is asked, if it has not shown the value by itself.
    ask_at: Instant,
    /// It has been asked for the value.
    asked: bool,
    /// It has said that it took the value.
    acknowledged: bool,
}

impl Confirm {
    pub(super) fn wake(&self) -> Instant {
        self.ask_at
    }
}

impl Link {
    /// The next thing a write needs on the wire.
    pub(super) fn next_write(
        &mut self,
        version: Version,
        now: Instant,
    ) -> Option<(Asked, Request)> {
        if let Some(confirm) = &mut self.confirm {
            if confirm.ask_at > now || confirm.asked {
                return None;
            }
            if confirm.wanted.is_none() {
                self.finish(WriteResult::Failed(
                    "the device did not acknowledge it in time".to_owned(),
                ));
                return None;
            }
            confirm.asked = true;
            let member = confirm.write.member;
            self.schedule.asked(member, now);
            return Some(self.question(member, version));
        }
        while let Some(write) = self.waiting.pop_front() {
            if write.expires_at <= self.shared.clock.now() {
                write.answer(WriteResult::Failed(
                    "it expired before the device could be asked".to_owned(),
                ));
                continue;
            }
            if let Some(request) = self.begin(write, version, now) {
                return Some((Asked::Write, request));
            }
        }
        None
    }

    /// Encodes a write and remembers it; one that cannot be encoded is refused.
    fn begin(&mut self, write: LinkWrite, version: Version, now: Instant) -> Option<Request> {
        let config = self
            .config
            .members
            .get(write.member)
            .and_then(|m| m.points.get(write.point));
        let node = self.members.get(write.member).and_then(|m| m.node.clone());
        let Some(config) = config.cloned() else {
            write.answer(WriteResult::Refused(
                "there is no such point any more".to_owned(),
            ));
            return None;
        };
        let Some(value) = &write.value else {
            let why = format!(
                "{} cannot be released: the protocol has no priorities",
                config.point.path
            );
            write.answer(WriteResult::Refused(why));
            return None;
        };
        let json = match config
            .point
            .check_write(value)
            .and_then(|()| config.mapping.encode(value))
        {
            Ok(json) => json,
            Err(why) => {
                write.answer(WriteResult::Refused(why));
                return None;
            }
        };
        let request = self
            .target(version, node.as_deref())
            .control(config.dp, &json);
        let readable = config.point.access != Access::Write;
        self.confirm = Some(Confirm {
            dp: config.dp,
            wanted: readable.then(|| config.mapping.decode(&json).0).flatten(),
            shown: None,
            ask_at: now + config.settle,
            asked: false,
            acknowledged: false,
            write,
        });
        Some(request)
    }

    /// The device acknowledged, or refused.
    pub(super) fn on_acknowledged(&mut self, message: &Message, now: Instant) {
        let Some(confirm) = &mut self.confirm else {
            return;
        };
        if let Some(said) = message.refusal() {
            return self.finish(WriteResult::Refused(format!("the device answered {said}")));
        }
        confirm.acknowledged = true;
        if confirm.wanted.is_none() {
            return self.finish(WriteResult::Applied(None));
        }
        // A value that does not change is not reported: the device is asked for it at once.
        let (member, dp) = (confirm.write.member, confirm.dp);
        let known = self
            .members
            .get(member)
            .and_then(|m| m.latest.get(&dp))
            .cloned();
        let same =
            known.is_some_and(|json| self.decoded(&json).is_some_and(|v| self.is_wanted(&v)));
        if let (true, Some(confirm)) = (same, &mut self.confirm) {
            confirm.ask_at = now;
        }
    }

    /// The device has shown data points: by itself, or (`whole`) because it was asked.
    pub(super) fn on_shown(&mut self, report: &Report, whole: bool) {
        let Some(confirm) = &self.confirm else {
            return;
        };
        let node = self.members.get(confirm.write.member).map(|m| &m.node);
        if confirm.wanted.is_none() || node != Some(&report.node) {
            return;
        }
        let (asked, acknowledged) = (confirm.asked, confirm.acknowledged);
        let value = report
            .points
            .get(&confirm.dp)
            .and_then(|json| self.decoded(json));
        match value {
            // A report that was on its way before the write shows what was there before.
            Some(value) if self.is_wanted(&value) && (acknowledged || !whole || asked) => {
                self.finish(WriteResult::Applied(Some(value)));
            }
            Some(value) if whole && asked => {
                let detail = format!(
                    "the device {} the value and shows {value}",
                    if acknowledged {
                        "acknowledged"
                    } else {
                        "did not acknowledge"
                    }
                );
                self.finish(WriteResult::NotEffective {
                    read_back: Some(value),
                    detail,
                });
            }
            Some(value) => {
                if let Some(confirm) = &mut self.confirm {
                    confirm.shown = Some(value);
                }
            }
            None if whole && asked => self.unconfirmed("it does not report this data point"),
            None => {}
        }
    }

    /// A question for the value was not answered with data points.
    pub(super) fn query_failed(&mut self, member: usize, why: &str) {
        if self
            .confirm
            .as_ref()
            .is_some_and(|c| c.asked && c.write.member == member)
        {
            self.unconfirmed(why);
        }
    }

    fn unconfirmed(&mut self, why: &str) {
        let Some(confirm) = &self.confirm else {
            return;
        };
        let shown = confirm
            .shown
            .as_ref()
            .map(|v| format!("; it last showed {v}"))
            .unwrap_or_default();
        let taken = if confirm.acknowledged {
            "took the value"
        } else {
            "did not acknowledge the value"
        };
        self.finish(WriteResult::Failed(format!(
            "the device {taken}, but {why}{shown}"
        )));
    }

    fn finish(&mut self, result: WriteResult) {
        if let Some(confirm) = self.confirm.take() {
            confirm.write.answer(result);
        }
        // Some devices report instead of acknowledging.
        if self
            .outstanding
            .take_if(|o| o.what == Asked::Write)
            .is_some()
        {
            self.stats.idle(Instant::now());
        }
    }

    /// Every write that is under way or waits.
    pub(super) fn fail_writes(&mut self, why: &str) {
        self.unconfirmed(why);
        while let Some(write) = self.waiting.pop_front() {
            write.answer(WriteResult::Failed(why.to_owned()));
        }
    }

    fn decoded(&self, json: &Json) -> Option<Value> {
        let confirm = self.confirm.as_ref()?;
        let member = self.members.get(confirm.write.member)?;
        member
            .points
            .get(confirm.write.point)?
            .mapping
            .decode(json)
            .0
    }

    fn is_wanted(&self, value: &Value) -> bool {
        let wanted = self.confirm.as_ref().and_then(|c| c.wanted.as_ref());
        match (wanted.and_then(Value::as_f64), value.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() < 1.0e-9,
            _ => wanted == Some(value),
        }
    }
}
