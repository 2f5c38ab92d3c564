//! Wire to model. Checks every name, number and enumeration; an enumeration value from a newer
//! version is [`WireError::Unknown`], a unit from a newer version is read as none.

use crate::body::quality;
use crate::{BatchHeader, Durable, Epoch, Heartbeat, Hello, Stream, StreamHead, WireError, proto};
use riser_model::{
    Access, Acknowledgement, Alarm, AlarmId, AlarmPriority, AlarmState, AuditEntry, AuditHash,
    Author, AuthorKind, ClockState, Command, CommandId, CommandState, Event, HeldBy, Key, Label,
    Limits, Outcome, Point, PointDirectory, PointPath, Priority, Reading, ScanBatch, Slot,
    Timestamp, Unit, Value, ValueKind,
};
use uuid::Uuid;

/// An enumeration value; unspecified and unknown ones are refused by name.
fn known<T: TryFrom<i32>>(what: &'static str, code: i32) -> Result<T, WireError> {
    T::try_from(code).map_err(|_| unknown(what, code))
}

fn unknown(what: &'static str, code: i32) -> WireError {
    WireError::Unknown {
        what,
        code: i64::from(code),
    }
}

/// A part that every version has written.
fn required<T>(what: &'static str, part: Option<T>) -> Result<T, WireError> {
    part.ok_or(WireError::Truncated(what))
}

impl proto::Stream {
    /// A stream out of its code.
    pub(crate) fn model(code: i32) -> Result<Stream, WireError> {
        match known("stream", code)? {
            Self::Event => Ok(Stream::Event),
            Self::Data => Ok(Stream::Data),
            Self::Unspecified => Err(unknown("stream", code)),
        }
    }
}

/// An id of 16 octets.
pub(crate) fn uuid(octets: &[u8]) -> Result<Uuid, WireError> {
    Uuid::from_slice(octets).map_err(|_| WireError::Malformed("an id is not 16 octets long"))
}

impl TryFrom<&proto::FrameHeader> for BatchHeader {
    type Error = WireError;
    fn try_from(wire: &proto::FrameHeader) -> Result<Self, WireError> {
        Ok(Self {
            epoch: Epoch(uuid(&wire.epoch)?),
            stream: proto::Stream::model(wire.stream)?,
            seq: wire.seq,
            first_at: Timestamp(wire.first_at),
            last_at: Timestamp(wire.last_at),
            dictionary: wire.dictionary,
            // A clock state from a newer version is trusted no further than none at all.
            clock: match proto::Clock::try_from(wire.clock) {
                Ok(proto::Clock::Synchronised) => ClockState::Synchronised,
                _ => ClockState::Unsynchronised,
            },
            samples: wire.samples,
        })
    }
}

/// A value; unset is unknown.
fn value(wire: Option<&proto::Value>) -> Option<Value> {
    use proto::value::Kind;
    Some(match wire?.kind.as_ref()? {
        Kind::Bool(on) => Value::Bool(*on),
        Kind::Int(integer) => Value::Int(*integer),
        Kind::Float(real) => Value::Float(*real),
        Kind::Text(text) => Value::text(text),
    })
}

impl TryFrom<proto::Author> for Author {
    type Error = WireError;
    fn try_from(wire: proto::Author) -> Result<Self, WireError> {
        let kind = match known("kind of author", wire.kind)? {
            proto::AuthorKind::Local => AuthorKind::Local,
            proto::AuthorKind::Cloud => AuthorKind::Cloud,
            proto::AuthorKind::Rule => AuthorKind::Rule,
            proto::AuthorKind::System => AuthorKind::System,
            proto::AuthorKind::Unspecified => return Err(unknown("kind of author", wire.kind)),
        };
        Ok(Self {
            kind,
            name: wire.name,
        })
    }
}

fn priority(level: u32) -> Result<Priority, WireError> {
    u8::try_from(level)
        .ok()
        .and_then(Priority::new)
        .ok_or(WireError::Malformed("a priority is not between 1 and 16"))
}

impl TryFrom<proto::Command> for Command {
    type Error = WireError;
    fn try_from(wire: proto::Command) -> Result<Self, WireError> {
        Ok(Self {
            id: CommandId(uuid(&wire.id)?),
            path: wire.path.parse()?,
            value: written(wire.value.as_ref())?,
            priority: priority(wire.priority)?,
            issued_at: Timestamp(wire.issued_at),
            expires_at: Timestamp(wire.expires_at),
            hold_until: wire.hold_until.map(Timestamp),
            author: required("command", wire.author)?.try_into()?,
        })
    }
}

/// A value to be written. Absent means release; present but of a kind this version does not know
/// must not be taken for one.
fn written(wire: Option<&proto::Value>) -> Result<Option<Value>, WireError> {
    match value(wire) {
        None if wire.is_some() => Err(WireError::Unknown {
            what: "kind of value",
            code: 0,
        }),
        value => Ok(value),
    }
}

