//! A gateway with points of every kind, the server face that shows them, and somebody who asks it in
//! the adapter's own codec. What is right is judged by other stacks in `tests/served.rs`.
#![allow(
    dead_code,
    clippy::panic,
    clippy::allow_attributes,
    reason = "each test file uses a part of it"
)]

use crate::foreign::Net;
use riser_adapter_testkit::{BuildingInMemory, Running};
use riser_bacnet::SERVER_KIND;
use riser_bacnet::client::{Address, Answer, Ask, Client, Patience, RequestError};
use riser_bacnet::codec::service::cov::Notification;
use riser_bacnet::codec::service::property::{self, Reference, Write};
use riser_bacnet::codec::service::{self, Refusal};
use riser_bacnet::codec::{Datum, ObjectId, PropertyId};
use riser_model::{Access, Label, Limits, Point, Quality, Slot, Unit, Value, ValueKind};
use std::time::Duration;
use tokio::sync::mpsc;

/// Instance of the server.
pub(crate) const INSTANCE: u32 = 260_001;
/// Last octet of its address.
pub(crate) const SERVER: u8 = 40;

pub(crate) fn point(path: &str, kind: ValueKind, access: Access) -> Point {
    Point {
        path: path.parse().expect("a path"),
        name: path.replace(['/', '_'], " "),
        device_name: "Plant".to_owned(),
        kind,
        unit: None,
        access,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 60_000,
    }
}

fn labels(states: &[(i64, &str)]) -> Vec<Label> {
    let label = |(state, text): &(i64, &str)| Label {
        state: *state,
        text: (*text).to_owned(),
    };
    states.iter().map(label).collect()
}

/// Points of every kind.
pub(crate) struct Plant {
    pub(crate) building: BuildingInMemory,
    pub(crate) supply: Slot,
    pub(crate) setpoint: Slot,
    pub(crate) alarm: Slot,
    pub(crate) mode: Slot,
}

impl Plant {
    pub(crate) fn new() -> Self {
        let building = BuildingInMemory::default();
        let celsius = Unit::parse("°C").ok();
        let good = |slot, value| building.set(slot, Some(value), Quality::GOOD);
        let supply = building.add(Point {
            unit: celsius,
            deadband: Some(0.2),
            ..point("ahu-1/supply_temp", ValueKind::Float, Access::Read)
        });
        let setpoint = building.add(Point {
            unit: celsius,
            limits: Limits {
                min: Some(5.0),
                max: Some(30.0),
                step: Some(0.5),
            },
            ..point("ahu-1/setpoint", ValueKind::Float, Access::ReadWrite)
        });
        let fan = building.add(Point {
            labels: labels(&[(0, "Stopped"), (1, "Running")]),
            ..point("ahu-1/fan", ValueKind::Bool, Access::ReadWrite)
        });
        let alarm = building.add(point("ahu-1/alarm", ValueKind::Bool, Access::Read));
        let mode = building.add(Point {
            labels: labels(&[(0, "Off"), (3, "Summer"), (7, "Winter")]),
            ..point("ahu-1/mode", ValueKind::Enum, Access::ReadWrite)
        });
        let stage = building.add(Point {
            labels: labels(&[(1, "Low"), (2, "High")]),
            ..point("ahu-1/stage", ValueKind::Enum, Access::Read)
        });
        let maker = building.add(point("ahu-1/maker", ValueKind::Text, Access::Read));
        let energy = building.add(Point {
            unit: Unit::parse("kWh").ok(),
            ..point("meter-1/energy", ValueKind::Integer, Access::Read)
        });
        building.add(point("meter-1/unread", ValueKind::Float, Access::Read));
        building.add(point(
            "secret/door_code",
            ValueKind::Float,
            Access::ReadWrite,
        ));
        good(supply, Value::Float(21.5));
        good(setpoint, Value::Float(20.0));
        good(fan, Value::Bool(false));
        good(alarm, Value::Bool(true));
        good(mode, Value::Int(3));
        good(stage, Value::Int(2));
        good(maker, Value::text("Größer & Söhne"));
        good(energy, Value::Int(12_345));
        Self {
            building,
            supply,
            setpoint,
            alarm,
            mode,
        }
    }

    /// So many more, for lists that do not fit one answer.
    pub(crate) fn crowd(self, count: u32) -> Self {
        for n in 0..count {
            let path = format!("crowd/point_{n:04}");
            let slot = self
                .building
                .add(point(&path, ValueKind::Float, Access::Read));
            let value = Value::Float(f64::from(n));
            self.building.set(slot, Some(value), Quality::GOOD);
        }
        self
    }
}

