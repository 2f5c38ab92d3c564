//! The device object (clause 12.11): what this gateway says of itself. Owns its properties.

use super::properties::{Held, of_property, property_list};
use super::read::Look;
use crate::codec::service::device::{IAm, Segmentation};
use crate::codec::service::error::code;
use crate::codec::service::{self, Refusal};
use crate::codec::{Bits, Date, Datum, ObjectId, ObjectType, PropertyId, Time};
use jiff::tz::TimeZone;
use riser_adapter::Clock;

/// Octets of the longest APDU this device takes.
pub(crate) const MAX_APDU: u16 = 1476;
/// Parts of a request this device takes, as it says; a request has fewer.
const MAX_SEGMENTS: u64 = 255;
/// The revision of the standard whose required properties are all there (135-2012).
const REVISION: u64 = 14;

const REQUIRED: &[PropertyId] = &[
    PropertyId::OBJECT_IDENTIFIER,
    PropertyId::OBJECT_NAME,
    PropertyId::OBJECT_TYPE,
    PropertyId::SYSTEM_STATUS,
    PropertyId::VENDOR_NAME,
    PropertyId::VENDOR_IDENTIFIER,
    PropertyId::MODEL_NAME,
    PropertyId::FIRMWARE_REVISION,
    PropertyId::APPLICATION_SOFTWARE_VERSION,
    PropertyId::PROTOCOL_VERSION,
    PropertyId::PROTOCOL_REVISION,
    PropertyId::PROTOCOL_SERVICES_SUPPORTED,
    PropertyId::PROTOCOL_OBJECT_TYPES_SUPPORTED,
    PropertyId::OBJECT_LIST,
    PropertyId::MAX_APDU_LENGTH,
    PropertyId::SEGMENTATION_SUPPORTED,
    PropertyId::APDU_TIMEOUT,
    PropertyId::NUMBER_OF_APDU_RETRIES,
    PropertyId::DEVICE_ADDRESS_BINDING,
    PropertyId::DATABASE_REVISION,
    PropertyId::PROPERTY_LIST,
];

const OPTIONAL: &[PropertyId] = &[
    PropertyId::DESCRIPTION,
    PropertyId::LOCATION,
    PropertyId::MAX_SEGMENTS_ACCEPTED,
    PropertyId::APDU_SEGMENT_TIMEOUT,
    PropertyId::LOCAL_DATE,
    PropertyId::LOCAL_TIME,
    PropertyId::ACTIVE_COV_SUBSCRIPTIONS,
];

/// Services this device answers; bits of `BACnetServicesSupported`.
const SERVICES: &[usize] = &[
    service::SUBSCRIBE_COV as usize,
    service::READ_PROPERTY as usize,
    service::READ_PROPERTY_MULTIPLE as usize,
    service::WRITE_PROPERTY as usize,
    service::WRITE_PROPERTY_MULTIPLE as usize,
    // Who-Has and Who-Is: unconfirmed services have bits of their own.
    33,
    34,
];
/// Bits of `BACnetServicesSupported` in this revision.
const SERVICE_BITS: usize = 41;

const TYPES: &[ObjectType] = &[
    ObjectType::ANALOG_INPUT,
    ObjectType::ANALOG_VALUE,
    ObjectType::BINARY_INPUT,
    ObjectType::BINARY_VALUE,
    ObjectType::DEVICE,
    ObjectType::MULTI_STATE_INPUT,
    ObjectType::MULTI_STATE_VALUE,
    ObjectType::CHARACTERSTRING_VALUE,
];
/// Bits of `BACnetObjectTypesSupported` in this revision.
const TYPE_BITS: usize = 55;

/// How the device presents itself.
pub(crate) fn i_am(instance: u32, vendor: u16) -> IAm {
    IAm {
        instance,
        max_apdu: MAX_APDU.into(),
        segmentation: Segmentation::Both,
        vendor,
    }
}

/// Properties the standard requires of a device, and those it need not have.
pub(crate) fn properties() -> (&'static [PropertyId], &'static [PropertyId]) {
    (REQUIRED, OPTIONAL)
}

/// Whether the device has a property.
pub(crate) fn has(property: PropertyId) -> bool {
    REQUIRED.contains(&property) || OPTIONAL.contains(&property)
}

/// A property of the device, or one element of it.
pub(crate) fn read(
    look: &Look<'_>,
    property: PropertyId,
    index: Option<u32>,
) -> Result<Vec<u8>, Refusal> {
    // Element by element without making the whole list each time: it may be long.
    if property == PropertyId::OBJECT_LIST {
        return object_list(look, index);
    }
    held(look, property)?.at(index)
}

