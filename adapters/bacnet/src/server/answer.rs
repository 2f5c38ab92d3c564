//! Answers on their way out. Owns what an asker has room for, and answers in parts (clause 5.4.5):
//! windows, repeats and when one is given up.

use crate::client::{Address, Client};
use crate::codec::service::Refusal;
use crate::codec::service::error::{BUFFER_OVERFLOW, SEGMENTATION_NOT_SUPPORTED};
use crate::codec::service::property::{Reference, write_many_refusal};
use crate::codec::{Apdu, Segment, Takes};
use tokio::sync::mpsc;

/// Parts sent before an acknowledgement is waited for.
const WINDOW: u8 = 8;
/// Octets before the parameters of an answer in one.
const HEADER: usize = 3;
/// Octets before the parameters of an answer in parts.
const PART_HEADER: usize = 5;
/// Octets of an answer, at most, whatever the asker takes.
const OCTETS: usize = 512 * 1024;

/// Who asked, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) from: Address,
    pub(crate) invoke: u8,
    pub(crate) service: u8,
    pub(crate) takes: Takes,
}

/// What comes of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// Done, with this.
    Octets(Vec<u8>),
    /// Not done.
    Refused(Refusal),
    /// Many were to be written, and this was the first that was not.
    NotWritten(Refusal, Reference),
}

impl From<Result<Vec<u8>, Refusal>> for Outcome {
    fn from(result: Result<Vec<u8>, Refusal>) -> Self {
        result.map_or_else(Self::Refused, Self::Octets)
    }
}

/// How long an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Octets of its parameters.
    pub(crate) octets: usize,
    /// What is answered instead of a longer one.
    pub(crate) beyond: Refusal,
}

impl Asker {
    /// How long an answer may be.
    pub(crate) fn room(&self) -> Room {
        let most = self.takes.octets();
        if !self.takes.segments {
            return Room {
                octets: most - HEADER,
                beyond: Refusal::Abort(SEGMENTATION_NOT_SUPPORTED),
            };
        }
        let parts = match self.takes.max_segments {
            code @ 1..=6 => 1 << code,
            // Not said, or more than 64.
            _ => OCTETS,
        };
        Room {
            octets: (most - PART_HEADER).saturating_mul(parts).min(OCTETS),
            beyond: Refusal::Abort(BUFFER_OVERFLOW),
        }
    }

    /// Whether an answer of so many octets goes in one.
    pub(crate) fn fits(&self, octets: usize) -> bool {
        octets + HEADER <= self.takes.octets()
    }
}

/// Sends what goes in one. What is lost is asked for again.
pub(crate) async fn send(client: &Client, asker: &Asker, outcome: &Outcome) {
    let (invoke, service) = (asker.invoke, asker.service);
    let mut error = Vec::new();
    let apdu = match outcome {
        Outcome::Done => Apdu::SimpleAck { invoke, service },
        Outcome::Octets(body) => Apdu::ComplexAck {
            segment: None,
            invoke,
            service,
            body,
        },
        Outcome::Refused(Refusal::Reject(reason))
        | Outcome::NotWritten(Refusal::Reject(reason), _) => Apdu::Reject {
            invoke,
            reason: *reason,
        },
        Outcome::Refused(Refusal::Abort(reason))
        | Outcome::NotWritten(Refusal::Abort(reason), _) => Apdu::Abort {
            server: true,
            invoke,
            reason: *reason,
        },
        Outcome::Refused(refusal) => {
            refusal.encode(&mut error);
            Apdu::Error {
                invoke,
                service,
                body: &error,
            }
        }
        Outcome::NotWritten(refusal, first) => {
            error = write_many_refusal(*refusal, first);
            Apdu::Error {
                invoke,
                service,
                body: &error,
            }
        }
    };
    put(client, &asker.from, &apdu).await;
}

/// Sends one APDU; what cannot be sent is as good as lost.
pub(crate) async fn put(client: &Client, to: &Address, apdu: &Apdu<'_>) {
    if let Err(error) = client.put(to, apdu).await {
        tracing::debug!(%error, %to, "answering");
    }
}

/// What an asker says while an answer goes out in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// Parts up to this one have come; so many may follow.
    Parts { number: u8, window: u8 },
    /// It wants no more.
    Enough,
}

/// Sends an answer in parts, until all have come, the asker wants no more, or it says nothing.
pub(crate) async fn in_parts(
    client: &Client,
    asker: &Asker,
    body: &[u8],
    mut said: mpsc::Receiver<Said>,
) {
    let parts: Vec<&[u8]> = body.chunks(asker.takes.octets() - PART_HEADER).collect();
    let patience = client.patience();
    let (mut next, mut window, mut silent) = (0_usize, 1_usize, 0);
    while next < parts.len() {
        for (nth, body) in (next..).zip(parts.iter().skip(next).take(window)) {
            let part = Apdu::ComplexAck {
                segment: Some(Segment {
                    number: nth.to_le_bytes()[0],
                    window: WINDOW,
                    more: nth + 1 < parts.len(),
                }),
                invoke: asker.invoke,
                service: asker.service,
                body,
            };
            put(client, &asker.from, &part).await;
        }
        match tokio::time::timeout(patience.part_timeout, said.recv()).await {
            Ok(Some(Said::Parts { number, window: w })) => {
                let through = usize::from(number.wrapping_sub(next.to_le_bytes()[0]));
                // Within the window just sent; anything else repeats an old one.
                if through < window {
                    next += through + 1;
                    silent = 0;
                } else {
                    silent += 1;
                }
                window = usize::from(w.clamp(1, WINDOW));
            }
            Ok(Some(Said::Enough) | None) => return,
            Err(_) => silent += 1,
        }
        // Repeats without end would be a way to make this side send without end.
        if silent > patience.retries + 8 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::parse_ip;

    #[test]
    fn an_asker_has_the_room_it_says() {
        let asker = |segments, max_segments, max_apdu| Asker {
            from: Address::local(parse_ip("192.0.2.1").unwrap()),
            invoke: 1,
            service: 12,
            takes: Takes {
                segments,
                max_segments,
                max_apdu,
            },
        };
        let none = asker(false, 0, 3).room();
        assert_eq!((none.octets, none.beyond), (477, Refusal::Abort(4)));
        let two = asker(true, 1, 0).room();
        assert_eq!((two.octets, two.beyond), (90, Refusal::Abort(1)));
        assert_eq!(asker(true, 6, 5).room().octets, 64 * 1471);
        assert_eq!(asker(true, 7, 5).room().octets, OCTETS);
        assert!(asker(false, 0, 0).fits(47) && !asker(false, 0, 0).fits(48));
    }
}
