//! Writes: encode, send before everything else, read back, answer once. Owns the steps of a write;
//! which value wins a point is decided before it gets here.

use super::Lane;
use super::fail::describe;
use super::work::{Job, LaneWrite, Stage, Work, WriteJob, merge};
use crate::codec::Exception;
use crate::config::WriteFunction;
use crate::mapping::Encoded;
use crate::poll::{Block, Item};
use riser_adapter::WriteResult;
use riser_model::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Writes that may wait for one device.
const QUEUE: usize = 64;
/// Tries of one step that got no answer, or "busy".
const TRIES: u8 = 3;
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// First wait between two read-backs; it doubles.
const SETTLE_FIRST_MS: u32 = 50;
const SETTLE_MOST_MS: u32 = 400;

impl Lane {
    /// Takes a write: checks it, encodes it and queues it, or answers it at once.
    pub(super) fn accept(&mut self, write: LaneWrite) {
        match self.prepare(&write) {
            Ok((encoded, expected, stage)) => {
                let Some(device) = self.devices.get_mut(write.device) else {
                    return;
                };
                device.writes.push_back(Box::new(WriteJob {
                    point: write.point,
                    encoded,
                    expected,
                    expires_at: write.expires_at,
                    reply: write.reply,
                    stage,
                    not_before: Instant::now(),
                    failures: 0,
                    doubt: None,
                }));
            }
            Err(result) => answer(write.reply, result),
        }
    }

    fn prepare(&self, write: &LaneWrite) -> Result<(Encoded, Value, Stage), WriteResult> {
        let refused = |text: String| Err(WriteResult::Refused(text));
        let device = self.devices.get(write.device);
        let live = device.and_then(|d| d.points.get(write.point).map(|p| (d, p)));
        let Some((device, live)) = live else {
            return refused("this lane has no such point".into());
        };
        let Some(writable) = &live.write else {
            return refused(format!("{}/{} is read-only", device.key, live.key()));
        };
        let path = &writable.point.path;
        let Some(value) = &write.value else {
            return refused(format!(
                "{path}: a Modbus register holds its last value; there is nothing to release it to"
            ));
        };
        if let Err(why) = writable.point.check_write(value) {
            return refused(why);
        }
        if let Some(why) = self.link.down() {
            return Err(WriteResult::Failed(format!(
                "lane {} is down: {why}",
                self.config.name
            )));
        }
        if !device.breaker.is_closed() {
            let why = device.report.last_error.as_deref().unwrap_or("no answer");
            return Err(WriteResult::Failed(format!(
                "device {} does not answer ({why}); it is asked again every {} s",
                device.key,
                self.config.probe_interval.as_secs()
            )));
        }
        if device.writes.len() >= QUEUE {
            return Err(WriteResult::Failed(format!(
                "{QUEUE} writes already wait for device {}",
                device.key
            )));
        }
        let Some(exponent) = device.points.exponent(write.point) else {
            return refused(format!(
                "{path}: its power of ten has not been read yet; try again in a moment"
            ));
        };
        let encoded = match live.mapping.encode(value, exponent) {
            Ok(encoded) => encoded,
            Err(why) => return refused(format!("{path}: {why}")),
        };
        let Some(expected) = live.mapping.expected(&encoded, exponent) else {
            return refused(format!(
                "{path}: '{value}' would read back as no value at all"
            ));
        };
        let masks = writable.config.function == WriteFunction::Mask;
        let stage = match &encoded {
            Encoded::Masked { .. } if !masks => Stage::ReadFirst,
            other => Stage::Write(other.clone()),
        };
        Ok((encoded, expected, stage))
    }

    /// Answers a write whose time has passed before it could begin, or that its requester has given
    /// up and told to have failed. It may still be wanted, so it has failed and is not refused. True
    /// when there was one.
    pub(super) fn refuse_expired(&mut self) -> bool {
        let now = self.clock.now();
        let mut any = false;
        for device in &mut self.devices {
            let begun =
                |w: &WriteJob| matches!(w.stage, Stage::ReadBack { .. }) || w.doubt.is_some();
            while device
                .writes
                .front()
                .is_some_and(|w| (w.expires_at <= now || w.reply.is_closed()) && !begun(w))
            {
                if let Some(write) = device.writes.pop_front() {
                    let why = "it expired while it waited for the lane; nothing was written";
                    answer(write.reply, WriteResult::Failed(why.to_owned()));
                    any = true;
                }
            }
        }
        any
    }

    /// A write was taken by the device.
    pub(super) fn on_written(&mut self, job: Job, now: Instant) {
        let Work::Write(write) = job.work else {
            return;
        };
        self.read_back(job.device, write, now);
    }

    fn read_back(&mut self, index: usize, mut write: Box<WriteJob>, now: Instant) {
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let Some(live) = device.points.get(write.point) else {
            return;
        };
        if !live.is_readable() {
            let result = match write.doubt.take() {
                None => WriteResult::Applied(None),
                Some(doubt) => {
                    WriteResult::Failed(format!("{doubt}; the point cannot be read back"))
                }
            };
            return self.finish_write(index, *write, result);
        }
        write.stage = Stage::ReadBack {
            until: now + live.patience().1,
            wait_ms: SETTLE_FIRST_MS,
        };
        write.not_before = now;
        write.failures = 0;
        device.queue_write(write);
    }

