//! Hostile payloads and hostile orders of events: nothing panics, nothing grows without bound, what is
//! written reads back, and no order of restarts makes a device "offline" that the bridge never called so.

use proptest::prelude::*;
use riser_model::{PointPath, Quality, Reason, Value};
use riser_zigbee::codec::{Family, Feature, Shape, bridge, device, exposes, payload};
use riser_zigbee::mapping::{EntityName, build, encode, read};
use riser_zigbee::presence::Presence;
use riser_zigbee::replay::Replay;
use serde_json::{Value as Json, json};

const FIXTURE: &[u8] = include_bytes!("fixtures/devices.json");
const IEEE: &str = "0x000b57fffe112233";
const TOPICS: [&str; 7] = [
    "state",
    "info",
    "devices",
    "groups",
    "event",
    "response/x",
    "logging",
];

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(|x| json!(x)),
        "[a-zA-Z0-9_/+#\u{0}-\u{1f}é]{0,12}".prop_map(Json::from),
        prop_oneof![
            Just("numeric"),
            Just("binary"),
            Just("enum"),
            Just("composite"),
            Just("light"),
            Just("list")
        ]
        .prop_map(Json::from),
    ];
    let keys = prop_oneof![
        "[a-z]{0,5}",
        "type|features|property|name|access|values|value_on|value_off|exposes|definition|ieee_address|state|id|endpoints|scenes|members"
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Json::Array),
            proptest::collection::vec((keys.clone(), inner), 0..8)
                .prop_map(|m| Json::Object(m.into_iter().collect())),
        ]
    })
}

fn table() -> toml::Table {
    "host = 'h'\nbase_topic = 'z'".parse().expect("TOML")
}

fn started() -> Replay {
    let mut replay = Replay::new(&table(), 1_767_225_600_000).expect("a configuration");
    replay.connect();
    replay.message("z/bridge/state", br#"{"state":"online"}"#, true);
    replay.message("z/bridge/devices", FIXTURE, true);
    replay
}

fn feature(shape: Shape) -> Feature {
    Feature {
        path: vec!["x".to_owned()],
        within: String::new(),
        label: "X".to_owned(),
        family: Family::Generic,
        shape,
        published: true,
        settable: true,
        gettable: true,
        aside: false,
    }
}

fn name(key: &riser_model::Key) -> EntityName<'_> {
    EntityName {
        key,
        name: "d",
        stale_ms: 0,
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300), topic in 0..TOPICS.len()) {
        let _read = bridge::read(TOPICS[topic], &octets);
        let _said = payload::said(&octets);
        let _devices = device::devices(&octets);
        let _groups = device::groups(&octets);
    }

    #[test]
    fn any_json_is_read_within_bounds(json in any_json(), topic in 0..TOPICS.len()) {
        let text = json.to_string();
        let _read = bridge::read(TOPICS[topic], text.as_bytes());
        let (features, _) = exposes::flatten(&json);
        prop_assert!(features.len() <= exposes::FEATURES_MAX);
        let key = riser_model::Key::slug("d");
        for feature in &features {
            if let Some(point) = build(feature, name(&key)) {
                let (value, quality) = read(&json, &feature.shape, &point);
                prop_assert!(value.is_some() || !quality.is_good());
            }
        }
    }

    #[test]
    fn any_state_of_a_known_device_becomes_readings_of_its_kinds(json in any_json(), kept in any::<bool>()) {
        let mut replay = started();
        let before = replay.points().len();
        replay.message(&format!("z/{IEEE}"), json.to_string().as_bytes(), kept);
        prop_assert!(replay.points().len() <= before + 32);
        for seen in replay.take() {
            if let Some(Value::Float(x)) = seen.value {
                prop_assert!(x.is_finite());
            }
        }
    }

    #[test]
    fn numbers_that_are_written_read_back(x in -1.0e6..1.0e6_f64) {
        let feature = feature(Shape::Numeric { unit: None, min: None, max: None, step: None });
        let key = riser_model::Key::slug("d");
        let point = build(&feature, name(&key)).expect("a point");
        let sent = encode::payload(&feature, &point, &Value::Float(x), &[]).expect("it fits");
        let (back, quality) = read(&sent["x"], &feature.shape, &point);
        prop_assert_eq!(quality, Quality::GOOD);
        prop_assert!(encode::shows(&point, &Value::Float(x), &back.expect("a value")));
    }

    #[test]
    fn states_that_are_written_read_back(states in proptest::collection::btree_set("[a-z]{1,8}", 1..20), pick in any::<prop::sample::Index>()) {
        let states: Vec<String> = states.into_iter().collect();
        let feature = feature(Shape::Enum(states.clone()));
        let key = riser_model::Key::slug("d");
        let point = build(&feature, name(&key)).expect("a point");
        let state = i64::try_from(pick.index(states.len())).expect("few");
        let sent = encode::payload(&feature, &point, &Value::Int(state), &[]).expect("it fits");
        prop_assert_eq!(read(&sent["x"], &feature.shape, &point), (Some(Value::Int(state)), Quality::GOOD));
    }
}

