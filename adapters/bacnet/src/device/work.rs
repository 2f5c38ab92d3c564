//! What a device is asked side by side while it answers: a round of reads, subscriptions, trend logs,
//! writes. Owns that each is begun when it is due, and what becomes of it.

use super::history::{self, Filled, Filling};
use super::points::Round;
use super::writes::{Order, Target, Written};
use super::{Device, answer, cov};
use crate::client::{Notice, RequestError};
use crate::poll::Peer;
use crate::poll::ladder::Read;
use cov::Subscribed;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use riser_adapter::{AdapterCommand, WriteResult};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Octets of a present value with its status flags in an answer, each of the two.
const VALUE_OCTETS: usize = 13;
/// Longest rest between two looks at what is due.
const REST: Duration = Duration::from_secs(1);

/// Something a device was asked has come to an end.
enum Done {
    Round(Round, Result<Vec<Read>, RequestError>),
    Written(Written),
    Subscribed(Subscribed),
    History(Filled),
}

type Work = FuturesUnordered<BoxFuture<'static, Done>>;

impl Device {
    /// Reads, subscribes and writes until the device is silent or the adapter goes down.
    pub(super) async fn work(
        &mut self,
        peer: Peer,
        (writes, notices, restarts): (
            &mut mpsc::Receiver<AdapterCommand>,
            &mut mpsc::Receiver<Notice>,
            &mut mpsc::Receiver<()>,
        ),
    ) {
        self.points.restart(Instant::now());
        self.history.get_or_insert_default();
        let mut work = Work::new();
        let (mut reading, mut subscribing) = (false, false);
        let cancel = self.shared.cancel.clone();
        loop {
            let now = Instant::now();
            reading = reading || self.begin_round(now, &peer, &work);
            subscribing = subscribing || self.begin_subscribing(now, &peer, &work);
            self.begin_history(now, &peer, &work);
            // What is under way says itself when it has ended.
            let read = self.points.next_read().filter(|_| !reading);
            let subscription = self.points.next_subscription().filter(|_| !subscribing);
            let next = [read, subscription].into_iter().flatten().min();
            let rest = next.map_or(now + REST, |at| at.min(now + REST));
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                Some(done) = work.next() => {
                    match done {
                        Done::Round(..) => reading = false,
                        Done::Subscribed(_) => subscribing = false,
                        Done::Written(_) | Done::History(_) => {}
                    }
                    if let Err(error) = self.done(done).await {
                        return self.silent(error, work).await;
                    }
                }
                Some(write) = writes.recv() => self.order(write, &peer, &work),
                Some(notice) = notices.recv() => self.notified(notice, notices).await,
                Some(()) = restarts.recv() => self.resubscribe(),
                () = tokio::time::sleep_until(rest) => {}
            }
            self.report.pin(Instant::now());
        }
    }

    /// The device is lost; what it was still asked is waited for, as each has its own timeout.
    async fn silent(&mut self, error: RequestError, mut work: Work) {
        self.lost(error.to_string()).await;
        let cancel = self.shared.cancel.clone();
        loop {
            let done = tokio::select! {
                () = cancel.cancelled() => return,
                done = work.next() => done,
            };
            match done {
                Some(Done::Written(written)) => {
                    let _gone = written.reply.send(written.result);
                }
                Some(Done::History(filled)) => self.history = Some(filled.progress),
                Some(Done::Round(..) | Done::Subscribed(_)) => {}
                None => return,
            }
        }
    }

    fn begin_round(&mut self, now: Instant, peer: &Peer, work: &Work) -> bool {
        let Some(round) = self.points.round(now) else {
            return false;
        };
        if round.late {
            self.standing.overruns.fetch_add(1, Ordering::Relaxed);
        }
        let peer = peer.clone();
        work.push(Box::pin(async move {
            let read = peer.read_many(&round.references, VALUE_OCTETS).await;
            Done::Round(round, read)
        }));
        true
    }

    fn begin_subscribing(&mut self, now: Instant, peer: &Peer, work: &Work) -> bool {
        let objects = self.points.unsubscribed(now, cov::AT_ONCE);
        if objects.is_empty() {
            return false;
        }
        let (peer, terms, process) = (peer.clone(), self.config.terms, self.process);
        work.push(Box::pin(async move {
            Done::Subscribed(cov::subscribe(peer, process, terms, objects).await)
        }));
        true
    }

    /// Reads trend logs, where the configuration asks for it and it is time.
    fn begin_history(&mut self, now: Instant, peer: &Peer, work: &Work) {
        if !self.config.trend_logs || self.history_due > now {
            return;
        }
        let Some(progress) = self.history.take() else {
            return;
        };
        self.history_due = now + history::EVERY;
        let filling = Filling {
            peer: peer.clone(),
            past: self.shared.past.clone(),
            clock: self.shared.clock.clone(),
            points: history::loggings(&self.points),
            progress,
        };
        work.push(Box::pin(async move { Done::History(filling.fill().await) }));
    }

    /// Takes what came of something.
    ///
    /// # Errors
    /// The device is silent.
    async fn done(&mut self, done: Done) -> Result<(), RequestError> {
        match done {
            Done::Round(round, Ok(read)) => {
                let readings = self.points.take(&round, &read);
                self.answered();
                self.keep_habits().await;
                self.emit(readings).await;
            }
            Done::Round(_, Err(error)) => return Err(error),
            Done::Subscribed(outcomes) => {
                let silence = outcomes
                    .0
                    .iter()
                    .find_map(|(_, o)| o.as_ref().err())
                    .cloned();
                let silence = silence.filter(RequestError::is_silence);
                if self.subscribed(outcomes)
                    && let Some(error) = silence
                {
                    return Err(error);
                }
            }
            Done::History(filled) => {
                self.history = Some(filled.progress);
                if let Some(trouble) = filled.trouble {
                    self.report.trouble(trouble);
                }
            }
            Done::Written(written) => {
                let point = self.points.get_mut(written.at);
                if let (Some(point), Some(octets)) = (point, &written.read) {
                    let reading = point.take(Ok(octets), None);
                    self.emit(vec![reading]).await;
                }
                // Whoever asked may have gone.
                let _gone = written.reply.send(written.result);
                if written.silent {
                    // The next round tells whether it is the device.
                    self.points.restart(Instant::now());
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self) {
        let instance = self.peer.as_ref().map(Peer::instance);
        self.report
            .finding(instance.and_then(|i| self.directory.duplicate(i)));
        self.report.heard(self.shared.clock.now());
        self.stand();
    }

    /// Takes a write.
    fn order(&mut self, write: AdapterCommand, peer: &Peer, work: &Work) {
        let at = self.points.slot(write.slot);
        let Some((at, point)) = at.and_then(|at| Some((at, self.points.get(at)?))) else {
            let text = format!("{} is no point of this device", write.command.path);
            let _gone = write.reply.send(WriteResult::Refused(text));
            return;
        };
        if write.command.expires_at <= self.shared.clock.now() || write.reply.is_closed() {
            return answer(
                write,
                "it expired before it could begin; nothing was written",
            );
        }
        let target = Target {
            at,
            point: &point.point,
            reference: point.reference,
            last: point.last.as_ref(),
            settle: self.config.settle,
        };
        if let Some(order) = Order::new(write, &target) {
            let peer = peer.clone();
            work.push(Box::pin(async move {
                Done::Written(order.carry_out(peer).await)
            }));
        }
    }
}
