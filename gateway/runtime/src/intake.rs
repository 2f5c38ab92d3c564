//! Takes the readings of every adapter in. Owns the order of things for one scan: present values,
//! rules, people watching, store; and the chores of time: stale points, rule delays, leases.
//!
//! The rules and whoever watches are served before the store is even asked, and nothing here waits
//! for it: with a dead disk alarms are raised and points written all the same. What the store
//! cannot take is counted, and told as an event.

use crate::alarms::AlarmDesk;
use crate::batch::Batcher;
use crate::commands::Commander;
use crate::events::EventLog;
use crate::field::{Field, FieldState};
use crate::schedules::Schedules;
use crate::stats::{Counters, add, count};
use riser_adapter::Clock;
use riser_model::{Event, Reading, ScanBatch};
use riser_rules::{Effect, Tick};
use riser_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Scans that may wait for the intake; an adapter that finds it full waits.
pub(crate) const SCANS_WAITING: usize = 1024;
/// Scans taken at once.
const SCANS_AT_ONCE: usize = 64;
/// How often time is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Shortest time between two events about lost samples.
const LOSS_EVERY: Duration = Duration::from_secs(10);

/// What the intake works with.
pub(crate) struct Intake {
    pub(crate) field: Arc<Field>,
    pub(crate) alarms: AlarmDesk,
    pub(crate) commander: Arc<Commander>,
    pub(crate) store: Store,
    pub(crate) events: EventLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) live: broadcast::Sender<Arc<ScanBatch>>,
    pub(crate) watch: mpsc::Sender<ScanBatch>,
    pub(crate) batcher: Batcher,
    pub(crate) schedules: Schedules,
    pub(crate) effects: Vec<Effect>,
    pub(crate) loss: Loss,
}

/// Samples the store could not take and nobody was told of yet.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    samples: u64,
    reason: &'static str,
    told: Option<Instant>,
}

impl Intake {
    /// Works until every adapter is gone or `stop` is cancelled, then hands over what is left.
    pub(crate) async fn run(
        mut self,
        mut scans: mpsc::Receiver<ScanBatch>,
        stop: CancellationToken,
    ) {
        let mut arrived = Vec::with_capacity(SCANS_AT_ONCE);
        let mut look = Instant::now() + LOOK_EVERY;
        loop {
            let due = self.batcher.due().map_or(look, |due| due.min(look));
            tokio::select! {
                n = scans.recv_many(&mut arrived, SCANS_AT_ONCE) => {
                    if n == 0 {
                        break;
                    }
                    arrived.drain(..).for_each(|scan| self.take(scan));
                }
                () = tokio::time::sleep_until(due) => {}
                () = stop.cancelled() => break,
            }
            let now = Instant::now();
            if now >= look {
                look = now + LOOK_EVERY;
                self.look();
            }
            if self.batcher.due().is_some_and(|due| due <= now) {
                self.hand_over_all();
            }
        }
        while let Ok(scan) = scans.try_recv() {
            self.take(scan);
        }
        self.hand_over_all();
        self.tell_loss(true);
    }

    /// Takes one scan in.
    pub(crate) fn take(&mut self, mut scan: ScanBatch) {
        scan.at = self.clock.settled(scan.at);
        let now = self.field.tick();
        count(&self.counters.scans);
        add(&self.counters.readings, scan.readings.len() as u64);
        let field = Arc::clone(&self.field);
        let mut state = field.lock();
        let admitted = state.table.admit(now, &mut scan);
        add(&self.counters.readings_undeclared, admitted.undeclared);
        add(&self.counters.readings_unfit, admitted.unfit);
        state.engine.evaluate(now, &scan, &mut self.effects);
        self.pass_on(&mut state, now, scan);
        drop(state);
        self.write_for_rules();
    }

    /// Shows a scan to whoever looks, then batches it for the store.
    fn pass_on(&mut self, state: &mut FieldState, now: Tick, mut scan: ScanBatch) {
        self.alarms.tell(&self.effects);
        if let Some(watched) = state.leases.select(now, &scan)
            // Nothing leaves with a stamp that is only assumed.
            && !self.store.is_holding()
        {
            self.send_watched(watched);
        }
        if self.live.receiver_count() > 0 {
            count(&self.counters.live_scans);
            // The last listener may have just left.
            let _ = self.live.send(Arc::new(scan.clone()));
        }
        let thinned = state.table.thin(now, &mut scan);
        add(&self.counters.readings_within_deadband, thinned);
        self.store.collected(&scan);
        if let Some(full) = self.batcher.push(scan) {
            self.hand_over(full);
        }
    }

    fn send_watched(&self, scan: ScanBatch) {
        match self.watch.try_send(scan) {
            Ok(()) => count(&self.counters.watch_scans),
            Err(_) => count(&self.counters.watch_scans_dropped),
        }
    }

    fn write_for_rules(&mut self) {
        for effect in self.effects.drain(..) {
            if let Effect::Write {
                rule,
                path,
                value,
                priority,
            } = effect
            {
                self.commander.write_of_rule(&rule, path, value, priority);
            }
        }
    }

    /// The chores of time.
    fn look(&mut self) {
        self.follow_clock();
        self.schedules.look(&self.commander);
        let now = self.field.tick();
        let field = Arc::clone(&self.field);
        let mut state = field.lock();
        let mut stale: Vec<Reading> = Vec::new();
        state.table.mark_stale(now, &mut stale);
        state.leases.sweep(now);
        state.engine.tick(now, &mut self.effects);
        add(&self.counters.points_gone_stale, stale.len() as u64);
        let scan = ScanBatch {
            at: self.clock.now(),
            readings: stale,
        };
        // Stale readings hold the rules; they must see them to stop their delays.
        state.engine.evaluate(now, &scan, &mut self.effects);
        if scan.readings.is_empty() {
            self.alarms.tell(&self.effects);
        } else {
            self.pass_on(&mut state, now, scan);
        }
        drop(state);
        self.write_for_rules();
        self.tell_loss(false);
    }

    pub(crate) fn hand_over_all(&mut self) {
        let scans = self.batcher.take();
        if !scans.is_empty() {
            self.hand_over(scans);
        }
    }

    fn hand_over(&mut self, scans: Vec<ScanBatch>) {
        let samples: u64 = scans.iter().map(|s| s.readings.len() as u64).sum();
        let dictionary = self.store.directory_version();
        match self.store.append(scans, self.clock.state(), dictionary) {
            Ok(()) => {
                count(&self.counters.batches_appended);
                add(&self.counters.samples_appended, samples);
            }
            Err(full) => {
                add(&self.counters.samples_lost, full.samples);
                self.loss.samples += full.samples;
                self.loss.reason = full.reason;
                self.tell_loss(false);
            }
        }
    }

    /// Files what was lost, at most every few seconds unless it is the last chance.
    fn tell_loss(&mut self, last: bool) {
        let lately = self.loss.told.is_some_and(|t| t.elapsed() < LOSS_EVERY);
        if self.loss.samples == 0 || (lately && !last) {
            return;
        }
        let (samples, reason) = (self.loss.samples, self.loss.reason);
        tracing::warn!(samples, reason, "samples were lost before the store");
        self.events.file(Event::Loss {
            at: self.clock.now(),
            lane: "history".to_owned(),
            samples,
            reason: reason.to_owned(),
        });
        self.loss.samples = 0;
        self.loss.told = Some(Instant::now());
    }
}
