//! Levels of both independent stacks: what is held above a write, what is given back below another,
//! and writes that wait for each other.

use crate::foreign::{Net, Peer};
use riser_adapter::{Clock, SystemClock, WriteResult};
use riser_adapter_testkit::Running;
use riser_bacnet::client::{Address, Answer, Ask, Client, Patience};
use riser_bacnet::codec::service::property::{self, Reference};
use riser_bacnet::codec::{Datum, ObjectId, ObjectType, PropertyId, service};
use riser_model::{Priority, Value};
use std::fmt::Write;
use std::time::Duration;

/// Both stacks, and an adapter that has a valve of each.
fn both(test: &str, net: &Net) -> Option<(Peer, Peer, Running)> {
    let bp3 = net.bacpypes3(test, &[], &[(11, 1101)])?;
    let rb = net.rusty(test, &["--seg"], 13, 1103)?;
    let mut config = net.lane("timeout_ms = 1000");
    for (key, instance) in [("bp3", 1101), ("rb", 1103)] {
        write!(
            config,
            "[[device]]\nkey = \"{key}\"\nlane = \"main\"\ninstance = {instance}\ninterval_ms = 200\n\
             [[device.point]]\nkey = \"valve\"\nobject = \"ao:1\"\naccess = \"read_write\"\n\
             [[device.point]]\nkey = \"setpoint\"\nobject = \"av:1\"\naccess = \"read_write\"\n\
             [[device.point]]\nkey = \"pump\"\nobject = \"bo:1\"\naccess = \"read_write\"\n\
             [[device.point]]\nkey = \"stage\"\nobject = \"mo:1\"\naccess = \"read_write\"\n\
             [[device.point]]\nkey = \"absent\"\nobject = \"ao:99\"\naccess = \"read_write\"\n"
        )
        .expect("it works");
    }
    Some((bp3, rb, Running::start(&riser_bacnet::KIND, &config)))
}

/// What is asked of a device beside the adapter.
struct Other(Client, Address);

impl Other {
    fn new(net: &Net, last: u8) -> Self {
        let client = Client::open(&net.binding(), Patience::default()).expect("it works");
        Self(client, net.address(last))
    }

    async fn ask(&self, service: u8, body: &[u8]) -> Answer {
        let ask = Ask {
            to: &self.1,
            service,
            body,
            max_apdu: 1024,
            parts: false,
            retry: true,
        };
        self.0.ask(ask).await.expect("it works")
    }

    /// Writes the valve as somebody else does.
    async fn write(&self, value: Datum, level: u8) {
        let body = property::Write {
            reference: Reference::new(VALVE, PropertyId::PRESENT_VALUE),
            value: value.encoded(),
            priority: Some(level),
        }
        .encoded();
        assert_eq!(self.ask(service::WRITE_PROPERTY, &body).await, Answer::Done);
    }

    /// Levels of the valve that are held, with their values.
    async fn held(&self) -> Vec<(u8, Datum)> {
        let wanted = Reference::new(VALVE, PropertyId::PRIORITY_ARRAY);
        let body = property::read(&wanted);
        let answer = match self.ask(service::READ_PROPERTY, &body).await {
            Answer::Octets(answer) => answer,
            _ => Vec::new(),
        };
        let (_, value) = property::decode_read_answer(&answer).expect("it works");
        let levels = Datum::decode_all(value).expect("it works");
        (1_u8..)
            .zip(levels)
            .filter(|(_, level)| *level != Datum::Null)
            .collect()
    }
}

const VALVE: ObjectId = ObjectId::new(ObjectType::ANALOG_OUTPUT, 1);

fn level(number: u8) -> Priority {
    Priority::new(number).expect("it works")
}

/// A command as the runtime gives it: the winner's level, and those to go.
async fn command(
    running: &mut Running,
    path: &str,
    value: Option<f64>,
    (winner, gone): (Option<u8>, &[u8]),
) -> WriteResult {
    let levels = (winner.map(level), gone.iter().map(|l| level(*l)).collect());
    let until = SystemClock.now().plus(Duration::from_secs(60));
    let result = running.send_levels(path, value.map(Value::Float), until, levels);
    let result = result.await.await.expect("it works");
    running.pump();
    result
}

fn applied(value: f64) -> WriteResult {
    WriteResult::Applied(Some(Value::Float(value)))
}

