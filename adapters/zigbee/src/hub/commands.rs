//! Commands and operations as they come in. Owns what is refused at once, and the words for it.

use super::Hub;
use crate::client::Purpose;
use crate::codec::{Family, Shape};
use crate::mapping::encode::{self, Partner};
use crate::network::At;
use crate::network::entity::{Entity, EntityPoint};
use crate::operate::ask::{Sent, prepare};
use crate::operate::{Wanted, parameters::wrong};
use crate::requests::{Operation, Waiting};
use crate::writes::{QUEUE, Write};
use riser_adapter::{AdapterCommand, AdapterError, ErrorClass, WriteResult};
use riser_model::Value;

impl Hub {
    /// Takes a write; what cannot be done is refused at once.
    pub(crate) fn command(&mut self, command: AdapterCommand, at: At) {
        match self.write_of(&command) {
            Ok((parts, value)) => {
                let write = Write {
                    number: self.writes.number(),
                    entity: parts.entity,
                    name: parts.name,
                    slot: command.slot,
                    point: parts.point,
                    value,
                    topic: parts.topic,
                    payload: parts.payload,
                    momentary: parts.momentary,
                    gettable: parts.gettable,
                    settle_ms: parts.settle_ms,
                    expires_at: command.command.expires_at.0,
                    reply: command.reply,
                };
                if let Some(write) = self.writes.push(write) {
                    let text = format!("{QUEUE} writes already wait for this network");
                    let _gone = write.reply.send(WriteResult::Failed(text));
                }
                if self.network.bridge.is_up() {
                    self.begin_writes(at);
                }
            }
            Err(result) => {
                let _gone = command.reply.send(result);
            }
        }
    }

    fn write_of(&self, command: &AdapterCommand) -> Result<(Parts, Value), WriteResult> {
        let refused = |text: String| Err(WriteResult::Refused(text));
        let Some((entity, point)) = self.network.target(command.slot) else {
            return refused(format!(
                "{} is no point of this adapter",
                command.command.path
            ));
        };
        let Some(value) = command.value.clone() else {
            return refused("Zigbee has no priorities: there is nothing to release".to_owned());
        };
        if entity.disabled {
            return refused(format!("{} is disabled in zigbee2mqtt", entity.name));
        }
        let partners = partners(entity, point);
        let payload = match encode::payload(&point.feature, &point.point, &value, &partners) {
            Ok(payload) => payload,
            Err(error) => return refused(error.to_string()),
        };
        if !self.network.bridge.is_up() {
            let words = self.network.bridge.words(&self.config.base, &self.place);
            let words = words.unwrap_or_else(|| "zigbee2mqtt is not reached yet".to_owned());
            return Err(WriteResult::Failed(format!("not sent: {words}")));
        }
        let word = payload
            .get(point.feature.property())
            .and_then(|v| v.as_str());
        let parts = Parts {
            entity: entity.id,
            name: entity.name.clone(),
            point: std::sync::Arc::clone(&point.point),
            topic: self.network.topic_of(entity, "set"),
            momentary: point.feature.family == Family::Cover && word == Some("STOP"),
            gettable: point.feature.gettable,
            settle_ms: super::millis(entity.settle),
            payload: payload.to_string(),
        };
        Ok((parts, value))
    }

    /// Takes an operation.
    pub(crate) fn wanted(&mut self, wanted: Wanted, at: At) {
        let Wanted {
            operation,
            parameters,
            reply,
        } = wanted;
        let what = operation.name.to_owned();
        if !self.network.bridge.is_up() {
            let words = self.network.bridge.words(&self.config.base, &self.place);
            let error = AdapterError::new(ErrorClass::Retryable, &what, "zigbee2mqtt");
            let error = error.advise(words.unwrap_or_else(|| "it is not reached yet".to_owned()));
            let _gone = reply.send(Err(error));
            return;
        }
        match prepare(operation, &parameters, &self.network) {
            Err(error) => {
                let _gone = reply.send(Err(error));
            }
            Ok(Sent::Message { topic, payload }) => {
                let sent = self.publish(topic, payload.to_string(), Purpose::Read);
                let _gone = reply.send(on_its_way(sent, &what));
            }
            Ok(Sent::Scene {
                topic,
                payload,
                scene,
            }) => {
                let operation = Operation {
                    what,
                    reply,
                    read: crate::operate::answer::plain,
                    begun: None,
                };
                self.scene((topic, payload), scene, operation, at);
            }
            Ok(Sent::Request {
                path,
                payload,
                patience,
                read,
                begun,
            }) => {
                let operation = Operation {
                    what,
                    reply,
                    read,
                    begun,
                };
                let waiting = Waiting::Operation(operation);
                if let Err(Waiting::Operation(operation)) =
                    self.request(path, payload, waiting, (at, patience))
                {
                    cut_off(operation, "too many requests wait already");
                }
            }
        }
    }
}

/// The answer to a message nothing answers.
fn on_its_way(sent: bool, what: &str) -> crate::requests::Answer {
    if !sent {
        let advice = "too many messages wait; try again";
        return Err(wrong(what, "zigbee2mqtt", advice));
    }
    let mut table = toml::Table::new();
    table.insert("sent".to_owned(), toml::Value::Boolean(true));
    Ok(table)
}

/// What a write is made of.
struct Parts {
    entity: crate::network::entity::EntityId,
    name: String,
    point: std::sync::Arc<riser_model::Point>,
    topic: String,
    payload: String,
    momentary: bool,
    gettable: bool,
    settle_ms: i64,
}

/// The other members of the composite a point is in.
fn partners<'a>(entity: &'a Entity, point: &'a EntityPoint) -> Vec<Partner<'a>> {
    let feature = &point.feature;
    if feature.path.len() < 2 {
        return Vec::new();
    }
    let beside = |p: &&EntityPoint| {
        let own = &p.feature;
        own.within == feature.within
            && own.path != feature.path
            && own.path.first() == feature.path.first()
            && own.settable
            && !matches!(own.shape, Shape::List)
    };
    let partners = entity.points.iter().filter(beside);
    partners
        .map(|p| Partner {
            feature: &p.feature,
            point: &p.point,
            value: p.last.as_ref(),
        })
        .collect()
}

/// The bridge did not answer an operation in time.
pub(super) fn no_answer(operation: Operation, place: &str) {
    let answer = match operation.begun {
        Some(words) => {
            let mut table = toml::Table::new();
            table.insert("status".to_owned(), toml::Value::String(words.to_owned()));
            Ok(table)
        }
        None => Err(
            AdapterError::new(ErrorClass::Retryable, operation.what, "zigbee2mqtt").advise(format!(
                "it did not answer in time through {place}; a sleeping device has to be woken, and the bridge's log may tell more"
            )),
        ),
    };
    let _gone = operation.reply.send(answer);
}

/// The connection ended before an operation was answered.
pub(super) fn cut_off(operation: Operation, why: &str) {
    let error = AdapterError::new(ErrorClass::Retryable, operation.what, "zigbee2mqtt");
    let _gone = operation.reply.send(Err(error.advise(why)));
}
