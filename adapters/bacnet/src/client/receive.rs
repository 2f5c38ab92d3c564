//! Everything that comes in. Owns which datagram is whose: an answer, a change somebody subscribed
//! to, a presentation, a request for the server face, or nothing at all.

use super::address::Address;
use super::table::Reaction;
use super::{Counters, Heard, Inbound, Inner, Notice, count, lock};
use crate::codec::bvlc::entries;
use crate::codec::npdu::{GLOBAL, I_AM_ROUTER, networks};
use crate::codec::service::{self, cov::Notification, device, event};
use crate::codec::{Apdu, Bvlc, Npdu, Payload};
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longest datagram that is looked at: some stacks send a little more than they announce.
const DATAGRAM: usize = 2048;
/// Abort "other", for an answer that is given up here.
const ABORT_OTHER: u8 = 0;

/// Listens on every socket until cancelled.
pub(super) fn start(inner: &Arc<Inner>, cancel: &CancellationToken) {
    for nth in 0..=inner.sockets.broadcast.len() {
        let inner = inner.clone();
        let listening = async move {
            let socket = match nth.checked_sub(1) {
                None => &inner.sockets.own,
                Some(nth) => match inner.sockets.broadcast.get(nth) {
                    Some(socket) => socket,
                    None => return,
                },
            };
            inner.listen(socket).await;
        };
        tokio::spawn(cancel.clone().run_until_cancelled_owned(listening));
    }
}

