//! What Home Assistant asks for: from a message to a write of the gateway, and its outcome in words.
//! Owns how many may be under way. A retained command is nobody's wish of now and is not carried out.

use super::config::{Config, Names};
use super::entity::{Component, command};
use super::shown::Shown;
use riser_adapter::PointWriter;
use riser_model::{CommandRecord, CommandState, Value};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Writes under way at once.
const UNDER_WAY: usize = 64;

/// A message to a topic of this gateway.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// A value for a point.
    Set(&'a str),
    /// A point's level is to be released.
    Release(&'a str),
    /// A description the broker keeps: component and object.
    Kept(&'a str, &'a str),
}

/// What a message is about.
pub(super) fn about<'a>(names: &Names, topic: &'a str) -> Option<Asked<'a>> {
    let own = |topic: &'a str, head: &str| topic.strip_prefix(head)?.strip_prefix('/');
    if let Some(rest) = own(topic, &names.base).and_then(|t| own(t, &names.node)) {
        return match rest.split_once('/')? {
            (object, "set") => Some(Asked::Set(object)),
            (object, "release") => Some(Asked::Release(object)),
            _ => None,
        };
    }
    let (component, rest) = own(topic, &names.prefix)?.split_once('/')?;
    let object = own(rest, &names.node)?.strip_suffix("/config")?;
    Some(Asked::Kept(component, object))
}

/// Writes under way.
pub(super) struct Commands {
    writer: Arc<dyn PointWriter>,
    by: String,
    under_way: JoinSet<(String, CommandRecord)>,
}

impl Commands {
    pub(super) fn new(writer: Arc<dyn PointWriter>, config: &Config) -> Self {
        Self {
            writer,
            by: format!("homeassistant-mqtt {}", config.broker.host),
            under_way: JoinSet::new(),
        }
    }

    /// Begins a write; `Err` says why there is none. `payload` is `None` for a release.
    pub(super) fn begin(
        &mut self,
        shown: &Shown,
        config: &Config,
        (object, payload): (&str, Option<&[u8]>),
    ) -> Result<(), String> {
        let entity = shown.entity(object).ok_or("there is no such point")?;
        if matches!(
            entity.component,
            Component::Sensor | Component::BinarySensor
        ) {
            return Err("it is not among the points named in 'writable'".to_owned());
        }
        if self.under_way.len() >= UNDER_WAY {
            return Err("too many writes are under way; try again".to_owned());
        }
        let value: Option<Value> = payload
            .map(|p| command(&entity.point, entity.component, p))
            .transpose()
            .map_err(|e| e.to_string())?;
        let path = entity.point.path.clone();
        let write = self
            .writer
            .write(path, value, config.priority, self.by.clone());
        let object = object.to_owned();
        self.under_way.spawn(async move { (object, write.await) });
        Ok(())
    }

    /// The next write that is done: whose, and what came of it. Waits for ever while there is none.
    pub(super) async fn done(&mut self) -> (String, String) {
        loop {
            match self.under_way.join_next().await {
                Some(Ok((object, record))) => return (object, words(&record)),
                // One that failed inside is told by the gateway itself.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

fn words(record: &CommandRecord) -> String {
    let outcome = &record.outcome;
    let what = match outcome.state {
        CommandState::Applied => "applied",
        CommandState::AcceptedNotEffective => "accepted, not effective",
        CommandState::Refused => "refused",
        CommandState::Expired => "expired",
        CommandState::Failed => "failed",
        CommandState::Requested | CommandState::Sent => "on its way",
    };
    let held = outcome.held_by.as_ref().map(|held| {
        let by = held.author.as_ref().map_or("the device", |a| &a.name);
        format!(" (level {} is held by {by})", held.priority.level())
    });
    let detail = match outcome.detail.as_str() {
        "" => String::new(),
        detail => format!(": {detail}"),
    };
    format!("{what}{detail}{}", held.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_topics_of_this_gateway_are_about_it() {
        let names = Names {
            node: "gw".into(),
            name: "Gateway".into(),
            prefix: "homeassistant".into(),
            base: "riser/all".into(),
        };
        for (topic, want) in [
            ("riser/all/gw/a-P-b/set", Some(Asked::Set("a-P-b"))),
            ("riser/all/gw/a-P-b/release", Some(Asked::Release("a-P-b"))),
            ("riser/all/gw/a-P-b/state", None),
            ("riser/all/gw2/a-P-b/set", None),
            (
                "homeassistant/sensor/gw/a-P-b/config",
                Some(Asked::Kept("sensor", "a-P-b")),
            ),
            ("homeassistant/sensor/gw2/a-P-b/config", None),
            ("homeassistant/status", None),
        ] {
            assert_eq!(about(&names, topic), want, "{topic}");
        }
    }
}
