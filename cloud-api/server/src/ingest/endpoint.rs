//! The MQTT port. Owns accepting, the handshake with its bounds in time and number, the CONNECT,
//! and handing a proven gateway to its session. Nothing here waits for one connection while
//! another wants in.

use super::Ingest;
use super::mqtt::Mqtt;
use super::packet::{Connect, Packet};
use super::pending::{Pending, Place};
use super::reason::Reason;
use super::session::{End, Opening, Outside, Session};
use super::sessions::Way;
use super::socket::{Socket, Turn};
use super::tls::{SHOWN, explain};
use super::turnstile::Turnstile;
use super::{SESSION_QUEUE, rights};
use crate::pki::{Identity, Revoked};
use futures_util::FutureExt;
use riser_model::Timestamp;
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// From TCP to the end of the handshake, and from there to the CONNECT: each at most this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// When the system has no descriptor left, accepting pauses this long.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a gateway that is put off may take to close its side.
const LEAVING: Duration = Duration::from_secs(2);
/// When to come back while as many are connected as may be.
const FULL: Duration = Duration::from_secs(30);
/// How long sessions may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// The MQTT port, bound but not yet served.
pub struct Endpoint {
    listener: TcpListener,
    gate: Arc<Gate>,
}

/// What every connection needs.
struct Gate {
    ingest: Ingest,
    acceptor: TlsAcceptor,
    revoked: Revoked,
    pending: Pending,
    turnstile: Turnstile,
    places: Semaphore,
}

/// A connection that has shown who it is from and has sent its CONNECT.
struct Entered {
    identity: Identity,
    /// Boxed: it is moved from task to task.
    opening: Box<Opening<TlsStream<TcpStream>>>,
    connect: Connect,
    peer: SocketAddr,
}

/// Why a connection never became a session.
enum Refused {
    /// Not worth a line: it gave way, or said nothing.
    Quiet,
    /// Worth a line.
    Said(String),
}

impl Endpoint {
    /// Binds nothing itself: the listener is opened by whoever starts the service.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        ingest: Ingest,
        tls: Arc<ServerConfig>,
        revoked: Revoked,
    ) -> Self {
        let limits = ingest.limits;
        let gate = Gate {
            ingest,
            acceptor: TlsAcceptor::from(tls),
            revoked,
            pending: Pending::new(limits.pending_max),
            turnstile: Turnstile::new(
                limits.handshakes_per_s,
                limits.sessions_per_s,
                Instant::now(),
            ),
            places: Semaphore::new(limits.connections_max),
        };
        Self {
            listener,
            gate: Arc::new(gate),
        }
    }

    /// Serves until `stop`, then ends every session within the grace.
    pub async fn serve(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let watch = tasks.spawn(end_revoked(Arc::clone(&self.gate), stop.clone()));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let gate = Arc::clone(&self.gate);
                    let sessions = tasks.clone();
                    let stop = stop.clone();
                    tasks.spawn(async move {
                        let admitted = stop.run_until_cancelled(gate.admit(stream, peer)).await;
                        if let Some(entered) = admitted.flatten() {
                            // A task of its own: what the handshake needed is given back.
                            sessions.spawn(gate.session(entered));
                        }
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "the MQTT port could not accept; it tries again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        let sessions = &self.gate.ingest.sessions;
        sessions.end_all(self.gate.turnstile.farewells(sessions.count()));
        tasks.close();
        if timeout(GRACE, tasks.wait()).await.is_err() {
            tracing::warn!(late = tasks.len(), "some MQTT sessions did not end in time");
        }
        watch.abort();
    }
}

/// Ends sessions whose certificate has been revoked meanwhile.
async fn end_revoked(gate: Arc<Gate>, stop: CancellationToken) {
    let mut changes = gate.revoked.changes();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        gate.ingest.sessions.end_revoked(&gate.revoked);
    }
}

