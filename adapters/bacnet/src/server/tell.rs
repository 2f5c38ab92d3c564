//! Telling subscribers of changes (clauses 13.6 and 13.7). Owns how many notifications wait for one
//! subscriber's answers at once.

use super::cov::{Due, Subscriber};
use super::face::{Ended, Face};
use super::objects::Object;
use super::present::{Shown, shown};
use super::read::present;
use crate::client::{Address, Answer, Ask};
use crate::codec::service::cov::Notification;
use crate::codec::service::{CONFIRMED_COV_NOTIFICATION, UNCONFIRMED_COV_NOTIFICATION};
use crate::codec::{Bits, Datum, ObjectId, PropertyId};
use riser_model::ScanBatch;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Notifications that wait for the answers of one subscriber at once.
const AT_ONCE: usize = 4;
/// Subscribers whose turns are remembered; more are begun anew.
const TURNS: usize = 4096;

/// Turns of those who answer notifications.
#[derive(Debug, Default)]
pub(crate) struct Turns(FxHashMap<Address, Arc<Semaphore>>);

impl Turns {
    fn of(&mut self, who: &Address) -> Arc<Semaphore> {
        if self.0.len() >= TURNS && !self.0.contains_key(who) {
            self.0.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = self.0.entry(who.clone());
        turns
            .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)))
            .clone()
    }
}

impl Face {
    /// Tells of what a scan changed.
    pub(crate) async fn scanned(&mut self, batch: &ScanBatch) {
        for reading in &batch.readings {
            let Some(object) = self.objects.of(reading.slot) else {
                continue;
            };
            if !self.subscriptions.has(object.id) {
                continue;
            }
            let object = object.clone();
            let shown = shown(&object, reading.value.as_ref(), reading.quality);
            self.tell(&object, &shown).await;
        }
    }

    /// Looks at everything somebody is told of: scans may have been missed.
    pub(crate) async fn look_again(&mut self) {
        let objects: Vec<ObjectId> = self.subscriptions.objects().collect();
        for id in objects {
            self.look_at(id).await;
        }
    }

    /// Looks at one object and tells of what it shows, where that is new to somebody.
    pub(crate) async fn look_at(&mut self, id: ObjectId) {
        if let Some(object) = self.objects.find(id).cloned() {
            let shown = present(&self.building, &object);
            self.tell(&object, &shown).await;
        }
    }

    async fn tell(&mut self, object: &Object, shown: &Shown) {
        for due in self.subscriptions.due(object, shown, Instant::now()) {
            let body = notification(&due, self.config.device.instance, shown);
            match due.confirmed {
                true => self.tell_and_wait(due.who, body),
                false => {
                    let service = UNCONFIRMED_COV_NOTIFICATION;
                    if let Err(error) = self.client.tell(&due.who.from, service, &body).await {
                        tracing::debug!(%error, to = %due.who.from, "telling of a change");
                    }
                }
            }
        }
    }

    fn tell_and_wait(&mut self, who: Subscriber, body: Vec<u8>) {
        let client = self.client.clone();
        let turns = self.turns.of(&who.from);
        self.tasks.spawn(async move {
            let _turn = turns.acquire().await;
            let ask = Ask {
                to: &who.from,
                service: CONFIRMED_COV_NOTIFICATION,
                body: &body,
                max_apdu: 1476,
                parts: false,
                retry: true,
            };
            let answered = matches!(client.ask(ask).await, Ok(Answer::Done));
            Ended::Told(who, answered)
        });
    }

    /// A notification was answered, or it was not.
    pub(crate) async fn told(&mut self, who: &Subscriber, answered: bool) {
        if self.subscriptions.ended(who, answered, Instant::now()) {
            self.look_at(who.object).await;
        }
    }
}

/// A notification. An unknown value is left out: there is no number for it.
fn notification(due: &Due, device: u32, shown: &Shown) -> Vec<u8> {
    let value = shown.value.as_ref().map(Datum::encoded);
    let flags = Datum::Bits(Bits::new(&shown.flags)).encoded();
    let value = value.as_deref().map(|v| (PropertyId::PRESENT_VALUE, v));
    let flags = (PropertyId::STATUS_FLAGS, &flags[..]);
    Notification {
        process: due.who.process,
        device,
        object: due.who.object,
        remaining: due.remaining,
        values: value.into_iter().chain([flags]).collect(),
    }
    .encoded()
}
