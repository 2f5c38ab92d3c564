//! The connection: TCP, TLS where configured, WebSocket, token. Owns every time limit of connecting,
//! the words for what goes wrong on the way, and the bound on what is taken in.

use crate::codec::{MESSAGE_LIMIT, Message, read};
use crate::config::{Config, Endpoint};
use futures_util::{SinkExt, StreamExt};
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::json;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long each step of connecting may take.
const STEP: Duration = Duration::from_secs(10);

/// The first version that knows every request: year and month of its release.
const OLDEST: (u32, u32) = (2023, 4);
const OLDEST_TEXT: &str = "2023.4";

/// Whether a version lacks something. One that is written in no known way is given a try.
pub(crate) fn is_too_old(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(year)), Some(Ok(month))) => (year, month) < OLDEST,
        _ => false,
    }
}

/// What to do about a connection that could not be secured.
fn untrusted(error: &io::Error) -> &'static str {
    use rustls::CertificateError as Bad;
    let inner = error.get_ref().and_then(|e| e.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(bad)) => match bad {
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the certificate is for another name: write the name it is for in 'url'"
            }
            Bad::Expired | Bad::ExpiredContext { .. } => "the certificate is over: renew it there",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the certificate is not valid yet: compare the clocks"
            }
            _ => "the certificate is not trusted here: name it, or the one that signed it, in 'ca'",
        },
        // Whoever speaks no TLS answers something else, or nothing.
        _ => "there is no TLS on this port: write http:// in 'url', or another port",
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that is let in.
pub(crate) struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    read: VecDeque<Message>,
}

/// Why there is no connection (any more).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// Nobody there.
    #[error(
        "no connection to {at}: {source}; look whether Home Assistant runs, and at address and port"
    )]
    Unreachable { at: String, source: io::Error },
    /// A step took too long.
    #[error("{at} did not answer within 10 s while {step}")]
    Slow { at: String, step: &'static str },
    /// The certificate, most likely.
    #[error("no secure connection to {at}: {source}; {}", untrusted(source))]
    Tls { at: String, source: io::Error },
    /// Something answers.
    #[error(
        "{at} answers, but not like Home Assistant: {why}; look at address and port, and whether it is https:// there"
    )]
    Stranger { at: String, why: String },
    /// It wants another token.
    #[error(
        "{at} refuses the access token: {why}; make a new long-lived token in the user's profile and write it to the token file"
    )]
    Token { at: String, why: String },
    /// It does not know all that is asked for.
    #[error("{at} is Home Assistant {version}, older than {OLDEST_TEXT}; update it there")]
    Old { at: String, version: String },
    /// It was there.
    #[error("the connection ended: {0}")]
    Ended(String),
}

impl Socket {
    /// Connects and shows the token. Answers with the version of Home Assistant too.
    pub(crate) async fn connect(config: &Config) -> Result<(Self, String), Lost> {
        let at = config.endpoint.to_string();
        let (mut socket, version) = greet(config).await?;
        if is_too_old(&version) {
            return Err(Lost::Old { at, version });
        }
        let token = json!({"type": "auth", "access_token": config.token.0});
        socket.send(token.to_string()).await?;
        match within(&at, "the token was looked at", socket.next()).await?? {
            Message::AuthOk => Ok((socket, version)),
            Message::AuthInvalid { why } => Err(Lost::Token { at, why }),
            _ => Err(Lost::Stranger {
                at,
                why: "it did not say what it makes of the token".to_owned(),
            }),
        }
    }

    /// Sends a text.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), Lost> {
        let sent = timeout(STEP, self.stream.send(Frame::text(text))).await;
        match sent {
            Ok(sent) => sent.map_err(|e| Lost::Ended(e.to_string())),
            Err(_) => Err(Lost::Ended("it takes nothing any more".to_owned())),
        }
    }

    /// The next message; may be given up while waiting.
    pub(crate) async fn next(&mut self) -> Result<Message, Lost> {
        loop {
            if let Some(message) = self.read.pop_front() {
                return Ok(message);
            }
            match self.stream.next().await {
                Some(Ok(Frame::Text(text))) => self.read.extend(read(&text).map_err(Lost::Ended)?),
                Some(Ok(Frame::Close(_))) | None => {
                    return Err(Lost::Ended("Home Assistant closed it".to_owned()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Lost::Ended(error.to_string())),
            }
        }
    }
}

/// Connects and hears who is there, without a token. Answers with the version.
pub(crate) async fn greet(config: &Config) -> Result<(Socket, String), Lost> {
    let endpoint = &config.endpoint;
    let at = endpoint.to_string();
    let stranger = |why: String| Lost::Stranger {
        at: at.clone(),
        why,
    };
    let stream = reach(config, endpoint, &at).await?;
    let scheme = if endpoint.secure { "wss" } else { "ws" };
    let host = at.split_once("://").map_or(at.as_str(), |(_, host)| host);
    let url = format!("{scheme}://{host}/api/websocket");
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT));
    let upgrade = client_async_with_config(url, stream, Some(limits));
    let upgraded = within(&at, "the WebSocket was opened", upgrade).await?;
    let (stream, _) = upgraded.map_err(|e| match e {
        tungstenite::Error::Http(answer) => stranger(format!("HTTP status {}", answer.status())),
        other => stranger(other.to_string()),
    })?;
    let mut socket = Socket {
        stream,
        read: VecDeque::new(),
    };
    match within(&at, "its greeting was waited for", socket.next()).await? {
        Ok(Message::AuthRequired { version }) => Ok((socket, version)),
        Ok(_) => Err(stranger("it does not ask for a token".to_owned())),
        Err(error) => Err(stranger(error.to_string())),
    }
}

async fn reach(config: &Config, to: &Endpoint, at: &str) -> Result<Box<dyn Stream>, Lost> {
    let dial = TcpStream::connect((to.host.as_str(), to.port));
    let unreachable = |source| Lost::Unreachable {
        at: at.to_owned(),
        source,
    };
    let tcp = within(at, "it was being connected to", dial).await?;
    let tcp = tcp.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let Some(tls) = &config.tls else {
        return Ok(Box::new(tcp));
    };
    let name = ServerName::try_from(to.host.clone());
    let name = name.map_err(|e| Lost::Tls {
        at: at.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, e),
    })?;
    let shake = TlsConnector::from(tls.clone()).connect(name, tcp);
    let secured = within(at, "the connection was secured", shake).await?;
    let secured = secured.map_err(|source| Lost::Tls {
        at: at.to_owned(),
        source,
    })?;
    Ok(Box::new(secured))
}

async fn within<T>(at: &str, step: &'static str, work: impl Future<Output = T>) -> Result<T, Lost> {
    timeout(STEP, work).await.map_err(|_| Lost::Slow {
        at: at.to_owned(),
        step,
    })
}

/// Takes any certificate: what `verify = false` asks for. Signatures are checked all the same.
#[derive(Debug)]
pub(crate) struct Unchecked(CryptoProvider);

impl Default for Unchecked {
    fn default() -> Self {
        Self(ring::default_provider())
    }
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
