//! Finding devices nobody has configured: Who-Is to everybody, in slices, and again, while I-Ams are
//! collected to the end. Owns how politely: slices apart from each other, a few devices read at once.

mod fields;
mod findings;

use crate::client::{Address, Client, Heard, PORT};
use crate::codec::service::device::{IAm, Sought, who_is};
use crate::codec::service::property::Reference;
use crate::codec::service::{WHO_IS, property};
use crate::codec::{ANY_INSTANCE, Datum, ObjectId, PropertyId};
use crate::config::{LaneConfig, lane_of};
use crate::lane;
use crate::mapping;
use crate::poll::peer::Making;
use crate::poll::{Caps, Habits, Peer};
use futures_util::future::BoxFuture;
use riser_adapter::{
    AdapterError, ConfigError, Discover, DiscoverRequest, ErrorClass, Found, SearchField,
    config::parse,
};
use riser_model::Key;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Slices the range of instances is asked in after everybody was asked at once.
const SLICES: u32 = 16;
/// Between two slices: answers of a building come in bursts, and bursts are lost.
const APART: Duration = Duration::from_millis(100);
/// Rounds of slices.
const ROUNDS: u32 = 3;
/// Devices that are read at once.
const READ_AT_ONCE: usize = 8;
/// How long devices have to say that they hold an object.
const HOLDERS: Duration = Duration::from_secs(4);
/// Devices remembered.
const DEVICES: usize = 20_000;

/// What is asked of each device.
const IDENTITY: &[(PropertyId, &str)] = &[
    (PropertyId::OBJECT_NAME, "name"),
    (PropertyId::VENDOR_NAME, "vendor"),
    (PropertyId::MODEL_NAME, "model"),
    (PropertyId::FIRMWARE_REVISION, "firmware"),
    (PropertyId::APPLICATION_SOFTWARE_VERSION, "software"),
    (PropertyId::DESCRIPTION, "description"),
    (PropertyId::LOCATION, "location"),
];
const IDENTITY_OCTETS: usize = 40;

/// Makes the capability.
pub(crate) fn make() -> Box<dyn Discover> {
    Box::new(Search)
}

struct Search;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    lane: Option<toml::Table>,
    interface: Option<String>,
    bbmd: Option<String>,
    port: Option<u16>,
    low: Option<u32>,
    high: Option<u32>,
    object: Option<String>,
    seconds: Option<u64>,
}

struct Scope {
    lane: LaneConfig,
    table: toml::Table,
    range: (u32, u32),
    /// Only devices that hold an object of this name.
    object: Option<String>,
    time: Duration,
}

impl Scope {
    fn new(options: &toml::Table) -> Result<Self, ConfigError> {
        let raw: Options = parse("discover", options)?;
        let mut table = raw.lane.unwrap_or_default();
        table.entry("key").or_insert_with(|| "building".into());
        let port = raw.port.filter(|port| *port != PORT);
        for (key, said) in [
            ("interface", raw.interface.map(toml::Value::from)),
            ("bbmd", raw.bbmd.map(toml::Value::from)),
            ("port", port.map(|port| i64::from(port).into())),
        ] {
            if let Some(said) = said {
                table.insert(key.to_owned(), said);
            }
        }
        let lane = lane_of("discover.lane", &table)?;
        let range = (raw.low.unwrap_or(0), raw.high.unwrap_or(ANY_INSTANCE - 1));
        if range.0 > range.1 || range.1 >= ANY_INSTANCE {
            let problem = "low and high are instances between 0 and 4194302, low first".to_owned();
            return Err(ConfigError::new("discover.low", problem));
        }
        let seconds = raw.seconds.unwrap_or(15);
        if !(1..=600).contains(&seconds) {
            let problem = format!("{seconds} is not between 1 and 600");
            return Err(ConfigError::new("discover.seconds", problem));
        }
        Ok(Self {
            lane,
            table,
            range,
            object: raw.object.filter(|name| !name.is_empty()),
            time: Duration::from_secs(seconds),
        })
    }
}

