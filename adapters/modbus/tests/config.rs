//! Configuration: the sample is the documentation, so it must parse; mistakes are refused in words.

use riser_adapter::{BuildContext, ConfigError};
use riser_modbus::config::{
    Category, Config, DeviceConfig, PointConfig, Profile, Profiles, SourceRole, WriteFunction,
};
use riser_modbus::mapping::{Encoding, Linear};
use riser_model::{Value, ValueKind};
use std::time::Duration;

const SAMPLE: &str = include_str!("../sample.toml");

fn build(text: &str) -> Result<Config, ConfigError> {
    Config::new(
        &text.parse().expect("the test writes TOML"),
        &BuildContext::default(),
    )
}

fn on_a_lane(device: &str) -> Result<Config, ConfigError> {
    build(&format!(
        "[[lane]]\nkey = \"l\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\n[[device]]\nkey = \"d\"\nlane = \"l\"\n{device}"
    ))
}

fn problem(result: Result<Config, ConfigError>) -> String {
    result.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn the_sample_is_a_valid_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let ca = rcgen::generate_simple_self_signed(["plc-1".to_owned()]).unwrap();
    std::fs::write(folder.path().join("modbus-ca.pem"), ca.cert.pem()).unwrap();
    let context = BuildContext {
        base_dir: folder.path().to_owned(),
        profile_dir: None,
    };
    let config = Config::new(&SAMPLE.parse().unwrap(), &context).unwrap();
    assert_eq!(config.lanes.len(), 4);
    let points = config.points();
    let path = |p: &str| points.iter().find(|x| x.path.to_string() == p).unwrap();
    assert_eq!(path("meter-1/power").name, "Building, active power");
    assert_eq!(path("meter-1/power").unit.unwrap().symbol(), "W");
    assert!(
        points
            .iter()
            .all(|p| p.path.to_string() != "meter-1/current_n")
    );
    assert_eq!(path("ahu-1/mode").kind, ValueKind::Enum);
    assert_eq!(path("ahu-1/valve_8").name, "Valve 8");
    assert_eq!(path("ahu-1/fan_on").labels[1].text, "On");
}

#[test]
fn every_option_of_the_sample_is_named_in_it_once_as_a_key() {
    // Each option the parser knows must be shown; serde lists them in its complaint.
    for (table, prefix) in [("[[lane]]", "lane"), ("[[device]]", "device")] {
        let error = problem(build(&format!("{table}\nno_such_key = 1")));
        let known: Vec<_> = error.split('\'').skip(3).step_by(2).collect();
        assert!(known.len() > 10, "{prefix}: {error}");
        for key in known {
            let shown = SAMPLE.lines().any(|l| {
                let l = l.trim_start_matches("# ");
                l.starts_with(&format!("{key} =")) || l == format!("[[device.{key}]]")
            });
            assert!(shown, "{prefix}.{key} is not in sample.toml");
        }
    }
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    let text = problem(on_a_lane("intervall_ms = 5"));
    assert!(
        text.contains("device[0]") && text.contains("'interval_ms'"),
        "{text}"
    );
    let text = problem(on_a_lane(
        "[[device.point]]\nkey=\"a\"\naddres=1\ntype=\"u16\"",
    ));
    assert!(
        text.contains("device[0].point[0]") && text.contains("did you mean 'address'"),
        "{text}"
    );
    let text = problem(on_a_lane("profile = \"eastron-sdm63\""));
    assert!(text.contains("eastron-sdm630"), "{text}");
    let text = problem(on_a_lane(
        "[[device.point]]\nkey=\"a\"\naddress=1\ntype=\"strin\"",
    ));
    assert!(text.contains("did you mean 'string'"), "{text}");
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let point = |rest: &str| problem(on_a_lane(&format!("[[device.point]]\nkey=\"a\"\n{rest}")));
    for (rest, words) in [
        ("address=65535\ntype=\"u32\"", "beyond address 65535"),
        (
            "address=0\ntype=\"bits\"\nbit=14\nwidth=3",
            "are not in 16 bits",
        ),
        (
            "address=0\ntype=\"u16\"\norder=\"abcd\"",
            "does not fit a value of 2",
        ),
        ("address=0\ntype=\"u16\"\ntable=\"coil\"", "is one bit"),
        (
            "address=0\ntype=\"u16\"\ntable=\"input\"\naccess=\"read_write\"",
            "cannot be written",
        ),
        (
            "address=0\ntype=\"u32\"\naccess=\"read_write\"\nwrite_function=6",
            "does not fit",
        ),
        ("address=0\ntype=\"enum\"", "needs labels"),
        ("address=0\ntype=\"string\"", "needs 'length'"),
        ("address=0\ntype=\"u16\"\nscale=0.0", "scale is not 0"),
        (
            "address=0\ntype=\"u16\"\nnot_available=[70000]",
            "no content of 16 bits",
        ),
        ("address=0\ntype=\"u16\"\nunit=\"kwh\"", "kWh"),
        (
            "address=0\ntype=\"u16\"\nscale_from=\"b\"",
            "no whole-number point",
        ),
        (
            "address=0\ntype=\"u16\"\naccess=\"read_write\"\nwrite_function=7",
            "does not write",
        ),
        ("address=0\ntype=\"u16\"\nlimits={min=5,max=1}", "above max"),
    ] {
        let text = point(rest);
        assert!(text.contains(words), "{rest}: {text}");
    }
}

