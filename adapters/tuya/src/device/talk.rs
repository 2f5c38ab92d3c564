//! The conversation over an established session: one question at a time, and whatever the device
//! says by itself in between. Owns which answer belongs to the question, and when silence means that
//! the session is dead: health is a deciphered frame, never an open socket.

use super::{Link, Order, QUEUE};
use crate::client::{Session, Trouble};
use crate::codec::request::{Request, Target};
use crate::codec::{Content, Message, Version, command};
use crate::poll::{Due, Schedule};
use tokio::time::Instant;

/// Questions in a row without an answer that end a session.
const SILENT: u32 = 2;

/// A question on the wire.
pub(super) struct Outstanding {
    pub(super) what: Asked,
    command: u32,
    sent: Instant,
    pub(super) deadline: Instant,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// All data points of a member; `named`: by name.
    Query { member: usize, named: bool },
    /// To set a data point.
    Write,
    /// Anything whose answer tells nothing.
    Other,
}

impl Link {
    /// Talks until something ends it.
    pub(super) async fn talk(&mut self, session: &mut Session) -> Trouble {
        let now = Instant::now();
        self.schedule = Schedule::new(&self.config, now);
        if !session.version().negotiates() {
            // The first question was asked while the version was being settled.
            self.schedule.asked(0, now);
            let what = Asked::Query {
                member: 0,
                named: false,
            };
            let deadline = now + self.config.timing.timeout;
            self.outstanding = Some(Outstanding {
                what,
                command: command::QUERY,
                sent: now,
                deadline,
            });
        }
        self.stats.missed = 0;
        let mut strays = 0;
        loop {
            if self.outstanding.is_none()
                && let Err(trouble) = self.ask_next(session).await
            {
                return trouble;
            }
            self.report(false);
            let wake = self.wake(Instant::now());
            tokio::select! {
                biased;
                message = session.receive() => match message {
                    Ok(Some(message)) => {
                        self.stats.missed = 0;
                        self.on_message(&message).await;
                    }
                    Ok(None) => self.stats.refused(Trouble::BadCheck.to_string()),
                    Err(trouble) => return trouble,
                },
                Some(order) = self.orders.recv(), if self.waiting.len() < QUEUE => match order {
                    Order::Write(write) => self.waiting.push_back(write),
                    Order::Show(asked) => self.show(asked),
                    Order::Rekey(key, asked) => {
                        self.rekey(key, Some(asked));
                        return Trouble::Rekeyed;
                    }
                },
                () = tokio::time::sleep_until(wake) => {
                    if self.is_overdue(Instant::now()) {
                        self.stats.missed += 1;
                        if self.stats.missed >= SILENT {
                            return self.gone_silent(session);
                        }
                    }
                }
            }
            self.stats.strays(session.strays() - strays);
            strays = session.strays();
        }
    }

    fn gone_silent(&self, session: &Session) -> Trouble {
        if session.strays() > 0 && self.stats.has_said(&Trouble::BadCheck.to_string()) {
            return Trouble::BadCheck;
        }
        let time = self.config.timing.timeout.as_millis();
        Trouble::Lost(format!(
            "the device took {SILENT} questions and answered neither within {time} ms"
        ))
    }

    /// Sends what is most urgent: a write, the check of one, then whatever is due.
    async fn ask_next(&mut self, session: &mut Session) -> Result<(), Trouble> {
        let now = Instant::now();
        let (what, request) = match self.next_write(session.version(), now) {
            Some(next) => next,
            None => match self.schedule.take(now) {
                Some(due) => self.due(due, session),
                None => return Ok(()),
            },
        };
        session.send(&request).await?;
        self.stats.sent(now);
        self.schedule.sent(now);
        let deadline = now + self.config.timing.timeout;
        self.outstanding = Some(Outstanding {
            what,
            command: request.command,
            sent: now,
            deadline,
        });
        Ok(())
    }

