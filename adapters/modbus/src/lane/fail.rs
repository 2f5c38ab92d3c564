//! What the absence of an answer means: trying again, parking a device, ending a connection that has
//! lost step. Owns everything that happens to a request that was sent for nothing.

use super::Lane;
use super::device::Retry;
use super::work::{Job, Work};
use crate::client::{Pending, Session};
use crate::codec::Request;
use crate::config::Transport;
use riser_model::Reason;
use std::time::Duration;
use tokio::time::Instant;

/// Unanswered tries of a part of a refused block, after which it counts as refused.
const PIECE_TRIES: u8 = 2;
/// Silence on a serial line after which a broken frame is over, and the longest wait for it.
const QUIET: Duration = Duration::from_millis(20);
const DRAIN_LIMIT: Duration = Duration::from_millis(500);

impl Lane {
    /// Gives up what has waited too long.
    pub(super) async fn expire(&mut self, now: Instant) {
        while let Some(pending) = self.session.as_mut().and_then(|s| s.expire(now)) {
            self.stats.timeouts += 1;
            self.late_possible(&pending, now);
            let waited = now.saturating_duration_since(pending.sent).as_millis();
            let why = format!(
                "{} was not answered within {waited} ms",
                describe(&pending.request)
            );
            self.stats.last_error = Some(format!("unit {}: {why}", pending.unit));
            self.failed(pending.token, &why, now, true).await;
            self.after_silence(now).await;
            self.quiet_until = now + self.config.pause;
        }
    }

    /// What the request left behind must not meet the next one. A TCP connection is made anew: servers
    /// and gateways are known that send a late answer under the id of the present request. Where
    /// frames are RTU the next question to the unit is a distinguishable one, so the line may stay.
    async fn after_silence(&mut self, now: Instant) {
        let partial = self.session.as_ref().is_some_and(Session::has_partial);
        let anew = match self.config.transport {
            Transport::Rtu { .. } if partial => return self.drain().await,
            Transport::Rtu { .. } => false,
            Transport::RtuOverTcp { .. } => self.link.unanswered(self.devices.len()) || partial,
            Transport::Tcp { .. } | Transport::Tls { .. } => true,
        };
        if anew {
            self.end_session().await;
            self.link.dropped(now);
        }
    }

    /// Serial lines carry no ids: remember what a late answer would look like.
    pub(super) fn late_possible(&mut self, pending: &Pending<Job>, now: Instant) {
        if self.config.transport.serial().is_some()
            && let Some(device) = self.devices.get_mut(pending.token.device)
        {
            let octets = pending.request.answer_length().unwrap_or(0);
            device.expect_late(pending.request.function(), octets, now);
        }
    }

    pub(super) async fn on_desync(&mut self, why: String) {
        self.stats.desyncs += 1;
        self.stats.last_error = Some(format!("lost step: {why}"));
        let now = Instant::now();
        if matches!(self.config.transport, Transport::Rtu { .. }) {
            while let Some(pending) = self
                .session
                .as_mut()
                .and_then(|s| s.expire(now + super::FAR))
            {
                self.late_possible(&pending, now);
                self.failed(pending.token, &why, now, false).await;
            }
            self.drain().await;
        } else {
            self.break_off(&why, now).await;
            self.link_failed(why).await;
        }
    }

    pub(super) async fn on_closed(&mut self, why: &str) {
        let now = Instant::now();
        if self.session.as_ref().is_some_and(|s| s.outstanding() == 0) {
            // Servers may close what is idle; the next request connects again.
            self.session = None;
            self.link.dropped(now);
            return;
        }
        let secured = matches!(self.config.transport, Transport::Tls { .. });
        let advice = if secured && !self.link.has_answered() {
            "; the server ended it before its first answer: it may demand a client certificate (cert, private_key) or not trust this one"
        } else {
            ""
        };
        let why = format!("the connection ended: {why}{advice}");
        self.break_off(&why, now).await;
        self.link_failed(why).await;
    }

    /// Ends the connection; everything on it has failed.
    pub(super) async fn break_off(&mut self, why: &str, now: Instant) {
        for pending in self.session.take().map(Session::close).unwrap_or_default() {
            self.late_possible(&pending, now);
            self.failed(pending.token, why, now, false).await;
        }
    }

    /// Ends the connection; what is still on it is asked again on the next one.
    pub(super) async fn end_session(&mut self) {
        let now = Instant::now();
        for pending in self.session.take().map(Session::close).unwrap_or_default() {
            self.late_possible(&pending, now);
            match pending.token {
                // It may have been carried out: reading back tells, writing again would not.
                Job {
                    device,
                    work: Work::Write(write),
                } => self.write_failed(device, write, "the connection was made anew", now),
                job => self.put_back(job),
            }
        }
    }

    pub(super) async fn drain(&mut self) {
        let quiet = self.config.pause.max(QUIET);
        if let Some(session) = &mut self.session {
            session.drain(quiet, DRAIN_LIMIT).await;
        }
        self.quiet_until = Instant::now();
    }

