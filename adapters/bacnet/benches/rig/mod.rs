//! Simulated BACnet/IP devices that answer as fast as they are asked and tell of changes at a rate,
//! for the figures of the product and for tests. Owns what they hold and who subscribed to it.
//!
//! Device `n` is `127.0.2.n` with instance `n`: analog inputs from 1 on with present value and status
//! flags, no segmentation, answers of 1,476 octets. Every notification carries a value of its own, a
//! whole number from [`FIRST`] on, so that each can be counted where it arrives.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "whoever uses the rig uses a part of it"
)]

use riser_bacnet::codec::service::error::code;
use riser_bacnet::codec::service::property::{self, Reference};
use riser_bacnet::codec::service::{self, Refusal, cov, device};
use riser_bacnet::codec::{
    Apdu, Bits, Bvlc, Datum, Npdu, ObjectId, ObjectType, Payload, PropertyId,
};
use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The value of the first notification.
pub(crate) const FIRST: u32 = 1_000_000;

/// Who subscribed to what: device and object, subscriber and its number.
type Subscribers = HashMap<(u8, u32), (SocketAddr, u32)>;

/// Devices under load; they end with the value.
pub(crate) struct Devices {
    sockets: Vec<Arc<UdpSocket>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    subscribers: Mutex<Subscribers>,
    /// What was told last of an object.
    told: Mutex<HashMap<(u8, u32), f32>>,
    /// Values read so far, their status flags not counted.
    values: AtomicU64,
    ended: AtomicBool,
    /// Subscriptions are refused: the table is full.
    refusing: AtomicBool,
}

impl Shared {
    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, HashMap<(u8, u32), f32>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self, device: u8, object: u32) -> f32 {
        self.told().get(&(device, object)).copied().unwrap_or(21.5)
    }
}

/// The configuration of an adapter that has these devices: `rest` is said of each. `key` is that of
/// the tables, as `adapter.` within a whole configuration.
pub(crate) fn config(key: &str, port: u16, (devices, points): (u8, u32), rest: &str) -> String {
    // A port of its own: nothing of the rig is sent to everybody.
    let mut text = format!(
        "[[{key}lane]]\nkey = \"lane\"\naddress = \"127.0.0.1\"\nport = {}\nbroadcast = [\"127.255.255.255\"]\n",
        port + 1
    );
    for nth in 1..=devices {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "[[{key}device]]\nkey = \"d{nth}\"\nlane = \"lane\"\naddress = \"127.0.2.{nth}:{port}\"\ninstance = {nth}\n{rest}"
        );
        for point in 1..=points {
            let _ = writeln!(
                text,
                "[[{key}device.point]]\nkey = \"p{point}\"\nobject = \"ai:{point}\""
            );
        }
    }
    text
}

impl Devices {
    /// Starts so many devices on a port.
    pub(crate) fn start(port: u16, count: u8) -> io::Result<Self> {
        let shared: Arc<Shared> = Arc::default();
        let mut sockets = Vec::new();
        for nth in 1..=count {
            let at = SocketAddrV4::new(Ipv4Addr::new(127, 0, 2, nth), port);
            let socket = Arc::new(UdpSocket::bind(at)?);
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
            sockets.push(socket.clone());
            let shared = shared.clone();
            std::thread::spawn(move || serve(nth, &socket, &shared));
        }
        Ok(Self { sockets, shared })
    }

    /// Devices without a port: whoever has one asks [`Devices::respond`].
    pub(crate) fn without_port() -> Self {
        Self {
            sockets: Vec::new(),
            shared: Arc::default(),
        }
    }

    /// What a device answers to a datagram.
    pub(crate) fn respond(&self, nth: u8, datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        answer(nth, datagram, from, &self.shared)
    }

    /// Changes what an object holds; who is to be told, and the notification.
    pub(crate) fn change(
        &self,
        device: u8,
        object: u32,
        value: f32,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        self.shared.told().insert((device, object), value);
        let (to, process) = self.shared.subscribers().get(&(device, object)).copied()?;
        Some((to, notification(device, object, process, value)))
    }

    /// Forgets subscriptions, as a restart does.
    pub(crate) fn forget(&self) {
        self.shared.subscribers().clear();
    }

