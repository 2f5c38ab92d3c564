//! Finding bridges nobody has configured, and the devices behind them: a broker is asked who keeps a
//! `bridge/state` on it. Owns what a person can say about where to look, and how a find is recognised
//! in a configuration; `look` asks, `words` says what was found and what is missing.

mod look;
mod words;

use crate::config::{Config, Ieee, key_of};
use futures_util::future::BoxFuture;
use riser_adapter::{
    AdapterError, BuildContext, Discover, DiscoverRequest, ErrorClass, Field, FieldKind, Found,
    SearchField, devices,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};

/// The capability.
#[derive(Default)]
struct Finder {
    /// The configurations of the networks that run already.
    running: Vec<Table>,
}

/// Makes it.
pub(crate) fn make() -> Box<dyn Discover> {
    Box::new(Finder::default())
}

impl Discover for Finder {
    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        let running = self.running.clone();
        Box::pin(async move {
            let mut options = request.options;
            // A field left empty is a field left out.
            options.retain(|_, value| value.as_str().is_none_or(|text| !text.trim().is_empty()));
            let host = options.entry("host").or_insert_with(|| "127.0.0.1".into());
            let object = host.as_str().unwrap_or_default().to_owned();
            let config = Config::new(&options, &BuildContext::default()).map_err(|error| {
                AdapterError::new(ErrorClass::Misconfigured, "look for zigbee2mqtt", object)
                    .advise(error.to_string())
            })?;
            let place = format!("{}:{}", config.broker.host, config.broker.port);
            let base = options
                .contains_key("base_topic")
                .then(|| config.base.clone());
            let work = async {
                let seen = look::look(config, base.as_deref(), &place).await?;
                let scope = words::Scope {
                    place: &place,
                    base: base.as_deref(),
                    options: &options,
                    running: &running,
                };
                for find in words::finds(&seen, &scope) {
                    if found.send(find).await.is_err() {
                        break;
                    }
                }
                Ok(())
            };
            cancel.run_until_cancelled(work).await.unwrap_or(Ok(()))
        })
    }

    fn fields(&self) -> Vec<SearchField> {
        let text = || FieldKind::Text;
        let ports = FieldKind::Number {
            min: 1,
            max: 65_535,
        };
        let mut host = field("host", "MQTT broker", text(), "Name or address.");
        host.default = Some("127.0.0.1".into());
        vec![
            host,
            field("port", "Port", ports, "Left out, 1883; with TLS 8883."),
            field("username", "User", text(), "Where the broker asks for one."),
            field("password", "Password", text(), ""),
            field(
                "ca",
                "TLS: file of the authority",
                text(),
                "Full path on the gateway of the PEM file that signs the broker's certificate; switches TLS on.",
            ),
            field(
                "base_topic",
                "Base topic",
                text(),
                "As in zigbee2mqtt. Left out, every bridge whose base topic has one or two levels is found.",
            ),
        ]
    }

    fn beside(&mut self, running: Vec<Table>) {
        self.running = running;
    }

    fn known(&self, configured: &Table, find: &Found) -> Option<String> {
        match address_of(&find.config) {
            Some(ieee) => {
                let mut entries = devices(configured);
                let entry = entries.find(|device| address(device) == Some(ieee))?;
                let key = entry.get("key").and_then(Value::as_str);
                Some(key.map_or_else(|| key_of(ieee).to_string(), str::to_owned))
            }
            None if find.config.is_empty() => None,
            None => same_network(configured, &find.config).then(String::new),
        }
    }

    fn join(&self, configured: &Table, find: &Found) -> Table {
        let mut config = find.config.clone();
        if same_network(configured, &config) {
            config.retain(|key, _| key == "device");
        }
        config
    }
}

/// The finds a bridge's list of devices makes, for the fuzzer.
pub(crate) fn finds_of(list: &[u8]) -> Vec<Found> {
    let seen = look::Seen {
        devices: crate::codec::device::devices(list).ok(),
        ..look::Seen::default()
    };
    let scope = words::Scope {
        place: "broker:1883",
        base: None,
        options: &Table::from_iter([("host".to_owned(), Value::from("broker"))]),
        running: &[],
    };
    words::finds(&[("z".to_owned(), seen)].into(), &scope)
}

fn field(name: &str, title: &str, kind: FieldKind, about: &str) -> SearchField {
    SearchField {
        field: Field {
            name: name.to_owned(),
            title: title.to_owned(),
            kind,
            required: false,
        },
        default: None,
        about: about.to_owned(),
        when: None,
    }
}

/// The device a find is, where it is one.
fn address_of(config: &Table) -> Option<Ieee> {
    devices(config).next().and_then(address)
}

fn address(device: &Table) -> Option<Ieee> {
    device.get("ieee")?.as_str()?.parse().ok()
}

/// Two configurations mean one bridge, whatever of it they leave to the defaults.
fn same_network(one: &Table, other: &Table) -> bool {
    let place = |table: &Table| {
        let text = |key: &str| table.get(key).and_then(Value::as_str);
        let port = if text("ca").is_some() { 8883 } else { 1883 };
        Some((
            text("host")?.to_ascii_lowercase(),
            table
                .get("port")
                .and_then(Value::as_integer)
                .unwrap_or(port),
            text("base_topic")
                .unwrap_or("zigbee2mqtt")
                .trim_matches('/')
                .to_owned(),
        ))
    };
    place(one).is_some() && place(one) == place(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    fn find(config: &str) -> Found {
        Found {
            address: String::new(),
            identity: Vec::new(),
            profile: None,
            remark: String::new(),
            config: table(config),
        }
    }

    const DEVICE: &str = "host = 'B'\nbase_topic = 'zigbee2mqtt'\n[[device]]\nieee = '0x00158d0001a2b3c4'\nkey = 'weather'\n";

    #[test]
    fn a_bridge_is_known_by_its_place_and_a_device_by_its_entry() {
        let finder = Finder::default();
        let known = |have: &str, config: &str| finder.known(&table(have), &find(config));
        let bridge = "host = 'b'\nport = 1883\nbase_topic = 'zigbee2mqtt'";
        assert_eq!(
            known("host = 'B'\npassword = 'p'\nusername = 'u'", bridge),
            Some(String::new())
        );
        assert_eq!(known("host = 'b'\nbase_topic = 'floor'", bridge), None);
        assert_eq!(known("host = 'b'\nca = 'x'", bridge), None);
        assert_eq!(known("host = 'b'", DEVICE), None);
        let entry = "host = 'elsewhere'\n[[device]]\nieee = '0x00158D0001A2B3C4'\nkey = 'hall'";
        assert_eq!(known(entry, DEVICE), Some("hall".into()));
        assert_eq!(known(bridge, ""), None);
    }

    #[test]
    fn a_device_of_a_network_that_is_there_brings_its_entry_only() {
        let finder = Finder::default();
        let joined = finder.join(&table("host = 'b'\nport = 1883"), &find(DEVICE));
        assert_eq!(joined.keys().collect::<Vec<_>>(), ["device"]);
        let whole = finder.join(&table("host = 'c'"), &find(DEVICE));
        assert_eq!(whole.len(), 3);
    }
}