impl Discover for Search {
    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move {
            let scope = Scope::new(&request.options).map_err(|error| {
                AdapterError::new(ErrorClass::Misconfigured, "search", "the BACnet network")
                    .because(error)
            })?;
            let client = lane::open(&scope.lane)?;
            let registered = cancel.child_token();
            let _registered_until_the_end = registered.clone().drop_guard();
            if let Some(bbmd) = &scope.lane.bbmd {
                let mut state = client.register_with(bbmd.at, bbmd.lifetime, registered);
                // Registered or not, the own network is searched.
                let _closed = state.changed().await;
            }
            let bbmd = scope.lane.bbmd.clone();
            let (shown, asked) = (found.clone(), client.clone());
            let searching = async {
                let count = search(client, scope, found).await;
                findings::tell(&asked, bbmd.map(|b| b.at), count, &shown).await;
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = searching => {}
            }
            Ok(())
        })
    }

    fn fields(&self) -> Vec<SearchField> {
        fields::fields()
    }
}

/// Asks and listens until the time is over; how many devices there are.
async fn search(client: Client, scope: Scope, found: mpsc::Sender<Found>) -> usize {
    let scope = Arc::new(scope);
    let holders = holders(&client, &scope).await;
    let mut heard = client.listen();
    let until = Instant::now() + scope.time;
    let asking = ask(client.clone(), scope.clone());
    let mut asking = Box::pin(asking);
    let mut asked = false;
    let mut known: FxHashMap<u32, Vec<Address>> = FxHashMap::default();
    let turns = Arc::new(Semaphore::new(READ_AT_ONCE));
    let mut reading = JoinSet::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(until) => break,
            () = &mut asking, if !asked => asked = true,
            next = heard.recv() => match next {
                Ok(Heard::Device(from, i_am)) => {
                    let inside = (scope.range.0..=scope.range.1).contains(&i_am.instance);
                    let Some(others) = note(&mut known, &from, i_am).filter(|_| inside) else {
                        continue;
                    };
                    let Some(holds) = holders.as_ref().map_or(Some(None), |h| h.get(&i_am.instance).map(Some)) else {
                        continue;
                    };
                    let holds = holds.cloned();
                    let one = One { client: client.clone(), from, i_am, others, holds };
                    let (scope, found, turns) = (scope.clone(), found.clone(), turns.clone());
                    reading.spawn(async move {
                        // The semaphore is never closed.
                        let _turn = turns.acquire().await.ok();
                        // Whoever asked may have gone.
                        let _gone = found.send(one.describe(&scope).await).await;
                    });
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => break,
            }
        }
        if found.is_closed() {
            return known.len();
        }
    }
    while reading.join_next().await.is_some() {}
    known.len()
}

/// Devices that hold the object that is looked for, each with its identifier; `None` when none is.
async fn holders(client: &Client, scope: &Scope) -> Option<FxHashMap<u32, ObjectId>> {
    let name = Sought::Name(scope.object.clone()?);
    let holders = client.who_has(&name, HOLDERS.min(scope.time)).await;
    // What could not be asked is not answered either.
    let holders = holders.unwrap_or_default().into_iter();
    Some(holders.map(|h| (h.device, h.object)).collect())
}

/// Notes a presentation: `None` when it is nothing new, else where the instance was heard before.
fn note(
    known: &mut FxHashMap<u32, Vec<Address>>,
    from: &Address,
    i_am: IAm,
) -> Option<Vec<Address>> {
    if known.len() >= DEVICES {
        return None;
    }
    let addresses = known.entry(i_am.instance).or_default();
    if addresses.contains(from) || addresses.len() >= 4 {
        return None;
    }
    let others = addresses.clone();
    addresses.push(from.clone());
    Some(others)
}

