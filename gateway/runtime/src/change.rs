//! Exchanges adapters, rules and schedules while everything else runs on. Owns the order: all that can fail
//! comes before anything is stopped.

use crate::commands::Inbox;
use crate::config::{AdapterSpec, StartError};
use crate::directory::Entry;
use crate::runtime::Runtime;
use crate::start::{build_all, entries_of, one_owner, store_error};
use crate::supervisor::Leaving;
use crate::tasks::{Post, Tasks, ended};
use riser_adapter::Built;
use riser_model::{Key, PointPath, Slot};
use riser_rules::{Rule, Schedule};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What adapters that are exchanged get to end in order: writes under way are finished.
const GRACE: Duration = Duration::from_secs(5);

/// What is to be different.
#[derive(Debug, Default)]
pub struct Change {
    /// Adapters to stop for good.
    pub stop: Vec<String>,
    /// Adapters to start; one of a name that runs takes its place.
    pub start: Vec<AdapterSpec>,
    /// The rules from now on; they stay as they are without.
    pub rules: Option<Vec<Rule>>,
    /// The schedules from now on; they stay as they are without.
    pub schedules: Option<Vec<Schedule>>,
}

/// A built change.
struct Plan {
    gone: Vec<String>,
    start: Vec<(AdapterSpec, Built)>,
    declared: Vec<(Slot, Entry)>,
}

impl Runtime {
    /// Exchanges adapters, rules and schedules. All others run on: their counters, values, commands
    /// and held levels stay. A point that is declared again keeps its value and its levels.
    ///
    /// # Errors
    /// An adapter cannot be built, a point belongs to another one, or the store cannot answer.
    /// Nothing has changed then.
    pub async fn change(&self, change: Change) -> Result<(), StartError> {
        let mut guard = self.inner.tasks.lock().await;
        let Some(tasks) = guard.as_mut() else {
            return Ok(());
        };
        if !change.stop.is_empty() || !change.start.is_empty() {
            let plan = self.plan(change.stop, change.start).await?;
            self.exchange(tasks, plan).await?;
        }
        let commander = &self.inner.commander;
        if let Some(schedules) = change.schedules {
            // Taken up by whoever carries them out, with the next look at the clock.
            commander.tools.schedules.send_replace(schedules.into());
        }
        if let Some(rules) = change.rules {
            commander.end_levels_of_gone_rules(&rules);
            let (holding, now) = (commander.holding_rules(), commander.tools.clock.now());
            let effects = self.inner.field.exchange_rules(rules, &holding, now);
            self.inner.alarms.tell(&effects);
        }
        Ok(())
    }

    /// Builds, checks and declares. May leave points in the store that nobody reads.
    async fn plan(&self, stop: Vec<String>, start: Vec<AdapterSpec>) -> Result<Plan, StartError> {
        let mut start = build_all(start)?;
        let mut gone = stop;
        gone.extend(start.iter().map(|(spec, _)| spec.name.clone()));
        one_owner(&start)?;
        self.nobody_elses(&gone, &start)?;
        let tools = &self.inner.commander.tools;
        let (entries, lanes) = entries_of(&mut start);
        let points: Vec<_> = entries.iter().map(|e| Arc::clone(&e.point)).collect();
        let declared = tools.store.declare_points(points).await;
        let slots = declared.map_err(store_error("declare the points"))?.slots;
        let lane = |entry: &Entry| lanes.get(&entry.point.path.device).cloned();
        let places = slots.iter().zip(&entries).map(|(slot, entry)| {
            let lane = lane(entry).unwrap_or_else(|| Arc::clone(&entry.adapter));
            (*slot, lane)
        });
        let assigned = tools.store.assign_lanes(places.collect()).await;
        assigned.map_err(store_error("put the points on their lanes"))?;
        Ok(Plan {
            gone,
            start,
            declared: slots.into_iter().zip(entries).collect(),
        })
    }

    /// No point is one of an adapter that stays.
    fn nobody_elses(
        &self,
        gone: &[String],
        start: &[(AdapterSpec, Built)],
    ) -> Result<(), StartError> {
        let directory = self.inner.field.directory();
        for (spec, built) in start {
            for point in &built.points {
                if let Some((_, entry)) = directory.find(&point.path)
                    && !gone.iter().any(|name| **name == *entry.adapter)
                {
                    return Err(duplicate(&point.path, &spec.name, &entry.adapter));
                }
            }
        }
        Ok(())
    }

