//! When a gateway that is sent away shall come back. Owns the name and the form of the MQTT 5 user
//! property that says so, on a CONNACK and on a DISCONNECT. Described in `docs/spec/wire.md`.

use std::time::Duration;

/// Name of the user property. Its value: milliseconds in decimal.
pub const PROPERTY: &str = "riser-retry-after-ms";

/// Longest wait that is asked for or obeyed. A cloud that has lost its mind must not silence a
/// fleet for a day.
pub const MOST: Duration = Duration::from_secs(600);

/// The value for a wait.
#[must_use]
pub fn value(wait: Duration) -> String {
    wait.min(MOST).as_millis().to_string()
}

/// The wait that user properties ask for; a value that is no number asks for nothing.
#[must_use]
pub fn asked(properties: &[(String, String)]) -> Option<Duration> {
    let (_, value) = properties.iter().find(|(name, _)| name == PROPERTY)?;
    let wait = Duration::from_millis(value.parse().ok()?);
    Some(wait.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(value: &str) -> [(String, String); 2] {
        let own = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        [own("other", "7"), own(PROPERTY, value)]
    }

    #[test]
    fn a_wait_comes_through_and_is_bounded() {
        let wait = Duration::from_millis(12_345);
        assert_eq!(asked(&property(&value(wait))), Some(wait));
        assert_eq!(asked(&property("99999999999")), Some(MOST));
        assert_eq!(asked(&property(&value(Duration::MAX))), Some(MOST));
    }

    #[test]
    fn what_is_no_wait_asks_for_nothing() {
        for text in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(asked(&property(text)), None, "{text}");
        }
        assert_eq!(asked(&[]), None);
    }
}
