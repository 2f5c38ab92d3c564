//! Device profiles: register maps of device types as data. Owns where they come from (built into
//! the program, replaced or joined by files of a folder) and what one looks like.

use super::address::{AddressText, Addressing, resolve};
use super::raw_point::{Defaults, Sentinel};
use crate::codec::Table;
use include_dir::{Dir, include_dir};
use riser_adapter::ConfigError;
use riser_adapter::config::{nearest, parse};
use riser_model::Key;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../config/devices/modbus");

/// What a device is for; the closed list keeps screens and reports in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Electricity meter.
    EnergyMeter,
    /// Heat or cold meter.
    HeatMeter,
    /// Water or gas meter.
    VolumeMeter,
    /// Boiler or boiler sequence controller.
    Boiler,
    /// Heat pump.
    HeatPump,
    /// Chiller.
    Chiller,
    /// Air handling unit or its controller.
    AirHandling,
    /// Room or zone controller, thermostat, VAV box, fan coil.
    Room,
    /// Variable frequency drive.
    Drive,
    /// Pump.
    Pump,
    /// Photovoltaic inverter.
    Inverter,
    /// Battery or charging station.
    Storage,
    /// Inputs and outputs.
    IoModule,
    /// Sensor or transmitter.
    Sensor,
    /// Something else.
    Other,
}

/// One device type.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name of its file, and what a device refers to.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Who makes it.
    pub vendor: String,
    /// Its type designation.
    pub model: String,
    /// What it is for.
    pub category: Category,
    /// What the register map is taken from; never empty.
    pub sources: Vec<Source>,
    /// Register contents and what they mean, from those documents or computed after them.
    pub examples: Vec<Example>,
    /// What somebody setting it up should know.
    pub remark: Option<String>,
    /// Unit id it leaves the factory with.
    pub unit: Option<u8>,
    /// Serial settings it leaves the factory with.
    pub serial: Option<FactorySerial>,
    /// How to tell it from others.
    pub fingerprint: Fingerprint,
    pub(super) defaults: Defaults,
    pub(super) timeout_ms: Option<u32>,
    pub(super) max_span: Option<u16>,
    pub(super) gap: Option<u16>,
    pub(super) points: Vec<toml::Table>,
}

/// A document the register map is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What part it has in the profile.
    pub role: SourceRole,
    /// Who wrote it, its title and its number.
    pub document: String,
    /// Edition or date.
    pub edition: Option<String>,
    /// Section, table or page, and what was taken from there.
    pub section: String,
    /// Where it, or a copy of it, can be found.
    pub url: Option<String>,
}

/// How near to the manufacturer a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceRole {
    /// The manufacturer's or the standard's own text: read for this profile.
    Document,
    /// The manufacturer's text that the tables below it go back to: not itself read.
    Named,
    /// Somebody else's table or driver: read for this profile.
    Table,
}

/// What a point makes of register contents; the test of every profile decodes them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Key of the point.
    pub point: Key,
    /// Contents of its registers as they arrive, or 0 or 1 for a single bit.
    pub registers: Vec<u16>,
    /// Power of ten the point's `scale_from` holds.
    #[serde(default)]
    pub exponent: i32,
    /// The value; left out where the contents mean "not available".
    pub value: Option<toml::Value>,
    /// Where the document says so, or how it was computed.
    pub note: String,
}

/// Serial settings a device leaves the factory with; shown, not used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorySerial {
    /// Bits per second.
    pub baud: u32,
    /// Parity.
    pub parity: super::lane::Parity,
    /// Stop bits.
    pub stop_bits: u8,
}

/// How to tell a device type from others. All that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Part of the vendor name in the identification (function 43/14), without regard to case.
    pub vendor_name: Option<String>,
    /// Part of the product code.
    pub product_code: Option<String>,
    /// Part of the model name.
    pub model_name: Option<String>,
    /// Registers to read and compare.
    #[serde(default)]
    pub registers: Vec<FingerprintRegister>,
}

impl Fingerprint {
    /// True when nothing at all is given: such a profile is never recognised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One register to compare.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FingerprintRegister {
    /// Table.
    pub table: Table,
    /// Address, counted as the profile's `addressing` says; a protocol address once loaded.
    pub address: AddressText,
    /// Contents of this and the following registers.
    #[serde(default)]
    pub equals: Vec<u16>,
    /// Smallest content.
    pub min: Option<u16>,
    /// Largest content.
    pub max: Option<u16>,
}

