//! The actor of one connection: what a device takes of connections is one, so one task has it. Owns
//! reaching the device (`reach`), the conversation (`talk`), readings (`readings`), writes
//! (`writes`), notes (`learned`) and what is shown of it all (`report`).

mod learned;
mod reach;
mod readings;
mod report;
mod talk;
mod writes;

pub(crate) use readings::Shown;
pub(crate) use writes::LinkWrite;

use crate::client::Trouble;
use crate::codec::LocalKey;
use crate::config::{KeyFile, LinkConfig};
use crate::lan::Lan;
use crate::poll::{FAR, Schedule};
use learned::Learned;
use readings::MemberState;
use report::Stats;
use riser_adapter::{Clock, HealthBoard, Memory, SampleSink, WriteResult};
use riser_model::Slot;
use std::collections::VecDeque;
use std::sync::Arc;
use talk::Outstanding;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use writes::Confirm;

/// Writes that may wait for one connection.
pub(crate) const QUEUE: usize = 64;

/// What every connection of an adapter shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) adapter: String,
    pub(crate) samples: SampleSink,
    pub(crate) health: HealthBoard,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memory: Arc<dyn Memory>,
    pub(crate) lan: Lan,
    pub(crate) keys: Option<KeyFile>,
    pub(crate) cancel: CancellationToken,
}

/// Something a link is to do.
pub(crate) enum Order {
    /// Write a point.
    Write(LinkWrite),
    /// Use another key from now on; the answer says what came of it.
    Rekey(LocalKey, oneshot::Sender<Result<String, String>>),
    /// Show what the devices report.
    Show(oneshot::Sender<Vec<Shown>>),
}

/// A key on trial: the one before, and who wants to know.
struct Trial {
    before: LocalKey,
    asked: Option<oneshot::Sender<Result<String, String>>>,
}

/// One connection, ready to run.
pub(crate) struct Link {
    config: LinkConfig,
    shared: Shared,
    orders: mpsc::Receiver<Order>,
    members: Vec<MemberState>,
    learned: Learned,
    stats: Stats,
    schedule: Schedule,
    outstanding: Option<Outstanding>,
    waiting: VecDeque<LinkWrite>,
    confirm: Option<Confirm>,
    trial: Option<Trial>,
    /// Attempts in a row that failed, and those of them without a word.
    failures: u32,
    silences: u32,
    trouble: Option<Trouble>,
}

impl Link {
    pub(crate) fn new(
        config: LinkConfig,
        slots: &[Slot],
        shared: Shared,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        let now = Instant::now();
        let mut rest = slots;
        let members = config.members.iter().map(|m| {
            let (own, others) = rest.split_at(m.points.len().min(rest.len()));
            rest = others;
            MemberState::new(m, own)
        });
        Self {
            members: members.collect(),
            schedule: Schedule::new(&config, now),
            stats: Stats::new(now),
            learned: Learned::default(),
            outstanding: None,
            waiting: VecDeque::new(),
            confirm: None,
            trial: None,
            failures: 0,
            silences: 0,
            trouble: None,
            config,
            shared,
            orders,
        }
    }

    /// Works until cancelled.
    pub(crate) async fn run(mut self) {
        let cancel = self.shared.cancel.clone();
        let _cancelled = cancel.run_until_cancelled(self.work()).await;
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Write(write) = order {
                self.waiting.push_back(write);
            }
        }
        self.fail_writes("the gateway is stopping");
    }

    async fn work(&mut self) {
        self.learned = Learned::recall(self.shared.memory.as_ref(), &self.config.id).await;
        self.report(true);
        loop {
            let trouble = match self.reach().await {
                Ok(mut session) => {
                    self.reached(&session).await;
                    let trouble = self.talk(&mut session).await;
                    drop(session);
                    self.parted(&trouble);
                    if trouble == Trouble::Rekeyed || self.config.sleepy {
                        continue;
                    }
                    trouble
                }
                Err(trouble) => {
                    self.not_reached(&trouble).await;
                    trouble
                }
            };
            self.trouble = Some(trouble);
            self.report(true);
            self.pause().await;
        }
    }

    /// Waits before the next try, and answers what comes meanwhile.
    async fn pause(&mut self) {
        let until = Instant::now() + self.pause_length();
        loop {
            let wake = self.report_at().map_or(until, |at| at.min(until));
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => match order {
                    Order::Write(write) => self.refuse_now(write),
                    Order::Rekey(key, asked) => return self.rekey(key, Some(asked)),
                    Order::Show(asked) => self.show(asked),
                },
                () = tokio::time::sleep_until(wake) => {
                    if Instant::now() >= until {
                        return;
                    }
                    self.report(false);
                }
            }
        }
    }

    /// Waits for something, and answers orders meanwhile.
    async fn wait_answering<T>(&mut self, what: impl Future<Output = T>) -> T {
        tokio::pin!(what);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return done,
                Some(order) = self.orders.recv() => match order {
                    Order::Write(write) => self.refuse_now(write),
                    Order::Rekey(key, asked) => self.rekey(key, Some(asked)),
                    Order::Show(asked) => self.show(asked),
                },
            }
        }
    }

    fn refuse_now(&self, write: LinkWrite) {
        let why = match &self.trouble {
            Some(trouble) => trouble.to_string(),
            None => "it has not been reached yet".to_owned(),
        };
        write.answer(WriteResult::Failed(format!("the device is down: {why}")));
    }

    fn rekey(&mut self, key: LocalKey, asked: Option<oneshot::Sender<Result<String, String>>>) {
        let before = std::mem::replace(&mut self.config.local_key, key);
        self.trial = Some(Trial { before, asked });
        self.silences = 0;
    }

    /// When something is due that no message brings.
    fn wake(&self, now: Instant) -> Instant {
        let answer = self.outstanding.as_ref().map(|o| o.deadline);
        let idle = self.outstanding.is_none();
        let confirm = self.confirm.as_ref().filter(|_| idle).map(|c| c.wake());
        let schedule = idle.then(|| self.schedule.next(now));
        let all = [answer, confirm, schedule, self.report_at()];
        all.into_iter().flatten().min().unwrap_or(now + FAR)
    }
}