    pub(super) async fn link_failed(&mut self, why: String) {
        let now = Instant::now();
        self.stats.last_error = Some(why.clone());
        self.stats.changed = true;
        if self.link.failed(now, why.clone()) {
            tracing::warn!(lane = %self.config.name, "{why}");
            for index in 0..self.devices.len() {
                self.mark_down(index, &why).await;
            }
        }
    }

    /// A request got no usable answer; `silent`: none at all.
    pub(super) async fn failed(&mut self, job: Job, why: &str, now: Instant, silent: bool) {
        let index = job.device;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        device.report.errors += 1;
        device.report.changed = true;
        device.report.last_error = Some(why.to_owned());
        let timeout = device.timeout;
        let parked = device.breaker.failure(now, timeout, silent);
        if matches!(job.work, Work::Probe) && !device.breaker.is_closed() {
            self.probe_after = now + timeout * 10;
        }
        self.try_again(job, why, now).await;
        if parked {
            tracing::warn!(lane = %self.config.name, "unit parked: {why}");
            self.mark_down(index, why).await;
        }
    }

    pub(super) async fn try_again(&mut self, job: Job, why: &str, now: Instant) {
        let Some(device) = self.devices.get_mut(job.device) else {
            return;
        };
        let not_before = device.breaker.wait_until();
        let park_until = now + self.config.probe_interval.max(device.timeout * 10);
        match job.work {
            Work::Scan {
                scan,
                turn,
                attempt,
            } if attempt < device.retries => {
                device.retry.push_back(Retry {
                    scan,
                    turn,
                    attempt: attempt + 1,
                    not_before,
                });
            }
            Work::Scan { scan, turn, .. } => {
                let group = device.scans.get_mut(scan).map(|s| &mut s.group);
                if group.is_some_and(|g| g.unanswered(&turn, park_until))
                    && device.breaker.is_closed()
                {
                    let block = &turn.block;
                    tracing::warn!(device = %device.key, table = %block.table, address = block.address, quantity = block.quantity, "this request stays without answer while others are answered; it is tried seldom now");
                    self.mark(job.device, &turn.block, Reason::Fault).await;
                }
            }
            Work::Piece { node, .. } => {
                device.piece_failures += 1;
                let hopeless = device.piece_failures > PIECE_TRIES;
                if let (false, Some((_, bisect))) = (hopeless, &mut device.bisect) {
                    bisect.again(node);
                }
                if hopeless {
                    self.piece_answered(job.device, node, false, now).await;
                }
            }
            Work::Probe => {}
            Work::Write(write) => self.write_failed(job.device, write, why, now),
        }
    }

    /// Nothing was heard of this request, and its device is not to blame.
    pub(super) fn put_back(&mut self, job: Job) {
        let now = Instant::now();
        let Some(device) = self.devices.get_mut(job.device) else {
            return;
        };
        match job.work {
            Work::Scan {
                scan,
                turn,
                attempt,
            } => device.retry.push_front(Retry {
                scan,
                turn,
                attempt,
                not_before: now,
            }),
            Work::Piece { node, .. } => {
                if let Some((_, bisect)) = &mut device.bisect {
                    bisect.again(node);
                }
            }
            Work::Probe => device.breaker.probe_again(now),
            Work::Write(write) => {
                device.writing = false;
                device.writes.push_front(write);
            }
        }
    }

    /// A request that can never be sent: a defect in planning, shown and not repeated.
    pub(super) async fn give_up(&mut self, job: Job, why: &str) {
        tracing::error!(lane = %self.config.name, "{why}");
        self.stats.last_error = Some(why.to_owned());
        match job.work {
            Work::Scan { turn, .. } => {
                self.mark(job.device, &turn.block, Reason::NotConfigured)
                    .await;
            }
            Work::Piece { node, .. } => {
                self.piece_answered(job.device, node, false, Instant::now())
                    .await;
            }
            Work::Probe => {}
            Work::Write(write) => self.finish_write(
                job.device,
                *write,
                riser_adapter::WriteResult::Refused(why.to_owned()),
            ),
        }
    }

    /// Every point of the device is bad from now on, said once.
    pub(super) async fn mark_down(&mut self, index: usize, why: &str) {
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        device.retry.clear();
        device.report.last_error = Some(why.to_owned());
        device.report.changed = true;
        device.report.urgent = true;
        if std::mem::replace(&mut device.down, true) {
            return;
        }
        let readings = device
            .points
            .mark(0..device.points.len(), Reason::DeviceDown);
        self.refuse_writes_of(index, why);
        self.emit(readings).await;
    }
}

/// A request in words, for errors.
pub(super) fn describe(request: &Request) -> String {
    match request {
        Request::Read {
            table,
            address,
            quantity,
        } => {
            format!("reading {quantity} × {table} from address {address}")
        }
        Request::WriteCoil { address, .. } | Request::WriteCoils { address, .. } => {
            format!("writing coil {address}")
        }
        Request::WriteRegister { address, .. }
        | Request::WriteRegisters { address, .. }
        | Request::MaskWrite { address, .. }
        | Request::ReadWrite {
            write_address: address,
            ..
        } => {
            format!("writing holding register {address}")
        }
        Request::Identify { .. } => "reading the identification".to_owned(),
    }
}
