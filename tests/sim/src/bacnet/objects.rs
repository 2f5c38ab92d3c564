//! The objects of the hall's air handling unit: what each is, where its value comes from, and the
//! sixteen levels of those that can be commanded. Owns their properties; knows no message.

use crate::hall::{Command, Hall};
use riser_bacnet::codec::service::property::{Reference, Write};
use riser_bacnet::codec::service::{Refusal, error};
use riser_bacnet::codec::{Bits, Datum, ObjectId, ObjectType, PropertyId, Reader};

/// Numbers of engineering units (clause 21).
const DEGREES_CELSIUS: u32 = 62;
const PERCENT: u32 = 98;
const PASCALS: u32 = 53;

/// What an object is.
enum Kind {
    /// A number with a unit, and the range it may be set to.
    Analog(u32, (f64, f64)),
    /// Texts of inactive and active.
    Binary([&'static str; 2]),
    /// Texts of the states, counted from 1.
    Multi(&'static [&'static str]),
}

type Value = fn(&Hall) -> f64;
type Commanded = fn(&mut Hall) -> &mut Command;

/// One object.
pub(super) struct Object {
    kind: (ObjectType, u32),
    name: &'static str,
    about: &'static str,
    is: Kind,
    value: Value,
    command: Option<Commanded>,
}

const MODES: &[&str] = &["Off", "Automatic", "Low", "High"];
const STATES: &[&str] = &["Off", "Heating", "Ventilating"];

const fn measured(
    number: u32,
    (name, about): (&'static str, &'static str),
    unit: u32,
    value: Value,
) -> Object {
    Object {
        kind: (ObjectType::ANALOG_INPUT, number),
        name,
        about,
        is: Kind::Analog(unit, (0.0, 0.0)),
        value,
        command: None,
    }
}

pub(super) const OBJECTS: &[Object] = &[
    measured(
        1,
        ("OutdoorTemp", "Outdoor air temperature"),
        DEGREES_CELSIUS,
        |h| h.outdoor,
    ),
    measured(
        2,
        ("SupplyTemp", "Supply air temperature"),
        DEGREES_CELSIUS,
        |h| h.supply,
    ),
    measured(
        3,
        ("ReturnTemp", "Return air temperature"),
        DEGREES_CELSIUS,
        |h| h.room,
    ),
    measured(4, ("SupplyFan", "Supply fan speed"), PERCENT, |h| h.fan),
    measured(5, ("HeatingValve", "Heating valve"), PERCENT, |h| h.valve),
    measured(6, ("FilterDrop", "Filter pressure drop"), PASCALS, |h| {
        h.filter_drop
    }),
    Object {
        kind: (ObjectType::ANALOG_VALUE, 1),
        name: "RoomSetpoint",
        about: "Hall temperature wanted",
        is: Kind::Analog(DEGREES_CELSIUS, (14.0, 26.0)),
        value: |h| h.setpoint.winner(),
        command: Some(|h| &mut h.setpoint),
    },
    Object {
        kind: (ObjectType::ANALOG_VALUE, 2),
        name: "FilterLimit",
        about: "Pressure drop of a filter to change",
        is: Kind::Analog(PASCALS, (50.0, 500.0)),
        value: |h| h.filter_limit.winner(),
        command: Some(|h| &mut h.filter_limit),
    },
    Object {
        kind: (ObjectType::BINARY_INPUT, 1),
        name: "FilterAlarm",
        about: "Filter to be changed",
        is: Kind::Binary(["Normal", "Change"]),
        value: |h| f64::from(u8::from(h.filter_alarm())),
        command: None,
    },
    Object {
        kind: (ObjectType::BINARY_VALUE, 1),
        name: "Enable",
        about: "Air handling unit enabled",
        is: Kind::Binary(["Off", "On"]),
        value: |h| h.enable.winner(),
        command: Some(|h| &mut h.enable),
    },
    Object {
        kind: (ObjectType::MULTI_STATE_INPUT, 1),
        name: "State",
        about: "What it does",
        is: Kind::Multi(STATES),
        value: |h| f64::from(h.state()),
        command: None,
    },
    Object {
        kind: (ObjectType::MULTI_STATE_VALUE, 1),
        name: "Mode",
        about: "What it is to do",
        is: Kind::Multi(MODES),
        value: |h| h.mode.winner(),
        command: Some(|h| &mut h.mode),
    },
];

impl Object {
    pub(super) fn id(&self) -> ObjectId {
        ObjectId::new(self.kind.0, self.kind.1)
    }

