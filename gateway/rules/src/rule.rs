//! What a rule is, as written in the configuration: one point, one condition, one action. Owns
//! the types and their defaults; what makes a rule sensible is checked in `check`.

use riser_model::{AlarmPriority, Key, PointPath, Priority, Value};
use serde::{Deserialize, Serialize};

/// Level a rule writes at unless its configuration says otherwise: below a person's 8, above the
/// lowest 16 (ANSI/ASHRAE 135, clause 19.2 leaves 9 to 16 to the site).
pub const RULE_LEVEL: u8 = 10;
/// Raises within [`FLAP_WINDOW_MS`] that make an alarm count as flapping.
pub const FLAP_RAISES: u8 = 3;
/// Length of the flap window, in milliseconds.
pub const FLAP_WINDOW_MS: u64 = 15 * 60 * 1000;

/// One rule. In TOML:
///
/// ```toml
/// [[rule]]
/// key = "boiler-hot"
/// point = "boiler-1/flow_temp"
/// condition = { test = "above", limit = 85.0, hysteresis = 2.0, on_delay_ms = 30000 }
/// action.raise_alarm = { priority = "high", message = "Boiler flow too hot" }
///
/// [[rule]]
/// key = "frost-guard"
/// point = "ahu-1/supply_temp"
/// condition = { test = "below", limit = 5.0, hysteresis = 1.0 }
/// action.write = { point = "ahu-1/heating_valve", value = 100.0, on_end = "release" }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name of the rule, unique on the gateway; alarms and commands carry it.
    pub key: Key,
    /// A disabled rule is checked but never evaluated.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The point whose readings are looked at.
    pub point: PointPath,
    /// What the readings are compared with.
    pub condition: Condition,
    /// What happens while the condition is present.
    pub action: Action,
}

/// A comparison with hysteresis and delays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// How the value is compared with the limit.
    pub test: Comparison,
    /// What it is compared with, in the unit of the point.
    pub limit: Value,
    /// How far the value must come back before the condition ends, in the unit of the point;
    /// 0 ends it at the limit itself. Only for `above` and `below`.
    #[serde(default)]
    pub hysteresis: f64,
    /// How long, in milliseconds, the condition must be present before the rule acts.
    #[serde(default)]
    pub on_delay_ms: u64,
    /// How long, in milliseconds, it must be gone before the rule ends.
    #[serde(default)]
    pub off_delay_ms: u64,
}

/// How a value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Present while the value is above the limit; ends at limit minus hysteresis.
    Above,
    /// Present while the value is below the limit; ends at limit plus hysteresis.
    Below,
    /// Present while the value is the limit: numbers by number (`true` is 1), text by text.
    Equals,
    /// Present while the value is anything but the limit.
    NotEquals,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Raises an alarm, and clears it when the condition ends.
    RaiseAlarm(AlarmAction),
    /// Writes a point.
    Write(WriteAction),
}

/// The alarm a rule raises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmAction {
    /// How soon a person must act.
    pub priority: AlarmPriority,
    /// What is wrong, in words.
    pub message: String,
    /// Raises within the window that make the alarm count as flapping; it then stays standing
    /// until its condition has kept still for one window. At least 2.
    #[serde(default = "flap_raises")]
    pub flap_raises: u8,
    /// Length of the flap window, in milliseconds.
    #[serde(default = "flap_window_ms")]
    pub flap_window_ms: u64,
}

/// The write a rule makes. It goes the way of every command: limits, priority array, read-back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteAction {
    /// The point to write.
    pub point: PointPath,
    /// What to write when the condition becomes present.
    pub value: Value,
    /// What to do when it ends.
    #[serde(default)]
    pub on_end: OnEnd,
    /// The level to write at.
    #[serde(default = "rule_level")]
    pub priority: Priority,
}

/// What becomes of a rule's write when its condition ends. In TOML `"release"`, `"keep"` or
/// `{ write = 0.0 }`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEnd {
    /// Give the level back, so the next lower one takes over.
    #[default]
    Release,
    /// Leave the level as it is.
    Keep,
    /// Hold this value at the level instead.
    Write(Value),
}

fn yes() -> bool {
    true
}

fn flap_raises() -> u8 {
    FLAP_RAISES
}

fn flap_window_ms() -> u64 {
    FLAP_WINDOW_MS
}

fn rule_level() -> Priority {
    Priority::new(RULE_LEVEL).unwrap_or(Priority::LOWEST)
}
