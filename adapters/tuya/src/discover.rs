//! Finding devices nobody configured yet: listening to what they announce, and asking those of 3.5,
//! which answer at once. Owns the request's options and what a find says in words.

use crate::codec::Version;
use crate::codec::beacon::{self, Beacon};
use crate::config::keys;
use crate::config::{KnownDevice, Profiles};
use crate::lan::{hear, open};
use futures_util::future::BoxFuture;
use riser_adapter::config::parse;
use riser_adapter::{
    AdapterError, Discover, DiscoverRequest, ErrorClass, Field, FieldKind, Found, SearchField,
};
use riser_model::Key;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Makes the capability.
pub(crate) fn make() -> Box<dyn Discover> {
    Box::new(Listening)
}

struct Listening;

/// What may be asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// How long to listen; devices announce themselves every few seconds.
    #[serde(default = "seconds")]
    seconds: u32,
    /// Own address to listen at.
    #[serde(default = "any")]
    address: IpAddr,
    /// Ports to listen on.
    #[serde(default = "ports")]
    ports: Vec<u16>,
    /// Where 3.5 devices are asked; empty asks nobody.
    #[serde(default = "ask")]
    ask: Vec<IpAddr>,
    /// Port 3.5 devices are asked on.
    #[serde(default = "ask_port")]
    ask_port: u16,
    /// Text of a key tool's list: finds then come with name and key.
    #[serde(default)]
    keys: String,
}

fn seconds() -> u32 {
    12
}
fn any() -> IpAddr {
    Ipv4Addr::UNSPECIFIED.into()
}
fn ports() -> Vec<u16> {
    vec![6666, 6667, 7000]
}
fn ask() -> Vec<IpAddr> {
    vec![Ipv4Addr::BROADCAST.into()]
}
fn ask_port() -> u16 {
    7000
}

