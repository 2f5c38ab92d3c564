//! Making a connection and finding out whom it leads to. Owns the negotiation of session keys and
//! the order in which versions are tried on one connection; a session is only handed out once a
//! message of the device was deciphered.

use super::session::{Arrived, Session, Wire};
use super::trouble::{Evidence, Known, Trouble, judge};
use crate::codec::crypto::{BLOCK, session_key};
use crate::codec::frame::FrameError;
use crate::codec::payload::OpenError;
use crate::codec::request::Target;
use crate::codec::{Content, LocalKey, Message, Version, command};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A busy device closes at once; this is how long it may take.
const GRACE: Duration = Duration::from_millis(120);
/// For one version among several.
const GUESS: Duration = Duration::from_millis(1500);

/// Whom to connect to, and how.
#[derive(Debug, Clone)]
pub struct Address<'a> {
    /// Address or name.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
    /// Identity.
    pub id: &'a str,
    /// Key.
    pub key: &'a LocalKey,
    /// For the connection.
    pub connect: Duration,
    /// For an answer.
    pub timeout: Duration,
    /// Seconds since 1970.
    pub now: i64,
}

/// Connects, and tries these versions one after the other.
pub async fn connect(
    to: &Address<'_>,
    versions: &[Version],
    known: &Known,
) -> Result<Session, Trouble> {
    let stream =
        match tokio::time::timeout(to.connect, TcpStream::connect((to.host, to.port))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(no_connection(to, &error, known)),
            Err(_) => {
                let why = format!(
                    "{}:{} does not take a connection within {} ms",
                    to.host,
                    to.port,
                    to.connect.as_millis()
                );
                return Err(Trouble::Unreachable(why));
            }
        };
    let _not_fatal = stream.set_nodelay(true);
    let mut wire = Wire::new(stream);
    if wire.closes_within(GRACE).await {
        return Err(Trouble::Busy);
    }
    let mut seen = Vec::new();
    let mut rest = versions.to_vec();
    while !rest.is_empty() {
        let version = rest.remove(0);
        let patience = if versions.len() > 1 {
            GUESS.min(to.timeout)
        } else {
            to.timeout
        };
        let answer =
            tokio::time::timeout(patience, greet(&mut wire, version, to, versions.len() > 1)).await;
        let evidence = match answer {
            Ok(Ok((key, first))) => {
                let mut session = Session::new(wire, version, key);
                session.first.extend(first);
                return Ok(session);
            }
            Ok(Err(evidence)) => evidence,
            Err(_) => Evidence::Nothing,
        };
        seen.push((version, evidence));
        if evidence == Evidence::Closed {
            break;
        }
        // A complaint in the clear is what 3.1 makes of a question it cannot read.
        if evidence == Evidence::OtherFraming && version == Version::V33 {
            rest.sort_by_key(|v| *v != Version::V31);
        }
    }
    Err(judge(&seen, known))
}

fn no_connection(to: &Address<'_>, error: &std::io::Error, known: &Known) -> Trouble {
    match error.kind() {
        // It announces itself, so it is there, and it is a device.
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset if known.announced.is_some() => {
            Trouble::Busy
        }
        _ => Trouble::Unreachable(format!("{}:{}: {error}", to.host, to.port)),
    }
}

type Greeted = (LocalKey, Option<Message>);

/// Asks in one version until the device answers in it.
async fn greet(
    wire: &mut Wire,
    version: Version,
    to: &Address<'_>,
    guessing: bool,
) -> Result<Greeted, Evidence> {
    if version.negotiates() {
        let key = negotiate(wire, version, to.key).await?;
        return Ok((key, None));
    }
    let target = Target {
        version,
        id: to.id,
        node: None,
        now: to.now,
    };
    let question = target.query();
    send(
        wire,
        question.command,
        question.text.as_bytes(),
        (version, to.key),
    )
    .await?;
    loop {
        let message = Message::new(&receive(wire, (version, to.key)).await?);
        match message.content {
            // In the clear it complains that it could not read the question.
            _ if message.clear && guessing => return Err(Evidence::OtherFraming),
            _ if message.clear => return Err(Evidence::NotOurKey),
            // An empty message proves no key.
            Content::Nothing => {}
            _ => return Ok((to.key.clone(), Some(message))),
        }
    }
}

/// Both ends prove that they have the key, and make another of two nonces.
async fn negotiate(
    wire: &mut Wire,
    version: Version,
    key: &LocalKey,
) -> Result<LocalKey, Evidence> {
    let ours: [u8; BLOCK] = rand::random();
    send(wire, command::NEGOTIATE_START, &ours, (version, key)).await?;
    let answer = loop {
        let opened = receive(wire, (version, key)).await?;
        if opened.command == command::NEGOTIATE_ANSWER {
            break opened.plain;
        }
    };
    let (Some(theirs), Some(proof)) =
        (answer.first_chunk::<BLOCK>(), answer.get(BLOCK..BLOCK + 32))
    else {
        return Err(Evidence::NotOurKey);
    };
    if !key.verify(&ours, proof) {
        return Err(Evidence::NotOurKey);
    }
    send(
        wire,
        command::NEGOTIATE_FINISH,
        &key.sign(theirs),
        (version, key),
    )
    .await?;
    Ok(session_key(key, version == Version::V35, ours, *theirs))
}

async fn send(
    wire: &mut Wire,
    command: u32,
    text: &[u8],
    how: (Version, &LocalKey),
) -> Result<(), Evidence> {
    wire.send(command, text, how)
        .await
        .map_err(|_| Evidence::Closed)
}

/// The next message of a device whose version is not settled yet.
async fn receive(
    wire: &mut Wire,
    how: (Version, &LocalKey),
) -> Result<crate::codec::payload::Opened, Evidence> {
    let began = Instant::now();
    loop {
        match wire.receive(how).await {
            Arrived::Message(opened) => return Ok(opened),
            Arrived::Closed(_) => return Err(Evidence::Closed),
            Arrived::Refused(OpenError::Frame(FrameError::OtherFraming)) => {
                return Err(Evidence::OtherFraming);
            }
            Arrived::Refused(OpenError::Key) => return Err(Evidence::NotOurKey),
            // Under HMAC and GCM a wrong check is a wrong key; a wrong CRC is noise.
            Arrived::Refused(OpenError::Frame(FrameError::Check)) if how.0.negotiates() => {
                return Err(Evidence::NotOurKey);
            }
            Arrived::Refused(_) if began.elapsed() > GUESS => return Err(Evidence::Nothing),
            Arrived::Refused(_) => {}
        }
    }
}
