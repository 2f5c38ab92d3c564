//! Points the unit tests of this crate share.

use riser_model::{Access, Limits, Point, ValueKind};

/// A writable number that goes stale after ten seconds.
pub(crate) fn point(path: &str) -> Point {
    Point {
        path: path.parse().expect("a valid path"),
        name: path.to_uppercase(),
        device_name: "Device".into(),
        kind: ValueKind::Float,
        unit: None,
        access: Access::ReadWrite,
        limits: Limits {
            min: Some(-50.0),
            max: Some(150.0),
            step: None,
        },
        labels: vec![],
        deadband: None,
        stale_after_ms: 10_000,
    }
}
