//! Model to wire. The only place that builds protobuf types; [`crate::from_proto`] is its twin.

use crate::{BatchHeader, DirectoryEncoder, Durable, Heartbeat, Hello, Stream, proto};
use prost::Message;
use riser_model::{
    Access, Acknowledgement, Alarm, AlarmPriority, AlarmState, AuditEntry, Author, AuthorKind,
    ClockState, Command, CommandState, Event, HeldBy, Outcome, Point, ScanBatch, Slot, Value,
    ValueKind,
};

impl From<Stream> for proto::Stream {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Event => Self::Event,
            Stream::Data => Self::Data,
        }
    }
}

impl From<ClockState> for proto::Clock {
    fn from(clock: ClockState) -> Self {
        match clock {
            ClockState::Unsynchronised => Self::Unsynchronised,
            ClockState::Synchronised => Self::Synchronised,
        }
    }
}

impl From<&Value> for proto::Value {
    fn from(value: &Value) -> Self {
        use proto::value::Kind;
        let kind = match value {
            Value::Bool(on) => Kind::Bool(*on),
            Value::Int(integer) => Kind::Int(*integer),
            Value::Float(real) => Kind::Float(*real),
            Value::Text(text) => Kind::Text(text.as_ref().to_owned()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Author> for proto::Author {
    fn from(author: &Author) -> Self {
        let kind = match author.kind {
            AuthorKind::Local => proto::AuthorKind::Local,
            AuthorKind::Cloud => proto::AuthorKind::Cloud,
            AuthorKind::Rule => proto::AuthorKind::Rule,
            AuthorKind::System => proto::AuthorKind::System,
        };
        Self {
            kind: kind.into(),
            name: author.name.clone(),
        }
    }
}

impl From<&Command> for proto::Command {
    fn from(command: &Command) -> Self {
        Self {
            id: command.id.0.as_bytes().to_vec(),
            path: command.path.to_string(),
            value: command.value.as_ref().map(Into::into),
            priority: u32::from(command.priority.level()),
            issued_at: command.issued_at.0,
            expires_at: command.expires_at.0,
            hold_until: command.hold_until.map(|t| t.0),
            author: Some((&command.author).into()),
        }
    }
}

impl From<CommandState> for proto::CommandState {
    fn from(state: CommandState) -> Self {
        match state {
            CommandState::Requested => Self::Requested,
            CommandState::Sent => Self::Sent,
            CommandState::Applied => Self::Applied,
            CommandState::AcceptedNotEffective => Self::AcceptedNotEffective,
            CommandState::Refused => Self::Refused,
            CommandState::Expired => Self::Expired,
            CommandState::Failed => Self::Failed,
        }
    }
}

impl From<&HeldBy> for proto::HeldBy {
    fn from(held: &HeldBy) -> Self {
        Self {
            priority: u32::from(held.priority.level()),
            author: held.author.as_ref().map(Into::into),
        }
    }
}

impl From<&Outcome> for proto::Outcome {
    fn from(outcome: &Outcome) -> Self {
        Self {
            command: outcome.command.0.as_bytes().to_vec(),
            state: proto::CommandState::from(outcome.state).into(),
            at: outcome.at.0,
            detail: outcome.detail.clone(),
            read_back: outcome.read_back.as_ref().map(Into::into),
            held_by: outcome.held_by.as_ref().map(Into::into),
        }
    }
}

impl From<&Acknowledgement> for proto::Acknowledgement {
    fn from(acknowledgement: &Acknowledgement) -> Self {
        Self {
            by: Some((&acknowledgement.by).into()),
            at: acknowledgement.at.0,
            comment: acknowledgement.comment.clone(),
        }
    }
}

impl From<&Alarm> for proto::Alarm {
    fn from(alarm: &Alarm) -> Self {
        let priority = match alarm.priority {
            AlarmPriority::Low => proto::AlarmPriority::Low,
            AlarmPriority::Medium => proto::AlarmPriority::Medium,
            AlarmPriority::High => proto::AlarmPriority::High,
            AlarmPriority::Critical => proto::AlarmPriority::Critical,
        };
        let state = match alarm.state {
            AlarmState::ActiveUnacknowledged => proto::AlarmState::ActiveUnacknowledged,
            AlarmState::ActiveAcknowledged => proto::AlarmState::ActiveAcknowledged,
            AlarmState::ClearedUnacknowledged => proto::AlarmState::ClearedUnacknowledged,
            AlarmState::Normal => proto::AlarmState::Normal,
        };
        Self {
            id: alarm.id.0.as_bytes().to_vec(),
            rule: alarm.rule.as_str().to_owned(),
            path: alarm.path.to_string(),
            priority: priority.into(),
            message: alarm.message.clone(),
            state: state.into(),
            raised_at: alarm.raised_at.0,
            value: alarm.value.as_ref().map(Into::into),
            limit: alarm.limit,
            cleared_at: alarm.cleared_at.map(|t| t.0),
            acknowledged: alarm.acknowledged.as_ref().map(Into::into),
        }
    }
}

/// A point of the device with this number in its directory.
pub(crate) fn point(slot: Slot, point: &Point, device: u32) -> proto::Point {
    let kind = match point.kind {
        ValueKind::Bool => proto::ValueKind::Bool,
        ValueKind::Integer => proto::ValueKind::Integer,
        ValueKind::Float => proto::ValueKind::Float,
        ValueKind::Enum => proto::ValueKind::Enum,
        ValueKind::Text => proto::ValueKind::Text,
    };
    let access = match point.access {
        Access::Read => proto::Access::Read,
        Access::ReadWrite => proto::Access::ReadWrite,
        Access::Write => proto::Access::Write,
    };
    let label = |l: &riser_model::Label| proto::Label {
        state: l.state,
        text: l.text.clone(),
    };
    proto::Point {
        slot: slot.0,
        device,
        key: point.path.point.as_str().to_owned(),
        name: point.name.clone(),
        kind: kind.into(),
        unit: point
            .unit
            .map_or_else(String::new, |u| u.symbol().to_owned()),
        access: access.into(),
        min: point.limits.min,
        max: point.limits.max,
        step: point.limits.step,
        labels: point.labels.iter().map(label).collect(),
        deadband: point.deadband,
        stale_after_ms: point.stale_after_ms,
    }
}

impl From<&AuditEntry> for proto::Audit {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            chain: entry.chain.as_bytes().to_vec(),
            no: entry.no,
            at: entry.at.0,
            actor: entry.actor.clone(),
            source: entry.source.clone(),
            action: entry.action.clone(),
            object: entry.object.clone(),
            detail: entry.detail.clone(),
            previous: entry.previous.0.to_vec(),
            hash: entry.hash.0.to_vec(),
        }
    }
}

/// An event as protobuf.
pub(crate) fn event_octets(event: &Event) -> Vec<u8> {
    use proto::event::Kind;
    let kind = match event {
        Event::Directory(directory) => {
            let mut encoder = DirectoryEncoder::new(directory.version);
            for (slot, point) in &directory.points {
                encoder.push(*slot, point);
            }
            return encoder.octets();
        }
        Event::Alarm(alarm) => Kind::Alarm(alarm.into()),
        Event::Command(command) => Kind::Command(command.into()),
        Event::Outcome(outcome) => Kind::Outcome(outcome.into()),
        Event::Loss {
            at,
            lane,
            samples,
            reason,
        } => Kind::Loss(proto::Loss {
            at: at.0,
            lane: lane.clone(),
            samples: *samples,
            reason: reason.clone(),
        }),
        Event::Audit(entry) => Kind::Audit(entry.into()),
        Event::Ledger(report) => Kind::Ledger(report.into()),
    };
    proto::Event { kind: Some(kind) }.encode_to_vec()
}

impl From<Hello> for proto::Hello {
    fn from(hello: Hello) -> Self {
        let head = |h: &crate::StreamHead| proto::StreamHead {
            stream: proto::Stream::from(h.stream).into(),
            head: h.head,
        };
        Self {
            version: hello.version,
            epoch: hello.epoch.0.as_bytes().to_vec(),
            boot: hello.boot.as_bytes().to_vec(),
            name: hello.name,
            streams: hello.streams.iter().map(head).collect(),
            rollups: hello.rollups,
        }
    }
}

impl From<Heartbeat> for proto::Heartbeat {
    fn from(heartbeat: Heartbeat) -> Self {
        Self {
            nonce: heartbeat.nonce,
            sent_at: heartbeat.sent_at.0,
            backlog_batches: heartbeat.backlog_batches,
            backlog_bytes: heartbeat.backlog_bytes,
            backlog_age_ms: heartbeat.backlog_age_ms,
        }
    }
}

impl From<Durable> for proto::Durable {
    fn from(durable: Durable) -> Self {
        let range = |(first, last)| proto::Range { first, last };
        Self {
            epoch: durable.epoch.0.as_bytes().to_vec(),
            stream: proto::Stream::from(durable.stream).into(),
            contiguous: durable.contiguous,
            ranges: durable.ranges.into_iter().map(range).collect(),
        }
    }
}

impl From<&[ScanBatch]> for proto::Watch {
    fn from(scans: &[ScanBatch]) -> Self {
        let value = |v: &Option<Value>| v.as_ref().map_or_else(Default::default, Into::into);
        let scan = |scan: &ScanBatch| proto::Scan {
            at: scan.at.0,
            slots: scan.readings.iter().map(|r| r.slot.0).collect(),
            qualities: scan.readings.iter().map(|r| r.quality.code()).collect(),
            values: scan.readings.iter().map(|r| value(&r.value)).collect(),
        };
        Self {
            scans: scans.iter().map(scan).collect(),
        }
    }
}

impl BatchHeader {
    /// The header as it stands in a frame.
    pub(crate) fn to_proto(
        self,
        layout: proto::Layout,
        compression: proto::Compression,
        body_length: usize,
    ) -> proto::FrameHeader {
        proto::FrameHeader {
            epoch: self.epoch.0.as_bytes().to_vec(),
            stream: proto::Stream::from(self.stream).into(),
            seq: self.seq,
            first_at: self.first_at.0,
            last_at: self.last_at.0,
            dictionary: self.dictionary,
            clock: proto::Clock::from(self.clock).into(),
            samples: self.samples,
            compression: compression.into(),
            layout: layout.into(),
            body_length: u32::try_from(body_length).unwrap_or(u32::MAX),
        }
    }
}
