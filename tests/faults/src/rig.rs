//! One rig: numbered devices, `riserd`, the link, `riser-cloud`, all running. Owns starting it,
//! outages of its processes, and drawing up the account of every device.

use crate::account::{Account, Outage, numbers};
use crate::building::Building;
use riser_e2e::cloud::{Cloud, parse_csv};
use riser_e2e::lab::GATEWAY;
use riser_e2e::local::Local;
use riser_e2e::numbered::Numbered;
use riser_e2e::{Lab, until, within};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How soon after its start the gateway must be collecting again.
pub const COLLECTING: Duration = Duration::from_secs(10);
/// How long the cloud may take to get everything once nothing is broken any more.
const DRAIN: Duration = Duration::from_secs(180);
/// How long an account that does not come out even is drawn up again.
const SETTLE: Duration = Duration::from_secs(15);

/// A running rig.
#[derive(Debug)]
pub struct Rig {
    /// The processes and the link.
    pub lab: Lab,
    /// The devices.
    pub devices: Vec<Numbered>,
    /// What they are to the gateway.
    pub building: Building,
    /// A technician at the gateway.
    pub local: Local,
    /// An operator at the cloud.
    pub cloud: Cloud,
    /// When the gateway could not keep what it read.
    pub outages: Vec<Outage>,
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |s| i64::try_from(s.as_millis()).unwrap_or(i64::MAX))
}

/// The samples of a table; none, and why, when what came is an error instead.
fn samples(answer: &str) -> Vec<(i64, f64)> {
    if answer.starts_with('{') || answer.is_empty() {
        eprintln!("no samples: {answer}");
        return Vec::new();
    }
    parse_csv(answer)
}

impl Rig {
    /// Starts everything.
    pub async fn start(building: Building) -> Self {
        let devices = building.devices().await;
        let lab = Lab::prepare(&building.configuration(&devices)).await;
        Self::with(lab, devices, building).await
    }

    /// Starts what is prepared, and waits until values reach the cloud.
    pub async fn with(mut lab: Lab, devices: Vec<Numbered>, building: Building) -> Self {
        lab.cloud.start();
        lab.gateway.start();
        let local = lab.technician().await;
        let cloud = lab.operator().await;
        let rig = Self {
            lab,
            devices,
            building,
            local,
            cloud,
            outages: Vec::new(),
        };
        rig.flowing(Duration::from_secs(60)).await;
        rig
    }

    /// The link as the gateway shows it.
    pub async fn link(&self) -> Value {
        self.local.get("/api/v1/overview").await.1["link"].clone()
    }

    /// The store as the gateway shows it.
    pub async fn store(&self) -> Value {
        self.local.get("/api/v1/overview").await.1["store"].clone()
    }

    /// State of the link.
    pub async fn state(&self) -> String {
        self.link().await["state"].as_str().unwrap_or("").to_owned()
    }

    /// Waits until the link is live and a number given out from now on is in the cloud for good;
    /// answers how long that took.
    pub async fn flowing(&self, limit: Duration) -> Duration {
        let start = Instant::now();
        match self.flows_within(limit).await {
            Some(took) => took,
            None => self.give_up(&format!(
                "the link is not live with new values in the cloud after {:?}; the gateway says {}",
                start.elapsed(),
                self.link().await
            )),
        }
    }

    /// As [`Rig::flowing`]; `None` when it took longer.
    pub async fn flows_within(&self, limit: Duration) -> Option<Duration> {
        let after = f64::from(self.devices[0].answered());
        let path = &self.building.witness(0)[0];
        let from = now() - 5_000;
        let flowing = within(limit, || async {
            let csv = self.recent(path, from).await;
            let new = csv.iter().any(|(_, value)| *value > after);
            (new && self.state().await == "live").then_some(())
        });
        flowing.await.map(|(_, took)| took)
    }

    async fn recent(&self, path: &str, from: i64) -> Vec<(i64, f64)> {
        let far = 4_102_444_800_000_i64;
        let path =
            format!("/api/v1/gateways/{GATEWAY}/points/{path}/samples.csv?from={from}&to={far}");
        samples(&self.cloud.text(&path).await)
    }

    /// Kills the gateway as a power cut does. `since` is the moment from which it could not keep
    /// what it read, or now.
    pub async fn kill_gateway(&mut self, since: Option<i64>) {
        let from = since.unwrap_or_else(now);
        self.lab.gateway.kill().await;
        let until = now();
        self.outages.push(Outage { from, until });
    }

    /// Starts the gateway and waits until it reads every device and shows what it read; answers
    /// how long that took.
    pub async fn start_gateway(&mut self) -> Duration {
        let start = Instant::now();
        self.lab.gateway.start();
        for (number, device) in self.devices.iter().enumerate() {
            let before = f64::from(device.answered());
            let path = &self.building.witness(number)[0];
            let left = (2 * COLLECTING).saturating_sub(start.elapsed());
            until("the gateway collects again", left, || async {
                let value = self.local.value(path).await?;
                (value > before).then_some(())
            })
            .await;
        }
        let took = start.elapsed();
        assert!(took <= COLLECTING, "collecting again only after {took:?}");
        took
    }

    /// Waits until nothing waits for the cloud but what is just being collected.
    pub async fn caught_up(&self) {
        until("the backlog is gone", DRAIN, || async {
            let link = self.link().await;
            (link["backlog_batches"].as_u64()? <= 4 && link["state"] == "live").then_some(())
        })
        .await;
    }

    /// Waits until everything given out until now has gone where it goes, and draws up the accounts.
    pub async fn drained(&self) -> Vec<Account> {
        self.caught_up().await;
        let given: Vec<Vec<i64>> = self.devices.iter().map(Numbered::given).collect();
        let start = Instant::now();
        loop {
            let mut accounts = Vec::new();
            for (number, given) in given.iter().enumerate() {
                for path in self.building.witness(number) {
                    accounts.push(self.account(&path, given).await);
                }
            }
            // The last of them are still being written when the first look is taken.
            if accounts.iter().all(Account::sound) || start.elapsed() > SETTLE {
                return accounts;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn account(&self, path: &str, given: &[i64]) -> Account {
        let far = 4_102_444_800_000_i64;
        // First the edge: what it gets in between is not missed in the cloud.
        let edge = format!("/api/v1/points/{path}/samples.csv?from=0&to={far}");
        let edge = numbers(&samples(&self.local.text(&edge).await));
        let cloud = numbers(&self.recent(path, 0).await);
        Account::new(given, &edge, &cloud, &self.outages)
    }

    /// Fails unless every number is in the cloud once, or was lost by an outage.
    pub async fn complete(&self, what: &str) {
        let accounts = self.drained().await;
        for (number, account) in accounts.iter().enumerate() {
            eprintln!("{what}: point {number}: {account}");
        }
        if !accounts.iter().all(Account::sound) {
            self.give_up("the account does not come out even");
        }
    }

    /// Fails with what both processes said last.
    ///
    /// # Panics
    /// Always.
    #[expect(clippy::panic, reason = "this is how a scenario fails")]
    pub fn give_up(&self, why: &str) -> ! {
        panic!(
            "{why}\n--- riserd\n{}\n--- riser-cloud\n{}",
            self.lab.gateway.tail(),
            self.lab.cloud.tail()
        );
    }
}
