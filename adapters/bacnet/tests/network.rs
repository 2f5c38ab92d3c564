//! Networks between the gateway and its devices: a real router, requests in parts, finding an object
//! by its name, a BBMD that leads nowhere, a device on another port.

use crate::foreign::{Net, Peer};
use riser_adapter::{DiscoverRequest, Found, WriteResult};
use riser_adapter_testkit::Running;
use riser_bacnet::client::{Answer, Ask, Client, Heard, Patience};
use riser_bacnet::codec::service::device::Sought;
use riser_bacnet::codec::service::property::{self, Reference, Write};
use riser_bacnet::codec::{Datum, ObjectId, ObjectType, PropertyId, service};
use riser_model::{DeviceState, Value};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn router(test: &str, net: &Net) -> Option<Peer> {
    let arguments = [&format!("127.0.0.31/8:{}", net.port), "3000", "7", "3"];
    Peer::start(test, "bacnet_router.py", &arguments.map(str::to_owned))
}

fn device(key: &str, rest: &str) -> String {
    format!(
        "[[device]]\nkey = \"{key}\"\nlane = \"main\"\ninterval_ms = 200\nprobe_interval_ms = 500\n{rest}\n\
         [[device.point]]\nkey = \"temp\"\nobject = \"ai:1\"\n\
         [[device.point]]\nkey = \"setpoint\"\nobject = \"av:1\"\naccess = \"read_write\"\n"
    )
}

#[tokio::test]
async fn devices_behind_a_router_are_found_read_told_of_and_written() {
    let net = Net::new();
    let test = "devices_behind_a_router_are_found_read_told_of_and_written";
    let Some(mut peer) = router(test, &net) else {
        return;
    };
    // By instance, by network and address with the router asked for, and with the router named.
    let config = net.lane("timeout_ms = 1000")
        + &device(
            "a",
            "instance = 3001\ncov = true\ncov_lifetime_s = 600\ncov_verify_s = 600",
        )
        + &device("b", "address = \"7:02\"")
        + &device("c", &format!("address = \"7:03@127.0.0.31:{}\"", net.port));
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    for (key, value) in [("a", 19.0), ("b", 20.0), ("c", 21.0)] {
        let path = format!("{key}/temp");
        running.wait_value(&path, &Value::Float(value)).await;
        let written = running
            .write(&format!("{key}/setpoint"), Value::Float(23.5))
            .await;
        assert_eq!(
            written,
            WriteResult::Applied(Some(Value::Float(23.5))),
            "{key}"
        );
    }
    let behind = |r: &Running| {
        let devices = r.health.devices();
        devices
            .iter()
            .all(|d| d.address.contains("7:0") && d.address.contains("127.0.0.31"))
    };
    running
        .wait_until("addresses with their router", behind)
        .await;
    running
        .wait_until("subscriptions through the router", |_| {
            peer.number("subscriptions") == 2
        })
        .await;
    peer.order("set ai:1 33.5");
    running.wait_value("a/temp", &Value::Float(33.5)).await;
    running.stop().await;
}

