//! The BACnet part: values read from simulated devices and what each costs, and notifications of very
//! many subscriptions, counted one by one where the gateway keeps them.

#[path = "../../../adapters/bacnet/benches/rig/mod.rs"]
mod rig;

use crate::parts::{Times, count, figure, sum};
use crate::table::{Goal, Row, row};
use crate::usage::{Cost, cost};
use riser_e2e::cloud::Cloud;
use riser_e2e::local::Local;
use riser_e2e::{Lab, until};
use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

/// Devices that are read, and points of each: 30,000 values a second.
const READ: (u8, u32) = (30, 1_000);
/// Devices that tell of changes, and points of each.
const TOLD: (u8, u32) = (5, 1_000);
/// Notifications a second.
const TOLD_A_SECOND: u32 = 500;
/// How long processes may take until every point is good.
const READY: Duration = Duration::from_secs(90);
/// How long the last notifications may take to the disk.
const SETTLE: Duration = Duration::from_secs(3);

/// Devices and a gateway that has all of their points.
struct Rig {
    devices: Arc<rig::Devices>,
    lab: Lab,
    local: Local,
    // Kept: the session of the cloud ends with it.
    _cloud: Cloud,
}

impl Rig {
    async fn start(size: (u8, u32), rest: &str) -> Self {
        let free = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let devices = rig::Devices::start(port, size.0).expect("addresses of loopback");
        let building = "[[adapter]]\nkind = \"bacnet\"\nname = \"field\"\n".to_owned()
            + &rig::config("adapter.", port, size, rest);
        let (lab, local, cloud) = Lab::start(&building).await;
        let rig = Self {
            devices: Arc::new(devices),
            lab,
            local,
            _cloud: cloud,
        };
        let points = figure(u64::from(size.0) * u64::from(size.1));
        until("every point is good", READY, || async {
            let metrics = rig.local.text("/metrics").await;
            (sum(&metrics, "riser_points{quality=\"good\"}") >= points).then_some(())
        })
        .await;
        rig
    }

    async fn cost(&self, stretch: Duration) -> Cost {
        cost(self.lab.gateway.id().expect("the gateway runs"), stretch).await
    }

    /// Rounds that began late, and samples lost.
    async fn missed(&self) -> f64 {
        let metrics = self.local.text("/metrics").await;
        sum(&metrics, "riser_lane_overruns_total")
            + sum(&metrics, "riser_samples_lost_total")
            + sum(&metrics, "riser_store_dropped_samples_total")
            + sum(&metrics, "riser_store_shed_samples_total")
    }

    async fn stop(mut self) {
        self.lab.gateway.stop().await;
        self.lab.cloud.stop().await;
    }
}

/// Both figures.
pub(crate) async fn bacnet(times: Times) -> Vec<Row> {
    let mut rows = reading(times).await;
    rows.extend(telling(times).await);
    rows
}

async fn reading(times: Times) -> Vec<Row> {
    let rig = Rig::start(READ, "interval_ms = 1000").await;
    tokio::time::sleep(times.warm_up).await;
    let (values, missed) = (rig.devices.values(), rig.missed().await);
    let cost = rig.cost(times.measure).await;
    let values = figure(rig.devices.values() - values);
    let missed = rig.missed().await - missed;
    rig.stop().await;
    vec![
        row(
            "BACnet: property values read",
            values / cost.wall.as_secs_f64(),
            "/s",
            Goal::Least(20_000.0),
        )
        .remark(format!(
            "{} devices × {} objects each second, with status flags; {missed:.0} rounds late or samples lost",
            READ.0, READ.1
        )),
        row(
            "gateway processor time per value",
            cost.micros_each(values),
            "µs",
            Goal::Most(10.0),
        )
        .remark(format!("{:.2} cores; stored and sent to the cloud", cost.cores())),
        row("gateway memory", cost.rss, "MB", Goal::None).remark("most resident"),
    ]
}

async fn telling(times: Times) -> Vec<Row> {
    let rest = "interval_ms = 86400000\ncov = true\ncov_lifetime_s = 3600\ncov_verify_s = 86400";
    let rig = Rig::start(TOLD, rest).await;
    let all = usize::from(TOLD.0) * TOLD.1 as usize;
    until("a subscription to every point", READY, || async {
        (rig.devices.subscriptions() == all).then_some(())
    })
    .await;
    let seconds = u32::try_from(times.measure.as_secs()).unwrap_or(u32::MAX);
    let span = (0, TOLD_A_SECOND * seconds);
    let telling = rig.devices.telling(span, TOLD.1, TOLD_A_SECOND);
    let cost = rig.cost(times.measure).await;
    let sent = telling.await.unwrap_or_default();
    tokio::time::sleep(SETTLE).await;
    let kept = kept(&rig.local).await;
    rig.stop().await;
    vec![
        row(
            "BACnet: notifications lost",
            // A rig that told of too few would lose none.
            match u32::try_from(all).is_ok_and(|all| sent >= all.min(TOLD_A_SECOND * seconds)) {
                true => f64::from(sent) - count(kept),
                false => f64::NAN,
            },
            "",
            Goal::Most(0.0),
        )
        .remark(format!(
            "{sent} told of {all} subscribed points at {TOLD_A_SECOND}/s, {kept} in the gateway's history"
        )),
        row(
            "gateway processor time per notification",
            cost.micros_each(f64::from(sent)),
            "µs",
            Goal::None,
        )
        .remark(format!("{:.3} cores", cost.cores())),
    ]
}

/// How many different notifications are in the gateway's history: each has a value of its own.
async fn kept(local: &Local) -> usize {
    let mut values: HashSet<u32> = HashSet::new();
    for device in 1..=TOLD.0 {
        for point in 1..=TOLD.1 {
            let path = format!("/api/v1/points/d{device}/p{point}/samples.csv?from=0");
            let text = local.text(&path).await;
            let cells = text.lines().filter_map(|line| line.split(',').nth(2));
            let told = cells.filter_map(|cell| cell.trim_end_matches(".0").parse::<u32>().ok());
            values.extend(told.filter(|value| *value >= rig::FIRST));
        }
    }
    values.len()
}
