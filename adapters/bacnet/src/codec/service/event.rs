//! Alarms and events a device finds itself (clauses 13.8 to 13.12): being told, asking what stands,
//! acknowledging. Owns the octets and the words of the states; total.

use crate::codec::ids::ObjectId;
use crate::codec::tag::{
    DecodeError, Reader, number, put_close, put_context, put_context_number, put_open, unsigned,
};
use crate::codec::text;
use crate::codec::value::{Bits, Date, Datum, Time, bits};
use std::fmt;

/// Events in one answer that are taken over; a device tells of more in further answers.
const EVENTS: usize = 4096;

/// State of an object that watches itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventState(pub u32);

impl EventState {
    /// As it should be.
    pub const NORMAL: Self = Self(0);
    /// It cannot tell.
    pub const FAULT: Self = Self(1);
    /// Not as it should be, without saying in which way.
    pub const OFFNORMAL: Self = Self(2);
    /// Written names in order of the numbers.
    pub const NAMES: [&'static str; 6] = [
        "normal",
        "fault",
        "off normal",
        "high limit",
        "low limit",
        "life safety alarm",
    ];

    /// Which of the three transitions leads here: 0 off normal, 1 fault, 2 normal.
    #[must_use]
    pub fn transition(self) -> usize {
        match self {
            Self::NORMAL => 2,
            Self::FAULT => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for EventState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = usize::try_from(self.0)
            .ok()
            .and_then(|n| Self::NAMES.get(n));
        match name {
            Some(name) => f.write_str(name),
            None => write!(f, "state {}", self.0),
        }
    }
}

/// When something happened, in whichever way the device counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// A time of some day.
    Time(Time),
    /// A number that grows.
    Sequence(u32),
    /// Day and time by the device's clock.
    DateTime(Date, Time),
}

impl Stamp {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const WHAT: &str = "the stamp of an event";
        if let Some(time) = reader.optional(0)? {
            return Ok(Self::Time(Time::decode(time)?));
        }
        if let Some(sequence) = reader.optional(1)? {
            return Ok(Self::Sequence(number(sequence, WHAT)?));
        }
        let mut inner = Reader::new(reader.group(2, WHAT)?);
        let date = Date::decode(inner.application(10, WHAT)?)?;
        let time = Time::decode(inner.application(11, WHAT)?)?;
        Ok(Self::DateTime(date, time))
    }

    fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Time(time) => put_context(out, 0, &time.octets()),
            Self::Sequence(sequence) => put_context_number(out, 1, sequence.into()),
            Self::DateTime(date, time) => {
                put_open(out, 2);
                Datum::Date(date).encode(out);
                Datum::Time(time).encode(out);
                put_close(out, 2);
            }
        }
    }

    fn in_group(reader: &mut Reader<'_>, group: u8) -> Result<Self, DecodeError> {
        let octets = reader.group(group, "the stamp of an event")?;
        Self::decode(&mut Reader::new(octets))
    }

    fn put_in_group(self, out: &mut Vec<u8>, group: u8) {
        put_open(out, group);
        self.encode(out);
        put_close(out, group);
    }
}

/// What a device tells of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Number the recipient is listed with.
    pub process: u32,
    /// The device's instance.
    pub device: u32,
    /// The object the event is about.
    pub object: ObjectId,
    /// When.
    pub stamp: Stamp,
    /// Notification class.
    pub class: u32,
    /// 0, the most urgent, to 255.
    pub priority: u8,
    /// Kind of event.
    pub kind: u32,
    /// What the device says of it.
    pub text: Option<String>,
    /// 0 an alarm, 1 an event, 2 an acknowledgement.
    pub notify: u32,
    /// Whether somebody has to acknowledge it.
    pub ack_required: bool,
    /// The state before; absent in acknowledgements.
    pub from: Option<EventState>,
    /// The state now.
    pub to: EventState,
}

