//! The plug and the thermostat of the office as Tuya devices of version 3.5 and 3.4: session key,
//! queries, writes, changes pushed as they come. Owns their data points; frames and ciphers are the
//! adapter's codec. They announce themselves to nobody.

use crate::office::Office;
use crate::plant::Plant;
use riser_tuya::codec::crypto::session_key;
use riser_tuya::codec::frame::{Frame, Peel, peel, seal};
use riser_tuya::codec::payload::{Opened, open_message, wrap};
use riser_tuya::codec::{LocalKey, Version, command};
use serde_json::{Map, Value as Json, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The key of both devices.
pub(crate) const KEY: &[u8; 16] = b"simulated-office";
/// How often a device looks whether there is a change to push.
const LOOK: Duration = Duration::from_secs(1);

/// One of the two devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// Version 3.5, data points of `plug-metering`.
    Plug,
    /// Version 3.4, data points of `thermostat-bht002`.
    Thermostat,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is measured here is far below 2^53"
)]
fn whole(value: f64) -> Json {
    json!(value.round() as i64)
}

impl Device {
    fn version(self) -> Version {
        match self {
            Self::Plug => Version::V35,
            Self::Thermostat => Version::V34,
        }
    }

    fn points(self, office: &Office) -> Map<String, Json> {
        let amperes = office.watts / office.volts.max(1.0);
        let points = match self {
            Self::Plug => json!({
                "1": office.plug,
                "18": whole(amperes * 1_000.0),
                "19": whole(office.watts * 10.0),
                "20": whole(office.volts * 10.0),
            }),
            Self::Thermostat => json!({
                "1": office.heating,
                "2": whole(office.setpoint * 2.0),
                "3": whole(office.temperature * 2.0),
                "4": "1",
                "5": office.saving,
                "6": office.locked,
            }),
        };
        points.as_object().cloned().unwrap_or_default()
    }

    /// Takes a written data point, if it is one that can be written, and as such.
    fn write(self, office: &mut Office, point: &str, value: &Json) {
        let switch = |place: &mut bool| *place = value.as_bool().unwrap_or(*place);
        match (self, point) {
            (Self::Plug, "1") => switch(&mut office.plug),
            (Self::Thermostat, "1") => switch(&mut office.heating),
            (Self::Thermostat, "2") => {
                let wanted = value.as_f64().map(|v| v / 2.0);
                let wanted = wanted.filter(|v| (5.0..=35.0).contains(v));
                office.setpoint = wanted.unwrap_or(office.setpoint);
            }
            (Self::Thermostat, "5") => switch(&mut office.saving),
            (Self::Thermostat, "6") => switch(&mut office.locked),
            _ => {}
        }
    }
}

/// One client of a device.
struct Session {
    device: Device,
    plant: Arc<Mutex<Plant>>,
    key: LocalKey,
    theirs: [u8; 16],
    ours: [u8; 16],
    sequence: u32,
    /// What was told last; none before the client has asked.
    told: Option<Map<String, Json>>,
}

impl Session {
    fn new(device: Device, plant: Arc<Mutex<Plant>>) -> Self {
        Self {
            device,
            plant,
            key: LocalKey::new(*KEY),
            theirs: [0; 16],
            ours: rand::random(),
            sequence: 0,
            told: None,
        }
    }

    fn say(&self, sequence: u32, command: u32, plain: &[u8], key: &LocalKey) -> Vec<u8> {
        let version = self.device.version();
        let secret = match plain {
            [] => Vec::new(),
            plain => wrap(plain, command, version, key),
        };
        // Four octets of return code come before all that devices say.
        let body = [&[0; 4][..], &secret].concat();
        let frame = Frame {
            sequence,
            command,
            body,
        };
        seal(&frame, version.framing(), key, rand::random())
    }

    fn points(&self) -> Map<String, Json> {
        let plant = self.plant.lock().unwrap_or_else(PoisonError::into_inner);
        self.device.points(&plant.office)
    }

