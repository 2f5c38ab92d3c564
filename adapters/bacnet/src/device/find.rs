//! Finding a device: by its address, by its instance, or by asking for the router before it. Owns
//! what is said when it is not found.

use crate::client::{Address, Ask, Client, Heard, PORT, Place, RequestError};
use crate::codec::service::device::{IAm, who_is};
use crate::codec::service::property::{self, Reference};
use crate::codec::service::{READ_PROPERTY, WHO_IS, device::Segmentation};
use crate::codec::{ANY_INSTANCE, Datum, ObjectId, PropertyId, Remote};
use crate::config::DeviceConfig;
use crate::directory::Directory;
use crate::poll::peer::{Figures, Making};
use crate::poll::{Caps, Habits, Peer};
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// How long a presentation may take where another way to know exists.
const PRESENTATION: Duration = Duration::from_millis(800);
/// Ports from 47808 on that BACnet/IP is found on.
const PORTS: u16 = 16;
/// A silent address is asked on other ports the first time, and every so many times.
const SELDOM: u32 = 40;

/// What finding takes. Clones share everything.
#[derive(Clone)]
pub(super) struct Finder {
    pub(super) client: Client,
    pub(super) directory: Directory,
    pub(super) config: Arc<DeviceConfig>,
    pub(super) figures: Arc<Mutex<Figures>>,
    /// How often its address was silent.
    pub(super) tries: Arc<Mutex<u32>>,
}

impl Finder {
    /// Waits, but not longer than the device is silent.
    pub(super) async fn wait(&self, time: Duration) {
        let Some(instance) = self.config.instance else {
            return tokio::time::sleep(time).await;
        };
        let mut heard = self.client.listen();
        let presented = hear(&mut heard, Instant::now() + time, |_, i_am| {
            i_am.instance == instance
        });
        presented.await;
    }

    /// Finds it. The error says what was tried, in words.
    pub(super) async fn find(&self, habits: Habits) -> Result<Peer, String> {
        let (address, i_am) = match &self.config.place {
            Some(Place::Known(address)) => self.at(address.clone()).await?,
            Some(Place::Behind(remote)) => {
                let ip = self.router(remote).await?;
                let remote = Some(remote.clone());
                self.at(Address { ip, remote }).await?
            }
            None => self.by_instance().await?,
        };
        Ok(Peer::new(Making {
            client: self.client.clone(),
            address,
            instance: i_am.instance,
            caps: Caps {
                max_apdu: usize::try_from(i_am.max_apdu).unwrap_or(50).clamp(50, 1476),
                segmentation: i_am.segmentation,
            },
            outstanding: self.config.outstanding,
            habits,
            figures: self.figures.clone(),
        }))
    }

    async fn by_instance(&self) -> Result<(Address, IAm), String> {
        let Some(instance) = self.config.instance else {
            return Err("neither an instance nor an address is known".to_owned());
        };
        let mut heard = self.client.listen();
        self.directory.asking();
        let range = Some((instance, instance));
        let sent = self.client.tell_all(WHO_IS, &who_is(range)).await;
        sent.map_err(|e| format!("Who-Is for instance {instance} could not be sent: {e}"))?;
        let until = Instant::now() + self.client.patience().timeout;
        let found = hear(&mut heard, until, |_, i_am| i_am.instance == instance).await;
        match found {
            Some(found) => Ok(found),
            None => Err(self.unanswered(instance).await),
        }
    }

    /// Why nobody may have answered, as far as it can be known.
    async fn unanswered(&self, instance: u32) -> String {
        let port = self.client.local().map_or(0, |l| l.port());
        let why = format!("nobody answers Who-Is for instance {instance}");
        let Some(bbmd) = self.client.registered_with() else {
            return format!(
                "{why}; check that it is on this network, and that UDP port {port} is open; for a device in another subnet name a BBMD there (bbmd), or its address"
            );
        };
        let words = self.client.diagnose(bbmd).await.words(self.client.local());
        match words.is_empty() {
            true => {
                format!(
                    "{why}, through the BBMD {bbmd} neither; check that it is on, and its instance"
                )
            }
            false => format!("{why}; {}", words.join("; ")),
        }
    }

    async fn router(&self, remote: &Remote) -> Result<SocketAddrV4, String> {
        let mut heard = self.client.listen();
        let asked = self.client.who_is_router(Some(remote.network)).await;
        asked.map_err(|e| format!("Who-Is-Router could not be sent: {e}"))?;
        let until = Instant::now() + self.client.patience().timeout;
        loop {
            match tokio::time::timeout_at(until, heard.recv()).await {
                Ok(Ok(Heard::Router(ip, networks))) if networks.contains(&remote.network) => {
                    return Ok(ip);
                }
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => {
                    return Err(format!(
                        "no router to network {} answers; name it as network:mac@router",
                        remote.network
                    ));
                }
            }
        }
    }

