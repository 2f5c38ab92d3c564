//! Riser's units as Home Assistant spells and classes them. Pure.
//!
//! Source: `DEVICE_CLASS_UNITS` and `DEVICE_CLASS_STATE_CLASSES` of its sensor and number integrations
//! (2024.3). What a class does not take is told without one: Home Assistant refuses the entity else.

use riser_model::Unit;

/// How a unit is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Its spelling; `None` for a bare number.
    pub(super) unit: Option<&'static str>,
    /// What is measured in it, where that is sure.
    pub(super) class: Option<&'static str>,
    /// Whether it counts up, as meters do, or is measured.
    pub(super) state: &'static str,
}

const MEASURED: &str = "measurement";
/// Registers of energy start anew when a meter is exchanged; Home Assistant takes that as a reset.
const COUNTED: &str = "total_increasing";
/// What flows either way, or is a stock.
const TOTAL: &str = "total";

/// How a point's unit is told.
pub(super) fn told(unit: Option<Unit>) -> Told {
    let Some(unit) = unit else {
        return plain(None);
    };
    let symbol = unit.symbol();
    let (spelt, class, state) = match symbol {
        "°C" | "°F" | "K" => (symbol, "temperature", MEASURED),
        "ΔK" => return plain(Some("K")),
        "%RH" => ("%", "humidity", MEASURED),
        "Pa" | "hPa" | "kPa" | "bar" | "mbar" => (symbol, "pressure", MEASURED),
        "W" | "kW" => (symbol, "power", MEASURED),
        "VA" => (symbol, "apparent_power", MEASURED),
        "var" => (symbol, "reactive_power", MEASURED),
        "Wh" | "kWh" | "MWh" | "MJ" | "GJ" => (symbol, "energy", COUNTED),
        "V" | "mV" => (symbol, "voltage", MEASURED),
        "A" | "mA" => (symbol, "current", MEASURED),
        "Hz" => (symbol, "frequency", MEASURED),
        "cosφ" => {
            return Told {
                unit: None,
                class: Some("power_factor"),
                state: MEASURED,
            };
        }
        "l" => ("L", "volume", TOTAL),
        "m³" => (symbol, "volume", TOTAL),
        "m³/h" => (symbol, "volume_flow_rate", MEASURED),
        "l/min" => ("L/min", "volume_flow_rate", MEASURED),
        "l/s" => return plain(Some("L/s")),
        "l/h" => return plain(Some("L/h")),
        "kg" => (symbol, "weight", MEASURED),
        "m" | "mm" => (symbol, "distance", MEASURED),
        "m/s" => (symbol, "speed", MEASURED),
        "lx" => (symbol, "illuminance", MEASURED),
        "W/m²" => (symbol, "irradiance", MEASURED),
        "dBm" => (symbol, "signal_strength", MEASURED),
        "ms" | "s" | "min" | "h" | "d" => (symbol, "duration", MEASURED),
        "MB" => (symbol, "data_size", MEASURED),
        other => return plain(Some(other)),
    };
    Told {
        unit: Some(spelt),
        class: Some(class),
        state,
    }
}

fn plain(unit: Option<&'static str>) -> Told {
    Told {
        unit,
        class: None,
        state: MEASURED,
    }
}
