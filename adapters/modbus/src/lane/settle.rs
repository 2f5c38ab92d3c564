//! What an answer means. Owns turning answers into scan batches, and telling which exceptions ask
//! for patience, which for learning, and which are faults.

use super::Lane;
use super::fail::describe;
use super::work::{Job, Place, Work};
use crate::client::{Pending, Received, Session, Stray};
use crate::codec::{Answer, Exception, Request};
use riser_model::{Reading, Reason, ScanBatch};
use std::time::Duration;
use tokio::time::Instant;

/// Tries of a request the device answers with "busy".
const BUSY_TRIES: u8 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

impl Lane {
    pub(super) async fn on_received(&mut self, received: Received<Job>) {
        let now = Instant::now();
        match received {
            Received::Answer(pending) => {
                let mut pdu = std::mem::take(&mut self.pdu);
                pdu.clear();
                pdu.extend_from_slice(self.session.as_ref().map_or(&[], Session::pdu));
                self.quiet_until = now + self.config.pause;
                self.on_answer(pending, &pdu, now).await;
                self.pdu = pdu;
            }
            Received::Stray(stray) => self.on_stray(stray, now),
            Received::Desync(why) => self.on_desync(why).await,
            Received::Closed(error) => self.on_closed(&error.to_string()).await,
        }
    }

    async fn on_answer(&mut self, pending: Pending<Job>, pdu: &[u8], now: Instant) {
        if self.link.answered() {
            self.stats.last_error = None;
        }
        let Pending {
            request,
            token: job,
            sent,
            ..
        } = pending;
        let at = self.clock.now();
        let Some(device) = self.devices.get_mut(job.device) else {
            return;
        };
        device.report.took(now.saturating_duration_since(sent));
        let answer = match request.decode(pdu) {
            Ok(answer) => answer,
            // The session has decoded it before, so this cannot happen; a scan is lost if it does.
            Err(mismatch) => return self.give_up(job, &mismatch.to_string()).await,
        };
        if let Answer::Exception(exception) = answer {
            let text = format!("{} answered {exception}", describe(&request));
            device.report.errors += 1;
            device.report.last_error = Some(text.clone());
            if exception.is_gateway() {
                return self.failed(job, &text, now, true).await;
            }
        } else {
            device.report.last_ok = Some(at);
        }
        self.heard(job.device, now);
        match answer {
            Answer::Exception(exception) => self.on_exception(job, &request, exception, now).await,
            Answer::Data(data) => self.on_data(job, &request, data, now).await,
            Answer::Written | Answer::Identity(_) => self.on_written(job, now),
        }
    }

    /// On a serial line a frame that comes while the same unit is being asked means that its answers
    /// lag behind; one that comes while nothing is asked has been thrown away and does no harm.
    fn on_stray(&mut self, stray: Option<Stray>, now: Instant) {
        self.count_strays(1);
        self.quiet_until = now + self.config.pause;
        let serial = self.config.transport.serial().is_some();
        let asked = self.session.as_ref().is_some_and(|s| s.outstanding() > 0);
        if let (Some(stray), true, true) = (stray, serial, asked)
            && let Some(device) = self.devices.iter_mut().find(|d| d.unit == stray.unit)
        {
            device.expect_late(stray.function, stray.octets, now);
        }
    }

    /// The device lives: if it had been away, everything is read again.
    fn heard(&mut self, index: usize, now: Instant) {
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let was_parked = device.breaker.success(now);
        let was_down = std::mem::take(&mut device.down);
        let first = !std::mem::replace(&mut device.heard, true);
        if was_parked || was_down {
            tracing::info!(device = %device.key, lane = %self.config.name, "answers again");
            device.forget_holes(now);
            device.resume(now);
        }
        device.report.urgent |= was_parked || was_down || first;
        device.report.changed = true;
    }

    async fn on_data(&mut self, job: Job, request: &Request, data: &[u8], now: Instant) {
        let Some(device) = self.devices.get_mut(job.device) else {
            return;
        };
        let place = match request {
            Request::Read {
                table,
                address,
                quantity,
            } => Some(Place {
                table: *table,
                address: *address,
                quantity: *quantity,
            }),
            _ => None,
        };
        let readings = match &job.work {
            Work::Scan { scan, turn, .. } => {
                device.known = place.map(|p| Place { quantity: 1, ..p });
                if let Some(scan) = device.scans.get_mut(*scan) {
                    scan.group.answered(turn);
                }
                device.points.read(&turn.block, data)
            }
            Work::Piece { node, block } => {
                let (node, readings) = (*node, device.points.read(block, data));
                self.emit(readings).await;
                return self.piece_answered(job.device, node, true, now).await;
            }
            Work::Probe => {
                device.in_step();
                return;
            }
            Work::Write(_) => return self.on_write_data(job, data, now).await,
        };
        self.emit(readings).await;
    }

    pub(super) async fn emit(&mut self, readings: Vec<Reading>) {
        if readings.is_empty() {
            return;
        }
        let at = self.clock.now();
        // A full sink holds the lane up, but not its end. Whether the batch was taken changes nothing
        // here: a closed sink means that the cancellation is on its way.
        let taken = self.samples.send(ScanBatch { at, readings });
        let _ending = self.cancel.run_until_cancelled(taken).await;
    }

    async fn on_exception(
        &mut self,
        job: Job,
        request: &Request,
        exception: Exception,
        now: Instant,
    ) {
        let index = job.device;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        match job.work {
            Work::Scan {
                scan,
                turn,
                attempt,
            } if exception.is_later() && attempt < BUSY_TRIES => {
                device.retry.push_back(super::device::Retry {
                    scan,
                    turn,
                    attempt: attempt + 1,
                    not_before: now + BUSY_PAUSE * u32::from(attempt + 1),
                });
            }
            Work::Scan { scan, turn, .. } if exception.is_refusal() => {
                self.refused((index, scan), &turn, exception, now).await;
            }
            Work::Scan { scan, turn, .. } => {
                if let Some(scan) = device.scans.get_mut(scan) {
                    scan.group.refused(&turn);
                }
                self.mark(index, &turn.block, Reason::Fault).await;
            }
            Work::Piece { node, .. } if exception.is_later() => {
                device.piece_at = now + BUSY_PAUSE;
                if let Some((_, bisect)) = &mut device.bisect {
                    bisect.again(node);
                }
            }
            Work::Piece { node, .. } => self.piece_answered(index, node, false, now).await,
            Work::Probe => {
                // Without ids this may be the late answer to something else: ask once more, in
                // another shape, before believing that both ends are in step.
                let octets = request.answer_length().unwrap_or(0);
                if device.suspect && !device.twice_refused {
                    device.expect_late(request.function(), octets, now);
                    device.twice_refused = true;
                } else {
                    device.in_step();
                }
            }
            Work::Write(_) => self.on_write_exception(job, exception, now),
        }
    }
}
