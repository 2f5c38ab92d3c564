//! The hall's air handling unit as a BACnet/IP device: Who-Is, ReadProperty, ReadPropertyMultiple and
//! WriteProperty. Owns what the device says of itself and its answers; what it holds is in `objects`,
//! octets are the adapter's codec.
//!
//! Deliberately absent: COV (a gateway that subscribes is refused and polls), parts, alarms.

mod objects;

use crate::hall::Hall;
use crate::plant::Plant;
use objects::{OBJECTS, Object, list, refused, text};
use riser_bacnet::codec::service::property::{self, Reference, Write};
use riser_bacnet::codec::service::{self, Refusal, device, error};
use riser_bacnet::codec::{Apdu, Bvlc, Datum, Npdu, ObjectId, Payload, PropertyId};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UdpSocket;

/// Device instance.
const INSTANCE: u32 = 2001;
/// Longest answer, in octets of an APDU.
const APDU_MAX: u16 = 1476;

fn of_device(wanted: &Reference) -> Result<Vec<u8>, Refusal> {
    let own = ObjectId::device(INSTANCE);
    let datum = match wanted.property {
        PropertyId::OBJECT_LIST => {
            let ids = std::iter::once(own).chain(OBJECTS.iter().map(Object::id));
            return list(ids.map(Datum::Object), wanted.index);
        }
        PropertyId::OBJECT_IDENTIFIER => Datum::Object(own),
        PropertyId::OBJECT_NAME => text("AHU-2"),
        PropertyId::OBJECT_TYPE => Datum::Enumerated(8),
        PropertyId::DESCRIPTION => text("Air handling unit of the hall"),
        PropertyId::VENDOR_NAME => text("Riser simulator"),
        PropertyId::VENDOR_IDENTIFIER => Datum::Unsigned(0),
        PropertyId::MODEL_NAME => text("riser-sim"),
        PropertyId::SYSTEM_STATUS => Datum::Enumerated(0),
        PropertyId::PROTOCOL_VERSION => Datum::Unsigned(1),
        PropertyId::PROTOCOL_REVISION => Datum::Unsigned(14),
        PropertyId::MAX_APDU_LENGTH => Datum::Unsigned(u64::from(APDU_MAX)),
        PropertyId::SEGMENTATION_SUPPORTED => Datum::Enumerated(3),
        _ => {
            return Err(refused(
                error::code::PROPERTY,
                error::code::UNKNOWN_PROPERTY,
            ));
        }
    };
    Ok(datum.encoded())
}

fn find(id: ObjectId) -> Result<&'static Object, Refusal> {
    let found = OBJECTS.iter().find(|o| o.id() == id);
    found.ok_or(refused(error::code::OBJECT, error::code::UNKNOWN_OBJECT))
}

fn read(hall: &mut Hall, wanted: &Reference) -> Result<Vec<u8>, Refusal> {
    match wanted.object {
        id if id == ObjectId::device(INSTANCE) => of_device(wanted),
        id => find(id)?.read(hall, wanted),
    }
}

/// The answer to a request, without its head.
fn carry_out(hall: &mut Hall, service: u8, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match service {
        service::READ_PROPERTY => {
            let wanted = property::decode_read(body).map_err(Refusal::of_request)?;
            read(hall, &wanted).map(|value| property::read_answer(&wanted, &value))
        }
        service::READ_PROPERTY_MULTIPLE => {
            let wanted = property::decode_read_many(body).map_err(Refusal::of_request)?;
            let found: Vec<_> = wanted.into_iter().map(|w| (w, read(hall, &w))).collect();
            Ok(property::read_many_answer(&found))
        }
        service::WRITE_PROPERTY => {
            let write = Write::decode(body).map_err(Refusal::of_request)?;
            find(write.reference.object)?.write(hall, &write)?;
            Ok(Vec::new())
        }
        _ => Err(Refusal::Reject(error::UNRECOGNISED_SERVICE)),
    }
}

