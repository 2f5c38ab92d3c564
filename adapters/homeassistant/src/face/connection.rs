//! The life of connections: when to connect, how long to wait after a failure. Owns the back-off and
//! the present client; a broker that turns the gateway away is asked more slowly.

use super::config::{Broker, Names};
use super::driver::{self, Driver, Heard};
use super::outbox::Outbox;
use rand::RngExt;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Filter;
use std::future;
use std::time::Duration;
use tokio::time::Instant;

/// Shortest and longest wait between two attempts.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// The present connection and those to come.
pub(super) struct Connection {
    broker: Broker,
    names: Names,
    client_id: String,
    driver: Option<Driver>,
    up: bool,
    retry_at: Instant,
    failures: u32,
}

impl Connection {
    pub(super) fn new(broker: Broker, names: Names) -> Self {
        // Two gateways with the same configuration would throw each other out for ever.
        let random: u32 = rand::rng().random();
        let client_id = broker.client_id.clone();
        Self {
            client_id: client_id.unwrap_or_else(|| format!("riser-{}-{random:08x}", names.node)),
            broker,
            names,
            driver: None,
            up: false,
            retry_at: Instant::now(),
            failures: 0,
        }
    }

    /// The next report. Connects by itself when it is time; never ends, may be given up while waiting.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            if self.driver.is_none() {
                tokio::time::sleep_until(self.retry_at).await;
                self.driver = Some(driver::start(&self.broker, &self.names, &self.client_id));
            }
            let Some(driver) = &mut self.driver else {
                return future::pending().await;
            };
            let Some(heard) = driver.heard.recv().await else {
                self.lost(false);
                continue;
            };
            match &heard {
                Heard::Connected => {
                    self.up = true;
                    self.failures = 0;
                }
                Heard::Ended(trouble) => self.lost(trouble.turned_away),
                _ => {}
            }
            return heard;
        }
    }

    fn lost(&mut self, turned_away: bool) {
        self.driver = None;
        self.up = false;
        self.failures = (self.failures + 1).min(16);
        let hurried = WAITS.0 * 2_u32.saturating_pow(self.failures.min(10));
        let wait = if turned_away { WAITS.1 } else { hurried };
        let part = rand::rng().random_range(0.5..1.0);
        self.retry_at = Instant::now() + wait.min(WAITS.1).mul_f64(part);
    }

    /// Hands over what waits, as far as the client takes it; answers how much that was.
    pub(super) fn flush(&mut self, outbox: &mut Outbox) -> u64 {
        let (true, Some(driver)) = (self.up, &self.driver) else {
            return 0;
        };
        let mut handed = 0;
        while let Some(message) = outbox.next() {
            let (topic, payload) = (message.topic.clone(), message.payload.clone());
            let sent = driver
                .client
                .try_publish(topic, QoS::AtLeastOnce, true, payload);
            if sent.is_err() {
                outbox.back(message);
                break;
            }
            handed += 1;
        }
        handed
    }

    /// Subscribes to what others publish; `false` when the client takes nothing.
    pub(super) fn subscribe(&self, topics: &[String]) -> bool {
        let Some(driver) = &self.driver else {
            return false;
        };
        let filters = topics.iter().map(|topic| {
            let mut filter = Filter::new(topic, QoS::AtLeastOnce);
            filter.nolocal = true;
            filter
        });
        driver.client.try_subscribe_many(filters).is_ok()
    }

    /// Says that the gateway is no longer there, and goodbye.
    pub(super) async fn close(&mut self) {
        let Some(mut driver) = self.driver.take() else {
            return;
        };
        let client = &driver.client;
        let said = client.try_publish(self.names.status(), QoS::AtLeastOnce, true, "offline");
        if said.is_ok() && client.try_disconnect().is_ok() {
            let ended = async { while driver.heard.recv().await.is_some() {} };
            // Whoever does not take the farewell tells the last will.
            let _late = tokio::time::timeout(FAREWELL, ended).await;
        }
    }
}
