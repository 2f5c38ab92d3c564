//! Operating figures in the Prometheus text format, version 0.0.4. Owns their names, which are an
//! interface: dashboards and alerts elsewhere refer to them.

use crate::face::Face;
use riser_model::{DeviceState, LaneState, LinkState, LinkStatus};
use riser_store::{DiskState, StoreStats};
use std::fmt::{Display, Write};

/// The media type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything, as it is now.
pub(crate) fn text(face: &Face) -> String {
    let mut page = Page::default();
    about(&mut page, face);
    runtime(&mut page, face);
    store(&mut page, &face.store().stats());
    link(&mut page, &face.link().borrow());
    backup(&mut page, face);
    lanes(&mut page, face);
    devices(&mut page, face);
    for more in face.more_counters() {
        page.counter(more.name, more.help, more.value);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a figure.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP riser_{name} {help}\n# TYPE riser_{name} {kind}"
        );
    }

    /// One value of the figure begun last.
    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "riser_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let text = text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_total");
        self.family(&name, "counter", help);
        self.value(&name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.value(name, &[], value);
    }
}

fn about(page: &mut Page, face: &Face) {
    let gateway = face.gateway_facts();
    page.family(
        "build_info",
        "gauge",
        "The software and the gateway it runs on.",
    );
    let labels = [
        ("version", gateway.version.as_str()),
        ("gateway", gateway.id.as_str()),
        ("tenant", gateway.tenant.as_str()),
    ];
    page.value("build_info", &labels, 1);
    let started = gateway.started_at.0 / 1000;
    page.gauge(
        "start_time_seconds",
        "When the daemon was started.",
        started,
    );
    let sockets = crate::face::LIVE_SOCKETS - face.live_sockets().available_permits();
    page.gauge("live_sockets", "Live views that are open.", sockets);
}

fn runtime(page: &mut Page, face: &Face) {
    let runtime = face.runtime();
    for (name, value) in runtime.stats().counters() {
        page.counter(name, &format!("{}.", name.replace('_', " ")), value);
    }
    let points = runtime.quality_counts();
    page.family("points", "gauge", "Points by quality.");
    for (quality, count) in [
        ("good", points.good),
        ("uncertain", points.uncertain),
        ("bad", points.bad),
    ] {
        page.value("points", &[("quality", quality)], count);
    }
    let adapters = runtime.adapters();
    page.family("adapter_running", "gauge", "1 while the adapter runs.");
    for adapter in &adapters {
        let running = u8::from(adapter.state == riser_runtime::AdapterState::Running);
        let labels = [
            ("adapter", adapter.name.as_str()),
            ("kind", adapter.kind.as_str()),
        ];
        page.value("adapter_running", &labels, running);
    }
}

fn backup(page: &mut Page, face: &Face) {
    let Some(health) = face.backup() else {
        return;
    };
    let help = "1 when the last backup was made, restored and compared.";
    page.gauge("backup_ok", help, u8::from(health.ok == Some(true)));
    let seconds = health.last_ok.map_or(0, |at| at.0 / 1000);
    page.gauge(
        "backup_last_ok_seconds",
        "When the last good backup was begun; 0 before the first.",
        seconds,
    );
    page.gauge(
        "backup_bytes",
        "Size of the last good backup.",
        health.octets,
    );
}

fn store(page: &mut Page, stats: &StoreStats) {
    let failing = u8::from(stats.disk != DiskState::Ok);
    page.gauge("disk_failing", "1 while the disk refuses writes.", failing);
    page.gauge(
        "store_queued_samples",
        "Samples waiting for the disk.",
        stats.queued_samples,
    );
    page.gauge(
        "store_queued_events",
        "Events waiting for the disk.",
        stats.queued_events,
    );
    page.gauge(
        "history_bytes",
        "Octets of the stored batches.",
        stats.history_bytes,
    );
    page.gauge(
        "history_files",
        "Day files of the history.",
        stats.history_files,
    );
    page.gauge(
        "history_disk_bytes",
        "Octets the history takes on the disk.",
        stats.history_disk_bytes,
    );
    page.gauge(
        "store_held_samples",
        "Samples held back until the time is known.",
        stats.held_samples,
    );
    room(page, stats);
    if let Some(written) = stats.written_bytes {
        page.counter(
            "disk_written_bytes",
            "Octets this process has had written to disks.",
            written,
        );
    }
    if let Some(free) = stats.free_bytes {
        page.gauge("disk_free_bytes", "Free octets at the last look.", free);
    }
    let slowest = micros(stats.slowest_commit_micros);
    page.gauge("store_commit_seconds_max", "The slowest commit.", slowest);
    page.family("store_commit_seconds", "summary", "Duration of commits.");
    page.value("store_commit_seconds_sum", &[], micros(stats.commit_micros));
    page.value("store_commit_seconds_count", &[], stats.commits);
    store_counters(page, stats);
}

/// How full and how worn the disk is.
fn room(page: &mut Page, stats: &StoreStats) {
    let help = "Given up as the disk fills: 0 nothing, 1 old days, 2 compaction, 3 samples.";
    page.gauge("disk_stage", help, stats.stage as u64);
    if let Some(wear) = stats.wear {
        let (used, spare) = (u64::from(wear.used_percent), u64::from(wear.spare));
        page.gauge("disk_life_used_percent", "Life of the eMMC used up.", used);
        let help = "Spare blocks of the eMMC: 1 enough, 2 eight of ten used, 3 nine.";
        page.gauge("disk_spare_blocks_state", help, spare);
    }
}

