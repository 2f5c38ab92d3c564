//! Powers beside reading and writing: browsing what devices report, and exchanging a key without
//! adding a device anew. Owns the way from outside to the running connections.

use crate::codec::LocalKey;
use crate::config::keys::{self, KeyFile};
use crate::config::{Config, KnownDevice};
use crate::device::{Order, Shown};
use futures_util::future::BoxFuture;
use riser_adapter::{
    AdapterError, Browse, BrowseNode, ErrorClass, Field, FieldKind, Operate, Operation,
};
use riser_model::{Access, Key, Limits, Point, PointPath, ValueKind};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A new key is tried within a connection time and an answer time.
const PATIENCE: Duration = Duration::from_secs(30);

/// The configured connections, and the way to them while they run.
pub(crate) struct Links {
    links: Vec<Entry>,
    keys: Option<KeyFile>,
    orders: Mutex<Vec<mpsc::Sender<Order>>>,
}

/// One connection as it is known outside.
#[derive(Clone)]
struct Entry {
    id: String,
    /// The device and those behind it.
    members: Vec<Named>,
}

/// Key, name, and points by number of the data point.
type Named = (Key, String, BTreeMap<u16, Arc<Point>>);

impl Links {
    pub(crate) fn new(config: &Config) -> Self {
        let entry = |link: &crate::config::LinkConfig| Entry {
            id: link.id.clone(),
            members: link
                .members
                .iter()
                .map(|m| {
                    let points = m.points.iter().map(|p| (p.dp, Arc::clone(&p.point)));
                    (m.key.clone(), m.name.clone(), points.collect())
                })
                .collect(),
        };
        Self {
            links: config.links.iter().map(entry).collect(),
            keys: config.keys.clone(),
            orders: Mutex::default(),
        }
    }

    pub(crate) fn running(&self, orders: &[mpsc::Sender<Order>]) {
        *self.orders.lock().unwrap_or_else(PoisonError::into_inner) = orders.to_vec();
    }

    pub(crate) fn stopped(&self) {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The way to a connection, and its place.
    fn way(&self, found: impl Fn(&Entry) -> bool) -> Option<(usize, mpsc::Sender<Order>)> {
        let place = self.links.iter().position(found)?;
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        Some((place, orders.get(place)?.clone()))
    }

    fn of_device(&self, key: &str) -> Option<(usize, mpsc::Sender<Order>)> {
        self.way(|e| e.members.iter().any(|(k, _, _)| k.as_str() == key))
    }

    fn root(&self) -> Vec<BrowseNode> {
        let members = self.links.iter().flat_map(|l| &l.members);
        let node = |(key, name, _): &Named| BrowseNode {
            path: key.to_string(),
            name: name.clone(),
            point: None,
            remark: None,
        };
        members.map(node).collect()
    }

    /// The nodes below a device: its data points, and below a gateway what nobody configured.
    fn below(entry: &Entry, key: &str, shown: Vec<Shown>) -> Vec<BrowseNode> {
        let mut nodes = Vec::new();
        let gateway = entry
            .members
            .first()
            .is_some_and(|(k, _, _)| k.as_str() == key);
        for device in shown {
            match device.member.and_then(|m| entry.members.get(m)) {
                Some((own, name, points)) if own.as_str() == key => {
                    let reported = device.points.iter();
                    nodes.extend(
                        reported.map(|(dp, json)| node(own, name, points.get(dp), (*dp, json))),
                    );
                    let silent = points
                        .iter()
                        .filter(|(dp, _)| !device.points.contains_key(dp));
                    nodes.extend(silent.map(|(dp, point)| BrowseNode {
                        path: format!("{own}/{dp}"),
                        name: format!("{} (data point {dp})", point.name),
                        point: Some(point.as_ref().clone()),
                        remark: Some(
                            "configured, and not reported by the device so far".to_owned(),
                        ),
                    }));
                }
                None if gateway => {
                    let id = device.node.unwrap_or_default();
                    nodes.push(BrowseNode {
                        path: format!("{key}/node:{id}"),
                        name: format!("sub-device {id}"),
                        point: None,
                        remark: Some(format!(
                            "not configured; add it with via = \"{key}\" and node = \"{id}\""
                        )),
                    });
                }
                _ => {}
            }
        }
        nodes
    }
}

fn node(
    device: &Key,
    device_name: &str,
    known: Option<&Arc<Point>>,
    (dp, json): (u16, &Json),
) -> BrowseNode {
    let shown: String = json.to_string().chars().take(60).collect();
    let path = format!("{device}/{dp}");
    if let Some(point) = known {
        let name = format!("{} (data point {dp}) = {shown}", point.name);
        return BrowseNode {
            path,
            name,
            point: Some(point.as_ref().clone()),
            remark: None,
        };
    }
    let kind = match json {
        Json::Bool(_) => ValueKind::Bool,
        Json::Number(_) => ValueKind::Integer,
        _ => ValueKind::Text,
    };
    let point = Point {
        path: PointPath::new(device.clone(), Key::slug(&format!("dp-{dp}"))),
        name: format!("Data point {dp}"),
        device_name: device_name.to_owned(),
        kind,
        unit: None,
        access: Access::Read,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 90_000,
    };
    BrowseNode {
        path,
        name: format!("data point {dp} = {shown}"),
        point: Some(point),
        remark: Some("reported by the device and not configured".to_owned()),
    }
}

impl Browse for Links {
    fn browse(&self, path: String) -> BoxFuture<'static, Result<Vec<BrowseNode>, AdapterError>> {
        if path.is_empty() {
            let root = self.root();
            return Box::pin(async move { Ok(root) });
        }
        let Some((place, orders)) = self.of_device(&path) else {
            return failed(
                "browse",
                &path,
                "there is no such device, or the adapter does not run",
            );
        };
        let entry = self.links.get(place).cloned();
        Box::pin(async move {
            let shown = ask(&orders, Order::Show)
                .await
                .ok_or_else(|| not_running("browse", &path))?;
            Ok(entry
                .map(|e| Self::below(&e, &path, shown))
                .unwrap_or_default())
        })
    }
}

