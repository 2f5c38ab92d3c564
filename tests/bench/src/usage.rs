//! What a process costs, as the kernel counts it. Owns the reading of `/proc`.

use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// What a process cost over a stretch of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Wall time of the stretch.
    pub(crate) wall: Duration,
    /// Most resident memory seen in it, MB (millions of octets).
    pub(crate) rss: f64,
}

impl Cost {
    /// Mean number of cores in use.
    pub(crate) fn cores(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// Microseconds of processor time for each of `things`.
    pub(crate) fn micros_each(&self, things: f64) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / things
    }
}

/// Watches a process for `stretch`; memory is looked at once a second.
pub(crate) async fn cost(process: u32, stretch: Duration) -> Cost {
    let (began, before) = (Instant::now(), ticks(process));
    let mut look = interval(Duration::from_secs(1));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut most: f64 = 0.0;
    while began.elapsed() < stretch {
        look.tick().await;
        most = most.max(rss(process));
    }
    // USER_HZ is 100 on every Linux this runs on.
    let cpu = Duration::from_millis((ticks(process) - before) * 10);
    Cost {
        cpu,
        wall: began.elapsed(),
        rss: most,
    }
}

/// Processor time a process has used so far.
pub(crate) fn busy(process: u32) -> Duration {
    Duration::from_millis(ticks(process) * 10)
}

/// User and system ticks of a process and its threads (proc(5), fields 14 and 15).
fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<u64>().ok())
        .sum()
}

/// Resident memory of a process, MB.
pub(crate) fn rss(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with("VmRSS:"))
        .unwrap_or_default();
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|k| k.parse().ok())
        .unwrap_or(0.0);
    kib * 1024.0 / 1e6
}
