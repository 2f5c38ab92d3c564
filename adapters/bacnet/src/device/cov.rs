//! Subscriptions of a device: making and renewing them, and what notifications say. Owns that a
//! point is never left to a subscription alone: refused, it is polled; made, it is read now and then.

use super::Device;
use super::points::Mode;
use crate::client::{Notice, RequestError};
use crate::codec::service::SUBSCRIBE_COV;
use crate::codec::service::cov::{Notification, Subscribe};
use crate::codec::service::property::single;
use crate::codec::{Bits, Datum, ObjectId, ObjectType, PropertyId};
use crate::config::CovTerms;
use crate::poll::Peer;
use riser_model::{Key, Reading, ScanBatch};
use std::hash::Hasher;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Subscriptions asked for in one go.
pub(super) const AT_ONCE: usize = 32;
/// Notifications put into one batch, at most.
const MERGED: usize = 256;

/// What became of subscriptions.
#[derive(Debug)]
pub(super) struct Subscribed(pub(super) Vec<(usize, Result<(), RequestError>)>);

/// The number a device's notifications carry: the same after a restart, so that its subscriptions are
/// replaced and do not pile up in the device.
pub(super) fn process_of(key: &Key) -> u32 {
    let mut hash = rustc_hash::FxHasher::default();
    hash.write(key.as_str().as_bytes());
    // Some devices keep 22 bits only, and 0 means nobody.
    u32::try_from(hash.finish() % 0x003F_FFFF).unwrap_or(0) + 1
}

/// Subscribes to objects, one after another; after silence the rest is not asked for.
pub(super) async fn subscribe(
    peer: Peer,
    process: u32,
    terms: CovTerms,
    objects: Vec<(usize, ObjectId)>,
) -> Subscribed {
    let mut outcomes = Vec::with_capacity(objects.len());
    let mut silent = None;
    for (at, object) in objects {
        let outcome = match &silent {
            Some(error) => Err(RequestError::clone(error)),
            None => {
                let seconds = u32::try_from(terms.lifetime.as_secs()).unwrap_or(u32::MAX);
                let body = Subscribe {
                    process,
                    object,
                    terms: Some((terms.confirmed, seconds)),
                }
                .encoded();
                peer.ask(SUBSCRIBE_COV, &body, true).await.map(|_| ())
            }
        };
        if let Err(error) = &outcome
            && error.is_silence()
        {
            silent = Some(error.clone());
        }
        outcomes.push((at, outcome));
    }
    Subscribed(outcomes)
}

impl Device {
    /// Notes how subscriptions went. True when the device was silent.
    pub(super) fn subscribed(&mut self, Subscribed(outcomes): Subscribed) -> bool {
        let now = Instant::now();
        let terms = self.config.terms;
        let renew = now + self.points.spread(terms.lifetime / 2);
        let again = now + self.points.spread(terms.lifetime);
        let mut silent = false;
        for (at, outcome) in outcomes {
            let Some(point) = self.points.get_mut(at) else {
                continue;
            };
            match outcome {
                Ok(()) => {
                    point.mode = Mode::Subscribed { renew };
                    // A renewal puts no look off: notifications may be lost all the same.
                    point.hasten(now + terms.verify);
                }
                Err(error) => {
                    silent |= error.is_silence();
                    let text = format!(
                        "changes of {} are not told ({error}); it is read every {} s instead",
                        point.reference.object,
                        point.interval.as_secs_f32()
                    );
                    point.mode = Mode::Fallback { again };
                    point.postpone(now);
                    self.report.trouble(text);
                }
            }
        }
        silent
    }

    /// Subscribes anew to everything: the device has lost what it knew.
    pub(super) fn resubscribe(&mut self) {
        for point in self.points.iter_mut() {
            if matches!(point.mode, Mode::Subscribed { .. }) {
                point.mode = Mode::Wanted;
            }
        }
    }

    /// Takes a notification, and those that wait behind it. True when the device has lost what it knew.
    pub(super) async fn notified(
        &mut self,
        first: Notice,
        more: &mut mpsc::Receiver<Notice>,
    ) -> bool {
        let mut batch: Vec<Reading> = Vec::new();
        let mut next = Some(first);
        let (mut taken, mut anew) = (0, false);
        while let Some(notice) = next {
            let Some(readings) = self.notice(&notice) else {
                anew = true;
                self.resubscribe();
                next = None;
                continue;
            };
            for reading in readings {
                if batch.iter().any(|r| r.slot == reading.slot) {
                    self.emit(std::mem::take(&mut batch)).await;
                }
                batch.push(reading);
            }
            taken += 1;
            next = match taken < MERGED {
                true => more.try_recv().ok(),
                false => None,
            };
        }
        self.emit(batch).await;
        anew
    }

    /// What a notification says; `None` when the device says by it that it has restarted.
    fn notice(&mut self, notice: &Notice) -> Option<Vec<Reading>> {
        let Ok(notification) = Notification::decode(&notice.body) else {
            return Some(Vec::new());
        };
        if self
            .peer
            .as_ref()
            .is_none_or(|p| p.instance() != notification.device)
        {
            return Some(Vec::new());
        }
        if notification.object.kind() == ObjectType::DEVICE {
            return None;
        }
        let value = |property| {
            let found = notification.values.iter().find(|(p, _)| *p == property);
            found.map(|(_, value)| *value)
        };
        let flags: Option<Bits> = match value(PropertyId::STATUS_FLAGS).map(single) {
            Some(Ok(Datum::Bits(bits))) => Some(bits),
            _ => None,
        };
        let Some(present) = value(PropertyId::PRESENT_VALUE) else {
            return Some(Vec::new());
        };
        let next = Instant::now() + self.config.terms.verify;
        let members = self.points.of_object(notification.object).to_vec();
        let mut readings = Vec::with_capacity(members.len());
        for at in members {
            if let Some(point) = self.points.get_mut(at) {
                if matches!(point.mode, Mode::Subscribed { .. }) {
                    point.postpone(next);
                }
                readings.push(point.take(Ok(present), flags.as_ref()));
            }
        }
        self.report.heard(self.shared.clock.now());
        Some(readings)
    }

    pub(super) async fn emit(&self, readings: Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let at = self.shared.clock.now();
        // False only when the gateway goes down; then nobody wants them.
        let _taken = self.shared.samples.send(ScanBatch { at, readings }).await;
    }
}