impl Discover for Listening {
    fn fields(&self) -> Vec<SearchField> {
        let field = |name: &str, title: &str, kind, about: &str, default: Option<toml::Value>| {
            SearchField {
                field: Field {
                    name: name.to_owned(),
                    title: title.to_owned(),
                    kind,
                    required: false,
                },
                default,
                about: about.to_owned(),
                when: None,
            }
        };
        let time = FieldKind::Number { min: 1, max: 300 };
        vec![
            field(
                "seconds",
                "How long to listen, in seconds",
                time,
                "Devices announce themselves every few seconds.",
                Some(seconds().into()),
            ),
            field(
                "keys",
                "Text of a key tool's list",
                FieldKind::Text,
                "Such as devices.json of tinytuya: what is found then comes with its name and local key.",
                None,
            ),
        ]
    }

    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move {
            let wrong = |e: riser_adapter::ConfigError| {
                AdapterError::new(ErrorClass::Misconfigured, "look for devices", "the options")
                    .advise(e.to_string())
            };
            let options: Options = parse("", &request.options).map_err(wrong)?;
            let listed = match options.keys.trim() {
                "" => Vec::new(),
                text => keys::read(text)
                    .map_err(|p| wrong(riser_adapter::ConfigError::new("keys", p)))?,
            };
            let profiles = Profiles::load(None).map_err(wrong)?;
            let looking = look(options.clone(), listed, profiles, found);
            let time = Duration::from_secs(options.seconds.clamp(1, 300).into());
            let bounded = tokio::time::timeout(time, looking);
            match cancel.run_until_cancelled(bounded).await {
                Some(Ok(Err(error))) => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// Listens until dropped; ends earlier only when no port at all can be had.
async fn look(
    options: Options,
    listed: Vec<KnownDevice>,
    profiles: Profiles,
    found: mpsc::Sender<Found>,
) -> Result<(), AdapterError> {
    let (mut tasks, mut sockets, mut refused) = (JoinSet::new(), Vec::new(), Vec::new());
    let (heard, mut beacons) = mpsc::channel::<(Beacon, IpAddr)>(256);
    for port in &options.ports {
        match open(SocketAddr::new(options.address, *port)) {
            Ok(socket) => sockets.push(Arc::new(socket)),
            Err(error) => refused.push(format!("port {port}: {error}")),
        }
    }
    if sockets.is_empty() {
        let error = AdapterError::new(
            ErrorClass::Retryable,
            "listen for announcements",
            options.address.to_string(),
        );
        return Err(error.advise(refused.join("; ")));
    }
    for socket in &sockets {
        let (socket, heard) = (Arc::clone(socket), heard.clone());
        // A full queue loses an announcement; the next comes in seconds.
        tasks.spawn(async move { hear(&socket, |b, from| _ = heard.try_send((b, from))).await });
    }
    if let Some(socket) = sockets.first().cloned() {
        tasks.spawn(async move { question(&socket, &options).await });
    }
    let mut seen: BTreeMap<String, (IpAddr, Option<Version>)> = BTreeMap::new();
    while let Some((beacon, from)) = beacons.recv().await {
        let address = beacon.address.unwrap_or(from);
        let state = (address, beacon.version);
        if seen.get(&beacon.id) == Some(&state) || seen.len() > 4096 {
            continue;
        }
        seen.insert(beacon.id.clone(), state);
        if found
            .send(find(&beacon, address, &listed, &profiles))
            .await
            .is_err()
        {
            break;
        }
    }
    Ok(())
}

/// Asks 3.5 devices now and then.
async fn question(socket: &UdpSocket, options: &Options) {
    loop {
        for to in &options.ask {
            let question = beacon::question(own_address(*to), rand::random());
            // What cannot be asked is heard all the same, only later.
            let _unasked = socket.send_to(&question, (*to, options.ask_port)).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// The address datagrams to `to` leave from. Nothing is sent.
fn own_address(to: IpAddr) -> IpAddr {
    let route = || -> std::io::Result<IpAddr> {
        let socket = StdSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_broadcast(true)?;
        socket.connect((to, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    route().unwrap_or(Ipv4Addr::UNSPECIFIED.into())
}

/// A find, with everything known about it.
fn find(beacon: &Beacon, address: IpAddr, listed: &[KnownDevice], profiles: &Profiles) -> Found {
    let known = listed.iter().find(|d| d.id == beacon.id);
    let product = beacon.product.as_deref();
    let profile = profiles
        .iter()
        .find(|p| product.is_some_and(|k| p.products.iter().any(|own| own == k)));
    let mut identity = vec![("id".to_owned(), beacon.id.clone())];
    identity.extend(
        beacon
            .version
            .map(|v| ("version".to_owned(), v.to_string())),
    );
    identity.extend(product.map(|p| ("product".to_owned(), p.to_owned())));
    identity.extend(
        known
            .and_then(|d| d.name.clone())
            .map(|n| ("name".to_owned(), n)),
    );
    let mut remark = Vec::new();
    match profile {
        Some(profile) => remark.push(format!("profile '{}' by its product key", profile.name)),
        None => remark.push("no profile lists its product key; choose one by what the device is, or browse its data points once it runs".to_owned()),
    }
    match known {
        Some(KnownDevice { key: Some(_), .. }) => {}
        _ => remark.push("its local key is needed: fetch it with a key tool (tinytuya wizard) and write it in local_key".to_owned()),
    }
    if let (Some(announced), Some(other)) = (
        beacon.version,
        known
            .and_then(|d| d.version)
            .filter(|v| Some(*v) != beacon.version),
    ) {
        remark.push(format!(
            "the key list says version {other}, the device says {announced}: the device is right"
        ));
    }
    if beacon.version.is_none() {
        remark.push(
            "it does not say which version it speaks; that is found out when it is connected"
                .to_owned(),
        );
    }
    let device = device(beacon, address, known, profile.map(|p| p.name.as_str()));
    let mut config = toml::Table::new();
    config.insert(
        "device".to_owned(),
        toml::Value::Array(vec![toml::Value::Table(device)]),
    );
    Found {
        address: address.to_string(),
        identity,
        profile: profile.map(|p| p.name.clone()),
        remark: remark.join("; "),
        config,
    }
}

/// The `[[device]]` that adds it. The version is left out: the device says it itself.
fn device(
    beacon: &Beacon,
    address: IpAddr,
    known: Option<&KnownDevice>,
    profile: Option<&str>,
) -> toml::Table {
    let name = known.and_then(|d| d.name.clone());
    let tail = beacon
        .id
        .char_indices()
        .rev()
        .nth(5)
        .map_or(beacon.id.as_str(), |(i, _)| &beacon.id[i..]);
    let key = Key::slug(&name.clone().unwrap_or_else(|| format!("tuya-{tail}")));
    let key_text = known
        .and_then(|d| d.key.as_ref()?.text())
        .unwrap_or_default();
    let mut table = toml::Table::new();
    table.insert("key".to_owned(), key.to_string().into());
    if let Some(name) = name {
        table.insert("name".to_owned(), name.into());
    }
    table.insert("id".to_owned(), beacon.id.clone().into());
    table.insert("local_key".to_owned(), key_text.into());
    table.insert("host".to_owned(), address.to_string().into());
    if let Some(profile) = profile {
        table.insert("profile".to_owned(), profile.into());
    }
    table
}
