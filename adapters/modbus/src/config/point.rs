//! `[[device.point]]` and a profile's `[[point]]`: one point, from what is written to its place in
//! the table, its mapping and how it is written.

use super::address::{Addressing, resolve};
use super::millis;
use super::raw_point::{Defaults, Labels, PointTable};
use super::shape::{Problem, mapping, shape};
use crate::codec::Table;
use crate::mapping::Mapping;
use riser_adapter::{ConfigError, config::parse};
use riser_model::{Access, Key, Label, Point, PointPath};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// One point, checked.
#[derive(Debug, Clone)]
pub struct PointConfig {
    /// What people see.
    pub point: Arc<Point>,
    /// Table it lies in.
    pub table: Table,
    /// Protocol address of its first register, or of its bit.
    pub address: u16,
    /// How its value lies there.
    pub mapping: Arc<Mapping>,
    /// How often it is read.
    pub interval: Duration,
    /// Key of the point that holds its power of ten.
    pub scale_from: Option<Key>,
    /// How it is written, when it can be.
    pub write: Option<WriteConfig>,
}

/// How a point is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WriteConfig {
    /// Function to use.
    pub function: WriteFunction,
    /// Protocol address, where it is not the one that is read.
    pub address: u16,
    /// How much the read-back may differ, in the point's unit.
    pub tolerance: f64,
    /// How long the read-back may take to show the value.
    pub settle: Duration,
}

/// Functions that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub enum WriteFunction {
    /// 5
    Coil,
    /// 6
    Register,
    /// 15
    Coils,
    /// 16
    Registers,
    /// 22
    Mask,
    /// 23
    ReadWrite,
}

impl TryFrom<u8> for WriteFunction {
    type Error = String;
    fn try_from(code: u8) -> Result<Self, String> {
        Ok(match code {
            5 => Self::Coil,
            6 => Self::Register,
            15 => Self::Coils,
            16 => Self::Registers,
            22 => Self::Mask,
            23 => Self::ReadWrite,
            other => {
                return Err(format!(
                    "function {other} does not write; use 5 or 15 for coils, 6, 16, 22 or 23 for registers"
                ));
            }
        })
    }
}

/// What a point is part of, for building it.
pub(super) struct Within<'a> {
    pub(super) device: &'a Key,
    pub(super) device_name: &'a str,
    pub(super) defaults: &'a Defaults,
}

/// Checks one point; `nth` is its place in a row made by `repeat`, 0 for the first.
pub(super) fn build(
    at: &str,
    table: &toml::Table,
    nth: u16,
    within: &Within<'_>,
) -> Result<PointConfig, ConfigError> {
    let raw: PointTable = parse(at, table)?;
    let wrong = |key: &str, problem: String| ConfigError::new(format!("{at}.{key}"), problem);
    let addressing = within.defaults.addressing.unwrap_or_default();
    let fallback = within.defaults.table.unwrap_or(Table::Holding);
    let (table, address) = resolve(&raw.address, addressing, raw.table, fallback)
        .map_err(|problem| wrong("address", problem))?;
    let shape = shape(&raw, table).map_err(|(key, problem)| wrong(key, problem))?;
    let mapping = mapping(&raw, &shape, within.defaults).map_err(|(k, p)| wrong(k, p))?;
    let step = nth.checked_mul(shape.registers);
    let address = step
        .and_then(|step| address.checked_add(step))
        .filter(|a| u32::from(*a) + u32::from(shape.registers) <= 0x1_0000)
        .ok_or_else(|| wrong("address", "the value reaches beyond address 65535".into()))?;
    let interval_ms = raw.interval_ms.or(within.defaults.interval_ms);
    let interval_ms = interval_ms.unwrap_or(1000);
    if interval_ms < 10 {
        return Err(wrong("interval_ms", format!("{interval_ms} is below 10")));
    }
    let write =
        write(&raw, &mapping, (table, address), addressing).map_err(|(k, p)| wrong(k, p))?;
    if raw.access != Access::Write && raw.scale_from.as_ref() == Some(&raw.key) {
        return Err(wrong("scale_from", "a point cannot scale itself".into()));
    }
    let point = point(&raw, &mapping, within, interval_ms).map_err(|(k, p)| wrong(k, p))?;
    Ok(PointConfig {
        point: Arc::new(point),
        table,
        address,
        mapping: Arc::new(mapping),
        interval: millis(interval_ms),
        scale_from: raw.scale_from,
        write,
    })
}

