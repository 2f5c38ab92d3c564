//! What the client reports: the connection, the broker's acknowledgements, and every message. Owns
//! which message goes where; one that cannot be read is counted and named once in a while.

use super::Hub;
use crate::client::{Heard, Purpose, Refusal};
use crate::codec::bridge::{self, BridgeFacts, BridgeNews, Response};
use crate::codec::{Malformed, Said, payload, topic};
use crate::network::entity::EntityId;
use crate::network::{At, Route};
use crate::requests::Waiting;
use riser_adapter::{AdapterError, ErrorClass};

/// How long a bridge may take from saying that it is there to listening, in milliseconds.
const STARTING: i64 = 10_000;

impl Hub {
    /// Takes a report of the client.
    pub(crate) fn heard(&mut self, heard: Heard, at: At) {
        self.touched = true;
        match heard {
            Heard::Connected => {
                self.network.bridge.connected();
                self.searching = false;
                self.network.effects.unsubscribe.clear();
                self.network.effects.subscribe = self.network.topics();
                self.poll.check_now(at.steady);
            }
            Heard::Left(pkid) => {
                self.outbox.left(pkid);
            }
            Heard::Acked { pkid, refused } => {
                let purpose = self.outbox.acked(pkid);
                if let (Some(purpose), Some(why)) = (purpose, refused) {
                    self.refused(purpose, why, at);
                }
            }
            Heard::NotSubscribed(code) => {
                tracing::warn!(
                    code,
                    broker = self.place,
                    "the broker refused a subscription"
                );
            }
            Heard::Message {
                topic,
                payload,
                retained,
            } => {
                let Ok(topic) = std::str::from_utf8(&topic) else {
                    self.network.unreadable += 1;
                    return;
                };
                if let Err(error) = self.message(topic, &payload, retained, at) {
                    self.network.unreadable += 1;
                    tracing::debug!(topic, %error, "a message could not be read");
                }
            }
            Heard::Ended(trouble) => self.lost(&trouble.words, at),
        }
    }

    /// The connection is over.
    pub(crate) fn lost(&mut self, words: &str, at: At) {
        self.touched = true;
        self.network.bridge.disconnected(words, at.steady);
        self.end_all("the connection to the broker was lost", at);
    }

    fn refused(&mut self, purpose: Purpose, why: Refusal, at: At) {
        match purpose {
            Purpose::Write(number) => {
                if let Some(ended) = self.writes.refused(number, why, at.steady) {
                    self.finish(ended);
                }
            }
            Purpose::Request(number) => match self.requests.take(number) {
                Some(Waiting::Check) => {
                    let just_now = |started: i64| at.steady - started < STARTING;
                    if self.network.bridge.refused(why, at.steady) {
                        self.back(at);
                    } else if self.started.is_some_and(just_now) {
                        self.poll.check_soon(at.steady);
                    }
                }
                Some(Waiting::Operation(operation) | Waiting::Scene(_, operation)) => {
                    let text = match why {
                        Refusal::Nobody => "no zigbee2mqtt listens on this broker now",
                        Refusal::Denied => {
                            "the broker does not let this user publish requests to the bridge; allow it in its access list"
                        }
                        Refusal::Other => "the broker did not take the request",
                    };
                    super::commands::cut_off(operation, text);
                }
                None => {}
            },
            Purpose::Read => {}
        }
    }

    fn message(
        &mut self,
        topic: &str,
        payload: &[u8],
        retained: bool,
        at: At,
    ) -> Result<(), Malformed> {
        let below = topic.strip_prefix(self.config.base.as_str());
        if let Some(rest) = below.and_then(|t| t.strip_prefix("/bridge/")) {
            let news = bridge::read(rest, payload)?;
            self.news(news, retained, at);
            return Ok(());
        }
        match self.network.routes.get(topic).copied() {
            Some(Route::State(id)) => {
                let reports = self.network.state(id, payload, retained, at)?;
                self.scene_shown(id, retained);
                for report in reports {
                    let entity = self.network.entities.get(&id);
                    let slot = entity.and_then(|e| e.points.get(report.index)?.slot);
                    let ended = slot.and_then(|slot| {
                        self.writes.reported(slot, report.value.as_ref(), at.steady)
                    });
                    ended.into_iter().for_each(|e| self.finish(e));
                }
            }
            Some(Route::Availability(id)) => {
                self.network.availability(id, payload::said(payload)?, at);
            }
            None => {
                if let Some(base) = topic::base_of_state(topic)
                    && payload::said(payload) == Ok(Said::Online)
                {
                    self.network.bridge.other(base);
                }
            }
        }
        Ok(())
    }

