//! One open connection with the requests that are on it. Owns the match of answers to requests:
//!
//! - TCP: the transaction id decides, and unit, function and counts must fit as well. Ids begin at
//!   0x0401 and never end in 0x00, so a header read one to four octets out of step is always seen:
//!   an id lands where the protocol id (0) or the length (below 255) belongs.
//! - Serial: there is no id. One request at a time; unit, function, counts and CRC must fit. What an
//!   earlier request left behind is reported, so that the lane can ask in a distinguishable way.
//!
//! An answer to a request given up, or a second copy, is thrown away whole. Anything else that does
//! not fit means the two ends have lost step: the session is over.

use super::transport::{Connection, Framing, Wire};
use crate::codec::Request;
use crate::codec::frame::{
    FRAME_MAX, Frame, Peel, peel_mbap, peel_rtu, transaction, wrap_mbap, wrap_rtu,
};
use futures_util::FutureExt;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

/// Octets read at once; room for several frames.
const BUFFER: usize = 4 * FRAME_MAX;
/// Transaction ids remembered after their request was answered or given up.
const REMEMBERED: usize = 64;

/// A request on the wire, with whatever its sender wants back beside the answer.
#[derive(Debug)]
pub struct Pending<T> {
    transaction: u16,
    /// Whom it was sent to.
    pub unit: u8,
    /// What was asked.
    pub request: Request,
    /// When it went out.
    pub sent: Instant,
    deadline: Instant,
    /// The sender's own.
    pub token: T,
}

/// A frame nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray {
    /// Unit it says it is from.
    pub unit: u8,
    /// Its function code, without the exception bit.
    pub function: u8,
    /// Octets of its PDU.
    pub octets: usize,
}

/// What came in.
#[derive(Debug)]
pub enum Received<T> {
    /// The answer to a request; [`Session::pdu`] has it until the next call.
    Answer(Pending<T>),
    /// A whole frame nobody waits for was thrown away. `None`: octets that are no frame.
    Stray(Option<Stray>),
    /// The two ends have lost step; the session must end.
    Desync(String),
    /// The connection is gone.
    Closed(io::Error),
}

/// Why a request did not go out.
#[derive(Debug)]
pub enum SendError {
    /// Octets lay in wait that belong to nothing.
    Desync(String),
    /// The connection is gone.
    Closed(io::Error),
}

/// An open connection with its requests.
pub struct Session<T> {
    wire: Box<dyn Wire>,
    framing: Framing,
    rx: Box<[u8]>,
    start: usize,
    end: usize,
    tx: Vec<u8>,
    pending: Vec<Pending<T>>,
    closed: VecDeque<u16>,
    transaction: u16,
    pdu: (usize, usize),
    strays: u64,
}

enum Step<T> {
    More,
    Is(Received<T>),
}

impl<T> Session<T> {
    /// A session over an open connection. `seed` chooses the first transaction id.
    #[must_use]
    pub fn new(connection: Connection, seed: u16) -> Self {
        Self {
            wire: connection.wire,
            framing: connection.framing,
            rx: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            tx: Vec::with_capacity(FRAME_MAX),
            pending: Vec::new(),
            closed: VecDeque::with_capacity(REMEMBERED),
            transaction: seed,
            pdu: (0, 0),
            strays: 0,
        }
    }

