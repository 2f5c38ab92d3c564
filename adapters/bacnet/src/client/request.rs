//! One question and its answer. Owns retries, the wait for parts, and requests that are themselves
//! sent in parts.

use super::address::Address;
use super::table::{Answer, PartsAcknowledged};
use super::{Client, Inner, count, lock};
use crate::codec::service::Refusal;
use crate::codec::{Apdu, DecodeError, Segment, Takes};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Parts sent before an acknowledgement is waited for.
const WINDOW: u8 = 8;
/// Octets before the parameters of a request in parts.
const PART_HEADER: usize = 6;
/// Octets before the parameters of a request in one.
const HEADER: usize = 4;
/// Abort "other".
const OTHER: u8 = 0;

/// Why there is no answer to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nobody answered.
    #[error("no answer within {0:?}, asked {1} times")]
    Silent(Duration, u32),
    /// The device said no.
    #[error("the device answered with {0}")]
    Refused(Refusal),
    /// The device answered something that cannot be read.
    #[error("the answer cannot be read: {0}")]
    Undecodable(#[from] DecodeError),
    /// The request does not fit what the device takes.
    #[error("the request has {0} octets and the device takes {1} and no parts")]
    TooLong(usize, usize),
    /// It could not be sent.
    #[error("it could not be sent: {0}")]
    Unsent(String),
}

impl RequestError {
    /// To be tried again in smaller pieces.
    #[must_use]
    pub fn is_about_size(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.is_about_size(),
            Self::TooLong(..) | Self::Undecodable(_) => true,
            Self::Silent(..) | Self::Unsent(_) => false,
        }
    }

    /// Nothing at all came back.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Silent(..) | Self::Unsent(_))
    }
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Whom.
    pub to: &'a Address,
    /// Service choice.
    pub service: u8,
    /// Parameters.
    pub body: &'a [u8],
    /// Octets of the longest APDU the device takes.
    pub max_apdu: usize,
    /// Whether it takes requests in parts.
    pub parts: bool,
    /// Whether it is asked again when it does not answer.
    pub retry: bool,
}

/// Forgets the request when whoever asked is gone, and tells the device if it was answering in parts.
struct Registered<'a> {
    inner: &'a Arc<Inner>,
    to: &'a Address,
    invoke: u8,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if lock(&self.inner.table).end(self.to, self.invoke) {
            let (inner, to, invoke) = (self.inner.clone(), self.to.clone(), self.invoke);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    let abort = Apdu::Abort {
                        server: false,
                        invoke,
                        reason: OTHER,
                    };
                    // The device gives up by itself if this is lost.
                    let _lost = inner.put(&to, false, &abort).await;
                });
            }
        }
    }
}