#[test]
fn lanes_are_checked_as_a_whole() {
    let lane = |key: &str, rest: &str| format!("[[lane]]\nkey = \"{key}\"\n{rest}\n");
    let tcp = "transport = \"tcp\"\nhost = \"127.0.0.1\"";
    let rtu = "transport = \"rtu\"\nserial = \"/dev/ttyS0\"";
    for (text, words) in [
        (
            lane("a", tcp) + &lane("b", tcp),
            "both open tcp 127.0.0.1:502",
        ),
        (lane("a", tcp) + &lane("a", rtu), "already called"),
        (
            lane("a", &format!("{tcp}\nbaud = 9600")),
            "belongs to transport rtu or rtu_over_tcp",
        ),
        (
            lane("a", &format!("{rtu}\noutstanding = 2")),
            "not between 1 and 1",
        ),
        (lane("a", "transport = \"rtu\""), "needs 'serial'"),
        (
            lane("a", "transport = \"tls\"\nhost = \"h\"\nca = \"none.pem\""),
            "none.pem",
        ),
        (
            lane("a", &format!("{tcp}\nrequests_per_second = 0.0")),
            "requests_per_second",
        ),
    ] {
        let text = problem(build(&text));
        assert!(text.contains(words), "{words}: {text}");
    }
    let two_units = lane("a", tcp)
        + "[[device]]\nkey=\"x\"\nlane=\"a\"\nunit=3\n[[device]]\nkey=\"y\"\nlane=\"a\"\nunit=3\n";
    assert!(problem(build(&two_units)).contains("already has a device with unit 3"));
    let no_lane = "[[device]]\nkey=\"x\"\nlane=\"a\"";
    assert!(problem(build(no_lane)).contains("no [[lane]] at all"));
}

#[test]
fn one_register_in_every_notation() {
    for (addressing, address) in [
        ("zero", "107"),
        ("one", "108"),
        ("modicon", "40108"),
        ("modicon", "400108"),
        ("zero", "\"40108\""),
        ("one", "\"0x6b\""),
    ] {
        let config = on_a_lane(&format!(
            "addressing = \"{addressing}\"\n[[device.point]]\nkey=\"a\"\naddress={address}\ntype=\"u16\""
        ))
        .unwrap();
        assert_eq!(
            config.lanes[0].devices[0].points[0].address, 107,
            "{address}"
        );
    }
}

