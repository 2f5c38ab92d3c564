//! The life of connections: when to connect, how long to wait after a failure. Owns the back-off and
//! the present client; a connection that worked is made again at once, one that is turned away
//! waits longer.

use super::driver::{self, Driver, Heard};
use super::outbox::Outbox;
use crate::config::BrokerConfig;
use rand::RngExt;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Filter;
use std::future;
use std::time::Duration;
use tokio::time::Instant;

/// Shortest wait between two attempts.
const WAIT: Duration = Duration::from_millis(250);
/// Filters in one SUBSCRIBE.
const FILTERS: usize = 64;

/// Where the connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// Being made, for the first time or after it was lost.
    Connecting,
    /// Up.
    Up,
    /// Lost or refused, and why.
    Down(String),
}

/// The present connection and those to come.
pub(crate) struct Connection {
    config: BrokerConfig,
    client_id: String,
    client: Option<(AsyncClient, Driver)>,
    retry_at: Instant,
    failures: u32,
    /// Where it stands.
    pub(crate) link: Link,
    /// Times it was made.
    pub(crate) connects: u64,
}

impl Connection {
    pub(crate) fn new(config: BrokerConfig, name: &str) -> Self {
        let client_id = config.client_id.clone();
        // Two gateways with the same configuration would throw each other out for ever.
        let random: u32 = rand::rng().random();
        Self {
            client_id: client_id.unwrap_or_else(|| format!("riser-{name}-{random:08x}")),
            config,
            client: None,
            retry_at: Instant::now(),
            failures: 0,
            link: Link::Connecting,
            connects: 0,
        }
    }

    /// The next report. Connects by itself when it is time; never ends.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            if self.client.is_none() {
                tokio::time::sleep_until(self.retry_at).await;
                self.client = Some(driver::start(&self.config, &self.client_id));
            }
            let Some((_, driver)) = &mut self.client else {
                return future::pending().await;
            };
            let Some(heard) = driver.heard.recv().await else {
                self.lost("the MQTT client ended", false);
                continue;
            };
            match &heard {
                Heard::Connected => {
                    self.link = Link::Up;
                    self.connects += 1;
                    self.failures = 0;
                }
                Heard::Ended(trouble) => self.lost(&trouble.words.clone(), trouble.turned_away),
                _ => {}
            }
            return heard;
        }
    }

    fn lost(&mut self, words: &str, turned_away: bool) {
        self.client = None;
        self.link = Link::Down(words.to_owned());
        let most = self.config.reconnect_max;
        self.failures = (self.failures + 1).min(16);
        let hurried = WAIT * 2_u32.saturating_pow(self.failures.min(10));
        let wait = if turned_away { most } else { hurried.min(most) };
        self.retry_at = Instant::now() + wait.mul_f64(rand::rng().random_range(0.5..1.0));
    }

    /// Ends this connection and makes a new one.
    pub(crate) fn renew(&mut self, words: &str) {
        self.lost(words, false);
    }

    /// Hands over what waits, as far as the client takes it.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox) {
        let (Link::Up, Some((client, _))) = (&self.link, &self.client) else {
            return;
        };
        while let Some(message) = outbox.next() {
            let (topic, payload) = (message.topic.clone(), message.payload.clone());
            if client
                .try_publish(topic, QoS::AtLeastOnce, false, payload)
                .is_err()
            {
                return;
            }
            outbox.sent();
        }
    }

    /// Subscribes; `false` when the client takes nothing now.
    pub(crate) fn subscribe(&self, topics: &[String]) -> bool {
        let Some((client, _)) = &self.client else {
            return false;
        };
        topics.chunks(FILTERS).all(|part| {
            let filters = part.iter().map(|t| Filter::new(t, QoS::AtLeastOnce));
            client.try_subscribe_many(filters).is_ok()
        })
    }

    /// Unsubscribes from what is no longer wanted.
    pub(crate) fn unsubscribe(&self, topic: &str) {
        if let Some((client, _)) = &self.client {
            let _full = client.try_unsubscribe(topic);
        }
    }

    /// Says goodbye, so that the broker does not have to find out.
    pub(crate) async fn close(&mut self) {
        let Some((client, mut driver)) = self.client.take() else {
            return;
        };
        if client.try_disconnect().is_ok() {
            let ended = async { while driver.heard.recv().await.is_some() {} };
            let _late = tokio::time::timeout(Duration::from_millis(300), ended).await;
        }
    }
}
