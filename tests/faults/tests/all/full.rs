//! A stranger fills the disk: the building goes on, nothing is lost while memory lasts, what is lost
//! then is counted, and the gateway recovers without a restart.

use riser_e2e::lab::GATEWAY;
use riser_e2e::{Lab, until};
use riser_faults::disk::{self, Disk};
use riser_faults::{Account, Building, Rig, alone, proc};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the stranger takes all room there is.
const LASTS: Duration = Duration::from_secs(15);

async fn on_a_small_disk(building: Building) -> (Disk, Rig) {
    let devices = building.devices().await;
    let lab = Lab::prepare(&building.configuration(&devices)).await;
    let disk = Disk::under(&lab.folder.join("gateway"), 96);
    let rig = Rig::with(lab, devices, building).await;
    (disk, rig)
}

pub(crate) async fn disk_is(rig: &Rig, state: &str, limit: Duration) -> Duration {
    let start = Instant::now();
    until(&format!("the disk is called {state}"), limit, || async {
        (rig.store().await["disk"]["state"] == state).then_some(())
    })
    .await;
    start.elapsed()
}

async fn alarms(rig: &Rig) -> (usize, usize) {
    // The disk has an alarm of its own.
    let door = |alarm: &&Value| alarm["path"] == "num0/door";
    let count = |body: &Value| {
        let all = body["alarms"].as_array();
        all.map_or(0, |all| all.iter().filter(door).count())
    };
    let path = "/api/v1/alarms?state=open";
    let here = rig.local.get(path).await.1;
    let there = rig.cloud.get(path).await.1;
    (count(&here), count(&there))
}

/// Waits until the stage of the disk is what it should be, and so is its alarm, here and, if it can
/// get there, in the cloud.
async fn told(rig: &Rig, stage: &str, alarm: &str, up: bool) {
    let of_disk = |body: Value| {
        let all = body["alarms"].as_array().cloned().unwrap_or_default();
        let disk = all.into_iter().find(|a| a["path"] == "riserd/disk");
        disk.is_some_and(|a| a["state"] == alarm)
    };
    let path = "/api/v1/alarms?state=open";
    let limit = Duration::from_secs(40);
    until(
        &format!("the disk is told to be {stage}"),
        limit,
        || async {
            let here = of_disk(rig.local.get(path).await.1);
            let there = !up || of_disk(rig.cloud.get(path).await.1);
            (rig.store().await["stage"] == stage && here && there).then_some(())
        },
    )
    .await;
}

async fn values_stay_live(rig: &Rig) {
    let path = &rig.building.witness(0)[0];
    let before = f64::from(rig.devices[0].answered());
    until("values stay live", Duration::from_secs(5), || async {
        rig.local.value(path).await.filter(|v| *v > before + 20.0)
    })
    .await;
}

/// What must work in the building although little or nothing can be stored.
async fn the_building_acts(rig: &Rig) {
    values_stay_live(rig).await;
    let opened = Instant::now();
    rig.devices[0].set_plain(1, 1);
    until("the rule writes", Duration::from_secs(5), || async {
        (rig.devices[0].plain(0) == 7).then_some(())
    })
    .await;
    until(
        "the alarm is raised here and reaches the cloud",
        Duration::from_secs(15),
        || async { (alarms(rig).await == (1, 1)).then_some(()) },
    )
    .await;
    eprintln!("full disk: alarm in the cloud after {:?}", opened.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_nothing_and_heals_by_itself() {
    let _turn = alone().await;
    if !disk::possible() {
        return;
    }
    let (disk, mut rig) = on_a_small_disk(Building::BUSY).await;
    let process = rig.lab.gateway.id();
    disk.fill();
    let noticed = disk_is(&rig, "failing", Duration::from_secs(60)).await;
    the_building_acts(&rig).await;
    // Now also what the gateway had kept back for alarms.
    let greed = disk.greed();
    tokio::time::sleep(LASTS).await;
    values_stay_live(&rig).await;
    assert_eq!(rig.store().await["disk"]["state"], "failing");
    told(&rig, "full", "active_unacknowledged", false).await;
    let waiting = rig.store().await["queued_samples"].as_u64();
    assert!(waiting > Some(1_000), "{waiting:?} samples wait for room");
    disk.free();
    drop(greed);
    let healed = disk_is(&rig, "ok", Duration::from_secs(15)).await;
    told(&rig, "ample", "cleared_unacknowledged", true).await;
    assert_eq!(rig.lab.gateway.id(), process, "without a restart");
    assert!(rig.lab.gateway.running());
    rig.complete("full disk").await;
    eprintln!(
        "full disk: noticed after {noticed:?}, {waiting:?} samples waited in memory, healed {healed:?} after there was room"
    );
    assert_eq!(rig.store().await["dropped_samples"], 0);
    assert!(rig.cloud.gateway(GATEWAY).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_full_disk_counts_what_it_loses() {
    let _turn = alone().await;
    if !disk::possible() {
        return;
    }
    let (disk, rig) = on_a_small_disk(Building::FLOOD).await;
    let greed = disk.greed();
    until(
        "more is lost than fits into memory",
        Duration::from_secs(600),
        || async {
            if proc::ended(&rig.lab.gateway) {
                rig.give_up("a full disk ended the gateway");
            }
            let dropped = rig.store().await["dropped_samples"].as_u64()?;
            (dropped > 200_000).then_some(())
        },
    )
    .await;
    let resident = proc::resident(&rig.lab.gateway);
    drop(greed);
    let healed = disk_is(&rig, "ok", Duration::from_secs(15)).await;
    let accounts = rig.drained().await;
    let dropped = rig.store().await["dropped_samples"].as_u64().unwrap_or(0);
    let lost: usize = accounts.iter().step_by(2).map(|a| a.lost.len()).sum();
    let lost = (lost * rig.building.points) as u64;
    eprintln!(
        "overflow: {dropped} samples counted as lost, {lost} numbered ones missing, {resident} kB resident at most, healed after {healed:?}"
    );
    assert!(accounts.iter().all(Account::once), "{accounts:?}");
    // The plain registers are read too and carry no number: 2 a second of each device.
    let plain = dropped.checked_sub(lost).expect("every loss is counted");
    assert!(
        plain < dropped / 50,
        "{plain} more are counted than are missing"
    );
}
