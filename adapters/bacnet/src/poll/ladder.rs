//! The way down from large answers to small ones: many properties in one request as long as that
//! works, fewer when the device aborts, one at a time when it cannot do many at all. Owns what is
//! learned on the way, so that it is walked once.

use super::peer::Peer;
use crate::client::{Answer, RequestError};
use crate::codec::DecodeError;
use crate::codec::service::property::{self, Reference};
use crate::codec::service::{self, Refusal, error::code};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::Range;

/// Properties in one request, at most.
const MOST: usize = 200;
/// Octets of the headers of an answer.
const HEAD: usize = 8;

/// What a device was found to bear.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// Octets of an answer it manages, where that is less than it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub octets: Option<usize>,
    /// It reads one property at a time only.
    pub single: bool,
    /// It writes one property at a time only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub write_single: bool,
    /// It cannot tell its object list in one answer.
    pub list_by_index: bool,
}

/// A property read, or why it could not be.
pub type Read = Result<Vec<u8>, Refusal>;

/// What stands for an answer that is not there: error "other" of class "property".
const MISSING: Refusal = Refusal::Error {
    class: code::PROPERTY,
    code: code::OTHER,
};

impl Peer {
    /// Reads many properties. `expected` is the octets one takes in an answer, roughly. Refusals of
    /// single properties are results, not errors.
    ///
    /// # Errors
    /// The device is silent.
    pub async fn read_many(
        &self,
        wanted: &[Reference],
        expected: usize,
    ) -> Result<Vec<Read>, RequestError> {
        let mut results: Vec<Option<Read>> = vec![None; wanted.len()];
        let size = self.chunk(expected);
        let mut waiting: VecDeque<Range<usize>> = (0..wanted.len())
            .step_by(size)
            .map(|from| from..wanted.len().min(from + size))
            .collect();
        let mut asked = FuturesUnordered::new();
        loop {
            while asked.len() < self.shared.outstanding
                && let Some(range) = waiting.pop_front()
            {
                // What was learned from the first answers holds for the rest.
                let size = self.chunk(expected);
                let cut = range.end.min(range.start + size);
                if cut < range.end {
                    waiting.push_front(cut..range.end);
                }
                let part = wanted.get(range.start..cut).unwrap_or_default();
                let range = range.start..cut;
                asked.push(async move { (range, self.part(part).await) });
            }
            let Some((range, outcome)) = asked.next().await else {
                break;
            };
            match outcome {
                Ok(values) => {
                    for (slot, value) in results.iter_mut().skip(range.start).zip(values) {
                        *slot = Some(value);
                    }
                }
                Err(error) => {
                    let part = wanted.get(range.clone()).unwrap_or_default();
                    match self.step_down(part, expected, error).await? {
                        Next::Smaller => waiting.push_front(range),
                        Next::OneByOne => {
                            for (slot, one) in results.iter_mut().skip(range.start).zip(part) {
                                *slot = Some(self.one(one).await?);
                            }
                        }
                    }
                }
            }
        }
        Ok(results
            .into_iter()
            .map(|r| r.unwrap_or(Err(MISSING)))
            .collect())
    }

    /// How many properties go into one request.
    fn chunk(&self, expected: usize) -> usize {
        let habits = self.habits();
        if habits.single {
            return 1;
        }
        let most = self.shared.caps.max_apdu.min(1476);
        let room = habits.octets.unwrap_or(most).saturating_sub(HEAD);
        let by_request = most.saturating_sub(4) / property::READ_MANY_OCTETS;
        (room / expected.max(1)).min(by_request).clamp(1, MOST)
    }

    /// Reads what one request holds.
    async fn part(&self, wanted: &[Reference]) -> Result<Vec<Read>, RequestError> {
        if let ([one], true) = (wanted, self.habits().single) {
            return self.one(one).await.map(|read| vec![read]);
        }
        let body = property::read_many(wanted);
        match self.ask(service::READ_PROPERTY_MULTIPLE, &body, true).await {
            Ok(Answer::Octets(octets)) => sort(wanted, &octets),
            Ok(_) => Err(DecodeError::Missing("the values").into()),
            Err(error) => Err(error),
        }
    }

    /// Reads one property by itself; whatever is wrong with it is its own matter.
    async fn one(&self, wanted: &Reference) -> Result<Read, RequestError> {
        match self.read(wanted).await {
            Ok(value) => Ok(Ok(value)),
            Err(RequestError::Refused(refusal)) => Ok(Err(refusal)),
            Err(RequestError::Undecodable(_) | RequestError::TooLong(..)) => Ok(Err(MISSING)),
            Err(silence) => Err(silence),
        }
    }

    /// Learns from a request that failed, and says how to go on.
    ///
    /// # Errors
    /// There is nothing smaller: the device is silent.
    async fn step_down(
        &self,
        part: &[Reference],
        expected: usize,
        error: RequestError,
    ) -> Result<Next, RequestError> {
        let single = self.habits().single;
        if single {
            return Err(error);
        }
        let silent = error.is_silence();
        if silent {
            // Some devices say nothing to what is too long for them; one property tells.
            let first = part.first().filter(|_| part.len() > 1);
            let Some(first) = first else {
                return Err(error);
            };
            if let Err(again) = self.read_with(first, false).await
                && again.is_silence()
            {
                return Err(error);
            }
        }
        tracing::debug!(device = self.instance(), %error, "asking for less at once");
        if matches!(&error, RequestError::Refused(refusal) if refusal.is_about_service()) {
            self.change_habits(|habits| habits.single = true);
            return Ok(Next::OneByOne);
        }
        if !silent && !error.is_about_size() {
            // One of them spoils the answer of all; which one shows when each is read by itself.
            return Ok(Next::OneByOne);
        }
        if part.len() <= 1 {
            if self.chunk(expected) <= 1 {
                self.change_habits(|habits| habits.single = true);
            }
            return Ok(Next::OneByOne);
        }
        let half = part.len().div_ceil(2) * expected + HEAD;
        self.change_habits(|habits| {
            habits.octets = Some(habits.octets.map_or(half, |before| before.min(half)));
        });
        Ok(Next::Smaller)
    }
}

/// How to go on after a request that failed.
enum Next {
    /// The same in smaller pieces.
    Smaller,
    /// Each property by itself, this time.
    OneByOne,
}

/// The values of an answer in the order they were asked for.
fn sort(wanted: &[Reference], octets: &[u8]) -> Result<Vec<Read>, RequestError> {
    let mut results: Vec<Option<Read>> = vec![None; wanted.len()];
    let mut next = 0;
    let mut any = false;
    property::decode_read_many_answer(octets, |(found, value)| {
        // Nearly always the next one.
        let at = match wanted.get(next) {
            Some(expected) if *expected == found => Some(next),
            _ => wanted.iter().position(|w| *w == found),
        };
        if let Some(at) = at {
            next = at + 1;
            any = true;
            if let Some(slot) = results.get_mut(at) {
                *slot = Some(value.map(<[u8]>::to_vec));
            }
        }
    })?;
    if !any && !wanted.is_empty() {
        return Err(DecodeError::Missing("every property that was asked for").into());
    }
    Ok(results
        .into_iter()
        .map(|r| r.unwrap_or(Err(MISSING)))
        .collect())
}
