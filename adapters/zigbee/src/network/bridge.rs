//! Whether zigbee2mqtt itself is there, end to end: broker, its own word, and its answers to checks.
//! Owns the words for what is missing. Its word alone does not do: a broker that restarts keeps an
//! "online" of a bridge long dead.

use super::presence::BridgeView;
use crate::client::Refusal;
use crate::codec::Said;
use riser_model::LaneState;
use std::collections::BTreeSet;

/// Checks in a row without an answer after which the bridge is taken for away.
const MISSES: u32 = 2;
/// Other bridges that are named, at most.
const OTHERS_MAX: usize = 8;

/// What is known of the bridge.
#[derive(Debug)]
pub(crate) struct BridgeWatch {
    /// Why the broker is not reached; none while it is.
    link: Option<String>,
    connecting: bool,
    state: Option<Said>,
    answered: bool,
    misses: u32,
    refused: Option<Refusal>,
    up_since: Option<i64>,
    away_since: i64,
    witnessed: bool,
    absence_seen: bool,
    /// Base topics other bridges on this broker have.
    others: BTreeSet<String>,
}

impl BridgeWatch {
    pub(crate) fn new(now: i64) -> Self {
        Self {
            link: Some(String::new()),
            connecting: true,
            state: None,
            answered: false,
            misses: 0,
            refused: None,
            up_since: None,
            away_since: now,
            witnessed: false,
            absence_seen: false,
            others: BTreeSet::new(),
        }
    }

    /// The broker is reached; the bridge has still to be heard.
    pub(crate) fn connected(&mut self) {
        self.link = None;
        self.connecting = false;
        self.state = None;
        self.answered = false;
        self.misses = 0;
        self.refused = None;
    }

    /// The broker is not reached any more.
    pub(crate) fn disconnected(&mut self, words: &str, now: i64) {
        self.link = Some(words.to_owned());
        self.connecting = false;
        self.settle(now);
    }

    /// What the bridge says of itself.
    pub(crate) fn say(&mut self, said: Said, now: i64) {
        self.state = (said != Said::Nothing).then_some(said);
        if said == Said::Offline {
            self.answered = false;
            self.absence_seen = true;
        }
        if said == Said::Online {
            self.misses = 0;
        }
        self.settle(now);
    }

    /// It answered a request. Returns whether it is back by that.
    pub(crate) fn answered(&mut self, now: i64) -> bool {
        self.answered = true;
        self.misses = 0;
        self.refused = None;
        // Whoever answers is not offline, whatever the broker has kept.
        self.state = Some(Said::Online);
        self.settle(now)
    }

    /// It did not answer a check in time.
    pub(crate) fn missed(&mut self, now: i64) {
        self.misses = self.misses.saturating_add(1);
        self.absence_seen |= self.misses >= MISSES;
        self.settle(now);
    }

    /// The broker did not pass a request on.
    pub(crate) fn refused(&mut self, why: Refusal, now: i64) -> bool {
        self.refused = Some(why);
        match why {
            Refusal::Nobody => {
                self.answered = false;
                self.absence_seen = true;
                self.misses = MISSES;
            }
            // Then its own word has to do.
            Refusal::Denied => self.answered = self.state == Some(Said::Online),
            Refusal::Other => {}
        }
        self.settle(now)
    }

    /// Another bridge was found on the broker.
    pub(crate) fn other(&mut self, base: &str) {
        if self.others.len() < OTHERS_MAX {
            self.others.insert(base.to_owned());
        }
    }

    /// Whether it is reached.
    pub(crate) fn is_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// Whether the broker is reached.
    pub(crate) fn is_linked(&self) -> bool {
        self.link.is_none()
    }

    /// Whether somebody should look for other bridges on the broker.
    pub(crate) fn is_lost(&self) -> bool {
        self.link.is_none() && self.state.is_none() && self.misses >= 1
    }

    fn settle(&mut self, now: i64) -> bool {
        let up = self.link.is_none()
            && self.state != Some(Said::Offline)
            && self.misses < MISSES
            && self.answered;
        match (up, self.up_since) {
            (true, None) => {
                self.up_since = Some(now);
                self.witnessed = self.absence_seen;
                self.absence_seen = false;
                self.others.clear();
                true
            }
            (false, Some(_)) => {
                self.up_since = None;
                self.away_since = now;
                false
            }
            _ => false,
        }
    }

    /// Since when it is there; none while it is not.
    pub(crate) fn up_since(&self) -> Option<i64> {
        self.up_since
    }

    /// As devices depend on it.
    pub(crate) fn view(&self) -> BridgeView {
        match self.up_since {
            Some(since) => BridgeView::Up {
                since,
                witnessed: self.witnessed,
            },
            None => BridgeView::Away {
                since: self.away_since,
            },
        }
    }

    /// The state of the lane.
    pub(crate) fn lane(&self) -> LaneState {
        match (self.up_since, self.connecting) {
            (Some(_), _) => LaneState::Up,
            (None, true) => LaneState::Connecting,
            (None, false) if self.link.is_none() && self.misses == 0 && self.state.is_none() => {
                LaneState::Connecting
            }
            (None, false) => LaneState::Down,
        }
    }

    /// What is wrong and what to do, in words; `place` is the broker's.
    pub(crate) fn words(&self, base: &str, place: &str) -> Option<String> {
        if let Some(link) = &self.link {
            return (!link.is_empty()).then(|| link.clone());
        }
        if self.refused == Some(Refusal::Denied) {
            return Some(format!(
                "the broker {place} does not let this user publish below '{base}/'; allow it in the broker's access list, else nothing can be written"
            ));
        }
        if self.is_up() {
            return None;
        }
        match self.state {
            Some(Said::Offline) => Some(format!(
                "zigbee2mqtt under '{base}' has stopped: the broker has its 'offline'; start it again, and look into its log (often the stick was pulled out or hangs)"
            )),
            None if self.misses > 0 => Some(self.nobody(base, place)),
            Some(_) if self.refused == Some(Refusal::Nobody) => Some(format!(
                "zigbee2mqtt under '{base}' is not connected to the broker {place}, though its kept state says online; start it again"
            )),
            Some(_) if self.misses >= MISSES => Some(format!(
                "zigbee2mqtt under '{base}' says online and does not answer: it hangs; restart it"
            )),
            _ => None,
        }
    }

    fn nobody(&self, base: &str, place: &str) -> String {
        let others: Vec<String> = self.others.iter().map(|o| format!("'{o}'")).collect();
        if others.is_empty() {
            return format!(
                "the broker {place} is reached, and no zigbee2mqtt speaks under '{base}'; check that it is running, uses this broker, and that base_topic is its mqtt.base_topic"
            );
        }
        format!(
            "no zigbee2mqtt speaks under '{base}' on {place}, but one does under {}; set base_topic to it",
            others.join(" and ")
        )
    }
}
