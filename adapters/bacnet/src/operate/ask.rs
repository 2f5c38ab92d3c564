//! Asking a device for single properties on behalf of a person, and writing them. Owns the words for
//! what is not there, what is refused, and how a long array is read by its elements.

use super::Fault;
use crate::client::RequestError;
use crate::codec::service::property::{Reference, Write, single};
use crate::codec::{Datum, ObjectId, ObjectType, PropertyId};
use crate::mapping;
use crate::poll::Peer;

/// Octets of a name in an answer, roughly.
const NAME: usize = 40;

/// A property as octets; `None` where the object has no such property.
pub(super) async fn octets(peer: &Peer, wanted: &Reference) -> Result<Option<Vec<u8>>, Fault> {
    match peer.read(wanted).await {
        Ok(octets) => Ok(Some(octets)),
        Err(RequestError::Refused(refusal)) if refusal.is_about_absence() => Ok(None),
        Err(error) => Err(Fault::Failed(format!("{wanted} cannot be read: {error}"))),
    }
}

/// An array of so many elements, element by element where it is too long for one answer.
pub(super) async fn array(
    peer: &Peer,
    wanted: &Reference,
    count: u32,
) -> Result<Option<Vec<u8>>, Fault> {
    match peer.read(wanted).await {
        Err(error) if error.is_about_size() => {}
        Ok(octets) => return Ok(Some(octets)),
        Err(RequestError::Refused(refusal)) if refusal.is_about_absence() => return Ok(None),
        Err(error) => return Err(Fault::Failed(format!("{wanted} cannot be read: {error}"))),
    }
    let mut all = Vec::new();
    for index in 1..=count {
        let element = wanted.at(index);
        let octets = peer.read(&element).await;
        all.extend(octets.map_err(|e| Fault::Failed(format!("{element} cannot be read: {e}")))?);
    }
    Ok(Some(all))
}

/// A property as one value.
pub(super) async fn datum(peer: &Peer, wanted: &Reference) -> Result<Option<Datum>, Fault> {
    let octets = octets(peer, wanted).await?;
    Ok(octets.map(|octets| single(&octets)).transpose()?)
}

/// A property as people read it; empty where there is none.
pub(super) async fn shown(
    peer: &Peer,
    object: ObjectId,
    property: PropertyId,
) -> Result<String, Fault> {
    let value = datum(peer, &Reference::new(object, property)).await?;
    Ok(value.as_ref().map(mapping::text).unwrap_or_default())
}

/// The objects of some types with their names.
pub(super) async fn objects(
    peer: &Peer,
    kinds: &[ObjectType],
) -> Result<Vec<(ObjectId, String)>, Fault> {
    let list = peer.object_list().await?;
    let found: Vec<ObjectId> = list
        .into_iter()
        .filter(|o| kinds.contains(&o.kind()))
        .collect();
    let names = names(peer, &found).await?;
    Ok(found.into_iter().zip(names).collect())
}

/// The names of objects; the identifier of one that has none.
pub(super) async fn names(peer: &Peer, objects: &[ObjectId]) -> Result<Vec<String>, Fault> {
    let wanted: Vec<Reference> = objects
        .iter()
        .map(|o| Reference::new(*o, PropertyId::OBJECT_NAME))
        .collect();
    let read = peer.read_many(&wanted, NAME).await?;
    let name = |(object, read): (&ObjectId, Result<Vec<u8>, _>)| {
        let text = read.ok().and_then(|octets| single(&octets).ok());
        text.map_or_else(|| object.to_string(), |text| mapping::text(&text))
    };
    Ok(objects.iter().zip(read).map(name).collect())
}

/// Writes a property as a whole.
pub(super) async fn write(
    peer: &Peer,
    reference: Reference,
    value: Vec<u8>,
) -> Result<(), RequestError> {
    let write = Write {
        reference,
        value,
        priority: None,
    };
    peer.write(&write).await
}
