//! The properties of the objects points are shown as (clauses 12.2 to 12.20 and 12.37). Owns which an
//! object has and what each holds; the present value comes from `present`.

use super::objects::{Object, Shape};
use super::read::Look;
use crate::codec::service::Refusal;
use crate::codec::service::error::code;
use crate::codec::{Bits, Datum, ObjectType, PropertyId};

/// What a property holds.
pub(crate) enum Held {
    /// One value.
    One(Datum),
    /// An array, whose elements may be read one by one.
    Array(Vec<Datum>),
    /// A list as octets, which may be read whole only.
    List(Vec<u8>),
}

impl Held {
    /// All of it, or the element asked for; 0 is how many there are.
    pub(crate) fn at(self, index: Option<u32>) -> Result<Vec<u8>, Refusal> {
        match (self, index) {
            (Self::One(datum), None) => Ok(datum.encoded()),
            (Self::List(octets), None) => Ok(octets),
            (Self::One(_) | Self::List(_), Some(_)) => Err(of_property(code::NOT_AN_ARRAY)),
            (Self::Array(all), None) => {
                let mut out = Vec::new();
                all.iter().for_each(|datum| datum.encode(&mut out));
                Ok(out)
            }
            (Self::Array(all), Some(0)) => Ok(Datum::Unsigned(all.len() as u64).encoded()),
            (Self::Array(all), Some(index)) => {
                let at = usize::try_from(index - 1).ok();
                let element = at.and_then(|at| all.get(at)).map(Datum::encoded);
                element.ok_or(of_property(code::INVALID_ARRAY_INDEX))
            }
        }
    }
}

/// An error of class "property".
pub(crate) const fn of_property(code: u32) -> Refusal {
    Refusal::Error {
        class: code::PROPERTY,
        code,
    }
}

/// Properties the standard requires of an object, and those it need not have.
pub(crate) fn properties(object: &Object) -> (Vec<PropertyId>, Vec<PropertyId>) {
    let mut required = vec![
        PropertyId::OBJECT_IDENTIFIER,
        PropertyId::OBJECT_NAME,
        PropertyId::OBJECT_TYPE,
        PropertyId::PRESENT_VALUE,
        PropertyId::STATUS_FLAGS,
    ];
    let mut optional = vec![PropertyId::DESCRIPTION, PropertyId::RELIABILITY];
    let usual = [PropertyId::EVENT_STATE, PropertyId::OUT_OF_SERVICE];
    match &object.shape {
        Shape::Analog { .. } => {
            required.extend(usual);
            required.push(PropertyId::UNITS);
            optional.push(PropertyId::COV_INCREMENT);
            let limits = object.limits;
            for (there, property) in [
                (limits.min, PropertyId::MIN_PRES_VALUE),
                (limits.max, PropertyId::MAX_PRES_VALUE),
                (limits.step, PropertyId::RESOLUTION),
            ] {
                optional.extend(there.map(|_| property));
            }
        }
        Shape::Binary(texts) => {
            required.extend(usual);
            if object.id.kind() == ObjectType::BINARY_INPUT {
                required.push(PropertyId::POLARITY);
            }
            if texts.is_some() {
                optional.extend([PropertyId::INACTIVE_TEXT, PropertyId::ACTIVE_TEXT]);
            }
        }
        Shape::Multistate(_) => {
            required.extend(usual);
            required.push(PropertyId::NUMBER_OF_STATES);
            optional.push(PropertyId::STATE_TEXT);
        }
        Shape::Text => optional.extend(usual),
    }
    if object.commandable {
        optional.extend([PropertyId::PRIORITY_ARRAY, PropertyId::RELINQUISH_DEFAULT]);
    }
    required.push(PropertyId::PROPERTY_LIST);
    (required, optional)
}

/// Whether an object has a property.
pub(crate) fn has(object: &Object, property: PropertyId) -> bool {
    let (required, optional) = properties(object);
    required.contains(&property) || optional.contains(&property)
}

/// Whether elements of a property can be read one by one.
pub(crate) fn is_array(property: PropertyId) -> bool {
    matches!(
        property,
        PropertyId::PRIORITY_ARRAY
            | PropertyId::STATE_TEXT
            | PropertyId::PROPERTY_LIST
            | PropertyId::OBJECT_LIST
    )
}

