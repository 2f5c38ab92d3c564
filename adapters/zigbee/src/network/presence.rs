//! Whether a device is there: online, offline, stale or unknown, and what it takes to say so. Pure.
//!
//! Offline is what the bridge says while it runs, and only once it has stood for a while; right after
//! the bridge's own start it says so of devices it merely has not heard yet. Unknown is everything
//! while bridge or broker are away: nobody could tell. Stale is a device nobody supervises and that
//! has been silent for too long.

use crate::codec::Said;

/// Whether a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Presence {
    /// Nobody can tell.
    #[default]
    Unknown,
    /// There.
    Online,
    /// Silent for too long, and nobody supervises it.
    Stale,
    /// The bridge says it is gone.
    Offline,
}

/// The bridge as devices depend on it; times in milliseconds of one steady clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BridgeView {
    /// Running and reached.
    Up {
        /// Since when.
        since: i64,
        /// Its start was seen; otherwise it may have been running for long.
        witnessed: bool,
    },
    /// Not reached.
    Away {
        /// Since when.
        since: i64,
    },
}

/// How patient to be, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the bridge may be away before nobody can tell.
    pub grace: i64,
    /// How long "offline" has to stand.
    pub offline_delay: i64,
    /// How long after the bridge was reached its "offline" is not believed.
    pub startup: i64,
    /// The same after its start, of a device it has not heard since.
    pub unheard: i64,
    /// Silence after which an unsupervised device is stale.
    pub stale: i64,
}

/// What was said and heard of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    said: Option<(bool, i64)>,
    heard: Option<i64>,
    heard_this_life: bool,
    /// What is shown at present.
    pub shown: Presence,
}

impl Watch {
    /// The bridge said something of it.
    pub fn say(&mut self, said: Said, now: i64) {
        self.said = match (said, self.said) {
            (Said::Nothing, _) => None,
            // Saying it again does not make it younger.
            (Said::Offline, Some((false, since))) => Some((false, since)),
            (Said::Offline, _) => Some((false, now)),
            (Said::Online, _) => {
                self.heard_this_life = true;
                Some((true, now))
            }
        };
    }

    /// A sign of life, `at` when it was given.
    pub fn hear(&mut self, at: i64) {
        self.heard = Some(self.heard.map_or(at, |before| before.max(at)));
        self.heard_this_life = true;
    }

    /// A sign of life somebody has kept: it tells when, and not that the device is there now.
    pub fn note(&mut self, at: i64) {
        self.heard = Some(self.heard.map_or(at, |before| before.max(at)));
    }

    /// The last sign of life.
    #[must_use]
    pub fn heard(&self) -> Option<i64> {
        self.heard
    }

    /// Whether the bridge says it is offline.
    #[must_use]
    pub fn said_offline(&self) -> bool {
        matches!(self.said, Some((false, _)))
    }

    /// The bridge is back: it has heard nobody yet.
    pub fn bridge_started(&mut self) {
        self.heard_this_life = false;
    }

    /// Whether it is there.
    #[must_use]
    pub fn judge(&self, now: i64, bridge: BridgeView, patience: &Patience) -> Presence {
        let (since, witnessed) = match bridge {
            BridgeView::Away { since } if now.saturating_sub(since) >= patience.grace => {
                return Presence::Unknown;
            }
            BridgeView::Away { .. } => return self.shown,
            BridgeView::Up { since, witnessed } => (since, witnessed),
        };
        match (self.said, self.heard) {
            (Some((false, at)), _) => {
                let settle = match (witnessed, self.heard_this_life) {
                    (true, true) => 0,
                    (true, false) => patience.unheard,
                    (false, _) => patience.startup,
                };
                let stood = now.saturating_sub(at) >= patience.offline_delay;
                let settled = now.saturating_sub(since) >= settle;
                if stood && settled {
                    Presence::Offline
                } else {
                    self.shown
                }
            }
            (Some((true, _)), _) => Presence::Online,
            (None, None) => Presence::Unknown,
            (None, Some(heard)) if now.saturating_sub(heard) > patience.stale => Presence::Stale,
            (None, Some(_)) => Presence::Online,
        }
    }
}
