//! A client that writes its own octets, for what no proper client does.

use crate::lab::DEADLINE;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) struct Raw(TlsStream<TcpStream>);

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A packet of fewer than 128 octets.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first, u8::try_from(body.len()).unwrap()];
    assert!(body.len() < 128);
    packet.extend_from_slice(body);
    packet
}

/// PUBLISH, QoS 1, version 5.
pub(crate) fn publish(topic: &str, id: u16) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    body.extend_from_slice(&id.to_be_bytes());
    body.push(0);
    body.push(b'x');
    packet(0x32, &body)
}

/// PUBLISH of any length, QoS 1, version 5.
pub(crate) fn publish_of(topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    body.extend_from_slice(&id.to_be_bytes());
    body.push(0);
    body.extend_from_slice(payload);
    let mut packet = vec![0x32];
    let mut left = body.len();
    loop {
        let octet = u8::try_from(left % 128).unwrap();
        left /= 128;
        packet.push(if left > 0 { octet | 0x80 } else { octet });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

impl Raw {
    pub(crate) async fn open(port: u16, config: &Arc<ClientConfig>) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        Self(
            tokio::time::timeout(DEADLINE, connecting)
                .await
                .unwrap()
                .unwrap(),
        )
    }

    pub(crate) fn handshake(&self) -> Option<HandshakeKind> {
        self.0.get_ref().1.handshake_kind()
    }

    pub(crate) fn server_certificate(&self) -> Vec<u8> {
        self.0.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Reads one packet: first octet and body. `None` at the end of the connection.
    pub(crate) async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let reading = async {
            let first = self.0.read_u8().await.ok()?;
            let (mut length, mut shift) = (0_usize, 0);
            loop {
                let octet = self.0.read_u8().await.ok()?;
                length |= usize::from(octet & 0x7f) << shift;
                shift += 7;
                if octet & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.ok()?;
            Some((first, body))
        };
        tokio::time::timeout(DEADLINE, reading)
            .await
            .expect("an answer or the end")
    }

    pub(crate) async fn send_connect(&mut self, id: &str, keep_alive_s: u16) {
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        // Version 5, clean start.
        body.extend_from_slice(&[5, 2]);
        body.extend_from_slice(&keep_alive_s.to_be_bytes());
        body.push(0);
        text(&mut body, id);
        self.send(&packet(0x10, &body)).await;
    }

    pub(crate) async fn connect(&mut self, id: &str, keep_alive_s: u16) {
        self.send_connect(id, keep_alive_s).await;
        let (first, body) = self.receive().await.expect("CONNACK");
        assert_eq!((first, body[1]), (0x20, 0), "CONNACK with success");
    }

    pub(crate) async fn ping(&mut self) {
        self.send(&packet(0xC0, &[])).await;
        assert_eq!(self.receive().await, Some((0xD0, Vec::new())));
    }

    /// Waits for the end of the connection; answers the code of a DISCONNECT before it.
    pub(crate) async fn ended(&mut self) -> Option<u8> {
        let mut code = None;
        while let Some((first, body)) = self.receive().await {
            if first == 0xE0 {
                code = Some(body.first().copied().unwrap_or(0));
            }
        }
        code
    }
}
