//! The priority array against the plainest possible model of it: sixteen boxes.

use proptest::prelude::*;
use riser_model::{Author, AuthorKind, CommandId, Priority, Timestamp, Value};
use riser_rules::{Held, PriorityArray};
use uuid::Uuid;

fn held(value: i64, until: Option<i64>) -> Held {
    Held {
        value: Value::Int(value),
        author: Author {
            kind: AuthorKind::Rule,
            name: format!("r{value}"),
        },
        command: CommandId(Uuid::from_u128(7)),
        since: Timestamp(0),
        until: until.map(Timestamp),
    }
}

fn level(n: u8) -> Priority {
    Priority::new(n).expect("a level")
}

#[test]
fn the_highest_held_level_wins_and_says_who_holds_it() {
    let mut array = PriorityArray::default();
    assert_eq!(array.held_against(level(16)), None);
    array.write(level(10), held(1, None));
    array.write(level(8), held(2, None));
    let by = array.held_against(level(10)).unwrap();
    assert_eq!(
        (by.priority, by.author.unwrap().name),
        (level(8), "r2".to_owned())
    );
    assert_eq!(array.held_against(level(8)), None);
    array.release(level(8));
    assert_eq!(array.winner().unwrap().1.value, Value::Int(1));
}

#[test]
fn an_array_survives_its_text() {
    let mut array = PriorityArray::default();
    array.write(level(10), held(1, Some(99)));
    array.write(level(16), held(2, None));
    let text = serde_json::to_string(&array).unwrap();
    assert_eq!(serde_json::from_str::<PriorityArray>(&text).unwrap(), array);
}

#[derive(Debug, Clone)]
enum Step {
    Write(u8, i64, Option<i64>),
    Release(u8),
    Expire(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u8..=16, any::<i64>(), proptest::option::of(0_i64..100))
            .prop_map(|(l, v, u)| Step::Write(l, v, u)),
        (1_u8..=16).prop_map(Step::Release),
        (0_i64..100).prop_map(Step::Expire),
    ]
}

proptest! {
    #[test]
    fn behaves_like_sixteen_boxes(steps in proptest::collection::vec(step(), 0..60)) {
        let mut array = PriorityArray::default();
        let mut boxes: [Option<Held>; 16] = Default::default();
        for step in steps {
            match step {
                Step::Write(l, value, until) => {
                    let before = array.write(level(l), held(value, until));
                    let there = boxes[usize::from(l) - 1].replace(held(value, until));
                    prop_assert_eq!(before, there);
                }
                Step::Release(l) => {
                    prop_assert_eq!(array.release(level(l)), boxes[usize::from(l) - 1].take());
                }
                Step::Expire(now) => {
                    let gone: Vec<u8> = array.expire(Timestamp(now)).iter().map(|(p, _)| p.level()).collect();
                    let mut expected = Vec::new();
                    for (i, slot) in boxes.iter_mut().enumerate() {
                        if slot.as_ref().and_then(|h| h.until).is_some_and(|u| u.0 <= now) {
                            *slot = None;
                            expected.push(u8::try_from(i + 1).unwrap());
                        }
                    }
                    prop_assert_eq!(gone, expected);
                }
            }
            let winner = array.winner().map(|(p, h)| (p.level(), h.clone()));
            let expected = boxes
                .iter()
                .enumerate()
                .find_map(|(i, b)| Some((u8::try_from(i + 1).ok()?, b.clone()?)));
            prop_assert_eq!(winner, expected);
            let next = boxes.iter().flatten().filter_map(|h| h.until).min();
            prop_assert_eq!(array.next_expiry(), next);
            prop_assert_eq!(array.is_empty(), boxes.iter().all(Option::is_none));
        }
    }
}