impl FingerprintRegister {
    /// Protocol address. Loading has turned every notation into text `0x…`.
    #[must_use]
    pub fn protocol_address(&self) -> u16 {
        resolve(
            &self.address,
            Addressing::Zero,
            Some(self.table),
            self.table,
        )
        .map_or(0, |(_, address)| address)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileTable {
    title: String,
    vendor: String,
    model: String,
    category: Category,
    source: Vec<Source>,
    #[serde(default)]
    example: Vec<Example>,
    remark: Option<String>,
    unit: Option<u8>,
    serial: Option<FactorySerial>,
    #[serde(default)]
    fingerprint: Fingerprint,
    addressing: Option<Addressing>,
    table: Option<Table>,
    order: Option<String>,
    sentinel: Option<Sentinel>,
    interval_ms: Option<u32>,
    timeout_ms: Option<u32>,
    max_span: Option<u16>,
    gap: Option<u16>,
    point: Vec<toml::Table>,
}

/// All known profiles.
#[derive(Debug, Clone, Default)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// The built-in ones, then those of `folder` (its `modbus` subfolder, if it has one), which
    /// replace built-in ones of the same name.
    pub fn load(folder: Option<&Path>) -> Result<Self, ConfigError> {
        let mut profiles = BTreeMap::new();
        for file in BUILT_IN.files() {
            let text = file.contents_utf8().unwrap_or_default();
            insert(&mut profiles, file.path(), text)?;
        }
        let Some(folder) = folder else {
            return Ok(Self(profiles));
        };
        let own = folder.join("modbus");
        let folder = if own.is_dir() { own.as_path() } else { folder };
        let unreadable = |what: &Path, e: std::io::Error| {
            ConfigError::new(
                what.display().to_string(),
                format!("could not be read: {e}"),
            )
        };
        for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
            let path = entry.map_err(|e| unreadable(folder, e))?.path();
            if path.extension().is_some_and(|e| e == "toml") {
                let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
                insert(&mut profiles, &path, &text)?;
            }
        }
        Ok(Self(profiles))
    }

    /// A profile by name; the error names the nearest.
    pub fn get(&self, name: &str) -> Result<&Profile, String> {
        self.0.get(name).ok_or_else(|| {
            let near = nearest(name, self.0.keys().map(String::as_str)).unwrap_or("none");
            format!("no profile is called '{name}'; the nearest known one is '{near}'")
        })
    }

    /// Every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }
}

fn insert(
    profiles: &mut BTreeMap<String, Profile>,
    path: &Path,
    text: &str,
) -> Result<(), ConfigError> {
    if path.extension().is_none_or(|e| e != "toml") {
        return Ok(());
    }
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let profile = read(&name, text).map_err(|e| e.within(&format!("profile {name}")))?;
    profiles.insert(name, profile);
    Ok(())
}

/// Reads one profile. Its points are checked when a device uses it, and by a test for built-in ones.
fn read(name: &str, text: &str) -> Result<Profile, ConfigError> {
    let table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| ConfigError::from_toml("", &e))?;
    let raw: ProfileTable = parse("", &table)?;
    if raw.source.iter().all(|s| s.role == SourceRole::Named) {
        return Err(ConfigError::new(
            "source",
            "name at least one [[source]] that was read: role \"document\" or \"table\"",
        ));
    }
    let fingerprint = read_fingerprint(raw.fingerprint, raw.addressing.unwrap_or_default())?;
    Ok(Profile {
        name: name.to_owned(),
        title: raw.title,
        vendor: raw.vendor,
        model: raw.model,
        category: raw.category,
        sources: raw.source,
        examples: raw.example,
        remark: raw.remark,
        unit: raw.unit,
        serial: raw.serial,
        fingerprint,
        defaults: Defaults {
            addressing: raw.addressing,
            table: raw.table,
            order: raw.order,
            sentinel: raw.sentinel,
            interval_ms: raw.interval_ms,
        },
        timeout_ms: raw.timeout_ms,
        max_span: raw.max_span,
        gap: raw.gap,
        points: raw.point,
    })
}

/// Turns every notation of an address into the protocol address.
fn read_fingerprint(
    mut fingerprint: Fingerprint,
    addressing: Addressing,
) -> Result<Fingerprint, ConfigError> {
    for (i, register) in fingerprint.registers.iter_mut().enumerate() {
        let at = format!("fingerprint.registers[{i}]");
        let (_, address) = resolve(
            &register.address,
            addressing,
            Some(register.table),
            register.table,
        )
        .map_err(|problem| ConfigError::new(format!("{at}.address"), problem))?;
        register.address = AddressText::Text(format!("0x{address:x}"));
        if register.equals.is_empty() && register.min.is_none() && register.max.is_none() {
            return Err(ConfigError::new(
                at,
                "compare with 'equals', 'min' or 'max'",
            ));
        }
    }
    Ok(fingerprint)
}