impl Gate {
    /// Finds out who a connection is from; says why in the log if that fails.
    async fn admit(&self, stream: TcpStream, peer: SocketAddr) -> Option<Entered> {
        let figures = &self.ingest.pipeline.figures;
        let (mut place, mut first) = (self.place(peer), [0]);
        // Only who has something to say gets a turn, and while it waits for it, it need not give
        // way to those behind it.
        tokio::select! {
            () = place.lost() => return None,
            spoke = timeout(PATIENCE, stream.peek(&mut first)) => {
                spoke.ok()?.ok().filter(|octets| *octets > 0)?;
            }
        }
        drop(place);
        let Some(turn) = self.turnstile.handshake(Instant::now()) else {
            figures.handshakes_put_off.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        sleep_until(turn).await;
        let mut place = self.place(peer);
        match self.open(stream, peer, &mut place).await {
            Ok(entered) => Some(entered),
            Err(Refused::Quiet) => None,
            Err(Refused::Said(why)) => {
                figures.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%peer, why, "a connection to the MQTT port was refused");
                None
            }
        }
    }

    /// A place among those who have not shown who they are.
    fn place(&self, peer: SocketAddr) -> Place {
        let (place, gave_way) = self.pending.enter(peer.ip());
        if gave_way {
            let dropped = &self.ingest.pipeline.figures.pending_dropped;
            dropped.fetch_add(1, Ordering::Relaxed);
        }
        place
    }

    /// TCP, TLS, name, CONNECT.
    async fn open(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        place: &mut Place,
    ) -> Result<Entered, Refused> {
        tune(&stream);
        let tls = tokio::select! {
            () = place.lost() => return Err(Refused::Quiet),
            done = timeout(PATIENCE, self.handshake(stream)) => done.map_err(|_| Refused::Quiet)??,
        };
        let identity = self.identify(&tls)?;
        let mut opening = Box::new(Opening {
            socket: Socket::new(tls),
            mqtt: Mqtt::new(self.ingest.limits.mqtt()),
            packets: VecDeque::new(),
        });
        let connect = tokio::select! {
            () = place.lost() => return Err(Refused::Quiet),
            done = timeout(PATIENCE, read_connect(&mut opening)) => {
                let late = || Refused::Said(format!("{} sent no CONNECT in time", identity.origin));
                done.map_err(|_| late())?.map_err(|why| Refused::Said(format!("{} {why}", identity.origin)))?
            }
        };
        Ok(Entered {
            identity,
            opening,
            connect,
            peer,
        })
    }

    async fn handshake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Refused> {
        SHOWN
            .scope(RefCell::new(None), async {
                let accepted = self.acceptor.accept(stream).await;
                accepted.map_err(|error| {
                    let shown = SHOWN.with(RefCell::take);
                    let who = shown.map(|s| format!("{s}: ")).unwrap_or_default();
                    Refused::Said(format!("{who}{}", explain(&error)))
                })
            })
            .await
    }

    /// The name in the certificate. A resumed session did not go through the verifier, so
    /// revocation and age are looked at again.
    fn identify(&self, tls: &TlsStream<TcpStream>) -> Result<Identity, Refused> {
        let (_, connection) = tls.get_ref();
        let certificate = connection
            .peer_certificates()
            .and_then(|chain| chain.first())
            .ok_or_else(|| Refused::Said("it showed no client certificate".to_owned()))?;
        let identity =
            Identity::from_certificate(certificate).map_err(|e| Refused::Said(e.to_string()))?;
        let refused = |why| {
            Err(Refused::Said(format!(
                "certificate {} of {} {why}",
                identity.serial, identity.origin
            )))
        };
        if self.revoked.contains(&identity) {
            return refused("was revoked");
        }
        let now: Timestamp = self.ingest.pipeline.clock.now();
        if now > identity.not_after || now < identity.not_before {
            return refused("is not valid now");
        }
        Ok(identity)
    }

