//! What a BBMD says of itself: to whom it passes broadcasts on, and which foreign devices it knows
//! (Annex J.2.3 and J.2.7). Owns the words for what keeps broadcasts from coming through.

use super::{Client, Heard, lock};
use crate::codec::Bvlc;
use crate::codec::bvlc::refusal;
use std::net::SocketAddrV4;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::broadcast;

/// How long it may take to answer a question.
const ANSWER: Duration = Duration::from_millis(1500);
/// Result codes that refuse a question.
const BDT_REFUSED: u16 = 0x20;
const FDT_REFUSED: u16 = 0x40;

/// What is known of a BBMD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Where it is.
    pub bbmd: SocketAddrV4,
    /// BBMDs it passes broadcasts on to, itself included.
    pub peers: Result<Vec<SocketAddrV4>, String>,
    /// Foreign devices registered with it.
    pub foreign: Result<Vec<SocketAddrV4>, String>,
    /// Broadcasts that came through it, or another one, so far.
    pub came: u64,
}

impl Client {
    /// Asks a BBMD for its tables.
    pub async fn diagnose(&self, bbmd: SocketAddrV4) -> Diagnosis {
        let peers = self.table(bbmd, &Bvlc::ReadBdt, BDT_REFUSED).await;
        let foreign = self.table(bbmd, &Bvlc::ReadFdt, FDT_REFUSED).await;
        let came = &self.inner.counters.forwarded;
        Diagnosis {
            bbmd,
            peers,
            foreign,
            came: came.load(Ordering::Relaxed),
        }
    }

    /// The BBMD this port is registered with.
    #[must_use]
    pub fn registered_with(&self) -> Option<SocketAddrV4> {
        *lock(&self.inner.bbmd)
    }

    async fn table(
        &self,
        bbmd: SocketAddrV4,
        question: &Bvlc<'_>,
        refused: u16,
    ) -> Result<Vec<SocketAddrV4>, String> {
        let mut heard = self.listen();
        let frame = question.encoded();
        let sent = self.inner.sockets.own.send_to(&frame, bbmd).await;
        sent.map_err(|e| format!("it could not be asked: {e}"))?;
        let answer = async {
            loop {
                match (heard.recv().await, question) {
                    (Ok(Heard::Peers(from, table)), Bvlc::ReadBdt)
                    | (Ok(Heard::Foreign(from, table)), Bvlc::ReadFdt)
                        if from == bbmd =>
                    {
                        return Ok(table);
                    }
                    (Ok(Heard::Bbmd(from, code)), _) if from == bbmd && code == refused => {
                        return Err(refusal(code).to_owned());
                    }
                    (Ok(_) | Err(broadcast::error::RecvError::Lagged(_)), _) => {}
                    (Err(broadcast::error::RecvError::Closed), _) => {
                        return Err("the port is closed".to_owned());
                    }
                }
            }
        };
        let answered = tokio::time::timeout(ANSWER, answer).await;
        answered.unwrap_or_else(|_| Err("it does not answer the question".to_owned()))
    }
}

impl Diagnosis {
    /// What keeps broadcasts from coming through, and what to do; nothing when nothing is known to.
    #[must_use]
    pub fn words(&self, own: Option<SocketAddrV4>) -> Vec<String> {
        let mut words = Vec::new();
        if let Ok(peers) = &self.peers
            && !peers.iter().any(|peer| *peer != self.bbmd)
        {
            words.push(format!(
                "the BBMD {} names no other BBMD: it reaches its own network only; enter the BBMDs of the other networks in its broadcast table, and this one in theirs",
                self.bbmd
            ));
        }
        let own = own.filter(|own| !own.ip().is_unspecified());
        if let (Ok(foreign), Some(own)) = (&self.foreign, own)
            && !foreign.contains(&own)
        {
            words.push(format!(
                "the BBMD {} does not know {own} among its {} foreign devices: an address translation stands between, or the registration has ended",
                self.bbmd,
                foreign.len()
            ));
        }
        if self.came == 0 {
            words.push(format!(
                "registered with the BBMD {}, but no broadcast has come through it so far: it may stand alone in its network, or UDP port {} is closed on the way back",
                self.bbmd,
                self.bbmd.port()
            ));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::parse_ip;

    #[test]
    fn what_keeps_broadcasts_away_is_said() {
        let at = |ip| parse_ip(ip).unwrap();
        let (bbmd, own) = (at("192.0.2.4"), at("198.51.100.7"));
        let mut diagnosis = Diagnosis {
            bbmd,
            peers: Ok(vec![bbmd]),
            foreign: Ok(vec![]),
            came: 0,
        };
        let words = diagnosis.words(Some(own));
        assert_eq!(words.len(), 3, "{words:?}");
        assert!(words[0].contains("names no other BBMD"));
        assert!(words[1].contains("does not know 198.51.100.7:47808"));
        assert!(words[2].contains("no broadcast has come through"));
        diagnosis.peers = Ok(vec![bbmd, at("203.0.113.9")]);
        diagnosis.foreign = Err("it does not let its foreign device table be read".into());
        diagnosis.came = 3;
        assert!(diagnosis.words(Some(own)).is_empty());
    }
}
