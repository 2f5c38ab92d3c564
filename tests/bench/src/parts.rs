//! The three parts of the measurement, each with real processes of its own: ten devices, a hundred
//! thousand registers, the floor. Owns what is measured when; each part ends what it started.

use crate::building::{POINTS, all_registers, ten_devices};
use crate::dashboard::{Ages, Dashboard};
use crate::durable::Durable;
use crate::floor::Floor;
use crate::load::{Load, REGISTERS};
use crate::table::{Goal, Row, percentile, row};
use crate::usage::{Cost, cost};
use riser_e2e::cloud::Cloud;
use riser_e2e::local::Local;
use riser_e2e::{Lab, until};
use std::sync::Arc;
use std::time::Duration;

/// The gateway's default, which the measurement leaves as it is (`storage.commit_interval_ms`).
const COMMIT_MS: f64 = 500.0;
/// Devices of the first part.
const TEN: usize = 10;
/// Devices of the second part: 2,000 registers each make 100,000.
const FIFTY: usize = 50;
/// How long processes may take until everything is read and live.
const READY: Duration = Duration::from_secs(60);

/// How long each stretch is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Before anything is measured.
    pub(crate) warm_up: Duration,
    /// Of measuring under an even load.
    pub(crate) measure: Duration,
    /// Of measuring alarms; each device has one every two seconds.
    pub(crate) alarms: Duration,
    /// Of each run of the floor, seconds.
    pub(crate) floor: u32,
}

/// A building under load, up and live.
struct Rig {
    load: Arc<Load>,
    lab: Lab,
    local: Local,
    cloud: Cloud,
}

impl Rig {
    async fn start(devices: usize, points: usize, building: fn(&[u16]) -> String) -> Self {
        let load = Arc::new(Load::start(devices).await.expect("free ports on loopback"));
        let (lab, local, cloud) = Lab::start(&building(&load.ports)).await;
        let rig = Self {
            load,
            lab,
            local,
            cloud,
        };
        until("every point is good and the link live", READY, || async {
            let metrics = rig.local.text("/metrics").await;
            let good = sum(&metrics, "riser_points{quality=\"good\"}") >= count(points * devices);
            let live = sum(&metrics, "riser_link_state{state=\"live\"}") > 0.0;
            (good && live).then_some(())
        })
        .await;
        rig
    }

    /// Everything that is counted, as it is now.
    async fn counts(&self) -> Counts {
        let metrics = self.local.text("/metrics").await;
        Counts {
            requests: figure(self.load.requests()),
            registers: figure(self.load.registers()),
            missed: figure(self.load.missed()),
            octets_up: figure(self.lab.link.octets_up()),
            samples: sum(&metrics, "riser_samples_appended_total"),
            overruns: sum(&metrics, "riser_lane_overruns_total"),
            lost: sum(&metrics, "riser_samples_lost_total")
                + sum(&metrics, "riser_store_dropped_samples_total")
                + sum(&metrics, "riser_store_shed_samples_total"),
            backlog: sum(&metrics, "riser_link_backlog_batches"),
        }
    }

    /// Costs of the gateway and what happened meanwhile.
    async fn measure(&self, stretch: Duration) -> (Cost, Counts) {
        let process = self.lab.gateway.id().expect("the gateway runs");
        let before = self.counts().await;
        let cost = cost(process, stretch).await;
        (cost, self.counts().await.since(&before))
    }

    async fn stop(mut self) {
        self.lab.gateway.stop().await;
        self.lab.cloud.stop().await;
    }
}

/// What is counted at the devices, at the link and by the gateway.
struct Counts {
    requests: f64,
    registers: f64,
    missed: f64,
    octets_up: f64,
    samples: f64,
    overruns: f64,
    lost: f64,
    /// Not a count: what is left to send.
    backlog: f64,
}

impl Counts {
    fn since(self, before: &Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            registers: self.registers - before.registers,
            missed: self.missed - before.missed,
            octets_up: self.octets_up - before.octets_up,
            samples: self.samples - before.samples,
            overruns: self.overruns - before.overruns,
            lost: self.lost - before.lost,
            backlog: self.backlog,
        }
    }
}

/// What a part answers: its lines of the table, and microseconds of processor time per sample.
pub(crate) type Figures = (Vec<Row>, f64);

/// 10 devices × 100 registers each second, with an open dashboard; then alarms.
pub(crate) async fn ten(times: Times) -> Figures {
    let rig = Rig::start(TEN, POINTS, ten_devices).await;
    let dashboard = Dashboard::open(&rig.cloud, &rig.load).await;
    tokio::time::sleep(times.warm_up).await;
    dashboard.take();
    let durable = Durable::watch(&rig.lab.folder);
    let (cost, counts) = rig.measure(times.measure).await;
    let (mut ages, committed) = (dashboard.take(), durable.end());
    rig.load.set_alarming(true);
    tokio::time::sleep(times.alarms).await;
    rig.load.set_alarming(false);
    ages.alarms = dashboard.take().alarms;
    drop(dashboard);
    rig.stop().await;
    let micros = cost.micros_each(counts.samples);
    let mut rows = costs_of_ten(&cost, &counts);
    rows.extend(ages_of_ten(&mut ages, committed, cost.wall));
    (rows, micros)
}

