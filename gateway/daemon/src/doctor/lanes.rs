//! Whether the lanes of every adapter can be reached. A running daemon is asked; otherwise each
//! adapter is run for a few seconds against nothing, which reads and never writes.

use super::finding::Finding;
use super::nowhere::Nowhere;
use super::running::Daemon;
use crate::config::{AdapterEntry, Config};
use riser_adapter::{AdapterContext, HealthBoard, SampleSink, SystemClock};
use riser_model::{DeviceState, LaneHealth, LaneState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long an adapter may try.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long it may take to leave.
const GRACE: Duration = Duration::from_secs(3);
const ADVICE: &str = "look at power, cable, address and port of what is at the other end, and \
                      whether something else uses it";

/// Looks at every lane.
pub(super) async fn look(config: &Config, daemon: &Daemon) -> Vec<Finding> {
    if !daemon.runs {
        let mut findings = Vec::new();
        for entry in &config.adapters {
            findings.extend(probe(entry).await);
        }
        return findings;
    }
    match &daemon.metrics {
        Some(text) => told(text),
        None if config.adapters.is_empty() => Vec::new(),
        None => vec![Finding::doubtful(
            "lanes",
            "daemon",
            "not looked at: the daemon uses them and did not tell",
            "see the Devices page",
        )],
    }
}

/// What the daemon's figures say.
fn told(metrics: &str) -> Vec<Finding> {
    let lanes = values(metrics, "riser_lane_up{lane=\"")
        .into_iter()
        .map(|(lane, up)| {
            if up {
                Finding::good("lane", &lane, "answers")
            } else {
                Finding::broken("lane", &lane, "does not answer", ADVICE)
            }
        });
    let devices = values(metrics, "riser_device_up{device=\"").into_iter();
    let silent = devices
        .filter(|(_, up)| !up)
        .map(|(device, _)| Finding::broken("device", &device, "does not answer", ADVICE));
    lanes.chain(silent).collect()
}

/// First label and value of every line of a figure.
fn values(metrics: &str, start: &str) -> Vec<(String, bool)> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(start));
    lines
        .filter_map(|rest| {
            let (name, _) = rest.split_once('"')?;
            Some((name.to_owned(), rest.ends_with(" 1")))
        })
        .collect()
}

/// Runs an adapter until every lane has shown how it is.
async fn probe(entry: &AdapterEntry) -> Vec<Finding> {
    let built = match (entry.kind.build)(&entry.table, &entry.context) {
        Ok(built) => built,
        Err(error) => {
            return vec![Finding::broken(
                "adapter",
                &entry.name,
                &error.to_string(),
                ADVICE,
            )];
        }
    };
    let (health, cancel) = (HealthBoard::default(), CancellationToken::new());
    let (samples, mut readings) = mpsc::channel(64);
    let (_commands, inbox) = mpsc::channel(1);
    let context = AdapterContext {
        name: entry.name.clone(),
        registry: Arc::new(Nowhere),
        samples: SampleSink::new(samples),
        commands: inbox,
        past: Arc::new(Nowhere),
        memory: Arc::new(Nowhere),
        building: Nowhere::building(),
        health: health.clone(),
        clock: Arc::new(SystemClock),
        cancel: cancel.clone(),
    };
    let drain = tokio::spawn(async move { while readings.recv().await.is_some() {} });
    let mut running = tokio::spawn(built.adapter.run(context));
    let ended = tokio::select! {
        ended = &mut running => Some(ended),
        () = shown(&health) => None,
    };
    let mut findings = report(&health);
    if let Some(ended) = ended {
        let text = match ended {
            Ok(Ok(())) => "ended by itself".to_owned(),
            Ok(Err(error)) => riser_model::chain(&error),
            Err(error) => format!("broke down: {error}"),
        };
        findings.push(Finding::broken("adapter", &entry.name, &text, ADVICE));
    }
    cancel.cancel();
    // One that does not leave is cut off; the daemon would say who was late.
    let _ = tokio::time::timeout(GRACE, &mut running).await;
    running.abort();
    drain.abort();
    findings
}

/// Waits until nothing is on its way any more, or patience is over.
async fn shown(health: &HealthBoard) {
    let end = Instant::now() + PATIENCE;
    let undecided = |lane: &LaneHealth| lane.state == LaneState::Connecting;
    loop {
        sleep(Duration::from_millis(100)).await;
        let (lanes, devices) = (health.lanes(), health.devices());
        let waiting = lanes.is_empty()
            || lanes.iter().any(undecided)
            || devices
                .iter()
                .any(|device| device.state == DeviceState::Unknown);
        if !waiting || Instant::now() >= end {
            return;
        }
    }
}

fn report(health: &HealthBoard) -> Vec<Finding> {
    let mut findings = Vec::new();
    for lane in health.lanes() {
        let error = lane
            .last_error
            .clone()
            .unwrap_or_else(|| "no answer".to_owned());
        findings.push(match lane.state {
            LaneState::Up => Finding::good("lane", &lane.lane, "answers"),
            LaneState::Degraded => Finding::doubtful("lane", &lane.lane, &error, ADVICE),
            LaneState::Down | LaneState::Connecting => {
                Finding::broken("lane", &lane.lane, &error, ADVICE)
            }
        });
    }
    for device in health.devices() {
        let place = format!("{} ({})", device.device, device.address);
        let error = device
            .last_error
            .clone()
            .unwrap_or_else(|| "no answer".to_owned());
        findings.push(match device.state {
            DeviceState::Online => Finding::good("device", &place, "answers"),
            DeviceState::Degraded => Finding::doubtful("device", &place, &error, ADVICE),
            DeviceState::Offline | DeviceState::Unknown => {
                Finding::broken("device", &place, &error, ADVICE)
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_running_daemon_tells_by_its_figures() {
        let metrics = "# TYPE riser_lane_up gauge\n\
            riser_lane_up{lane=\"tcp 192.0.2.7:502\",adapter=\"modbus\"} 1\n\
            riser_lane_up{lane=\"serial /dev/ttyS1\",adapter=\"modbus\"} 0\n\
            riser_device_up{device=\"ahu-1\",lane=\"x\"} 1\n\
            riser_device_up{device=\"meter-1\",lane=\"x\"} 0\n";
        let findings = told(metrics);
        let verdicts: Vec<Verdict> = findings.iter().map(|f| f.verdict).collect();
        assert_eq!(verdicts, [Verdict::Good, Verdict::Broken, Verdict::Broken]);
        assert!(findings[1].to_string().contains("serial /dev/ttyS1"));
        assert!(findings[2].to_string().contains("meter-1"));
    }
}
