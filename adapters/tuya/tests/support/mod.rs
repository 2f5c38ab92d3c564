//! A device in this process, for what must be quick and many: it keeps what is written, or its own
//! values. Framed by the adapter's own codec; `tests/peer.rs` has the independent one.

use riser_adapter_testkit::{Reply, Respond};
use riser_tuya::codec::crypto::session_key;
use riser_tuya::codec::frame::{Frame, Peel, peel, seal};
use riser_tuya::codec::payload::{Opened, open_message, wrap};
use riser_tuya::codec::{LocalKey, Version, command};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub(crate) const ID: &str = "bf0123456789abcdef01ab";
pub(crate) const KEY: LocalKey = LocalKey::new(*b"0123456789abcdef");
const OURS: [u8; 16] = *b"nonce of device!";

/// One end of one connection.
pub(crate) struct FakeDevice {
    version: Version,
    stubborn: bool,
    key: LocalKey,
    theirs: [u8; 16],
    points: BTreeMap<String, Json>,
}

impl FakeDevice {
    pub(crate) fn boxed(version: Version, stubborn: bool) -> Box<dyn Respond> {
        let points = json!({"1": false, "2": 200, "5": 205});
        Box::new(Self {
            version,
            stubborn,
            key: KEY,
            theirs: [0; 16],
            points: serde_json::from_value(points).unwrap_or_default(),
        })
    }

    fn say(&self, sequence: u32, command: u32, body: &[u8], key: &LocalKey) -> Vec<u8> {
        let body = [&[0; 4][..], body].concat();
        seal(
            &Frame {
                sequence,
                command,
                body,
            },
            self.version.framing(),
            key,
            rand_nonce(sequence),
        )
    }

    fn report(&self, sequence: u32, command: u32) -> Vec<u8> {
        let text = json!({"dps": self.points}).to_string();
        let body = wrap(text.as_bytes(), command, self.version, &self.key);
        self.say(sequence, command, &body, &self.key)
    }

    fn answer(&mut self, asked: &Opened) -> Option<Vec<u8>> {
        let ask: Json = serde_json::from_slice(&asked.plain).unwrap_or_default();
        let sequence = asked.sequence;
        match asked.command {
            command::NEGOTIATE_START => {
                self.theirs.copy_from_slice(asked.plain.get(..16)?);
                let plain = [&OURS[..], &KEY.sign(&self.theirs)].concat();
                let body = wrap(&plain, command::NEGOTIATE_ANSWER, self.version, &KEY);
                Some(self.say(sequence, command::NEGOTIATE_ANSWER, &body, &KEY))
            }
            command::NEGOTIATE_FINISH => {
                let gcm = self.version == Version::V35;
                self.key = session_key(&KEY, gcm, self.theirs, OURS);
                None
            }
            command::QUERY | command::QUERY_NEW => Some(self.report(sequence, asked.command)),
            command::CONTROL | command::CONTROL_NEW => {
                let dps = ask
                    .get("dps")
                    .or_else(|| ask.get("data")?.get("dps"))?
                    .as_object()?;
                if !self.stubborn {
                    self.points.extend(dps.clone());
                }
                let mut out = self.say(sequence, asked.command, &[], &self.key);
                out.extend(self.report(sequence + 1, command::STATUS));
                Some(out)
            }
            _ => Some(self.say(sequence, asked.command, &[], &self.key)),
        }
    }
}

/// Never twice the same within a test.
fn rand_nonce(sequence: u32) -> [u8; 12] {
    let mut nonce = [7; 12];
    nonce[..4].copy_from_slice(&sequence.to_be_bytes());
    nonce
}

impl Respond for FakeDevice {
    fn respond(&mut self, received: &mut Vec<u8>) -> Vec<Reply> {
        let mut replies = Vec::new();
        loop {
            match peel(received) {
                Peel::Frame(length) => {
                    let frame: Vec<u8> = received.drain(..length).collect();
                    let opened = open_message(&frame, self.version, &self.key);
                    let answer = opened.ok().and_then(|o| self.answer(&o));
                    replies.extend(answer.map(Reply::now));
                }
                Peel::Stray(octets) => {
                    received.drain(..octets);
                }
                Peel::More => return replies,
            }
        }
    }
}
