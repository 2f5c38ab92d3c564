//! Modbus TCP servers in front of the plant's banks. Owns the listeners and nothing of the plant.

use crate::plant::Plant;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{ExceptionCode, Response, SlaveRequest};

/// The units of one listener.
#[derive(Clone)]
struct Units {
    plant: Arc<Mutex<Plant>>,
    units: Arc<[(u8, usize)]>,
}

impl tokio_modbus::server::Service for Units {
    type Request = SlaveRequest<'static>;
    /// A unit that does not exist stays silent, as on a serial bus.
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Self::Response, Self::Exception>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let Some((_, bank)) = self.units.iter().find(|(unit, _)| *unit == request.slave) else {
            return ready(Ok(None));
        };
        let mut plant = self.plant.lock().unwrap_or_else(PoisonError::into_inner);
        ready(plant.banks[*bank].answer(&request.request).map(Some))
    }
}

/// Binds and serves until the process ends.
pub(crate) async fn listen(
    address: SocketAddr,
    plant: Arc<Mutex<Plant>>,
    units: Vec<(u8, usize)>,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let service = Units {
        plant,
        units: units.into(),
    };
    tokio::spawn(async move {
        let accept = |stream: TcpStream, peer: SocketAddr| {
            let service = service.clone();
            async move {
                stream.set_nodelay(true)?;
                accept_tcp_connection(stream, peer, |_| Ok(Some(service.clone())))
            }
        };
        let failed = |error| tracing::debug!(%error, "connection ended");
        if let Err(error) = Server::new(listener).serve(&accept, failed).await {
            tracing::error!(%address, %error, "listener ended");
        }
    });
    Ok(())
}
