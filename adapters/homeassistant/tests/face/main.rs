//! The gateway's points at a real mosquitto, seen by its own client: what Home Assistant finds there.
//! That Home Assistant takes it is in `tests/peer.rs`.

mod broker;
mod coming_and_going;
mod commands;
mod offered;
mod refusals;

use riser_adapter_testkit::BuildingInMemory;
use riser_model::{Access, Label, Limits, Point, Unit, ValueKind};

/// A point of a kind; what else it has is set by who makes it.
fn point(path: &str, kind: ValueKind, access: Access) -> Point {
    let path: riser_model::PointPath = path.parse().expect("a path");
    Point {
        name: path.point.as_str().replace('_', " "),
        device_name: format!("Device {}", path.device.as_str()),
        path,
        kind,
        unit: None,
        access,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 60_000,
    }
}

fn unit(symbol: &str) -> Option<Unit> {
    Some(Unit::parse(symbol).expect("a unit"))
}

fn labels(texts: &[&str]) -> Vec<Label> {
    let label = |(state, text): (i64, &&str)| Label {
        state,
        text: (*text).to_owned(),
    };
    (0..).zip(texts).map(label).collect()
}

/// A temperature, a setpoint, a pump, a mode, a note.
fn plant() -> BuildingInMemory {
    use Access::{Read, ReadWrite};
    let building = BuildingInMemory::default();
    let mut temperature = point("ahu-1/supply_temp", ValueKind::Float, Read);
    temperature.unit = unit("°C");
    building.add(temperature);
    let mut setpoint = point("ahu-1/supply_setpoint", ValueKind::Float, ReadWrite);
    setpoint.unit = unit("°C");
    setpoint.limits = Limits {
        min: Some(15.0),
        max: Some(30.0),
        step: Some(0.5),
    };
    building.add(setpoint);
    building.add(point("ahu-1/pump", ValueKind::Bool, ReadWrite));
    let mut mode = point("ahu-1/mode", ValueKind::Enum, ReadWrite);
    mode.labels = labels(&["off", "day", "night"]);
    building.add(mode);
    building.add(point("ahu-1/note", ValueKind::Text, ReadWrite));
    building
}
