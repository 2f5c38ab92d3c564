//! What a session makes of what it hears: PUBACKs, durable ranges, answers, commands.

use crate::counters::count;
use crate::downlink::{self, Downlink};
use crate::driver::{Heard, Refusal};
use crate::session::Session;
use crate::speech::Label;
use riser_store::Position;
use riser_wire::{Down, Durable};
use std::time::Instant;

impl Session<'_> {
    /// Acts on one report of the client; an error ends the connection.
    pub(crate) fn hear(&mut self, heard: Heard, now: Instant) -> Result<(), String> {
        if !matches!(heard, Heard::Left(_)) {
            self.vitals.heard(now);
        }
        match heard {
            Heard::Connected {
                receive_maximum,
                packet_maximum,
                retry_after,
            } => {
                if let Some(wait) = retry_after {
                    (self.turned_away, self.retry_after) = (true, retry_after);
                    let s = wait.as_secs().max(1);
                    return Err(format!(
                        "the cloud is busy with other gateways and asked this one to come back in {s} s"
                    ));
                }
                self.window.limit(receive_maximum);
                let most = packet_maximum.and_then(|most| usize::try_from(most).ok());
                let found_out = self.link.packet_most.unwrap_or(usize::MAX);
                self.packet_maximum = most.unwrap_or(usize::MAX).min(found_out);
                return self.begin(now);
            }
            Heard::Subscribed(result) => {
                result?;
                self.subscribed = true;
                self.beat(now);
            }
            Heard::Left(pkid) => self.speech.left(pkid),
            Heard::Acked { pkid, refused } => return self.acked(pkid, refused, now),
            Heard::Message { topic, payload } => self.message(&topic, &payload, now),
            Heard::Sign => {}
            Heard::Ended {
                reason,
                turned_away,
                retry_after,
                too_long,
            } => {
                (self.turned_away, self.retry_after) = (turned_away, retry_after);
                if too_long {
                    self.learn();
                }
                return Err(reason);
            }
        }
        Ok(())
    }

    /// A PUBACK: the next hop has a message, or says that it has not.
    fn acked(&mut self, pkid: u16, refused: Option<Refusal>, now: Instant) -> Result<(), String> {
        let label = self.speech.acked(pkid);
        let Some(Refusal { reason, for_good }) = refused else {
            if let Some(Label::Batch(key)) = label {
                self.window.passed(key);
            }
            return Ok(());
        };
        count(&self.link.counters.refused, 1);
        self.link.reporter.error(&reason);
        match label {
            Some(Label::Batch(key) | Label::Part(key)) if for_good => {
                self.drop_parts(key);
                self.window.rejected(key);
                self.put_aside(key, reason);
            }
            Some(Label::Batch(key) | Label::Part(key)) => {
                self.drop_parts(key);
                self.window.refused(key, now);
            }
            Some(Label::Rollup) => self.rollup_refused(for_good, now),
            // Without a hello nothing else makes sense to the cloud.
            Some(Label::Hello) => return Err(reason),
            _ => {}
        }
        Ok(())
    }

    fn message(&mut self, topic: &[u8], payload: &[u8], now: Instant) {
        let config = &self.link.config;
        let down = match downlink::read(&config.tenant, &config.gateway, topic, payload) {
            Ok(down) => down,
            Err(error) => {
                count(&self.link.counters.unreadable, 1);
                let topic = String::from_utf8_lossy(topic);
                let reason = riser_model::chain(&error);
                tracing::warn!(%topic, reason, "a message from the cloud was not understood");
                return;
            }
        };
        let deliver = |downlink| {
            downlink::deliver(&self.link.inbox, &self.link.counters, downlink);
        };
        match down {
            Down::Durable(durable) => self.durable(&durable, now),
            Down::RolledUp(minutes) => self.rolled_up(&minutes, now),
            Down::Rejected {
                epoch,
                stream,
                seq,
                reason,
            } => {
                let key = (stream, Position { epoch, seq });
                self.vitals.progress(now);
                self.drop_parts(key);
                self.window.rejected(key);
                self.put_aside(key, reason);
            }
            Down::Heartbeat { nonce } => {
                if let Some(round_trip) = self.vitals.answered(nonce, now) {
                    self.link.reporter.heartbeat(round_trip);
                    self.link.reporter.healed();
                }
            }
            Down::Command { command, from } => deliver(Downlink::Command { command, from }),
            Down::Configuration(request) => deliver(Downlink::Configuration(request)),
            Down::Acknowledge {
                alarm,
                acknowledgement,
                from,
            } => {
                deliver(Downlink::Acknowledge {
                    alarm,
                    acknowledgement,
                    from,
                });
            }
            Down::Watch(lease) => {
                deliver(Downlink::Watch {
                    paths: lease.paths,
                    seconds: lease.seconds,
                });
            }
        }
    }

    /// The cloud has committed: rows may go. This alone counts as progress.
    fn durable(&mut self, durable: &Durable, now: Instant) {
        let Durable {
            epoch,
            stream,
            contiguous,
            ranges,
        } = durable;
        self.outbox.confirm(*epoch, *stream, *contiguous, ranges);
        if self.window.durable(*epoch, *stream, *contiguous, ranges) > 0 {
            self.vitals.progress(now);
        }
    }
}