impl Operate for Links {
    fn operations(&self) -> Vec<Operation> {
        let field = |name: &str, title: &str, kind| Field {
            name: name.to_owned(),
            title: title.to_owned(),
            kind,
            required: true,
        };
        vec![
            Operation {
                name: "update_key".to_owned(),
                title: "Update local key".to_owned(),
                description: "After a device was paired anew: tries its new local key and uses it from now on. Written to the key file where there is one; otherwise write it into the configuration too.".to_owned(),
                fields: vec![
                    field("device", "Device", FieldKind::Device),
                    field("local_key", "New local key (16 characters)", FieldKind::Text),
                ],
                confirm: false,
            },
            Operation {
                name: "import_keys".to_owned(),
                title: "Import keys".to_owned(),
                description: "Takes the text of devices.json (tinytuya), of the list tuya-cli wizard prints or of the vendor's device list, and uses the keys in it from now on.".to_owned(),
                fields: vec![field("text", "The file's text", FieldKind::Text)],
                confirm: false,
            },
        ]
    }

    fn operate(
        &self,
        name: &str,
        parameters: toml::Table,
    ) -> BoxFuture<'static, Result<toml::Table, AdapterError>> {
        let text = |key: &str| {
            parameters
                .get(key)
                .and_then(toml::Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        match name {
            "update_key" => self.update_key(&text("device"), &text("local_key")),
            "import_keys" => self.import_keys(&text("text")),
            other => failed("operate", other, "there are update_key and import_keys"),
        }
    }
}

type Answer = BoxFuture<'static, Result<toml::Table, AdapterError>>;

impl Links {
    fn update_key(&self, device: &str, key: &str) -> Answer {
        let key = match LocalKey::parse(key) {
            Ok(key) => key,
            Err(problem) => return failed("update the key", device, &problem),
        };
        let Some((place, orders)) = self.of_device(device) else {
            return failed(
                "update the key",
                device,
                "there is no such device, or the adapter does not run",
            );
        };
        let id = self
            .links
            .get(place)
            .map(|e| e.id.clone())
            .unwrap_or_default();
        let (file, device) = (self.keys.clone(), device.to_owned());
        Box::pin(async move {
            let told = ask(&orders, |asked| Order::Rekey(key.clone(), asked)).await;
            let result = told.ok_or_else(|| not_running("update the key", &device))?;
            let result = result.map_err(|problem| error("update the key", &device, &problem))?;
            let mut answer = toml::Table::new();
            answer.insert("result".to_owned(), result.into());
            answer.insert("kept".to_owned(), keep(file, id, key).await.into());
            Ok(answer)
        })
    }

    fn import_keys(&self, text: &str) -> Answer {
        let listed = match keys::read(text) {
            Ok(listed) => listed,
            Err(problem) => return failed("import keys", "the text", &problem),
        };
        let known = |d: KnownDevice| {
            let key = d.key?;
            let (place, orders) = self.way(|e| e.id == d.id)?;
            let name = self.links.get(place)?.members.first()?.0.to_string();
            Some((name, d.id, key, orders))
        };
        let found: Vec<_> = listed.into_iter().filter_map(known).collect();
        let file = self.keys.clone();
        Box::pin(async move {
            let mut answer = toml::Table::new();
            for (name, id, key, orders) in found {
                let told = ask(&orders, |asked| Order::Rekey(key.clone(), asked)).await;
                let said = match told {
                    Some(Ok(said)) => format!("{said}; {}", keep(file.clone(), id, key).await),
                    Some(Err(problem)) => problem,
                    None => "the connection does not run".to_owned(),
                };
                answer.insert(name, said.into());
            }
            if answer.is_empty() {
                let problem = "none of the devices listed there is configured";
                return Err(error("import keys", "the text", problem));
            }
            Ok(answer)
        })
    }
}

/// Writes a key where it is found again after a restart, and says where.
async fn keep(file: Option<KeyFile>, id: String, key: LocalKey) -> String {
    let Some(file) = file else {
        return "until the next restart; write it into the configuration too".to_owned();
    };
    let path = file.path().display().to_string();
    match file.store(&id, &key).await {
        Ok(()) => format!("written to {path}"),
        Err(problem) => format!("until the next restart: {problem}"),
    }
}

async fn ask<T>(
    orders: &mpsc::Sender<Order>,
    order: impl FnOnce(oneshot::Sender<T>) -> Order,
) -> Option<T> {
    let (asked, answer) = oneshot::channel();
    orders.send(order(asked)).await.ok()?;
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

fn error(what: &str, on: &str, why: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Misconfigured, what, on).advise(why)
}

fn not_running(what: &str, on: &str) -> AdapterError {
    AdapterError::new(ErrorClass::Retryable, what, on).advise("the device did not answer in time")
}

fn failed<T: Send + 'static>(
    what: &str,
    on: &str,
    why: &str,
) -> BoxFuture<'static, Result<T, AdapterError>> {
    let error = error(what, on, why);
    Box::pin(async move { Err(error) })
}
