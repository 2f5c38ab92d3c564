//! EDE files in and out through the operations: against a device of bacpypes3 where one is needed. A
//! missing one skips loudly, or fails under `CI`.

use crate::foreign::Net;
use riser_adapter::Operate;
use riser_adapter_testkit::Running;
use riser_adapter_testkit::harness::build;
use riser_model::Value;
use std::sync::Arc;
use toml::Table;

const LIST: &str = "# Engineering-Data-Exchange - B.I.G.-EU\nPROJECT_NAME;Hall\nVERSION_OF_LAYOUT;2.2\n\
# keyname;device obj.-instance;object-name;object-type;object-instance;description;present-value-default;min-present-value;max-present-value;settable;supports COV;hi-limit;low-limit;state-text-reference;unit-code;vendor-specific-address\n\
Room15;10;ASB03R15;8;10;Controller10;;;;N;N;;;;;\n\
Room15Temp;10;RoomTemperature;0;4123;Room;20;;;N;N;24;18;;62;\n\
Room15Damper;10;Damper;1;1234;Damper;55;0;100;Y;Y;;;;98;\n\
Room15Temp;10;Window;3;4711;Contact;;;;N;Y;;;5432;;\n\
Room15Fan;12;Fan;14;4711;Fan;1;;;Y;N;;;35;;\n\
Room15Class;12;Alarms;15;1;;;;;;;;;;;\n";
const STATES: &str = "#Reference Number;Text 1;Text 2\n35;OFF;AUTO;STAGE 1\n5432;OPEN;CLOSED\n";

fn operate(config: &str) -> Arc<dyn Operate> {
    let built = build(&riser_bacnet::KIND, config).expect("a configuration");
    built.operate.expect("it has operations")
}

fn given(parameters: &[(&str, &str)]) -> Table {
    let mut table = Table::new();
    table.insert("writable".into(), true.into());
    for (name, text) in parameters {
        table.insert((*name).into(), (*text).into());
    }
    table
}

#[tokio::test]
async fn an_ede_file_becomes_configuration_that_is_taken() {
    let lane = "[[lane]]\nkey = \"main\"\n";
    let operate = operate(&format!(
        "{lane}[[device]]\nkey = \"ahu\"\nlane = \"main\"\ninstance = 12\n"
    ));
    let answer = operate
        .operate("ede_import", given(&[("ede", LIST), ("states", STATES)]))
        .await
        .unwrap();
    assert_eq!(answer["points"].as_integer(), Some(4), "{answer}");
    let remarks = answer["remarks"].to_string();
    assert!(
        remarks.contains("device 12 is configured as 'ahu'"),
        "{remarks}"
    );
    assert!(
        remarks.contains("line 10: Alarms (notification-class:1) has no value"),
        "{remarks}"
    );
    let text = answer["configuration"].as_str().unwrap();
    let config: Table = format!("{lane}{text}").parse().unwrap();
    let built = build(&riser_bacnet::KIND, &format!("{lane}{text}")).unwrap();
    let points: Vec<String> = built.points.iter().map(|p| p.path.to_string()).collect();
    assert_eq!(
        points,
        [
            "bacnet-10/room15temp",
            "bacnet-10/room15damper",
            "bacnet-10/room15temp-2",
            "ahu/room15fan"
        ]
    );
    let named = |path: &str| {
        built
            .points
            .iter()
            .find(|p| p.path.to_string() == path)
            .unwrap()
    };
    assert_eq!(named("bacnet-10/room15temp").unit.unwrap().symbol(), "°C");
    let damper = named("bacnet-10/room15damper");
    assert!(damper.access.writable() && damper.limits.max == Some(100.0));
    assert_eq!(named("ahu/room15fan").labels[2].text, "STAGE 1");
    assert_eq!(named("bacnet-10/room15temp").device_name, "ASB03R15");
    assert_eq!(config["device"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_is_wrong_is_refused_with_its_line() {
    let operate = operate("[[lane]]\nkey = \"main\"\n");
    let no = async |parameters: &[(&str, &str)]| {
        let outcome = operate.operate("ede_import", given(parameters)).await;
        outcome.unwrap_err().to_string()
    };
    let why = no(&[("ede", &LIST.replace(";3;4711", ";3;many"))]).await;
    assert!(
        why.contains("object list: line 8: 'many' is no object instance"),
        "{why}"
    );
    let why = no(&[("ede", LIST), ("states", "35;OFF")]).await;
    assert!(why.contains("line 8: there is no state text 5432"), "{why}");
    let why = no(&[("ede", LIST), ("states", "35;OFF\n35;ON")]).await;
    assert!(
        why.contains("state texts: line 2: 35 stands in the file twice"),
        "{why}"
    );
    let why = no(&[("ede", "nothing of the kind")]).await;
    assert!(why.contains("names the columns"), "{why}");
}

#[tokio::test]
async fn five_thousand_points_are_read_at_once() {
    let operate = operate("[[lane]]\nkey = \"main\"\n");
    let mut list = LIST.lines().take(4).collect::<Vec<_>>().join("\n") + "\n";
    for at in 0..5000 {
        list += &format!("Point{at};77;Name {at};0;{at};;;;;N;N;;;;62;\n");
    }
    let began = std::time::Instant::now();
    let answer = operate
        .operate("ede_import", given(&[("ede", &list)]))
        .await
        .unwrap();
    assert_eq!(answer["points"].as_integer(), Some(5000));
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_was_learned_is_written_and_reads_back() {
    let net = Net::new();
    let test = "what_was_learned_is_written_and_reads_back";
    let Some(_bp3) = net.bacpypes3(test, &[], &[(11, 1101)]) else {
        return;
    };
    let config = net.lane("timeout_ms = 500")
        + "[[device]]\nkey = \"bp3\"\nlane = \"main\"\ninstance = 1101\n[[device.point]]\nkey = \"supply\"\nobject = \"ai:1\"\n";
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    running.wait_value("bp3/supply", &Value::Float(21.5)).await;
    let operate = running.operate.clone().unwrap();
    let device: Table = "device = 'bp3'".parse().unwrap();
    let out = operate.operate("ede_export", device).await.unwrap();
    let (ede, states) = (
        out["ede"].as_str().unwrap(),
        out["state_texts"].as_str().unwrap(),
    );
    assert!(
        ede.contains(";1101;ZuluftTemp;0;1;Zulufttemperatur;"),
        "{ede}"
    );
    assert!(states.contains("Aus;Stufe 1;Stufe 2"), "{states}");
    assert!(
        out["units"]
            .as_str()
            .unwrap()
            .contains("62;degrees celsius"),
        "{out}"
    );
    let back = given(&[
        ("ede", ede),
        ("states", states),
        ("units", out["units"].as_str().unwrap()),
    ]);
    let back = operate.operate("ede_import", back).await.unwrap();
    // Nine plain objects and the calendar; the other four have no value or one whose type is not known.
    assert!(back["points"].as_integer() >= Some(9), "{back}");
    assert!(
        back["configuration"]
            .as_str()
            .unwrap()
            .contains("Luefterstufe"),
        "{back}"
    );
    running.stop().await;
}