impl Inner {
    async fn listen(&self, socket: &UdpSocket) {
        let mut buffer = [0; DATAGRAM];
        loop {
            match socket.recv_from(&mut buffer).await {
                Ok((length, SocketAddr::V4(from))) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    self.datagram(datagram, from).await;
                }
                Ok((_, SocketAddr::V6(_))) => count(&self.counters.garbage),
                // "Connection refused" of an earlier send comes out here; the socket is well.
                Err(error) => {
                    tracing::debug!(%error, "receiving BACnet");
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn datagram(&self, datagram: &[u8], from: SocketAddrV4) {
        let counters = &self.counters;
        let bvlc = Bvlc::decode(datagram);
        let to_all = matches!(bvlc, Ok(Bvlc::Broadcast(_) | Bvlc::Forwarded(..)));
        let (npdu, from) = match bvlc {
            Ok(Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu)) => (npdu, from),
            Ok(Bvlc::Forwarded(origin, npdu)) => {
                count(&counters.forwarded);
                (npdu, origin)
            }
            Ok(Bvlc::Result(code)) => return self.tell(Heard::Bbmd(from, code)),
            Ok(Bvlc::BdtAck(table)) => return self.tell(Heard::Peers(from, entries(table))),
            Ok(Bvlc::FdtAck(table)) => return self.tell(Heard::Foreign(from, entries(table))),
            Ok(_) => return,
            Err(_) => return count(&counters.garbage),
        };
        let Ok(npdu) = Npdu::decode(npdu) else {
            return count(&counters.garbage);
        };
        // For a network behind a router, which this is not.
        if npdu.to.as_ref().is_some_and(|to| to.network != GLOBAL) {
            return;
        }
        match npdu.payload {
            Payload::Apdu(apdu) => {
                let from = Address {
                    ip: from,
                    remote: npdu.from,
                };
                match Apdu::decode(apdu) {
                    // A question to everybody that wants an answer is none (clause 5.4.5.1).
                    Ok(Apdu::Confirmed { .. }) if to_all => count(&counters.garbage),
                    Ok(decoded) => self.apdu(from, &decoded, apdu).await,
                    Err(_) => count(&counters.garbage),
                }
            }
            Payload::Network(I_AM_ROUTER, body) => self.tell(Heard::Router(from, networks(body))),
            Payload::Network(..) => {}
        }
    }

    fn tell(&self, heard: Heard) {
        // Nobody may be listening.
        let _nobody = self.heard.send(heard);
    }

    async fn apdu(&self, from: Address, apdu: &Apdu<'_>, octets: &[u8]) {
        match *apdu {
            Apdu::Unconfirmed { service, body } => self.unconfirmed(from, service, body, octets),
            Apdu::Confirmed {
                segment: None,
                invoke,
                service: service::CONFIRMED_COV_NOTIFICATION,
                body,
                ..
            } => {
                // One that cannot be taken is not acknowledged: the device sends it again.
                if self.notice(&from, body) {
                    let service = service::CONFIRMED_COV_NOTIFICATION;
                    self.answer(&from, &Apdu::SimpleAck { invoke, service })
                        .await;
                }
            }
            Apdu::Confirmed {
                segment: None,
                invoke,
                service: service::CONFIRMED_EVENT_NOTIFICATION,
                body,
                ..
            } => {
                let answer = match self.event(&from, body) {
                    true => Apdu::SimpleAck {
                        invoke,
                        service: service::CONFIRMED_EVENT_NOTIFICATION,
                    },
                    false => Apdu::Reject {
                        invoke,
                        reason: service::error::INVALID_TAG,
                    },
                };
                self.answer(&from, &answer).await;
            }
            Apdu::Confirmed { invoke, .. } => self.asked(from, invoke, octets).await,
            // Somebody who asked says something of the answer.
            Apdu::SegmentAck { server: false, .. } | Apdu::Abort { server: false, .. }
                if self.face().is_some() =>
            {
                self.hand_over(from, octets);
            }
            ref other => self.answered(&from, other).await,
        }
    }

    async fn answered(&self, from: &Address, apdu: &Apdu<'_>) {
        let reaction = lock(&self.table).answer(from, apdu);
        let invoke = match *apdu {
            Apdu::ComplexAck { invoke, .. } => invoke,
            _ => 0,
        };
        match reaction {
            Reaction::Nothing => {}
            Reaction::Stray => count(&self.counters.strays),
            Reaction::SegmentAck {
                negative,
                number,
                window,
            } => {
                let acknowledgement = Apdu::SegmentAck {
                    negative,
                    server: false,
                    invoke,
                    number,
                    window,
                };
                self.answer(from, &acknowledgement).await;
            }
            Reaction::Abort => {
                let abort = Apdu::Abort {
                    server: false,
                    invoke,
                    reason: ABORT_OTHER,
                };
                self.answer(from, &abort).await;
            }
        }
    }

    /// Sends what needs no answer; one that is lost is asked for again by the other side.
    async fn answer(&self, to: &Address, apdu: &Apdu<'_>) {
        if let Err(error) = self.put(to, false, apdu).await {
            tracing::debug!(%error, %to, "answering");
        }
    }

    fn unconfirmed(&self, from: Address, service: u8, body: &[u8], octets: &[u8]) {
        let garbage = &self.counters.garbage;
        match service {
            service::I_AM => match device::IAm::decode(body) {
                Ok(i_am) => self.tell(Heard::Device(from, i_am)),
                Err(_) => count(garbage),
            },
            service::I_HAVE => match device::decode_i_have(body) {
                Ok((device, object, name)) => {
                    self.tell(Heard::Object(from, device.instance(), object, name));
                }
                Err(_) => count(garbage),
            },
            service::UNCONFIRMED_COV_NOTIFICATION => {
                self.notice(&from, body);
            }
            service::UNCONFIRMED_EVENT_NOTIFICATION => {
                self.event(&from, body);
            }
            _ => self.hand_over(from, octets),
        }
    }

    /// The server face, while there is one.
    fn face(&self) -> Option<mpsc::Sender<Inbound>> {
        let inbound = lock(&self.inbound).clone();
        inbound.filter(|face| !face.is_closed())
    }

    /// A face that cannot keep up answers fewer; whoever asks asks again.
    fn hand_over(&self, from: Address, octets: &[u8]) {
        let Some(face) = self.face() else { return };
        let apdu = octets.to_vec();
        if face.try_send(Inbound { from, apdu }).is_err() {
            count(&self.counters.dropped);
        }
    }

    /// A request to this port: for the server face, or one that is told that there is none.
    async fn asked(&self, from: Address, invoke: u8, octets: &[u8]) {
        if self.face().is_none() {
            let reason = service::error::UNRECOGNISED_SERVICE;
            return self.answer(&from, &Apdu::Reject { invoke, reason }).await;
        }
        self.hand_over(from, octets);
    }

    /// Passes on what a device tells of an event. False when it cannot be read.
    fn event(&self, from: &Address, body: &[u8]) -> bool {
        match event::Notification::decode(body) {
            Ok(told) => self.tell(Heard::Event(from.clone(), told)),
            Err(_) => {
                count(&self.counters.garbage);
                return false;
            }
        }
        true
    }

    /// Hands a notification to its subscriber. False when nobody could take it.
    fn notice(&self, from: &Address, body: &[u8]) -> bool {
        let Counters {
            garbage, dropped, ..
        } = &self.counters;
        let Ok(notification) = Notification::decode(body) else {
            count(garbage);
            return false;
        };
        let to = lock(&self.notices)
            .get(&(notification.process, notification.device))
            .cloned();
        let Some(to) = to else {
            // Of a subscription of long ago; acknowledged, so that the device stops repeating.
            count(&self.counters.strays);
            return true;
        };
        let notice = Notice {
            from: from.clone(),
            body: body.to_vec(),
        };
        let taken = to.try_send(notice).is_ok();
        if !taken {
            count(dropped);
        }
        taken
    }
}
