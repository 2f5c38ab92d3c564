//! The actor of one lane: what must be serial on the field side is serial because one task does it.
//! Owns the connection, the choice of the next request among the lane's devices, and pace; what an
//! answer or its absence means is in `settle` (readings) and `writes` (commands).
//!
//! Order of what goes out: writes, probes of parked devices, parts of refused blocks, scans by
//! deadline. A failure holds back all requests of its unit together, never those of another.

mod breaker;
mod choose;
mod device;
mod fail;
mod learn;
mod link;
mod points;
mod report;
mod settle;
mod work;
mod writes;

use device::Device;
use link::Link;
use report::Stats;
use work::Job;
pub(crate) use work::LaneWrite;

use crate::client::{Received, SendError, Session, open};
use crate::config::LaneConfig;
use crate::timing::{line_time, timeout_floor};
use riser_adapter::{Clock, HealthBoard, SampleSink};
use riser_model::Slot;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Far enough to mean "not before something happens".
const FAR: Duration = Duration::from_secs(3600);

/// What every lane of an adapter shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) adapter: String,
    pub(crate) samples: SampleSink,
    pub(crate) health: HealthBoard,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cancel: CancellationToken,
}

/// One lane, ready to run.
pub(crate) struct Lane {
    config: LaneConfig,
    adapter: String,
    samples: SampleSink,
    health: HealthBoard,
    clock: Arc<dyn Clock>,
    cancel: CancellationToken,
    devices: Vec<Device>,
    commands: mpsc::Receiver<LaneWrite>,
    session: Option<Session<Job>>,
    link: Link,
    /// Not before: pause after an answer, or the lane's budget.
    quiet_until: Instant,
    next_in_budget: Instant,
    /// Probes wait here after one that cost a whole timeout.
    probe_after: Instant,
    stats: Stats,
    pdu: Vec<u8>,
}

impl Lane {
    /// A lane over its configuration. `slots` has one slot for each point, in order.
    pub(crate) fn new(
        mut config: LaneConfig,
        slots: &[Slot],
        shared: Shared,
        commands: mpsc::Receiver<LaneWrite>,
    ) -> Self {
        let now = Instant::now();
        let mut rest = slots;
        let mut devices = Vec::with_capacity(config.devices.len());
        for device in std::mem::take(&mut config.devices) {
            let (own, others) = rest.split_at(device.points.len().min(rest.len()));
            rest = others;
            devices.push(Device::new(device, own, &config, now));
        }
        let groups = devices.iter().map(|d| d.scans.len()).sum::<usize>();
        let groups = u32::try_from(groups).unwrap_or(u32::MAX);
        let mut place = 0;
        for device in &mut devices {
            device.spread(&mut place, groups, now);
        }
        let probe_interval = config.probe_interval;
        let mut lane = Self {
            config,
            adapter: shared.adapter,
            samples: shared.samples,
            health: shared.health,
            clock: shared.clock,
            cancel: shared.cancel,
            devices,
            commands,
            session: None,
            link: Link::new(now, probe_interval),
            quiet_until: now,
            next_in_budget: now,
            probe_after: now,
            stats: Stats::new(now),
            pdu: Vec::with_capacity(256),
        };
        lane.check_timeouts();
        lane
    }

    /// A timeout below what the line itself takes can only fail: say so.
    fn check_timeouts(&mut self) {
        let Some(serial) = self.config.transport.serial() else {
            return;
        };
        for device in &self.devices {
            let answer = device
                .scans
                .iter()
                .flat_map(|s| s.group.blocks())
                .filter_map(|b| b.request().answer_length())
                .max()
                .unwrap_or(7);
            let floor = timeout_floor(serial, 8, answer + 3);
            if device.timeout < floor {
                let text = format!(
                    "device {}: timeout_ms = {} is below {} ms, what an answer of {} octets takes at {} baud; raise timeout_ms or lower max_span",
                    device.key,
                    device.timeout.as_millis(),
                    floor.as_millis(),
                    answer + 3,
                    serial.baud
                );
                tracing::warn!(lane = %self.config.name, "{text}");
                self.stats.last_error = Some(text);
            }
        }
    }

    /// Works until cancelled. Every write that came in is answered.
    pub(crate) async fn run(mut self) {
        let cancel = self.cancel.clone();
        self.report(Instant::now());
        loop {
            let wake = self.fill(&cancel).await;
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                received = receive(self.session.as_mut()) => self.on_received(received).await,
                Some(write) = self.commands.recv() => self.accept(write),
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = Instant::now();
            self.expire(now).await;
            self.report(now);
        }
        self.refuse_all_writes("the gateway is stopping");
    }

