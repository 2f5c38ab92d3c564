//! The handle everybody holds. Owns nothing but the way to the parts; what a call does lives in
//! the module it is passed on to.

use crate::alarms::AlarmDesk;
use crate::commands::Commander;
use crate::field::Field;
use crate::stats::{Counters, RuntimeStats, add};
use crate::supervisor::Seat;
use crate::tasks::{Hiring, Tasks};
use crate::views::{
    AdapterView, CommandRefused, LevelView, PointFilter, PointPage, QualityCounts, RefusedKind,
    ScheduleState, ShutdownReport,
};
use riser_adapter::HealthBoard;
use riser_model::{
    Acknowledgement, Alarm, AlarmId, Command, CommandRecord, Key, PointPath, PointView, Reading,
    ScanBatch, Slot,
};
use riser_rules::{AcknowledgeError, Present, RuleView, Tick};
use riser_store::Store;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

/// A running gateway, cheap to clone. It runs until [`Runtime::shutdown`]; dropping the handles
/// ends nothing.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) field: Arc<Field>,
    pub(crate) commander: Arc<Commander>,
    pub(crate) alarms: AlarmDesk,
    pub(crate) store: Store,
    pub(crate) counters: Arc<Counters>,
    pub(crate) health: HealthBoard,
    pub(crate) seats: Mutex<Vec<Arc<Seat>>>,
    pub(crate) hiring: Hiring,
    pub(crate) live: broadcast::Sender<Arc<ScanBatch>>,
    pub(crate) watch: mpsc::Sender<ScanBatch>,
    pub(crate) watch_feed: Mutex<Option<mpsc::Receiver<ScanBatch>>>,
    pub(crate) tasks: tokio::sync::Mutex<Option<Tasks>>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("adapters", &self.seats().len())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Ends everything: adapters first, then what they fed, the last samples handed to the store.
    /// Whoever is not done after `grace` is cut off and named. A second call has nothing to do.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        match self.inner.tasks.lock().await.take() {
            Some(tasks) => tasks.end(grace).await,
            None => ShutdownReport::default(),
        }
    }

    /// The name of a part that has ended by a defect, if there is one: without it nothing is taken
    /// in, no hold ends or no command is carried out, so the process must be started anew.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        // Somebody exchanges adapters just now, or ends everything.
        let tasks = self.inner.tasks.try_lock().ok()?;
        tasks.as_ref()?.broken()
    }

    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        let seats = self.inner.seats.lock();
        seats.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Points with their present values, in order of paths.
    #[must_use]
    pub fn points(&self, filter: &PointFilter) -> PointPage {
        let field = &self.inner.field;
        let mut slots = field.directory().matching(filter);
        if let Some(wanted) = filter.quality {
            let state = field.lock();
            slots.retain(|slot| state.table.quality(*slot).level == wanted);
        }
        let total = slots.len();
        let page = slots.into_iter().skip(filter.offset).take(filter.limit);
        PointPage {
            points: page.filter_map(|slot| field.view(slot)).collect(),
            total,
        }
    }

    /// A point with its present value.
    #[must_use]
    pub fn point(&self, path: &PointPath) -> Option<PointView> {
        self.inner.field.view(self.slot(path)?)
    }

    /// The slot of a path.
    #[must_use]
    pub fn slot(&self, path: &PointPath) -> Option<Slot> {
        self.inner.field.directory().slot(path)
    }

    /// The adapter of each device.
    #[must_use]
    pub fn owners(&self) -> BTreeMap<Key, Arc<str>> {
        let directory = self.inner.field.directory();
        let entries = directory.iter().map(|(_, entry)| entry);
        entries
            .map(|e| (e.point.path.device.clone(), Arc::clone(&e.adapter)))
            .collect()
    }

    /// The path of a slot.
    #[must_use]
    pub fn path(&self, slot: Slot) -> Option<PointPath> {
        let directory = self.inner.field.directory();
        Some(directory.entry(slot)?.point.path.clone())
    }

    /// How many points are of which quality.
    #[must_use]
    pub fn quality_counts(&self) -> QualityCounts {
        self.inner.field.lock().table.counts()
    }

    /// Every scan from now on, as it is taken in. A listener that is too slow loses the oldest.
    #[must_use]
    pub fn live(&self) -> broadcast::Receiver<Arc<ScanBatch>> {
        self.inner.live.subscribe()
    }

    /// Open alarms, from memory: they are there however the disk is doing. In no order.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        let state = self.inner.field.lock();
        state.engine.open_alarms().cloned().collect()
    }

    /// One open alarm.
    #[must_use]
    pub fn alarm(&self, id: AlarmId) -> Option<Alarm> {
        let state = self.inner.field.lock();
        state.engine.open_alarms().find(|a| a.id == id).cloned()
    }

    /// The whole record of an alarm after every change from now on.
    #[must_use]
    pub fn alarm_feed(&self) -> broadcast::Receiver<Alarm> {
        self.inner.alarms.feed.subscribe()
    }

    /// Records that somebody has taken an alarm. The answer is its record afterwards; one that was
    /// taken before keeps the earlier acknowledgement.
    ///
    /// # Errors
    /// It is not open: over already, or never raised here.
    pub fn acknowledge(&self, id: AlarmId, by: Acknowledgement) -> Result<Alarm, AcknowledgeError> {
        self.acknowledge_from(id, by, None)
    }

    /// As [`Self::acknowledge`]; the audit log also says from which address.
    ///
    /// # Errors
    /// As for [`Self::acknowledge`].
    pub fn acknowledge_from(
        &self,
        id: AlarmId,
        by: Acknowledgement,
        from: Option<String>,
    ) -> Result<Alarm, AcknowledgeError> {
        let mut state = self.inner.field.lock();
        let (alarm, changed) = state.engine.acknowledge(id, by)?;
        if changed {
            self.inner.alarms.tell_one(&alarm, from);
        }
        Ok(alarm)
    }

    /// Takes note of a condition of the gateway itself, such as a backup that failed: its alarm is
    /// raised, changed or cleared, told and recorded like those of rules. May be told as often as
    /// it is looked at.
    pub fn condition(&self, subject: &str, present: Option<Present>) {
        let now = self.inner.commander.tools.clock.now();
        let mut state = self.inner.field.lock();
        let effect = state.engine.condition(subject, present, now);
        self.inner.alarms.tell(effect.as_slice());
    }

    /// How many schedules are carried out, and whether they stand still: at a time that is only
    /// assumed, switching is worse than waiting.
    #[must_use]
    pub fn schedules(&self) -> ScheduleState {
        let tools = &self.inner.commander.tools;
        let enabled = tools
            .schedules
            .borrow()
            .iter()
            .filter(|s| s.enabled)
            .count();
        ScheduleState {
            enabled,
            waiting: enabled > 0 && tools.clock.is_assumed(),
        }
    }

    /// Every enabled rule as it stands.
    #[must_use]
    pub fn rules(&self) -> Vec<RuleView> {
        self.inner.field.lock().engine.views().collect()
    }

    /// Takes a command: recorded, checked, handed to the adapter of its point. The answer says how
    /// far it got by now; every further step is on the feed. A known id has no second effect and
    /// is answered with where that command stands.
    ///
    /// # Errors
    /// It is not allowed or not possible. The refusal is recorded and on the feed as well.
    pub async fn write(&self, command: Command) -> Result<CommandRecord, CommandRefused> {
        self.write_from(command, None).await
    }

    /// As [`Self::write`]; the audit log also says from which address.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn write_from(
        &self,
        command: Command,
        from: Option<String>,
    ) -> Result<CommandRecord, CommandRefused> {
        // In a task of its own: whoever asked may be gone before the disk has recorded the command,
        // and one that is recorded must be begun or ended all the same.
        let commander = Arc::clone(&self.inner.commander);
        let asked = command.clone();
        let taken = tokio::spawn(async move { commander.write(command, from).await });
        taken.await.unwrap_or_else(|_| {
            let why = "the gateway failed while it took the command; look at the point before \
                       issuing it again";
            let kind = RefusedKind::Unavailable;
            Err(self.inner.commander.refuse(&asked, kind, why.to_owned()))
        })
    }

    /// Every step of every command from now on.
    #[must_use]
    pub fn command_feed(&self) -> broadcast::Receiver<CommandRecord> {
        self.inner.commander.feed()
    }

    /// The levels at which a point is held, the highest first.
    #[must_use]
    pub fn priority_array(&self, path: &PointPath) -> Vec<LevelView> {
        let slot = self.slot(path);
        slot.map(|slot| self.inner.commander.array(slot))
            .unwrap_or_default()
    }

    /// The health of every lane and device.
    #[must_use]
    pub fn health(&self) -> HealthBoard {
        self.inner.health.clone()
    }

    /// Every adapter as it stands, in order of configuration; exchanged ones come last.
    #[must_use]
    pub fn adapters(&self) -> Vec<AdapterView> {
        let directory = self.inner.field.directory();
        let mut points: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, entry) in directory.iter() {
            *points.entry(&entry.adapter).or_default() += 1;
        }
        let with_points = |seat: &Arc<Seat>| {
            let mut view = seat.view();
            view.points = points.get(view.name.as_str()).copied().unwrap_or_default();
            view
        };
        self.seats().iter().map(with_points).collect()
    }

    /// Figures since start.
    #[must_use]
    pub fn stats(&self) -> RuntimeStats {
        let mut stats = self.inner.counters.snapshot();
        stats.intake_waits = self.seats().iter().map(|s| s.samples.waits()).sum();
        stats.alarm_changes_suppressed = self.inner.field.lock().engine.suppressed();
        stats
    }

    /// Watches points for a while: they go out on the watch feed the moment they are read, their
    /// present values at once. Returns how many of them there are.
    pub fn watch(&self, paths: &[PointPath], lease: Duration) -> usize {
        let field = &self.inner.field;
        let slots: Vec<Slot> = {
            let directory = field.directory();
            paths.iter().filter_map(|p| directory.slot(p)).collect()
        };
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let until = Tick(field.tick().0.saturating_add(lease));
        let mut present: BTreeMap<_, Vec<Reading>> = BTreeMap::new();
        let mut refused = 0;
        let mut state = field.lock();
        for slot in &slots {
            if !state.leases.extend(*slot, until) {
                refused += 1;
                continue;
            }
            let now = state.table.present(*slot);
            let Some(at) = now.at else { continue };
            let (value, quality) = (now.value, now.quality);
            present.entry(at).or_default().push(Reading {
                slot: *slot,
                value,
                quality,
            });
        }
        drop(state);
        add(&self.inner.counters.watch_points_refused, refused);
        for (at, readings) in present {
            match self.inner.watch.try_send(ScanBatch { at, readings }) {
                Ok(()) => add(&self.inner.counters.watch_scans, 1),
                Err(_) => add(&self.inner.counters.watch_scans_dropped, 1),
            }
        }
        slots.len()
    }

    /// What is watched, for the link; there is one, and the first to ask gets it.
    #[must_use]
    pub fn take_watch_feed(&self) -> Option<mpsc::Receiver<ScanBatch>> {
        let feed = self.inner.watch_feed.lock();
        feed.unwrap_or_else(PoisonError::into_inner).take()
    }
}
