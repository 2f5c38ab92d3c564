//! An operator's open dashboard: one WebSocket that follows the clock point of every device. Owns
//! how old values and alarms are when they arrive.

use crate::building::{ANSWERED, key, number};
use crate::load::{Load, now_us};
use riser_e2e::cloud::{Cloud, Live};
use riser_e2e::lab::GATEWAY;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Ages in milliseconds, since the last look.
#[derive(Debug, Default)]
pub(crate) struct Ages {
    /// Of values: since the device answered.
    pub(crate) values: Vec<f64>,
    /// Of alarms: since the device answered with the value that raised them.
    pub(crate) alarms: Vec<f64>,
}

/// The open dashboard; it closes with the value.
#[derive(Debug)]
pub(crate) struct Dashboard {
    ages: Arc<Mutex<Ages>>,
    task: tokio::task::JoinHandle<()>,
}

impl Dashboard {
    /// Opens it on every device of the load.
    pub(crate) async fn open(cloud: &Cloud, load: &Arc<Load>) -> Self {
        let paths: Vec<String> = (0..load.ports.len())
            .map(|d| format!("{}/{ANSWERED}", key(d)))
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let live = cloud.live(GATEWAY, &paths).await;
        let ages = Arc::default();
        let task = tokio::spawn(follow(live, Arc::clone(load), Arc::clone(&ages)));
        Self { ages, task }
    }

    /// What has come since the last look.
    pub(crate) fn take(&self) -> Ages {
        std::mem::take(&mut *self.ages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(mut live: Live, load: Arc<Load>, ages: Arc<Mutex<Ages>>) {
    // A value that comes twice counts when it came first.
    let mut newest: HashMap<String, i64> = HashMap::new();
    while let Some(message) = live.next().await {
        let now = now_us();
        let mut ages = ages.lock().unwrap_or_else(PoisonError::into_inner);
        for value in message["values"].as_array().into_iter().flatten() {
            let (Some(path), Some(answered)) = (value["path"].as_str(), value["value"].as_i64())
            else {
                continue;
            };
            let known = newest.entry(path.to_owned()).or_default();
            if answered > *known {
                *known = answered;
                ages.values.push(millis(now - answered));
            }
        }
        if let Some(given) = raised(&message["alarm"], &load) {
            ages.alarms.push(millis(now - given));
        }
    }
}

/// When the device gave out the value that raised this alarm; `None` when it tells something else.
fn raised(alarm: &Value, load: &Load) -> Option<i64> {
    if alarm["state"] != "active_unacknowledged" {
        return None;
    }
    let raised_by = usize::try_from(alarm["value"].as_u64()?).ok()?;
    load.alarm_given(number(alarm["path"].as_str()?)?, raised_by)
}

/// Microseconds as milliseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 microseconds are 285 years"
)]
pub(crate) fn millis(micros: i64) -> f64 {
    micros as f64 / 1000.0
}
