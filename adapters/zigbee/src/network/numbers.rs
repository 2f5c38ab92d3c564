//! Which number a state of an enum has. Owns that it keeps it: zigbee2mqtt adds states to what it knows
//! of a model wherever it likes, and rules, history and alarms know a state by its number.

use super::Network;
use super::entity::EntityId;
use riser_model::{Key, Label, ValueKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// States of one point that are remembered; a point with more is numbered as it is listed.
const STATES_MAX: usize = 1_000;

/// Whose states: the device or group, and the key of the point.
type Owner = (EntityId, Key);

/// The states of one point in the order of their numbers, those among them that are gone by now.
#[derive(Debug, Default)]
struct Order {
    states: Vec<String>,
    /// What was noted before has been looked up.
    recalled: bool,
    /// The note is to be made anew.
    changed: bool,
}

/// Every point's.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    orders: BTreeMap<Owner, Order>,
}

/// A note: its key, and what stands in it.
pub(crate) type Note = (String, Option<String>);

impl Numbers {
    /// Gives labels their numbers; the first state has `first`.
    fn number(&mut self, owner: Owner, first: i64, labels: &mut [Label]) {
        let order = self.orders.entry(owner).or_default();
        for label in labels.iter_mut().filter(|l| l.state >= first) {
            let known = order.states.iter().position(|state| *state == label.text);
            let place = known.unwrap_or_else(|| {
                order.states.push(label.text.clone());
                order.changed = true;
                order.states.len() - 1
            });
            label.state = first.saturating_add(i64::try_from(place).unwrap_or(i64::MAX));
        }
        labels.sort_by_key(|label| label.state);
        if order.states.len() > STATES_MAX {
            *order = Order {
                recalled: true,
                ..Order::default()
            };
        }
    }

    /// Keys of notes that have not been looked up yet.
    pub(crate) fn unknown(&self) -> Vec<String> {
        let unknown = self.orders.iter().filter(|(_, order)| !order.recalled);
        unknown.map(|(owner, _)| key_of(owner)).collect()
    }

    /// Takes what was noted: its states come first, in its order.
    fn recall(&mut self, notes: &[Note]) {
        for (owner, order) in &mut self.orders {
            let key = key_of(owner);
            let Some((_, note)) = notes.iter().find(|(of, _)| *of == key) else {
                continue;
            };
            order.recalled = true;
            let noted = note.as_deref().and_then(|n| serde_json::from_str(n).ok());
            let mut states: Vec<String> = noted.unwrap_or_default();
            states.truncate(STATES_MAX);
            let before = states.len();
            for state in std::mem::take(&mut order.states) {
                if !states.contains(&state) {
                    states.push(state);
                }
            }
            order.changed = states.len() > before;
            order.states = states;
        }
    }

    /// Notes to be made.
    pub(crate) fn changed(&mut self) -> Vec<Note> {
        let changed = self
            .orders
            .iter_mut()
            .filter(|(_, o)| o.recalled && o.changed);
        changed
            .map(|(owner, order)| {
                order.changed = false;
                (key_of(owner), serde_json::to_string(&order.states).ok())
            })
            .collect()
    }

    /// A device is gone; its notes stay, in case it comes back.
    pub(crate) fn forget(&mut self, id: EntityId) {
        self.orders.retain(|(of, _), _| *of != id);
    }
}

fn key_of((id, point): &Owner) -> String {
    match id {
        EntityId::Device(ieee) => format!("states/{ieee}/{point}"),
        EntityId::Group(group) => format!("states/group-{group}/{point}"),
        EntityId::Bridge => format!("states/bridge/{point}"),
    }
}

impl Network {
    /// Numbers the states of a point, where it has states of its own.
    pub(crate) fn number_states(&mut self, id: EntityId, point: &mut super::EntityPoint) {
        let listed = matches!(point.feature.shape, crate::codec::Shape::Enum(_));
        if listed && point.point.kind == ValueKind::Enum {
            // "nothing happens" is 0 and no state of the list.
            let first = i64::from(point.feature.is_action());
            let own = Arc::make_mut(&mut point.point);
            let owner = (id, own.path.point.clone());
            self.numbers.number(owner, first, &mut own.labels);
        }
    }

    /// Takes notes made before, and numbers the states they are of anew.
    pub(crate) fn recall_numbers(&mut self, notes: &[Note]) {
        self.numbers.recall(notes);
        let ids: Vec<EntityId> = self.entities.keys().copied().collect();
        for id in ids {
            let Some(mut entity) = self.entities.remove(&id) else {
                continue;
            };
            for point in &mut entity.points {
                let before = Arc::clone(&point.point);
                self.number_states(id, point);
                if before.labels != point.point.labels {
                    point.last = None;
                    point.desired = None;
                    entity.declared = false;
                }
            }
            self.effects.declare |= !entity.declared;
            self.entities.insert(id, entity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Ieee;

    fn labels(numbers: &mut Numbers, first: i64, states: &[&str]) -> Vec<(i64, String)> {
        let owner = (EntityId::Device(Ieee(1)), Key::slug("mode"));
        let mut labels: Vec<Label> = (first..)
            .zip(states)
            .map(|(state, text)| Label {
                state,
                text: (*text).to_owned(),
            })
            .collect();
        numbers.number(owner, first, &mut labels);
        labels.into_iter().map(|l| (l.state, l.text)).collect()
    }

    fn pairs(of: &[(i64, &str)]) -> Vec<(i64, String)> {
        of.iter()
            .map(|(n, text)| (*n, (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_state_keeps_its_number_over_what_is_added_removed_and_a_restart() {
        let mut numbers = Numbers::default();
        assert_eq!(
            labels(&mut numbers, 0, &["off", "heat"]),
            pairs(&[(0, "off"), (1, "heat")])
        );
        assert_eq!(numbers.unknown(), ["states/0x0000000000000001/mode"]);
        assert_eq!(numbers.changed(), []);
        numbers.recall(&[("states/0x0000000000000001/mode".into(), None)]);
        let notes = numbers.changed();
        assert_eq!(notes[0].1.as_deref(), Some(r#"["off","heat"]"#));
        let mut later = Numbers::default();
        labels(&mut later, 0, &["auto", "off", "heat"]);
        later.recall(&notes);
        let all = pairs(&[(0, "off"), (1, "heat"), (2, "auto")]);
        assert_eq!(labels(&mut later, 0, &["auto", "off", "heat"]), all);
        assert_eq!(
            labels(&mut later, 0, &["auto", "heat"]),
            pairs(&[(1, "heat"), (2, "auto")])
        );
        assert_eq!(labels(&mut later, 0, &["off"]), pairs(&[(0, "off")]));
    }

    #[test]
    fn nothing_happens_stays_0_and_a_list_without_end_is_not_remembered() {
        let mut numbers = Numbers::default();
        assert_eq!(
            labels(&mut numbers, 1, &["single", "double"]),
            pairs(&[(1, "single"), (2, "double")])
        );
        for n in 0..2_000 {
            labels(&mut numbers, 0, &[&format!("state {n}")]);
            assert!(
                numbers
                    .orders
                    .values()
                    .all(|o| o.states.len() <= STATES_MAX)
            );
        }
    }
}