/// The configuration of the server; `rest` follows the device table.
pub(crate) fn config(net: &Net, device: &str, rest: &str) -> String {
    format!(
        r#"
[device]
instance = {INSTANCE}
name = "Riser"
zone = "Europe/Berlin"
refresh_ms = 200
{device}

[lane]
address = "127.0.0.{SERVER}"
port = {}
broadcast = ["127.255.255.255"]
timeout_ms = 500
retries = 1
part_timeout_ms = 500

{rest}
"#,
        net.port
    )
}

/// Every point but secrets, those that may be written written too.
pub(crate) const ALL: &str =
    "[[show]]\npoints = [\"*/*\"]\nexcept = [\"secret/*\"]\nwritable = true\n";

/// Starts the server over a plant.
pub(crate) fn serve(net: &Net, plant: &Plant) -> Running {
    serve_with(&config(net, "", ALL), plant)
}

/// The same with another configuration.
pub(crate) fn serve_with(config: &str, plant: &Plant) -> Running {
    Running::start_showing(&SERVER_KIND, config, &plant.building)
}

/// Somebody who asks the server.
pub(crate) struct Asker {
    pub(crate) client: Client,
    pub(crate) to: Address,
    /// Octets of the longest request, and whether it may come in parts.
    pub(crate) most: (usize, bool),
}

impl Asker {
    /// Asks until the server answers.
    pub(crate) async fn new(net: &Net) -> Self {
        let patience = Patience {
            timeout: Duration::from_secs(4),
            ..Patience::default()
        };
        let client = Client::open(&net.binding(), patience).expect("a free port");
        let asker = Self {
            client,
            to: net.address(SERVER),
            most: (1476, false),
        };
        let name = Reference::new(ObjectId::device(INSTANCE), PropertyId::OBJECT_NAME);
        // Between the socket and the server behind it lies a moment.
        let until = tokio::time::Instant::now() + Duration::from_secs(10);
        while asker.read(name).await.is_err() {
            assert!(
                tokio::time::Instant::now() < until,
                "the server does not answer"
            );
        }
        asker
    }

    pub(crate) async fn ask(&self, service: u8, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let ask = Ask {
            to: &self.to,
            service,
            body,
            max_apdu: self.most.0,
            parts: self.most.1,
            retry: true,
        };
        match self.client.ask(ask).await {
            Ok(Answer::Octets(octets)) => Ok(octets),
            Ok(Answer::Done) => Ok(Vec::new()),
            Ok(Answer::Refused(refusal)) | Err(RequestError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("service {service}: {error}"),
        }
    }

    pub(crate) async fn read(&self, wanted: Reference) -> Result<Vec<Datum>, Refusal> {
        let body = property::read(&wanted);
        let answer = self.ask(service::READ_PROPERTY, &body).await?;
        let (found, value) = property::decode_read_answer(&answer).expect("an answer");
        assert_eq!(found.property, wanted.property);
        Ok(Datum::decode_all(value).expect("values"))
    }

    /// A property of an object written as text.
    pub(crate) async fn get(&self, object: &str, property: PropertyId) -> Result<Datum, Refusal> {
        let object = ObjectId::parse(object).expect("an object");
        let mut values = self.read(Reference::new(object, property)).await?;
        assert_eq!(values.len(), 1, "{property} of {object}");
        Ok(values.remove(0))
    }

    pub(crate) async fn write(
        &self,
        object: &str,
        value: Datum,
        priority: Option<u8>,
    ) -> Result<(), Refusal> {
        let object = ObjectId::parse(object).expect("an object");
        let write = Write {
            reference: Reference::new(object, PropertyId::PRESENT_VALUE),
            value: value.encoded(),
            priority,
        };
        let answer = self.ask(service::WRITE_PROPERTY, &write.encoded()).await;
        answer.map(|octets| assert!(octets.is_empty()))
    }
}

/// A notification as a test looks at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) object: ObjectId,
    pub(crate) remaining: u32,
    pub(crate) values: Vec<(PropertyId, Datum)>,
}

/// The next notification that comes within some seconds.
pub(crate) async fn told(
    notices: &mut mpsc::Receiver<riser_bacnet::client::Notice>,
) -> Option<Told> {
    let notice = tokio::time::timeout(Duration::from_secs(10), notices.recv()).await;
    let notice = notice.ok()??;
    let notification = Notification::decode(&notice.body).expect("a notification");
    assert_eq!(notification.device, INSTANCE);
    let values = notification.values.iter().map(|(property, value)| {
        let value = property::single(value).expect("a value");
        (*property, value)
    });
    Some(Told {
        object: notification.object,
        remaining: notification.remaining,
        values: values.collect(),
    })
}
