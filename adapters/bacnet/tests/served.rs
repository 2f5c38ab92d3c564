//! The server face, judged by independent stacks as a building's management system: bacpypes3, BAC0 and
//! node-bacnet. A missing one skips loudly, or fails under `CI`.

use crate::foreign::{Net, Peer};
use crate::shown::{Asker, INSTANCE, Plant, SERVER, serve};
use riser_model::{Quality, Reason, Value};
use serde_json::{Value as Json, json};

impl Peer {
    /// Gives an order and takes what came of it.
    fn asks(&mut self, order: &str) -> Json {
        self.order(order);
        serde_json::from_str(&self.wait("DONE")).expect("JSON")
    }

    /// The next notification.
    fn told(&self) -> Json {
        serde_json::from_str(&self.wait("TOLD")).expect("JSON")
    }
}

fn python(net: &Net, test: &str, stack: &str, own: &str) -> Option<Peer> {
    let arguments = [
        stack.to_owned(),
        own.to_owned(),
        format!("127.0.0.{SERVER}:{}", net.port),
        INSTANCE.to_string(),
    ];
    Peer::start(test, "bacnet_client.py", &arguments)
}

fn near(value: &Json, wanted: f64) -> bool {
    value.as_f64().is_some_and(|x| (x - wanted).abs() < 1e-4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bacpypes3_finds_the_device_and_its_objects() {
    let net = Net::new();
    let test = "bacpypes3_finds_the_device_and_its_objects";
    let plant = Plant::new().crowd(600);
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let own = format!("127.0.0.51/8:{}", net.port);
    let Some(mut bms) = python(&net, test, "bacpypes3", &own) else {
        return;
    };
    let found = bms.asks("whois");
    assert_eq!(found, json!([[INSTANCE, 1476, "segmented-both", 999]]));
    assert_eq!(bms.asks("whois 1 1000"), json!([]));
    let device = format!("device,{INSTANCE}");
    let has = bms.asks("whohas ahu-1/setpoint");
    assert_eq!(has, json!([[device, "analog-value,1", "ahu-1/setpoint"]]));
    // 610 objects do not fit one answer.
    let list = bms.asks(&format!("read {device} object-list"));
    assert_eq!(list.as_array().map(Vec::len), Some(610), "{list}");
    assert_eq!(
        bms.asks(&format!("read {device} object-list 0")),
        json!(610)
    );
    assert_eq!(
        bms.asks(&format!("read {device} model-name")),
        json!("Riser gateway")
    );
    let services = bms.asks(&format!("read {device} protocol-services-supported"));
    assert!(
        services
            .as_str()
            .is_some_and(|s| s.contains("subscribe-cov")),
        "{services}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bacpypes3_reads_values_units_and_states() {
    let net = Net::new();
    let test = "bacpypes3_reads_values_units_and_states";
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let own = format!("127.0.0.51/8:{}", net.port);
    let Some(mut bms) = python(&net, test, "bacpypes3", &own) else {
        return;
    };
    assert!(near(&bms.asks("read analog-value,1 present-value"), 20.0));
    assert_eq!(
        bms.asks("read analog-value,1 units"),
        json!("degrees-celsius")
    );
    assert_eq!(
        bms.asks("read binary-input,1 present-value"),
        json!("active")
    );
    assert_eq!(
        bms.asks("read binary-value,1 active-text"),
        json!("Running")
    );
    let texts = bms.asks("read multi-state-value,1 state-text");
    assert_eq!(texts, json!(["Off", "Summer", "Winter"]));
    assert_eq!(
        bms.asks("read characterstring-value,1 present-value"),
        json!("Größer & Söhne")
    );
    let many = bms.asks("many analog-value,1 all binary-value,1 required multi-state-value,1 present-value,nonsense");
    assert!(
        many.to_string().contains("ahu-1/fan") || many.get("refused").is_some(),
        "{many}"
    );
    let many = bms.asks("many analog-value,1 all binary-value,1 present-value,units");
    assert!(many.to_string().contains("relinquish-default"), "{many}");
    assert!(many.to_string().contains("unknown-property"), "{many}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bacpypes3_holds_levels_and_gives_them_back() {
    let net = Net::new();
    let test = "bacpypes3_holds_levels_and_gives_them_back";
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let own = format!("127.0.0.51/8:{}", net.port);
    let Some(mut bms) = python(&net, test, "bacpypes3", &own) else {
        return;
    };
    assert_eq!(
        bms.asks("write analog-value,1 present-value 22.5 8"),
        Json::Null
    );
    assert!(near(&bms.asks("read analog-value,1 present-value"), 22.5));
    let levels = bms.asks("read analog-value,1 priority-array");
    let levels = levels.as_array().expect("levels");
    assert!(
        levels.len() == 16 && near(&levels[7], 22.5) && levels[15].is_null(),
        "{levels:?}"
    );
    assert_eq!(
        bms.asks("write analog-value,1 present-value 10.0"),
        Json::Null
    );
    assert!(near(&bms.asks("read analog-value,1 present-value"), 22.5));
    assert_eq!(
        bms.asks("write analog-value,1 present-value null 8"),
        Json::Null
    );
    assert!(near(&bms.asks("read analog-value,1 present-value"), 10.0));
    assert_eq!(
        bms.asks("write analog-value,1 present-value null 16"),
        Json::Null
    );
    assert_eq!(
        bms.asks("write multi-state-value,1 present-value 3 9"),
        Json::Null
    );
    let last = plant.building.writes().pop().expect("a write");
    assert_eq!(
        (last.value, last.priority.level()),
        (Some(Value::Int(7)), 9)
    );
    assert_eq!(last.author.name, format!("bacnet 127.0.0.51:{}", net.port));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bacpypes3_is_refused_in_the_right_words() {
    let net = Net::new();
    let test = "bacpypes3_is_refused_in_the_right_words";
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let own = format!("127.0.0.51/8:{}", net.port);
    let Some(mut bms) = python(&net, test, "bacpypes3", &own) else {
        return;
    };
    for (order, why) in [
        ("read analog-value,99 present-value", "unknown-object"),
        ("read analog-value,1 state-text", "unknown-property"),
        (
            "read analog-value,1 present-value 1",
            "property-is-not-an-array",
        ),
        (
            "read analog-value,1 priority-array 17",
            "invalid-array-index",
        ),
        (
            "write analog-input,1 present-value 1.0 8",
            "write-access-denied",
        ),
        (
            "write analog-value,1 present-value 99.0 8",
            "value-out-of-range",
        ),
        (
            "write multi-state-value,1 present-value 9 8",
            "value-out-of-range",
        ),
    ] {
        let refused = bms.asks(order);
        assert!(
            refused["refused"].as_str().is_some_and(|r| r.contains(why)),
            "{order}: {refused}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bacpypes3_is_told_of_changes_in_both_ways() {
    let net = Net::new();
    let test = "bacpypes3_is_told_of_changes_in_both_ways";
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let own = format!("127.0.0.51/8:{}", net.port);
    let Some(mut bms) = python(&net, test, "bacpypes3", &own) else {
        return;
    };
    let (supply, setpoint) = ("analog-input,1", "analog-value,1");
    assert_eq!(
        bms.asks(&format!("subscribe {setpoint} unconfirmed 60")),
        Json::Null
    );
    assert_eq!(bms.told()[1], json!("present-value"));
    assert_eq!(bms.told()[1], json!("status-flags"));
    assert_eq!(
        bms.asks(&format!("subscribe {supply} confirmed 60")),
        Json::Null
    );
    let first = bms.told();
    assert!(
        first[0] == json!(supply) && near(&first[2], 21.5),
        "{first}"
    );
    bms.told();
    for value in [22.0, 23.0, 24.0] {
        plant
            .building
            .set(plant.supply, Some(Value::Float(value)), Quality::GOOD);
        let told = bms.told();
        assert!(told[0] == json!(supply) && near(&told[2], value), "{told}");
        bms.told();
    }
    let down = Quality::bad(Reason::DeviceDown);
    plant
        .building
        .set(plant.supply, Some(Value::Float(24.0)), down);
    bms.told();
    assert_eq!(bms.told(), json!([supply, "status-flags", "fault"]));
    plant
        .building
        .set(plant.setpoint, Some(Value::Float(25.5)), Quality::GOOD);
    let told = bms.told();
    assert!(told[0] == json!(setpoint) && near(&told[2], 25.5), "{told}");
    bms.told();
    // Ended at both ends: what is told next is of the other.
    bms.asks(&format!("cancel {setpoint}"));
    plant
        .building
        .set(plant.setpoint, Some(Value::Float(6.0)), Quality::GOOD);
    plant
        .building
        .set(plant.supply, Some(Value::Float(20.0)), Quality::GOOD);
    assert_eq!(bms.told()[0], json!(supply));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bac0_reads_and_writes_what_is_shown() {
    let net = Net::new();
    let test = "bac0_reads_and_writes_what_is_shown";
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let own = format!("127.0.0.52/8:{}", net.port);
    let Some(mut bms) = python(&net, test, "bac0", &own) else {
        return;
    };
    assert!(near(&bms.asks("read analog-value,1 present-value"), 20.0));
    assert_eq!(
        bms.asks("read analog-value,1 object-name"),
        json!("ahu-1/setpoint")
    );
    assert_eq!(
        bms.asks("read binary-input,1 present-value"),
        json!("active")
    );
    assert_eq!(bms.asks("read multi-state-value,1 present-value"), json!(2));
    let many = bms.asks("many analog-value,1 object-name,present-value,units");
    assert!(many.to_string().contains("ahu-1/setpoint"), "{many}");
    bms.asks("write analog-value,1 present-value 23.5 8");
    assert!(near(&bms.asks("read analog-value,1 present-value"), 23.5));
    let held = plant.building.writes();
    assert_eq!(held.last().map(|c| c.priority.level()), Some(8));
    bms.asks("write analog-value,1 present-value null 8");
    assert_eq!(
        plant.building.writes().last().map(|c| c.value.clone()),
        Some(None)
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story of a client")]
async fn node_bacnet_reads_and_writes() {
    let net = Net::new();
    let test = "node_bacnet_reads_and_writes";
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let arguments = [
        "127.0.0.53".to_owned(),
        net.port.to_string(),
        format!("127.0.0.{SERVER}:{}", net.port),
    ];
    let Some(mut bms) = Peer::node(test, "nodebacnet", "bacnet_client.cjs", &arguments) else {
        return;
    };
    let found = bms.asks(&format!("whois {INSTANCE} {INSTANCE}"));
    assert_eq!(found, json!([[INSTANCE, 1476, 0, 999]]));
    let (pv, units, texts, levels) = (85, 117, 110, 87);
    assert_eq!(bms.asks(&format!("read 2,1 {pv}")), json!([20]));
    assert_eq!(bms.asks(&format!("read 2,1 {units}")), json!([62]));
    assert_eq!(
        bms.asks(&format!("read 19,1 {texts}")),
        json!(["Off", "Summer", "Winter"])
    );
    assert_eq!(bms.asks(&format!("read 19,1 {texts} 2")), json!(["Summer"]));
    let many = bms.asks("many 2,1 77,85,117");
    assert_eq!(
        many,
        json!([[77, ["ahu-1/setpoint"]], [85, [20]], [117, [62]]])
    );
    assert_eq!(
        bms.asks(&format!("read 2,99 {pv}"))["refused"]
            .as_str()
            .map(|r| r.contains("(31)")),
        Some(true)
    );
    assert_eq!(
        bms.asks(&format!("write 2,1 {pv} 4 22.5 8")).get("refused"),
        None
    );
    assert_eq!(bms.asks(&format!("read 2,1 {pv}")), json!([22.5]));
    let held = bms.asks(&format!("read 2,1 {levels}"));
    assert_eq!(
        (held[7].as_f64(), held.as_array().map(Vec::len)),
        (Some(22.5), Some(16)),
        "{held}"
    );
    assert_eq!(
        bms.asks(&format!("write 2,1 {pv} 0 null 8")).get("refused"),
        None
    );
    assert_eq!(
        plant
            .building
            .writes()
            .last()
            .map(|c| (c.value.clone(), c.priority.level())),
        Some((None, 8))
    );
    let denied = bms.asks(&format!("write 0,1 {pv} 4 1 8"));
    assert!(
        denied["refused"]
            .as_str()
            .is_some_and(|r| r.contains("(40)")),
        "{denied}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_bacnet_is_told_of_changes_in_both_ways() {
    let net = Net::new();
    let test = "node_bacnet_is_told_of_changes_in_both_ways";
    let plant = Plant::new();
    let mut server = serve(&net, &plant);
    let _ready = Asker::new(&net).await;
    let arguments = [
        "127.0.0.53".to_owned(),
        net.port.to_string(),
        format!("127.0.0.{SERVER}:{}", net.port),
    ];
    let Some(mut bms) = Peer::node(test, "nodebacnet", "bacnet_client.cjs", &arguments) else {
        return;
    };
    assert_eq!(
        bms.asks("subscribe 0,1 unconfirmed 60").get("refused"),
        None
    );
    assert_eq!(bms.told(), json!(["0,1", 85, 21.5]));
    bms.told();
    plant
        .building
        .set(plant.supply, Some(Value::Float(24.0)), Quality::GOOD);
    assert_eq!(bms.told(), json!(["0,1", 85, 24]));
    bms.told();
    assert_eq!(bms.asks("cancel 0,1").get("refused"), None);
    assert_eq!(bms.asks("subscribe 3,1 confirmed 60").get("refused"), None);
    assert_eq!(bms.told(), json!(["3,1", 85, 1]));
    bms.told();
    plant
        .building
        .set(plant.alarm, Some(Value::Bool(false)), Quality::GOOD);
    assert_eq!(bms.told(), json!(["3,1", 85, 0]));
    bms.told();
    server.stop().await;
}
