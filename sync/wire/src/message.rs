//! The messages beside the frames: what a gateway says of itself, what the cloud answers. Owns
//! the types and their bounds; the protobuf twins live in `proto`.

use crate::from_proto::uuid;
use crate::limits::{MAX_FRAME, MAX_LEASE_PATHS, MAX_RANGES};
use crate::topic::{DownTopic, UpTopic};
use crate::{Epoch, Stream, WireError, peek, peek_rollup, proto};
use prost::Message;
use riser_model::{
    Acknowledgement, AlarmId, Author, Command, ConfigurationAsk, PointPath, ScanBatch, Timestamp,
};
use std::net::IpAddr;
use uuid::Uuid;

/// First message after every connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Version of the gateway software.
    pub version: String,
    /// The numbering in use.
    pub epoch: Epoch,
    /// New with every start of the gateway process.
    pub boot: Uuid,
    /// The name people read.
    pub name: String,
    /// How far each stream has been numbered.
    pub streams: Vec<StreamHead>,
    /// It sends rollups, if the cloud answers with [`Down::RolledUp`].
    pub rollups: bool,
}

/// The highest sequence number given out so far; 0 before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamHead {
    /// Which stream.
    pub stream: Stream,
    /// Highest sequence number.
    pub head: u64,
}

/// Sign of life; the cloud answers with the nonce after its own commit queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Comes back in the answer.
    pub nonce: u64,
    /// Gateway clock.
    pub sent_at: Timestamp,
    /// Batches not yet called durable.
    pub backlog_batches: u64,
    /// Their octets.
    pub backlog_bytes: u64,
    /// Age of the oldest in milliseconds.
    pub backlog_age_ms: u64,
}

/// What the cloud has committed of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// The numbering meant.
    pub epoch: Epoch,
    /// The stream meant.
    pub stream: Stream,
    /// Everything from 1 to this is committed; 0 for nothing.
    pub contiguous: u64,
    /// Committed above that: inclusive, ascending, disjoint, at most [`MAX_RANGES`].
    pub ranges: Vec<(u64, u64)>,
}

/// "Send these points as they are read."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchLease {
    /// The points; replaces the lease before.
    pub paths: Vec<PointPath>,
    /// For how long.
    pub seconds: u32,
}

/// "Change your configuration." Only changes travel: apply, confirm, revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationRequest {
    /// Its name; the gateway's audit log says under it what became of it.
    pub request: Uuid,
    /// Who asks.
    pub author: Author,
    /// Not begun after this.
    pub expires_at: Timestamp,
    /// What is asked.
    pub ask: ConfigurationAsk,
    /// The address the person came from, where known.
    pub from: Option<IpAddr>,
}

/// Gateway to cloud.
#[derive(Debug, Clone, PartialEq)]
pub enum Up {
    /// On `up/hello`.
    Hello(Hello),
    /// A frame, on `up/event` or `up/data`.
    Batch(Vec<u8>),
    /// On `up/rollup`.
    Rollup(Vec<u8>),
    /// On `up/watch`, QoS 0.
    Watch(Vec<ScanBatch>),
    /// On `up/heartbeat`.
    Heartbeat(Heartbeat),
}