fn command_state(code: i32) -> Result<CommandState, WireError> {
    use proto::CommandState as Wire;
    Ok(match known("command state", code)? {
        Wire::Requested => CommandState::Requested,
        Wire::Sent => CommandState::Sent,
        Wire::Applied => CommandState::Applied,
        Wire::AcceptedNotEffective => CommandState::AcceptedNotEffective,
        Wire::Refused => CommandState::Refused,
        Wire::Expired => CommandState::Expired,
        Wire::Failed => CommandState::Failed,
        Wire::Unspecified => return Err(unknown("command state", code)),
    })
}

impl TryFrom<proto::HeldBy> for HeldBy {
    type Error = WireError;
    fn try_from(wire: proto::HeldBy) -> Result<Self, WireError> {
        Ok(Self {
            priority: priority(wire.priority)?,
            author: wire.author.map(TryInto::try_into).transpose()?,
        })
    }
}

impl TryFrom<proto::Outcome> for Outcome {
    type Error = WireError;
    fn try_from(wire: proto::Outcome) -> Result<Self, WireError> {
        Ok(Self {
            command: CommandId(uuid(&wire.command)?),
            state: command_state(wire.state)?,
            at: Timestamp(wire.at),
            detail: wire.detail,
            read_back: value(wire.read_back.as_ref()),
            held_by: wire.held_by.map(TryInto::try_into).transpose()?,
        })
    }
}

impl TryFrom<proto::Acknowledgement> for Acknowledgement {
    type Error = WireError;
    fn try_from(wire: proto::Acknowledgement) -> Result<Self, WireError> {
        Ok(Self {
            by: required("acknowledgement", wire.by)?.try_into()?,
            at: Timestamp(wire.at),
            comment: wire.comment,
        })
    }
}

fn alarm_priority(code: i32) -> Result<AlarmPriority, WireError> {
    use proto::AlarmPriority as Wire;
    Ok(match known("alarm priority", code)? {
        Wire::Low => AlarmPriority::Low,
        Wire::Medium => AlarmPriority::Medium,
        Wire::High => AlarmPriority::High,
        Wire::Critical => AlarmPriority::Critical,
        Wire::Unspecified => return Err(unknown("alarm priority", code)),
    })
}

fn alarm_state(code: i32) -> Result<AlarmState, WireError> {
    use proto::AlarmState as Wire;
    Ok(match known("alarm state", code)? {
        Wire::ActiveUnacknowledged => AlarmState::ActiveUnacknowledged,
        Wire::ActiveAcknowledged => AlarmState::ActiveAcknowledged,
        Wire::ClearedUnacknowledged => AlarmState::ClearedUnacknowledged,
        Wire::Normal => AlarmState::Normal,
        Wire::Unspecified => return Err(unknown("alarm state", code)),
    })
}

impl TryFrom<proto::Alarm> for Alarm {
    type Error = WireError;
    fn try_from(wire: proto::Alarm) -> Result<Self, WireError> {
        Ok(Self {
            id: AlarmId(uuid(&wire.id)?),
            rule: Key::new(&wire.rule)?,
            path: wire.path.parse()?,
            priority: alarm_priority(wire.priority)?,
            message: wire.message,
            state: alarm_state(wire.state)?,
            raised_at: Timestamp(wire.raised_at),
            value: value(wire.value.as_ref()),
            limit: wire.limit,
            cleared_at: wire.cleared_at.map(Timestamp),
            acknowledged: wire.acknowledged.map(TryInto::try_into).transpose()?,
        })
    }
}

impl TryFrom<proto::Directory> for PointDirectory {
    type Error = WireError;
    fn try_from(wire: proto::Directory) -> Result<Self, WireError> {
        let devices = wire
            .devices
            .into_iter()
            .map(|d| Ok((Key::new(&d.key)?, d.name)))
            .collect::<Result<Vec<_>, WireError>>()?;
        let points = wire.points.into_iter().map(|p| point(p, &devices));
        Ok(Self {
            version: wire.version,
            points: points.collect::<Result<_, _>>()?,
        })
    }
}

fn point(wire: proto::Point, devices: &[(Key, String)]) -> Result<(Slot, Point), WireError> {
    let (device, device_name) = devices
        .get(wire.device as usize)
        .ok_or(WireError::Malformed(
            "a point names a device that is not there",
        ))?;
    let kind = match known("kind of point", wire.kind)? {
        proto::ValueKind::Bool => ValueKind::Bool,
        proto::ValueKind::Integer => ValueKind::Integer,
        proto::ValueKind::Float => ValueKind::Float,
        proto::ValueKind::Enum => ValueKind::Enum,
        proto::ValueKind::Text => ValueKind::Text,
        proto::ValueKind::Unspecified => return Err(unknown("kind of point", wire.kind)),
    };
    let access = match known("access", wire.access)? {
        proto::Access::Read => Access::Read,
        proto::Access::ReadWrite => Access::ReadWrite,
        proto::Access::Write => Access::Write,
        proto::Access::Unspecified => return Err(unknown("access", wire.access)),
    };
    let label = |l: proto::Label| Label {
        state: l.state,
        text: l.text,
    };
    let point = Point {
        path: PointPath::new(device.clone(), Key::new(&wire.key)?),
        name: wire.name,
        device_name: device_name.clone(),
        kind,
        unit: Unit::parse(&wire.unit).ok(),
        access,
        limits: Limits {
            min: wire.min,
            max: wire.max,
            step: wire.step,
        },
        labels: wire.labels.into_iter().map(label).collect(),
        deadband: wire.deadband,
        stale_after_ms: wire.stale_after_ms,
    };
    Ok((Slot(wire.slot), point))
}

