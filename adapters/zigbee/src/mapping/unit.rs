//! Units as zigbee2mqtt writes them. Owns the table to Riser's own; a unit that is not in it is
//! shown in the point's name instead of being guessed at.

use riser_model::Unit;

/// Spellings that differ from Riser's symbols and names.
const SPELLINGS: &[(&str, &str)] = &[
    ("ºC", "°C"),
    ("C", "°C"),
    ("F", "°F"),
    ("lux", "lx"),
    ("lm/m²", "lx"),
    ("L", "l"),
    ("liter", "l"),
    ("L/min", "l/min"),
    ("L/h", "l/h"),
    ("L/s", "l/s"),
    ("m3", "m³"),
    ("m3/h", "m³/h"),
    ("VAR", "var"),
    ("VAr", "var"),
    ("kVAR", "kvar"),
    ("VArh", "varh"),
    ("kVArh", "kvarh"),
    ("kVARh", "kvarh"),
    ("kvarh", "kvarh"),
    ("μg/m³", "µg/m³"),
    ("ug/m3", "µg/m³"),
    ("µg/m3", "µg/m³"),
    ("mg/m3", "mg/m³"),
    ("seconds", "s"),
    ("second", "s"),
    ("sec", "s"),
    ("minutes", "min"),
    ("minute", "min"),
    ("mins", "min"),
    ("hours", "h"),
    ("hour", "h"),
    ("days", "d"),
    ("day", "d"),
    ("Deg", "°"),
    ("deg", "°"),
    ("degrees", "°"),
    ("meter", "m"),
    ("meters", "m"),
    ("RPM", "rpm"),
    ("wh", "Wh"),
    ("KWh", "kWh"),
    ("kwh", "kWh"),
    ("Ohm", "Ω"),
];

/// Riser's unit for a spelling.
#[must_use]
pub fn known(text: &str) -> Option<Unit> {
    let text = text.trim();
    let meant = SPELLINGS.iter().find(|(given, _)| *given == text);
    Unit::parse(meant.map_or(text, |(_, symbol)| symbol)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_a_unit() {
        for (given, symbol) in SPELLINGS {
            assert_eq!(known(given).map(Unit::symbol), Some(*symbol), "{given}");
        }
        assert_eq!(known("hPa").map(Unit::symbol), Some("hPa"));
        assert_eq!(known("lqi"), None);
        assert_eq!(known("mired"), None);
    }
}
