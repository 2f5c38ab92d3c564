//! Reading messages and states is total: whatever comes, it ends with a message or with words.

use proptest::prelude::*;
use riser_homeassistant::codec::{Event, Message, State, rows};
use riser_homeassistant::face::entity::{Component, command};
use riser_homeassistant::mapping::{Aspect, call, plans, read, shows};
use riser_model::{Quality, Value};
use serde_json::json;

const DOMAINS: [&str; 16] = [
    "sensor",
    "binary_sensor",
    "switch",
    "light",
    "fan",
    "number",
    "select",
    "lock",
    "cover",
    "valve",
    "climate",
    "input_text",
    "input_select",
    "siren",
    "person",
    "",
];

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        any::<f64>().prop_map(|f| json!(f)),
        any::<i64>().prop_map(|i| json!(i)),
        ".{0,12}".prop_map(|s| json!(s)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| json!(v)),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4).prop_map(|m| json!(m)),
        ]
    })
}

fn state() -> impl Strategy<Value = State> {
    let keys = prop::sample::select(vec![
        "unit_of_measurement",
        "state_class",
        "device_class",
        "options",
        "hvac_modes",
        "brightness",
        "supported_color_modes",
        "percentage",
        "current_position",
        "temperature",
        "hvac_action",
        "min",
        "max",
        "step",
        "min_temp",
        "current_temperature",
        "current_humidity",
    ]);
    let attributes = prop::collection::btree_map(keys, json_value(), 0..8);
    let text = prop_oneof![
        "on",
        "off",
        "unavailable",
        "unknown",
        "-?[0-9]{1,5}(\\.[0-9]{1,3})?",
        ".{0,20}"
    ];
    (prop::sample::select(DOMAINS.to_vec()), text, attributes).prop_map(|(domain, text, attributes)| {
        let value = json!({"entity_id": format!("{domain}.x"), "state": text, "attributes": attributes});
        State::read(&value).expect("it has all it needs")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_message_or_words(text in ".{0,200}") {
        let _ = riser_homeassistant::codec::read(&text);
    }

    #[test]
    fn any_event_is_read(data in json_value(), kind in "state_changed|x") {
        let text = json!({"type": "event", "id": 1, "event": {"event_type": kind, "data": data}});
        let messages = riser_homeassistant::codec::read(&text.to_string()).expect("a message");
        let event = matches!(messages[..], [Message::Event(Event::Other | Event::State { .. })]);
        prop_assert!(event);
    }

    #[test]
    fn any_list_of_rows_is_read(value in json_value()) {
        let (read, unread) = rows(&value);
        prop_assert_eq!(read.len() + unread, value.as_array().map_or(0, Vec::len));
    }

    /// A reading is either good with a finite value of its point's kind, or bad without one.
    #[test]
    fn every_state_of_every_entity_has_readings(state in state(), known in prop::collection::vec("[a-z]{1,4}", 0..3)) {
        for plan in plans(&state, &known) {
            let seen = read(&plan, &state);
            match &seen.value {
                Some(Value::Float(number)) => prop_assert!(number.is_finite()),
                Some(Value::Int(at)) => prop_assert!(plan.labels.iter().any(|l| l.state == *at)),
                _ => {}
            }
            prop_assert_eq!(seen.value.is_some(), seen.quality == Quality::GOOD);
            let kept = plan.options.iter().zip(&known).all(|(a, b)| a == b);
            prop_assert!(kept || plan.aspect != Aspect::Choice);
        }
    }

    /// What is written of a reading is what the entity shows.
    #[test]
    fn what_can_be_read_can_be_written_back_or_is_refused_in_words(state in state()) {
        for plan in plans(&state, &[]) {
            let Some(value) = read(&plan, &state).value else { continue };
            prop_assert!(shows(&plan, &value, &value));
            match call(&plan, &state.entity, &value) {
                Ok(made) => prop_assert_eq!(&made.domain, state.domain()),
                Err(why) => prop_assert!(!plan.access.writable() && !why.is_empty(), "{}", why),
            }
        }
    }
}

proptest! {
    /// A command of any octets for a point of any kind ends with a value the point takes, or in words.
    #[test]
    fn a_command_is_a_value_of_its_point_or_none(
        kind in 0..5_usize,
        payload in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            any::<f64>().prop_map(|f| f.to_string().into_bytes()),
            any::<i64>().prop_map(|i| i.to_string().into_bytes()),
            Just(b"3 on".to_vec()), Just(b"ON".to_vec()),
        ],
    ) {
        use riser_model::ValueKind::{Bool, Enum, Float, Integer, Text};
        let label = |state| riser_model::Label { state, text: "on".to_owned() };
        let point = riser_model::Point {
            path: "d/p".parse().expect("a path"),
            name: String::new(),
            device_name: String::new(),
            kind: [Bool, Integer, Float, Enum, Text][kind],
            unit: None,
            access: riser_model::Access::ReadWrite,
            limits: <_>::default(),
            labels: vec![label(3), label(4)],
            deadband: None,
            stale_after_ms: 0,
        };
        let component = Component::of(&point, true);
        if let Ok(value) = command(&point, component, &payload) {
            prop_assert_eq!(point.check_write(&value), Ok(()));
        }
    }
}