impl Up {
    /// The payload to publish.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        use proto::up::Kind;
        let kind = match self {
            Self::Batch(frame) | Self::Rollup(frame) => return frame,
            Self::Hello(hello) => Kind::Hello(hello.into()),
            Self::Watch(scans) => Kind::Watch(proto::Watch::from(scans.as_slice())),
            Self::Heartbeat(heartbeat) => Kind::Heartbeat(heartbeat.into()),
        };
        proto::Up { kind: Some(kind) }.encode_to_vec()
    }

    /// Reads a payload that came on `topic`. The checksum of a frame is verified, its body is not
    /// decoded.
    pub fn decode(topic: UpTopic, payload: &[u8]) -> Result<Self, WireError> {
        use proto::up::Kind;
        if matches!(topic, UpTopic::Event | UpTopic::Data) {
            let stream = if topic == UpTopic::Event {
                Stream::Event
            } else {
                Stream::Data
            };
            if peek(payload)?.stream != stream {
                return Err(WireError::Malformed(
                    "the frame belongs to the other stream",
                ));
            }
            return Ok(Self::Batch(payload.to_vec()));
        }
        if topic == UpTopic::Rollup {
            peek_rollup(payload)?;
            return Ok(Self::Rollup(payload.to_vec()));
        }
        WireError::check("length of a message", payload.len(), MAX_FRAME)?;
        match (topic, proto::Up::decode(payload)?.kind) {
            (UpTopic::Hello, Some(Kind::Hello(hello))) => Ok(Self::Hello(hello.try_into()?)),
            (UpTopic::Watch, Some(Kind::Watch(watch))) => Ok(Self::Watch(watch.try_into()?)),
            (UpTopic::Heartbeat, Some(Kind::Heartbeat(beat))) => Ok(Self::Heartbeat(beat.into())),
            (_, None) => Err(WireError::Unknown {
                what: "message",
                code: 0,
            }),
            _ => Err(WireError::Malformed(
                "the message does not belong on this topic",
            )),
        }
    }
}

/// Cloud to gateway.
#[derive(Debug, Clone, PartialEq)]
pub enum Down {
    /// These batches are committed: their rows may go.
    Durable(Durable),
    /// This batch will never be taken: keep it aside.
    Rejected {
        /// The numbering meant.
        epoch: Epoch,
        /// The stream meant.
        stream: Stream,
        /// The batch.
        seq: u64,
        /// Why, in words.
        reason: String,
    },
    /// Answer to a heartbeat.
    Heartbeat {
        /// Of the heartbeat.
        nonce: u64,
    },
    /// Write a point.
    Command {
        /// Which, to what, by whom.
        command: Command,
        /// The address the person came from, where known.
        from: Option<IpAddr>,
    },
    /// A person on the cloud has taken an alarm.
    Acknowledge {
        /// Which occurrence.
        alarm: AlarmId,
        /// Who, when, what they wrote.
        acknowledgement: Acknowledgement,
        /// The address the person came from, where known.
        from: Option<IpAddr>,
    },
    /// Send these points as they are read.
    Watch(WatchLease),
    /// Change the configuration.
    Configuration(ConfigurationRequest),
    /// Minutes since 1970 the cloud has a rollup of, or all batches: inclusive, ascending, disjoint,
    /// at most [`MAX_RANGES`].
    RolledUp(Vec<(u64, u64)>),
}

impl Down {
    /// The topic this message is published on.
    #[must_use]
    pub fn topic(&self) -> DownTopic {
        match self {
            Self::Durable(_) | Self::Rejected { .. } | Self::RolledUp(_) => DownTopic::Ack,
            Self::Heartbeat { .. } => DownTopic::Heartbeat,
            Self::Command { .. } | Self::Acknowledge { .. } | Self::Configuration(_) => {
                DownTopic::Command
            }
            Self::Watch(_) => DownTopic::Watch,
        }
    }

