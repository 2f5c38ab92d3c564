//! Whether a reading fits its point. Owns the conversions that lose nothing and the rule for what
//! does not fit: it becomes bad quality, visible and counted, never a made-up value.
//!
//! The limits of a point are for writes only. A measured value beyond them is exactly what an
//! alarm is for, so it stays good.

use riser_model::{Quality, Reading, Reason, Value, ValueKind};

/// Longest text a reading may carry, in octets.
pub(crate) const TEXT_MAX: usize = 4096;

/// Makes a reading fit its point's kind. Returns `false` when it did not: the reading is then of
/// bad quality (`out_of_range`, or `not_available` when a good one came without a value) and
/// without its value, for the caller to put the last known one beside it.
pub(crate) fn fit(reading: &mut Reading, kind: ValueKind) -> bool {
    let Some(value) = &reading.value else {
        if reading.quality.is_good() {
            reading.quality = Quality::bad(Reason::NotAvailable);
            return false;
        }
        return true;
    };
    let fits = match (kind, value) {
        (ValueKind::Float, Value::Float(x)) => x.is_finite(),
        (ValueKind::Bool, Value::Bool(_))
        | (ValueKind::Integer | ValueKind::Enum, Value::Int(_)) => true,
        (ValueKind::Text, Value::Text(text)) => text.len() <= TEXT_MAX,
        (ValueKind::Float, Value::Int(_)) => {
            reading.value = value.as_f64().map(Value::Float);
            true
        }
        (ValueKind::Bool, Value::Int(state @ (0 | 1))) => {
            reading.value = Some(Value::Bool(*state == 1));
            true
        }
        _ => false,
    };
    if !fits {
        reading.value = None;
        reading.quality = Quality::bad(Reason::OutOfRange);
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::Slot;

    fn reading(value: Option<Value>, quality: Quality) -> Reading {
        Reading {
            slot: Slot(0),
            value,
            quality,
        }
    }

    #[test]
    fn values_of_their_kind_pass_and_lossless_ones_are_converted() {
        let cases = [
            (ValueKind::Float, Value::Float(1.5), Value::Float(1.5)),
            (ValueKind::Float, Value::Int(2), Value::Float(2.0)),
            (ValueKind::Bool, Value::Bool(true), Value::Bool(true)),
            (ValueKind::Bool, Value::Int(1), Value::Bool(true)),
            (ValueKind::Bool, Value::Int(0), Value::Bool(false)),
            (ValueKind::Integer, Value::Int(-7), Value::Int(-7)),
            (ValueKind::Enum, Value::Int(3), Value::Int(3)),
            (ValueKind::Text, Value::text("x"), Value::text("x")),
        ];
        for (kind, given, kept) in cases {
            let mut r = reading(Some(given), Quality::GOOD);
            assert!(fit(&mut r, kind));
            assert_eq!((r.value, r.quality), (Some(kept), Quality::GOOD));
        }
    }

    #[test]
    fn what_does_not_fit_is_bad_and_has_no_value() {
        let long = "x".repeat(TEXT_MAX + 1);
        let cases = [
            (ValueKind::Float, Value::Float(f64::NAN)),
            (ValueKind::Float, Value::Float(f64::INFINITY)),
            (ValueKind::Float, Value::Bool(true)),
            (ValueKind::Integer, Value::Float(1.0)),
            (ValueKind::Bool, Value::Int(2)),
            (ValueKind::Enum, Value::text("on")),
            (ValueKind::Text, Value::Int(1)),
            (ValueKind::Text, Value::text(&long)),
        ];
        for (kind, given) in cases {
            let mut r = reading(Some(given.clone()), Quality::GOOD);
            assert!(!fit(&mut r, kind), "{kind:?} {given}");
            assert_eq!(r.value, None);
            assert_eq!(r.quality, Quality::bad(Reason::OutOfRange));
        }
    }

    #[test]
    fn unknown_is_never_good() {
        let mut r = reading(None, Quality::GOOD);
        assert!(!fit(&mut r, ValueKind::Float));
        assert_eq!(r.quality, Quality::bad(Reason::NotAvailable));
        let mut r = reading(None, Quality::bad(Reason::DeviceDown));
        assert!(fit(&mut r, ValueKind::Float));
        assert_eq!(r.quality, Quality::bad(Reason::DeviceDown));
    }
}
