//! The power is cut under load, at the gateway and at the cloud: what the cloud called durable is
//! there, the edge lacks at most its last group commit, and both start again by themselves.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use riser_e2e::Lab;
use riser_faults::disk::{self, Disk, Journal};
use riser_faults::{Building, Rig, alone, rig, rounds, seed};
use std::time::Duration;

/// Cuts the power `cuts` times, twice at the gateway for each time at the cloud.
async fn power_cuts(cuts: usize) {
    if !disk::possible() {
        return;
    }
    let mut random = SmallRng::seed_from_u64(seed());
    let building = Building::BUSY;
    let devices = building.devices().await;
    let lab = Lab::prepare(&building.configuration(&devices)).await;
    let edge_disk = Disk::under(&lab.folder.join("gateway"), 1_024);
    let cloud_disk = Disk::under(&lab.folder.join("cloud"), 2_048);
    let mut rig = Rig::with(lab, devices, building).await;
    let mut slowest = Duration::ZERO;
    for round in 0..cuts {
        let journal = if round % 2 == 0 {
            Journal::Lost
        } else {
            Journal::Flushed
        };
        tokio::time::sleep(Duration::from_millis(random.random_range(500..2_500))).await;
        // For a moment the process lives on without a disk; it must not take that for success.
        let agony = Duration::from_millis(random.random_range(0..700));
        if round % 3 == 2 {
            cloud_disk.cut(journal);
            tokio::time::sleep(agony).await;
            rig.lab.cloud.kill().await;
            cloud_disk.again().await;
            rig.lab.cloud.start();
            let took = rig.lab.serving_cloud(&rig.cloud).await;
            eprintln!("cut {round}: cloud, journal {journal:?}, serving after {took:?}");
        } else {
            let cut = rig::now();
            edge_disk.cut(journal);
            tokio::time::sleep(agony).await;
            rig.kill_gateway(Some(cut)).await;
            edge_disk.again().await;
            let took = rig.start_gateway().await;
            eprintln!("cut {round}: gateway, journal {journal:?}, collecting after {took:?}");
            slowest = slowest.max(took);
        }
    }
    rig.complete("power cuts").await;
    eprintln!("{cuts} power cuts: collecting again after {slowest:?} at most");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_one_commit_at_most() {
    let _turn = alone().await;
    power_cuts(6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_power_cuts() {
    let _turn = alone().await;
    power_cuts(rounds(75)).await;
}
