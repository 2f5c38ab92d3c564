//! The server face, asked in the adapter's own codec: what it is, what it shows, what it refuses and
//! how, and that nothing anybody sends makes it stop. Other stacks judge it in `tests/served.rs`.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what is wrong by failing"
)]

use crate::foreign::Net;
use crate::shown::{ALL, Asker, INSTANCE, Plant, SERVER, config, point, serve, serve_with, told};
use riser_adapter_testkit::Running;
use riser_adapter_testkit::contract::{Constant, Subject, refuses_unknown_keys};
use riser_adapter_testkit::harness::{build, run_to_end};
use riser_bacnet::SERVER_KIND;
use riser_bacnet::client::{Client, Heard, Patience};
use riser_bacnet::codec::service::property::{self, Reference, Write};
use riser_bacnet::codec::service::{self, Refusal, cov, device};
use riser_bacnet::codec::{
    Apdu, Bits, Bvlc, Datum, Npdu, ObjectId, ObjectType, Payload, PropertyId, Takes,
};
use riser_model::{Access, LaneState, Quality, Reason, Value, ValueKind};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

fn error(class: u32, code: u32) -> Refusal {
    Refusal::Error { class, code }
}

fn id(text: &str) -> ObjectId {
    ObjectId::parse(text).unwrap()
}

/// Identifier of an object by the path of its point.
async fn object_of(asker: &Asker, path: &str) -> ObjectId {
    let list = asker.list().await;
    for object in list {
        let name = asker
            .read(Reference::new(object, PropertyId::OBJECT_NAME))
            .await;
        if name == Ok(vec![Datum::Text(path.to_owned())]) {
            return object;
        }
    }
    panic!("{path} is not shown");
}