/// What may happen to broker and bridge.
#[derive(Debug, Clone, Copy)]
enum Event {
    BrokerLost,
    BrokerBack,
    BridgeStops,
    BridgeStarts,
    BridgeHangs,
    Report,
    Wait(u16),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::BrokerLost),
        Just(Event::BrokerBack),
        Just(Event::BridgeStops),
        Just(Event::BridgeStarts),
        Just(Event::BridgeHangs),
        Just(Event::Report),
        (0..20_000_u16).prop_map(Event::Wait),
    ]
}

fn tell(replay: &mut Replay, event: Event, linked: &mut bool) {
    let state = format!("z/{IEEE}");
    match event {
        Event::BrokerLost => {
            replay.lose();
            *linked = false;
        }
        Event::BrokerBack => {
            replay.connect();
            *linked = true;
            replay.message("z/bridge/devices", FIXTURE, true);
        }
        Event::Wait(ms) => replay.pass(ms.into()),
        _ if !*linked => {}
        Event::BridgeStops => {
            replay.answers = false;
            replay.message("z/bridge/state", br#"{"state":"offline"}"#, false);
        }
        Event::BridgeHangs => replay.answers = false,
        Event::BridgeStarts => {
            replay.answers = true;
            // What it says first of a device it has not heard yet, and what it finds out then.
            replay.message(
                &format!("{state}/availability"),
                br#"{"state":"offline"}"#,
                false,
            );
            replay.message("z/bridge/state", br#"{"state":"online"}"#, false);
            replay.message("z/bridge/devices", FIXTURE, false);
            replay.pass(8_000);
            replay.message(
                &format!("{state}/availability"),
                br#"{"state":"online"}"#,
                false,
            );
        }
        Event::Report => replay.message(&state, br#"{"state":"ON","brightness":10}"#, false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn restarts_in_any_order_never_make_a_device_offline(events in proptest::collection::vec(event(), 1..40)) {
        let mut replay = started();
        let mut linked = true;
        tell(&mut replay, Event::BridgeStarts, &mut linked);
        for event in events {
            tell(&mut replay, event, &mut linked);
            prop_assert_ne!(replay.presence(IEEE), Some(Presence::Offline), "{:?}", event);
        }
        for event in [Event::BrokerBack, Event::BridgeStarts, Event::Report, Event::Wait(3_000)] {
            tell(&mut replay, event, &mut linked);
        }
        prop_assert_eq!(replay.presence(IEEE), Some(Presence::Online));
        let down = Quality::bad(Reason::DeviceDown);
        let seen = replay.take();
        prop_assert!(seen.iter().all(|s| s.quality != down));
        let path: PointPath = format!("{IEEE}/state").parse().expect("a path");
        let last = seen.iter().rev().find(|s| s.path == path).expect("a reading");
        prop_assert_eq!((&last.value, last.quality), (&Some(Value::Bool(true)), Quality::GOOD));
    }
}

#[test]
fn seven_real_models_have_their_features() {
    let (devices, left_out) = device::devices(FIXTURE).expect("the list");
    assert_eq!((devices.len(), left_out), (8, 0));
    let features: Vec<(String, usize, usize)> = devices
        .iter()
        .map(|d| (d.model.clone(), d.features.len(), d.left_out))
        .collect();
    assert!(
        features.iter().all(|(_, _, left_out)| *left_out == 0),
        "{features:?}"
    );
    let trv = devices
        .iter()
        .find(|d| d.model.contains("TRVZB"))
        .expect("the valve");
    assert!(trv.features.len() > 27, "{}", trv.features.len());
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_in_words() {
    let long = vec![b' '; payload::STATE_MAX + 1];
    let refused = payload::object(&long, payload::STATE_MAX).unwrap_err();
    assert!(refused.to_string().contains("are more than"), "{refused}");
    let deep = "[".repeat(100_000);
    assert!(bridge::read("devices", deep.as_bytes()).is_err());
    let many: Vec<Json> = (0..5_000)
        .map(|i| json!({"type": "text", "property": format!("p{i}"), "access": 1}))
        .collect();
    let (features, left_out) = exposes::flatten(&json!(many));
    assert_eq!(
        (features.len(), left_out),
        (exposes::FEATURES_MAX, 5_000 - exposes::FEATURES_MAX)
    );
}

#[test]
fn a_bridge_whose_lists_the_broker_forgot_is_asked_to_start_anew_once_and_only_where_it_may() {
    let restarts = |more: &str, list: Option<&str>| {
        let table = format!("host = 'h'\nbase_topic = 'z'\n{more}").parse();
        let mut replay = Replay::new(&table.expect("TOML"), 1_767_225_600_000).expect("accepted");
        for _ in 0..2 {
            replay.connect();
            replay.message("z/bridge/state", br#"{"state":"online"}"#, true);
            if let Some(list) = list {
                replay.message("z/bridge/devices", list.as_bytes(), true);
            }
            replay.pass(60_000);
            replay.lose();
        }
        let asked = replay.published();
        asked
            .iter()
            .filter(|(topic, _)| topic == "z/bridge/request/restart")
            .count()
    };
    assert_eq!(restarts("", None), 1);
    assert_eq!(restarts("", Some("[]")), 0);
    assert_eq!(restarts("may_restart_bridge = false", None), 0);
}