    /// Sends what may be sent now; returns when to look again.
    async fn fill(&mut self, cancel: &CancellationToken) -> Instant {
        loop {
            let now = Instant::now();
            let outstanding = self.session.as_ref().map_or(0, Session::outstanding);
            self.stats.outstanding(outstanding, now);
            let deadline = self.session.as_ref().and_then(Session::deadline);
            let wake = [deadline, self.report_at()];
            let wake = wake.into_iter().flatten().min().unwrap_or(now + FAR);
            if outstanding >= self.config.outstanding {
                return wake;
            }
            let Some(ready) = self.ready_at() else {
                return wake;
            };
            if ready > now {
                return wake.min(ready);
            }
            if self.session.is_none() {
                if !self.connect(cancel).await {
                    return wake.min(self.link.retry_at());
                }
            } else if !self.send_next(now).await {
                // A parked request was all there was; its group has moved on meanwhile.
                return wake.min(now + Duration::from_millis(1));
            }
        }
    }

    /// When the next request may go out.
    fn ready_at(&self) -> Option<Instant> {
        let device = |d: &Device| {
            let at = d.ready_at()?;
            Some(if d.breaker.is_closed() {
                at
            } else {
                at.max(self.probe_after)
            })
        };
        let mut at = self.devices.iter().filter_map(device).min()?;
        at = at.max(self.quiet_until).max(self.next_in_budget);
        if self.session.is_none() {
            at = at.max(self.link.retry_at());
        }
        Some(at)
    }

    /// False when there is no connection now.
    async fn connect(&mut self, cancel: &CancellationToken) -> bool {
        let opened = tokio::select! {
            biased;
            () = cancel.cancelled() => return false,
            opened = open(&self.config) => opened,
        };
        match opened {
            Ok(connection) => {
                self.session = Some(Session::new(connection, rand::random()));
                self.stats.connects += 1;
                self.stats.changed = true;
                self.link.connected();
                if self.link.down().is_some() {
                    let now = Instant::now();
                    self.devices.iter_mut().for_each(|d| d.resume(now));
                }
                true
            }
            Err(error) => {
                self.link_failed(error.to_string()).await;
                false
            }
        }
    }

    /// Sends the most pressing request. False when there was none after all.
    async fn send_next(&mut self, now: Instant) -> bool {
        if self.refuse_expired() {
            return true;
        }
        let offers = self.devices.iter().enumerate();
        let best = offers
            .filter_map(|(i, d)| d.offer(now, self.probe_after).map(|rank| (rank, i)))
            .min();
        let Some((_, index)) = best else {
            return self.recheck(now);
        };
        let (Some(device), Some(session)) = (self.devices.get_mut(index), self.session.as_mut())
        else {
            return false;
        };
        let before = self.stats.overruns;
        let Some((work, request)) = device.take(now, &mut self.stats.overruns) else {
            return self.stats.overruns != before;
        };
        if let Err(error) = request.check() {
            let job = Job {
                device: index,
                work,
            };
            self.give_up(job, &error.to_string()).await;
            return true;
        }
        let line = self.config.transport.serial();
        let timeout = device.timeout + line.map_or(Duration::ZERO, |s| line_time(s, 8));
        let job = Job {
            device: index,
            work,
        };
        device.report.requests += 1;
        device.report.changed = true;
        self.stats.requests += 1;
        self.stats.changed = true;
        self.next_in_budget = now + self.config.spacing;
        let unit = device.unit;
        let sent = session.send(unit, request, timeout, job).await;
        let strays = session.take_strays();
        self.count_strays(strays);
        if let Err((job, error)) = sent {
            self.not_sent(job, error).await;
        }
        true
    }

    /// A device without one readable point is tried again as a whole, now and then.
    fn recheck(&mut self, now: Instant) -> bool {
        let mut any = false;
        for device in &mut self.devices {
            let before = device.ready_at();
            device.forget_holes(now);
            any |= device.ready_at() != before;
        }
        any
    }

    fn count_strays(&mut self, count: u64) {
        if count > 0 {
            self.stats.desyncs += count;
            self.stats.last_error = Some(format!(
                "thrown away {count} ×: a frame nobody waits for; something on this lane answers late or twice"
            ));
        }
    }

    /// The request did not go out, so its device is not to blame.
    async fn not_sent(&mut self, job: Job, error: SendError) {
        let serial = matches!(self.config.transport, crate::config::Transport::Rtu { .. });
        self.put_back(job);
        match error {
            SendError::Desync(why) => {
                self.stats.desyncs += 1;
                self.stats.last_error =
                    Some(format!("octets lay in wait that belong to nothing: {why}"));
                if serial {
                    self.drain().await;
                } else {
                    self.end_session().await;
                    self.link_failed(why).await;
                }
            }
            SendError::Closed(error) => {
                self.end_session().await;
                self.link_failed(format!("the connection is gone: {error}"))
                    .await;
            }
        }
    }
}

/// Waits on the session, or for ever where there is none.
async fn receive(session: Option<&mut Session<Job>>) -> Received<Job> {
    match session {
        Some(session) => session.receive().await,
        None => std::future::pending().await,
    }
}
