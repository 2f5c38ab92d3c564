//! Who a device tells of its alarms: the recipient lists of its notification classes, shown and
//! changed. Owns the gateway's own entry, and the way for devices that only take whole lists.

use super::events::PROCESS;
use super::{Fault, Given, ask, table, words};
use crate::client::RequestError;
use crate::codec::service::list::{self, Destination, Recipient};
use crate::codec::service::property::Reference;
use crate::codec::service::{ADD_LIST_ELEMENT, REMOVE_LIST_ELEMENT};
use crate::codec::{ObjectId, ObjectType, PropertyId};
use crate::poll::Peer;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use toml::{Table, Value};

/// Shows the lists, puts the gateway into one, or takes it out.
pub(super) async fn change(peer: &Peer, given: Given<'_>) -> Result<Table, Fault> {
    let action = given.maybe("action").unwrap_or("show");
    let own = own(peer, given);
    if given.maybe("class").is_none() {
        if action != "show" {
            let why = "say which notification class; leave the action out to see which there are";
            return Err(Fault::Wrong(why.to_owned()));
        }
        return all(peer, own).await;
    }
    let class = given.object("class", ObjectType::NOTIFICATION_CLASS)?;
    let before = read(peer, class).await?;
    let own = own?;
    let there = before.iter().find(|d| same(d, &own));
    match (action, there) {
        ("add", None) => put(peer, class, &before, &own).await?,
        ("add", Some(old)) if *old == own => {
            return Err(Fault::Wrong(
                "the gateway is in this list already".to_owned(),
            ));
        }
        ("add", Some(old)) => {
            take(peer, class, &before, old).await?;
            let rest: Vec<Destination> = before.iter().filter(|d| *d != old).cloned().collect();
            put(peer, class, &rest, &own).await?;
        }
        ("remove", Some(old)) => take(peer, class, &before, old).await?,
        ("remove", None) => {
            return Err(Fault::Wrong("the gateway is not in this list".to_owned()));
        }
        _ => {
            return Ok(table([
                ("class", class.to_string().into()),
                ("told_now", rows(&before)),
                ("would_be_added", shown(&own).into()),
                ("gateway_is_told", there.is_some().into()),
            ]));
        }
    }
    let after = read(peer, class).await?;
    let told = after.iter().any(|d| same(d, &own));
    if told != (action == "add") {
        return Err(Fault::Failed(
            "the device took it and keeps another list".to_owned(),
        ));
    }
    Ok(table([
        ("class", class.to_string().into()),
        ("told_now", rows(&after)),
        ("gateway_is_told", told.into()),
    ]))
}

async fn all(peer: &Peer, own: Result<Destination, Fault>) -> Result<Table, Fault> {
    let classes = ask::objects(peer, &[ObjectType::NOTIFICATION_CLASS]).await?;
    if classes.is_empty() {
        let why = "the device has no notification class, so it tells nobody of alarms";
        return Err(Fault::Failed(why.to_owned()));
    }
    let mut answer = Table::new();
    for (class, name) in classes {
        let list = read(peer, class).await?;
        answer.insert(format!("{class} {name}"), rows(&list));
    }
    match own {
        Ok(own) => answer.insert("would_be_added".to_owned(), shown(&own).into()),
        Err(Fault::Wrong(why) | Fault::Failed(why) | Fault::Silent(why)) => {
            answer.insert("remark".to_owned(), why.into())
        }
    };
    Ok(answer)
}

fn rows(list: &[Destination]) -> Value {
    Value::Array(list.iter().map(|d| shown(d).into()).collect())
}

async fn read(peer: &Peer, class: ObjectId) -> Result<Vec<Destination>, Fault> {
    let property = Reference::new(class, PropertyId::RECIPIENT_LIST);
    let octets = ask::octets(peer, &property).await?;
    let octets = octets.ok_or_else(|| Fault::Failed(format!("the device has no {class}")))?;
    Ok(list::destinations(&octets)?)
}