impl TryFrom<proto::Audit> for AuditEntry {
    type Error = WireError;
    fn try_from(wire: proto::Audit) -> Result<Self, WireError> {
        let hash = |octets: Vec<u8>| {
            let octets = octets.try_into();
            octets
                .map(AuditHash)
                .map_err(|_| WireError::Malformed("a hash of an audit entry is not 32 octets"))
        };
        Ok(Self {
            chain: uuid(&wire.chain)?,
            no: wire.no,
            at: Timestamp(wire.at),
            actor: wire.actor,
            source: wire.source,
            action: wire.action,
            object: wire.object,
            detail: wire.detail,
            previous: hash(wire.previous)?,
            hash: hash(wire.hash)?,
        })
    }
}

impl TryFrom<proto::Event> for Event {
    type Error = WireError;
    fn try_from(wire: proto::Event) -> Result<Self, WireError> {
        use proto::event::Kind;
        Ok(match wire.kind.ok_or(unknown("event", 0))? {
            Kind::Directory(directory) => Self::Directory(directory.try_into()?),
            Kind::Alarm(alarm) => Self::Alarm(alarm.try_into()?),
            Kind::Command(command) => Self::Command(command.try_into()?),
            Kind::Outcome(outcome) => Self::Outcome(outcome.try_into()?),
            Kind::Loss(loss) => Self::Loss {
                at: Timestamp(loss.at),
                lane: loss.lane,
                samples: loss.samples,
                reason: loss.reason,
            },
            Kind::Audit(entry) => Self::Audit(entry.try_into()?),
            Kind::Ledger(report) => Self::Ledger(report.try_into()?),
        })
    }
}

impl TryFrom<proto::Hello> for Hello {
    type Error = WireError;
    fn try_from(wire: proto::Hello) -> Result<Self, WireError> {
        let head = |h: proto::StreamHead| {
            Ok(StreamHead {
                stream: proto::Stream::model(h.stream)?,
                head: h.head,
            })
        };
        // A stream only a newer gateway has is none of ours.
        let heads = wire.streams.into_iter().map(head).filter(Result::is_ok);
        Ok(Self {
            version: wire.version,
            epoch: Epoch(uuid(&wire.epoch)?),
            boot: uuid(&wire.boot)?,
            name: wire.name,
            streams: heads.collect::<Result<_, WireError>>()?,
            rollups: wire.rollups,
        })
    }
}

impl From<proto::Heartbeat> for Heartbeat {
    fn from(wire: proto::Heartbeat) -> Self {
        Self {
            nonce: wire.nonce,
            sent_at: Timestamp(wire.sent_at),
            backlog_batches: wire.backlog_batches,
            backlog_bytes: wire.backlog_bytes,
            backlog_age_ms: wire.backlog_age_ms,
        }
    }
}

impl TryFrom<proto::Durable> for Durable {
    type Error = WireError;
    fn try_from(wire: proto::Durable) -> Result<Self, WireError> {
        Ok(Self {
            epoch: Epoch(uuid(&wire.epoch)?),
            stream: proto::Stream::model(wire.stream)?,
            contiguous: wire.contiguous,
            ranges: wire.ranges.iter().map(|r| (r.first, r.last)).collect(),
        })
    }
}

impl TryFrom<proto::Watch> for Vec<ScanBatch> {
    type Error = WireError;
    fn try_from(wire: proto::Watch) -> Result<Self, WireError> {
        wire.scans.into_iter().map(scan).collect()
    }
}

fn scan(wire: proto::Scan) -> Result<ScanBatch, WireError> {
    if wire.slots.len() != wire.qualities.len() || wire.slots.len() != wire.values.len() {
        return Err(WireError::Malformed(
            "the columns of a scan differ in length",
        ));
    }
    let readings = wire
        .slots
        .into_iter()
        .zip(wire.qualities)
        .zip(wire.values)
        .map(|((slot, code), v)| {
            Ok(Reading {
                slot: Slot(slot),
                value: value(Some(&v)),
                quality: quality(code)?,
            })
        })
        .collect::<Result<_, WireError>>()?;
    Ok(ScanBatch {
        at: Timestamp(wire.at),
        readings,
    })
}