impl Notification {
    /// Reads the parameters; the values that led to the event are not taken over.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let process = number(reader.context(0, "a process")?, "a process")?;
        let device = ObjectId::decode(reader.context(1, "a device")?)?;
        let object = ObjectId::decode(reader.context(2, "an object")?)?;
        let stamp = Stamp::in_group(&mut reader, 3)?;
        let class = number(reader.context(4, "a class")?, "a class")?;
        let priority = number(reader.context(5, "a priority")?, "a priority")?;
        let kind = number(
            reader.context(6, "the kind of an event")?,
            "the kind of an event",
        )?;
        let text = reader.optional(7)?.map(text::decode).transpose()?;
        let notify = number(reader.context(8, "a notify type")?, "a notify type")?;
        let ack_required = reader.optional(9)?;
        let ack_required = ack_required.map(|c| unsigned(c, "a flag")).transpose()?;
        let from = reader.optional(10)?;
        let from = from.map(|c| number(c, "a state")).transpose()?;
        let to = number(reader.context(11, "a state")?, "a state")?;
        Ok(Self {
            process,
            device: device.instance(),
            object,
            stamp,
            class,
            priority,
            kind,
            text,
            notify,
            ack_required: ack_required.is_some_and(|flag| flag != 0),
            from: from.map(EventState),
            to: EventState(to),
        })
    }

    /// Writes the parameters.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        put_context_number(&mut out, 0, self.process.into());
        put_context(&mut out, 1, &ObjectId::device(self.device).octets());
        put_context(&mut out, 2, &self.object.octets());
        self.stamp.put_in_group(&mut out, 3);
        put_context_number(&mut out, 4, self.class.into());
        put_context_number(&mut out, 5, self.priority.into());
        put_context_number(&mut out, 6, self.kind.into());
        if let Some(text) = &self.text {
            put_text(&mut out, 7, text);
        }
        put_context_number(&mut out, 8, self.notify.into());
        put_context(&mut out, 9, &[u8::from(self.ack_required)]);
        if let Some(from) = self.from {
            put_context_number(&mut out, 10, from.0.into());
        }
        put_context_number(&mut out, 11, self.to.0.into());
        out
    }
}

fn put_text(out: &mut Vec<u8>, number: u8, text: &str) {
    let mut octets = vec![text::UTF_8];
    octets.extend(text.as_bytes());
    put_context(out, number, &octets);
}

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledge {
    /// Number of whoever acknowledges.
    pub process: u32,
    /// The object the event is about.
    pub object: ObjectId,
    /// The state that is acknowledged.
    pub state: EventState,
    /// When the object came into it, as the device said it.
    pub stamp: Stamp,
    /// Who acknowledges, for people.
    pub source: String,
    /// When it is acknowledged.
    pub at: Stamp,
}

impl Acknowledge {
    /// Writes the parameters.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        put_context_number(&mut out, 0, self.process.into());
        put_context(&mut out, 1, &self.object.octets());
        put_context_number(&mut out, 2, self.state.0.into());
        self.stamp.put_in_group(&mut out, 3);
        put_text(&mut out, 4, &self.source);
        self.at.put_in_group(&mut out, 5);
        out
    }

    /// Reads the parameters.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            process: number(reader.context(0, "a process")?, "a process")?,
            object: ObjectId::decode(reader.context(1, "an object")?)?,
            state: EventState(number(reader.context(2, "a state")?, "a state")?),
            stamp: Stamp::in_group(&mut reader, 3)?,
            source: text::decode(reader.context(4, "who acknowledges")?)?,
            at: Stamp::in_group(&mut reader, 5)?,
        })
    }
}

/// One object that is not as it should be, or was not and nobody has acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The object.
    pub object: ObjectId,
    /// Its state.
    pub state: EventState,
    /// Whether the transitions to off normal, to fault and to normal are acknowledged.
    pub acknowledged: [bool; 3],
    /// When these transitions happened; absent where the device does not say.
    pub stamps: Option<[Stamp; 3]>,
    /// 0 an alarm, 1 an event.
    pub notify: u32,
    /// How urgent these transitions are, 0 the most; absent where the device does not say.
    pub priorities: Option<[u8; 3]>,
}

