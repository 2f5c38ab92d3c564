//! Every write to the disk fails for a while, as with flash that is wearing out: nothing is corrupted,
//! the building goes on, and what was stored before is there.

use crate::full::disk_is;
use riser_e2e::{Lab, until, within};
use riser_faults::disk::{self, Disk};
use riser_faults::{Building, Rig, alone, rig};
use std::time::Duration;

/// How long writes fail.
const LASTS: Duration = Duration::from_secs(30);
/// How soon after the last failed write the disk must be called well again.
const HEALED: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_failing_disk() {
    let _turn = alone().await;
    if !disk::may_fail() {
        return;
    }
    let building = Building::BUSY;
    let devices = building.devices().await;
    let lab = Lab::prepare(&building.configuration(&devices)).await;
    let disk = Disk::failing_under(&lab.folder.join("gateway"), 512).await;
    let mut rig = Rig::with(lab, devices, building).await;
    let failed = rig::now();
    disk.fail();
    let noticed = disk_is(&rig, "failing", Duration::from_secs(60)).await;
    tokio::time::sleep(LASTS).await;
    let before = f64::from(rig.devices[0].answered());
    let path = &rig.building.witness(0)[0];
    until("values stay live", Duration::from_secs(5), || async {
        rig.local.value(path).await.filter(|v| *v > before)
    })
    .await;
    disk.work();
    let healed = within(HEALED, || async {
        (rig.store().await["disk"]["state"] == "ok").then_some(())
    })
    .await;
    match healed {
        Some((_, took)) => {
            eprintln!("failing disk: noticed after {noticed:?}, well again after {took:?}");
        }
        // The file system may have gone read-only for good; then only mounting it anew helps.
        None => {
            rig.kill_gateway(Some(failed)).await;
            disk.again().await;
            let took = rig.start_gateway().await;
            eprintln!(
                "failing disk: noticed after {noticed:?}, the file system gave up; collecting {took:?} after a restart"
            );
        }
    }
    rig.complete("failing disk").await;
}