fn object_list(look: &Look<'_>, index: Option<u32>) -> Result<Vec<u8>, Refusal> {
    let device = ObjectId::device(look.config.device.instance);
    let objects = look.objects.all();
    match index {
        None => {
            let mut out = Vec::with_capacity(5 * (objects.len() + 1));
            Datum::Object(device).encode(&mut out);
            objects
                .iter()
                .for_each(|o| Datum::Object(o.id).encode(&mut out));
            Ok(out)
        }
        Some(0) => Ok(Datum::Unsigned(objects.len() as u64 + 1).encoded()),
        Some(1) => Ok(Datum::Object(device).encoded()),
        Some(index) => {
            let at = usize::try_from(index - 2).ok();
            let object = at.and_then(|at| objects.get(at));
            let object = object.ok_or(of_property(code::INVALID_ARRAY_INDEX))?;
            Ok(Datum::Object(object.id).encoded())
        }
    }
}

fn held(look: &Look<'_>, property: PropertyId) -> Result<Held, Refusal> {
    let device = &look.config.device;
    let patience = look.config.lane.patience;
    let text = |text: &str| Held::One(Datum::Text(text.to_owned()));
    let number = |number: u64| Held::One(Datum::Unsigned(number));
    let millis = |time: std::time::Duration| number(u64::try_from(time.as_millis()).unwrap_or(0));
    Ok(match property {
        PropertyId::OBJECT_IDENTIFIER => {
            Held::One(Datum::Object(ObjectId::device(device.instance)))
        }
        PropertyId::OBJECT_NAME => text(&device.name),
        PropertyId::OBJECT_TYPE => Held::One(Datum::Enumerated(ObjectType::DEVICE.0.into())),
        // Operational.
        PropertyId::SYSTEM_STATUS => Held::One(Datum::Enumerated(0)),
        PropertyId::VENDOR_NAME => text(&device.vendor_name),
        PropertyId::VENDOR_IDENTIFIER => number(device.vendor.into()),
        PropertyId::MODEL_NAME => text(&device.model),
        PropertyId::FIRMWARE_REVISION | PropertyId::APPLICATION_SOFTWARE_VERSION => {
            text(env!("CARGO_PKG_VERSION"))
        }
        PropertyId::DESCRIPTION => text(&device.description),
        PropertyId::LOCATION => text(&device.location),
        PropertyId::PROTOCOL_VERSION => number(1),
        PropertyId::PROTOCOL_REVISION => number(REVISION),
        PropertyId::PROTOCOL_SERVICES_SUPPORTED => bits(SERVICE_BITS, SERVICES.iter().copied()),
        PropertyId::PROTOCOL_OBJECT_TYPES_SUPPORTED => {
            bits(TYPE_BITS, TYPES.iter().map(|kind| usize::from(kind.0)))
        }
        PropertyId::MAX_APDU_LENGTH => number(MAX_APDU.into()),
        PropertyId::MAX_SEGMENTS_ACCEPTED => number(MAX_SEGMENTS),
        PropertyId::SEGMENTATION_SUPPORTED => Held::One(Datum::Enumerated(0)),
        PropertyId::APDU_TIMEOUT => millis(patience.timeout),
        PropertyId::APDU_SEGMENT_TIMEOUT => millis(patience.part_timeout),
        PropertyId::NUMBER_OF_APDU_RETRIES => number(patience.retries.into()),
        PropertyId::DEVICE_ADDRESS_BINDING => Held::List(Vec::new()),
        PropertyId::DATABASE_REVISION => number(look.revision.into()),
        PropertyId::LOCAL_DATE => Held::One(Datum::Date(now(look.clock, &device.zone).0)),
        PropertyId::LOCAL_TIME => Held::One(Datum::Time(now(look.clock, &device.zone).1)),
        PropertyId::ACTIVE_COV_SUBSCRIPTIONS => {
            let mut list = Vec::new();
            look.active(|active| active.encode(&mut list));
            Held::List(list)
        }
        PropertyId::PROPERTY_LIST => property_list(REQUIRED, OPTIONAL),
        _ => return Err(of_property(code::UNKNOWN_PROPERTY)),
    })
}

fn bits(count: usize, set: impl Iterator<Item = usize>) -> Held {
    let mut bits = vec![false; count];
    for at in set {
        if let Some(bit) = bits.get_mut(at) {
            *bit = true;
        }
    }
    Held::One(Datum::Bits(Bits::new(&bits)))
}

/// Date and time of the zone; unspecified while the gateway only assumes what time it is.
fn now(clock: &dyn Clock, zone: &TimeZone) -> (Date, Time) {
    let known = (!clock.is_assumed()).then(|| clock.now().0);
    let stamp = known.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let Some(stamp) = stamp else {
        let date = Date {
            year: 255,
            month: 255,
            day: 255,
            weekday: 255,
        };
        let time = Time {
            hour: 255,
            minute: 255,
            second: 255,
            hundredth: 255,
        };
        return (date, time);
    };
    let local = stamp.to_zoned(zone.clone());
    let small = |n: i8| n.unsigned_abs();
    let date = Date {
        year: u8::try_from(local.year() - 1900).unwrap_or(u8::MAX),
        month: small(local.month()),
        day: small(local.day()),
        weekday: small(local.weekday().to_monday_one_offset()),
    };
    let time = Time {
        hour: small(local.hour()),
        minute: small(local.minute()),
        second: small(local.second()),
        hundredth: u8::try_from(local.millisecond() / 10).unwrap_or(0),
    };
    (date, time)
}
