//! Asking one broker: what bridges have left on it, and whether those that say so are there. Owns the
//! conversation and its times; it changes nothing, a bridge is only asked for its health.

use crate::client::outbox::Outgoing;
use crate::client::{Connection, Heard, Outbox, Purpose, Refusal};
use crate::codec::bridge::{self, BridgeFacts, BridgeNews};
use crate::codec::{BridgeDevice, Said, payload};
use crate::config::Config;
use riser_adapter::{AdapterError, ErrorClass};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a broker may take for the connection.
const CONNECT: Duration = Duration::from_secs(8);
/// How long nothing more has to come before what the broker has kept is taken for told.
const QUIET: Duration = Duration::from_secs(2);
/// How long it may take for all of it.
const LISTEN: Duration = Duration::from_secs(15);
/// How long bridges may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Bridges on one broker.
const BRIDGES: usize = 64;

/// What one bridge has left on the broker, and whether it answers.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its word.
    pub(super) said: Option<Said>,
    pub(super) facts: Option<BridgeFacts>,
    /// Its list of devices, the stick among them, and entries that could not be read.
    pub(super) devices: Option<(Vec<BridgeDevice>, usize)>,
    pub(super) answered: bool,
    /// The broker did not pass the question on.
    pub(super) refused: Option<Refusal>,
}

/// Bridges by base topic.
pub(super) type Bridges = BTreeMap<String, Seen>;

/// Asks a broker; with a base topic for that bridge only.
pub(super) async fn look(
    config: Config,
    base: Option<&str>,
    place: &str,
) -> Result<Bridges, AdapterError> {
    let mut connection = Connection::new(config.broker, "discovery");
    connect(&mut connection, place).await?;
    let mut seen = kept(&mut connection, base, place).await?;
    ask(&mut connection, &mut seen).await;
    connection.close().await;
    Ok(seen)
}

async fn connect(connection: &mut Connection, place: &str) -> Result<(), AdapterError> {
    let until = Instant::now() + CONNECT;
    loop {
        match timeout_at(until, connection.next()).await {
            Ok(Heard::Connected) => return Ok(()),
            Ok(Heard::Ended(trouble)) => return Err(failed(place, trouble.words)),
            Ok(_) => {}
            Err(_) => return Err(failed(place, "no answer; check address and port")),
        }
    }
}

fn failed(place: &str, words: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorClass::Retryable, "ask the broker", place).advise(words)
}

/// What the broker has kept of bridges.
async fn kept(
    connection: &mut Connection,
    base: Option<&str>,
    place: &str,
) -> Result<Bridges, AdapterError> {
    let places = base.map_or_else(|| vec!["+", "+/+"], |base| vec![base]);
    let topics = places
        .iter()
        .flat_map(|place| ["state", "info", "devices"].map(|t| format!("{place}/bridge/{t}")));
    connection.subscribe(&topics.collect::<Vec<_>>());
    let mut seen = Bridges::new();
    let (end, mut until) = (Instant::now() + LISTEN, Instant::now() + QUIET);
    while let Ok(heard) = timeout_at(until.min(end), connection.next()).await {
        match heard {
            Heard::Message { topic, payload, .. } => {
                let topic = std::str::from_utf8(&topic).unwrap_or_default();
                if let Some((base, rest)) = topic.rsplit_once("/bridge/")
                    && (seen.len() < BRIDGES || seen.contains_key(base))
                {
                    note(seen.entry(base.to_owned()).or_default(), rest, &payload);
                }
                until = Instant::now() + QUIET;
            }
            Heard::NotSubscribed(_) => {
                let words = "the broker does not let this user read below the base topic; allow it in its access list";
                return Err(failed(place, words));
            }
            Heard::Ended(trouble) => return Err(failed(place, trouble.words)),
            _ => {}
        }
    }
    Ok(seen)
}

fn note(seen: &mut Seen, rest: &str, message: &[u8]) {
    match bridge::read(rest, message) {
        _ if rest == "state" => seen.said = payload::said(message).ok(),
        Ok(BridgeNews::Facts(facts)) => seen.facts = Some(facts),
        Ok(BridgeNews::Devices(devices, left_out)) => seen.devices = Some((devices, left_out)),
        _ => {}
    }
}

/// Asks those that say they are there whether they are: a broker remembers a bridge long gone.
async fn ask(connection: &mut Connection, seen: &mut Bridges) {
    let asked = seen.iter().filter(|(_, s)| s.said == Some(Said::Online));
    let asked: Vec<String> = asked.map(|(base, _)| base.clone()).collect();
    let answers = asked
        .iter()
        .map(|base| format!("{base}/bridge/response/health_check"));
    connection.subscribe(&answers.collect::<Vec<_>>());
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let mut outbox = Outbox::default();
    for (number, base) in (0..).zip(&asked) {
        outbox.push(Outgoing {
            topic: format!("{base}/bridge/request/health_check"),
            payload: json!({ "transaction": unique }).to_string(),
            purpose: Purpose::Request(number),
        });
    }
    connection.flush(&mut outbox);
    let until = Instant::now() + ANSWER;
    let open = |seen: &Bridges| {
        let mut waiting = asked.iter().filter_map(|base| seen.get(base));
        waiting.any(|s| !s.answered && s.refused.is_none())
    };
    while open(seen)
        && let Ok(heard) = timeout_at(until, connection.next()).await
    {
        match heard {
            Heard::Left(pkid) => _ = outbox.left(pkid),
            Heard::Acked { pkid, refused } => {
                if let (Some(Purpose::Request(number)), Some(why)) = (outbox.acked(pkid), refused)
                    && let Some(base) = usize::try_from(number).ok().and_then(|n| asked.get(n))
                    && let Some(seen) = seen.get_mut(base)
                {
                    seen.refused = Some(why);
                }
            }
            Heard::Message { topic, payload, .. } => {
                let topic = std::str::from_utf8(&topic).unwrap_or_default();
                let base = topic.strip_suffix("/bridge/response/health_check");
                let own = matches!(
                    bridge::read("response/health_check", &payload),
                    Ok(BridgeNews::Answered(response)) if response.transaction.as_deref() == Some(unique.as_str())
                );
                if let Some(seen) = base.filter(|_| own).and_then(|base| seen.get_mut(base)) {
                    seen.answered = true;
                }
            }
            Heard::Ended(_) => return,
            _ => {}
        }
    }
}
