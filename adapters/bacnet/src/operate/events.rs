//! Alarms of devices for people: which stand, what was told last, acknowledging. Owns the way down
//! for older devices, and the look at what the device made of an acknowledgement.

use super::ledger::{Book, Event};
use super::watch::{learn, lock};
use super::{Fault, Given, Inner, ask as asking, clock, table, words};
use crate::client::{Answer, RequestError};
use crate::codec::service::event::{
    self, Acknowledge, EventState, Notification, Stamp, Standing, decode_stamps,
};
use crate::codec::service::property::Reference;
use crate::codec::service::{
    ACKNOWLEDGE_ALARM, GET_ALARM_SUMMARY, GET_EVENT_INFORMATION, Refusal, error::code,
};
use crate::codec::{ObjectId, PropertyId};
use crate::poll::Peer;
use toml::{Table, Value};

/// Answers with "more" that are followed.
const PAGES: usize = 64;
/// The number this gateway is listed and acknowledges with.
pub(super) const PROCESS: u32 = 1;
/// Notifications shown.
const SHOWN: usize = 30;
/// The three transitions.
const TRANSITIONS: [&str; 3] = ["to off normal", "to fault", "to normal"];

/// Asks a device which events stand; an older one for its alarm summary. `None`: it answers neither
/// question, and only tells by itself.
pub(super) async fn ask(peer: &Peer) -> Result<Option<Vec<Standing>>, Fault> {
    let mut all: Vec<Standing> = Vec::new();
    for _ in 0..PAGES {
        let after = all.last().map(|one| one.object);
        let body = event::information(after);
        let octets = match peer.ask(GET_EVENT_INFORMATION, &body, true).await {
            Ok(Answer::Octets(octets)) => octets,
            // One object that is set up wrongly keeps some devices from saying anything here.
            Err(RequestError::Refused(_)) => return summary(peer).await,
            Ok(_) => return Err(Fault::Failed("the answer has no events in it".to_owned())),
            Err(error) => return Err(error.into()),
        };
        let (events, more) = event::decode_information(&octets)?;
        let any = !events.is_empty();
        all.extend(events);
        if !more || !any {
            break;
        }
    }
    Ok(Some(all))
}