impl Client {
    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// Silence after every retry, a refusal, a request that is too long.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, RequestError> {
        let lane = self.router(ask.to);
        let _turn = match &lane {
            Some(lane) => lane.acquire().await.ok(),
            None => None,
        };
        let most = ask.max_apdu.clamp(50, 1476);
        let length = ask.body.len() + HEADER;
        let patience = self.inner.patience;
        let tries = if ask.retry { patience.retries + 1 } else { 1 };
        let mut outcome = Err(RequestError::Silent(patience.timeout, tries));
        for _ in 0..tries {
            outcome = if length <= most {
                self.once(&ask).await
            } else if ask.parts {
                self.in_parts(&ask, most).await
            } else {
                return Err(RequestError::TooLong(length, most));
            };
            match outcome {
                Err(RequestError::Silent(..)) => count(&self.inner.counters.timeouts),
                _ => break,
            }
        }
        match outcome {
            Ok(Answer::Refused(refusal)) => Err(RequestError::Refused(refusal)),
            Err(RequestError::Silent(timeout, _)) => Err(RequestError::Silent(timeout, tries)),
            other => other,
        }
    }

    fn register<'a>(
        &'a self,
        ask: &Ask<'a>,
        parts: Option<mpsc::Sender<PartsAcknowledged>>,
    ) -> Result<(Registered<'a>, oneshot::Receiver<Answer>), RequestError> {
        let begun = lock(&self.inner.table).begin(ask.to, ask.service, parts);
        let Some((invoke, answer)) = begun else {
            let text = "256 requests wait for this device already".to_owned();
            return Err(RequestError::Unsent(text));
        };
        let registered = Registered {
            inner: &self.inner,
            to: ask.to,
            invoke,
        };
        Ok((registered, answer))
    }

    async fn send(&self, to: &Address, apdu: &Apdu<'_>) -> Result<(), RequestError> {
        count(&self.inner.counters.requests);
        let sent = self.inner.put(to, true, apdu).await;
        sent.map_err(|e| RequestError::Unsent(e.to_string()))
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Answer, RequestError> {
        let (registered, mut answer) = self.register(ask, None)?;
        let request = Apdu::Confirmed {
            segment: None,
            takes: Takes::EVERYTHING,
            invoke: registered.invoke,
            service: ask.service,
            body: ask.body,
        };
        self.send(ask.to, &request).await?;
        self.wait(&registered, &mut answer).await
    }

    /// Waits for an answer; as long as parts of one come, it waits for the next.
    async fn wait(
        &self,
        registered: &Registered<'_>,
        answer: &mut oneshot::Receiver<Answer>,
    ) -> Result<Answer, RequestError> {
        let patience = self.inner.patience;
        let mut until = Instant::now() + patience.timeout;
        loop {
            let silent = RequestError::Silent(patience.timeout, 1);
            match tokio::time::timeout_at(until, &mut *answer).await {
                Ok(answer) => return answer.map_err(|_| silent),
                Err(_) => {
                    let heard = lock(&self.inner.table).heard(registered.to, registered.invoke);
                    let next = heard.map(|h| h + patience.part_timeout);
                    match next.filter(|next| *next > Instant::now()) {
                        Some(next) => until = next,
                        None => return Err(silent),
                    }
                }
            }
        }
    }

    async fn in_parts(&self, ask: &Ask<'_>, most: usize) -> Result<Answer, RequestError> {
        let (told, mut acknowledged) = mpsc::channel(4);
        let (registered, mut answer) = self.register(ask, Some(told))?;
        let parts: Vec<&[u8]> = ask.body.chunks(most - PART_HEADER).collect();
        let (mut next, mut window) = (0_usize, 1_usize);
        let mut again = 0;
        while next < parts.len() {
            for (nth, body) in (next..).zip(parts.iter().skip(next).take(window)) {
                let request = Apdu::Confirmed {
                    segment: Some(Segment {
                        number: nth.to_le_bytes()[0],
                        window: WINDOW,
                        more: nth + 1 < parts.len(),
                    }),
                    takes: Takes::EVERYTHING,
                    invoke: registered.invoke,
                    service: ask.service,
                    body,
                };
                self.send(ask.to, &request).await?;
            }
            let part_timeout = self.inner.patience.part_timeout;
            tokio::select! {
                biased;
                answer = &mut answer => {
                    return answer.map_err(|_| RequestError::Silent(part_timeout, 1));
                }
                Some(ack) = acknowledged.recv() => {
                    let through = ack.number.wrapping_sub(next.to_le_bytes()[0]);
                    // Within the window just sent; anything else repeats an old one.
                    if usize::from(through) < window {
                        next += usize::from(through) + 1;
                        again = 0;
                    }
                    window = usize::from(ack.window.clamp(1, WINDOW));
                }
                () = tokio::time::sleep(part_timeout) => {
                    again += 1;
                    if again > self.inner.patience.retries {
                        return Err(RequestError::Silent(part_timeout, 1));
                    }
                }
            }
        }
        self.wait(&registered, &mut answer).await
    }
}