/// What the device says when it is looked for; nothing when others are.
fn presence(body: &[u8]) -> Option<Vec<u8>> {
    let range = device::decode_who_is(body).ok()?;
    let meant = range.is_none_or(|(low, high)| (low..=high).contains(&INSTANCE));
    let i_am = device::IAm {
        instance: INSTANCE,
        max_apdu: u32::from(APDU_MAX),
        segmentation: device::Segmentation::None,
        vendor: 0,
    };
    let (service, body) = (service::I_AM, &i_am.encoded());
    let mut out = Vec::new();
    Apdu::Unconfirmed { service, body }.encode(&mut out);
    meant.then_some(out)
}

/// Outcome of a request as an APDU.
fn reply((invoke, service): (u8, u8), outcome: Result<Vec<u8>, Refusal>) -> Vec<u8> {
    let mut out = Vec::new();
    let outcome = match outcome {
        Ok(body) if body.len() > usize::from(APDU_MAX) - 8 => {
            Err(Refusal::Abort(error::SEGMENTATION_NOT_SUPPORTED))
        }
        outcome => outcome,
    };
    match outcome {
        Ok(body) if body.is_empty() => Apdu::SimpleAck { invoke, service }.encode(&mut out),
        Ok(body) => Apdu::ComplexAck {
            segment: None,
            invoke,
            service,
            body: &body,
        }
        .encode(&mut out),
        Err(Refusal::Abort(reason)) => Apdu::Abort {
            server: true,
            invoke,
            reason,
        }
        .encode(&mut out),
        Err(Refusal::Reject(reason)) => Apdu::Reject { invoke, reason }.encode(&mut out),
        Err(refusal) => {
            let mut body = Vec::new();
            refusal.encode(&mut body);
            let body = &body;
            Apdu::Error {
                invoke,
                service,
                body,
            }
            .encode(&mut out);
        }
    }
    out
}

/// The answer to an APDU; none to what needs none.
fn answer(hall: &mut Hall, apdu: &Apdu<'_>) -> Option<Vec<u8>> {
    match *apdu {
        Apdu::Unconfirmed {
            service: service::WHO_IS,
            body,
        } => presence(body),
        Apdu::Confirmed {
            invoke,
            service,
            segment: Some(_),
            ..
        } => {
            let refused = Refusal::Abort(error::SEGMENTATION_NOT_SUPPORTED);
            Some(reply((invoke, service), Err(refused)))
        }
        Apdu::Confirmed {
            invoke,
            service,
            body,
            ..
        } => Some(reply((invoke, service), carry_out(hall, service, body))),
        _ => None,
    }
}

/// The datagram that answers one; none to what needs none.
pub(crate) fn datagram(hall: &mut Hall, datagram: &[u8]) -> Option<Vec<u8>> {
    let (Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu)) = Bvlc::decode(datagram).ok()? else {
        return None;
    };
    let Payload::Apdu(apdu) = Npdu::decode(npdu).ok()?.payload else {
        return None;
    };
    let answer = answer(hall, &Apdu::decode(apdu).ok()?)?;
    let mut npdu = Vec::new();
    let payload = Payload::Apdu(&answer);
    Npdu {
        to: None,
        from: None,
        expects: false,
        payload,
    }
    .encode(&mut npdu);
    Some(Bvlc::Unicast(&npdu).encoded())
}

/// Binds and answers until the process ends.
pub(crate) async fn listen(address: SocketAddr, plant: Arc<Mutex<Plant>>) -> std::io::Result<()> {
    let socket = UdpSocket::bind(address).await?;
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            // A datagram nobody was there for comes back as an error of the next call.
            let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            let answer = {
                let mut plant = plant.lock().unwrap_or_else(PoisonError::into_inner);
                datagram(&mut plant.hall, &buffer[..length])
            };
            if let Some(answer) = answer
                && let Err(error) = socket.send_to(&answer, from).await
            {
                tracing::debug!(%error, %from, "answering");
            }
        }
    });
    Ok(())
}
