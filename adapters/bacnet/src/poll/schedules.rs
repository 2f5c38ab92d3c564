//! The kind of a schedule's values where what it shows now does not tell: before the first switch of
//! a day many show nothing (`Null`). Owns where else the kind is looked for.

use super::learn::{Learned, kind_by_value};
use super::peer::Peer;
use crate::client::RequestError;
use crate::codec::schedule;
use crate::codec::service::property::Reference;
use crate::codec::{Datum, ObjectId, ObjectType, PropertyId};
use crate::config::kind_of;
use riser_model::ValueKind;

/// Octets of one of these properties in an answer, roughly.
const OCTETS: usize = 60;

/// What is asked of one schedule: its default, the days of its week, what it writes to.
fn wanted(object: ObjectId) -> Vec<Reference> {
    let of = |property| Reference::new(object, property);
    let mut wanted = vec![of(PropertyId::SCHEDULE_DEFAULT)];
    wanted.extend((1..=7).map(|day| of(PropertyId::WEEKLY_SCHEDULE).at(day)));
    wanted.push(of(PropertyId::LIST_OF_OBJECT_PROPERTY_REFERENCES));
    wanted
}

/// What the octets of one of these properties tell.
fn told(property: PropertyId, octets: &[u8]) -> Option<ValueKind> {
    if property == PropertyId::WEEKLY_SCHEDULE {
        let days = schedule::week(octets).unwrap_or_default();
        return days.iter().flatten().find_map(|s| kind_by_value(&s.value));
    }
    if property == PropertyId::SCHEDULE_DEFAULT {
        let values = Datum::decode_all(octets).unwrap_or_default();
        return values.first().and_then(kind_by_value);
    }
    let targets = schedule::targets(octets).unwrap_or_default();
    let written = targets.iter().map(|t| t.reference);
    let mut present = written.filter(|r| r.property == PropertyId::PRESENT_VALUE);
    present.find_map(|r| match kind_of(r.object.kind()) {
        // A schedule counts and has states by number; the texts are the target's.
        Some(ValueKind::Enum) => Some(ValueKind::Integer),
        kind => kind,
    })
}

impl Peer {
    /// Finds the kinds of those schedules that do not tell it by what they show.
    pub(super) async fn learn_schedules(
        &self,
        learned: &mut [Learned],
    ) -> Result<(), RequestError> {
        let unknown =
            |l: &&mut Learned| l.object.kind() == ObjectType::SCHEDULE && l.kind.is_none();
        let mut unknown: Vec<&mut Learned> = learned.iter_mut().filter(unknown).collect();
        let wanted: Vec<Reference> = unknown.iter().flat_map(|l| wanted(l.object)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let read = self.read_many(&wanted, OCTETS).await?;
        let answers = wanted.iter().zip(&read);
        let answers = answers.filter_map(|(r, read)| Some((r, read.as_ref().ok()?)));
        let kinds: Vec<_> = answers
            .filter_map(|(r, octets)| Some((r.object, told(r.property, octets)?)))
            .collect();
        for one in &mut unknown {
            let own = kinds.iter().find(|(object, _)| *object == one.object);
            one.kind = own.map(|(_, kind)| *kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Time;
    use crate::codec::schedule::{Switch, put_week};

    #[test]
    fn a_kind_is_found_in_the_default_in_the_week_and_in_what_is_written() {
        let mut real = Vec::new();
        Datum::Real(17.0).encode(&mut real);
        let default = PropertyId::SCHEDULE_DEFAULT;
        assert_eq!(told(default, &real), Some(ValueKind::Float));
        assert_eq!(told(default, &[0]), None, "nothing");
        let switch = |hour, value| Switch {
            time: Time {
                hour,
                minute: 0,
                second: 0,
                hundredth: 0,
            },
            value,
        };
        let day = vec![switch(6, Datum::Null), switch(8, Datum::Boolean(true))];
        let week = put_week(&[day]);
        let days = PropertyId::WEEKLY_SCHEDULE;
        assert_eq!(told(days, &week), Some(ValueKind::Bool));
        assert_eq!(told(days, &put_week(&[vec![]])), None, "an empty day");
        let targets = PropertyId::LIST_OF_OBJECT_PROPERTY_REFERENCES;
        let value = |kind| schedule::Target {
            reference: Reference::new(ObjectId::new(kind, 1), PropertyId::PRESENT_VALUE),
            device: None,
        };
        let written = schedule::put_targets(&[value(ObjectType::MULTI_STATE_VALUE)]);
        assert_eq!(told(targets, &written), Some(ValueKind::Integer));
        assert_eq!(told(targets, &[7, 7]), None, "no list at all");
    }
}
