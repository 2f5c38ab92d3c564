//! Reading properties, one or many at once (clauses 15.5 and 15.7). Owns what "all", "required" and
//! "optional" stand for, and that no answer grows beyond what the asker takes.

use super::answer::Room;
use super::config::Config;
use super::cov::Subscriptions;
use super::objects::{Object, Objects};
use super::present::{Shown, datum, shown};
use super::{device, properties};
use crate::codec::service::Refusal;
use crate::codec::service::cov::Active;
use crate::codec::service::error::{MISSING_PARAMETER, code};
use crate::codec::service::property::{self, Reference};
use crate::codec::{ANY_INSTANCE, Datum, ObjectId, ObjectType, PropertyId};
use riser_adapter::{Building, Clock};
use riser_model::{Quality, Reason, Value};
use rustc_hash::FxHashMap;

/// Everything a request looks at. A value that several properties come from is looked up once.
pub(crate) struct Look<'a> {
    pub(crate) config: &'a Config,
    pub(crate) objects: &'a Objects,
    pub(crate) building: &'a Building,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) subscriptions: &'a Subscriptions,
    /// What points showed while no level was held.
    pub(crate) resting: &'a FxHashMap<ObjectId, Value>,
    pub(crate) revision: u32,
    pub(crate) last: Option<(ObjectId, Shown)>,
}

impl Look<'_> {
    /// What an object shows now.
    pub(crate) fn shown(&mut self, object: &Object) -> &Shown {
        let last = self.last.take().filter(|(id, _)| *id == object.id);
        let shown = last.map_or_else(|| present(self.building, object), |(_, shown)| shown);
        &self.last.insert((object.id, shown)).1
    }

    /// The sixteen levels of an object.
    pub(crate) fn levels(&self, object: &Object) -> Vec<Datum> {
        let mut levels = vec![Datum::Null; 16];
        for held in self.building.writes.levels(&object.path) {
            let at = usize::from(held.level.level()).saturating_sub(1);
            if let (Some(level), Some(datum)) = (levels.get_mut(at), datum(object, &held.value)) {
                *level = datum;
            }
        }
        levels
    }

    /// What an object shows while no level is held, as far as that has been seen.
    pub(crate) fn at_rest(&mut self, object: &Object) -> Option<Datum> {
        if self.building.writes.levels(&object.path).is_empty() {
            return self.shown(object).value.clone();
        }
        let value = self.resting.get(&object.id)?;
        datum(object, value)
    }

    /// Every subscription, as the device lists it.
    pub(crate) fn active(&self, each: impl FnMut(Active)) {
        self.subscriptions.active(self.objects).for_each(each);
    }

    /// The object somebody means; "any device" is this one.
    fn known(&self, id: ObjectId) -> bool {
        self.is_device(id) || self.objects.find(id).is_some()
    }

    /// Whether somebody means the device itself.
    pub(crate) fn is_device(&self, id: ObjectId) -> bool {
        let own = self.config.device.instance;
        id.kind() == ObjectType::DEVICE && [own, ANY_INSTANCE].contains(&id.instance())
    }

    fn one(&mut self, wanted: &Reference) -> Result<Vec<u8>, Refusal> {
        if self.is_device(wanted.object) {
            return device::read(self, wanted.property, wanted.index);
        }
        let object = self.objects.find(wanted.object);
        let object = object.ok_or(UNKNOWN_OBJECT)?.clone();
        let held = properties::held(self, &object, wanted.property)?;
        held.at(wanted.index)
    }

    /// A reference as it is answered: "any device" by its real instance.
    fn answered(&self, wanted: Reference) -> Reference {
        match self.is_device(wanted.object) {
            true => Reference {
                object: ObjectId::device(self.config.device.instance),
                ..wanted
            },
            false => wanted,
        }
    }

    /// The properties a word for many stands for; the list of properties is never among them.
    fn meant(&self, wanted: Reference) -> Vec<Reference> {
        let word = wanted.property;
        let special = [PropertyId::ALL, PropertyId::REQUIRED, PropertyId::OPTIONAL];
        if !special.contains(&word) || !self.known(wanted.object) {
            return vec![wanted];
        }
        let (required, optional) = match self.objects.find(wanted.object) {
            Some(object) => properties::properties(object),
            None => {
                let (required, optional) = device::properties();
                (required.to_vec(), optional.to_vec())
            }
        };
        let mut meant = Vec::new();
        if word != PropertyId::OPTIONAL {
            meant.extend(required);
        }
        if word != PropertyId::REQUIRED {
            meant.extend(optional);
        }
        meant.retain(|p| *p != PropertyId::PROPERTY_LIST);
        let reference = |property| Reference::new(wanted.object, property);
        meant.into_iter().map(reference).collect()
    }
}

/// There is no such object.
pub(crate) const UNKNOWN_OBJECT: Refusal = Refusal::Error {
    class: code::OBJECT,
    code: code::UNKNOWN_OBJECT,
};

/// What an object shows now.
pub(crate) fn present(building: &Building, object: &Object) -> Shown {
    match building.points.point(object.slot) {
        Some(view) => shown(object, view.value.as_ref(), view.quality),
        None => shown(object, None, Quality::bad(Reason::NotConfigured)),
    }
}

/// Answers ReadProperty.
pub(crate) fn one(look: &mut Look<'_>, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let wanted = property::decode_read(body).map_err(Refusal::of_request)?;
    let value = look.one(&wanted)?;
    Ok(property::read_answer(&look.answered(wanted), &value))
}

/// Answers ReadPropertyMultiple, as long as the answer has room.
pub(crate) fn many(look: &mut Look<'_>, body: &[u8], room: Room) -> Result<Vec<u8>, Refusal> {
    let wanted = property::decode_read_many(body).map_err(Refusal::of_request)?;
    if wanted.is_empty() {
        return Err(Refusal::Reject(MISSING_PARAMETER));
    }
    let mut found = Vec::new();
    let mut octets = 0;
    for wanted in wanted {
        for reference in look.meant(wanted) {
            let value = look.one(&reference);
            // Property and value with their tags at least; exact is the check before sending.
            octets += 4 + value.as_ref().map_or(4, Vec::len);
            if octets > room.octets {
                return Err(room.beyond);
            }
            found.push((look.answered(reference), value));
        }
    }
    Ok(property::read_many_answer(&found))
}
