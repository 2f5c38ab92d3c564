//! The keys of a point as they are written, and those a device sets for all of its points. Owns
//! spelling only; `shape` and `point` decide what fits together.

use super::WriteFunction;
use super::address::{AddressText, Addressing};
use crate::codec::Table;
use riser_model::{Access, Key, Limits, Unit};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a device or its profile says for all of its points.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    pub(super) addressing: Option<Addressing>,
    pub(super) table: Option<Table>,
    pub(super) order: Option<String>,
    pub(super) sentinel: Option<Sentinel>,
    pub(super) interval_ms: Option<u32>,
}

impl Defaults {
    /// These, and where they are silent, the other ones.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            addressing: self.addressing.or(other.addressing),
            table: self.table.or(other.table),
            order: self.order.or_else(|| other.order.clone()),
            sentinel: self.sentinel.or(other.sentinel),
            interval_ms: self.interval_ms.or(other.interval_ms),
        }
    }
}

/// Which register contents mean "no reading".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sentinel {
    #[default]
    None,
    Sunspec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bcd16,
    Bcd32,
    String,
    Enum,
    Bits,
    Bits32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Half {
    Low,
    High,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Labels {
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(super) enum Absent {
    Whole(i64),
    Real(f64),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointTable {
    pub(super) key: Key,
    pub(super) name: Option<String>,
    pub(super) table: Option<Table>,
    pub(super) address: AddressText,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    pub(super) length: Option<u16>,
    pub(super) bit: Option<u8>,
    pub(super) width: Option<u8>,
    pub(super) byte: Option<Half>,
    pub(super) order: Option<String>,
    pub(super) scale: Option<f64>,
    pub(super) offset: Option<f64>,
    pub(super) scale_from: Option<Key>,
    pub(super) unit: Option<Unit>,
    #[serde(default)]
    pub(super) access: Access,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) clamp: bool,
    pub(super) sentinel: Option<Sentinel>,
    #[serde(default)]
    pub(super) not_available: Vec<Absent>,
    pub(super) labels: Option<Labels>,
    #[serde(default)]
    pub(super) invert: bool,
    pub(super) deadband: Option<f64>,
    pub(super) interval_ms: Option<u32>,
    pub(super) stale_after_ms: Option<u32>,
    pub(super) write_function: Option<WriteFunction>,
    pub(super) write_address: Option<AddressText>,
    pub(super) tolerance: Option<f64>,
    pub(super) settle_ms: Option<u32>,
}
