//! Finds in the text of a configuration.

use super::*;
use futures_util::future::BoxFuture;
use riser_runtime::{AdapterError, DiscoverRequest};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const DOCUMENT: &str = "\
# The plant room
[gateway]
id = \"gw\"

[[adapter]]
kind = \"modbus\" # the old one

[[adapter.lane]]
key = \"plant\"
host = \"192.0.2.7\"

# by the door
[[adapter.device]]
key = \"meter\"
lane = \"plant\"
unit = 1

[[adapter.device.point]]
key = \"power\"

[[rule]] # keep
key = \"frost\"
";

struct Plain;

impl Discover for Plain {
    fn discover(
        &self,
        _: DiscoverRequest,
        _: mpsc::Sender<Found>,
        _: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async { Ok(()) })
    }
}

fn find(config: &str) -> Found {
    Found {
        address: "somewhere".into(),
        identity: Vec::new(),
        profile: None,
        remark: "in use".into(),
        config: config.parse().unwrap(),
    }
}

fn choice(number: usize, find: &Found) -> Choice<'_> {
    Choice {
        number,
        find,
        key: None,
        name: None,
        profile: None,
        values: Table::new(),
    }
}

fn taken() -> BTreeSet<String> {
    ["meter".to_owned()].into()
}

fn added(target: &Target, choices: &[Choice<'_>]) -> Result<Added, Vec<Trouble>> {
    add(DOCUMENT, ("modbus", &Plain), target, choices, &taken())
}

const UNIT_2: &str =
    "[[lane]]\nkey = 'b'\nhost = 'h'\n[[device]]\nkey = 'b-2'\nlane = 'b'\nunit = 2\n";
const UNIT_3: &str =
    "[[lane]]\nkey = 'b'\nhost = 'h'\n[[device]]\nkey = 'b-3'\nlane = 'b'\nunit = 3\n";

#[test]
fn finds_stand_behind_what_is_there_and_nothing_else_moves() {
    let (two, three) = (find(UNIT_2), find(UNIT_3));
    let choices = [
        Choice {
            key: Some("ahu".into()),
            name: Some("Air handling unit".into()),
            ..choice(4, &two)
        },
        choice(7, &three),
    ];
    let added = added(&Target::Existing("modbus".into()), &choices).unwrap();
    let lane = "\n[[adapter.lane]]\nkey = \"b\"\nhost = \"h\"\n";
    let devices = "\n[[adapter.device]]\nkey = \"ahu\"\nname = \"Air handling unit\"\nlane = \"b\"\nunit = 2\n\
        \n[[adapter.device]]\nkey = \"b-3\"\nlane = \"b\"\nunit = 3\n";
    let expected = DOCUMENT
        .replace("\n# by the door", &format!("{lane}\n# by the door"))
        .replace("\n[[rule]]", &format!("{devices}\n[[rule]]"));
    assert_eq!(added.text, expected);
    assert_eq!(
        added.places,
        [
            ("adapter[0].device[1]".to_owned(), 4),
            ("adapter[0].lane[1]".to_owned(), 4),
            ("adapter[0].device[2]".to_owned(), 7),
        ]
    );
}

#[test]
fn a_lane_with_the_same_settings_is_used_whatever_its_key() {
    let on_it = find(
        "[[lane]]\nkey = 'x'\nhost = '192.0.2.7'\n[[device]]\nkey = 'n'\nlane = 'x'\nunit = 9\n",
    );
    let text = added(&Target::Existing("modbus".into()), &[choice(0, &on_it)])
        .unwrap()
        .text;
    assert_eq!(text.matches("[[adapter.lane]]").count(), 1, "{text}");
    assert!(
        text.contains("key = \"n\"\nlane = \"plant\"\nunit = 9\n"),
        "{text}"
    );
}

#[test]
fn a_new_adapter_stands_behind_the_last() {
    let bridge = find("host = '192.0.2.9'\nbase_topic = 'zigbee2mqtt'\n");
    let choices = [choice(0, &bridge)];
    let new = add(
        DOCUMENT,
        ("zigbee", &Plain),
        &Target::New("upstairs".into()),
        &choices,
        &taken(),
    )
    .unwrap();
    let adapter = "\n[[adapter]]\nkind = \"zigbee\"\nname = \"upstairs\"\nbase_topic = \"zigbee2mqtt\"\nhost = \"192.0.2.9\"\n";
    let text = DOCUMENT.replace("\n[[rule]]", &format!("{adapter}\n[[rule]]"));
    let same = |a: &str| a.parse::<Table>().unwrap();
    assert_eq!(same(&new.text), same(&text));
    assert!(new.text.contains(adapter), "{}", new.text);
    assert!(new.text.contains("# by the door\n") && new.text.contains("[[rule]] # keep\n"));
    let first = add(
        "[gateway]\nid = 'x'\n",
        ("zigbee", &Plain),
        &Target::New("zigbee".into()),
        &choices,
        &taken(),
    );
    let first = first.unwrap().text;
    assert_eq!(
        same(&first)["adapter"][0]["host"].as_str(),
        Some("192.0.2.9"),
        "{first}"
    );
}

#[test]
fn whatever_stands_against_it_is_said_find_by_find() {
    let (two, three, busy) = (find(UNIT_2), find(UNIT_3), find(""));
    let secret = find("[[device]]\nkey = 't'\nid = 'x'\nlocal_key = ''\n");
    let there = find("[[device]]\nkey = 'n'\nlane = 'plant'\nunit = 1\n");
    let with = |key: &str, choice| Choice {
        key: Some(key.into()),
        ..choice
    };
    let target = Target::Existing("modbus".into());
    let says = |choices: &[Choice<'_>]| -> Vec<(Option<usize>, String, Option<String>)> {
        let troubles = added(&target, choices).unwrap_err().into_iter();
        troubles.map(|t| (t.number, t.text, t.proposal)).collect()
    };
    let taken_twice = [
        with("meter", choice(0, &two)),
        with("meter", choice(1, &three)),
    ];
    let said = says(&taken_twice);
    assert_eq!(said.len(), 2);
    assert_eq!(said[0].2.as_deref(), Some("meter-2"));
    assert!(said[0].1.contains("another device's"), "{said:?}");
    assert!(says(&[with("A b", choice(0, &two))])[0].2 == Some("a-b".into()));
    assert_eq!(says(&[choice(3, &busy)])[0].1, "cannot be added: in use");
    assert_eq!(
        says(&[choice(3, &secret)])[0].1,
        "'local_key' has to be given"
    );
    assert_eq!(
        says(&[choice(5, &there)])[0],
        (Some(5), "is there already, as 'meter'".into(), None)
    );
    let given = Choice {
        values: [("local_key".to_owned(), "0123".into())]
            .into_iter()
            .collect(),
        ..choice(3, &secret)
    };
    assert!(
        added(&target, &[given])
            .unwrap()
            .text
            .contains("local_key = \"0123\"")
    );
    let nobody = added(&Target::Existing("x".into()), &[choice(0, &two)]).unwrap_err();
    assert!(nobody[0].text.contains("no adapter 'x'"), "{nobody:?}");
    let again = added(&Target::New("modbus".into()), &[choice(0, &two)]).unwrap_err();
    assert!(again[0].text.contains("already"), "{again:?}");
}

#[test]
fn one_adapter_has_one_of_each_setting() {
    let document = "[[adapter]]\nkind = \"zigbee\"\nhost = \"a\"\n";
    let other = find("host = 'b'\n");
    let target = Target::Existing("zigbee".into());
    let told = add(
        document,
        ("zigbee", &Plain),
        &target,
        &[choice(0, &other)],
        &taken(),
    );
    let told = told.unwrap_err();
    assert!(told[0].text.contains("adapter of its own"), "{told:?}");
}

#[test]
fn a_bridge_is_known_by_its_settings_without_what_only_a_person_can_say() {
    let have: Table = "url = 'ws://a'\ntoken = '<hidden>'\n".parse().unwrap();
    let known = |config: &str| known(&Plain, &have, &find(config));
    assert_eq!(known("url = 'ws://a'\ntoken = ''\n"), Some(String::new()));
    assert_eq!(known("url = 'ws://b'\ntoken = ''\n"), None);
    assert_eq!(known(""), None);
}

#[test]
fn a_device_behind_another_follows_its_new_key() {
    let hub = find("[[device]]\nkey = 'hub'\nid = 'h'\n");
    let sub = find("[[device]]\nkey = 'sub'\nid = 's'\nvia = 'hub'\n");
    let choices = [
        Choice {
            key: Some("cellar".into()),
            ..choice(0, &hub)
        },
        choice(1, &sub),
    ];
    let text = added(&Target::Existing("modbus".into()), &choices)
        .unwrap()
        .text;
    assert!(text.contains("via = \"cellar\""), "{text}");
}
