//! Admits commands and tells everybody how far they got. Owns the ids seen and the ways to the
//! adapters; what becomes of a command at the device is in `progress`.

use super::dispatcher::{GOING_DOWN, Inbox, Job};
use super::levels::{Levels, Verdict};
use super::recent::Recent;
use super::time::Lag;
use super::words::join;
use crate::events::EventLog;
use crate::field::Field;
use crate::schedules::Configured;
use crate::stats::{Counters, count};
use crate::views::{CommandRefused, LevelView, RefusedKind};
use riser_adapter::Clock;
use riser_model::{
    Author, AuthorKind, Command, CommandId, CommandRecord, CommandState, Event, Key, Outcome,
    PointPath, Priority, Slot, Timestamp, Value,
};
use riser_rules::Tick;
use riser_store::Store;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use uuid::Uuid;

/// How long a command waits for being recorded before it is begun. A disk that does not answer
/// must not keep a person from closing a valve.
const RECORD_WITHIN: Duration = Duration::from_secs(2);
/// How long a command the gateway itself issues may wait for its adapter.
const OWN_TTL: Duration = Duration::from_secs(60);

/// The way to one adapter.
pub(crate) struct Port {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) inbox: watch::Receiver<Inbox>,
}

/// A point whose device is not known to hold the winning value.
#[derive(Debug, Clone)]
pub(crate) struct Unsettled {
    /// When to write again.
    pub(crate) due: Tick,
    /// Milliseconds to wait after that, doubled each time.
    pub(crate) wait_ms: i64,
    /// The level that changed last and who held it, for when nothing is held any more.
    pub(crate) level: Priority,
    pub(crate) author: Author,
    /// Why, in words.
    pub(crate) why: String,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(super) recent: Recent,
    pub(crate) levels: Levels,
    /// The wall clock the times of the levels are meant by.
    pub(super) lag: Lag,
    pub(crate) unsettled: FxHashMap<Slot, Unsettled>,
    ports: FxHashMap<Arc<str>, Port>,
    /// Devices whose arrays, or what is not settled of them, changed and are not recorded yet.
    pub(crate) unrecorded: BTreeSet<Key>,
    /// Devices with a record of what is not settled.
    pub(crate) with_record: BTreeSet<Key>,
}

/// Whether an id was seen before, with the record it has now.
enum Id {
    New(CommandRecord),
    Known(CommandRecord),
}

/// What the commander works with.
pub(crate) struct Tools {
    pub(crate) field: Arc<Field>,
    pub(crate) store: Store,
    pub(crate) events: EventLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    /// Exchanged while the gateway runs.
    pub(crate) schedules: watch::Sender<Configured>,
}

/// Admits commands.
pub(crate) struct Commander {
    books: Mutex<Books>,
    pub(crate) tools: Tools,
    feed: broadcast::Sender<CommandRecord>,
    pub(crate) arrays_changed: Notify,
}

