//! Serving connections. Owns their number, how long a peer may take to ask, and the end: requests
//! under way finish, idle connections close, whoever is late is reported.

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Connections at a time; live sockets leave this count when they are open. Further ones wait in
/// the system's queue, so that gateways never lack a file descriptor because of browsers.
const CONNECTIONS_MAX: usize = 4096;
/// Time for a whole request head, counted from the end of the answer before.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Time for requests under way when the service stops.
const GRACE: Duration = Duration::from_secs(5);
/// Pause after an accept that failed, mostly for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// So many failures in a row are told once.
const TOLD_EVERY: u64 = 100;

/// Serves until `stop`, then lets requests under way finish.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Some((stream, peer, place)) = next(&listener, &places, &stop).await {
        // Live values are small and must not wait for company (RFC 896).
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "TCP_NODELAY could not be set on an HTTP connection");
        }
        let (router, stop) = (router.clone(), stop.clone());
        tasks.spawn(async move {
            connection(stream, peer, router, stop).await;
            drop(place);
        });
    }
    tasks.close();
    if timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!(
            late = tasks.len(),
            "HTTP requests did not finish in time and were cut off"
        );
    }
}

async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accepted = async {
        // The semaphore is never closed.
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        let mut failed = 0_u64;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, place)),
                Err(error) => {
                    if failed.is_multiple_of(TOLD_EVERY) {
                        tracing::warn!(%error, failed, "no HTTP connection can be accepted");
                    }
                    failed += 1;
                    sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => None,
        accepted = accepted => accepted,
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "an HTTP connection broke off");
    }
}