fn three(bits: &Bits) -> [bool; 3] {
    [bits.get(0), bits.get(1), bits.get(2)]
}

/// Writes a request for the events that stand, after the last one known.
#[must_use]
pub fn information(after: Option<ObjectId>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(after) = after {
        put_context(&mut out, 0, &after.octets());
    }
    out
}

/// Reads the events that stand, and whether there are more.
pub fn decode_information(body: &[u8]) -> Result<(Vec<Standing>, bool), DecodeError> {
    let mut reader = Reader::new(body);
    let mut inner = Reader::new(reader.group(0, "the events")?);
    let mut events = Vec::new();
    while !inner.is_empty() && events.len() < EVENTS {
        let object = ObjectId::decode(inner.context(0, "an object")?)?;
        let state = EventState(number(inner.context(1, "a state")?, "a state")?);
        let acknowledged = three(&bits(inner.context(2, "what is acknowledged")?)?);
        let mut row = Reader::new(inner.group(3, "the stamps of an event")?);
        let stamps = [
            Stamp::decode(&mut row)?,
            Stamp::decode(&mut row)?,
            Stamp::decode(&mut row)?,
        ];
        let notify = number(inner.context(4, "a notify type")?, "a notify type")?;
        let _enabled = inner.context(5, "which events are told")?;
        let mut row = Reader::new(inner.group(6, "the priorities of an event")?);
        let mut priority = || number(row.application(2, "a priority")?, "a priority");
        let priorities = [priority()?, priority()?, priority()?];
        events.push(Standing {
            object,
            state,
            acknowledged,
            stamps: Some(stamps),
            notify,
            priorities: Some(priorities),
        });
    }
    let more = unsigned(
        reader.context(1, "whether there are more events")?,
        "a flag",
    )?;
    Ok((events, more != 0))
}

/// Writes the events that stand, as a device answers.
#[must_use]
pub fn information_answer(events: &[Standing], more: bool) -> Vec<u8> {
    let mut out = Vec::new();
    put_open(&mut out, 0);
    for event in events {
        put_context(&mut out, 0, &event.object.octets());
        put_context_number(&mut out, 1, event.state.0.into());
        put_context(&mut out, 2, &Bits::new(&event.acknowledged).content());
        put_open(&mut out, 3);
        let unknown = Stamp::Sequence(0);
        let stamps = event.stamps.unwrap_or([unknown; 3]);
        stamps.iter().for_each(|stamp| stamp.encode(&mut out));
        put_close(&mut out, 3);
        put_context_number(&mut out, 4, event.notify.into());
        put_context(&mut out, 5, &Bits::new(&[true; 3]).content());
        put_open(&mut out, 6);
        for priority in event.priorities.unwrap_or_default() {
            Datum::Unsigned(priority.into()).encode(&mut out);
        }
        put_close(&mut out, 6);
    }
    put_close(&mut out, 0);
    put_context(&mut out, 1, &[u8::from(more)]);
    out
}

/// Reads an alarm summary: what older devices answer instead.
pub fn decode_summary(body: &[u8]) -> Result<Vec<Standing>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut events = Vec::new();
    while !reader.is_empty() && events.len() < EVENTS {
        let object = ObjectId::decode(reader.application(12, "an object")?)?;
        let state = EventState(number(reader.application(9, "a state")?, "a state")?);
        let acknowledged = bits(reader.application(8, "what is acknowledged")?)?;
        events.push(Standing {
            object,
            state,
            acknowledged: three(&acknowledged),
            stamps: None,
            notify: 0,
            priorities: None,
        });
    }
    Ok(events)
}

/// Reads the stamps of an object's three transitions.
pub fn decode_stamps(octets: &[u8]) -> Result<[Stamp; 3], DecodeError> {
    let mut reader = Reader::new(octets);
    Ok([
        Stamp::decode(&mut reader)?,
        Stamp::decode(&mut reader)?,
        Stamp::decode(&mut reader)?,
    ])
}