/// The list of properties as a property: all but the four every object has.
pub(crate) fn property_list(required: &[PropertyId], optional: &[PropertyId]) -> Held {
    let every = [
        PropertyId::OBJECT_IDENTIFIER,
        PropertyId::OBJECT_NAME,
        PropertyId::OBJECT_TYPE,
        PropertyId::PROPERTY_LIST,
    ];
    let listed = required.iter().chain(optional);
    let listed = listed.filter(|p| !every.contains(p));
    Held::Array(listed.map(|p| Datum::Enumerated(p.0)).collect())
}

/// What a property of an object holds now.
pub(crate) fn held(
    look: &mut Look<'_>,
    object: &Object,
    property: PropertyId,
) -> Result<Held, Refusal> {
    let unknown = of_property(code::UNKNOWN_PROPERTY);
    if !has(object, property) {
        return Err(unknown);
    }
    let text = |text: &str| Held::One(Datum::Text(text.to_owned()));
    Ok(match property {
        PropertyId::OBJECT_IDENTIFIER => Held::One(Datum::Object(object.id)),
        PropertyId::OBJECT_NAME => text(&object.name),
        PropertyId::OBJECT_TYPE => Held::One(Datum::Enumerated(object.id.kind().0.into())),
        PropertyId::DESCRIPTION => text(&object.description),
        PropertyId::PRESENT_VALUE => {
            let value = look.shown(object).value.clone();
            Held::One(value.ok_or(of_property(code::VALUE_NOT_INITIALISED))?)
        }
        PropertyId::STATUS_FLAGS => Held::One(Datum::Bits(Bits::new(&look.shown(object).flags))),
        PropertyId::RELIABILITY => Held::One(Datum::Enumerated(look.shown(object).reliability)),
        // No alarms are told by this device: normal.
        PropertyId::EVENT_STATE => Held::One(Datum::Enumerated(0)),
        PropertyId::OUT_OF_SERVICE => Held::One(Datum::Boolean(false)),
        PropertyId::POLARITY => Held::One(Datum::Enumerated(0)),
        PropertyId::PRIORITY_ARRAY => Held::Array(look.levels(object)),
        PropertyId::RELINQUISH_DEFAULT => {
            let value = look.at_rest(object);
            Held::One(value.ok_or(of_property(code::VALUE_NOT_INITIALISED))?)
        }
        PropertyId::COV_INCREMENT => Held::One(Datum::Real(object.increment)),
        PropertyId::MIN_PRES_VALUE => limit(object.limits.min)?,
        PropertyId::MAX_PRES_VALUE => limit(object.limits.max)?,
        PropertyId::RESOLUTION => limit(object.limits.step)?,
        PropertyId::PROPERTY_LIST => {
            let (required, optional) = properties(object);
            property_list(&required, &optional)
        }
        other => of_shape(&object.shape, other).ok_or(unknown)?,
    })
}

fn limit(limit: Option<f64>) -> Result<Held, Refusal> {
    let limit = limit.ok_or(of_property(code::UNKNOWN_PROPERTY))?;
    #[expect(clippy::cast_possible_truncation, reason = "shown with 32 bits")]
    let real = limit as f32;
    Ok(Held::One(Datum::Real(real)))
}

fn of_shape(shape: &Shape, property: PropertyId) -> Option<Held> {
    let text = |text: &String| Held::One(Datum::Text(text.clone()));
    match (shape, property) {
        (Shape::Analog { units, .. }, PropertyId::UNITS) => {
            Some(Held::One(Datum::Enumerated(*units)))
        }
        (Shape::Binary(Some([inactive, _])), PropertyId::INACTIVE_TEXT) => Some(text(inactive)),
        (Shape::Binary(Some([_, active])), PropertyId::ACTIVE_TEXT) => Some(text(active)),
        (Shape::Multistate(states), PropertyId::NUMBER_OF_STATES) => {
            Some(Held::One(Datum::Unsigned(states.len() as u64)))
        }
        (Shape::Multistate(states), PropertyId::STATE_TEXT) => {
            let texts = states.iter().map(|(_, text)| Datum::Text(text.clone()));
            Some(Held::Array(texts.collect()))
        }
        _ => None,
    }
}