/// Everybody at once, then slice by slice, the pauses between rounds growing.
async fn ask(client: Client, scope: Arc<Scope>) {
    let (low, high) = scope.range;
    let all = (low, high) == (0, ANY_INSTANCE - 1);
    let send = async |range| {
        if let Err(error) = client.tell_all(WHO_IS, &who_is(range)).await {
            tracing::debug!(%error, "Who-Is could not be sent");
        }
    };
    send(if all { None } else { Some((low, high)) }).await;
    let width = (high - low) / SLICES + 1;
    for round in 1..=ROUNDS {
        tokio::time::sleep(Duration::from_secs(u64::from(round))).await;
        let mut from = low;
        loop {
            let to = from.saturating_add(width - 1).min(high);
            send(Some((from, to))).await;
            tokio::time::sleep(APART).await;
            match to {
                to if to >= high => break,
                to => from = to + 1,
            }
        }
    }
}

/// One device that presented itself.
struct One {
    client: Client,
    from: Address,
    i_am: IAm,
    others: Vec<Address>,
    /// The object that was looked for.
    holds: Option<ObjectId>,
}

impl One {
    async fn describe(self, scope: &Scope) -> Found {
        let instance = self.i_am.instance;
        let peer = Peer::new(Making {
            client: self.client,
            address: self.from.clone(),
            instance,
            caps: Caps {
                max_apdu: usize::try_from(self.i_am.max_apdu)
                    .unwrap_or(50)
                    .clamp(50, 1476),
                segmentation: self.i_am.segmentation,
            },
            outstanding: 1,
            habits: Habits::default(),
            figures: Arc::default(),
        });
        let own = ObjectId::device(instance);
        let list = Reference::new(own, PropertyId::OBJECT_LIST).at(0);
        let mut wanted: Vec<Reference> = IDENTITY
            .iter()
            .map(|(p, _)| Reference::new(own, *p))
            .collect();
        wanted.push(list);
        let mut identity = vec![("instance".to_owned(), instance.to_string())];
        let mut remark = self
            .holds
            .map_or_else(String::new, |object| format!("holds it as {object}"));
        let mut name = None;
        match peer.read_many(&wanted, IDENTITY_OCTETS).await {
            Ok(read) => {
                let values = read.iter().map(|r| r.as_ref().ok().and_then(|o| first(o)));
                let titles = IDENTITY.iter().map(|(_, title)| *title).chain(["objects"]);
                for (title, value) in titles.zip(values) {
                    if let Some(value) = value.filter(|v| !v.is_empty()) {
                        if title == "name" {
                            name = Some(value.clone());
                        }
                        identity.push((title.to_owned(), value));
                    }
                }
            }
            Err(error) => remark = format!("presents itself, but cannot be read: {error}"),
        }
        if !self.others.is_empty() {
            let others: Vec<String> = self.others.iter().map(ToString::to_string).collect();
            remark = format!(
                "duplicate device id: instance {instance} answers from {} too; give one of these devices another instance, or add them by address",
                others.join(", ")
            );
        }
        Found {
            address: format!("{} instance {instance}", self.from),
            identity,
            profile: None,
            remark,
            config: configuration(scope, &self.from, instance, name.as_deref(), &self.others),
        }
    }
}

fn first(octets: &[u8]) -> Option<String> {
    property::single(octets)
        .ok()
        .map(|d: Datum| mapping::text(&d))
}

/// A configuration that adds the device with all of its objects.
fn configuration(
    scope: &Scope,
    from: &Address,
    instance: u32,
    name: Option<&str>,
    others: &[Address],
) -> toml::Table {
    let key = match others.len() {
        0 => format!("bacnet-{instance}"),
        nth => format!("bacnet-{instance}-{}", nth + 1),
    };
    let mut device = toml::Table::new();
    device.insert("key".into(), Key::slug(&key).to_string().into());
    device.insert("lane".into(), scope.lane.key.to_string().into());
    if let Some(name) = name {
        device.insert("name".into(), name.into());
    }
    device.insert("instance".into(), i64::from(instance).into());
    // With its instance alone it is found wherever it moves to; two of one instance need the address.
    if !others.is_empty() {
        device.insert("address".into(), from.to_string().into());
    }
    device.insert("learn".into(), true.into());
    let mut config = toml::Table::new();
    config.insert(
        "lane".into(),
        toml::Value::Array(vec![scope.table.clone().into()]),
    );
    config.insert("device".into(), toml::Value::Array(vec![device.into()]));
    config
}