    fn news(&mut self, news: BridgeNews, retained: bool, at: At) {
        match news {
            BridgeNews::State(said) => {
                self.network.bridge.say(said, at.steady);
                if said == Said::Online {
                    self.requests.forget_checks();
                    self.started = (!retained).then_some(at.steady);
                    self.poll.check_now(at.steady);
                } else {
                    self.end_all("zigbee2mqtt has stopped", at);
                }
            }
            BridgeNews::Facts(facts) => {
                self.told = true;
                self.facts(facts);
            }
            BridgeNews::Devices(devices, left_out) => {
                self.told = true;
                self.network.unreadable += left_out as u64;
                self.network.apply_devices(devices, at);
                self.scenes_listed(retained);
            }
            BridgeNews::Groups(groups, left_out) => {
                self.told = true;
                self.network.unreadable += left_out as u64;
                self.network.apply_groups(&groups, at);
                self.scenes_listed(retained);
            }
            BridgeNews::Happened(_) if retained => {}
            BridgeNews::Happened(what) => self.network.happened(&what, at),
            BridgeNews::Answered(response) => self.answered(&response, at),
            BridgeNews::Complaint(text) if self.scene_failed(&text) => {}
            BridgeNews::Complaint(text) => {
                if let Some(ended) = self.writes.complained(&text, at.steady) {
                    self.finish(ended);
                }
            }
            BridgeNews::Nothing => {}
        }
    }

    fn facts(&mut self, facts: BridgeFacts) {
        let doubts: Vec<&str> = facts.doubts().collect();
        if let Some(own) = self.network.entities.get_mut(&EntityId::Bridge) {
            own.model = format!("zigbee2mqtt {} {}", facts.version, facts.coordinator);
            own.remark = (!doubts.is_empty()).then(|| doubts.join("; "));
            own.touched = true;
        }
        self.network.facts = facts;
    }

    fn answered(&mut self, response: &Response, at: At) {
        let transaction = response.transaction.as_deref().unwrap_or_default();
        let Some((waiting, took)) = self.requests.answered(transaction, at.steady) else {
            return;
        };
        // Whatever was asked: whoever answers is there.
        if self.network.bridge.answered(at.steady) {
            self.back(at);
        }
        match waiting {
            Waiting::Check => {
                if let Some(own) = self.network.entities.get_mut(&EntityId::Bridge) {
                    let took = f64::from(u32::try_from(took).unwrap_or(u32::MAX));
                    own.latency_ms = Some(own.latency_ms.unwrap_or(took) * 0.8 + took * 0.2);
                    own.watch.hear(at.steady);
                    own.touched = true;
                }
            }
            Waiting::Operation(operation) => {
                let answer = match &response.outcome {
                    Ok(data) => Ok((operation.read)(data)),
                    Err(why) => Err(AdapterError::new(
                        ErrorClass::Misconfigured,
                        operation.what.as_str(),
                        "zigbee2mqtt",
                    )
                    .advise(format!("it answered: {why}"))),
                };
                let _gone = operation.reply.send(answer);
            }
            // Nothing answers it by its transaction.
            Waiting::Scene(..) => {}
        }
    }

    fn back(&mut self, at: At) {
        if self.searching {
            self.searching = false;
            let search = super::SEARCH.map(str::to_owned);
            self.network.effects.unsubscribe.extend(search);
        }
        self.network.bridge_is_back(at);
        self.network.refresh(at);
    }
}