    async fn session(self: Arc<Self>, entered: Entered) {
        let Entered {
            identity,
            opening,
            connect,
            peer,
        } = entered;
        let origin = Arc::new(identity.origin.clone());
        if let Err(reason) = rights::connect(&origin, &connect) {
            tracing::warn!(%peer, %origin, why = %reason, "a CONNECT was refused");
            return self.refuse(opening, &reason).await;
        }
        let Ok(_permit) = self.places.try_acquire() else {
            tracing::warn!(%peer, %origin, "a gateway was put off: as many are connected as may be");
            let text = "as many gateways are connected as may be";
            let reason = Reason::new(Reason::SERVER_BUSY, text).after(FULL);
            return self.put_off(opening, &reason).await;
        };
        if let Err(wait) = self.turnstile.session(Instant::now()) {
            // A line for each would be a stampede of its own: the figures tell.
            tracing::debug!(%peer, %origin, ?wait, "a gateway was put off");
            let text = format!(
                "many gateways are coming in at once; connect again in {} s",
                wait.as_secs()
            );
            let reason = Reason::new(Reason::SERVER_BUSY, text).after(wait);
            return self.put_off(opening, &reason).await;
        }
        let (sender, down) = mpsc::channel(SESSION_QUEUE);
        let (end, ended) = oneshot::channel();
        let way = Way::Session {
            sender,
            end,
            identity: Box::new(identity.clone()),
        };
        let number = Box::pin(self.ingest.enter(&origin, way)).await;
        if self.revoked.contains(&identity) {
            // Revoked between the handshake and the table: nobody has looked for it there.
            self.ingest.sessions.end_revoked(&self.revoked);
        }
        tracing::info!(%peer, %origin, "connected");
        let (outside, ingest) = (Outside { down, end: ended }, self.ingest.clone());
        let session = Session::new(Arc::clone(&origin), ingest, opening, &connect, outside);
        // A panic must not leave a way behind that leads nowhere.
        let end = AssertUnwindSafe(session.run()).catch_unwind().await;
        let end = end.unwrap_or_else(|_| End::Lost("its session panicked".to_owned()));
        Box::pin(self.ingest.leave(&origin, number)).await;
        match end {
            End::Goodbye => tracing::info!(%peer, %origin, "disconnected: said goodbye"),
            End::Lost(why) => tracing::info!(%peer, %origin, why, "disconnected"),
            End::Sent(reason) => {
                tracing::info!(%peer, %origin, why = %reason, "disconnected by this service");
            }
        }
    }

    /// Tells a gateway when to come back. It has cost a handshake; it gets no row and no task.
    async fn put_off(&self, mut opening: Box<Opening<TlsStream<TcpStream>>>, reason: &Reason) {
        let put_off = &self.ingest.pipeline.figures.sessions_put_off;
        put_off.fetch_add(1, Ordering::Relaxed);
        opening.mqtt.put_off(reason, opening.socket.out());
        // The peer may be gone; then there is nobody to tell.
        let _ = timeout(LEAVING, opening.socket.finish_heard()).await;
    }

    async fn refuse(&self, mut opening: Box<Opening<TlsStream<TcpStream>>>, reason: &Reason) {
        self.ingest
            .pipeline
            .figures
            .refused
            .fetch_add(1, Ordering::Relaxed);
        opening.mqtt.refuse(reason, opening.socket.out());
        // The peer may be gone; then there is nobody to tell.
        let _ = timeout(PATIENCE, opening.socket.finish()).await;
    }
}

/// Reads until the CONNECT is there. What was sent behind it waits in the opening.
async fn read_connect(opening: &mut Opening<TlsStream<TcpStream>>) -> Result<Connect, String> {
    loop {
        match opening.packets.pop_front() {
            Some(Packet::Connect(connect)) => return Ok(connect),
            Some(_) => return Err("sent something before its CONNECT".to_owned()),
            None => {}
        }
        let mut broken = Ok(());
        let Opening {
            socket,
            mqtt,
            packets,
        } = opening;
        let turn = socket
            .turn(true, |octets, out| {
                broken = mqtt.receive(octets, out, packets);
            })
            .await
            .map_err(|e| format!("connection broke ({e})"))?;
        broken?;
        if turn == Turn::Ended {
            return Err("closed the connection before its CONNECT".to_owned());
        }
    }
}

/// Small messages at once, and a dead peer noticed by the kernel too.
fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    let tuned = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a socket option could not be set");
    }
}
