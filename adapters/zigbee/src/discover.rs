//! Finding bridges nobody has configured: a broker is asked who keeps a `bridge/state` on it. Owns the
//! look around; it publishes nothing.

use crate::client::{Connection, Heard};
use crate::codec::bridge::{self, BridgeNews};
use crate::codec::{Said, payload};
use crate::config::Config;
use futures_util::future::BoxFuture;
use riser_adapter::{
    AdapterError, BuildContext, Discover, DiscoverRequest, ErrorClass, Field, FieldKind, Found,
    SearchField,
};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long a broker may take for the connection and for what it has kept.
const CONNECT: Duration = Duration::from_secs(8);
const LISTEN: Duration = Duration::from_secs(2);

/// The capability.
struct Finder;

/// Makes it.
pub(crate) fn make() -> Box<dyn Discover> {
    Box::new(Finder)
}

impl Discover for Finder {
    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move {
            let mut options = request.options;
            let host = options.entry("host").or_insert_with(|| "127.0.0.1".into());
            let object = host.to_string();
            let config = Config::new(&options, &BuildContext::default()).map_err(|error| {
                AdapterError::new(ErrorClass::Misconfigured, "look for zigbee2mqtt", object)
                    .because(error)
            })?;
            let look = look(config, options, found);
            cancel.run_until_cancelled(look).await.unwrap_or(Ok(()))
        })
    }

    fn fields(&self) -> Vec<SearchField> {
        let field = |name: &str, title: &str, kind, about: &str| SearchField {
            field: Field {
                name: name.to_owned(),
                title: title.to_owned(),
                kind,
                required: false,
            },
            default: None,
            about: about.to_owned(),
            when: None,
        };
        let mut host = field("host", "MQTT broker", FieldKind::Text, "Name or address");
        host.default = Some("127.0.0.1".into());
        let ports = FieldKind::Number {
            min: 1,
            max: 65_535,
        };
        vec![
            host,
            field("port", "Port", ports, "Left out, 1883"),
            field(
                "username",
                "User",
                FieldKind::Text,
                "Where the broker asks for one",
            ),
            field("password", "Password", FieldKind::Text, ""),
        ]
    }
}

#[derive(Default)]
struct Seen {
    online: bool,
    version: String,
    coordinator: String,
    devices: Option<usize>,
}

async fn look(
    config: Config,
    options: toml::Table,
    found: mpsc::Sender<Found>,
) -> Result<(), AdapterError> {
    let place = format!("{}:{}", config.broker.host, config.broker.port);
    let mut connection = Connection::new(config.broker, "discovery");
    connect(&mut connection, &place).await?;
    let topics = ["state", "info", "devices"].map(|t| format!("bridge/{t}"));
    let topics = topics
        .iter()
        .flat_map(|t| [format!("+/{t}"), format!("+/+/{t}")]);
    connection.subscribe(&topics.collect::<Vec<_>>());
    let until = Instant::now() + LISTEN;
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    while let Ok(heard) = timeout_at(until, connection.next()).await {
        if let Heard::Message { topic, payload, .. } = heard
            && let Ok(topic) = std::str::from_utf8(&topic)
            && let Some((base, rest)) = topic.rsplit_once("/bridge/")
            && seen.len() < 64
        {
            note(seen.entry(base.to_owned()).or_default(), rest, &payload);
        }
    }
    connection.close().await;
    for (base, seen) in seen {
        let _nobody_waits = found.send(find(&base, &seen, &place, &options)).await;
    }
    Ok(())
}

async fn connect(connection: &mut Connection, place: &str) -> Result<(), AdapterError> {
    let until = Instant::now() + CONNECT;
    let error = || AdapterError::new(ErrorClass::Retryable, "connect to the broker", place);
    loop {
        match timeout_at(until, connection.next()).await {
            Ok(Heard::Connected) => return Ok(()),
            Ok(Heard::Ended(trouble)) => return Err(error().advise(trouble.words)),
            Ok(_) => {}
            Err(_) => return Err(error().advise("no answer; check address and port")),
        }
    }
}

fn note(seen: &mut Seen, rest: &str, message: &[u8]) {
    if rest == "state" {
        seen.online = payload::said(message) == Ok(Said::Online);
        return;
    }
    match bridge::read(rest, message) {
        Ok(BridgeNews::Facts(facts)) => {
            seen.version = facts.version;
            seen.coordinator = facts.coordinator;
        }
        Ok(BridgeNews::Devices(devices, _)) => seen.devices = Some(devices.len().saturating_sub(1)),
        _ => {}
    }
}

fn find(base: &str, seen: &Seen, place: &str, options: &toml::Table) -> Found {
    let mut config = options.clone();
    config.insert("base_topic".to_owned(), base.into());
    let mut identity = vec![("base_topic".to_owned(), base.to_owned())];
    let version = ("version", seen.version.clone());
    let stick = ("coordinator", seen.coordinator.clone());
    let devices = (
        "devices",
        seen.devices.map(|n| n.to_string()).unwrap_or_default(),
    );
    let known = [version, stick, devices]
        .into_iter()
        .filter(|(_, v)| !v.is_empty());
    identity.extend(known.map(|(k, v)| (k.to_owned(), v)));
    Found {
        address: format!("{place} {base}"),
        identity,
        profile: None,
        remark: if seen.online {
            "zigbee2mqtt is running; its devices are added by themselves".to_owned()
        } else {
            "zigbee2mqtt has stopped, and the broker remembers it; start it again".to_owned()
        },
        config,
    }
}
