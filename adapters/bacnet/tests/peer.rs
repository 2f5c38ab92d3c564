//! Against independent stacks: bacpypes3 and rusty-bacnet as devices. A missing one skips loudly, or
//! fails under `CI`.

mod foreign;

use foreign::Net;
use riser_bacnet::client::{Answer, Ask, Client, Heard, Patience};
use riser_bacnet::codec::service::property::{self, Reference};
use riser_bacnet::codec::service::{self, device};
use riser_bacnet::codec::{Datum, ObjectId, ObjectType, PropertyId};
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
    client.tell_all(service::WHO_IS, &device::who_is(None)).await.unwrap();
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
