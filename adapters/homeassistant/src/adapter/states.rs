//! States as they come: learning what there is, declaring it, passing every state on. Owns what
//! points show of entities that are gone.

use super::{End, GoingDown, Work};
use crate::book::{Book, Entry};
use crate::client::Session;
use crate::client::socket::Lost;
use crate::codec::{Event, Message, State};
use crate::mapping::{self, Seen};
use crate::registry::Registry;
use riser_model::{Quality, Reading, Reason, ScanBatch, Slot};
use serde_json::Map;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Readings handed over at once.
const AT_ONCE: usize = 4096;

impl Work {
    /// Learns what there is, declares it, and passes every present state on.
    pub(super) async fn learn(&mut self, session: &mut Session) -> Result<(), End> {
        let mut lists = Vec::new();
        let mut refused = None;
        for kind in [
            "config/area_registry/list",
            "config/device_registry/list",
            "config/entity_registry/list",
        ] {
            let list = session.call(kind, Map::new()).await?;
            lists.push(list.unwrap_or_else(|why| {
                refused = Some(format!("'{kind}' was refused: {why}"));
                serde_json::Value::Null
            }));
        }
        let states = session.call("get_states", Map::new()).await?;
        let states = states.map_err(|why| Lost::Ended(format!("no states are told: {why}")))?;
        let list = states.as_array().map(Vec::as_slice).unwrap_or_default();
        let states: Vec<State> = list.iter().filter_map(|s| State::read(s).ok()).collect();
        let registry = Registry::new(&lists[0], &lists[1], &lists[2]);
        let own = |s: &State| registry.is_risers(&s.entity) && !self.config.include_riser;
        let (risers, states): (Vec<State>, Vec<State>) = states.into_iter().partition(own);
        let memory = Arc::clone(&self.context.memory);
        let mut book = Book::new(&states, &registry, &self.config.choice, &*memory).await;
        book.risers = risers.into_iter().map(|s| s.entity).collect();
        let points = book.points.iter().map(|e| Arc::clone(&e.point)).collect();
        let declared = self
            .context
            .registry
            .declare(&self.context.name, points)
            .await;
        match declared {
            Ok(slots) => book.number(&slots),
            Err(error) => return Err(Lost::Ended(format!("points were refused: {error}")).into()),
        }
        if book.left_out > 0 {
            let text = format!(
                "{} entities are beyond the bound and left out; choose with 'include'",
                book.left_out
            );
            refused = Some(text);
        }
        self.gone(&book).await?;
        self.book = book;
        let away = |s: &&State| s.state == "unavailable";
        let away: BTreeSet<String> = states
            .iter()
            .filter(away)
            .map(|s| s.entity.clone())
            .collect();
        self.report
            .devices(&self.book, away, self.context.clock.now());
        self.report.up(refused);
        self.marked = false;
        self.pass_on(&states).await?;
        Ok(())
    }

    /// Points of entities Home Assistant no longer has.
    async fn gone(&mut self, book: &Book) -> Result<(), GoingDown> {
        let there: BTreeSet<Slot> = book.points.iter().map(|e| e.slot).collect();
        let gone = self.book.points.iter().map(|e| e.slot);
        let gone: Vec<Slot> = gone.filter(|slot| !there.contains(slot)).collect();
        self.mark(gone, Reason::NotConfigured).await
    }

    async fn pass_on(&mut self, states: &[State]) -> Result<(), GoingDown> {
        let mut readings = Vec::new();
        for state in states {
            readings.extend(
                self.book
                    .of_entity(&state.entity)
                    .map(|e| reading(e, state)),
            );
        }
        self.remember(&readings);
        self.send(readings).await
    }

    /// Takes a message in; true when what there is has to be learned anew.
    pub(super) async fn hear(&mut self, message: Message) -> Result<bool, End> {
        match message {
            Message::Event(Event::State { entity, state }) => self.changed(&entity, state).await,
            Message::Event(Event::Registry) => Ok(true),
            Message::Result { id, outcome } => {
                if let Some(asked) = self.asked.remove(&id) {
                    // The history may have been given up.
                    let _ = asked.send(outcome);
                } else {
                    let present = &self.present;
                    self.writes
                        .answered(id, outcome, |slot| present.get(&slot).cloned());
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    async fn changed(&mut self, entity: &str, state: Option<State>) -> Result<bool, End> {
        if !self.book.has(entity) {
            let new = state.is_some_and(|s| !mapping::plans(&s, &[]).is_empty());
            let taken = self.config.choice.takes(entity) && !self.book.risers.contains(entity);
            return Ok(new && taken);
        }
        let Some(state) = state else {
            return Ok(true);
        };
        let now = self.context.clock.now();
        self.report
            .heard(&self.book, entity, state.state == "unavailable", now);
        let of_entity: Vec<&Entry> = self.book.of_entity(entity).collect();
        let new_option = of_entity.iter().any(|e| {
            !e.plan.options.is_empty()
                && reading(e, &state).quality == Quality::bad(Reason::OutOfRange)
        });
        let readings: Vec<Reading> = of_entity.iter().map(|e| reading(e, &state)).collect();
        self.remember(&readings);
        for reading in &readings {
            if let Some(value) = &reading.value {
                self.writes.shown(reading.slot, value);
            }
        }
        self.send(readings).await?;
        Ok(new_option)
    }

    fn remember(&mut self, readings: &[Reading]) {
        for reading in readings {
            match &reading.value {
                Some(value) => self.present.insert(reading.slot, value.clone()),
                None => self.present.remove(&reading.slot),
            };
        }
    }

    async fn send(&self, mut readings: Vec<Reading>) -> Result<(), GoingDown> {
        while !readings.is_empty() {
            let rest = readings.split_off(readings.len().min(AT_ONCE));
            let at = self.context.clock.now();
            if !self.context.samples.send(ScanBatch { at, readings }).await {
                return Err(GoingDown);
            }
            readings = rest;
        }
        Ok(())
    }

    pub(super) async fn mark(&mut self, slots: Vec<Slot>, reason: Reason) -> Result<(), GoingDown> {
        let mark = |slot: Slot| Reading {
            slot,
            value: None,
            quality: Quality::bad(reason),
        };
        let readings: Vec<Reading> = slots.into_iter().map(mark).collect();
        self.remember(&readings);
        self.send(readings).await
    }
}

fn reading(entry: &Entry, state: &State) -> Reading {
    let Seen { value, quality } = mapping::read(&entry.plan, state);
    Reading {
        slot: entry.slot,
        value,
        quality,
    }
}
