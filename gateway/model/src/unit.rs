//! Engineering units: symbol, BACnet number and UCUM code. Owns the closed list a point may name;
//! numbers are those of `BACnetEngineeringUnits` (ANSI/ASHRAE 135, clause 21).

use serde::{Deserialize, Serialize};
use std::fmt;

/// One row of the unit table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    symbol: &'static str,
    name: &'static str,
    bacnet: i16,
    ucum: &'static str,
}

// -1: the standard has no number for it.
macro_rules! units {
    ($(($symbol:literal, $name:literal, $bacnet:literal, $ucum:literal)),* $(,)?) => {
        const TABLE: &[Row] = &[$(Row { symbol: $symbol, name: $name, bacnet: $bacnet, ucum: $ucum }),*];
    };
}

units![
    ("°C", "degrees celsius", 62, "Cel"),
    ("°F", "degrees fahrenheit", 64, "[degF]"),
    ("K", "kelvin", 63, "K"),
    ("ΔK", "delta kelvin", 121, "K"),
    ("%", "percent", 98, "%"),
    ("%RH", "percent relative humidity", 29, "%"),
    ("ppm", "parts per million", 96, "[ppm]"),
    ("ppb", "parts per billion", 97, "[ppb]"),
    ("g/kg", "grams of water per kilogram dry air", 28, "g/kg"),
    ("Pa", "pascals", 53, "Pa"),
    ("hPa", "hectopascals", 133, "hPa"),
    ("kPa", "kilopascals", 54, "kPa"),
    ("bar", "bars", 55, "bar"),
    ("mbar", "millibars", 134, "mbar"),
    ("W", "watts", 47, "W"),
    ("kW", "kilowatts", 48, "kW"),
    ("MW", "megawatts", 49, "MW"),
    ("VA", "volt amperes", 8, "V.A"),
    ("kVA", "kilovolt amperes", 9, "kV.A"),
    ("var", "volt amperes reactive", 11, "var"),
    ("kvar", "kilovolt amperes reactive", 12, "kvar"),
    ("Wh", "watt hours", 18, "W.h"),
    ("kWh", "kilowatt hours", 19, "kW.h"),
    ("MWh", "megawatt hours", 146, "MW.h"),
    ("kVAh", "kilovolt ampere hours", 240, "kV.A.h"),
    ("varh", "volt ampere hours reactive", 242, "var.h"),
    ("kvarh", "kilovolt ampere hours reactive", 243, "kvar.h"),
    ("J", "joules", 16, "J"),
    ("kJ", "kilojoules", 17, "kJ"),
    ("MJ", "megajoules", 126, "MJ"),
    ("GJ", "gigajoules", -1, "GJ"),
    ("V", "volts", 5, "V"),
    ("mV", "millivolts", 124, "mV"),
    ("kV", "kilovolts", 6, "kV"),
    ("A", "amperes", 3, "A"),
    ("mA", "milliamperes", 2, "mA"),
    ("Ω", "ohms", 4, "Ohm"),
    ("Hz", "hertz", 27, "Hz"),
    ("cosφ", "power factor", 15, "1"),
    ("°", "degrees angular", 90, "deg"),
    ("l", "litres", 82, "L"),
    ("m³", "cubic metres", 80, "m3"),
    ("l/s", "litres per second", 87, "L/s"),
    ("l/min", "litres per minute", 88, "L/min"),
    ("l/h", "litres per hour", 136, "L/h"),
    ("m³/s", "cubic metres per second", 85, "m3/s"),
    ("m³/h", "cubic metres per hour", 135, "m3/h"),
    ("kg/s", "kilograms per second", 42, "kg/s"),
    ("kg/h", "kilograms per hour", 44, "kg/h"),
    ("kg", "kilograms", 39, "kg"),
    ("m", "metres", 31, "m"),
    ("mm", "millimetres", 30, "mm"),
    ("m²", "square metres", 0, "m2"),
    ("m/s", "metres per second", 74, "m/s"),
    ("rpm", "revolutions per minute", 104, "{rev}/min"),
    ("lx", "luxes", 37, "lx"),
    ("cd", "candelas", 179, "cd"),
    ("W/m²", "watts per square metre", 35, "W/m2"),
    ("µg/m³", "micrograms per cubic metre", 219, "ug/m3"),
    ("mg/m³", "milligrams per cubic metre", 218, "mg/m3"),
    ("dB", "decibels", 199, "dB"),
    ("dBm", "decibels milliwatt", -1, "dB[mW]"),
    ("ms", "milliseconds", 159, "ms"),
    ("s", "seconds", 73, "s"),
    ("min", "minutes", 72, "min"),
    ("h", "hours", 71, "h"),
    ("d", "days", 70, "d"),
    ("1/h", "per hour", 131, "/h"),
    ("N·m", "newton metres", 160, "N.m"),
    ("MB", "megabytes", -1, "MBy"),
];

/// A unit out of the closed list. In text and JSON: its symbol.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Unit(&'static Row);

impl Unit {
    /// Finds a unit by its symbol or English name.
    pub fn parse(text: &str) -> Result<Self, UnknownUnit> {
        TABLE
            .iter()
            .find(|r| r.symbol == text || r.name == text)
            .map(Self)
            .ok_or_else(|| UnknownUnit::new(text))
    }

    /// Symbol people read.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        self.0.symbol
    }

    /// English name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Number in `BACnetEngineeringUnits`, where the standard has one.
    #[must_use]
    pub fn bacnet(self) -> Option<u16> {
        u16::try_from(self.0.bacnet).ok()
    }

    /// UCUM code.
    #[must_use]
    pub fn ucum(self) -> &'static str {
        self.0.ucum
    }

    /// Every unit.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.symbol)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.symbol)
    }
}

impl TryFrom<String> for Unit {
    type Error = UnknownUnit;
    fn try_from(s: String) -> Result<Self, UnknownUnit> {
        Self::parse(&s)
    }
}

impl From<Unit> for String {
    fn from(u: Unit) -> Self {
        u.0.symbol.to_owned()
    }
}

/// A unit that is not in the list, with the nearest that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown unit '{given}'; the nearest known one is '{nearest}'")]
pub struct UnknownUnit {
    /// The text as given.
    pub given: String,
    /// The symbol or name that comes closest.
    pub nearest: &'static str,
}

impl UnknownUnit {
    fn new(given: &str) -> Self {
        let given: String = given.chars().take(40).collect();
        let nearest = TABLE
            .iter()
            .flat_map(|r| [r.symbol, r.name])
            .max_by(|a, b| {
                strsim::jaro_winkler(a, &given).total_cmp(&strsim::jaro_winkler(b, &given))
            })
            .unwrap_or("%");
        Self { given, nearest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_names_are_unique_and_found() {
        for u in Unit::all() {
            assert_eq!(Unit::parse(u.symbol()), Ok(u));
            assert_eq!(Unit::parse(u.name()), Ok(u));
        }
    }

    #[test]
    fn unknown_unit_names_the_nearest() {
        assert_eq!(
            Unit::parse("degrees celcius").unwrap_err().nearest,
            "degrees celsius"
        );
        assert_eq!(Unit::parse("kwh").unwrap_err().given, "kwh");
    }
}