fn costs_of_ten(cost: &Cost, counts: &Counts) -> Vec<Row> {
    let each = |count: f64| count / cost.wall.as_secs_f64();
    vec![
        row(
            "10 devices × 100 registers: on the wire",
            each(counts.requests),
            "requests/s",
            Goal::Near(10.0, 0.2),
        )
        .remark(format!("{:.0} registers/s", each(counts.registers))),
        row(
            "gateway processor time per sample",
            cost.micros_each(counts.samples),
            "µs",
            Goal::Most(5.0),
        )
        .remark(format!("{:.0} samples/s", each(counts.samples))),
        row("gateway memory", cost.rss, "MB", Goal::Most(40.0)).remark("most resident"),
        row(
            "link octets per sample",
            counts.octets_up / counts.samples,
            "",
            Goal::Most(6.0),
        )
        .remark("TLS, gateway to cloud"),
    ]
}

/// Ages after `wall` of values and of what was committed, and of alarms.
fn ages_of_ten(ages: &mut Ages, mut committed: Vec<f64>, wall: Duration) -> Vec<Row> {
    // One value a second of each device; those on their way at the ends do not count.
    let least = 0.95 * count(TEN) * wall.as_secs_f64();
    let line = |figure, ages: &mut [f64], (share, least), most| {
        let came = count(ages.len());
        let (measured, remark) = if came >= least {
            (percentile(ages, share), format!("n = {came}"))
        } else {
            (
                f64::NAN,
                format!("only {came} came, at least {least:.0} should have"),
            )
        };
        row(figure, measured, "ms", Goal::Most(most)).remark(remark)
    };
    let (values, alarms) = (&mut ages.values, &mut ages.alarms);
    vec![
        line(
            "watched value at the dashboard, p50",
            values,
            (0.50, least),
            15.0,
        ),
        line(
            "watched value at the dashboard, p99",
            values,
            (0.99, least),
            50.0,
        ),
        line("alarm at the dashboard, p99", alarms, (0.99, 100.0), 100.0),
        line(
            "value durable in the cloud, p99",
            &mut committed,
            (0.99, least),
            COMMIT_MS + 150.0,
        ),
    ]
}

/// 100,000 contiguous registers each second, in 800 reads of 125.
pub(crate) async fn hundred_thousand(times: Times) -> Figures {
    let rig = Rig::start(FIFTY, REGISTERS, all_registers).await;
    tokio::time::sleep(times.warm_up).await;
    let (cost, counts) = rig.measure(times.measure).await;
    rig.stop().await;

    let seconds = cost.wall.as_secs_f64();
    let micros = cost.micros_each(counts.samples);
    let rows = vec![
        row(
            "100,000 registers/s: read",
            counts.registers / seconds,
            "/s",
            Goal::Near(100_000.0, 1_700.0),
        )
        .remark(format!("{:.0} requests/s", counts.requests / seconds)),
        row(
            "scans missed, by the devices",
            counts.missed,
            "",
            Goal::Most(0.0),
        ),
        row(
            "scans late and samples lost, by the gateway",
            counts.overruns + counts.lost,
            "",
            Goal::Most(0.0),
        )
        .remark(format!("{:.0} samples/s stored", counts.samples / seconds)),
        row("gateway memory", cost.rss, "MB", Goal::Most(200.0)).remark("most resident"),
        row(
            "gateway processor time",
            cost.cores(),
            "cores",
            Goal::Most(0.6),
        )
        .remark(format!(
            "{micros:.2} µs per sample; {} batches left to send",
            counts.backlog
        )),
    ];
    (rows, micros)
}

/// The libmodbus loop on the same reads, beside ours.
pub(crate) async fn floor(times: Times, ours: [Option<f64>; 2]) -> Result<Vec<Row>, String> {
    let floor = Floor::compile().await?;
    let load = Load::start(1).await.map_err(|e| e.to_string())?;
    let mut rows = Vec::new();
    for ((count, per_second), ours) in [(100, 10), (125, 800)].into_iter().zip(ours) {
        let micros = floor
            .micros_each(load.ports[0], count, per_second, times.floor)
            .await?;
        let beside = ours.map_or_else(String::new, |ours| {
            format!("ours {:.2} µs, {:.1} times as much", ours, ours / micros)
        });
        let what = format!("floor: libmodbus, {per_second} reads of {count}/s, per register");
        rows.push(row(what, micros, "µs", Goal::None).remark(beside));
    }
    Ok(rows)
}

/// A count as a figure.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a few minutes are far below 2^53"
)]
pub(crate) fn figure(count: u64) -> f64 {
    count as f64
}

pub(crate) fn count(count: usize) -> f64 {
    figure(count as u64)
}

/// The sum of a figure of `/metrics` over all its labels, or of one labelled line.
pub(crate) fn sum(metrics: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') {
            rest.split_once('}')?.1
        } else {
            rest
        };
        rest.strip_prefix(' ')?.trim().parse::<f64>().ok()
    };
    metrics.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    #[expect(clippy::float_cmp, reason = "whole numbers")]
    fn figures_are_summed_over_their_labels() {
        let metrics =
            "# HELP a_total x\na_total{lane=\"1\"} 2\na_total{lane=\"2\"} 3\na_total_more 9\nb 7\n";
        assert_eq!(sum(metrics, "a_total"), 5.0);
        assert_eq!(sum(metrics, "a_total{lane=\"2\"}"), 3.0);
        assert_eq!(sum(metrics, "b"), 7.0);
        assert_eq!(sum(metrics, "c"), 0.0);
    }
}
