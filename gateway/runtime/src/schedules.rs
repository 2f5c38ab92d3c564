//! Carries schedules out. Owns what was last wanted of each, so that a switch is one write, however
//! often the clock is looked at and however it is set. One that is exchanged for itself is not begun
//! again.

use crate::commands::Commander;
use crate::views::LevelView;
use riser_model::{PointPath, Priority};
use riser_rules::{InForce, Schedule, Timetable};
use std::sync::Arc;
use tokio::sync::watch;

/// The schedules as they are configured now.
pub(crate) type Configured = Arc<[Schedule]>;

/// The schedules of a gateway, running.
pub(crate) struct Schedules {
    configured: watch::Receiver<Configured>,
    /// Each with the switch that was in force at the last look.
    tables: Vec<(Timetable, Option<usize>)>,
}

impl Schedules {
    /// The enabled ones of those that are configured, now and later.
    pub(crate) fn new(mut configured: watch::Receiver<Configured>) -> Self {
        configured.mark_changed();
        Self {
            configured,
            tables: Vec::new(),
        }
    }

    /// Takes other schedules up. One that stays as it was has nothing to write again.
    fn take_up(&mut self) {
        let old = std::mem::take(&mut self.tables);
        let configured = Arc::clone(&self.configured.borrow_and_update());
        let enabled = configured.iter().filter(|s| s.enabled).cloned();
        let tables = enabled.filter_map(|schedule| {
            let same = old.iter().find(|(table, _)| table.schedule == schedule);
            let last = same.and_then(|(_, last)| *last);
            match Timetable::new(schedule) {
                Ok(table) => Some((table, last)),
                Err(error) => {
                    tracing::error!(%error, "a schedule cannot be carried out");
                    None
                }
            }
        });
        self.tables = tables.collect();
    }

    /// Writes what is in force now, where that has changed. While the time is only assumed nothing
    /// is switched: at a wrong time that is worse than late.
    pub(crate) fn look(&mut self, commander: &Commander) {
        // An error means that nobody can exchange them any more.
        if self.configured.has_changed().unwrap_or(false) {
            self.take_up();
            commander.end_levels_of_gone_rules(&commander.tools.field.rules());
        }
        let clock = &commander.tools.clock;
        if self.tables.is_empty() || clock.is_assumed() {
            return;
        }
        let now = clock.now();
        for (table, last) in &mut self.tables {
            let Some(in_force) = table.at(now) else {
                continue;
            };
            if *last == Some(in_force.switch) {
                continue;
            }
            let before = last.replace(in_force.switch);
            // Two switches may want the same.
            let same = |switch: usize| {
                let since = in_force.since;
                table.wants(InForce { switch, since }) == table.wants(in_force)
            };
            if before.is_some_and(same) {
                continue;
            }
            let Schedule {
                key,
                point,
                priority,
                ..
            } = &table.schedule;
            let value = table.wants(in_force).cloned();
            // After a start there may be nothing to give back.
            if before.is_none() && value.is_none() && !holds(commander, &table.schedule) {
                continue;
            }
            commander.write_of_rule(key, point.clone(), value, *priority);
        }
    }
}

fn holds(commander: &Commander, schedule: &Schedule) -> bool {
    let slot = commander.tools.field.directory().slot(&schedule.point);
    let levels = slot.map(|slot| commander.array(slot)).unwrap_or_default();
    let ours = |level: &LevelView| {
        level.level == schedule.priority && level.author.name == schedule.key.as_str()
    };
    levels.iter().any(ours)
}

/// Whether a schedule writes a point at a level.
pub(crate) fn writes(
    schedules: &[Schedule],
    (key, level): (&str, Priority),
    point: Option<&PointPath>,
) -> bool {
    let enabled = schedules.iter().filter(|s| s.enabled);
    let mut all = enabled.filter(|s| s.key.as_str() == key && s.priority == level);
    all.any(|s| Some(&s.point) == point)
}
