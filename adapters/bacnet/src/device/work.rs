//! What a device is asked side by side while it answers: a round of reads, subscriptions, trend logs,
//! writes. Owns that each is begun when it is due, and what becomes of it.

use super::history::{self, Filled, Filling};
use super::points::Round;
use super::sending::{Sent, send};
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
/// Writes that may wait to be sent; more wait in their queue.
const TOGETHER: usize = 64;
/// Longest rest between two looks at what is due.
const REST: Duration = Duration::from_secs(1);

/// Something a device was asked has come to an end.
enum Done {
    Round(Round, Result<Vec<Read>, RequestError>),
    Sent(Vec<Sent>),
    Written(Written),
    Subscribed(Subscribed),
    History(Filled),
}

type Work = FuturesUnordered<BoxFuture<'static, Done>>;

/// What is under way, and the writes that wait for those before them to be sent.
#[derive(Default)]
struct Doing {
    work: Work,
    reading: bool,
    subscribing: bool,
    sending: bool,
    waiting: Vec<Order>,
}

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
        let mut doing = Doing::default();
        let cancel = self.shared.cancel.clone();
        // Notifications put looks off and never forward: they change nothing about what is due.
        let mut rest = Instant::now();
        loop {
            let now = Instant::now();
            if now >= rest {
                rest = self.begin(now, &peer, &mut doing);
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                Some(done) = doing.work.next() => {
                    if let Err(error) = self.done(done, &peer, &mut doing).await {
                        return self.silent(error, doing).await;
                    }
                    rest = now;
                }
                Some(write) = writes.recv() => {
                    self.order(write, &mut doing.waiting);
                    while let Some(write) = writes.try_recv().ok().filter(|_| doing.waiting.len() < TOGETHER) {
                        self.order(write, &mut doing.waiting);
                    }
                    begin_sending(&peer, &mut doing);
                }
                Some(notice) = notices.recv() => {
                    if self.notified(notice, notices).await {
                        rest = now;
                    }
                }
                Some(()) = restarts.recv() => {
                    self.resubscribe();
                    rest = now;
                }
                () = tokio::time::sleep_until(rest) => {}
            }
            self.report.pin(Instant::now());
        }
    }

    /// Begins what is due, and says when to look again. What is under way says itself when it has ended.
    fn begin(&mut self, now: Instant, peer: &Peer, doing: &mut Doing) -> Instant {
        let missed = self.client.missed();
        if missed > std::mem::replace(&mut self.missed, missed) {
            self.points.doubt(now);
        }
        let work = &doing.work;
        doing.reading = doing.reading || self.begin_round(now, peer, work);
        doing.subscribing = doing.subscribing || self.begin_subscribing(now, peer, work);
        self.begin_history(now, peer, work);
        let read = self.points.next_read().filter(|_| !doing.reading);
        let subscription = self.points.next_subscription();
        let next = [read, subscription.filter(|_| !doing.subscribing)];
        let next = next.into_iter().flatten().min();
        next.map_or(now + REST, |at| at.min(now + REST))
    }

    /// The device is lost; what it was still asked is waited for, as each has its own timeout.
    async fn silent(&mut self, error: RequestError, mut doing: Doing) {
        self.lost(error.to_string()).await;
        for order in doing.waiting {
            order.fail(&error);
        }
        let cancel = self.shared.cancel.clone();
        loop {
            let done = tokio::select! {
                () = cancel.cancelled() => return,
                done = doing.work.next() => done,
            };
            match done {
                Some(Done::Sent(sent)) => {
                    for (order, _) in sent {
                        order.fail(&error);
                    }
                }
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
            zone: self.zone.clone(),
            progress,
        };
        work.push(Box::pin(async move { Done::History(filling.fill().await) }));
    }

    /// Takes what came of something.
    ///
    /// # Errors
    /// The device is silent.
    async fn done(
        &mut self,
        done: Done,
        peer: &Peer,
        doing: &mut Doing,
    ) -> Result<(), RequestError> {
        match done {
            Done::Round(round, Ok(read)) => {
                doing.reading = false;
                let readings = self.points.take(&round, &read);
                self.answered();
                self.keep_habits().await;
                self.emit(readings).await;
            }
            Done::Round(_, Err(error)) => return Err(error),
            Done::Subscribed(outcomes) => {
                doing.subscribing = false;
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
            Done::Sent(sent) => {
                doing.sending = false;
                for (order, outcome) in sent {
                    let peer = peer.clone();
                    doing.work.push(Box::pin(async move {
                        Done::Written(order.confirm(&peer, outcome).await)
                    }));
                }
                begin_sending(peer, doing);
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

    /// Takes a write, or answers it at once.
    fn order(&self, write: AdapterCommand, waiting: &mut Vec<Order>) {
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
        waiting.extend(Order::new(write, &target));
    }
}

/// Sends the writes that wait, unless others are being sent; those that come meanwhile go together.
fn begin_sending(peer: &Peer, doing: &mut Doing) {
    if doing.sending || doing.waiting.is_empty() {
        return;
    }
    doing.sending = true;
    let (peer, orders) = (peer.clone(), std::mem::take(&mut doing.waiting));
    doing.work.push(Box::pin(
        async move { Done::Sent(send(&peer, orders).await) },
    ));
}
