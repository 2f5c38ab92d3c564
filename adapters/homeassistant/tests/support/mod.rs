//! A fake Home Assistant that answers with what the real one answered when it was recorded
//! (`recorded/2024.3.3.json`, made by `tests/peers/homeassistant_peer.py`). It carries out the
//! services the tests call, tells what changes, and can be made to misbehave.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

pub(crate) const TOKEN: &str = "test-only-token";
const HOUR: i64 = 3_600_000;
const STATISTICS: &str = "recorder/statistics_during_period";

/// What misbehaves.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Calls are answered and change nothing.
    pub(crate) stubborn: AtomicBool,
    /// Nothing is answered any more.
    pub(crate) mute: AtomicBool,
    /// Calls are refused.
    pub(crate) refusing: AtomicBool,
    /// Texts that are no messages come between the others.
    pub(crate) noise: AtomicBool,
    /// Times statistics were asked for.
    pub(crate) asked: AtomicUsize,
    /// Milliseconds their answer takes.
    pub(crate) slow: AtomicU64,
}

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) faults: Arc<Faults>,
    house: Arc<Mutex<Value>>,
    changes: broadcast::Sender<Value>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct House {
    kept: Arc<Mutex<Value>>,
    faults: Arc<Faults>,
    changes: broadcast::Sender<Value>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self::on("127.0.0.1:0".parse().expect("an address")).await
    }

    pub(crate) async fn on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let recorded = include_str!("../recorded/2024.3.3.json");
        let recorded: Value = serde_json::from_str(recorded).expect("the recording is JSON");
        let house = House {
            kept: Arc::new(Mutex::new(recorded)),
            faults: Arc::default(),
            changes: broadcast::channel(1024).0,
        };
        let address = listener.local_addr().expect("it is bound");
        let shared = house.clone();
        let task = tokio::spawn(async move {
            let mut guests = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                guests.spawn(serve(stream, shared.clone()));
            }
        });
        Self {
            address,
            faults: house.faults,
            house: house.kept,
            changes: house.changes,
            task,
        }
    }

    pub(crate) fn config(&self) -> String {
        format!(
            "url = 'http://{}'\ntoken = '{TOKEN}'\nconfirm_seconds = 1\nping_seconds = 1\n",
            self.address
        )
    }

    /// Changes one attribute of an entity's state (`state` for the state itself) and tells it.
    pub(crate) fn set(&self, entity: &str, key: &str, value: Value) {
        let mut house = self.house.lock().expect("no test panicked");
        change(&mut house, entity, key, value);
        tell(&house, entity, &self.changes);
    }

    /// Changes the recording itself, silently.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Value)) {
        edit(&mut self.house.lock().expect("no test panicked"));
    }

    /// Tells that the registries are not what they were.
    pub(crate) fn registries_changed(&self) {
        let _ = self
            .changes
            .send(json!({"event_type": "entity_registry_updated", "data": {}}));
    }
}

fn find<'a>(house: &'a mut Value, entity: &str) -> &'a mut Value {
    let states = house["get_states"].as_array_mut().expect("a list");
    let found = states.iter_mut().find(|s| s["entity_id"] == entity);
    found.expect("the entity is in the recording")
}

fn change(house: &mut Value, entity: &str, key: &str, value: Value) {
    let state = find(house, entity);
    match key {
        "state" => state["state"] = value,
        key => state["attributes"][key] = value,
    }
}

fn tell(house: &Value, entity: &str, changes: &broadcast::Sender<Value>) {
    let states = house["get_states"].as_array().expect("a list");
    let state = states.iter().find(|s| s["entity_id"] == entity);
    let event = json!({"event_type": "state_changed",
        "data": {"entity_id": entity, "old_state": null, "new_state": state}});
    let _ = changes.send(event);
}