impl Commander {
    pub(crate) fn new(tools: Tools, feed: broadcast::Sender<CommandRecord>) -> Self {
        let books = Books {
            lag: Lag::of(&*tools.clock),
            ..Books::default()
        };
        Self {
            books: Mutex::new(books),
            tools,
            feed,
            arrays_changed: Notify::new(),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connect(&self, adapter: Arc<str>, port: Port) {
        self.books().ports.insert(adapter, port);
    }

    /// Commands for this adapter are refused from now on.
    pub(crate) fn disconnect(&self, adapter: &str) {
        self.books().ports.remove(adapter);
    }

    pub(crate) fn feed(&self) -> broadcast::Receiver<CommandRecord> {
        self.feed.subscribe()
    }

    pub(crate) fn known(&self, id: CommandId) -> Option<CommandRecord> {
        self.books().recent.get(id).cloned()
    }

    /// Commands seen lately, of one point or of all, the newest first.
    pub(crate) fn newest(&self, path: Option<&PointPath>, limit: usize) -> Vec<CommandRecord> {
        self.books().recent.newest(path, limit)
    }

    pub(crate) fn array(&self, slot: Slot) -> Vec<LevelView> {
        self.books()
            .levels
            .array(slot)
            .map(LevelView::of)
            .unwrap_or_default()
    }

    /// Takes a command of a person: recorded first, then begun, so that neither a repeat nor a
    /// restart can carry it out twice.
    pub(crate) async fn write(
        &self,
        command: Command,
        from: Option<String>,
    ) -> Result<CommandRecord, CommandRefused> {
        let requested = match self.reserve(&command) {
            Id::New(requested) => requested,
            Id::Known(known) => return Ok(known),
        };
        let announce = command.author.kind != AuthorKind::Cloud;
        let store = &self.tools.store;
        let recording = store.record_command_from(command.clone(), announce, from.clone());
        match tokio::time::timeout(RECORD_WITHIN, recording).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok(self.recall(requested).await),
            Ok(Err(error)) => {
                tracing::warn!(error = error.chain(), "a command is begun unrecorded");
                let events = &self.tools.events;
                events.file_from(Event::Command(command.clone()), from);
            }
            Err(_) => tracing::warn!("a command is begun before the disk has recorded it"),
        }
        self.enqueue(requested, false, String::new())
    }

    /// Takes what a rule wants. Never waits. What cannot be begun now stays wanted.
    pub(crate) fn write_of_rule(
        &self,
        rule: &Key,
        path: PointPath,
        value: Option<Value>,
        priority: Priority,
    ) {
        count(&self.tools.counters.rule_writes);
        let author = Author {
            kind: AuthorKind::Rule,
            name: rule.as_str().to_owned(),
        };
        let command = self.own_command(path, value, priority, author);
        self.issue(&command, false, String::new());
    }

    /// A command the gateway itself issues.
    pub(crate) fn own_command(
        &self,
        path: PointPath,
        value: Option<Value>,
        priority: Priority,
        author: Author,
    ) -> Command {
        let now = self.tools.clock.now();
        Command {
            id: CommandId(Uuid::new_v4()),
            path,
            value,
            priority,
            issued_at: now,
            expires_at: now.plus(OWN_TTL),
            hold_until: None,
            author,
        }
    }

    /// Begins a command of the gateway itself.
    pub(crate) fn issue(&self, command: &Command, repeat: bool, why: String) {
        let Id::New(requested) = self.reserve(command) else {
            return;
        };
        self.tools.events.file(Event::Command(command.clone()));
        if let Err(refused) = self.enqueue(requested, repeat, why)
            && matches!(refused.kind, RefusedKind::Busy | RefusedKind::Unavailable)
            && !repeat
        {
            self.keep_wish(command);
        }
    }

    /// Remembers a new id.
    fn reserve(&self, command: &Command) -> Id {
        let requested = CommandRecord {
            command: command.clone(),
            outcome: Outcome {
                command: command.id,
                state: CommandState::Requested,
                at: self.tools.clock.now(),
                detail: String::new(),
                read_back: None,
                held_by: None,
            },
        };
        let mut books = self.books();
        if let Some(known) = books.recent.get(command.id) {
            count(&self.tools.counters.commands_repeated);
            return Id::Known(known.clone());
        }
        books.recent.put(requested.clone());
        Id::New(requested)
    }

    /// The record of a command known from before a restart; it is not begun again.
    async fn recall(&self, requested: CommandRecord) -> CommandRecord {
        count(&self.tools.counters.commands_repeated);
        let id = requested.command.id;
        let known = match self.tools.store.command(id).await {
            Ok(Some(known)) => known,
            Ok(None) | Err(_) => requested,
        };
        self.books().recent.put(known.clone());
        known
    }

    fn enqueue(
        &self,
        requested: CommandRecord,
        repeat: bool,
        why: String,
    ) -> Result<CommandRecord, CommandRefused> {
        // Nobody listening is fine.
        let _ = self.feed.send(requested.clone());
        let command = self.by_own_clock(requested.command.clone());
        let (now, lag) = (self.tools.clock.now(), Lag::of(&*self.tools.clock));
        if command.expires_at <= now {
            return Ok(self.expired(&command, &why));
        }
        let (slot, adapter) = match self.check(&command, now) {
            Ok(found) => found,
            Err((kind, problem)) => return Err(self.refuse(&command, kind, problem)),
        };
        let job = Job {
            slot,
            command,
            lag,
            repeat,
            why,
        };
        match self.hand_over(job, &adapter) {
            Ok(()) => {
                count(&self.tools.counters.commands_accepted);
                // The dispatcher may be further already; both answers are true.
                let now_at = self.known(requested.command.id);
                Ok(now_at.unwrap_or(requested))
            }
            Err((kind, problem)) => Err(self.refuse(&requested.command, kind, problem)),
        }
    }

    /// Who carries a command out, or why it is not allowed.
    fn check(
        &self,
        command: &Command,
        now: Timestamp,
    ) -> Result<(Slot, Arc<str>), (RefusedKind, String)> {
        let directory = self.tools.field.directory();
        let Some((slot, entry)) = directory.find(&command.path) else {
            let why = format!("there is no point '{}' on this gateway", command.path);
            return Err((RefusedKind::UnknownPoint, why));
        };
        let fits = match &command.value {
            Some(value) => entry.point.check_write(value),
            None if entry.point.access.writable() => Ok(()),
            None => Err(format!("{} is read-only", command.path)),
        };
        fits.map_err(|why| (RefusedKind::NotAllowed, why))?;
        if command.value.is_some() && command.hold_until.is_some_and(|until| until <= now) {
            let why = "the hold is over before it begins; choose a later end".to_owned();
            return Err((RefusedKind::NotAllowed, why));
        }
        Ok((slot, Arc::clone(&entry.adapter)))
    }

    fn hand_over(&self, job: Job, adapter: &str) -> Result<(), (RefusedKind, String)> {
        let port = {
            let books = self.books();
            let port = books.ports.get(adapter);
            port.map(|p| (p.jobs.clone(), p.inbox.borrow().closed()))
        };
        let jobs = match port {
            Some((jobs, None)) => jobs,
            Some((_, Some(why))) => return Err((RefusedKind::Unavailable, why)),
            None => {
                let why = format!("adapter '{adapter}' is not running");
                return Err((RefusedKind::Unavailable, why));
            }
        };
        jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                let why = "too many commands wait for this adapter; try again in a moment";
                (RefusedKind::Busy, why.to_owned())
            }
            mpsc::error::TrySendError::Closed(_) => {
                (RefusedKind::Unavailable, GOING_DOWN.to_owned())
            }
        })
    }

    /// Ends a command that is not allowed or not possible.
    pub(crate) fn refuse(
        &self,
        command: &Command,
        kind: RefusedKind,
        why: String,
    ) -> CommandRefused {
        count(&self.tools.counters.commands_refused);
        let verdict = Verdict::new(CommandState::Refused, why);
        CommandRefused {
            kind,
            record: Box::new(self.tell(command, "", verdict)),
        }
    }

    /// Ends a command that is too old to be begun.
    pub(crate) fn expired(&self, command: &Command, why: &str) -> CommandRecord {
        count(&self.tools.counters.commands_expired);
        let detail = "it was too old before it could be begun; nothing was written";
        self.tell(command, why, Verdict::new(CommandState::Expired, detail))
    }

    /// Tells how far a command got: record, event, feed.
    pub(crate) fn tell(&self, command: &Command, why: &str, verdict: Verdict) -> CommandRecord {
        let record = CommandRecord {
            command: command.clone(),
            outcome: Outcome {
                command: command.id,
                state: verdict.state,
                at: self.tools.clock.now(),
                detail: join(why, &verdict.detail),
                read_back: verdict.read_back,
                held_by: verdict.held_by,
            },
        };
        self.books().recent.put(record.clone());
        let outcome = record.outcome.clone();
        self.tools.events.file(Event::Outcome(outcome));
        // Nobody listening is fine.
        let _ = self.feed.send(record.clone());
        record
    }
}