    /// Asks a known address who is there.
    async fn at(&self, address: Address) -> Result<(Address, IAm), String> {
        let mut heard = self.client.listen();
        self.directory.asking();
        // One that cannot be sent is not answered either.
        let _unsent = self.client.tell(&address, WHO_IS, &who_is(None)).await;
        let patience = self.client.patience().timeout.min(PRESENTATION);
        let until = Instant::now() + patience;
        let found = hear(&mut heard, until, |from, i_am| {
            *from == address && self.config.instance.is_none_or(|i| i == i_am.instance)
        })
        .await;
        match found {
            Some(found) => Ok(found),
            None => self.questioned(address).await,
        }
    }

    /// A silent address is asked on the other ports BACnet/IP is found on, once in a while.
    async fn silent(&self, address: &Address, error: RequestError) -> String {
        let why = format!("{address}: {error}");
        if !self.ports_due() {
            return why;
        }
        let body = property::read(&Reference::new(
            ObjectId::device(ANY_INSTANCE),
            PropertyId::OBJECT_IDENTIFIER,
        ));
        let others = (PORT..PORT + PORTS).filter(|port| *port != address.ip.port());
        let asked = others.map(async |port| {
            let to = Address::local(SocketAddrV4::new(*address.ip.ip(), port));
            let ask = Ask {
                to: &to,
                service: READ_PROPERTY,
                body: &body,
                max_apdu: 50,
                parts: false,
                retry: false,
            };
            let answer = self.client.ask(ask).await;
            // That it knows no such object is an answer, too.
            let silent = answer.is_err_and(|error| error.is_silence());
            (!silent).then_some(port)
        });
        let answered = futures_util::future::join_all(asked).await;
        match answered.into_iter().flatten().next() {
            Some(port) => format!(
                "{why}; {} answers on UDP port {port}: write the address as {}:{port}",
                address.ip.ip(),
                address.ip.ip()
            ),
            None => why,
        }
    }

    fn ports_due(&self) -> bool {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        *tries += 1;
        *tries % SELDOM == 1
    }

    /// A device that does not present itself is asked by reading.
    async fn questioned(&self, address: Address) -> Result<(Address, IAm), String> {
        let instance = self.config.instance.unwrap_or(ANY_INSTANCE);
        let making = |caps| Making {
            client: self.client.clone(),
            address: address.clone(),
            instance,
            caps,
            outstanding: 1,
            habits: Habits::default(),
            figures: self.figures.clone(),
        };
        let peer = Peer::new(making(Caps::default()));
        let about = |property| Reference::new(ObjectId::device(instance), property);
        let own = peer.read(&about(PropertyId::OBJECT_IDENTIFIER)).await;
        let own = match own {
            Ok(own) => own,
            Err(error) if error.is_silence() && address.remote.is_none() => {
                return Err(self.silent(&address, error).await);
            }
            Err(error) => return Err(format!("{address}: {error}")),
        };
        let object = match Datum::decode_all(&own).as_deref() {
            Ok([Datum::Object(object)]) => *object,
            _ => return Err(format!("{address} does not say which device it is")),
        };
        if let Some(wanted) = self.config.instance.filter(|w| *w != object.instance()) {
            return Err(format!(
                "{address} is device {}, not {wanted}; correct the instance, or the address",
                object.instance()
            ));
        }
        let number = async |property| {
            let octets = peer.read(&about(property)).await.ok()?;
            Datum::decode_all(&octets)
                .ok()?
                .first()
                .and_then(Datum::as_unsigned)
        };
        let max_apdu = number(PropertyId::MAX_APDU_LENGTH).await.unwrap_or(480);
        let segments = number(PropertyId::SEGMENTATION_SUPPORTED)
            .await
            .unwrap_or(3);
        let i_am = IAm {
            instance: object.instance(),
            max_apdu: u32::try_from(max_apdu).unwrap_or(480),
            segmentation: Segmentation::new(segments),
            vendor: 0,
        };
        Ok((address, i_am))
    }
}

/// The first presentation that fits, until a time.
async fn hear(
    heard: &mut broadcast::Receiver<Heard>,
    until: Instant,
    fits: impl Fn(&Address, &IAm) -> bool,
) -> Option<(Address, IAm)> {
    loop {
        match tokio::time::timeout_at(until, heard.recv()).await {
            Ok(Ok(Heard::Device(from, i_am))) if fits(&from, &i_am) => return Some((from, i_am)),
            Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return None,
        }
    }
}