async fn serve(stream: TcpStream, house: House) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    let mut changes = house.changes.subscribe();
    let version = house.kept.lock().expect("no test panicked")["version"].clone();
    let greeting = json!({"type": "auth_required", "ha_version": version});
    let _ = socket.send(Message::text(greeting.to_string())).await;
    let mut subscriptions: Vec<(u64, String)> = Vec::new();
    loop {
        let mut out: Vec<Value> = Vec::new();
        tokio::select! {
            heard = socket.next() => {
                let Some(Ok(Message::Text(text))) = heard else { return };
                let request: Value = serde_json::from_str(&text).expect("a request is JSON");
                if request["type"] == "subscribe_events" {
                    let id = request["id"].as_u64().expect("a number");
                    subscriptions.push((id, request["event_type"].as_str().expect("a name").to_owned()));
                }
                if request["type"] == STATISTICS {
                    let slow = house.faults.slow.load(Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(slow)).await;
                }
                out.extend(house.answer(&request));
            }
            Ok(event) = changes.recv() => {
                for (id, kind) in &subscriptions {
                    if event["event_type"] == kind.as_str() {
                        out.push(json!({"id": id, "type": "event", "event": event}));
                    }
                }
            }
        }
        if house.faults.mute.load(Ordering::SeqCst) {
            continue;
        }
        if house.faults.noise.load(Ordering::SeqCst) {
            let _ = socket.send(Message::text("\u{0}{\"type\":")).await;
        }
        let end = out.iter().any(|m| m["type"] == "auth_invalid");
        for message in out {
            if socket
                .send(Message::text(message.to_string()))
                .await
                .is_err()
            {
                return;
            }
        }
        if end {
            return;
        }
    }
}

impl House {
    fn answer(&self, request: &Value) -> Vec<Value> {
        let kind = request["type"].as_str().unwrap_or_default();
        let result = |result: Value| {
            vec![json!({"id": request["id"], "type": "result", "success": true, "result": result})]
        };
        match kind {
            "auth" if request["access_token"] == TOKEN => vec![json!({"type": "auth_ok"})],
            "auth" => vec![json!({"type": "auth_invalid", "message": "Invalid access token"})],
            "ping" => vec![json!({"id": request["id"], "type": "pong"})],
            "subscribe_events" => result(Value::Null),
            "call_service" => self.call(request),
            STATISTICS => {
                self.faults.asked.fetch_add(1, Ordering::SeqCst);
                result(statistics(request))
            }
            _ => match self.kept.lock().expect("no test panicked").get(kind) {
                Some(recorded) => result(recorded.clone()),
                None => vec![refusal(request, "unknown_command", "Unknown command.")],
            },
        }
    }

    fn call(&self, request: &Value) -> Vec<Value> {
        if self.faults.refusing.load(Ordering::SeqCst) {
            return vec![refusal(request, "not_found", "Service not found.")];
        }
        let done = json!({"id": request["id"], "type": "result", "success": true, "result": {}});
        if self.faults.stubborn.load(Ordering::SeqCst) {
            return vec![done];
        }
        let entity = request["target"]["entity_id"].as_str().expect("an entity");
        let data = &request["service_data"];
        let (key, value) = match request["service"].as_str().expect("a service") {
            "turn_on" if !data["brightness_pct"].is_null() => {
                let percent = data["brightness_pct"].as_f64().expect("a number");
                ("brightness", json!((percent * 2.55).round()))
            }
            "turn_on" => ("state", json!("on")),
            "turn_off" => ("state", json!("off")),
            "lock" => ("state", json!("locked")),
            "unlock" => ("state", json!("unlocked")),
            "set_value" => ("state", json!(data["value"].to_string().trim_matches('"'))),
            "select_option" => ("state", data["option"].clone()),
            "set_hvac_mode" => ("state", data["hvac_mode"].clone()),
            "set_percentage" => ("percentage", data["percentage"].clone()),
            "set_cover_position" => ("current_position", data["position"].clone()),
            "set_temperature" => ("temperature", data["temperature"].clone()),
            other => return vec![refusal(request, "not_found", other)],
        };
        let mut kept = self.kept.lock().expect("no test panicked");
        if key == "brightness" {
            change(&mut kept, entity, "state", json!("on"));
        }
        change(&mut kept, entity, key, value);
        tell(&kept, entity, &self.changes);
        vec![done]
    }
}

fn refusal(request: &Value, code: &str, message: &str) -> Value {
    json!({"id": request["id"], "type": "result", "success": false,
        "error": {"code": code, "message": message}})
}

/// Every hour asked for has a row, as if it had been there for ever.
fn statistics(request: &Value) -> Value {
    let at = |key: &str| {
        let text = request[key].as_str().expect("a time");
        text.parse::<jiff::Timestamp>()
            .expect("a time")
            .as_millisecond()
    };
    let hours = (at("start_time")..at("end_time")).step_by(3_600_000);
    let rows: Vec<Value> = hours
        .map(|start| {
            let n = start / HOUR;
            json!({"start": start, "end": start + HOUR, "mean": n % 100, "state": n})
        })
        .collect();
    let ids = request["statistic_ids"].as_array().expect("a list");
    let ids = ids
        .iter()
        .map(|id| (id.as_str().expect("a name").to_owned(), json!(rows)));
    Value::Object(ids.collect())
}
