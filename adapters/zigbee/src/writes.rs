//! Writes on their way, from the command to what the state shows. Owns the window (so many at once,
//! one for each device) and every way a write can end; none is kept for later: a command that waits
//! for a bridge or a broker would come as a surprise.

use crate::client::Refusal;
use crate::network::entity::EntityId;
use riser_adapter::WriteResult;
use riser_model::{Point, Slot, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Writes that may wait for their turn.
pub(crate) const QUEUE: usize = 256;
/// How long a write that nothing shows is watched for a complaint, in milliseconds.
const UNSEEN: i64 = 3_000;

/// One write.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) number: u64,
    pub(crate) entity: EntityId,
    /// Name of the device, as the bridge's log has it.
    pub(crate) name: String,
    pub(crate) slot: Slot,
    pub(crate) point: Arc<Point>,
    pub(crate) value: Value,
    pub(crate) topic: String,
    pub(crate) payload: String,
    /// Any state that follows shows it: the state itself has no such value.
    pub(crate) momentary: bool,
    /// It can be asked for.
    pub(crate) gettable: bool,
    pub(crate) settle_ms: i64,
    /// Not to be begun after this, by the wall clock.
    pub(crate) expires_at: i64,
    pub(crate) reply: oneshot::Sender<WriteResult>,
}

#[derive(Debug)]
struct Active {
    write: Write,
    began: i64,
    deadline: i64,
    asked: bool,
    read_back: Option<Value>,
}

/// A write that has ended, with what the adapter has to remember of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) entity: EntityId,
    pub(crate) slot: Slot,
    pub(crate) value: Value,
    pub(crate) took_ms: i64,
    pub(crate) result: WriteResult,
    pub(crate) reply: oneshot::Sender<WriteResult>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Writes {
    outstanding: usize,
    next: u64,
    queue: VecDeque<Write>,
    active: Vec<Active>,
}

impl Writes {
    pub(crate) fn new(outstanding: usize) -> Self {
        Self {
            outstanding,
            next: 0,
            queue: VecDeque::new(),
            active: Vec::new(),
        }
    }

    /// A number for a new write.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Puts a write in line; gives it back when there is no room.
    pub(crate) fn push(&mut self, write: Write) -> Option<Write> {
        if self.queue.len() >= QUEUE {
            return Some(write);
        }
        self.queue.push_back(write);
        None
    }

    /// The next write that may begin: its topic, payload and number. One whose time is over ends.
    pub(crate) fn begin(&mut self, now: i64, wall: i64) -> Option<Begun> {
        if self.active.len() >= self.outstanding {
            return None;
        }
        let free = |w: &Write| self.active.iter().all(|a| a.write.entity != w.entity);
        let at = self.queue.iter().position(free)?;
        let write = self.queue.remove(at)?;
        if wall > write.expires_at {
            let text = "it waited too long for its turn and was not begun";
            return Some(Begun::Over(end(write, 0, WriteResult::Failed(text.into()))));
        }
        let readable = write.point.access != riser_model::Access::Write;
        let settle = if readable {
            write.settle_ms
        } else {
            UNSEEN.min(write.settle_ms)
        };
        let begun = Begun::Send {
            topic: write.topic.clone(),
            payload: write.payload.clone(),
            number: write.number,
        };
        self.active.push(Active {
            write,
            began: now,
            deadline: now.saturating_add(settle),
            asked: false,
            read_back: None,
        });
        Some(begun)
    }

    /// A state shows this value of a point.
    pub(crate) fn reported(
        &mut self,
        slot: Slot,
        value: Option<&Value>,
        now: i64,
    ) -> Option<Ended> {
        let at = self.active.iter().position(|a| a.write.slot == slot)?;
        let active = self.active.get_mut(at)?;
        active.read_back = value.cloned();
        let shows =
            |v: &Value| crate::mapping::encode::shows(&active.write.point, &active.write.value, v);
        if active.write.momentary || value.is_some_and(shows) {
            return Some(self.finish(at, now, WriteResult::Applied(value.cloned())));
        }
        None
    }

