//! Hands the commands of one adapter to it, in order per point. Owns the waiting line: what is too
//! old ends as expired, what the adapter does not answer in time ends as failed, and a point never
//! has two writes under way.

use super::commander::Commander;
use super::levels::{Step, Verdict};
use super::time::Lag;
use crate::views::RefusedKind;
use riser_adapter::{AdapterCommand, WriteResult};
use riser_model::{Command, CommandState, Slot};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Commands that may wait to be looked at.
pub(crate) const JOBS: usize = 64;
/// Commands that may wait for the adapter or for another write of their point.
const WAITING: usize = 192;
/// Commands an adapter may have unanswered.
const UNANSWERED: usize = 64;

/// Why nothing is begun any more.
pub(crate) const GOING_DOWN: &str = "the gateway is going down; issue it again when it is back";

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) slot: Slot,
    pub(crate) command: Command,
    /// The wall clock its times are meant by.
    pub(crate) lag: Lag,
    /// Writes the winning value again and changes no level.
    pub(crate) repeat: bool,
    /// Why the gateway issued it itself; empty for a person's or a rule's.
    pub(crate) why: String,
}

/// The way into the adapter as it is now.
#[derive(Debug, Clone)]
pub(crate) enum Inbox {
    /// Between two runs: commands wait.
    Down,
    /// Running.
    Open(mpsc::Sender<AdapterCommand>),
    /// Not coming back soon, and why: commands are refused.
    Closed(String),
}

impl Inbox {
    /// Why commands are refused.
    pub(crate) fn closed(&self) -> Option<String> {
        match self {
            Self::Closed(why) => Some(why.clone()),
            Self::Down | Self::Open(_) => None,
        }
    }
}

/// An answer, or that none came.
struct Answer {
    job: Job,
    step: Step,
    result: WriteResult,
}

/// The waiting line of one adapter.
pub(crate) struct Dispatcher {
    commander: Arc<Commander>,
    jobs: mpsc::Receiver<Job>,
    inbox: watch::Receiver<Inbox>,
    reply_timeout: Duration,
    waiting: VecDeque<Job>,
    under_way: FxHashSet<Slot>,
    answers: JoinSet<Answer>,
    /// The open inbox turned out to be dead; wait for the supervisor to say what is next.
    dead: bool,
}

impl Dispatcher {
    pub(crate) fn new(
        commander: Arc<Commander>,
        jobs: mpsc::Receiver<Job>,
        inbox: watch::Receiver<Inbox>,
        reply_timeout: Duration,
    ) -> Self {
        Self {
            commander,
            jobs,
            inbox,
            reply_timeout,
            waiting: VecDeque::new(),
            under_way: FxHashSet::default(),
            answers: JoinSet::new(),
            dead: false,
        }
    }

