//! Which gateway is reachable by which way. Owns the rule "newest session wins" and ending
//! sessions from outside: taken over, revoked, service ending.

use super::reason::Reason;
use crate::db::Origin;
use crate::pki::{Identity, Revoked};
use riser_wire::Down;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Why a session is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The same gateway has connected anew.
    TakenOver,
    /// Its certificate counts no more.
    Revoked,
    /// The service ends, and wants to see the gateway again after so long.
    ShuttingDown(Duration),
}

impl From<Ending> for Reason {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::TakenOver => Self::new(Self::TAKEN_OVER, "the same gateway has connected anew"),
            Ending::Revoked => Self::new(
                Self::NOT_AUTHORIZED,
                "the certificate of this gateway was revoked",
            ),
            Ending::ShuttingDown(wait) => Self::new(
                Self::SHUTTING_DOWN,
                format!("the service ends; connect again in {} s", wait.as_secs()),
            )
            .after(wait),
        }
    }
}

/// How a message gets to a gateway.
#[derive(Debug)]
pub(super) enum Way {
    /// Over its own connection.
    Session {
        /// Boxed: a queue keeps room for 32 entries even while it is empty.
        sender: mpsc::Sender<Box<Down>>,
        end: oneshot::Sender<Ending>,
        identity: Box<Identity>,
    },
    /// Over a third-party broker.
    Broker(mpsc::Sender<(Arc<Origin>, Down)>),
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    routes: FxHashMap<Arc<Origin>, (u64, Way)>,
}

/// The table of ways. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<Table>>);

impl Sessions {
    /// Opens a way; the session before is ended. Answers the number to close it with.
    pub(super) fn open(&self, origin: &Arc<Origin>, way: Way) -> u64 {
        let mut table = self.lock();
        table.next += 1;
        let number = table.next;
        if let Some((_, Way::Session { end, .. })) =
            table.routes.insert(Arc::clone(origin), (number, way))
        {
            // It may be ending by itself at this very moment.
            let _ = end.send(Ending::TakenOver);
        }
        number
    }

    /// Closes a way. False when a newer session has taken it.
    pub(super) fn close(&self, origin: &Origin, number: u64) -> bool {
        let mut table = self.lock();
        let own = table.routes.get(origin).is_some_and(|(n, _)| *n == number);
        if own {
            table.routes.remove(origin);
        }
        own
    }

    pub(super) fn contains(&self, origin: &Origin) -> bool {
        self.lock().routes.contains_key(origin)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().routes.len()
    }

    /// Queues a message. `None` when there is no way, `Some(false)` when it is full.
    pub(super) fn send(&self, origin: &Arc<Origin>, message: Down) -> Option<bool> {
        let table = self.lock();
        let sent = match &table.routes.get(origin)?.1 {
            Way::Session { sender, .. } => sender.try_send(Box::new(message)).is_ok(),
            Way::Broker(sender) => sender.try_send((Arc::clone(origin), message)).is_ok(),
        };
        Some(sent)
    }

    /// Ends every session whose certificate counts no more.
    pub(super) fn end_revoked(&self, revoked: &Revoked) {
        let revoked = |identity: &Identity| revoked.contains(identity);
        self.end_if(revoked, std::iter::repeat(Ending::Revoked));
    }

    /// Ends every session; each is asked to come back after another wait.
    pub(super) fn end_all(&self, waits: impl Iterator<Item = Duration>) {
        self.end_if(|_| true, waits.map(Ending::ShuttingDown));
    }

    fn end_if(&self, condition: impl Fn(&Identity) -> bool, endings: impl Iterator<Item = Ending>) {
        let mut table = self.lock();
        let ended: Vec<_> = table
            .routes
            .extract_if(
                |_, (_, way)| matches!(way, Way::Session { identity, .. } if condition(identity)),
            )
            .collect();
        drop(table);
        for ((_, (_, way)), ending) in ended.into_iter().zip(endings) {
            if let Way::Session { end, .. } = way {
                let _ = end.send(ending);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole after every statement, so a panic elsewhere does not harm it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