#[test]
fn writes_get_the_function_that_fits() {
    let function = |rest: &str| {
        let text = format!("[[device.point]]\nkey=\"a\"\naddress=0\naccess=\"read_write\"\n{rest}");
        let config = on_a_lane(&text).unwrap();
        config.lanes[0].devices[0].points[0].write.unwrap().function
    };
    assert_eq!(
        function("type=\"bool\"\ntable=\"coil\""),
        WriteFunction::Coil
    );
    assert_eq!(function("type=\"u16\""), WriteFunction::Register);
    assert_eq!(function("type=\"f32\""), WriteFunction::Registers);
    assert_eq!(
        function("type=\"bool\"\nbit=1\nwrite_function=22"),
        WriteFunction::Mask
    );
}

#[test]
fn a_folder_replaces_and_joins_the_built_in_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let profile = |title: &str| {
        format!(
            "title=\"{title}\"\nvendor=\"V\"\nmodel=\"M\"\ncategory=\"sensor\"\ninterval_ms=7000\n[[source]]\nrole=\"document\"\ndocument=\"a paper\"\nsection=\"page 1\"\n[[point]]\nkey=\"t\"\naddress=0\ntype=\"i16\"\n"
        )
    };
    std::fs::write(folder.path().join("own.toml"), profile("Own")).unwrap();
    std::fs::write(folder.path().join("eastron-sdm630.toml"), profile("Mine")).unwrap();
    let profiles = Profiles::load(Some(folder.path())).unwrap();
    assert_eq!(profiles.get("own").unwrap().title, "Own");
    assert_eq!(profiles.get("eastron-sdm630").unwrap().title, "Mine");
    assert!(profiles.get("waveshare-relay-8ch").is_ok());
    let context = BuildContext {
        profile_dir: Some(folder.path().to_owned()),
        ..BuildContext::default()
    };
    let table = "[[lane]]\nkey=\"l\"\ntransport=\"tcp\"\nhost=\"h\"\n[[device]]\nkey=\"d\"\nlane=\"l\"\nprofile=\"own\"\n";
    let config = Config::new(&table.parse().unwrap(), &context).unwrap();
    assert_eq!(
        config.lanes[0].devices[0].points[0].interval,
        Duration::from_secs(7)
    );
}

/// Every profile with the device it makes.
fn built_in() -> Vec<(Profile, DeviceConfig)> {
    let profiles = Profiles::load(None).expect("the built-in profiles load");
    let device = |p: &Profile| {
        let config = on_a_lane(&format!("profile = \"{}\"", p.name));
        let mut config = config.expect("every profile makes a device; the error names it");
        config.lanes.remove(0).devices.remove(0)
    };
    profiles.iter().map(|p| (p.clone(), device(p))).collect()
}

#[test]
fn the_built_in_profiles_cover_what_a_building_has() {
    let profiles = built_in();
    assert!(profiles.len() >= 18, "{} profiles", profiles.len());
    for category in [
        Category::EnergyMeter,
        Category::HeatMeter,
        Category::Boiler,
        Category::HeatPump,
        Category::AirHandling,
        Category::Drive,
        Category::IoModule,
    ] {
        assert!(
            profiles.iter().any(|(p, _)| p.category == category),
            "no profile for {category:?}"
        );
    }
}

#[test]
fn every_built_in_profile_names_what_it_is_taken_from() {
    for (profile, _) in built_in() {
        let name = &profile.name;
        for source in &profile.sources {
            assert!(source.document.len() > 10, "{name}: {source:?}");
            assert!(source.section.len() > 4, "{name}: {source:?}");
        }
        let has = |role| profile.sources.iter().any(|s| s.role == role);
        assert!(
            has(SourceRole::Document) || (has(SourceRole::Named) && has(SourceRole::Table)),
            "{name}: a table needs the manufacturer's document it goes back to beside it"
        );
    }
    let named_only = "title=\"T\"\nvendor=\"V\"\nmodel=\"M\"\ncategory=\"other\"\n[[source]]\nrole=\"named\"\ndocument=\"a paper\"\nsection=\"page 1\"\n[[point]]\nkey=\"t\"\naddress=0\ntype=\"i16\"\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), named_only).unwrap();
    let error = Profiles::load(Some(folder.path())).unwrap_err().to_string();
    assert!(error.contains("at least one [[source]]"), "{error}");
}