    fn due(&self, due: Due, session: &Session) -> (Asked, Request) {
        let target = self.target(session.version(), None);
        match due {
            Due::Query(member) => self.question(member, session.version()),
            Due::SubDevices => (Asked::Other, target.sub_devices()),
            Due::Heartbeat => (Asked::Other, target.heartbeat()),
            Due::Refresh => {
                let points = self.config.members.first().map(|m| m.refresh.as_slice());
                (Asked::Other, target.refresh(points.unwrap_or_default()))
            }
        }
    }

    /// The question for all data points of a member.
    pub(super) fn question(&self, member: usize, version: Version) -> (Asked, Request) {
        let state = self.members.get(member);
        let node = state.and_then(|m| m.node.as_deref());
        let target = self.target(version, node);
        let by_name = self.learned.named || version == Version::V32;
        match state.filter(|m| by_name && !m.numbers.is_empty()) {
            Some(state) => (
                Asked::Query {
                    member,
                    named: true,
                },
                target.query_named(&state.numbers),
            ),
            None => (
                Asked::Query {
                    member,
                    named: false,
                },
                target.query(),
            ),
        }
    }

    pub(super) fn target<'a>(&'a self, version: Version, node: Option<&'a str>) -> Target<'a> {
        Target {
            version,
            id: &self.config.id,
            node,
            now: self.shared.clock.now().0 / 1000,
        }
    }

    /// Whether the question on the wire was not answered in time; it is then given up.
    fn is_overdue(&mut self, now: Instant) -> bool {
        let Some(outstanding) = self.outstanding.take_if(|o| o.deadline <= now) else {
            return false;
        };
        self.stats.timed_out(now);
        if let Asked::Query { member, .. } = outstanding.what {
            self.query_failed(member, "the device did not answer when asked for it");
            self.schedule.ask_soon(member, now);
        }
        true
    }

    async fn on_message(&mut self, message: &Message) {
        let now = Instant::now();
        let report = matches!(message.content, Content::Report(_));
        let named = matches!(
            self.outstanding,
            Some(Outstanding {
                what: Asked::Query { named: true, .. },
                ..
            })
        );
        // Asked by name, a device acknowledges first and reports then.
        let answers = |o: &mut Outstanding| match named {
            true => report || message.refusal().is_some() && message.command == o.command,
            false => message.command == o.command,
        };
        let answered = self.outstanding.take_if(answers);
        if let Some(o) = &answered {
            self.stats
                .answered(now.saturating_duration_since(o.sent), now);
        }
        let asked = answered.map(|o| o.what);
        let whole = matches!(asked, Some(Asked::Query { .. }));
        match &message.content {
            Content::Report(report) => {
                // A gateway answers for a node without always naming it.
                let mut report = report.clone();
                if let Some(Asked::Query { member, .. }) = asked
                    && report.node.is_none()
                {
                    report.node = self.members.get(member).and_then(|m| m.node.clone());
                }
                self.on_report(&report, whole).await;
                self.on_shown(&report, whole);
            }
            Content::SubDevices { online, offline } => self.on_sub_devices(online, offline).await,
            _ => {}
        }
        match asked {
            Some(Asked::Write) => self.on_acknowledged(message, now),
            Some(Asked::Query { member, named }) if !report => {
                self.on_no_report(message, member, named).await;
            }
            _ => {}
        }
    }

    /// A question for data points was answered with something else.
    async fn on_no_report(&mut self, message: &Message, member: usize, named: bool) {
        let now = Instant::now();
        if message.wants_names() && !named {
            tracing::info!(device = %self.config.key, "gives its data points only by name");
            self.learned.named = true;
            self.keep_learned().await;
            return self.schedule.ask_soon(member, now);
        }
        let said = message
            .refusal()
            .unwrap_or_else(|| "without data points".to_owned());
        let why = format!("asked for its data points, the device answered {said}");
        self.query_failed(member, &why);
        self.stats.refused(why);
    }
}
