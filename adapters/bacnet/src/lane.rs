//! A lane as people see it: its port opened, its figures shown. Owns the words for a port that cannot
//! be opened.

use crate::client::{Client, Registration};
use crate::config::LaneConfig;
use crate::device::Standing;
use riser_adapter::{AdapterError, ErrorClass, HealthBoard};
use riser_model::{LaneHealth, LaneState};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a lane is looked at.
const EVERY: Duration = Duration::from_millis(250);
/// How often it is shown when only figures changed, and the kernel asked what it dropped.
const SHOWN: Duration = Duration::from_secs(1);
/// How long it is said that datagrams were dropped.
const SAID: Duration = Duration::from_secs(60);

/// Opens the port of a lane.
pub(crate) fn open(lane: &LaneConfig) -> Result<Client, AdapterError> {
    let opened = Client::open(&lane.binding, lane.patience);
    opened.map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => {
                "another program holds this port and does not share it; stop it, or give this lane another port"
            }
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address; correct it, or leave it out to hear on all"
            }
            ErrorKind::PermissionDenied => "this port or interface needs a right the service lacks",
            _ => "check address, port and interface of the lane",
        };
        AdapterError::new(ErrorClass::Retryable, "open a UDP port", lane.name.clone())
            .advise(advice)
            .because(error)
    })
}

/// Shows a lane until cancelled.
pub(crate) struct Reporting {
    pub(crate) name: String,
    pub(crate) adapter: String,
    pub(crate) client: Client,
    pub(crate) standings: Vec<Arc<Standing>>,
    pub(crate) registration: Option<watch::Receiver<Registration>>,
    pub(crate) health: HealthBoard,
}

impl Reporting {
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut shown: Option<LaneHealth> = None;
        let mut at = Instant::now();
        let mut losses = Losses::new(&self.client);
        loop {
            losses.look(&self.client);
            let mut report = self.report(&losses);
            let state_changed = shown
                .as_ref()
                .is_none_or(|s| s.state != report.state || s.last_error != report.last_error);
            if state_changed || (at.elapsed() >= SHOWN && shown.as_ref() != Some(&report)) {
                let whole = at.elapsed().as_secs_f64();
                let busy = self.client.take_busy().as_secs_f64();
                at = Instant::now();
                let kept = report.clone();
                report.utilisation = if whole > 0.0 {
                    (busy / whole).min(1.0)
                } else {
                    0.0
                };
                self.health.lane(report);
                shown = Some(kept);
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    fn report(&self, losses: &Losses) -> LaneHealth {
        let counters = self.client.counters();
        let registration = self.registration.as_ref().map(|r| r.borrow().clone());
        let last_error = match &registration {
            Some(Registration::Failed(why)) => Some(why.clone()),
            _ => losses.words(self.client.room()),
        };
        LaneHealth {
            lane: self.name.clone(),
            adapter: self.adapter.clone(),
            state: self.state(last_error.is_some()),
            requests: counters.requests.load(Ordering::Relaxed),
            timeouts: counters.timeouts.load(Ordering::Relaxed),
            desyncs: counters.strays.load(Ordering::Relaxed)
                + counters.garbage.load(Ordering::Relaxed),
            overruns: self
                .standings
                .iter()
                .map(|s| s.overruns.load(Ordering::Relaxed))
                .sum(),
            connects: 1,
            utilisation: 0.0,
            last_error,
        }
    }

    fn state(&self, failed: bool) -> LaneState {
        let states = self
            .standings
            .iter()
            .map(|s| s.state.load(Ordering::Relaxed));
        let (mut up, mut down) = (0, 0);
        for state in states {
            match state {
                1 | 2 => up += 1,
                3 => down += 1,
                _ => {}
            }
        }
        match (up, down) {
            (0, 0) => LaneState::Connecting,
            (0, _) => LaneState::Down,
            (_, 0) if !failed => LaneState::Up,
            _ => LaneState::Degraded,
        }
    }
}

/// What the kernel had no room for, and when that was last seen.
struct Losses {
    /// Before this lane began.
    before: u64,
    lost: u64,
    looked: Option<Instant>,
    grew: Option<Instant>,
}

impl Losses {
    fn new(client: &Client) -> Self {
        let lost = client.look_for_losses();
        Self {
            before: lost,
            lost,
            looked: None,
            grew: None,
        }
    }

    fn look(&mut self, client: &Client) {
        if self.looked.is_some_and(|at| at.elapsed() < SHOWN) {
            return;
        }
        let now = Instant::now();
        let lost = client.look_for_losses();
        if lost > self.lost {
            self.grew = Some(now);
        }
        (self.lost, self.looked) = (lost, Some(now));
    }

    fn words(&self, room: usize) -> Option<String> {
        self.grew.filter(|at| at.elapsed() < SAID)?;
        Some(format!(
            "this machine dropped {} datagrams of this port so far, as its {} KiB were full; subscribed values are read again; allow more with sysctl net.core.rmem_max, and start again",
            self.lost - self.before,
            room / 1024
        ))
    }
}