#[test]
fn no_built_in_profile_reads_a_register_twice_or_beyond_the_table() {
    for (profile, device) in built_in() {
        let end = |p: &PointConfig| u32::from(p.address) + u32::from(p.mapping.registers);
        for (i, a) in device.points.iter().enumerate() {
            let key = format!("{}/{}", profile.name, a.point.path.point);
            assert!(end(a) <= 0x1_0000 && a.mapping.registers <= 125, "{key}");
            for b in device.points.iter().skip(i + 1) {
                let apart = a.table != b.table
                    || end(a) <= u32::from(b.address)
                    || end(b) <= u32::from(a.address);
                let other_bits = match (a.mapping.field, b.mapping.field) {
                    (Some(x), Some(y)) => a.address == b.address && x.mask() & y.mask() == 0,
                    _ => false,
                };
                assert!(apart || other_bits, "{key} and {}", b.point.path.point);
            }
        }
        for register in &profile.fingerprint.registers {
            let span = register.equals.len().max(1);
            let last = usize::from(register.protocol_address()) + span;
            assert!(
                span <= 125 && last <= 0x1_0000,
                "{}: {register:?}",
                profile.name
            );
        }
    }
}

#[test]
fn points_of_built_in_profiles_scale_and_write_within_limits() {
    for (profile, device) in built_in() {
        for point in &device.points {
            let key = format!("{}/{}", profile.name, point.point.path.point);
            if let Linear::Real { num, den, offset } = point.mapping.linear {
                assert!(num.is_finite() && num != 0.0 && offset.is_finite(), "{key}");
                assert!(den >= 1.0, "{key}");
            }
            if point.write.is_none() {
                continue;
            }
            match point.point.kind {
                ValueKind::Bool => {}
                ValueKind::Enum => assert!(point.point.labels.len() > 1, "{key}"),
                ValueKind::Integer | ValueKind::Float => {
                    let limits = point.point.limits;
                    let (min, max) = limits.min.zip(limits.max).expect(&key);
                    assert!(min < max, "{key}");
                    for limit in [min, max] {
                        let written = point.mapping.encode(&Value::Float(limit), 0);
                        assert!(written.is_ok(), "{key}: {limit} does not fit");
                    }
                }
                ValueKind::Text => panic!("{key}: no profile writes text"),
            }
        }
    }
}

#[test]
fn examples_of_built_in_profiles_decode_to_what_their_document_says() {
    for (profile, device) in built_in() {
        let name = &profile.name;
        assert!(!profile.examples.is_empty(), "{name} has no [[example]]");
        for example in &profile.examples {
            assert!(example.note.len() > 10, "{name}: {example:?}");
            let wanted = example.value.as_ref().map(|value| match value {
                toml::Value::Boolean(b) => Value::Bool(*b),
                toml::Value::Integer(n) => Value::Int(*n),
                toml::Value::Float(x) => Value::Float(*x),
                toml::Value::String(t) => Value::text(t),
                other => panic!("{name}: an example cannot be {other}"),
            });
            let point = device
                .points
                .iter()
                .find(|p| p.point.path.point == example.point);
            let mapping = &point.ok_or(&example.point).unwrap().mapping;
            assert_eq!(
                example.registers.len(),
                usize::from(mapping.registers),
                "{name}: {example:?}"
            );
            let octets: Vec<u8> = example
                .registers
                .iter()
                .flat_map(|r| r.to_be_bytes())
                .collect();
            let (value, quality) = if mapping.encoding == Encoding::Bit {
                mapping.decode_bit(example.registers[0] == 1)
            } else {
                mapping.decode(&octets, example.exponent)
            };
            assert_eq!(value, wanted, "{name}: {example:?}");
            assert_eq!(quality.is_good(), wanted.is_some(), "{name}: {example:?}");
        }
    }
}