    /// The payload to publish.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        use proto::down::Kind;
        let from = self.from().map(|address| address.to_string());
        let kind = match self {
            Self::Durable(durable) => Kind::Durable(durable.into()),
            Self::Rejected {
                epoch,
                stream,
                seq,
                reason,
            } => Kind::Rejected(proto::Rejected {
                epoch: epoch.0.as_bytes().to_vec(),
                stream: proto::Stream::from(stream).into(),
                seq,
                reason,
            }),
            Self::Heartbeat { nonce } => Kind::Heartbeat(proto::HeartbeatReply { nonce }),
            Self::Command { command, .. } => Kind::Command((&command).into()),
            Self::Acknowledge {
                alarm,
                acknowledgement,
                ..
            } => Kind::Acknowledge(proto::Acknowledge {
                alarm: alarm.0.as_bytes().to_vec(),
                acknowledgement: Some((&acknowledgement).into()),
            }),
            Self::Watch(lease) => Kind::Watch(proto::WatchLease {
                paths: lease.paths.iter().map(ToString::to_string).collect(),
                seconds: lease.seconds,
            }),
            Self::Configuration(request) => Kind::Configuration(request.into()),
            Self::RolledUp(minutes) => Kind::RolledUp(proto::RolledUp {
                minutes: minutes
                    .into_iter()
                    .map(|(first, last)| proto::Range { first, last })
                    .collect(),
            }),
        };
        let (kind, from) = (Some(kind), from.unwrap_or_default());
        proto::Down { kind, from }.encode_to_vec()
    }

    /// The address of the person who asks for it, where there is one and it is known.
    fn from(&self) -> Option<IpAddr> {
        match self {
            Self::Command { from, .. } | Self::Acknowledge { from, .. } => *from,
            Self::Configuration(request) => request.from,
            _ => None,
        }
    }

    /// Reads a payload. An address that is none is passed over: it says where somebody was, and what
    /// they want does not depend on it.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        use proto::down::Kind;
        WireError::check("length of a message", payload.len(), MAX_FRAME)?;
        let proto::Down { kind, from } = proto::Down::decode(payload)?;
        let from = from.parse().ok();
        let kind = kind.ok_or(WireError::Unknown {
            what: "message",
            code: 0,
        })?;
        Ok(match kind {
            Kind::Durable(durable) => {
                let durable = Durable::try_from(durable)?;
                durable.check()?;
                Self::Durable(durable)
            }
            Kind::Rejected(rejected) => Self::Rejected {
                epoch: Epoch(uuid(&rejected.epoch)?),
                stream: proto::Stream::model(rejected.stream)?,
                seq: rejected.seq,
                reason: rejected.reason,
            },
            Kind::Heartbeat(reply) => Self::Heartbeat { nonce: reply.nonce },
            Kind::Command(command) => Self::Command {
                command: command.try_into()?,
                from,
            },
            Kind::Acknowledge(acknowledge) => Self::Acknowledge {
                alarm: AlarmId(uuid(&acknowledge.alarm)?),
                acknowledgement: acknowledge
                    .acknowledgement
                    .ok_or(WireError::Truncated("acknowledge"))?
                    .try_into()?,
                from,
            },
            Kind::RolledUp(rolled) => {
                let range = |r: &proto::Range| (r.first, r.last);
                let minutes: Vec<(u64, u64)> = rolled.minutes.iter().map(range).collect();
                ordered(0, &minutes)?;
                Self::RolledUp(minutes)
            }
            Kind::Configuration(request) => {
                let request = ConfigurationRequest::try_from(request)?;
                Self::Configuration(ConfigurationRequest { from, ..request })
            }
            Kind::Watch(lease) => {
                WireError::check("paths in a lease", lease.paths.len(), MAX_LEASE_PATHS)?;
                let paths = lease
                    .paths
                    .iter()
                    .map(|p| p.parse())
                    .collect::<Result<_, _>>()?;
                Self::Watch(WatchLease {
                    paths,
                    seconds: lease.seconds,
                })
            }
        })
    }
}

impl Durable {
    /// Refuses ranges that are too many, empty, out of order or not above the contiguous mark.
    fn check(&self) -> Result<(), WireError> {
        ordered(self.contiguous, &self.ranges)
    }
}

/// Refuses ranges that are too many, empty, out of order or not above `last`.
fn ordered(mut last: u64, ranges: &[(u64, u64)]) -> Result<(), WireError> {
    WireError::check("durable ranges", ranges.len(), MAX_RANGES)?;
    for (first, end) in ranges {
        if *first <= last || end < first {
            return Err(WireError::Malformed("durable ranges are not in order"));
        }
        last = *end;
    }
    Ok(())
}