fn write(
    raw: &PointTable,
    mapping: &Mapping,
    (table, address): (Table, u16),
    addressing: Addressing,
) -> Result<Option<WriteConfig>, Problem> {
    if !raw.access.writable() {
        return match raw.write_function {
            Some(_) => Err((
                "access",
                "a point with write_function needs access = \"read_write\" or \"write\"".into(),
            )),
            None => Ok(None),
        };
    }
    if !table.is_writable() {
        return Err((
            "access",
            format!("a {table} cannot be written; only coils and holding registers can"),
        ));
    }
    let address = match &raw.write_address {
        None => address,
        Some(text) => match resolve(text, addressing, None, table) {
            Ok((found, address)) if found == table => address,
            Ok((found, _)) => {
                return Err((
                    "write_address",
                    format!("a {table} cannot be written as {found}"),
                ));
            }
            Err(problem) => return Err(("write_address", problem)),
        },
    };
    let function = raw
        .write_function
        .unwrap_or(match (table, mapping.registers) {
            (Table::Coil, _) => WriteFunction::Coil,
            (_, 1) => WriteFunction::Register,
            _ => WriteFunction::Registers,
        });
    let fits = match function {
        WriteFunction::Coil | WriteFunction::Coils => table == Table::Coil,
        WriteFunction::Register => table == Table::Holding && mapping.registers == 1,
        WriteFunction::Registers => table == Table::Holding && mapping.registers <= 123,
        WriteFunction::ReadWrite => table == Table::Holding && mapping.registers <= 121,
        WriteFunction::Mask => mapping.field.is_some() && mapping.registers == 1,
    };
    if !fits {
        return Err((
            "write_function",
            "this function does not fit: 5 and 15 write coils, 6 one register, 16 and 23 registers, 22 some bits of one register".into(),
        ));
    }
    let tolerance = raw.tolerance.unwrap_or(0.0);
    if !tolerance.is_finite() || tolerance < 0.0 {
        return Err(("tolerance", format!("{tolerance} is not a distance")));
    }
    Ok(Some(WriteConfig {
        function,
        address,
        tolerance,
        settle: millis(raw.settle_ms.unwrap_or(2000)),
    }))
}

fn point(
    raw: &PointTable,
    mapping: &Mapping,
    within: &Within<'_>,
    interval_ms: u32,
) -> Result<Point, Problem> {
    if let (Some(min), Some(max)) = (raw.limits.min, raw.limits.max)
        && min > max
    {
        return Err(("limits", format!("min {min} is above max {max}")));
    }
    Ok(Point {
        path: PointPath::new(within.device.clone(), raw.key.clone()),
        name: raw.name.clone().unwrap_or_else(|| raw.key.to_string()),
        device_name: within.device_name.to_owned(),
        kind: mapping.kind,
        unit: raw.unit,
        access: raw.access,
        limits: raw.limits,
        labels: labels(raw)?,
        deadband: raw.deadband,
        stale_after_ms: raw
            .stale_after_ms
            .unwrap_or_else(|| interval_ms.saturating_mul(3).max(10_000)),
    })
}

fn labels(raw: &PointTable) -> Result<Vec<Label>, Problem> {
    let mut found = match &raw.labels {
        None => Vec::new(),
        Some(Labels::List(texts)) => (0..)
            .zip(texts)
            .map(|(state, text)| Label {
                state,
                text: text.clone(),
            })
            .collect(),
        Some(Labels::Map(map)) => map
            .iter()
            .map(|(state, text)| match state.parse() {
                Ok(state) => Ok(Label {
                    state,
                    text: text.clone(),
                }),
                Err(_) => Err(("labels", format!("'{state}' is not the number of a state"))),
            })
            .collect::<Result<Vec<_>, _>>()?,
    };
    found.sort_by_key(|l| l.state);
    Ok(found)
}