    /// A value in the type its present value has.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "states are small, and BACnet has single precision here"
    )]
    fn datum(&self, value: f64) -> Datum {
        match self.is {
            Kind::Analog(..) => Datum::Real(value as f32),
            Kind::Binary(_) => Datum::Enumerated(u32::from(value > 0.5)),
            Kind::Multi(_) => Datum::Unsigned(value as u64),
        }
    }

    pub(super) fn read(&self, hall: &mut Hall, wanted: &Reference) -> Result<Vec<u8>, Refusal> {
        let texts = |texts: &[&str]| list(texts.iter().map(|t| text(t)), wanted.index);
        match (wanted.property, &self.is) {
            (PropertyId::OBJECT_IDENTIFIER, _) => Ok(Datum::Object(self.id()).encoded()),
            (PropertyId::OBJECT_NAME, _) => Ok(text(self.name).encoded()),
            (PropertyId::OBJECT_TYPE, _) => Ok(Datum::Enumerated(self.kind.0.0.into()).encoded()),
            (PropertyId::DESCRIPTION, _) => Ok(text(self.about).encoded()),
            (PropertyId::PRESENT_VALUE, _) => Ok(self.datum((self.value)(hall)).encoded()),
            (PropertyId::STATUS_FLAGS, _) => Ok(Datum::Bits(Bits::new(&[false; 4])).encoded()),
            (PropertyId::EVENT_STATE, _) => Ok(Datum::Enumerated(0).encoded()),
            (PropertyId::OUT_OF_SERVICE, _) => Ok(Datum::Boolean(false).encoded()),
            (PropertyId::UNITS, Kind::Analog(unit, _)) => Ok(Datum::Enumerated(*unit).encoded()),
            (PropertyId::POLARITY, Kind::Binary(_)) => Ok(Datum::Enumerated(0).encoded()),
            (PropertyId::INACTIVE_TEXT, Kind::Binary([text_of, _]))
            | (PropertyId::ACTIVE_TEXT, Kind::Binary([_, text_of])) => Ok(text(text_of).encoded()),
            (PropertyId::STATE_TEXT, Kind::Multi(states)) => texts(states),
            (PropertyId::NUMBER_OF_STATES, Kind::Multi(states)) => {
                Ok(Datum::Unsigned(states.len() as u64).encoded())
            }
            (property, _) => self.read_command(hall, property, wanted.index),
        }
    }

    fn read_command(
        &self,
        hall: &mut Hall,
        property: PropertyId,
        index: Option<u32>,
    ) -> Result<Vec<u8>, Refusal> {
        let unknown = refused(error::code::PROPERTY, error::code::UNKNOWN_PROPERTY);
        let command = self.command.ok_or(unknown)?(hall);
        match property {
            PropertyId::PRIORITY_ARRAY => {
                let level = |l: &Option<f64>| l.map_or(Datum::Null, |v| self.datum(v));
                list(command.levels.iter().map(level), index)
            }
            PropertyId::RELINQUISH_DEFAULT => Ok(self.datum(command.at_rest).encoded()),
            _ => Err(unknown),
        }
    }

    pub(super) fn write(&self, hall: &mut Hall, write: &Write) -> Result<(), Refusal> {
        let denied = refused(error::code::PROPERTY, error::code::WRITE_ACCESS_DENIED);
        if write.reference.property != PropertyId::PRESENT_VALUE {
            return Err(denied);
        }
        let command = self.command.ok_or(denied)?(hall);
        let kind = refused(error::code::PROPERTY, error::code::INVALID_DATA_TYPE);
        let datum = Datum::decode(&mut Reader::new(&write.value)).map_err(|_| kind)?;
        let (value, (low, high)) = match (datum, &self.is) {
            (Datum::Null, _) => (None, (0.0, 0.0)),
            (Datum::Real(v), Kind::Analog(_, range)) => (Some(f64::from(v)), *range),
            (Datum::Enumerated(v), Kind::Binary(_)) => (Some(f64::from(v)), (0.0, 1.0)),
            (Datum::Unsigned(v), Kind::Multi(states)) => {
                let value = u32::try_from(v).unwrap_or(u32::MAX);
                (Some(f64::from(value)), (1.0, states.len() as f64))
            }
            _ => return Err(kind),
        };
        if value.is_some_and(|v| !(low..=high).contains(&v)) {
            return Err(refused(
                error::code::PROPERTY,
                error::code::VALUE_OUT_OF_RANGE,
            ));
        }
        let level = usize::from(write.priority.unwrap_or(16)).saturating_sub(1);
        let level = command.levels.get_mut(level);
        *level.ok_or(denied)? = value;
        Ok(())
    }
}

pub(super) fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

pub(super) fn refused(class: u32, code: u32) -> Refusal {
    Refusal::Error { class, code }
}

/// An array, its length or one of its elements.
pub(super) fn list(
    items: impl Iterator<Item = Datum>,
    index: Option<u32>,
) -> Result<Vec<u8>, Refusal> {
    let items: Vec<Datum> = items.collect();
    match index.map(|i| usize::try_from(i).unwrap_or(usize::MAX)) {
        None => Ok(items.iter().flat_map(Datum::encoded).collect()),
        Some(0) => Ok(Datum::Unsigned(items.len() as u64).encoded()),
        Some(at) => items.get(at - 1).map(Datum::encoded).ok_or(refused(
            error::code::PROPERTY,
            error::code::INVALID_ARRAY_INDEX,
        )),
    }
}
