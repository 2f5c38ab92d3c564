//! Device profiles: the data points of device types as data. Owns where they come from (built into
//! the program, replaced or joined by files of a folder) and what one looks like.

use include_dir::{Dir, include_dir};
use riser_adapter::ConfigError;
use riser_adapter::config::{nearest, parse};
use riser_model::Key;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../config/devices/tuya");

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Plug or switch.
    Plug,
    /// Electricity meter or metering circuit breaker.
    EnergyMeter,
    /// Thermostat or radiator valve.
    Thermostat,
    /// Air conditioner or its infrared remote control.
    AirConditioner,
    /// Light or dimmer.
    Light,
    /// Curtain, blind or awning.
    Cover,
    /// Water valve or irrigation.
    Valve,
    /// Sensor.
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
    /// What it is for.
    pub category: Category,
    /// What the data points are taken from; never empty.
    pub sources: Vec<Source>,
    /// Reported values and what they mean.
    pub examples: Vec<Example>,
    /// What somebody setting it up should know.
    pub remark: Option<String>,
    /// Product keys that are known to be this type.
    pub products: Vec<String>,
    pub(super) sleepy: bool,
    pub(super) interval_ms: Option<u32>,
    pub(super) refresh: Vec<u16>,
    pub(super) refresh_ms: Option<u32>,
    pub(super) points: Vec<toml::Table>,
}

impl Profile {
    /// Numbers of the data points it names.
    pub fn data_points(&self) -> impl Iterator<Item = u16> {
        let numbers = self.points.iter().filter_map(|t| t.get("dp")?.as_integer());
        numbers.filter_map(|n| n.try_into().ok())
    }
}

/// A document the data points are taken from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What part it has in the profile.
    pub role: SourceRole,
    /// Who wrote it, and its title.
    pub document: String,
    /// What was taken from there.
    pub section: String,
    /// Where it can be found.
    pub url: Option<String>,
}

/// How near to the manufacturer a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceRole {
    /// The platform's own text.
    Document,
    /// Somebody else's table or driver.
    Table,
}

/// What a point makes of a reported value; the test of every profile decodes them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Key of the point.
    pub point: Key,
    /// The value as the device reports it.
    pub reported: toml::Value,
    /// What it means.
    pub value: toml::Value,
    /// Where that is said, or how it was computed.
    pub note: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileTable {
    title: String,
    category: Category,
    source: Vec<Source>,
    #[serde(default)]
    example: Vec<Example>,
    remark: Option<String>,
    #[serde(default)]
    products: Vec<String>,
    #[serde(default)]
    sleepy: bool,
    interval_ms: Option<u32>,
    #[serde(default)]
    refresh: Vec<u16>,
    refresh_ms: Option<u32>,
    point: Vec<toml::Table>,
}

/// All known profiles.
#[derive(Debug, Clone, Default)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// The built-in ones, then those of `folder` (its `tuya` subfolder, if it has one), which replace
    /// built-in ones of the same name.
    pub fn load(folder: Option<&Path>) -> Result<Self, ConfigError> {
        let mut profiles = BTreeMap::new();
        for file in BUILT_IN.files() {
            insert(
                &mut profiles,
                file.path(),
                file.contents_utf8().unwrap_or_default(),
            )?;
        }
        // Files straight in the folder may be another protocol's.
        let Some(folder) = folder.map(|f| f.join("tuya")).filter(|f| f.is_dir()) else {
            return Ok(Self(profiles));
        };
        let unreadable = |what: &Path, e: std::io::Error| {
            ConfigError::new(
                what.display().to_string(),
                format!("could not be read: {e}"),
            )
        };
        for entry in std::fs::read_dir(&folder).map_err(|e| unreadable(&folder, e))? {
            let path = entry.map_err(|e| unreadable(&folder, e))?.path();
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
    if raw.source.is_empty() {
        return Err(ConfigError::new(
            "source",
            "name at least one [[source]] that was read",
        ));
    }
    Ok(Profile {
        name: name.to_owned(),
        title: raw.title,
        category: raw.category,
        sources: raw.source,
        examples: raw.example,
        remark: raw.remark,
        products: raw.products,
        sleepy: raw.sleepy,
        interval_ms: raw.interval_ms,
        refresh: raw.refresh,
        refresh_ms: raw.refresh_ms,
        points: raw.point,
    })
}
