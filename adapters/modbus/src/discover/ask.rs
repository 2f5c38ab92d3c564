//! One question to a stranger at a time, none faster than the search allows. Owns the connection to
//! one host while it is searched.

use crate::client::{Framing, Received, Session, open};
use crate::codec::{Answer, Request, Table, identity};
use crate::config::LaneConfig;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// What came back.
#[derive(Debug)]
pub(super) enum Sign {
    /// Registers, or bits eight to a number.
    Data(Vec<u16>),
    /// What it is.
    Identity(identity::Page),
    /// An answer that says only that somebody is there.
    Life,
    /// An answer a server may also give for a unit that is not there.
    Doubtful,
    /// Nothing.
    Silence,
}

pub(super) struct Asker<'a> {
    lane: LaneConfig,
    spacing: Duration,
    pace: &'a Mutex<Instant>,
    session: Option<Session<()>>,
    refused: bool,
}

impl<'a> Asker<'a> {
    pub(super) fn new(lane: LaneConfig, spacing: Duration, pace: &'a Mutex<Instant>) -> Self {
        Self {
            lane,
            spacing,
            pace,
            session: None,
            refused: false,
        }
    }

    /// False once the host could not be connected to.
    pub(super) fn reachable(&self) -> bool {
        !self.refused
    }

    pub(super) async fn ask(&mut self, unit: u8, request: Request) -> Sign {
        self.wait_for_turn().await;
        if self.session.is_none() {
            match open(&self.lane).await {
                Ok(connection) => self.session = Some(Session::new(connection, rand::random())),
                Err(_) => {
                    self.refused = true;
                    return Sign::Silence;
                }
            }
        }
        let Some(session) = &mut self.session else {
            return Sign::Silence;
        };
        let timeout = self.lane.timeout;
        if session
            .send(unit, request.clone(), timeout, ())
            .await
            .is_err()
        {
            self.session = None;
            return Sign::Silence;
        }
        match tokio::time::timeout(timeout, answered(session)).await {
            Ok(true) => interpret(&request, session.pdu()),
            _ => {
                self.give_up(timeout).await;
                Sign::Silence
            }
        }
    }

    /// No answer: on TCP a new connection makes sure that a late one is not taken for the next; on
    /// a serial line, waiting once more as long does.
    async fn give_up(&mut self, timeout: Duration) {
        let serial = matches!(self.lane.transport, crate::config::Transport::Rtu { .. });
        match &mut self.session {
            Some(session) if serial && session.framing() == Framing::Rtu => {
                while session.expire(Instant::now() + timeout * 2).is_some() {}
                session.drain(timeout, timeout * 4).await;
            }
            _ => self.session = None,
        }
    }

    async fn wait_for_turn(&mut self) {
        let turn = {
            let mut next = self.pace.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + self.spacing;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

async fn answered(session: &mut Session<()>) -> bool {
    loop {
        match session.receive().await {
            Received::Answer(_) => return true,
            Received::Stray(_) => {}
            Received::Desync(_) | Received::Closed(_) => return false,
        }
    }
}

fn interpret(request: &Request, pdu: &[u8]) -> Sign {
    let bits = matches!(
        request,
        Request::Read {
            table: Table::Coil | Table::Discrete,
            ..
        }
    );
    match request.decode(pdu) {
        Ok(Answer::Data(data)) if bits => Sign::Data(data.iter().map(|o| u16::from(*o)).collect()),
        Ok(Answer::Data(data)) => Sign::Data(
            data.chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect(),
        ),
        Ok(Answer::Identity(body)) => identity::parse(body).map_or(Sign::Life, Sign::Identity),
        Ok(Answer::Exception(e)) if e.is_gateway() => Sign::Silence,
        // 4, server device failure: what some servers answer for a unit they do not have.
        Ok(Answer::Exception(e)) if e.0 == 4 => Sign::Doubtful,
        Ok(Answer::Exception(_) | Answer::Written) => Sign::Life,
        Err(_) => Sign::Silence,
    }
}
