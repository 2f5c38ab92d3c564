//! What a device holds: its object list, and of each object the name, the unit and the texts of its
//! states. Owns that no object is lost: one whose name cannot be read is kept, and says so.

use super::ladder::Read;
use super::peer::Peer;
use crate::client::RequestError;
use crate::codec::service::property::Reference;
use crate::codec::{Datum, ObjectId, ObjectType, PropertyId};
use crate::config::kind_of;
use crate::mapping;
use riser_model::{Unit, ValueKind};

/// Objects of a device, at most.
const OBJECTS: u32 = 100_000;
/// Octets of one element of an object list in an answer.
const LIST_OCTETS: usize = 14;
/// Octets of a name in an answer, roughly.
const NAME_OCTETS: usize = 34;

/// One object as it was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Which.
    pub object: ObjectId,
    /// Its name; its identifier where it has none that can be read.
    pub name: String,
    /// What it says of itself.
    pub description: String,
    /// Unit, where the gateway knows it.
    pub unit: Option<Unit>,
    /// Texts of its states in order.
    pub states: Vec<String>,
    /// The kind of its value, where its type does not tell it: a schedule has values of any kind.
    pub kind: Option<ValueKind>,
    /// What could not be read, in words.
    pub remark: Option<String>,
}

impl Peer {
    /// Reads the object list, whole or element by element.
    ///
    /// # Errors
    /// The device is silent, or has no object list in any form.
    pub async fn object_list(&self) -> Result<Vec<ObjectId>, RequestError> {
        let list = Reference::new(ObjectId::device(self.instance()), PropertyId::OBJECT_LIST);
        if !self.habits().list_by_index {
            match self.read(&list).await {
                Ok(octets) => return Ok(objects(&Datum::decode_all(&octets)?)),
                Err(error) if error.is_silence() => {
                    // Too long to be answered, or nobody there: its length is short.
                    self.read(&list.at(0)).await?;
                }
                Err(_) => {}
            }
            self.change_habits(|habits| habits.list_by_index = true);
        }
        let count = self.read(&list.at(0)).await?;
        let count = Datum::decode_all(&count)?
            .first()
            .and_then(Datum::as_unsigned);
        let count = count
            .and_then(|c| u32::try_from(c).ok())
            .unwrap_or(0)
            .min(OBJECTS);
        let wanted: Vec<Reference> = (1..=count).map(|index| list.at(index)).collect();
        let mut found = Vec::with_capacity(wanted.len());
        for read in self.read_many(&wanted, LIST_OCTETS).await? {
            // An element that went away while the list was read is no object.
            let values = read.ok().and_then(|octets| Datum::decode_all(&octets).ok());
            found.extend(objects(&values.unwrap_or_default()));
        }
        Ok(found)
    }

    /// Reads the whole of what it holds.
    ///
    /// # Errors
    /// As [`Peer::object_list`].
    pub async fn learn(&self) -> Result<Vec<Learned>, RequestError> {
        let objects = self.object_list().await?;
        let mut wanted = Vec::with_capacity(objects.len() * 3);
        for object in &objects {
            wanted.extend(
                details(object.kind())
                    .iter()
                    .map(|p| Reference::new(*object, *p)),
            );
        }
        let read = self.read_many(&wanted, NAME_OCTETS).await?;
        let mut rest = wanted.iter().zip(&read);
        let mut all: Vec<Learned> = objects
            .into_iter()
            .map(|object| {
                let own = rest.by_ref().take(details(object.kind()).len());
                learned(object, &own.collect::<Vec<_>>())
            })
            .collect();
        self.learn_schedules(&mut all).await?;
        Ok(all)
    }
}

fn objects(values: &[Datum]) -> Vec<ObjectId> {
    let own = values.iter().filter_map(|v| match v {
        Datum::Object(object) => Some(*object),
        _ => None,
    });
    own.collect()
}

/// What is read of an object of this type.
fn details(kind: ObjectType) -> &'static [PropertyId] {
    const PLAIN: &[PropertyId] = &[PropertyId::OBJECT_NAME, PropertyId::DESCRIPTION];
    const ANALOG: &[PropertyId] = &[
        PropertyId::OBJECT_NAME,
        PropertyId::DESCRIPTION,
        PropertyId::UNITS,
    ];
    const BINARY: &[PropertyId] = &[
        PropertyId::OBJECT_NAME,
        PropertyId::DESCRIPTION,
        PropertyId::INACTIVE_TEXT,
        PropertyId::ACTIVE_TEXT,
    ];
    const STATES: &[PropertyId] = &[
        PropertyId::OBJECT_NAME,
        PropertyId::DESCRIPTION,
        PropertyId::STATE_TEXT,
    ];
    const VALUE: &[PropertyId] = &[
        PropertyId::OBJECT_NAME,
        PropertyId::DESCRIPTION,
        PropertyId::PRESENT_VALUE,
    ];
    match kind {
        ObjectType::SCHEDULE => VALUE,
        ObjectType::MULTI_STATE_INPUT
        | ObjectType::MULTI_STATE_OUTPUT
        | ObjectType::MULTI_STATE_VALUE => STATES,
        ObjectType::BINARY_INPUT | ObjectType::BINARY_OUTPUT | ObjectType::BINARY_VALUE => BINARY,
        ObjectType::INTEGER_VALUE
        | ObjectType::POSITIVE_INTEGER_VALUE
        | ObjectType::ACCUMULATOR => ANALOG,
        other if kind_of(other) == Some(ValueKind::Float) => ANALOG,
        _ => PLAIN,
    }
}

/// The kind of a value that may be of any; `None` for one that tells nothing.
pub(super) fn kind_by_value(value: &Datum) -> Option<ValueKind> {
    Some(match value {
        Datum::Real(_) | Datum::Double(_) => ValueKind::Float,
        Datum::Boolean(_) => ValueKind::Bool,
        Datum::Unsigned(_) | Datum::Signed(_) | Datum::Enumerated(_) => ValueKind::Integer,
        Datum::Text(_) => ValueKind::Text,
        _ => return None,
    })
}

fn learned(object: ObjectId, read: &[(&Reference, &Read)]) -> Learned {
    let mut new = Learned {
        object,
        name: object.to_string(),
        description: String::new(),
        unit: None,
        states: Vec::new(),
        kind: None,
        remark: None,
    };
    let mut pair = [None, None];
    for (reference, value) in read {
        let values = match value {
            Ok(octets) => Datum::decode_all(octets).unwrap_or_default(),
            Err(refusal) => {
                if reference.property == PropertyId::OBJECT_NAME {
                    new.remark = Some(format!("its name cannot be read: {refusal}"));
                }
                continue;
            }
        };
        let first = values.first().map(mapping::text).unwrap_or_default();
        match reference.property {
            PropertyId::OBJECT_NAME if !first.is_empty() => new.name = first,
            PropertyId::DESCRIPTION => new.description = first,
            PropertyId::UNITS => {
                new.unit = values
                    .first()
                    .and_then(Datum::as_unsigned)
                    .and_then(mapping::unit);
            }
            PropertyId::INACTIVE_TEXT => pair[0] = Some(first),
            PropertyId::ACTIVE_TEXT => pair[1] = Some(first),
            PropertyId::PRESENT_VALUE => new.kind = values.first().and_then(kind_by_value),
            PropertyId::STATE_TEXT => new.states = values.iter().map(mapping::text).collect(),
            _ => {}
        }
    }
    if let [Some(inactive), Some(active)] = pair {
        new.states = vec![inactive, active];
    }
    new
}
