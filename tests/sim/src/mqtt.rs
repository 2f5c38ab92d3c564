//! As much of an MQTT 5 broker as one gateway needs to speak to the simulated zigbee2mqtt: sessions,
//! filters, messages that are kept. Owns no message; `zigbee` has them.
//!
//! Deliberately absent: MQTT 3, passwords, TLS, wills, messages between clients, any quality of service
//! above "at most once" on the way out.

use crate::plant::Plant;
use crate::zigbee::{self, Message, State};
use bytes::BytesMut;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, Packet, PingResp, PubAck, Publish, SubAck, SubscribeReasonCode,
    UnsubAck, UnsubAckReason,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// Longest packet taken.
const PACKET_MAX: u32 = 1 << 20;
/// How often it is looked whether a device has something new to tell.
const LOOK: Duration = Duration::from_secs(1);

/// One client.
struct Session {
    plant: Arc<Mutex<Plant>>,
    /// News for every client.
    news: broadcast::Sender<Message>,
    filters: Vec<String>,
    out: BytesMut,
}

impl Session {
    fn put(&mut self, packet: &Packet) {
        if let Err(error) = packet.write(&mut self.out, None) {
            tracing::debug!(?error, "a packet was not written");
        }
    }

    fn publish(&mut self, message: &Message, retain: bool) {
        if self.filters.iter().any(|f| fits(f, &message.topic)) {
            let payload = message.payload.clone();
            let mut publish = Publish::new(&message.topic, QoS::AtMostOnce, payload, None);
            publish.retain = retain;
            self.put(&Packet::Publish(publish));
        }
    }

    fn kept(&self) -> Vec<Message> {
        let plant = self.plant.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = zigbee::constant();
        all.extend(zigbee::states(&plant.office).iter().map(State::told));
        all
    }

    fn subscribe(&mut self, id: u16, new: &[String]) {
        let codes = vec![SubscribeReasonCode::Success(QoS::AtMostOnce); new.len()];
        self.put(&Packet::SubAck(SubAck {
            pkid: id,
            return_codes: codes,
            properties: None,
        }));
        self.filters.extend(new.iter().cloned());
        for message in self.kept() {
            if new.iter().any(|f| fits(f, &message.topic)) {
                self.publish(&message, true);
            }
        }
    }

    fn published(&mut self, publish: &Publish) {
        if publish.qos != QoS::AtMostOnce {
            self.put(&Packet::PubAck(PubAck::new(publish.pkid, None)));
        }
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let news = {
            let mut plant = self.plant.lock().unwrap_or_else(PoisonError::into_inner);
            let (answer, tell) = zigbee::heard(&mut plant.office, &topic, &publish.payload);
            let states = if tell {
                zigbee::states(&plant.office)
            } else {
                Vec::new()
            };
            let told = states.iter().map(State::told);
            answer.into_iter().chain(told).collect::<Vec<_>>()
        };
        for message in news {
            // This client hears it as every other does.
            let _nobody = self.news.send(message);
        }
    }

    /// Takes one packet; false when the client says that it goes.
    fn take(&mut self, packet: Packet) -> bool {
        match packet {
            Packet::Connect(..) => self.put(&Packet::ConnAck(ConnAck {
                session_present: false,
                code: ConnectReturnCode::Success,
                properties: None,
            })),
            Packet::PingReq(_) => self.put(&Packet::PingResp(PingResp)),
            Packet::Subscribe(subscribe) => {
                let new: Vec<String> = subscribe.filters.into_iter().map(|f| f.path).collect();
                self.subscribe(subscribe.pkid, &new);
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.filters.retain(|f| !unsubscribe.filters.contains(f));
                self.put(&Packet::UnsubAck(UnsubAck {
                    pkid: unsubscribe.pkid,
                    reasons: vec![UnsubAckReason::Success; unsubscribe.filters.len()],
                    properties: None,
                }));
            }
            Packet::Publish(publish) => self.published(&publish),
            Packet::Disconnect(_) => return false,
            _ => {}
        }
        true
    }

    async fn run(mut self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut received = BytesMut::new();
        let mut news = self.news.subscribe();
        loop {
            tokio::select! {
                read = stream.read_buf(&mut received) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Ok(packet) = Packet::read(&mut received, Some(PACKET_MAX)) {
                        if !self.take(packet) {
                            return Ok(());
                        }
                    }
                }
                message = news.recv() => match message {
                    Ok(message) => self.publish(&message, false),
                    // What was missed is told again with the next change.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
            }
            let out = self.out.split();
            stream.write_all(&out).await?;
        }
    }
}

/// MQTT 5.0, 4.7: whether a topic fits a filter.
fn fits(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// Tells every client what devices have to tell, as it changes.
async fn tell(plant: Arc<Mutex<Plant>>, news: broadcast::Sender<Message>) {
    let mut told: Vec<State> = Vec::new();
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let states = {
            let plant = plant.lock().unwrap_or_else(PoisonError::into_inner);
            zigbee::states(&plant.office)
        };
        for state in states.iter().filter(|s| !told.contains(s)) {
            let _nobody = news.send(state.told());
        }
        told = states;
    }
}

/// Binds and serves until the process ends.
pub(crate) async fn listen(address: SocketAddr, plant: Arc<Mutex<Plant>>) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let (news, _) = broadcast::channel(256);
    tokio::spawn(tell(Arc::clone(&plant), news.clone()));
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let session = Session {
                plant: Arc::clone(&plant),
                news: news.clone(),
                filters: Vec::new(),
                out: BytesMut::new(),
            };
            tokio::spawn(async move {
                if let Err(error) = session.run(stream).await {
                    tracing::debug!(%error, %peer, "connection ended");
                }
            });
        }
    });
    Ok(())
}
