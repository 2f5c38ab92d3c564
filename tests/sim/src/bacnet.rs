//! The hall's air handling unit as a BACnet/IP device: Who-Is, ReadProperty, ReadPropertyMultiple and
//! WriteProperty with its sixteen levels. Owns its object list; octets are the adapter's codec.
//!
//! Deliberately absent: COV (a gateway that subscribes is refused and polls), parts, alarms.

use crate::hall::{Command, Hall};
use crate::plant::Plant;
use riser_bacnet::codec::service::property::{self, Reference, Write};
use riser_bacnet::codec::service::{self, Refusal, device, error};
use riser_bacnet::codec::{
    Apdu, Bits, Bvlc, Datum, Npdu, ObjectId, ObjectType, Payload, PropertyId, Reader,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UdpSocket;

/// Device instance.
pub(crate) const INSTANCE: u32 = 2001;
/// Longest answer, in octets of an APDU.
const APDU_MAX: usize = 1476;

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
struct Object {
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

const OBJECTS: &[Object] = &[
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
    fn id(&self) -> ObjectId {
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

    fn read(&self, hall: &mut Hall, wanted: &Reference) -> Result<Vec<u8>, Refusal> {
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

    fn write(&self, hall: &mut Hall, write: &Write) -> Result<(), Refusal> {
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

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn refused(class: u32, code: u32) -> Refusal {
    Refusal::Error { class, code }
}

/// An array, its length or one of its elements.
fn list(items: impl Iterator<Item = Datum>, index: Option<u32>) -> Result<Vec<u8>, Refusal> {
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

fn of_device(wanted: &Reference) -> Result<Vec<u8>, Refusal> {
    let own = ObjectId::device(INSTANCE);
    let datum = match wanted.property {
        PropertyId::OBJECT_LIST => {
            let ids = std::iter::once(own).chain(OBJECTS.iter().map(Object::id));
            return list(ids.map(Datum::Object), wanted.index);
        }
        PropertyId::OBJECT_IDENTIFIER => Datum::Object(own),
        PropertyId::OBJECT_NAME => text("AHU-2"),
        PropertyId::OBJECT_TYPE => Datum::Enumerated(8),
        PropertyId::DESCRIPTION => text("Air handling unit of the hall"),
        PropertyId::VENDOR_NAME => text("Riser simulator"),
        PropertyId::VENDOR_IDENTIFIER => Datum::Unsigned(0),
        PropertyId::MODEL_NAME => text("riser-sim"),
        PropertyId::SYSTEM_STATUS => Datum::Enumerated(0),
        PropertyId::PROTOCOL_VERSION => Datum::Unsigned(1),
        PropertyId::PROTOCOL_REVISION => Datum::Unsigned(14),
        PropertyId::MAX_APDU_LENGTH => Datum::Unsigned(APDU_MAX as u64),
        PropertyId::SEGMENTATION_SUPPORTED => Datum::Enumerated(3),
        _ => {
            return Err(refused(
                error::code::PROPERTY,
                error::code::UNKNOWN_PROPERTY,
            ));
        }
    };
    Ok(datum.encoded())
}

fn find(id: ObjectId) -> Result<&'static Object, Refusal> {
    let found = OBJECTS.iter().find(|o| o.id() == id);
    found.ok_or(refused(error::code::OBJECT, error::code::UNKNOWN_OBJECT))
}

fn read(hall: &mut Hall, wanted: &Reference) -> Result<Vec<u8>, Refusal> {
    match wanted.object {
        id if id == ObjectId::device(INSTANCE) => of_device(wanted),
        id => find(id)?.read(hall, wanted),
    }
}

/// The answer to a request, without its head.
fn carry_out(hall: &mut Hall, service: u8, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match service {
        service::READ_PROPERTY => {
            let wanted = property::decode_read(body).map_err(Refusal::of_request)?;
            read(hall, &wanted).map(|value| property::read_answer(&wanted, &value))
        }
        service::READ_PROPERTY_MULTIPLE => {
            let wanted = property::decode_read_many(body).map_err(Refusal::of_request)?;
            let found: Vec<_> = wanted.into_iter().map(|w| (w, read(hall, &w))).collect();
            Ok(property::read_many_answer(&found))
        }
        service::WRITE_PROPERTY => {
            let write = Write::decode(body).map_err(Refusal::of_request)?;
            find(write.reference.object)?.write(hall, &write)?;
            Ok(Vec::new())
        }
        _ => Err(Refusal::Reject(error::UNRECOGNISED_SERVICE)),
    }
}

/// The answer to an APDU; none to what needs none.
fn answer(hall: &mut Hall, apdu: &Apdu<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (invoke, service, body) = match *apdu {
        Apdu::Unconfirmed {
            service: service::WHO_IS,
            body,
        } => {
            let range = device::decode_who_is(body).ok()?;
            range
                .is_none_or(|(low, high)| (low..=high).contains(&INSTANCE))
                .then_some(())?;
            let body = device::IAm {
                instance: INSTANCE,
                max_apdu: APDU_MAX as u32,
                segmentation: device::Segmentation::None,
                vendor: 0,
            };
            let (service, body) = (service::I_AM, &body.encoded());
            Apdu::Unconfirmed { service, body }.encode(&mut out);
            return Some(out);
        }
        Apdu::Confirmed {
            invoke,
            segment: Some(_),
            ..
        } => {
            let reason = error::SEGMENTATION_NOT_SUPPORTED;
            Apdu::Abort {
                server: true,
                invoke,
                reason,
            }
            .encode(&mut out);
            return Some(out);
        }
        Apdu::Confirmed {
            invoke,
            service,
            body,
            ..
        } => (invoke, service, body),
        _ => return None,
    };
    let room = APDU_MAX - 8;
    let outcome = match carry_out(hall, service, body) {
        Ok(body) if body.len() > room => Err(Refusal::Abort(error::SEGMENTATION_NOT_SUPPORTED)),
        outcome => outcome,
    };
    match outcome {
        Ok(body) if body.is_empty() => Apdu::SimpleAck { invoke, service }.encode(&mut out),
        Ok(body) => {
            let body = &body;
            Apdu::ComplexAck {
                segment: None,
                invoke,
                service,
                body,
            }
            .encode(&mut out);
        }
        Err(Refusal::Abort(reason)) => Apdu::Abort {
            server: true,
            invoke,
            reason,
        }
        .encode(&mut out),
        Err(Refusal::Reject(reason)) => Apdu::Reject { invoke, reason }.encode(&mut out),
        Err(refusal) => {
            let mut body = Vec::new();
            refusal.encode(&mut body);
            let body = &body;
            Apdu::Error {
                invoke,
                service,
                body,
            }
            .encode(&mut out);
        }
    }
    Some(out)
}

/// The datagram that answers one; none to what needs none.
pub(crate) fn datagram(hall: &mut Hall, datagram: &[u8]) -> Option<Vec<u8>> {
    let (Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu)) = Bvlc::decode(datagram).ok()? else {
        return None;
    };
    let Payload::Apdu(apdu) = Npdu::decode(npdu).ok()?.payload else {
        return None;
    };
    let answer = answer(hall, &Apdu::decode(apdu).ok()?)?;
    let mut npdu = Vec::new();
    let payload = Payload::Apdu(&answer);
    Npdu {
        to: None,
        from: None,
        expects: false,
        payload,
    }
    .encode(&mut npdu);
    Some(Bvlc::Unicast(&npdu).encoded())
}

/// Binds and answers until the process ends.
pub(crate) async fn listen(address: SocketAddr, plant: Arc<Mutex<Plant>>) -> std::io::Result<()> {
    let socket = UdpSocket::bind(address).await?;
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            // A datagram nobody was there for comes back as an error of the next call.
            let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            let answer = {
                let mut plant = plant.lock().unwrap_or_else(PoisonError::into_inner);
                datagram(&mut plant.hall, &buffer[..length])
            };
            if let Some(answer) = answer
                && let Err(error) = socket.send_to(&answer, from).await
            {
                tracing::debug!(%error, %from, "answering");
            }
        }
    });
    Ok(())
}