/// The gateway as a recipient.
fn own(peer: &Peer, given: Given<'_>) -> Result<Destination, Fault> {
    let said = given.0.get("network").and_then(Value::as_integer);
    let network = match (&peer.address().remote, said) {
        (None, _) => 0,
        (Some(_), Some(number)) => u16::try_from(number).unwrap_or(0),
        (Some(_), None) => {
            let why = "the device is behind a router; say the number the network of this gateway has there";
            return Err(Fault::Wrong(why.to_owned()));
        }
    };
    let ip = way(peer).ok_or_else(|| {
        Fault::Failed("it is not known under which address the device reaches this gateway; write address into the lane".to_owned())
    })?;
    let mut mac = ip.ip().octets().to_vec();
    mac.extend(ip.port().to_be_bytes());
    let recipient = Recipient::Address(network, mac);
    let confirmed = given.0.get("confirmed").and_then(Value::as_bool);
    Ok(Destination::always(
        recipient,
        PROCESS,
        confirmed.unwrap_or(false),
    ))
}

/// The own address on the way to a device.
fn way(peer: &Peer) -> Option<SocketAddrV4> {
    let local = peer.client().local()?;
    if !local.ip().is_unspecified() {
        return Some(local);
    }
    // Connecting a datagram socket sends nothing; it only chooses the address.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(peer.address().ip).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(own) => Some(SocketAddrV4::new(*own.ip(), local.port())),
        SocketAddr::V6(_) => None,
    }
}

fn same(a: &Destination, b: &Destination) -> bool {
    a.recipient == b.recipient && a.process == b.process
}

async fn put(
    peer: &Peer,
    class: ObjectId,
    before: &[Destination],
    own: &Destination,
) -> Result<(), Fault> {
    let mut whole = before.to_vec();
    whole.push(own.clone());
    alter(peer, class, (ADD_LIST_ELEMENT, own), &whole).await
}

async fn take(
    peer: &Peer,
    class: ObjectId,
    before: &[Destination],
    old: &Destination,
) -> Result<(), Fault> {
    let whole: Vec<Destination> = before.iter().filter(|d| *d != old).cloned().collect();
    alter(peer, class, (REMOVE_LIST_ELEMENT, old), &whole).await
}

/// Changes one element; a device that cannot takes the whole list anew.
async fn alter(
    peer: &Peer,
    class: ObjectId,
    (service, one): (u8, &Destination),
    whole: &[Destination],
) -> Result<(), Fault> {
    let property = Reference::new(class, PropertyId::RECIPIENT_LIST);
    let mut element = Vec::new();
    one.encode(&mut element);
    let body = list::change(&property, &element);
    let outcome = match peer.ask(service, &body, true).await {
        Err(RequestError::Refused(refusal)) if refusal.is_about_service() => {
            ask::write(peer, property, list::put_destinations(whole)).await
        }
        other => other.map(|_| ()),
    };
    outcome.map_err(|e| Fault::Failed(format!("the list of {class} was not changed: {e}")))
}

/// A recipient for people.
fn shown(destination: &Destination) -> String {
    let who = match &destination.recipient {
        Recipient::Device(device) => device.to_string(),
        Recipient::Address(network, mac) => {
            let at = match mac.as_slice() {
                [a, b, c, d, high, low] => {
                    let ip = Ipv4Addr::new(*a, *b, *c, *d);
                    format!("{ip}:{}", u16::from_be_bytes([*high, *low]))
                }
                [] => "everybody".to_owned(),
                other => other.iter().map(|o| format!("{o:02x}")).collect(),
            };
            match network {
                0 => at,
                65_535 => format!("{at} on every network"),
                network => format!("{at} on network {network}"),
            }
        }
    };
    let pick = |flags: &[bool], names: &[&str]| {
        let named = flags.iter().zip(names).filter(|(on, _)| **on);
        named.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    };
    let days = match destination.days {
        [true, true, true, true, true, true, true] => "every day".to_owned(),
        days => pick(&days, &words::DAYS),
    };
    let what = pick(
        &destination.transitions,
        &["to off normal", "to fault", "to normal"],
    );
    let how = match destination.confirmed {
        true => "confirmed",
        false => "unconfirmed",
    };
    let (from, to) = (
        words::shown_time(destination.from),
        words::shown_time(destination.to),
    );
    format!(
        "{who}: {days} {from} to {to}, {what}, {how}, process {}",
        destination.process
    )
}
