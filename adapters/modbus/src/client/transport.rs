//! Opening what a lane runs over: TCP, TLS or a serial port. Owns socket and line settings.

use crate::config::{LaneConfig, SerialConfig, Transport, lane::Parity};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_serial::{SerialPort, SerialPortBuilderExt};

/// Whatever carries octets both ways.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What is put around a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// MBAP header with a transaction id.
    Mbap,
    /// Unit id and CRC; nothing says which request an answer is for.
    Rtu,
}

/// An open transport.
pub struct Connection {
    /// The octets.
    pub wire: Box<dyn Wire>,
    /// How frames look on it.
    pub framing: Framing,
}

/// Why a lane could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {object}: {source}{advice}")]
pub struct OpenError {
    operation: &'static str,
    object: String,
    advice: &'static str,
    source: io::Error,
}

/// Opens the lane's transport within its connect timeout.
pub async fn open(config: &LaneConfig) -> Result<Connection, OpenError> {
    let work = attempt(&config.transport);
    match tokio::time::timeout(config.connect_timeout, work).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err((operation, source))) => Err(OpenError {
            operation,
            object: config.name.clone(),
            advice: advice(operation, &source),
            source,
        }),
        Err(_) => Err(OpenError {
            operation: "connect to",
            object: config.name.clone(),
            advice: "; check address, cable and firewall",
            source: io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "nothing happened within {} ms",
                    config.connect_timeout.as_millis()
                ),
            ),
        }),
    }
}

fn advice(operation: &str, error: &io::Error) -> &'static str {
    match (operation, error.kind()) {
        ("open", io::ErrorKind::NotFound) => {
            "; check that the adapter is plugged in and the path is right"
        }
        ("open", io::ErrorKind::PermissionDenied) => {
            "; the gateway's user must be in the group that owns the port"
        }
        ("secure", _) => "; check ca, cert and server_name",
        (_, io::ErrorKind::ConnectionRefused) => {
            "; the host is there, but nothing listens on this port"
        }
        _ => "",
    }
}

async fn attempt(transport: &Transport) -> Result<Connection, (&'static str, io::Error)> {
    let connect = |e| ("connect to", e);
    Ok(match transport {
        Transport::Tcp { host, port } => Connection {
            wire: Box::new(tcp(host, *port).await.map_err(connect)?),
            framing: Framing::Mbap,
        },
        Transport::RtuOverTcp { host, port, .. } => Connection {
            wire: Box::new(tcp(host, *port).await.map_err(connect)?),
            framing: Framing::Rtu,
        },
        Transport::Tls { host, port, tls } => {
            let stream = tcp(host, *port).await.map_err(connect)?;
            let stream = tokio_rustls::TlsConnector::from(tls.client.clone())
                .connect(tls.server_name.clone(), stream)
                .await
                .map_err(|e| ("secure", e))?;
            Connection {
                wire: Box::new(stream),
                framing: Framing::Mbap,
            }
        }
        Transport::Rtu { path, serial } => Connection {
            wire: Box::new(serial_port(path, serial).map_err(|e| ("open", e))?),
            framing: Framing::Rtu,
        },
    })
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    // A device that lost power says nothing; the kernel then finds out within about a minute.
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10));
    SockRef::from(&stream).set_tcp_keepalive(&probes)?;
    Ok(stream)
}

fn serial_port(path: &str, serial: &SerialConfig) -> io::Result<tokio_serial::SerialStream> {
    let builder = tokio_serial::new(path, serial.baud)
        .parity(match serial.parity {
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
            Parity::None => tokio_serial::Parity::None,
        })
        .data_bits(match serial.data_bits {
            7 => tokio_serial::DataBits::Seven,
            _ => tokio_serial::DataBits::Eight,
        })
        .stop_bits(match serial.stop_bits {
            2 => tokio_serial::StopBits::Two,
            _ => tokio_serial::StopBits::One,
        });
    let port = builder.open_native_async()?;
    port.clear(tokio_serial::ClearBuffer::All)?;
    Ok(port)
}
