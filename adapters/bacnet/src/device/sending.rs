//! Writes on their way to a device: several that wait go in one request where it takes them so. Owns
//! that each is sent, and none is taken for done that was not.

use super::writes::Order;
use crate::client::RequestError;
use crate::poll::Peer;

/// A write, and what the device made of its request.
pub(super) type Sent = (Order, Result<(), RequestError>);

/// Sends writes.
pub(super) async fn send(peer: &Peer, orders: Vec<Order>) -> Vec<Sent> {
    let mut sent = Vec::with_capacity(orders.len());
    let mut rest = orders;
    while !rest.is_empty() {
        let count = together(peer, &rest);
        let later = rest.split_off(count);
        let now = std::mem::replace(&mut rest, later);
        sent.extend(send_some(peer, now).await);
    }
    sent
}

/// How many of them go into one request.
fn together(peer: &Peer, orders: &[Order]) -> usize {
    let mut room = peer.room_for_writes();
    let fitting = orders.iter().take_while(|order| {
        let octets = order.writes().iter().map(|w| w.octets()).sum::<usize>();
        let fits = octets <= room;
        room = room.saturating_sub(octets);
        fits
    });
    fitting.count().max(1)
}

async fn send_some(peer: &Peer, orders: Vec<Order>) -> Vec<Sent> {
    let mut unable = false;
    if orders.len() > 1 {
        let writes: Vec<_> = orders.iter().flat_map(Order::writes).collect();
        match peer.write_many(&writes).await {
            Ok(()) => return orders.into_iter().map(|order| (order, Ok(()))).collect(),
            Err(RequestError::Refused(refusal)) if refusal.is_about_service() => {
                peer.writes_singly();
            }
            // Some devices say nothing where they should refuse; one write by itself tells.
            Err(error) if error.is_silence() => unable = true,
            // One of them spoils the rest; which one shows when each goes by itself.
            Err(_) => {}
        }
    }
    let mut sent: Vec<Sent> = Vec::with_capacity(orders.len());
    let mut silent = None;
    for order in orders {
        let outcome = match &silent {
            Some(error) => Err(RequestError::clone(error)),
            None => order.send(peer).await,
        };
        match &outcome {
            Err(error) if error.is_silence() => silent = Some(error.clone()),
            _ if unable => {
                peer.writes_singly();
                unable = false;
            }
            _ => {}
        }
        sent.push((order, outcome));
    }
    sent
}