    async fn exchange(&self, tasks: &mut Tasks, plan: Plan) -> Result<(), StartError> {
        let mut leaving = Vec::new();
        let (out, stay): (Vec<Post>, Vec<Post>) = std::mem::take(&mut tasks.adapters)
            .into_iter()
            .partition(|post| plan.gone.contains(&post.name));
        tasks.adapters = stay;
        for post in out {
            let replaced = plan.start.iter().any(|(spec, _)| spec.name == post.name);
            leaving.push((replaced, post));
        }
        end_all(&mut leaving).await;
        self.forget_health(&plan.gone);
        let field = &self.inner.field;
        let new: BTreeSet<Slot> = {
            let directory = field.directory();
            let slots = plan.declared.iter().map(|(slot, _)| *slot);
            slots.filter(|s| directory.entry(*s).is_none()).collect()
        };
        let removed = field
            .exchange(&plan.gone, plan.declared)
            .map_err(|entry| duplicate(&entry.point.path, "", &entry.adapter))?;
        let commander = &self.inner.commander;
        // What cannot be read now is read at the next start; the adapters must not wait for it.
        if let Err(error) = commander.restore_points(|slot| new.contains(&slot)).await {
            tracing::warn!(error = error.chain(), "held levels could not be read");
        }
        if let Err(error) = commander.tools.store.retire_points(removed).await {
            tracing::warn!(error = error.chain(), "points could not be retired");
        }
        self.staff(tasks, leaving, plan.start).await;
        Ok(())
    }

    /// Puts the new adapters on their posts and closes those that are empty.
    async fn staff(
        &self,
        tasks: &mut Tasks,
        leaving: Vec<(bool, Post)>,
        start: Vec<(AdapterSpec, Built)>,
    ) {
        let hiring = &self.inner.hiring;
        let mut vacant = Vec::new();
        for (replaced, post) in leaving {
            if replaced {
                vacant.push(post);
                continue;
            }
            // The line has heard that the adapter is gone and refuses what waits.
            post.line.cancel();
            ended(post.dispatching, Instant::now() + GRACE).await;
            self.inner.commander.disconnect(&post.name);
        }
        for (spec, built) in start {
            let post = vacant.iter().position(|post| post.name == spec.name);
            let post = match post.map(|index| vacant.swap_remove(index)) {
                Some(mut post) => {
                    hiring.replace(&mut post, spec, built);
                    post
                }
                None => hiring.start(spec, built),
            };
            tasks.adapters.push(post);
        }
        let mut seats = self
            .inner
            .seats
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *seats = tasks.adapters.iter().map(|p| Arc::clone(&p.seat)).collect();
    }

    fn forget_health(&self, gone: &[String]) {
        let devices: BTreeSet<Key> = {
            let directory = self.inner.field.directory();
            let theirs = directory
                .iter()
                .filter(|(_, e)| gone.iter().any(|name| **name == *e.adapter));
            theirs.map(|(_, e)| e.point.path.device.clone()).collect()
        };
        self.inner
            .health
            .forget_devices(|device| devices.contains(device));
    }
}

/// Ends adapters together, each within the grace.
async fn end_all(leaving: &mut [(bool, Post)]) {
    for (replaced, post) in leaving.iter() {
        post.seat.leaves(if *replaced {
            Leaving::Replaced
        } else {
            Leaving::Removed
        });
        post.cancel.cancel();
    }
    let deadline = Instant::now() + GRACE;
    for (replaced, post) in leaving {
        let running = std::mem::replace(&mut post.running, tokio::spawn(async {}));
        if !ended(running, deadline).await {
            tracing::error!(name = post.name, "did not end in time and was cut off");
            if *replaced {
                post.inbox.send_replace(Inbox::Down);
            } else {
                let why = format!("adapter '{}' is no longer in the configuration", post.name);
                post.inbox.send_replace(Inbox::Closed(why));
            }
        }
    }
}

fn duplicate(path: &PointPath, name: &str, owner: &str) -> StartError {
    StartError::Duplicate {
        path: path.clone(),
        name: name.to_owned(),
        owner: owner.to_owned(),
    }
}