impl Asker {
    async fn list(&self) -> Vec<ObjectId> {
        let list = Reference::new(ObjectId::device(INSTANCE), PropertyId::OBJECT_LIST);
        let list = self.read(list).await.unwrap();
        list.into_iter()
            .map(|datum| match datum {
                Datum::Object(id) => id,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

#[tokio::test]
async fn the_device_says_what_it_is_and_which_objects_it_has() {
    let net = Net::new();
    let mut server = serve(&net, &Plant::new());
    let asker = Asker::new(&net).await;
    let me = format!("device:{INSTANCE}");
    for (property, value) in [
        (PropertyId::OBJECT_NAME, Datum::Text("Riser".into())),
        (PropertyId::SYSTEM_STATUS, Datum::Enumerated(0)),
        (PropertyId::VENDOR_NAME, Datum::Text("Riser".into())),
        (PropertyId::PROTOCOL_REVISION, Datum::Unsigned(14)),
        (PropertyId::SEGMENTATION_SUPPORTED, Datum::Enumerated(0)),
        (PropertyId::MAX_APDU_LENGTH, Datum::Unsigned(1476)),
        (PropertyId::APDU_TIMEOUT, Datum::Unsigned(500)),
    ] {
        assert_eq!(asker.get(&me, property).await, Ok(value), "{property}");
    }
    // "Whichever device this is" is answered with its own name.
    let any = Reference::new(ObjectId::device(4_194_303), PropertyId::OBJECT_IDENTIFIER);
    let body = asker
        .ask(service::READ_PROPERTY, &property::read(&any))
        .await;
    let (found, _) = property::decode_read_answer(body.as_ref().unwrap()).unwrap();
    assert_eq!(found.object, ObjectId::device(INSTANCE));

    let list = asker.list().await;
    assert_eq!(list.len(), 1 + 9, "{list:?}");
    assert_eq!(list[0], ObjectId::device(INSTANCE));
    let whole = Reference::new(ObjectId::device(INSTANCE), PropertyId::OBJECT_LIST);
    assert_eq!(asker.read(whole.at(0)).await, Ok(vec![Datum::Unsigned(10)]));
    for (at, object) in (1..).zip(&list) {
        assert_eq!(
            asker.read(whole.at(at)).await,
            Ok(vec![Datum::Object(*object)])
        );
    }
    assert_eq!(asker.read(whole.at(11)).await, Err(error(2, 42)));
    let Ok(Datum::Bits(services)) = asker
        .get(&me, PropertyId::PROTOCOL_SERVICES_SUPPORTED)
        .await
    else {
        panic!("bits");
    };
    let set: Vec<usize> = (0..services.len()).filter(|at| services.get(*at)).collect();
    assert_eq!(set, [5, 12, 14, 15, 16, 33, 34]);
    let Ok(Datum::Date(date)) = asker.get(&me, PropertyId::LOCAL_DATE).await else {
        panic!("a date");
    };
    assert!(
        date.year >= 126 && (1..=7).contains(&date.weekday),
        "{date:?}"
    );
    let up = |r: &Running| {
        r.health
            .lanes()
            .iter()
            .any(|l| l.state == LaneState::Up && l.requests > 10)
    };
    server.wait_until("the lane to be up", up).await;
    server.stop().await;
}

#[tokio::test]
async fn it_presents_itself_in_the_ranges_it_is_in_and_knows_its_objects() {
    let net = Net::new();
    let client = Client::open(&net.binding(), Patience::default()).unwrap();
    let mut heard = client.listen();
    let mut server = serve(&net, &Plant::new());
    let next = async |heard: &mut tokio::sync::broadcast::Receiver<Heard>, patience| {
        let next = tokio::time::timeout(Duration::from_millis(patience), heard.recv()).await;
        next.ok().map(|h| h.unwrap())
    };
    let Some(Heard::Device(from, i_am)) = next(&mut heard, 10_000).await else {
        panic!("it presents itself at the start");
    };
    assert_eq!((from, i_am.instance), (net.address(SERVER), INSTANCE));
    for (range, answers) in [
        (None, true),
        (Some((INSTANCE, INSTANCE)), true),
        (Some((0, INSTANCE - 1)), false),
        (Some((INSTANCE + 1, 4_194_303)), false),
    ] {
        client
            .tell_all(service::WHO_IS, &device::who_is(range))
            .await
            .unwrap();
        let patience = if answers { 10_000 } else { 400 };
        let came = next(&mut heard, patience).await;
        assert_eq!(
            matches!(came, Some(Heard::Device(..))),
            answers,
            "{range:?} {came:?}"
        );
    }
    for (sought, found) in [
        (device::Sought::Name("ahu-1/fan".into()), Some("bv:1")),
        (device::Sought::Object(id("bv:1")), Some("bv:1")),
        (device::Sought::Name("Riser".into()), Some("device:260001")),
        (device::Sought::Name("nobody".into()), None),
    ] {
        let body = device::who_has(None, &sought);
        client.tell_all(service::WHO_HAS, &body).await.unwrap();
        let patience = if found.is_some() { 10_000 } else { 400 };
        let object = match next(&mut heard, patience).await {
            Some(Heard::Object(_, INSTANCE, object, _)) => Some(object),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(object, found.map(id), "{sought:?}");
    }
    server.stop().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of every kind")]
async fn points_of_every_kind_are_shown_with_units_and_states() {
    let net = Net::new();
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let asker = Asker::new(&net).await;
    let text = |text: &str| Ok(Datum::Text(text.to_owned()));
    for (path, object, value) in [
        ("ahu-1/supply_temp", "ai", Datum::Real(21.5)),
        ("ahu-1/setpoint", "av", Datum::Real(20.0)),
        ("ahu-1/fan", "bv", Datum::Enumerated(0)),
        ("ahu-1/alarm", "bi", Datum::Enumerated(1)),
        ("ahu-1/mode", "mv", Datum::Unsigned(2)),
        ("ahu-1/stage", "mi", Datum::Unsigned(2)),
        ("ahu-1/maker", "csv", Datum::Text("Größer & Söhne".into())),
        ("meter-1/energy", "ai", Datum::Real(12_345.0)),
    ] {
        let found = object_of(&asker, path).await;
        assert!(
            found.key().starts_with(&format!("{object}-")),
            "{path} is {found}"
        );
        let shown = asker
            .get(&found.to_string(), PropertyId::PRESENT_VALUE)
            .await;
        assert_eq!(shown, Ok(value), "{path}");
    }
    let supply = object_of(&asker, "ahu-1/supply_temp").await.to_string();
    let setpoint = object_of(&asker, "ahu-1/setpoint").await.to_string();
    assert_eq!(
        asker.get(&supply, PropertyId::UNITS).await,
        Ok(Datum::Enumerated(62))
    );
    assert_eq!(
        asker.get(&supply, PropertyId::COV_INCREMENT).await,
        Ok(Datum::Real(0.2))
    );
    assert_eq!(
        asker.get(&supply, PropertyId::DESCRIPTION).await,
        text("Plant: ahu-1 supply temp")
    );
    assert_eq!(
        asker.get(&supply, PropertyId::PRIORITY_ARRAY).await,
        Err(error(2, 32))
    );
    assert_eq!(
        asker.get(&setpoint, PropertyId::MAX_PRES_VALUE).await,
        Ok(Datum::Real(30.0))
    );
    let states = Reference::new(id("mv:1"), PropertyId::STATE_TEXT);
    let texts = ["Off", "Summer", "Winter"].map(|t| Datum::Text(t.into()));
    assert_eq!(asker.read(states).await, Ok(texts.to_vec()));
    assert_eq!(asker.read(states.at(3)).await, Ok(vec![texts[2].clone()]));
    assert_eq!(
        asker.get("mv:1", PropertyId::NUMBER_OF_STATES).await,
        Ok(Datum::Unsigned(3))
    );
    assert_eq!(
        asker.get("bv:1", PropertyId::ACTIVE_TEXT).await,
        text("Running")
    );
    assert_eq!(
        asker.get("bi:1", PropertyId::POLARITY).await,
        Ok(Datum::Enumerated(0))
    );

    server.stop().await;
}

#[tokio::test]
async fn a_quality_is_shown_as_flags_and_reliability() {
    let net = Net::new();
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let asker = Asker::new(&net).await;
    let supply = object_of(&asker, "ahu-1/supply_temp").await.to_string();
    // Never read: no number stands for that.
    let unread = object_of(&asker, "meter-1/unread").await.to_string();
    assert_eq!(
        asker.get(&unread, PropertyId::PRESENT_VALUE).await,
        Err(error(2, 72))
    );
    let flags = |bits: [bool; 4]| Ok(Datum::Bits(Bits::new(&bits)));
    let fault = flags([false, true, false, false]);
    assert_eq!(asker.get(&unread, PropertyId::STATUS_FLAGS).await, fault);
    // Of a device that is down the last value stays, and the fault is said.
    let down = Quality::bad(Reason::DeviceDown);
    plant
        .building
        .set(plant.supply, Some(Value::Float(21.5)), down);
    assert_eq!(
        asker.get(&supply, PropertyId::PRESENT_VALUE).await,
        Ok(Datum::Real(21.5))
    );
    assert_eq!(asker.get(&supply, PropertyId::STATUS_FLAGS).await, fault);
    assert_eq!(
        asker.get(&supply, PropertyId::RELIABILITY).await,
        Ok(Datum::Enumerated(12))
    );
    let by_hand = Quality::uncertain(Reason::Overridden);
    plant
        .building
        .set(plant.supply, Some(Value::Float(19.0)), by_hand);
    let overridden = flags([false, false, true, false]);
    assert_eq!(
        asker.get(&supply, PropertyId::STATUS_FLAGS).await,
        overridden
    );
    server.stop().await;
}

#[tokio::test]
async fn all_properties_are_those_of_the_property_list_and_none_is_wrong() {
    let net = Net::new();
    let mut server = serve(&net, &Plant::new());
    let asker = Asker::new(&net).await;
    for object in asker.list().await {
        let mut names = Vec::new();
        for word in [PropertyId::ALL, PropertyId::REQUIRED, PropertyId::OPTIONAL] {
            let body = property::read_many(&[Reference::new(object, word)]);
            let answer = asker
                .ask(service::READ_PROPERTY_MULTIPLE, &body)
                .await
                .unwrap();
            let mut found = Vec::new();
            property::decode_read_many_answer(&answer, |(reference, value)| {
                let unread = value == Err(error(2, 72));
                assert!(value.is_ok() || unread, "{reference}: {value:?}");
                found.push(reference.property);
            })
            .unwrap();
            names.push(found);
        }
        let listed = Reference::new(object, PropertyId::PROPERTY_LIST);
        let mut listed: Vec<PropertyId> = asker
            .read(listed)
            .await
            .unwrap()
            .into_iter()
            .map(|d| PropertyId(u32::try_from(d.as_unsigned().unwrap()).unwrap()))
            .collect();
        listed.extend([
            PropertyId::OBJECT_IDENTIFIER,
            PropertyId::OBJECT_NAME,
            PropertyId::OBJECT_TYPE,
        ]);
        let [mut all, required, optional] = <[_; 3]>::try_from(names).unwrap();
        let mut both = [required, optional].concat();
        for list in [&mut listed, &mut all, &mut both] {
            list.sort();
        }
        assert_eq!(all, listed, "{object}");
        assert_eq!(all, both, "{object}");
        assert!(!all.contains(&PropertyId::PROPERTY_LIST));
    }
    // What is wrong with one property is said of that one, and the others are answered.
    let wanted = [
        Reference::new(id("ai:1"), PropertyId::PRESENT_VALUE),
        Reference::new(id("ai:1"), PropertyId::STATE_TEXT),
        Reference::new(id("ai:999"), PropertyId::ALL),
    ];
    let body = property::read_many(&wanted);
    let answer = asker
        .ask(service::READ_PROPERTY_MULTIPLE, &body)
        .await
        .unwrap();
    let mut found = Vec::new();
    property::decode_read_many_answer(&answer, |(_, value)| found.push(value.err())).unwrap();
    assert_eq!(found, [None, Some(error(2, 32)), Some(error(1, 31))]);
    server.stop().await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one table of everything that can be wrong"
)]
async fn what_is_wrong_is_said_as_the_standard_wants_it() {
    let net = Net::new();
    let mut server = serve(&net, &Plant::new());
    let asker = Asker::new(&net).await;
    let read = |object: &str, property, index| {
        property::read(&Reference {
            object: id(object),
            property,
            index,
        })
    };
    let write = |object: &str, property, value: Datum, priority| {
        Write {
            reference: Reference::new(id(object), property),
            value: value.encoded(),
            priority,
        }
        .encoded()
    };
    let (pv, units) = (PropertyId::PRESENT_VALUE, PropertyId::UNITS);
    let extra = [read("ai:1", pv, None), vec![0x21, 1]].concat();
    let level_17 = [write("av:1", pv, Datum::Real(1.0), None), vec![0x49, 17]].concat();
    let subscribe = |object: &str| {
        cov::Subscribe {
            process: 1,
            object: id(object),
            terms: Some((false, 60)),
        }
        .encoded()
    };
    for (what, service, body, refusal) in [
        ("unknown object", 12, read("ai:999", pv, None), error(1, 31)),
        (
            "another device",
            12,
            read("device:1", pv, None),
            error(1, 31),
        ),
        ("unknown type", 12, read("20:1", pv, None), error(1, 31)),
        (
            "unknown property",
            12,
            read("ai:1", PropertyId(9999), None),
            error(2, 32),
        ),
        (
            "index of no array",
            12,
            read("ai:1", pv, Some(1)),
            error(2, 50),
        ),
        (
            "index beyond the array",
            12,
            read("av:1", PropertyId::PRIORITY_ARRAY, Some(17)),
            error(2, 42),
        ),
        ("nothing", 12, Vec::new(), Refusal::Reject(5)),
        ("half an object", 12, vec![0x0c, 0, 0], Refusal::Reject(5)),
        ("too much", 12, extra, Refusal::Reject(7)),
        ("nothing of many", 14, Vec::new(), Refusal::Reject(5)),
        (
            "a group without end",
            14,
            vec![0x0c, 0, 0, 0, 1, 0x1e, 9, 85],
            Refusal::Reject(5),
        ),
        ("unknown service", 20, Vec::new(), Refusal::Reject(9)),
        ("read range", 26, read("ai:1", pv, None), Refusal::Reject(9)),
        (
            "write to an input",
            15,
            write("ai:1", pv, Datum::Real(1.0), Some(8)),
            error(2, 40),
        ),
        (
            "write of a unit",
            15,
            write("av:1", units, Datum::Enumerated(1), None),
            error(2, 40),
        ),
        (
            "write of nothing there",
            15,
            write("av:1", PropertyId::STATE_TEXT, Datum::Null, None),
            error(2, 32),
        ),
        (
            "write to nobody",
            15,
            write("av:99", pv, Datum::Real(1.0), None),
            error(1, 31),
        ),
        (
            "write to the device",
            15,
            write(
                "device:260001",
                PropertyId::OBJECT_NAME,
                Datum::Text("x".into()),
                None,
            ),
            error(2, 40),
        ),
        (
            "wrong type",
            15,
            write("av:1", pv, Datum::Unsigned(1), None),
            error(2, 9),
        ),
        (
            "beyond the limits",
            15,
            write("av:1", pv, Datum::Real(99.0), None),
            error(2, 37),
        ),
        (
            "no number",
            15,
            write("av:1", pv, Datum::Real(f32::NAN), None),
            error(2, 37),
        ),
        (
            "no such state",
            15,
            write("mv:1", pv, Datum::Unsigned(4), None),
            error(2, 37),
        ),
        (
            "the level of minimum times",
            15,
            write("av:1", pv, Datum::Real(20.0), Some(6)),
            error(2, 40),
        ),
        ("no such level", 15, level_17, Refusal::Reject(6)),
        (
            "changes of the device",
            5,
            subscribe("device:260001"),
            error(1, 45),
        ),
        ("changes of nobody", 5, subscribe("ai:999"), error(1, 31)),
        ("changes of nothing", 5, Vec::new(), Refusal::Reject(5)),
    ] {
        assert_eq!(asker.ask(service, &body).await, Err(refusal), "{what}");
    }
    // Asked of everybody, a question that wants an answer gets none.
    let raw = Raw::new(&net).await;
    let body = read("ai:1", pv, None);
    let question = Apdu::Confirmed {
        segment: None,
        takes: Takes::EVERYTHING,
        invoke: 3,
        service: 12,
        body: &body,
    };
    let mut npdu = vec![1, 4];
    question.encode(&mut npdu);
    raw.0.send(&Bvlc::Broadcast(&npdu).encoded()).await.unwrap();
    assert_eq!(raw.next(400).await, None);
    raw.0.send(&Bvlc::Unicast(&npdu).encoded()).await.unwrap();
    assert!(raw.next(5000).await.is_some());
    server.stop().await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story of a value held by several"
)]
async fn writes_are_held_at_their_level_and_released() {
    let net = Net::new();
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let asker = Asker::new(&net).await;
    let levels = Reference::new(id("av:1"), PropertyId::PRIORITY_ARRAY);
    let held = |at: usize, value: f32| {
        let mut levels = vec![Datum::Null; 16];
        levels[at - 1] = Datum::Real(value);
        levels
    };
    let shows = async |value: f32| {
        let shown = asker.get("av:1", PropertyId::PRESENT_VALUE).await;
        assert_eq!(shown, Ok(Datum::Real(value)));
    };
    assert_eq!(asker.read(levels).await, Ok(vec![Datum::Null; 16]));
    assert_eq!(
        asker.write("av:1", Datum::Real(22.5), Some(8)).await,
        Ok(())
    );
    shows(22.5).await;
    assert_eq!(asker.read(levels).await, Ok(held(8, 22.5)));
    assert_eq!(asker.read(levels.at(8)).await, Ok(vec![Datum::Real(22.5)]));
    assert_eq!(
        asker.read(levels.at(0)).await,
        Ok(vec![Datum::Unsigned(16)])
    );
    let rest = asker.get("av:1", PropertyId::RELINQUISH_DEFAULT).await;
    assert_eq!(
        rest,
        Ok(Datum::Real(20.0)),
        "what it showed before anybody held it"
    );
    // Under a held level a write is taken and does not show.
    assert_eq!(asker.write("av:1", Datum::Real(10.0), None).await, Ok(()));
    shows(22.5).await;
    assert_eq!(asker.write("av:1", Datum::Null, Some(8)).await, Ok(()));
    shows(10.0).await;
    assert_eq!(asker.read(levels).await, Ok(held(16, 10.0)));
    assert_eq!(asker.write("av:1", Datum::Null, None).await, Ok(()));
    assert_eq!(asker.read(levels).await, Ok(vec![Datum::Null; 16]));

    let write = |object: &str, value: Datum| Write {
        reference: Reference::new(id(object), PropertyId::PRESENT_VALUE),
        value: value.encoded(),
        priority: Some(9),
    };
    let writes = [
        write("bv:1", Datum::Enumerated(1)),
        write("mv:1", Datum::Unsigned(3)),
    ];
    let many = service::WRITE_PROPERTY_MULTIPLE;
    let done = asker.ask(many, &property::write_many(&writes)).await;
    assert_eq!(done, Ok(Vec::new()));
    assert_eq!(
        asker.get("bv:1", PropertyId::PRESENT_VALUE).await,
        Ok(Datum::Enumerated(1))
    );
    assert_eq!(
        asker.get("mv:1", PropertyId::PRESENT_VALUE).await,
        Ok(Datum::Unsigned(3))
    );
    let last = plant.building.writes().pop().unwrap();
    assert_eq!(
        (last.value, last.priority.level()),
        (Some(Value::Int(7)), 9)
    );
    assert_eq!(last.author.name, format!("bacnet 127.0.0.1:{}", net.port));
    // The first that cannot be done ends it, is named, and what stood before it is done.
    let writes = [
        write("bv:1", Datum::Enumerated(0)),
        write("ai:1", Datum::Real(1.0)),
        write("mv:1", Datum::Unsigned(1)),
    ];
    let refused = asker.ask(many, &property::write_many(&writes)).await;
    assert_eq!(refused, Err(error(2, 40)));
    assert_eq!(
        asker.get("bv:1", PropertyId::PRESENT_VALUE).await,
        Ok(Datum::Enumerated(0))
    );
    assert_eq!(
        asker.get("mv:1", PropertyId::PRESENT_VALUE).await,
        Ok(Datum::Unsigned(3))
    );
    server.stop().await;
}

#[tokio::test]
async fn only_those_who_may_write_do_and_only_what_is_writable_is_offered() {
    let net = Net::new();
    let elsewhere = config(&net, "write_from = [\"192.0.2.0/24\"]", ALL);
    let plant = Plant::new();
    let mut server = serve_with(&elsewhere, &plant);
    let asker = Asker::new(&net).await;
    let denied = asker.write("av:1", Datum::Real(21.0), None).await;
    assert_eq!(denied, Err(error(2, 40)));
    server.stop().await;
    let here = "write_from = [\"192.0.2.9\", \"127.0.0.0/8\"]";
    let shown = "[[show]]\npoints = [\"ahu-1/*\"]\n\
        [[object]]\npoint = \"ahu-1/setpoint\"\ninstance = 100\nname = \"Setpoint\"\nwritable = true\n";
    let mut server = serve_with(&config(&net, here, shown), &plant);
    let asker = Asker::new(&net).await;
    assert_eq!(asker.write("av:100", Datum::Real(21.0), None).await, Ok(()));
    let name = asker.get("av:100", PropertyId::OBJECT_NAME).await;
    assert_eq!(name, Ok(Datum::Text("Setpoint".into())));
    // The fan is writable in the gateway and shown as an input here.
    let denied = asker.write("bi:1", Datum::Enumerated(1), None).await;
    assert_eq!(denied, Err(error(2, 40)));
    assert_eq!(
        asker.get("ai:99", PropertyId::OBJECT_NAME).await,
        Err(error(1, 31))
    );
    server.stop().await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story of a table that fills and empties"
)]
async fn changes_are_told_in_both_ways_until_the_subscription_ends() {
    let net = Net::new();
    let plant = Plant::new();
    let mut server = serve_with(&config(&net, "subscriptions = 2", ALL), &plant);
    let asker = Asker::new(&net).await;
    let (to, mut notices) = mpsc::channel(64);
    asker.client.notices((5, INSTANCE), to);
    let subscribe = async |object: &str, terms| {
        let request = cov::Subscribe {
            process: 5,
            object: id(object),
            terms,
        };
        asker.ask(service::SUBSCRIBE_COV, &request.encoded()).await
    };
    let supply = object_of(&asker, "ahu-1/supply_temp").await.to_string();
    for confirmed in [false, true] {
        assert_eq!(
            subscribe(&supply, Some((confirmed, 60))).await,
            Ok(Vec::new())
        );
        let first = told(&mut notices).await.expect("the first says how it is");
        assert!((58..=60).contains(&first.remaining), "{first:?}");
        let flags = Datum::Bits(Bits::new(&[false; 4]));
        let good = Quality::GOOD;
        let before = first.values[0].1.clone();
        assert_eq!(first.values[1], (PropertyId::STATUS_FLAGS, flags));
        // Less than the increment is no change: what is told next is what comes after it.
        let Datum::Real(before) = before else {
            panic!("{before:?}");
        };
        let near = f64::from(before) + 0.1;
        plant
            .building
            .set(plant.supply, Some(Value::Float(near)), good);
        let far = if confirmed { 25.0 } else { 23.0 };
        plant
            .building
            .set(plant.supply, Some(Value::Float(far)), good);
        let next = told(&mut notices).await.expect("a change");
        #[expect(clippy::cast_possible_truncation, reason = "whole")]
        let wanted = Datum::Real(far as f32);
        assert_eq!(next.values[0].1, wanted);
    }
    // A flag is a change too.
    plant.building.set(
        plant.supply,
        Some(Value::Float(25.0)),
        Quality::bad(Reason::Stale),
    );
    let stale = told(&mut notices).await.expect("a flag");
    let fault = Datum::Bits(Bits::new(&[false, true, false, false]));
    assert_eq!(stale.values[1].1, fault);
    // The table holds two; a renewal takes no second place, and an end makes room.
    assert_eq!(subscribe("bi:1", Some((false, 0))).await, Ok(Vec::new()));
    let endless = told(&mut notices).await.expect("the first");
    assert_eq!((endless.object, endless.remaining), (id("bi:1"), 0));
    assert_eq!(
        subscribe("mi:1", Some((false, 60))).await,
        Err(error(3, 19))
    );
    let list = Reference::new(
        ObjectId::device(INSTANCE),
        PropertyId::ACTIVE_COV_SUBSCRIPTIONS,
    );
    let answer = asker
        .ask(service::READ_PROPERTY, &property::read(&list))
        .await
        .unwrap();
    let (_, octets) = property::decode_read_answer(&answer).unwrap();
    let mut active = cov::Active::decode_all(octets).unwrap();
    active.sort_by_key(|a| a.watched.object);
    assert_eq!(active.len(), 2);
    assert!(
        active[0].confirmed && active[0].increment == Some(0.2),
        "{active:?}"
    );
    assert_eq!((active[1].remaining, active[1].increment), (0, None));
    assert_eq!(subscribe("bi:1", None).await, Ok(Vec::new()));
    assert_eq!(
        subscribe("bi:1", None).await,
        Ok(Vec::new()),
        "what is not there is ended too"
    );
    assert_eq!(subscribe("mi:1", Some((false, 3))).await, Ok(Vec::new()));
    assert_eq!(told(&mut notices).await.unwrap().object, id("mi:1"));
    plant
        .building
        .set(plant.alarm, Some(Value::Bool(false)), Quality::GOOD);
    plant
        .building
        .set(plant.supply, Some(Value::Float(30.0)), Quality::GOOD);
    let next = told(&mut notices).await.expect("the one that is left");
    assert_eq!(next.object.to_string(), supply);
    // The one of three seconds has run out: there is room again.
    let until = Instant::now() + Duration::from_secs(20);
    while subscribe("bi:1", Some((false, 60))).await.is_err() {
        assert!(
            Instant::now() < until,
            "a subscription of three seconds lasts on"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn numbers_stay_and_the_revision_tells_of_what_came_and_went() {
    let net = Net::new();
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let asker = Asker::new(&net).await;
    let before = asker.list().await;
    let me = format!("device:{INSTANCE}");
    let revision = async |above: u64| {
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            let now = asker.get(&me, PropertyId::DATABASE_REVISION).await.unwrap();
            let now = now.as_unsigned().unwrap();
            if now > above {
                return now;
            }
            assert!(Instant::now() < until, "the revision stays at {now}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let first = revision(0).await;
    let names: Vec<_> = {
        let mut names = Vec::new();
        for object in &before {
            names.push(
                asker
                    .read(Reference::new(*object, PropertyId::OBJECT_NAME))
                    .await,
            );
        }
        names
    };
    // One that comes before all others in order gets a number of its own.
    plant
        .building
        .add(point("aaa/first", ValueKind::Float, Access::Read));
    let second = revision(first).await;
    let first_new = object_of(&asker, "aaa/first").await;
    assert_eq!(first_new, id("ai:4"));
    server.stop().await;
    let config = config(&net, "", ALL);
    let mut server = Running::start_after(&SERVER_KIND, &config, &server);
    let asker = Asker::new(&net).await;
    for (object, name) in before.iter().zip(names) {
        let now = asker
            .read(Reference::new(*object, PropertyId::OBJECT_NAME))
            .await;
        assert_eq!(now, name, "{object}");
    }
    let now = asker.get(&me, PropertyId::DATABASE_REVISION).await;
    assert_eq!(
        now,
        Ok(Datum::Unsigned(second)),
        "nothing came or went over a restart"
    );
    server.stop().await;
}

/// A socket that sends APDUs as they are.
struct Raw(UdpSocket);

impl Raw {
    async fn new(net: &Net) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(net.ip(SERVER)).await.unwrap();
        Self(socket)
    }

    async fn send(&self, apdu: &Apdu<'_>) {
        let (mut octets, mut npdu) = (Vec::new(), Vec::new());
        apdu.encode(&mut octets);
        Npdu {
            to: None,
            from: None,
            expects: true,
            payload: Payload::Apdu(&octets),
        }
        .encode(&mut npdu);
        self.0.send(&Bvlc::Unicast(&npdu).encoded()).await.unwrap();
    }

    /// The next APDU, if one comes in time.
    async fn next(&self, millis: u64) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let received = self.0.recv(&mut buffer);
        let length = tokio::time::timeout(Duration::from_millis(millis), received)
            .await
            .ok()?
            .unwrap();
        let Ok(Bvlc::Unicast(npdu)) = Bvlc::decode(&buffer[..length]) else {
            panic!("no unicast");
        };
        match Npdu::decode(npdu).unwrap().payload {
            Payload::Apdu(apdu) => Some(apdu.to_vec()),
            Payload::Network(..) => panic!("no APDU"),
        }
    }
}

fn takes(segments: bool, max_segments: u8, max_apdu: u8) -> Takes {
    Takes {
        segments,
        max_segments,
        max_apdu,
    }
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "the asker's side of an answer in parts"
)]
async fn a_long_list_goes_out_in_parts_as_the_asker_takes_them() {
    let net = Net::new();
    let plant = Plant::new().crowd(2000);
    let mut server = serve(&net, &plant);
    let asker = Asker::new(&net).await;
    assert_eq!(asker.list().await.len(), 2010);
    let raw = Raw::new(&net).await;
    let list = Reference::new(ObjectId::device(INSTANCE), PropertyId::OBJECT_LIST);
    let body = property::read(&list);
    let ask = |takes, invoke| Apdu::Confirmed {
        segment: None,
        takes,
        invoke,
        service: service::READ_PROPERTY,
        body: &body,
    };
    for (takes, reason) in [
        (takes(false, 0, 5), 4),
        (takes(true, 2, 5), 1),
        (takes(true, 6, 1), 1),
    ] {
        raw.send(&ask(takes, 9)).await;
        let answer = raw.next(5000).await.expect("an answer");
        let abort = Apdu::Abort {
            server: true,
            invoke: 9,
            reason,
        };
        assert_eq!(Apdu::decode(&answer), Ok(abort), "{takes:?}");
    }
    // Small parts, every third acknowledgement lost, and a window of two.
    raw.send(&ask(takes(true, 7, 3), 10)).await;
    let (mut octets, mut next, mut lost) = (Vec::new(), 0_u8, 0);
    loop {
        let answer = raw.next(5000).await.expect("the next part");
        let Ok(Apdu::ComplexAck {
            segment: Some(part),
            body,
            ..
        }) = Apdu::decode(&answer)
        else {
            panic!("{answer:?}");
        };
        assert!(answer.len() <= 480);
        if part.number == next {
            octets.extend(body);
            next = next.wrapping_add(1);
        }
        lost += 1;
        if lost % 3 == 0 && part.more {
            continue;
        }
        let number = next.wrapping_sub(1);
        raw.send(&Apdu::SegmentAck {
            negative: false,
            server: false,
            invoke: 10,
            number,
            window: 2,
        })
        .await;
        if !part.more && part.number == number {
            break;
        }
    }
    let (_, value) = property::decode_read_answer(&octets).unwrap();
    assert_eq!(Datum::decode_all(value).unwrap().len(), 2010);
    // One who wants no more is sent no more.
    raw.send(&ask(takes(true, 7, 3), 11)).await;
    raw.next(5000).await.expect("the first part");
    raw.send(&Apdu::Abort {
        server: false,
        invoke: 11,
        reason: 0,
    })
    .await;
    while raw.next(1200).await.is_some() {}
    raw.send(&Apdu::SegmentAck {
        negative: false,
        server: false,
        invoke: 11,
        number: 0,
        window: 8,
    })
    .await;
    assert_eq!(raw.next(1200).await, None);
    server.stop().await;
}

#[tokio::test]
async fn a_long_request_comes_in_parts() {
    let net = Net::new();
    let mut server = serve(&net, &Plant::new().crowd(100));
    let mut asker = Asker::new(&net).await;
    asker.most = (128, true);
    let mut wanted = Vec::new();
    for _ in 0..4 {
        wanted.extend((1..=103).map(|n| {
            let object = ObjectId::new(ObjectType::ANALOG_INPUT, n);
            Reference::new(object, PropertyId::RELIABILITY)
        }));
    }
    let body = property::read_many(&wanted);
    assert!(body.len() > 3000);
    let answer = asker
        .ask(service::READ_PROPERTY_MULTIPLE, &body)
        .await
        .unwrap();
    let mut found = Vec::new();
    property::decode_read_many_answer(&answer, |(reference, value)| {
        assert!(value.is_ok(), "{reference}: {value:?}");
        found.push(reference);
    })
    .unwrap();
    assert_eq!(found, wanted);
    server.stop().await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a generator of everything that may come"
)]
async fn nothing_anybody_sends_stops_it_or_makes_it_answer_without_end() {
    let net = Net::new();
    let mut server = serve(&net, &Plant::new().crowd(300));
    let asker = Asker::new(&net).await;
    let raw = Raw::new(&net).await;
    let everything =
        property::read_many(&[Reference::new(ObjectId::device(INSTANCE), PropertyId::ALL); 200]);
    let write = Write {
        reference: Reference::new(id("av:1"), PropertyId::PRESENT_VALUE),
        value: Datum::Real(21.0).encoded(),
        priority: Some(8),
    };
    let subscribe = cov::Subscribe {
        process: 1,
        object: id("ai:1"),
        terms: Some((true, 60)),
    };
    let bodies = [
        (
            12,
            property::read(&Reference::new(id("ai:1"), PropertyId::PRESENT_VALUE)),
        ),
        (14, everything),
        (15, write.encoded()),
        (16, property::write_many(&[write])),
        (5, subscribe.encoded()),
    ];
    // A generator of its own, so that a failure comes again.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..20_000_usize {
        let (service, body) = &bodies[round % bodies.len()];
        let mut octets = Vec::new();
        let segment = (random() % 4 == 0).then(|| riser_bacnet::codec::Segment {
            number: random().to_le_bytes()[0] % 4,
            window: random().to_le_bytes()[0],
            more: random() % 2 == 0,
        });
        Apdu::Confirmed {
            segment,
            takes: takes(random() % 2 == 0, 7, random().to_le_bytes()[0] % 16),
            invoke: random().to_le_bytes()[0],
            service: *service,
            body,
        }
        .encode(&mut octets);
        for _ in 0..random() % 4 {
            let at = usize::try_from(random()).unwrap_or(0) % octets.len();
            octets[at] = random().to_le_bytes()[0];
        }
        if random() % 8 == 0 {
            octets.truncate(usize::try_from(random()).unwrap_or(0) % octets.len());
        }
        let mut npdu = vec![1, 4];
        npdu.extend(octets);
        raw.0.send(&Bvlc::Unicast(&npdu).encoded()).await.unwrap();
        if round % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let until = Instant::now() + Duration::from_secs(30);
    let name = Reference::new(ObjectId::device(INSTANCE), PropertyId::OBJECT_NAME);
    let read = tokio::time::timeout_at(until.into(), asker.read(name)).await;
    assert_eq!(
        read.expect("it answers"),
        Ok(vec![Datum::Text("Riser".into())])
    );
    assert!(server.is_alive());
    let took = server.stop().await;
    assert!(
        took < Duration::from_secs(2),
        "with notifications nobody answers: {took:?}"
    );
}

#[tokio::test]
async fn it_shares_a_port_with_the_client() {
    let net = Net::new();
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    // A client lane on the server's own address and port: the answers of others still reach it.
    let lane = format!(
        "[[lane]]\nkey = \"l\"\naddress = \"127.0.0.{SERVER}\"\nport = {}\nbroadcast = [\"127.255.255.255\"]\n",
        net.port
    );
    let other = Net { port: net.port };
    let second = config(&other, "", ALL)
        .replace(&format!("127.0.0.{SERVER}"), "127.0.0.41")
        .replace(&INSTANCE.to_string(), "260002");
    let mut second = serve_with(&second, &plant);
    let device = "[[device]]\nkey = \"second\"\nlane = \"l\"\ninstance = 260002\ninterval_ms = 200\n\
        [[device.point]]\nkey = \"temp\"\nobject = \"ai:1\"\n";
    let mut client = Running::start(&riser_bacnet::KIND, &(lane + device));
    client.wait_value("second/temp", &Value::Float(21.5)).await;
    let asker = Asker::new(&net).await;
    let shown = asker.get("ai:1", PropertyId::PRESENT_VALUE).await;
    assert_eq!(shown, Ok(Datum::Real(21.5)));
    for running in [&mut client, &mut second, &mut server] {
        running.stop().await;
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_port_is_told_so() {
    let net = Net::new();
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let asker = Asker::new(&net).await;
    let config = config(&net, "", ALL);
    let second = build(&SERVER_KIND, &config).unwrap().adapter;
    let second = run_to_end(second).await;
    let error = second.expect_err("one port has one server");
    assert_eq!(error.class, riser_adapter::ErrorClass::Misconfigured);
    assert!(
        error.to_string().contains("another bacnet-server"),
        "{error}"
    );
    let shown = asker.get("ai:1", PropertyId::PRESENT_VALUE).await;
    assert_eq!(shown, Ok(Datum::Real(21.5)), "the first goes on");
    server.stop().await;
}

#[tokio::test]
async fn unknown_keys_are_refused() {
    refuses_unknown_keys(Subject {
        kind: &SERVER_KIND,
        config: |_| String::new(),
        device: || panic!("the server has no device behind it"),
        stubborn: || panic!("the server has no device behind it"),
        reads: ("", Constant::Bool(false)),
        writes: ("", Constant::Bool(false)),
        misspelt: (
            "[device]\ninstance = 1\nsubscriptons = 5\n",
            "subscriptions",
        ),
        outstanding: 0,
    })
    .await;
}

#[test]
fn what_is_wrong_in_a_configuration_is_named() {
    let device = "[device]\ninstance = 1\n";
    for (config, at, word) in [
        (
            "[device]\ninstance = 4194303\n".to_owned(),
            "device.instance",
            "4194302",
        ),
        (
            format!("{device}zone = \"Berlin\"\n"),
            "device.zone",
            "Europe/Berlin",
        ),
        (
            format!("{device}write_from = [\"192.0.2.0/33\"]\n"),
            "device.write_from",
            "192.0.2.0/24",
        ),
        (format!("{device}[lane]\nport = 70000\n"), "lane", "70000"),
        (
            format!("{device}[[show]]\npoints = [\"ahu\"]\n"),
            "show[0].points",
            "ahu-1/*",
        ),
        (
            format!("{device}[[object]]\npoint = \"a/b\"\ncov_increment = -1\n"),
            "object[0].cov_increment",
            "0 or more",
        ),
        (
            format!(
                "{device}[[object]]\npoint = \"a/b\"\ninstance = 7\n[[object]]\npoint = \"a/c\"\ninstance = 7\n"
            ),
            "object[1].instance",
            "7",
        ),
    ] {
        let Err(error) = build(&SERVER_KIND, &config) else {
            panic!("accepted: {config}");
        };
        assert_eq!(error.at, at, "{error}");
        assert!(error.problem.contains(word), "{error}");
    }
    let doubts = |config: &str| build(&SERVER_KIND, config).unwrap().adapter.doubts();
    assert!(doubts(device)[0].contains("no point is shown"));
    assert!(doubts(&format!("{device}{ALL}"))[0].contains("write_from"));
}