    /// How frames look here.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Requests on the wire.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// When the first of them is given up.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.iter().map(|p| p.deadline).min()
    }

    /// Frames and octets thrown away while sending, since the last call.
    pub fn take_strays(&mut self) -> u64 {
        std::mem::take(&mut self.strays)
    }

    /// The PDU of the answer [`Session::receive`] returned last.
    #[must_use]
    pub fn pdu(&self) -> &[u8] {
        self.rx.get(self.pdu.0..self.pdu.1).unwrap_or_default()
    }

    /// Sends a request. On error the token comes back.
    pub async fn send(
        &mut self,
        unit: u8,
        request: Request,
        timeout: Duration,
        token: T,
    ) -> Result<(), (T, SendError)> {
        if self.pending.is_empty()
            && let Err(error) = self.clear_way()
        {
            return Err((token, error));
        }
        let transaction = self.next_transaction();
        self.tx.clear();
        match self.framing {
            Framing::Mbap => wrap_mbap(&mut self.tx, transaction, unit, |out| request.encode(out)),
            Framing::Rtu => wrap_rtu(&mut self.tx, unit, |out| request.encode(out)),
        }
        let sent = Instant::now();
        let written = tokio::time::timeout(timeout, async {
            self.wire.write_all(&self.tx).await?;
            self.wire.flush().await
        });
        let error = match written.await {
            Ok(Ok(())) => {
                self.pending.push(Pending {
                    transaction,
                    unit,
                    request,
                    sent,
                    deadline: sent + timeout,
                    token,
                });
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_) => io::Error::new(io::ErrorKind::TimedOut, "the other end takes no octets"),
        };
        Err((token, SendError::Closed(error)))
    }

    /// Looks at what arrived while nothing was asked.
    fn clear_way(&mut self) -> Result<(), SendError> {
        loop {
            match self.read().now_or_never() {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(SendError::Closed(error)),
                None => return Ok(()),
            }
            loop {
                match self.step() {
                    Step::More => break,
                    Step::Is(Received::Desync(why)) => return Err(SendError::Desync(why)),
                    Step::Is(_) => self.strays += 1,
                }
            }
        }
    }

    /// Waits for something to come in. Safe to cancel: octets read stay in the session.
    pub async fn receive(&mut self) -> Received<T> {
        loop {
            if let Step::Is(received) = self.step() {
                return received;
            }
            if let Err(error) = self.read().await {
                return Received::Closed(error);
            }
        }
    }

    /// Gives up the first request whose time has passed.
    pub fn expire(&mut self, now: Instant) -> Option<Pending<T>> {
        let at = self.pending.iter().position(|p| p.deadline <= now)?;
        let given_up = self.pending.swap_remove(at);
        self.remember(given_up.transaction);
        Some(given_up)
    }

    /// Ends the session; what was on the wire comes back.
    #[must_use]
    pub fn close(self) -> Vec<Pending<T>> {
        self.pending
    }

    /// True when part of a frame has come in.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        self.start != self.end
    }

    /// Reads and throws away until the line has been silent for `quiet`, at most `limit`. Errors
    /// show again at the next send.
    pub async fn drain(&mut self, quiet: Duration, limit: Duration) {
        let until = Instant::now() + limit;
        loop {
            (self.start, self.end) = (0, 0);
            match tokio::time::timeout(quiet, self.read()).await {
                Ok(Ok(())) if Instant::now() < until => {}
                _ => break,
            }
        }
        (self.start, self.end) = (0, 0);
    }

    async fn read(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.rx.len() - self.end < FRAME_MAX {
            self.rx.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = self.rx.get_mut(self.end..).unwrap_or_default();
        match self.wire.read(room).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the other end closed the connection",
            )),
            n => {
                self.end += n;
                Ok(())
            }
        }
    }

    fn step(&mut self) -> Step<T> {
        if self.start == self.end {
            return Step::More;
        }
        match self.framing {
            Framing::Mbap => self.step_mbap(),
            Framing::Rtu => self.step_rtu(),
        }
    }

    fn step_mbap(&mut self) -> Step<T> {
        let buffer = &self.rx[self.start..self.end];
        let Some(id) = transaction(buffer) else {
            return Step::More;
        };
        let at = self.pending.iter().position(|p| p.transaction == id);
        if at.is_none() && !self.closed.contains(&id) {
            return desync(format!(
                "an answer has transaction id {id:#06x}, which nobody asked with"
            ));
        }
        let frame = match peel_mbap(buffer) {
            Peel::More => return Step::More,
            Peel::Garbage(why) => return desync(why.to_owned()),
            Peel::Frame(frame) => frame,
        };
        let Some(at) = at else {
            return self.throw_away(frame);
        };
        let asked = &self.pending[at];
        let pdu = buffer.get(frame.start..frame.end).unwrap_or_default();
        if frame.unit != asked.unit {
            return desync(format!(
                "unit {} was asked and unit {} answered",
                asked.unit, frame.unit
            ));
        }
        if let Err(mismatch) = asked.request.decode(pdu) {
            return desync(mismatch.to_string());
        }
        self.accept(frame, at)
    }

    fn step_rtu(&mut self) -> Step<T> {
        let buffer = &self.rx[self.start..self.end];
        let frame = match peel_rtu(buffer) {
            Peel::Frame(frame) => frame,
            _ if self.pending.is_empty() => {
                (self.start, self.end) = (0, 0);
                return Step::Is(Received::Stray(None));
            }
            Peel::More => return Step::More,
            Peel::Garbage(why) => return desync(why.to_owned()),
        };
        let pdu = buffer.get(frame.start..frame.end).unwrap_or_default();
        let fits = |p: &Pending<T>| p.unit == frame.unit && p.request.decode(pdu).is_ok();
        match self.pending.iter().position(fits) {
            Some(at) => self.accept(frame, at),
            None => self.throw_away(frame),
        }
    }

    fn accept(&mut self, frame: Frame, at: usize) -> Step<T> {
        let answered = self.pending.swap_remove(at);
        self.remember(answered.transaction);
        self.pdu = (self.start + frame.start, self.start + frame.end);
        self.start += frame.length;
        Step::Is(Received::Answer(answered))
    }

    fn throw_away(&mut self, frame: Frame) -> Step<T> {
        let pdu = &self.rx[self.start + frame.start..self.start + frame.end];
        let stray = Stray {
            unit: frame.unit,
            function: pdu.first().copied().unwrap_or(0) & 0x7F,
            octets: pdu.len(),
        };
        self.start += frame.length;
        Step::Is(Received::Stray(Some(stray)))
    }

    fn remember(&mut self, transaction: u16) {
        if self.framing == Framing::Rtu {
            return;
        }
        if self.closed.len() == REMEMBERED {
            self.closed.pop_front();
        }
        self.closed.push_back(transaction);
    }

    fn next_transaction(&mut self) -> u16 {
        self.transaction = self.transaction.wrapping_add(1);
        if self.transaction.to_be_bytes()[1] == 0 {
            self.transaction = self.transaction.wrapping_add(1);
        }
        if self.transaction < 0x0401 {
            self.transaction = 0x0401;
        }
        self.transaction
    }
}

fn desync<T>(why: String) -> Step<T> {
    Step::Is(Received::Desync(why))
}
