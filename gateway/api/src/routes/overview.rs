//! The gateway at a glance, its devices and its lanes. Owns the routes and the counting.

use crate::face::Face;
use crate::refusal::Refusal;
use crate::shape::{AlarmCounts, DeviceCounts, DeviceList, Disk, LaneList, Overview, StoreFacts};
use axum::Json;
use axum::extract::State;
use riser_model::{Alarm, AlarmPriority, AlarmState, DeviceHealth, DeviceState};
use riser_store::{DiskState, StoreStats};

/// The gateway at a glance
#[utoipa::path(get, path = "/api/v1/overview", tag = "gateway",
    responses((status = 200, body = Overview)))]
pub(super) async fn overview(State(face): State<Face>) -> Result<Json<Overview>, Refusal> {
    let runtime = face.runtime();
    Ok(Json(Overview {
        gateway: face.gateway_facts(),
        link: face.link().borrow().clone(),
        alarms: count_alarms(&runtime.alarms()),
        devices: count_devices(&runtime.health().devices()),
        points: runtime.quality_counts(),
        schedules: runtime.schedules(),
        store: store_facts(face.store().stats()),
        adapters: runtime.adapters(),
        backup: face.backup(),
    }))
}

/// Every device with its health
#[utoipa::path(get, path = "/api/v1/devices", tag = "gateway",
    responses((status = 200, body = DeviceList)))]
pub(super) async fn devices(State(face): State<Face>) -> Json<DeviceList> {
    let devices = face.runtime().health().devices();
    Json(DeviceList { devices })
}

/// Every lane with its health
#[utoipa::path(get, path = "/api/v1/lanes", tag = "gateway",
    responses((status = 200, body = LaneList)))]
pub(super) async fn lanes(State(face): State<Face>) -> Json<LaneList> {
    let lanes = face.runtime().health().lanes();
    Json(LaneList { lanes })
}

fn count_alarms(alarms: &[Alarm]) -> AlarmCounts {
    let mut counts = AlarmCounts::default();
    for alarm in alarms.iter().filter(|a| a.state != AlarmState::Normal) {
        match alarm.priority {
            AlarmPriority::Critical => counts.critical += 1,
            AlarmPriority::High => counts.high += 1,
            AlarmPriority::Medium => counts.medium += 1,
            AlarmPriority::Low => counts.low += 1,
        }
        counts.unacknowledged += u32::from(alarm.state.needs_acknowledgement());
    }
    counts
}

fn count_devices(devices: &[DeviceHealth]) -> DeviceCounts {
    let mut counts = DeviceCounts::default();
    for device in devices {
        match device.state {
            DeviceState::Online => counts.online += 1,
            DeviceState::Degraded => counts.degraded += 1,
            DeviceState::Offline => counts.offline += 1,
            DeviceState::Unknown => counts.unknown += 1,
        }
    }
    counts
}

fn store_facts(stats: StoreStats) -> StoreFacts {
    StoreFacts {
        disk: match stats.disk {
            DiskState::Ok => Disk::Ok,
            DiskState::Failing { since, error } => Disk::Failing { since, error },
        },
        history_files: stats.history_files,
        history_bytes: stats.history_bytes,
        free_bytes: stats.free_bytes,
        committed_samples: stats.committed_samples,
        queued_samples: stats.queued_samples,
        dropped_samples: stats.dropped_samples,
        held_samples: stats.held_samples,
        stage: stats.stage,
        wear: stats.wear,
    }
}
