//! Listening and serving, with or without TLS. Owns the bounds on connections and on the time a
//! silent one may take; what is answered is the router's.

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Connections at once. More wait in the kernel's queue.
const CONNECTIONS: usize = 256;
/// Connections at once from one address, so that one machine keeps no other out.
const PER_ADDRESS: usize = 64;
/// How long a TLS handshake may take, and how long the head of a request.
const SILENT_MAX: Duration = Duration::from_secs(15);
/// How long to wait after accepting failed, which it does when there are no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Certificate and key of the face, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// A file cannot be read, or holds no PEM of the kind wanted.
    #[error("could not read the {what} in {}", path.display())]
    File {
        /// What should have been in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What came back.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key do not belong together, or are of no use for TLS.
    #[error("the certificate in {} and the key in {} cannot be used together", files.cert.display(), files.key.display())]
    Pair {
        /// The files.
        files: TlsFiles,
        /// What came back.
        #[source]
        source: rustls::Error,
    },
}

/// The face cannot be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not listen on {address}; is another program there, or is the address not this machine's?"
)]
pub struct ServeError {
    /// Where.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// Reads and checks certificate and key. Opens no port.
///
/// # Errors
/// A file is missing or of no use, or the two do not belong together.
pub fn load_tls(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsProblem> {
    let problem = |what, path: &PathBuf| {
        let path = path.clone();
        move |source| TlsProblem::File { what, path, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(problem("certificates", &files.cert))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(problem("key", &files.key))?;
    let pair = |source| TlsProblem::Pair {
        files: files.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A port that is open, and not answered yet.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    /// Where, with the port the system chose if that was left to it.
    pub address: SocketAddr,
}

/// Opens the port.
///
/// # Errors
/// The address is taken or is none of this machine.
pub async fn bind(
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
) -> Result<Listening, ServeError> {
    let failed = |source| ServeError { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Listening {
        listener,
        tls,
        address,
    })
}

impl Listening {
    /// Where browsers find it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop`, then lets requests under way finish. Whoever calls bounds the wait.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let tls = self.tls.map(TlsAcceptor::from);
        let connections = TaskTracker::new();
        let guests = Guests::default();
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => break,
                next = accept(&self.listener, &places) => next,
            };
            let Some((stream, peer, place)) = next else {
                continue;
            };
            let Some(guest) = guests.enter(peer.ip()) else {
                tracing::debug!(%peer, "as many connections are open from this address as may be");
                continue;
            };
            let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
            connections.spawn(async move {
                connection(stream, peer, (router, tls), stop).await;
                drop((place, guest));
            });
        }
        drop(self.listener);
        connections.close();
        connections.wait().await;
    }
}

/// Open connections by address.
#[derive(Debug, Clone, Default)]
struct Guests(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; counts until dropped.
struct Guest(Guests, IpAddr);

impl Guests {
    fn enter(&self, address: IpAddr) -> Option<Guest> {
        let mut open = self.lock();
        let count = open.entry(address).or_insert(0);
        if *count >= PER_ADDRESS {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Guest(self.clone(), address))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Whole after every statement, so a panic elsewhere does not harm it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut open = self.0.lock();
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "could not accept an HTTP connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    (router, tls): (Router, Option<TlsAcceptor>),
    stop: CancellationToken,
) {
    // Live values are small and must not wait for company (RFC 896).
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY could not be set");
    }
    let Some(tls) = tls else {
        return requests(stream, peer, router, stop).await;
    };
    match tokio::time::timeout(SILENT_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, peer, router, stop).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn requests<S>(stream: S, peer: SocketAddr, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            router.oneshot(request).await
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENT_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an HTTP connection ended early");
    }
}