    /// Works until cancelled, then ends what waits and hears the last answers out.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        loop {
            self.sweep();
            let next = self.next();
            let open = self.open().filter(|_| next.is_some());
            let (patience, waiting) = (self.patience(), self.waiting.len());
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(answer) = self.answers.join_next() => self.answered(answer.ok()),
                permit = reserve(open) => self.hand_over(next, permit),
                job = self.jobs.recv(), if waiting < WAITING => match job {
                    Some(job) => self.waiting.push_back(job),
                    None => break,
                },
                changed = self.inbox.changed() => {
                    self.dead = false;
                    if changed.is_err() {
                        break;
                    }
                }
                () = tokio::time::sleep(patience), if waiting > 0 => {}
            }
        }
        self.drain().await;
    }

    /// Ends what can be ended without the adapter.
    fn sweep(&mut self) {
        let closed = self.inbox.borrow().closed();
        let away = self.open().is_none();
        let mut seen: FxHashSet<Slot> = self.under_way.clone();
        let waiting = std::mem::take(&mut self.waiting);
        for job in waiting {
            let first = seen.insert(job.slot);
            if self.commander.is_over(&job) {
                self.commander.expire(&job);
            } else if away && first && !self.commander.needs_device(&job) {
                // Ends here, unless the level it was measured against has just ended.
                if let Some(step) = self.commander.begin(&job) {
                    let why = "the adapter is not running; nothing was written".to_owned();
                    self.commander
                        .conclude(&job, step, WriteResult::Failed(why));
                }
            } else if let Some(why) = &closed {
                self.refuse(&job, why);
            } else {
                self.waiting.push_back(job);
            }
        }
    }

    fn refuse(&self, job: &Job, why: &str) {
        if !job.repeat {
            self.commander.keep_wish(&job.command);
        }
        let kind = RefusedKind::Unavailable;
        self.commander.refuse(&job.command, kind, why.to_owned());
    }

    /// The first command whose point has no write under way.
    fn next(&self) -> Option<usize> {
        self.waiting
            .iter()
            .position(|job| !self.under_way.contains(&job.slot))
    }

    fn open(&self) -> Option<mpsc::Sender<AdapterCommand>> {
        if self.dead || self.answers.len() >= UNANSWERED {
            return None;
        }
        match &*self.inbox.borrow() {
            Inbox::Open(sender) => Some(sender.clone()),
            Inbox::Down | Inbox::Closed(_) => None,
        }
    }

    fn hand_over(
        &mut self,
        next: Option<usize>,
        permit: Option<mpsc::OwnedPermit<AdapterCommand>>,
    ) {
        let Some(permit) = permit else {
            self.dead = true;
            return;
        };
        let Some(job) = next.and_then(|index| self.waiting.remove(index)) else {
            return;
        };
        let Some(step) = self.commander.begin(&job) else {
            return;
        };
        let (reply, answer) = oneshot::channel();
        permit.send(AdapterCommand {
            slot: job.slot,
            value: step.value.clone(),
            winner: step.winner,
            released: step.released.clone(),
            command: job.command.clone(),
            reply,
        });
        self.under_way.insert(job.slot);
        let within = self.reply_timeout;
        self.answers.spawn(async move {
            let result = match tokio::time::timeout(within, answer).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => WriteResult::Failed(
                    "the adapter ended before it answered; the device may have taken the write"
                        .to_owned(),
                ),
                Err(_) => WriteResult::Failed(format!(
                    "the adapter did not answer within {} s; the device may have taken the write",
                    within.as_secs()
                )),
            };
            Answer { job, step, result }
        });
    }

    fn answered(&mut self, answer: Option<Answer>) {
        let Some(Answer { job, step, result }) = answer else {
            return;
        };
        self.under_way.remove(&job.slot);
        self.commander.conclude(&job, step, result);
    }

    /// How long nothing needs to be looked at.
    fn patience(&self) -> Duration {
        let soonest = self
            .waiting
            .iter()
            .map(|job| self.commander.left(job))
            .min()
            .unwrap_or(1000);
        // An injected clock may run on by itself; look again every second.
        Duration::from_millis(u64::try_from(soonest.clamp(10, 1000)).unwrap_or(1000))
    }

    async fn drain(mut self) {
        self.jobs.close();
        while let Some(job) = self.jobs.recv().await {
            self.waiting.push_back(job);
        }
        for job in std::mem::take(&mut self.waiting) {
            if !job.repeat {
                self.commander.keep_wish(&job.command);
            }
            let verdict = Verdict::new(CommandState::Failed, format!("not begun: {GOING_DOWN}"));
            self.commander.tell(&job.command, &job.why, verdict);
        }
        while let Some(answer) = self.answers.join_next().await {
            self.answered(answer.ok());
        }
    }
}

/// Waits for room in an adapter's inbox: for ever when there is none, `None` when it is dead.
async fn reserve(
    inbox: Option<mpsc::Sender<AdapterCommand>>,
) -> Option<mpsc::OwnedPermit<AdapterCommand>> {
    match inbox {
        Some(sender) => sender.reserve_owned().await.ok(),
        None => std::future::pending().await,
    }
}