    /// What has changed since it was told, as a frame; nothing when nothing has.
    fn push(&mut self) -> Vec<u8> {
        let now = self.points();
        let Some(told) = self.told.replace(now.clone()) else {
            self.told = None;
            return Vec::new();
        };
        let changed: Map<String, Json> = now
            .into_iter()
            .filter(|(point, value)| told.get(point) != Some(value))
            .collect();
        if changed.is_empty() {
            return Vec::new();
        }
        self.sequence += 1;
        let text = json!({"protocol": 4, "data": {"dps": changed}}).to_string();
        self.say(self.sequence, command::STATUS, text.as_bytes(), &self.key)
    }

    fn answer(&mut self, asked: &Opened) -> Option<Vec<u8>> {
        let sequence = asked.sequence;
        self.sequence = self.sequence.max(sequence);
        match asked.command {
            command::NEGOTIATE_START => {
                self.theirs = asked.plain.get(..16)?.try_into().ok()?;
                let own = LocalKey::new(*KEY);
                let plain = [&self.ours[..], &own.sign(&self.theirs)].concat();
                Some(self.say(sequence, command::NEGOTIATE_ANSWER, &plain, &own))
            }
            command::NEGOTIATE_FINISH => {
                let own = LocalKey::new(*KEY);
                let gcm = self.device.version() == Version::V35;
                own.verify(&self.ours, &asked.plain).then_some(())?;
                self.key = session_key(&own, gcm, self.theirs, self.ours);
                None
            }
            command::QUERY | command::QUERY_NEW => {
                let points = self.points();
                let text = json!({"dps": points}).to_string();
                self.told = Some(points);
                Some(self.say(sequence, asked.command, text.as_bytes(), &self.key))
            }
            command::CONTROL | command::CONTROL_NEW => {
                let ask: Json = serde_json::from_slice(&asked.plain).ok()?;
                let points = ask.get("dps").or_else(|| ask.get("data")?.get("dps"))?;
                {
                    let mut plant = self.plant.lock().unwrap_or_else(PoisonError::into_inner);
                    for (point, value) in points.as_object()? {
                        self.device.write(&mut plant.office, point, value);
                    }
                }
                let mut out = self.say(sequence, asked.command, &[], &self.key);
                out.extend(self.push());
                Some(out)
            }
            // A sign of life, or points to be measured anew: they always are.
            _ => Some(self.say(sequence, asked.command, &[], &self.key)),
        }
    }

    /// Takes every whole frame off the front of what was received; what is to be said.
    fn take(&mut self, received: &mut Vec<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            match peel(received) {
                Peel::Frame(length) => {
                    let frame: Vec<u8> = received.drain(..length).collect();
                    let opened = open_message(&frame, self.device.version(), &self.key);
                    out.extend(
                        opened
                            .ok()
                            .and_then(|o| self.answer(&o))
                            .unwrap_or_default(),
                    );
                }
                Peel::Stray(octets) => {
                    received.drain(..octets);
                }
                Peel::More => return out,
            }
        }
    }

    async fn run(mut self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut received = Vec::new();
        let mut look = tokio::time::interval(LOOK);
        loop {
            let out = tokio::select! {
                read = stream.read_buf(&mut received) => match read? {
                    0 => return Ok(()),
                    _ => self.take(&mut received),
                },
                _ = look.tick() => self.push(),
            };
            stream.write_all(&out).await?;
        }
    }
}

/// Binds and serves until the process ends.
pub(crate) async fn listen(
    address: SocketAddr,
    plant: Arc<Mutex<Plant>>,
    device: Device,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let session = Session::new(device, Arc::clone(&plant));
            tokio::spawn(async move {
                if let Err(error) = session.run(stream).await {
                    tracing::debug!(%error, %peer, ?device, "connection ended");
                }
            });
        }
    });
    Ok(())
}
