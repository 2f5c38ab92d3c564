//! What a chunk asks of the rollups: which values count.

use riser_model::{Level, Quality, Value};

pub(crate) fn usable(value: Option<&Value>, quality: Quality) -> Option<f64> {
    let usable = (quality.level != Level::Bad).then_some(value).flatten();
    usable.and_then(Value::as_f64).filter(|x| x.is_finite())
}