#[tokio::test]
async fn who_is_router_and_who_has_are_answered() {
    let net = Net::new();
    let test = "who_is_router_and_who_has_are_answered";
    let Some(_peer) = router(test, &net) else {
        return;
    };
    let client = Client::open(&net.binding(), Patience::default()).unwrap();
    let mut heard = client.listen();
    client.who_is_router(None).await.unwrap();
    let router = async {
        loop {
            if let Heard::Router(from, networks) = heard.recv().await.unwrap() {
                return (from, networks);
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), router).await;
    assert_eq!(answer.unwrap(), (net.ip(31), vec![7]));
    let name = Sought::Name("Sollwert hinten".into());
    let holders = client.who_has(&name, Duration::from_secs(2)).await.unwrap();
    let mut instances: Vec<u32> = holders.iter().map(|h| h.device).collect();
    instances.sort_unstable();
    assert_eq!(instances, [3001, 3002, 3003]);
    let av = ObjectId::new(ObjectType::ANALOG_VALUE, 1);
    assert!(
        holders
            .iter()
            .all(|h| h.object == av && h.name == "Sollwert hinten")
    );
    assert!(
        holders
            .iter()
            .all(|h| h.from.remote.as_ref().is_some_and(|r| r.network == 7))
    );
    drop(client);
    // The router itself holds none: only those behind it are offered.
    let options = format!(
        "seconds = 2\nobject = \"Sollwert hinten\"\n[lane]\naddress = \"127.0.0.1\"\nport = {}\nbroadcast = [\"127.255.255.255\"]\n",
        net.port
    );
    let finds = search(options).await;
    assert_eq!(finds.len(), 3, "{finds:?}");
    let holds = |f: &Found| f.remark == "holds it as analog-value:1";
    assert!(finds.iter().all(holds), "{finds:?}");
}

#[tokio::test]
async fn a_request_too_long_for_one_message_goes_in_parts() {
    let net = Net::new();
    let test = "a_request_too_long_for_one_message_goes_in_parts";
    let Some(_bp3) = net.bacpypes3(test, &["--many", "300"], &[(11, 1101)]) else {
        return;
    };
    let client = Client::open(&net.binding(), Patience::default()).unwrap();
    let wanted: Vec<Reference> = (1..=298)
        .map(|n| {
            Reference::new(
                ObjectId::new(ObjectType::ANALOG_INPUT, n),
                PropertyId::PRESENT_VALUE,
            )
        })
        .collect();
    let to = net.address(11);
    // 298 properties of 9 octets do not fit into 480: seven parts out, as many back.
    let ask = Ask {
        to: &to,
        service: service::READ_PROPERTY_MULTIPLE,
        body: &property::read_many(&wanted),
        max_apdu: 480,
        parts: true,
        retry: true,
    };
    let Ok(Answer::Octets(octets)) = client.ask(ask).await else {
        panic!("{:?}", client.ask(ask).await);
    };
    let mut values = Vec::new();
    property::decode_read_many_answer(&octets, |(found, value)| {
        values.push((found, Datum::decode_all(value.unwrap()).unwrap()));
    })
    .unwrap();
    assert_eq!(values.len(), 298);
    for ((found, value), (wanted, nth)) in values.iter().zip(wanted.iter().zip(0_u8..)) {
        assert_eq!(found, wanted);
        assert_eq!(value, &[Datum::Real(nth.into())]);
        if nth == 200 {
            break;
        }
    }
}

#[tokio::test]
async fn a_long_text_is_written_in_parts() {
    let net = Net::new();
    let test = "a_long_text_is_written_in_parts";
    let Some(_bp3) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    let client = Client::open(&net.binding(), Patience::default()).unwrap();
    let text = "Außenluft ".repeat(200);
    let location = Reference::new(ObjectId::device(1101), PropertyId::LOCATION);
    let to = net.address(11);
    let write = Write {
        reference: location,
        value: Datum::Text(text.clone()).encoded(),
        priority: None,
    };
    let ask = |service, body| Ask {
        to: &to,
        service,
        body,
        max_apdu: 480,
        parts: true,
        retry: true,
    };
    let body = write.encoded();
    let written = client.ask(ask(service::WRITE_PROPERTY, &body)).await;
    assert_eq!(written, Ok(Answer::Done));
    let body = property::read(&location);
    let Ok(Answer::Octets(octets)) = client.ask(ask(service::READ_PROPERTY, &body)).await else {
        panic!("it is read back");
    };
    let (_, value) = property::decode_read_answer(&octets).unwrap();
    assert_eq!(Datum::decode_all(value), Ok(vec![Datum::Text(text)]));
}

async fn search(options: String) -> Vec<Found> {
    let (found, mut finds) = mpsc::channel(64);
    let discover = (riser_bacnet::KIND.discover.expect("it works"))();
    let request = DiscoverRequest {
        options: options.parse().expect("it works"),
    };
    let search = discover.discover(request, found, CancellationToken::new());
    search.await.expect("it works");
    let mut all = Vec::new();
    while let Some(find) = finds.recv().await {
        all.push(find);
    }
    all
}

#[tokio::test]
async fn a_search_says_how_the_bbmd_stands_and_why_nothing_was_found() {
    let net = Net::new();
    let test = "a_search_says_how_the_bbmd_stands_and_why_nothing_was_found";
    let lane = |port: u16, bbmd: &str| {
        format!(
            "seconds = 2\n[lane]\naddress = \"127.0.0.1\"\nport = {port}\nbroadcast = [\"127.255.255.255\"]\n{bbmd}\n"
        )
    };
    // Nobody is there at all.
    let alone = search(lane(crate::foreign::free_port(), "")).await;
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert!(alone[0].remark.contains("no device answered") && alone[0].config.is_empty());
    // A BBMD that answers nothing, then one that stands alone.
    let silent = format!("bbmd = \"127.0.0.22:{}\"", crate::foreign::free_port());
    let missing = search(lane(crate::foreign::free_port(), &silent)).await;
    let words = &missing.last().unwrap().remark;
    assert!(words.starts_with("missing BBMD: 127.0.0.22"), "{words}");
    let Some(_bbmd) = net.rusty(test, &["--bbmd", ""], 21, 2101) else {
        return;
    };
    let bbmd = format!("bbmd = \"127.0.0.21:{}\"", net.port);
    let behind = search(lane(crate::foreign::free_port(), &bbmd)).await;
    assert!(
        behind.iter().any(|f| f.address.ends_with("instance 2101")),
        "{behind:?}"
    );
    let finding = behind.iter().find(|f| f.address.starts_with("BBMD"));
    let finding = finding.expect("it stands alone");
    assert!(
        finding.remark.contains("names no other BBMD"),
        "{finding:?}"
    );
    assert!(
        finding
            .identity
            .contains(&("foreign devices".into(), "1".into())),
        "{finding:?}"
    );
}

#[tokio::test]
async fn a_device_on_another_port_is_named_with_it() {
    let net = Net::new();
    let test = "a_device_on_another_port_is_named_with_it";
    // The device is on one of the ports of BACnet, at an address no other test uses.
    let arguments = ["127.0.0.77/8:47815".to_owned(), "1777".to_owned()];
    let Some(_bp3) = Peer::start(test, "bacnet_devices.py", &arguments) else {
        return;
    };
    let config = net.lane("timeout_ms = 1500\nretries = 0")
        + &device("lost", "address = \"127.0.0.77:47808\"");
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    let said = |r: &Running| {
        r.health.devices().iter().any(|d| {
            let words = d.last_error.as_deref().unwrap_or_default();
            d.state == DeviceState::Offline
                && words.contains("write the address as 127.0.0.77:47815")
        })
    };
    running.wait_until("the port in words", said).await;
    running.stop().await;
}