fn store_counters(page: &mut Page, stats: &StoreStats) {
    for (name, help, value) in [
        (
            "store_committed_samples",
            "Samples on disk.",
            stats.committed_samples,
        ),
        (
            "store_committed_batches",
            "Batches on disk.",
            stats.committed_batches,
        ),
        (
            "store_committed_events",
            "Events on disk.",
            stats.committed_events,
        ),
        (
            "store_frame_bytes",
            "Octets of the batches written.",
            stats.frame_bytes,
        ),
        (
            "store_dropped_samples",
            "Samples lost: the disk was too slow.",
            stats.dropped_samples,
        ),
        (
            "store_shed_samples",
            "Samples lost with an old day file.",
            stats.shed_samples,
        ),
        (
            "store_failed_commits",
            "Transactions repeated.",
            stats.failed_commits,
        ),
        (
            "store_compacted_files",
            "Days compacted.",
            stats.compacted_files,
        ),
        (
            "store_files_set_aside",
            "Damaged files set aside.",
            stats.files_set_aside,
        ),
    ] {
        page.counter(name, help, value);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 microseconds are 285 years"
)]
fn micros(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 milliseconds are 285,000 years"
)]
fn millis(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

fn link(page: &mut Page, link: &LinkStatus) {
    page.family(
        "link_state",
        "gauge",
        "1 for the state the cloud link is in.",
    );
    for (name, state) in [
        ("disabled", LinkState::Disabled),
        ("offline", LinkState::Offline),
        ("connecting", LinkState::Connecting),
        ("catching_up", LinkState::CatchingUp),
        ("live", LinkState::Live),
        ("degraded", LinkState::Degraded),
    ] {
        page.value(
            "link_state",
            &[("state", name)],
            u8::from(link.state == state),
        );
    }
    page.gauge(
        "link_backlog_batches",
        "Batches not yet durable.",
        link.backlog_batches,
    );
    page.gauge("link_backlog_bytes", "Their octets.", link.backlog_bytes);
    page.gauge(
        "link_backlog_seconds",
        "Age of the oldest.",
        millis(link.backlog_age_ms),
    );
    if let Some(ms) = link.round_trip_ms {
        page.gauge(
            "link_round_trip_seconds",
            "Round trip to the cloud.",
            f64::from(ms) / 1000.0,
        );
    }
    page.counter("link_sent_bytes", "Octets sent.", link.bytes_sent);
    page.counter(
        "link_sent_samples",
        "Samples sent, resends too.",
        link.samples_sent,
    );
    page.counter("link_connects", "Connections made.", link.connects);
    page.gauge(
        "link_quarantined_batches",
        "Batches kept aside: refused by the cloud, or damaged here.",
        link.quarantined,
    );
}

fn lanes(page: &mut Page, face: &Face) {
    let lanes = face.runtime().health().lanes();
    page.family("lane_up", "gauge", "1 while the lane answers.");
    for lane in &lanes {
        let up = u8::from(matches!(lane.state, LaneState::Up | LaneState::Degraded));
        page.value(
            "lane_up",
            &[("lane", &lane.lane), ("adapter", &lane.adapter)],
            up,
        );
    }
    page.family(
        "lane_utilisation_ratio",
        "gauge",
        "Part of the time a request was out.",
    );
    for lane in &lanes {
        page.value(
            "lane_utilisation_ratio",
            &[("lane", &lane.lane)],
            lane.utilisation,
        );
    }
    type Figure = fn(&riser_model::LaneHealth) -> u64;
    let figures: [(&str, &str, Figure); 5] = [
        ("lane_requests_total", "Requests sent.", |l| l.requests),
        (
            "lane_timeouts_total",
            "Requests without answer in time.",
            |l| l.timeouts,
        ),
        (
            "lane_desyncs_total",
            "Answers that belonged to no request.",
            |l| l.desyncs,
        ),
        ("lane_overruns_total", "Scans a whole interval late.", |l| {
            l.overruns
        }),
        ("lane_connects_total", "Connections made.", |l| l.connects),
    ];
    for (name, help, figure) in figures {
        page.family(name, "counter", help);
        for lane in &lanes {
            page.value(name, &[("lane", &lane.lane)], figure(lane));
        }
    }
}

fn devices(page: &mut Page, face: &Face) {
    let devices = face.runtime().health().devices();
    page.family("device_up", "gauge", "1 while the device answers.");
    for device in &devices {
        let up = u8::from(matches!(
            device.state,
            DeviceState::Online | DeviceState::Degraded
        ));
        let labels = [
            ("device", device.device.as_str()),
            ("lane", device.lane.as_str()),
        ];
        page.value("device_up", &labels, up);
    }
    page.family(
        "device_errors_total",
        "counter",
        "Requests to the device that failed.",
    );
    for device in &devices {
        page.value(
            "device_errors_total",
            &[("device", device.device.as_str())],
            device.errors,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.value("x", &[("a", "say \"hi\"\\\n"), ("b", "c")], 1);
        assert_eq!(page.0, "riser_x{a=\"say \\\"hi\\\"\\\\\\n\",b=\"c\"} 1\n");
    }
}