#[tokio::test]
async fn a_write_at_ten_under_a_held_eight_is_accepted_and_not_effective() {
    let net = Net::new();
    let test = "a_write_at_ten_under_a_held_eight_is_accepted_and_not_effective";
    let Some((_bp3, _rb, mut running)) = both(test, &net) else {
        return;
    };
    for (device, last) in [("bp3", 11), ("rb", 13)] {
        let path = format!("{device}/valve");
        running.wait_value(&path, &Value::Float(0.0)).await;
        let other = Other::new(&net, last);
        other.write(Datum::Real(55.0), 8).await;
        let result = command(&mut running, &path, Some(20.0), (Some(10), &[])).await;
        let WriteResult::NotEffective { read_back, detail } = result else {
            panic!("{device}: {result:?}");
        };
        assert_eq!(read_back, Some(Value::Float(55.0)));
        let words = "accepted, not effective: level 8 holds 55";
        assert!(detail.starts_with(words), "{device}: {detail}");
        // It is effective once the other lets go.
        other.write(Datum::Null, 8).await;
        running.wait_value(&path, &Value::Float(20.0)).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_level_given_back_gives_way_to_the_level_of_the_next_value() {
    let net = Net::new();
    let test = "a_level_given_back_gives_way_to_the_level_of_the_next_value";
    let Some((_bp3, _rb, mut running)) = both(test, &net) else {
        return;
    };
    for (device, last) in [("bp3", 11), ("rb", 13)] {
        let path = format!("{device}/valve");
        running.wait_value(&path, &Value::Float(0.0)).await;
        let other = Other::new(&net, last);
        // A schedule at 12, then a person at 8: the device holds the winner alone.
        let low = command(&mut running, &path, Some(30.0), (Some(12), &[])).await;
        assert_eq!(low, applied(30.0), "{device}");
        let high = command(&mut running, &path, Some(80.0), (Some(8), &[12])).await;
        assert_eq!(high, applied(80.0), "{device}");
        assert_eq!(other.held().await, [(8, Datum::Real(80.0))], "{device}");
        // The person lets go: the value of the schedule comes back, at its own level.
        let back = command(&mut running, &path, Some(30.0), (Some(12), &[8])).await;
        assert_eq!(back, applied(30.0), "{device}");
        assert_eq!(other.held().await, [(12, Datum::Real(30.0))], "{device}");
        let last = command(&mut running, &path, None, (None, &[12])).await;
        assert_eq!(last, applied(0.0), "{device}");
        assert_eq!(other.held().await, [], "{device}");
    }
    running.stop().await;
}

#[tokio::test]
async fn writes_that_wait_go_together_and_each_is_answered_by_itself() {
    let net = Net::new();
    let test = "writes_that_wait_go_together_and_each_is_answered_by_itself";
    let Some((mut bp3, _rb, mut running)) = both(test, &net) else {
        return;
    };
    for device in ["bp3", "rb"] {
        let path = |point: &str| format!("{device}/{point}");
        running.wait_value(&path("stage"), &Value::Int(1)).await;
        let before = bp3.number("writes");
        let mut results = Vec::new();
        let wanted = [
            ("valve", Value::Float(42.0)),
            ("setpoint", Value::Float(22.5)),
            ("pump", Value::Bool(true)),
            ("stage", Value::Int(3)),
        ];
        for (point, value) in &wanted {
            results.push(running.send_write(&path(point), Some(value.clone())).await);
        }
        for (result, (point, value)) in results.into_iter().zip(wanted) {
            let expected = WriteResult::Applied(Some(value));
            assert_eq!(result.await.unwrap(), expected, "{device} {point}");
        }
        if device == "bp3" {
            assert!(bp3.number("writes") - before < 4, "each went by itself");
        }
        // One the device refuses does not keep the others from being done.
        let (bad, good) = (
            running
                .send_write(&path("absent"), Some(Value::Float(7.0)))
                .await,
            running
                .send_write(&path("valve"), Some(Value::Float(43.0)))
                .await,
        );
        let bad = bad.await.unwrap();
        assert!(matches!(bad, WriteResult::Refused(_)), "{device}: {bad:?}");
        assert_eq!(good.await.unwrap(), applied(43.0), "{device}");
    }
    running.stop().await;
}
