//! What became of a scene that was to be stored, recalled or removed. Owns where that shows: zigbee2mqtt
//! answers no request for it, so its lists, the states and its log are looked at.

use super::Hub;
use crate::network::At;
use crate::network::entity::EntityId;
use crate::requests::{Operation, Scene, Shows, Waiting};
use crate::writes::reason;
use riser_adapter::{AdapterError, ErrorClass};
use serde_json::Value as Json;
use toml::{Table, Value};

/// How long a list may take to show a scene, in milliseconds.
const LISTED: i64 = 15_000;
/// How long a recall is watched for a complaint.
const RECALLED: i64 = 3_000;

impl Hub {
    /// Sends what was asked for and waits for what shows it.
    pub(super) fn scene(
        &mut self,
        (topic, payload): (String, Json),
        scene: Scene,
        operation: Operation,
        at: At,
    ) {
        let patience = match scene.shows {
            Shows::State => RECALLED,
            Shows::Listed | Shows::Gone => LISTED,
        };
        match self
            .requests
            .add(Waiting::Scene(scene, operation), at.steady, patience)
        {
            Ok((number, _)) => {
                let purpose = crate::client::Purpose::Request(number);
                if !self.publish(topic, payload.to_string(), purpose)
                    && let Some(Waiting::Scene(_, operation)) = self.requests.take(number)
                {
                    super::commands::cut_off(operation, "too many messages wait already");
                }
            }
            Err(Waiting::Scene(_, operation)) => {
                super::commands::cut_off(operation, "too many requests wait already");
            }
            Err(_) => {}
        }
    }

    /// A list came; one the broker kept is of before.
    pub(super) fn scenes_listed(&mut self, kept: bool) {
        if kept {
            return;
        }
        let entities = &self.network.entities;
        let shown = self.requests.scenes(|scene| {
            let stored = entities.get(&scene.of).map(|e| &e.scenes);
            let there = stored.is_some_and(|s| s.iter().any(|s| s.id == scene.number));
            match scene.shows {
                Shows::Listed => there,
                Shows::Gone => !there,
                Shows::State => false,
            }
        });
        for (scene, operation) in shown {
            let words = if scene.shows == Shows::Listed {
                "stored"
            } else {
                "removed"
            };
            done(&scene, operation, words);
        }
    }

    /// A state came.
    pub(super) fn scene_shown(&mut self, id: EntityId, kept: bool) {
        if kept {
            return;
        }
        let shown = self
            .requests
            .scenes(|s| s.of == id && s.shows == Shows::State);
        for (scene, operation) in shown {
            done(&scene, operation, "recalled");
        }
    }

    /// The bridge complained; whether it was about a scene.
    pub(super) fn scene_failed(&mut self, complaint: &str) -> bool {
        if !complaint.contains("'scene_")
            && !complaint.contains("No converter available for 'scene")
        {
            return false;
        }
        let about = |s: &Scene| complaint.contains(&format!("'{}'", s.name));
        let failed = self.requests.scenes(about);
        let any = !failed.is_empty();
        for (_, operation) in failed {
            let words = format!("it could not do it: {}", reason(complaint));
            refuse(operation, words);
        }
        any
    }
}

/// Nothing has shown it in time.
pub(super) fn late(scene: &Scene, operation: Operation) {
    match scene.shows {
        Shows::State => done(scene, operation, "sent; nobody complained"),
        Shows::Listed | Shows::Gone => {
            let words = "its lists do not show it; the device may be out of reach, and the bridge's log may tell more";
            refuse(operation, words.to_owned());
        }
    }
}

fn done(scene: &Scene, operation: Operation, words: &str) {
    let mut answer = Table::new();
    answer.insert("scene".to_owned(), Value::Integer(scene.number.into()));
    answer.insert("of".to_owned(), Value::String(scene.name.clone()));
    answer.insert("status".to_owned(), Value::String(words.to_owned()));
    let _gone = operation.reply.send(Ok(answer));
}

fn refuse(operation: Operation, words: String) {
    let error = AdapterError::new(ErrorClass::Misconfigured, operation.what, "zigbee2mqtt");
    let _gone = operation.reply.send(Err(error.advise(words)));
}