    /// Registers came back for a write: the content to merge with, or the read-back.
    pub(super) async fn on_write_data(&mut self, job: Job, data: &[u8], now: Instant) {
        let (index, Work::Write(mut write)) = (job.device, job.work) else {
            return;
        };
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        if write.stage == Stage::ReadFirst {
            write.stage = Stage::Write(merge(&write.encoded, data));
            write.not_before = now;
            return device.queue_write(write);
        }
        let Some(live) = device.points.get(write.point) else {
            return;
        };
        let item = Item {
            address: live.address,
            length: live.mapping.registers,
            point: write.point,
        };
        let (mapping, tolerance) = (live.mapping.clone(), live.patience().0);
        let readings = device
            .points
            .read(&Block::new(live.table, vec![item]), data);
        let got = readings.first().and_then(|r| r.value.clone());
        let shows = got
            .as_ref()
            .is_some_and(|got| mapping.confirms(&write.expected, got, tolerance));
        match (&write.stage, shows) {
            (_, true) => self.finish_write(index, *write, WriteResult::Applied(got)),
            (Stage::ReadBack { until, wait_ms }, false) if now < *until => {
                write.not_before = now + Duration::from_millis((*wait_ms).into());
                write.stage = Stage::ReadBack {
                    until: *until,
                    wait_ms: (wait_ms * 2).min(SETTLE_MOST_MS),
                };
                device.queue_write(write);
            }
            (Stage::ReadBack { .. }, false) => {
                let result = not_effective(&write, got);
                self.finish_write(index, *write, result);
            }
            // Function 23 wrote and read at once; the value may need a moment to show.
            (_, false) => self.read_back(index, write, now),
        }
        self.emit(readings).await;
    }

    pub(super) fn on_write_exception(&mut self, job: Job, exception: Exception, now: Instant) {
        let (index, Work::Write(mut write)) = (job.device, job.work) else {
            return;
        };
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let step = match device.points.get(write.point) {
            Some(live) => describe(&write.request(live)),
            None => String::new(),
        };
        let reading = matches!(write.stage, Stage::ReadBack { .. });
        if exception.0 == 5 && !reading {
            // Acknowledge: accepted, and it takes long; read-back tells when it is done.
            return self.read_back(index, write, now);
        }
        if exception.is_later() && write.failures < TRIES {
            write.failures += 1;
            write.not_before = now + BUSY_PAUSE * u32::from(write.failures);
            return device.queue_write(write);
        }
        let text = format!("device {} answered {step} with {exception}", device.key);
        let result = if reading {
            WriteResult::Failed(format!("written, but not confirmed: {text}"))
        } else if exception.is_refusal() {
            WriteResult::Refused(text)
        } else {
            WriteResult::Failed(text)
        };
        self.finish_write(index, *write, result);
    }

    /// A step of a write got no answer.
    pub(super) fn write_failed(
        &mut self,
        index: usize,
        mut write: Box<WriteJob>,
        why: &str,
        now: Instant,
    ) {
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        write.failures += 1;
        let parked = !device.breaker.is_closed();
        match &write.stage {
            // Not known to have worked; asking the device is the only way to know.
            Stage::Write(_) if !parked => {
                write.doubt = Some(why.to_owned());
                self.read_back(index, write, now);
            }
            _ if !parked && write.failures < TRIES => {
                write.not_before = now;
                device.queue_write(write);
            }
            Stage::ReadBack { .. } => {
                let text = format!("written, but not confirmed: {why}");
                self.finish_write(index, *write, WriteResult::Failed(text));
            }
            _ => self.finish_write(index, *write, WriteResult::Failed(why.to_owned())),
        }
    }

    pub(super) fn finish_write(&mut self, index: usize, write: WriteJob, result: WriteResult) {
        if let Some(device) = self.devices.get_mut(index) {
            device.writing = false;
        }
        answer(write.reply, result);
    }

    /// The device went down: nothing that waits for it can be done.
    pub(super) fn refuse_writes_of(&mut self, index: usize, why: &str) {
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        for write in std::mem::take(&mut device.writes) {
            let text = match write.stage {
                Stage::ReadBack { .. } => format!("written, but not confirmed: {why}"),
                _ => why.to_owned(),
            };
            answer(write.reply, WriteResult::Failed(text));
        }
    }

    pub(super) fn refuse_all_writes(&mut self, why: &str) {
        self.commands.close();
        while let Ok(write) = self.commands.try_recv() {
            answer(write.reply, WriteResult::Failed(why.to_owned()));
        }
        for pending in self
            .session
            .take()
            .map(crate::client::Session::close)
            .unwrap_or_default()
        {
            if let Work::Write(write) = pending.token.work {
                let text = format!("{why}; the device was asked and may have taken the value");
                answer(write.reply, WriteResult::Failed(text));
            }
        }
        for index in 0..self.devices.len() {
            self.refuse_writes_of(index, why);
        }
    }
}

/// The requester may have gone; then nobody waits for the result.
fn answer(reply: tokio::sync::oneshot::Sender<WriteResult>, result: WriteResult) {
    let _gone = reply.send(result);
}

fn not_effective(write: &WriteJob, got: Option<Value>) -> WriteResult {
    let shown = got.as_ref().map_or("no value".to_owned(), Value::to_string);
    match &write.doubt {
        Some(doubt) => WriteResult::Failed(format!("{doubt}; read-back shows {shown}")),
        None => WriteResult::NotEffective {
            detail: format!(
                "the device took {} and shows {shown}: its own program, another master or a limit in it holds the value",
                write.expected
            ),
            read_back: got,
        },
    }
}
