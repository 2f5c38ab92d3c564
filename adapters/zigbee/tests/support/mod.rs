//! A broker, a bridge and its devices in one: answers MQTT 5 in octets, checks at once, and tells its
//! script message by message, one for each check. Owns no rule of the adapter.

use bytes::BytesMut;
use riser_adapter_testkit::{Reply, Respond};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, Packet, PingResp, PubAck, Publish, SubAck, SubscribeReasonCode,
    UnsubAck, UnsubAckReason,
};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the near side of every connection shares.
#[derive(Debug, Default)]
pub(crate) struct House {
    /// Kept by the broker.
    pub(crate) retained: BTreeMap<String, String>,
    /// Told one by one, each after a check.
    pub(crate) script: VecDeque<(String, String)>,
    /// Told after every check, as it is then: topic and state.
    pub(crate) state: Option<(String, Json)>,
    /// It takes commands and does not follow them.
    pub(crate) stubborn: bool,
    /// What was published to it.
    pub(crate) heard: Vec<(String, String)>,
    /// Checks answered.
    pub(crate) checks: usize,
}

/// Shared.
pub(crate) type Shared = Arc<Mutex<House>>;

/// One connection.
pub(crate) struct Near {
    house: Shared,
    filters: Vec<String>,
}

impl Near {
    pub(crate) fn boxed(house: &Shared) -> Box<dyn Respond> {
        Box::new(Self {
            house: Arc::clone(house),
            filters: Vec::new(),
        })
    }

    fn wanted(&self, topic: &str) -> bool {
        self.filters.iter().any(|filter| matches(filter, topic))
    }

    fn publish(&self, out: &mut BytesMut, topic: &str, payload: &str, retain: bool) {
        if self.wanted(topic) {
            let mut publish = Publish::new(topic, QoS::AtMostOnce, payload.to_owned(), None);
            publish.retain = retain;
            Packet::Publish(publish).write(out, None).expect("a packet");
        }
    }

    fn answer(&mut self, packet: Packet) -> Option<Reply> {
        let mut out = BytesMut::new();
        let mut after = Duration::ZERO;
        let mut write = |packet: Packet| {
            packet.write(&mut out, None).expect("a packet");
        };
        match packet {
            Packet::Connect(..) => write(Packet::ConnAck(ConnAck {
                session_present: false,
                code: ConnectReturnCode::Success,
                properties: None,
            })),
            Packet::PingReq(_) => write(Packet::PingResp(PingResp)),
            Packet::Subscribe(subscribe) => {
                let codes = subscribe
                    .filters
                    .iter()
                    .map(|_| SubscribeReasonCode::Success(QoS::AtMostOnce));
                write(Packet::SubAck(SubAck {
                    pkid: subscribe.pkid,
                    return_codes: codes.collect(),
                    properties: None,
                }));
                let new: Vec<String> = subscribe.filters.into_iter().map(|f| f.path).collect();
                let retained = self.house.lock().expect("no panic").retained.clone();
                self.filters.extend(new.iter().cloned());
                for (topic, payload) in retained {
                    if new.iter().any(|filter| matches(filter, &topic)) {
                        self.publish(&mut out, &topic, &payload, true);
                    }
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.filters.retain(|f| !unsubscribe.filters.contains(f));
                write(Packet::UnsubAck(UnsubAck {
                    pkid: unsubscribe.pkid,
                    reasons: vec![UnsubAckReason::Success; unsubscribe.filters.len()],
                    properties: None,
                }));
            }
            Packet::Publish(publish) => {
                write(Packet::PubAck(PubAck::new(publish.pkid, None)));
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                if topic.ends_with("/set") {
                    after = Duration::from_millis(5);
                }
                self.told(&topic, &payload, &mut out);
            }
            _ => return None,
        }
        Some(Reply {
            octets: out.to_vec(),
            after,
            close: false,
        })
    }

    /// Something was published to the bridge or a device.
    fn told(&mut self, topic: &str, payload: &str, out: &mut BytesMut) {
        let given: Json = serde_json::from_str(payload).unwrap_or_default();
        let mut messages = Vec::new();
        {
            let mut house = self.house.lock().expect("no panic");
            if topic.ends_with("bridge/request/health_check") {
                house.checks += 1;
                let answer = json!({"data": {"healthy": true}, "status": "ok", "transaction": given["transaction"]});
                messages.push((topic.replace("/request/", "/response/"), answer.to_string()));
                messages.extend(house.script.pop_front());
            } else {
                house.heard.push((topic.to_owned(), payload.to_owned()));
                if topic.ends_with("/set")
                    && !house.stubborn
                    && let Some((_, state)) = &mut house.state
                {
                    for (key, value) in given.as_object().into_iter().flatten() {
                        state[key] = value.clone();
                    }
                }
            }
            if let Some((topic, state)) = &house.state {
                messages.push((topic.clone(), state.to_string()));
            }
        }
        for (topic, payload) in messages {
            self.publish(out, &topic, &payload, false);
        }
    }
}

impl Respond for Near {
    fn respond(&mut self, received: &mut Vec<u8>) -> Vec<Reply> {
        let mut stream = BytesMut::from(&received[..]);
        let mut replies = Vec::new();
        while let Ok(packet) = Packet::read(&mut stream, Some(1 << 20)) {
            replies.extend(self.answer(packet));
        }
        *received = stream.to_vec();
        replies
    }
}

/// MQTT 5.0, 4.7: whether a topic matches a filter.
fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}