async fn summary(peer: &Peer) -> Result<Option<Vec<Standing>>, Fault> {
    match peer.ask(GET_ALARM_SUMMARY, &[], true).await {
        Ok(Answer::Octets(octets)) => Ok(Some(event::decode_summary(&octets)?)),
        Ok(_) => Ok(Some(Vec::new())),
        Err(RequestError::Refused(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Shows the events of a device, or those known of all of them.
pub(super) async fn show(inner: &Inner, given: Given<'_>) -> Result<Table, Fault> {
    if given.maybe("device").is_none() {
        return Ok(all(inner));
    }
    let device = inner.device(given.text("device"))?;
    let (peer, clock) = (inner.peer(given)?, inner.clock()?);
    let ledger = inner.ledger(&device.key).ok_or_else(not_running)?;
    let asked = learn(&peer, &ledger, &*clock).await?;
    let known = lock(&ledger);
    let told = known
        .told(peer.instance())
        .take(SHOWN)
        .map(|(at, told)| Value::from(format!("{}: {}", moment(*at), written(told))));
    let told = Value::Array(told.collect());
    let standing = known.book(peer.instance()).map(rows);
    drop(known);
    let mut answer = table([
        ("standing", Value::Array(standing.unwrap_or_default())),
        ("told_last", told),
    ]);
    if !asked {
        let remark = "the device answers no question about events; this is what it told by itself";
        answer.insert("remark".to_owned(), remark.into());
    }
    Ok(answer)
}

fn not_running() -> Fault {
    Fault::Failed("the lane of this device is not open".to_owned())
}

fn all(inner: &Inner) -> Table {
    let mut answer = Table::new();
    for device in &inner.devices {
        let ledger = inner.ledger(&device.key);
        let instance = inner
            .found(&device.key)
            .map(|p| p.instance())
            .or(device.instance);
        let rows = ledger.zip(instance).and_then(|(ledger, instance)| {
            let known = lock(&ledger);
            known.book(instance).map(rows)
        });
        if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
            answer.insert(device.key.to_string(), Value::Array(rows));
        }
    }
    if answer.is_empty() {
        answer.insert("standing".to_owned(), "nothing is known to stand".into());
    }
    answer
}

/// Events for people, one a row.
fn rows(book: &Book) -> Vec<Value> {
    let rows = book.events.iter().map(|(object, event)| {
        let mut text = format!("{} {}", book.name(*object), event.state);
        let stamp = event
            .stamps
            .get(event.state.transition())
            .copied()
            .flatten();
        if let Some(since) = stamp.and_then(shown) {
            text += &format!(" since {since} (device time)");
        }
        let open: Vec<&str> = open(event).map(|(_, name)| name).collect();
        if !open.is_empty() {
            text += &format!(", not acknowledged: {}", open.join(" and "));
        }
        if let Some(priority) = event.priority {
            text += &format!(", priority {priority}");
        }
        if let Some(said) = event.text.as_ref().filter(|t| !t.is_empty()) {
            text += &format!(": {said}");
        }
        Value::from(text)
    });
    rows.collect()
}

/// The transitions nobody has acknowledged.
fn open(event: &Event) -> impl Iterator<Item = (usize, &'static str)> {
    let acknowledged = event.acknowledged;
    let all = TRANSITIONS.into_iter().enumerate();
    all.filter(move |(at, _)| acknowledged.get(*at) == Some(&false))
}

fn shown(stamp: Stamp) -> Option<String> {
    match stamp {
        Stamp::Time(time) => Some(words::shown_time(time)),
        Stamp::Sequence(_) => None,
        Stamp::DateTime(date, time) => Some(format!(
            "{} {}",
            words::shown_date(date),
            words::shown_time(time)
        )),
    }
}

fn moment(at: riser_model::Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0);
    at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}

fn written(told: &Notification) -> String {
    let what = match told.notify {
        2 => "acknowledged",
        1 => "event",
        _ => "alarm",
    };
    let from = told
        .from
        .map(|from| format!("{from} to "))
        .unwrap_or_default();
    let text = told.text.as_ref().filter(|t| !t.is_empty());
    let text = text.map_or_else(String::new, |t| format!(": {t}"));
    format!(
        "{what} {} {from}{}, priority {}{text}",
        told.object, told.to, told.priority
    )
}

/// Acknowledges what an object, or the whole device, has open.
pub(super) async fn acknowledge(inner: &Inner, given: Given<'_>) -> Result<Table, Fault> {
    let device = inner.device(given.text("device"))?;
    let (peer, clock) = (inner.peer(given)?, inner.clock()?);
    let ledger = inner.ledger(&device.key).ok_or_else(not_running)?;
    let wanted = given.maybe("object").map(|text| {
        ObjectId::parse(text)
            .ok_or_else(|| Fault::Wrong(format!("'{text}' is no object; write analog-input:1")))
    });
    let wanted = wanted.transpose()?;
    learn(&peer, &ledger, &*clock).await?;
    let events = lock(&ledger)
        .book(peer.instance())
        .map(|b| b.events.clone());
    let mut events = events.unwrap_or_default();
    events.retain(|object, event| {
        wanted.is_none_or(|w| w == *object) && open(event).next().is_some()
    });
    if events.is_empty() {
        return Err(Fault::Wrong("there is nothing to acknowledge".to_owned()));
    }
    let terms = inner.terms(&device.key).cloned().unwrap_or_default();
    let at = clock::stamp(clock.now(), &terms);
    let mut done = Vec::new();
    for (object, event) in &events {
        let stamps = stamps(&peer, *object, event).await?;
        for (transition, name) in open(event) {
            let Some(stamp) = stamps.get(transition).copied().flatten() else {
                continue;
            };
            let said = Acknowledge {
                process: PROCESS,
                object: *object,
                state: event.state_of(transition),
                stamp,
                source: given.text("by").to_owned(),
                at,
            };
            one(&peer, said).await.map_err(|error| {
                Fault::Failed(format!("{object} {name} was not acknowledged: {error}"))
            })?;
            done.push(Value::from(format!("{object} {name}")));
        }
    }
    let left = left(&peer, &events).await?;
    if !left.is_empty() {
        let left = left.join(", ");
        return Err(Fault::Failed(format!(
            "the device took it and still has open: {left}"
        )));
    }
    // So that what is shown is what the device has now.
    let _silent = learn(&peer, &ledger, &*clock).await;
    Ok(table([("acknowledged", Value::Array(done))]))
}

/// The stamps of an object's transitions, read where they are not known.
async fn stamps(peer: &Peer, object: ObjectId, event: &Event) -> Result<[Option<Stamp>; 3], Fault> {
    if open(event).all(|(at, _)| event.stamps.get(at).copied().flatten().is_some()) {
        return Ok(event.stamps);
    }
    let stamps = Reference::new(object, PropertyId::EVENT_TIME_STAMPS);
    let octets = asking::octets(peer, &stamps).await?;
    let octets = octets
        .ok_or_else(|| Fault::Failed(format!("{object} does not say when its events happened")))?;
    Ok(decode_stamps(&octets)?.map(Some))
}

/// Acknowledges one transition. Which way an object was off normal is not always known; a device that
/// minds is told each.
async fn one(peer: &Peer, said: Acknowledge) -> Result<(), RequestError> {
    let mut states = vec![said.state];
    if said.state.transition() == 0 {
        states.extend((2..=5).map(EventState).filter(|s| *s != said.state));
    }
    let mut first = None;
    for state in states {
        let body = Acknowledge {
            state,
            ..said.clone()
        }
        .encoded();
        match peer.ask(ACKNOWLEDGE_ALARM, &body, true).await {
            Ok(_) => return Ok(()),
            Err(
                error @ RequestError::Refused(Refusal::Error {
                    code: code::INVALID_EVENT_STATE,
                    ..
                }),
            ) => {
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    first.map_or(Ok(()), Err)
}

/// What is still open, as the objects themselves say it.
async fn left(
    peer: &Peer,
    events: &std::collections::BTreeMap<ObjectId, Event>,
) -> Result<Vec<String>, Fault> {
    let mut left = Vec::new();
    for (object, event) in events {
        let property = Reference::new(*object, PropertyId::ACKED_TRANSITIONS);
        let Some(crate::codec::Datum::Bits(bits)) = asking::datum(peer, &property).await? else {
            continue;
        };
        let still = open(event).filter(|(at, _)| !bits.get(*at));
        left.extend(still.map(|(_, name)| format!("{object} {name}")));
    }
    Ok(left)
}
