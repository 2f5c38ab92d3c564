//! Messages over an established connection. Owns the stream, the session key, sequence numbers, and
//! cutting the stream into frames; a frame whose check is wrong is never handed out.

use super::trouble::Trouble;
use crate::codec::frame::{FRAME_MAX, Frame, FrameError, Peel, peel, seal};
use crate::codec::payload::{OpenError, Opened, open_message, wrap};
use crate::codec::request::Request;
use crate::codec::{LocalKey, Message, Version};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A device that does not take a few octets within this time is gone.
const SEND: Duration = Duration::from_secs(3);

/// A connection on which a version and a key are settled.
pub struct Session {
    wire: Wire,
    version: Version,
    key: LocalKey,
    /// What the device said while the version was being settled.
    pub(super) first: VecDeque<Message>,
}

/// A stream and what has come of it so far.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    sequence: u32,
    /// Octets that belonged to no frame, and frames that were refused.
    strays: u64,
}

/// What came off the wire.
pub(super) enum Arrived {
    Message(Opened),
    Refused(OpenError),
    Closed(String),
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            sequence: 0,
            strays: 0,
        }
    }

    pub(super) async fn send(
        &mut self,
        command: u32,
        plain: &[u8],
        (version, key): (Version, &LocalKey),
    ) -> std::io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let body = wrap(plain, command, version, key);
        let frame = Frame {
            sequence: self.sequence,
            command,
            body,
        };
        let octets = seal(&frame, version.framing(), key, rand::random());
        let sent = tokio::time::timeout(SEND, self.stream.write_all(&octets)).await;
        sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    /// The next thing off the wire. Dropping the future loses nothing.
    pub(super) async fn receive(&mut self, (version, key): (Version, &LocalKey)) -> Arrived {
        loop {
            match peel(&self.buffer) {
                Peel::Frame(length) => {
                    let frame: Vec<u8> = self.buffer.drain(..length).collect();
                    return match open_message(&frame, version, key) {
                        Ok(opened) => Arrived::Message(opened),
                        Err(error) => {
                            self.strays += 1;
                            Arrived::Refused(error)
                        }
                    };
                }
                Peel::Stray(octets) => {
                    self.buffer.drain(..octets);
                    self.strays += 1;
                }
                Peel::More if self.buffer.len() > FRAME_MAX => self.buffer.clear(),
                Peel::More => match self.stream.read_buf(&mut self.buffer).await {
                    Ok(0) => return Arrived::Closed("the device closed it".to_owned()),
                    Ok(_) => {}
                    Err(error) => return Arrived::Closed(error.to_string()),
                },
            }
        }
    }

    /// Whether the other end closes within this time without having been asked anything. What
    /// comes instead is kept.
    pub(super) async fn closes_within(&mut self, time: Duration) -> bool {
        match tokio::time::timeout(time, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0) | Err(_)) => true,
            Ok(Ok(_)) | Err(_) => false,
        }
    }
}

impl Session {
    pub(super) fn new(wire: Wire, version: Version, key: LocalKey) -> Self {
        Self {
            wire,
            version,
            key,
            first: VecDeque::new(),
        }
    }

    /// The version both ends speak.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Octets and frames thrown away so far.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.wire.strays
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &Request) -> Result<(), Trouble> {
        let sent = self
            .wire
            .send(
                request.command,
                request.text.as_bytes(),
                (self.version, &self.key),
            )
            .await;
        sent.map_err(|e| Trouble::Lost(e.to_string()))
    }

    /// The next message. Dropping the future loses nothing. `Ok(None)` is a frame that was refused
    /// and does not end the session: a CRC tells of noise, not of an intruder.
    pub async fn receive(&mut self) -> Result<Option<Message>, Trouble> {
        if let Some(message) = self.first.pop_front() {
            return Ok(Some(message));
        }
        match self.wire.receive((self.version, &self.key)).await {
            Arrived::Message(opened) => Ok(Some(Message::new(&opened))),
            Arrived::Refused(OpenError::Frame(FrameError::Check)) if self.version.negotiates() => {
                Err(Trouble::BadCheck)
            }
            Arrived::Refused(OpenError::Key) => Err(Trouble::KeyChanged(self.version)),
            Arrived::Refused(OpenError::Frame(_)) => Ok(None),
            Arrived::Closed(why) => Err(Trouble::Lost(why)),
        }
    }
}
