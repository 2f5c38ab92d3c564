//! Against independent stacks: bacpypes3 and rusty-bacnet as devices. A missing one skips loudly, or
//! fails under `CI`.

mod foreign;

use foreign::Net;
use riser_adapter::WriteResult;
use riser_adapter_testkit::{Observed, Running};
use riser_bacnet::client::{Answer, Ask, Client, Heard, Patience};
use riser_bacnet::codec::service::property::{self, Reference};
use riser_bacnet::codec::service::{self, device};
use riser_bacnet::codec::{Datum, ObjectId, ObjectType, PropertyId};
use riser_model::{DeviceState, Quality, Reason, Value};
use std::time::Duration;

#[tokio::test]
async fn devices_of_both_stacks_present_themselves_and_are_read() {
    let net = Net::new();
    let test = "devices_of_both_stacks_present_themselves_and_are_read";
    let Some(_bp3) = net.bacpypes3(test, &[], &[(11, 1101), (12, 1102)]) else {
        return;
    };
    let Some(_rb) = net.rusty(test, &["--seg"], 13, 1103) else {
        return;
    };
    let client = Client::open(&net.binding(), Patience::default()).unwrap();
    let mut heard = client.listen();
    client
        .tell_all(service::WHO_IS, &device::who_is(None))
        .await
        .unwrap();
    let mut found = Vec::new();
    while found.len() < 3 {
        let next = tokio::time::timeout(Duration::from_secs(5), heard.recv()).await;
        if let Heard::Device(from, i_am) = next.expect("three devices answer").unwrap() {
            found.push((i_am.instance, from));
        }
    }
    found.sort();
    let expected: Vec<_> = [(1101, 11), (1102, 12), (1103, 13)]
        .map(|(instance, last)| (instance, net.address(last)))
        .into();
    assert_eq!(found, expected);
    for (instance, address) in found {
        let wanted = Reference::new(ObjectId::device(instance), PropertyId::OBJECT_LIST);
        let body = property::read(&wanted);
        let ask = Ask {
            to: &address,
            service: service::READ_PROPERTY,
            body: &body,
            max_apdu: 1476,
            parts: false,
            retry: true,
        };
        let Answer::Octets(answer) = client.ask(ask).await.unwrap() else {
            panic!("an object list is an answer");
        };
        let (got, value) = property::decode_read_answer(&answer).unwrap();
        assert_eq!(got, wanted);
        let list = Datum::decode_all(value).unwrap();
        let ai = Datum::Object(ObjectId::new(ObjectType::ANALOG_INPUT, 1));
        assert!(list.contains(&ai) && list.len() >= 13, "{list:?}");
    }
}

fn device(key: &str, rest: &str) -> String {
    format!(
        "[[device]]\nkey = \"{key}\"\nlane = \"main\"\ninterval_ms = 200\nprobe_interval_ms = 300\n{rest}\n"
    )
}

const NAMED: &str = r#"
[[device.point]]
key = "supply"
object = "ai:1"
unit = "°C"

[[device.point]]
key = "valve"
object = "ao:1"
access = "read_write"

[[device.point]]
key = "setpoint"
object = "av:1"
access = "read_write"

[[device.point]]
key = "pump"
object = "bo:1"
access = "read_write"

[[device.point]]
key = "stage"
object = "mo:1"
states = ["Aus", "Stufe 1", "Stufe 2"]
access = "read_write"

[[device.point]]
key = "increment"
object = "ai:1"
property = "cov-increment"
type = "float"

[[device.point]]
key = "nothing"
object = "ai:999"
"#;

/// Starts both stacks and an adapter that reads both.
fn both(test: &str, net: &Net, rest: &str) -> Option<(foreign::Peer, foreign::Peer, Running)> {
    let bp3 = net.bacpypes3(test, &[], &[(11, 1101)])?;
    let rb = net.rusty(test, &["--seg"], 13, 1103)?;
    let config = net.lane("timeout_ms = 500")
        + &device("bp3", &format!("instance = 1101\n{rest}"))
        + NAMED
        + &device(
            "rb",
            &format!("address = \"127.0.0.13:{}\"\n{rest}", net.port),
        )
        + NAMED;
    Some((bp3, rb, Running::start(&riser_bacnet::KIND, &config)))
}

#[tokio::test]
async fn values_of_both_stacks_are_read_with_their_qualities() {
    let net = Net::new();
    let test = "values_of_both_stacks_are_read_with_their_qualities";
    let Some((_bp3, _rb, mut running)) = both(test, &net, "") else {
        return;
    };
    for device in ["bp3", "rb"] {
        let path = |point: &str| format!("{device}/{point}");
        let warm = |o: &Observed| matches!(&o.value, Some(Value::Float(t)) if (19.0..=24.0).contains(t) && o.quality.is_good());
        let supply = path("supply");
        running
            .wait_until("a supply temperature", |r| {
                r.latest.get(&supply).is_some_and(warm)
            })
            .await;
        running.wait_value(&path("valve"), &Value::Float(0.0)).await;
        running.wait_value(&path("pump"), &Value::Bool(false)).await;
        running.wait_value(&path("stage"), &Value::Int(1)).await;
        let absent = Quality::bad(Reason::NotConfigured);
        running.wait_quality(&path("nothing"), absent).await;
    }
    running
        .wait_value("bp3/increment", &Value::Float(0.5))
        .await;
    let online = |r: &Running| {
        let devices = r.health.devices();
        devices.len() == 2 && devices.iter().all(|d| d.state == DeviceState::Online)
    };
    running.wait_until("both devices online", online).await;
    running.stop().await;
}

#[tokio::test]
async fn writes_are_confirmed_and_released_on_both_stacks() {
    let net = Net::new();
    let test = "writes_are_confirmed_and_released_on_both_stacks";
    let Some((_bp3, _rb, mut running)) = both(test, &net, "") else {
        return;
    };
    for device in ["bp3", "rb"] {
        let path = |point: &str| format!("{device}/{point}");
        running.wait_value(&path("valve"), &Value::Float(0.0)).await;
        for (point, value) in [
            ("valve", Value::Float(42.5)),
            ("setpoint", Value::Float(21.5)),
            ("pump", Value::Bool(true)),
            ("stage", Value::Int(3)),
        ] {
            let result = running.write(&path(point), value.clone()).await;
            assert_eq!(
                result,
                WriteResult::Applied(Some(value)),
                "{device} {point}"
            );
        }
        let released = running
            .send_write(&path("valve"), None)
            .await
            .await
            .unwrap();
        assert_eq!(
            released,
            WriteResult::Applied(Some(Value::Float(0.0))),
            "{device}"
        );
        match running.write(&path("supply"), Value::Float(1.0)).await {
            WriteResult::Refused(why) => assert!(why.contains("read-only"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    running.stop().await;
}
