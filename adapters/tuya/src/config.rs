//! Configuration: what a technician writes, checked whole before anything opens. Owns the tables of
//! `sample.toml` and of device profiles, and the validated types the rest of the adapter works with.
//! A sub-device becomes a member of the gateway it is reached through: they share one connection.

pub mod device;
pub mod keys;
pub mod point;
pub mod profile;

pub use device::{LinkConfig, Member, Timing};
pub use keys::{KeyFile, KnownDevice};
pub use point::PointConfig;
pub use profile::{Category, Profile, Profiles, Source, SourceRole};

use device::{Built, DeviceTable};
use riser_adapter::config::{nearest, parse};
use riser_adapter::{BuildContext, ConfigError};
use riser_model::{Key, Point};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// A whole, valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Connections, each with the devices behind it.
    pub links: Vec<LinkConfig>,
    /// Where announcements are listened for.
    pub listen: Listen,
    /// Where keys come from besides the configuration.
    pub keys: Option<KeyFile>,
}

/// Where announcements are listened for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Own address.
    #[serde(default = "any")]
    pub address: IpAddr,
    /// Ports; none listens to nothing.
    #[serde(default = "ports")]
    pub ports: Vec<u16>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: any(),
            ports: ports(),
        }
    }
}

fn any() -> IpAddr {
    IpAddr::from([0, 0, 0, 0])
}

fn ports() -> Vec<u16> {
    vec![6666, 6667, 7000]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootTable {
    #[serde(default)]
    listen: Listen,
    keys_file: Option<String>,
    #[serde(default)]
    device: Vec<toml::Table>,
}

impl Config {
    /// Checks the adapter's table. The key file is read, nothing else is opened.
    pub fn new(table: &toml::Table, context: &BuildContext) -> Result<Self, ConfigError> {
        let root: RootTable = parse("", table)?;
        let profiles = Profiles::load(context.profile_dir.as_deref())?;
        let keys = root
            .keys_file
            .map(|file| KeyFile::new(context.base_dir.join(file)));
        let known = match &keys {
            Some(file) => file
                .read()
                .map_err(|problem| ConfigError::new("keys_file", problem))?,
            None => Vec::new(),
        };
        let mut raw = Vec::with_capacity(root.device.len());
        for (i, table) in root.device.iter().enumerate() {
            let at = format!("device[{i}]");
            raw.push((parse::<DeviceTable>(&at, table)?, at));
        }
        distinct(&raw)?;
        let mut config = Self {
            links: Vec::new(),
            listen: root.listen,
            keys,
        };
        // Gateways first: a sub-device may be written above the gateway it hangs on.
        let (links, subs): (Vec<_>, Vec<_>) = raw.into_iter().partition(|(d, _)| d.via.is_none());
        for (device, at) in links {
            let Built { link, member } = device::build_link(&at, device, &known, &profiles)?;
            config.links.push(LinkConfig {
                members: vec![member],
                ..link
            });
        }
        for (device, at) in subs {
            config.add_sub(&at, device, &profiles)?;
        }
        Ok(config)
    }

    fn add_sub(
        &mut self,
        at: &str,
        device: DeviceTable,
        profiles: &Profiles,
    ) -> Result<(), ConfigError> {
        let via = device.via.clone().unwrap_or_else(|| device.key.clone());
        let Some(link) = self.links.iter_mut().find(|l| l.key == via) else {
            let gateways = self.links.iter().map(|l| l.key.as_str());
            let advice = nearest(via.as_str(), gateways)
                .map_or("there is no gateway at all".to_owned(), |near| {
                    format!("the nearest known one is '{near}'")
                });
            let problem = format!("no device with its own connection is called '{via}'; {advice}");
            return Err(ConfigError::new(format!("{at}.via"), problem));
        };
        let member = device::build_sub(at, device, link, profiles)?;
        if link.members.iter().any(|m| m.node == member.node) {
            let problem = format!("gateway '{via}' already has a sub-device with this node");
            return Err(ConfigError::new(format!("{at}.node"), problem));
        }
        link.members.push(member);
        Ok(())
    }

    /// Every point, in the order in which slots are asked for: connection, device, point.
    #[must_use]
    pub fn points(&self) -> Vec<Arc<Point>> {
        let members = self.links.iter().flat_map(|l| &l.members);
        members
            .flat_map(|m| &m.points)
            .map(|p| Arc::clone(&p.point))
            .collect()
    }

    /// What works and is hardly meant.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let members = self.links.iter().flat_map(|l| &l.members);
        let empty = members.filter(|m| m.points.is_empty()).map(|m| {
            format!(
                "device {}: it has no points; give it a profile or [[device.point]] tables (browsing it shows its data points)",
                m.key
            )
        });
        empty.collect()
    }
}

fn distinct(raw: &[(DeviceTable, String)]) -> Result<(), ConfigError> {
    let (mut keys, mut ids): (BTreeSet<&Key>, BTreeSet<&str>) = Default::default();
    for (device, at) in raw {
        if !keys.insert(&device.key) {
            let problem = format!("another device is already called '{}'", device.key);
            return Err(ConfigError::new(format!("{at}.key"), problem));
        }
        if let Some(id) = &device.id
            && !ids.insert(id)
        {
            let problem = format!(
                "another device already has id '{id}': devices take very few connections, so each may be configured once"
            );
            return Err(ConfigError::new(format!("{at}.id"), problem));
        }
    }
    Ok(())
}

/// A duration out of milliseconds.
pub(crate) fn millis(ms: u32) -> std::time::Duration {
    std::time::Duration::from_millis(ms.into())
}
