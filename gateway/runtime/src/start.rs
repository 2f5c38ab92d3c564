//! Puts a runtime together. Owns what happens before anything runs: building, declaring points,
//! taking over what was before a restart.

use crate::alarms::AlarmDesk;
use crate::commands::Commander;
use crate::commands::commander::Tools;
use crate::config::{AdapterSpec, RuntimeConfig, StartError};
use crate::directory::Entry;
use crate::events::EventLog;
use crate::field::Field;
use crate::runtime::Runtime;
use crate::stats::Counters;
use crate::tasks::{Assembly, FEED};
use riser_adapter::{Built, Clock};
use riser_model::{AlarmId, CommandState, Event, Key, Outcome, PointPath, Slot};
use riser_rules::{Effect, Rule, RuleEngine};
use riser_store::{AlarmFilter, Store, StoreError};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

/// Open alarms taken over from before a restart; a rule has at most one.
const OPEN_ALARMS: usize = 100_000;

impl Runtime {
    /// Declares the points, takes over what was before a restart, and starts everything.
    ///
    /// # Errors
    /// An adapter cannot be built, two claim the same point, or the store cannot answer. Nothing
    /// is running then.
    pub async fn start(
        config: RuntimeConfig,
        store: Store,
        adapters: Vec<AdapterSpec>,
        rules: Vec<Rule>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let mut adapters = build_all(adapters)?;
        let counters = Arc::new(Counters::default());
        let events = EventLog::new(store.clone(), Arc::clone(&counters));
        let new_id = Box::new(|| AlarmId(Uuid::new_v4()));
        let field = Arc::new(Field::new(RuleEngine::new(rules.clone(), new_id)));
        let tools = Tools {
            field,
            store,
            events,
            clock,
            counters,
            schedules: watch::Sender::new(Arc::clone(&config.schedules)),
        };
        declare(&tools, &mut adapters).await?;
        let commander = Arc::new(Commander::new(tools, broadcast::channel(FEED).0));
        let alarms = AlarmDesk {
            feed: broadcast::channel(FEED).0,
            events: commander.tools.events.clone(),
            counters: Arc::clone(&commander.tools.counters),
        };
        recover(&commander, &alarms, &rules).await?;
        Ok(Assembly::new(config, commander, alarms).spawn(adapters))
    }
}

/// Builds every adapter once and checks names and points against each other.
pub(crate) fn build_all(specs: Vec<AdapterSpec>) -> Result<Vec<(AdapterSpec, Built)>, StartError> {
    let mut names = HashSet::new();
    let mut all = Vec::with_capacity(specs.len());
    for spec in specs {
        if !names.insert(spec.name.clone()) {
            return Err(StartError::Name { name: spec.name });
        }
        let built = (spec.build)().map_err(|source| StartError::Build {
            name: spec.name.clone(),
            source,
        })?;
        all.push((spec, built));
    }
    one_owner(&all)?;
    Ok(all)
}

/// No path is there twice.
pub(crate) fn one_owner(adapters: &[(AdapterSpec, Built)]) -> Result<(), StartError> {
    let mut owners: HashMap<&PointPath, &str> = HashMap::new();
    for (spec, built) in adapters {
        for point in &built.points {
            if let Some(owner) = owners.insert(&point.path, &spec.name) {
                return Err(StartError::Duplicate {
                    path: point.path.clone(),
                    name: spec.name.clone(),
                    owner: owner.to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// The points of built adapters with their owners, and the lane each device names itself.
pub(crate) fn entries_of(
    adapters: &mut [(AdapterSpec, Built)],
) -> (Vec<Entry>, HashMap<Key, Arc<str>>) {
    let mut entries = Vec::new();
    let mut lanes: HashMap<Key, Arc<str>> = HashMap::new();
    for (spec, built) in adapters {
        let owner: Arc<str> = spec.name.as_str().into();
        let named = built.adapter.lanes().into_iter();
        lanes.extend(named.map(|(device, lane)| (device, lane.into())));
        let points = std::mem::take(&mut built.points);
        entries.extend(points.into_iter().map(|point| Entry {
            point,
            adapter: Arc::clone(&owner),
        }));
    }
    (entries, lanes)
}

/// Declares the points of every adapter at once: one change of the directory, not one each.
async fn declare(tools: &Tools, adapters: &mut [(AdapterSpec, Built)]) -> Result<(), StartError> {
    let (entries, lanes) = entries_of(adapters);
    let points: Vec<_> = entries.iter().map(|e| Arc::clone(&e.point)).collect();
    let declared = tools.store.declare_points(points).await;
    let declared = declared.map_err(store_error("declare the points"))?;
    let place = |(slot, entry): (&Slot, &Entry)| {
        let lane = lanes.get(&entry.point.path.device);
        (*slot, Arc::clone(lane.unwrap_or(&entry.adapter)))
    };
    let places = declared.slots.iter().zip(&entries).map(place).collect();
    let assigned = tools.store.assign_lanes(places).await;
    assigned.map_err(store_error("put the points on their lanes"))?;
    let entries: Vec<(Slot, Entry)> = declared.slots.into_iter().zip(entries).collect();
    tools
        .field
        .declare(entries)
        .map_err(|entry| StartError::Duplicate {
            path: entry.point.path.clone(),
            name: entry.adapter.to_string(),
            owner: entry.adapter.to_string(),
        })
}

/// Takes over open alarms and held levels, and ends commands a crash cut off.
async fn recover(
    commander: &Commander,
    alarms: &AlarmDesk,
    rules: &[Rule],
) -> Result<(), StartError> {
    let tools = &commander.tools;
    let filter = AlarmFilter {
        open_only: true,
        path: None,
        limit: OPEN_ALARMS,
    };
    let open = tools.store.alarms(filter).await;
    let open = open.map_err(store_error("read the open alarms"))?;
    let restored = commander.restore(rules).await;
    restored.map_err(store_error("read the priority arrays"))?;
    let effects: Vec<Effect> = {
        let mut state = tools.field.lock();
        let holding = commander.holding_rules();
        state.engine.seed(open, &holding, tools.clock.now())
    };
    alarms.tell(&effects);
    let cut_off = tools.store.unfinished_commands().await;
    for record in cut_off.map_err(store_error("read the unfinished commands"))? {
        if record.outcome.state == CommandState::Sent {
            commander.cut_off(&record.command);
        }
        tools.events.file(Event::Outcome(Outcome {
            command: record.command.id,
            state: CommandState::Failed,
            at: tools.clock.now(),
            detail: "the gateway restarted before the outcome was known; it is not carried out \
                     again, the device may have taken the write"
                .to_owned(),
            read_back: None,
            held_by: None,
        }));
    }
    Ok(())
}

pub(crate) fn store_error(doing: &'static str) -> impl FnOnce(StoreError) -> StartError {
    move |source| StartError::Store { doing, source }
}