    /// The broker did not pass a write on.
    pub(crate) fn refused(&mut self, number: u64, why: Refusal, now: i64) -> Option<Ended> {
        let at = self.active.iter().position(|a| a.write.number == number)?;
        let topic = self.active.get(at)?.write.topic.clone();
        let result = match why {
            Refusal::Nobody => WriteResult::Failed(format!(
                "nobody listens to '{topic}': zigbee2mqtt is not connected to the broker"
            )),
            Refusal::Denied => WriteResult::Refused(format!(
                "the broker does not let this user publish to '{topic}'; allow it in its access list"
            )),
            Refusal::Other => WriteResult::Failed(format!("the broker did not take '{topic}'")),
        };
        Some(self.finish(at, now, result))
    }

    /// The bridge complained; whose write it was stands in its words.
    pub(crate) fn complained(&mut self, complaint: &str, now: i64) -> Option<Ended> {
        if !complaint.contains("'set'")
            && !complaint.contains("No converter available")
            && !complaint.contains("Cannot publish")
        {
            return None;
        }
        let about = |a: &Active| complaint.contains(&format!("'{}'", a.write.name));
        let at = self.active.iter().position(about)?;
        let words = format!("zigbee2mqtt could not do it: {}", reason(complaint));
        Some(self.finish(at, now, WriteResult::Failed(words)))
    }

    /// Writes whose time is over.
    pub(crate) fn late(&mut self, now: i64) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Some(at) = self.active.iter().position(|a| now >= a.deadline) {
            let Some(active) = self.active.get(at) else {
                break;
            };
            let seconds = (active.deadline - active.began).max(0) / 1000;
            let result = match (&active.read_back, active.write.point.access) {
                (_, riser_model::Access::Write) => WriteResult::Applied(None),
                (Some(read), _) => WriteResult::NotEffective {
                    read_back: Some(read.clone()),
                    detail: format!(
                        "the device's state still shows {read} after {seconds} s; something else may hold it, or it takes longer"
                    ),
                },
                (None, _) => WriteResult::Failed(format!(
                    "no state came back within {seconds} s; the device may be asleep, without power or out of reach"
                )),
            };
            ended.push(self.finish(at, now, result));
        }
        ended
    }

    /// Devices to be asked for their state, because half the time of a write is over.
    pub(crate) fn half_over(&mut self, now: i64) -> Vec<(EntityId, Slot)> {
        let half = |a: &&mut Active| {
            !a.asked && a.write.gettable && now - a.began >= (a.deadline - a.began) / 2
        };
        let due = self.active.iter_mut().filter(half);
        due.map(|a| {
            a.asked = true;
            (a.write.entity, a.write.slot)
        })
        .collect()
    }

    /// Everything ends: the connection is lost, or the gateway goes down.
    pub(crate) fn end_all(&mut self, why: &str, now: i64) -> Vec<Ended> {
        let waiting = std::mem::take(&mut self.queue);
        let never = waiting.into_iter().map(|write| {
            let text = format!("{why}; it was not sent");
            end(write, 0, WriteResult::Failed(text))
        });
        let active = std::mem::take(&mut self.active).into_iter().map(|a| {
            let text = format!("{why} before its state showed it; it may have been carried out");
            end(a.write, now - a.began, WriteResult::Failed(text))
        });
        active.chain(never).collect()
    }

    /// How long nothing is due.
    pub(crate) fn idle(&self, now: i64) -> i64 {
        let due = self.active.iter().map(|a| {
            let half = a.began + (a.deadline - a.began) / 2;
            let over = a.asked || !a.write.gettable || half <= now;
            let next = if over { a.deadline } else { half };
            next.max(now) - now
        });
        due.min().unwrap_or(i64::MAX)
    }

    fn finish(&mut self, at: usize, now: i64, result: WriteResult) -> Ended {
        let active = self.active.swap_remove(at);
        end(active.write, now - active.began, result)
    }
}

/// The part of the bridge's complaint that says why; the rest repeats the command in its own terms.
pub(crate) fn reason(complaint: &str) -> &str {
    let last = complaint
        .rsplit_once("failed (")
        .map(|(_, why)| why.trim_end_matches(['\'', ')']));
    let plain = complaint
        .split_once("failed: ")
        .map(|(_, why)| why.trim_matches('\''));
    last.or(plain).unwrap_or(complaint)
}

/// What became of the write whose turn it was.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It is to be published.
    Send {
        topic: String,
        payload: String,
        number: u64,
    },
    /// It is over.
    Over(Ended),
}

fn end(write: Write, took_ms: i64, result: WriteResult) -> Ended {
    Ended {
        entity: write.entity,
        slot: write.slot,
        value: write.value,
        took_ms,
        result,
        reply: write.reply,
    }
}