    /// Whether subscriptions are refused from now on.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.shared.refusing.store(refusing, Ordering::Relaxed);
    }

    /// Objects somebody has subscribed to.
    pub(crate) fn subscriptions(&self) -> usize {
        self.shared.subscribers().len()
    }

    /// Values read so far.
    pub(crate) fn values(&self) -> u64 {
        self.shared.values.load(Ordering::Relaxed)
    }

    /// What an object holds.
    pub(crate) fn value(&self, device: u8, object: u32) -> f32 {
        self.shared.value(device, object)
    }

    /// Does [`Devices::tell`] in a thread of its own.
    pub(crate) fn telling(
        self: &Arc<Self>,
        span: (u32, u32),
        points: u32,
        per_second: u32,
    ) -> oneshot::Receiver<u32> {
        let (done, sent) = oneshot::channel();
        let devices = Arc::clone(self);
        std::thread::spawn(move || {
            // Whoever waits for it may have gone.
            let _gone = done.send(devices.tell(span, points, per_second));
        });
        sent
    }

    /// Tells of so many changes, `per_second` of them, the next object of the next device each time.
    /// How many were sent; the others had no subscriber.
    pub(crate) fn tell(&self, (first, count): (u32, u32), points: u32, per_second: u32) -> u32 {
        let began = Instant::now();
        let devices = u32::try_from(self.sockets.len()).unwrap_or(1);
        let mut sent = 0;
        for nth in 0..count {
            let due = began + Duration::from_secs(1) * nth / per_second;
            let ahead = due.saturating_duration_since(Instant::now());
            if !ahead.is_zero() {
                std::thread::park_timeout(ahead);
            }
            let device = u8::try_from(nth % devices).unwrap_or(0) + 1;
            let object = (nth / devices) % points + 1;
            let to = self.shared.subscribers().get(&(device, object)).copied();
            let Some((to, process)) = to else { continue };
            #[expect(
                clippy::cast_precision_loss,
                reason = "below 2^24, so that 32 bits hold it exactly"
            )]
            let value = (FIRST + first + nth) as f32;
            self.shared.told().insert((device, object), value);
            let frame = notification(device, object, process, value);
            let socket = self.sockets.get(usize::from(device) - 1);
            sent += u32::from(socket.is_some_and(|s| s.send_to(&frame, to).is_ok()));
        }
        sent
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

fn serve(nth: u8, socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 2048];
    while !shared.ended.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        if let Some(answer) = answer(nth, datagram, from, shared) {
            let _gone = socket.send_to(&answer, from);
        }
    }
}

fn notification(device: u8, object: u32, process: u32, value: f32) -> Vec<u8> {
    let value = Datum::Real(value).encoded();
    let flags = Datum::Bits(Bits::new(&[false; 4])).encoded();
    let body = cov::Notification {
        process,
        device: device.into(),
        object: ObjectId::new(ObjectType::ANALOG_INPUT, object),
        remaining: 3000,
        values: vec![
            (PropertyId::PRESENT_VALUE, &value),
            (PropertyId::STATUS_FLAGS, &flags),
        ],
    }
    .encoded();
    frame(&Apdu::Unconfirmed {
        service: service::UNCONFIRMED_COV_NOTIFICATION,
        body: &body,
    })
}

fn answer(nth: u8, datagram: &[u8], from: SocketAddr, shared: &Shared) -> Option<Vec<u8>> {
    let Bvlc::Unicast(npdu) = Bvlc::decode(datagram).ok()? else {
        return None;
    };
    let Payload::Apdu(apdu) = Npdu::decode(npdu).ok()?.payload else {
        return None;
    };
    match Apdu::decode(apdu).ok()? {
        Apdu::Unconfirmed {
            service: service::WHO_IS,
            ..
        } => {
            let body = device::IAm {
                instance: nth.into(),
                max_apdu: 1476,
                segmentation: device::Segmentation::None,
                vendor: 999,
            }
            .encoded();
            let service = service::I_AM;
            Some(frame(&Apdu::Unconfirmed {
                service,
                body: &body,
            }))
        }
        Apdu::Confirmed {
            invoke,
            service,
            body,
            ..
        } => confirmed(nth, (invoke, service, body), from, shared),
        _ => None,
    }
}

fn confirmed(
    nth: u8,
    (invoke, service, body): (u8, u8, &[u8]),
    from: SocketAddr,
    shared: &Shared,
) -> Option<Vec<u8>> {
    match service {
        service::READ_PROPERTY_MULTIPLE => {
            let wanted = property::decode_read_many(body).ok()?;
            let present = |w: &&Reference| w.property == PropertyId::PRESENT_VALUE;
            let values = wanted.iter().filter(present).count() as u64;
            shared.values.fetch_add(values, Ordering::Relaxed);
            let value = |w| (w, Ok(value(nth, &w, shared)));
            let found: Vec<_> = wanted.into_iter().map(value).collect();
            let body = property::read_many_answer(&found);
            Some(frame(&Apdu::ComplexAck {
                segment: None,
                invoke,
                service,
                body: &body,
            }))
        }
        service::SUBSCRIBE_COV => {
            if shared.refusing.load(Ordering::Relaxed) {
                let (class, code) = (code::RESOURCES, code::NO_SPACE_TO_ADD);
                let mut body = Vec::new();
                Refusal::Error { class, code }.encode(&mut body);
                let body = &body;
                return Some(frame(&Apdu::Error {
                    invoke,
                    service,
                    body,
                }));
            }
            let wanted = cov::Subscribe::decode(body).ok()?;
            let key = (nth, wanted.object.instance());
            shared.subscribers().insert(key, (from, wanted.process));
            Some(frame(&Apdu::SimpleAck { invoke, service }))
        }
        _ => None,
    }
}

fn value(nth: u8, wanted: &Reference, shared: &Shared) -> Vec<u8> {
    let object = wanted.object.instance();
    match wanted.property {
        PropertyId::PRESENT_VALUE => Datum::Real(shared.value(nth, object)).encoded(),
        _ => Datum::Bits(Bits::new(&[false; 4])).encoded(),
    }
}

fn frame(apdu: &Apdu<'_>) -> Vec<u8> {
    let (mut octets, mut npdu) = (Vec::new(), Vec::new());
    apdu.encode(&mut octets);
    Npdu {
        to: None,
        from: None,
        expects: false,
        payload: Payload::Apdu(&octets),
    }
    .encode(&mut npdu);
    Bvlc::Unicast(&npdu).encoded()
}
