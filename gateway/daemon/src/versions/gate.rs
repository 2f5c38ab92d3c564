//! Whether a change did harm. Owns how the field and the link were doing before a change and how that
//! is compared with now: adapters that ran and do not, devices that answered and do not, a link that
//! stood and does not.

use riser_model::{DeviceState, LinkState};
use riser_runtime::{AdapterState, Runtime};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How things were before a change, and what the change touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    /// Adapters that ran, each with the devices that answered.
    adapters: BTreeMap<String, BTreeSet<String>>,
    /// Whether the cloud confirmed what was sent.
    link: bool,
    /// Adapters the change starts again; of the others nothing can be its fault.
    touched: BTreeSet<String>,
    /// Whether the change touches the link.
    pub(super) touches_link: bool,
}

impl Before {
    /// Notes which adapters a change starts again.
    pub(super) fn touch(&mut self, touched: impl Fn(&str) -> bool) {
        let names = self.adapters.keys().filter(|name| touched(name));
        self.touched = names.cloned().collect();
    }
}

/// Looks at how things are.
pub(super) fn look(runtime: &Runtime, link: LinkState) -> Before {
    let devices = answering(runtime);
    let running = runtime.adapters().into_iter();
    let running = running.filter(|view| view.state == AdapterState::Running);
    Before {
        adapters: running
            .map(|view| {
                let theirs = devices.get(&view.name).cloned().unwrap_or_default();
                (view.name, theirs)
            })
            .collect(),
        link: stands(link),
        ..Before::default()
    }
}

fn stands(link: LinkState) -> bool {
    matches!(link, LinkState::Live | LinkState::CatchingUp)
}

/// The devices that answer, by the adapter that declared their points.
fn answering(runtime: &Runtime) -> BTreeMap<String, BTreeSet<String>> {
    let owners = runtime.owners();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for report in runtime.health().devices() {
        if matches!(report.state, DeviceState::Online | DeviceState::Degraded)
            && let Some(owner) = owners.get(&report.device)
        {
            let devices = found.entry(owner.to_string()).or_default();
            devices.insert(report.device.to_string());
        }
    }
    found
}

/// Harm that is there, and how long it may last before the change is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Harm {
    pub(super) what: String,
    pub(super) patience: Duration,
}

/// How long a change may do harm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) settle: Duration,
    pub(super) link: Duration,
}

/// What is worse than before, the most pressing first.
pub(super) fn harm(
    before: &Before,
    runtime: &Runtime,
    (link, patience): (LinkState, Patience),
) -> Option<Harm> {
    let now = answering(runtime);
    let views = runtime.adapters().into_iter();
    let mut found: Vec<Harm> = views
        .filter(|view| before.touched.contains(&view.name))
        .filter_map(|view| {
            let name = &view.name;
            let devices = before.adapters.get(name)?;
            let error = view.last_error.as_deref().unwrap_or("it does not say why");
            let (what, patience) = match view.state {
                AdapterState::Parked | AdapterState::Quarantined => (
                    format!("adapter '{name}' ran before and stopped: {error}"),
                    Duration::ZERO,
                ),
                AdapterState::BackingOff => (
                    format!("adapter '{name}' ran before and does not stay: {error}"),
                    patience.settle,
                ),
                _ if !devices.is_empty() && !now.contains_key(name) => (
                    format!(
                        "no device of adapter '{name}' answers any more, {} did before",
                        devices.len()
                    ),
                    patience.settle,
                ),
                _ => return None,
            };
            Some(Harm { what, patience })
        })
        .collect();
    if before.touches_link && before.link && !stands(link) {
        found.push(Harm {
            what: "the link to the cloud stood before and does not stand again".to_owned(),
            patience: patience.link,
        });
    }
    found.into_iter().min_by_key(|harm| harm.patience)
}
