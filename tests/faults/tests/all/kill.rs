//! `kill -9` under load, at the gateway and now and then at the cloud.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use riser_faults::{Building, Rig, alone, proc, rounds, seed};
use std::time::Duration;

/// Kills the gateway `kills` times, and the cloud once for every five.
async fn kills(kills: usize) {
    let mut random = SmallRng::seed_from_u64(seed());
    let mut rig = Rig::start(Building::BUSY).await;
    let mut slowest = Duration::ZERO;
    for round in 0..kills {
        // Some come while the start before is hardly over.
        let pause = random.random_range(0..1_500);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if round % 5 == 4 {
            rig.lab.cloud.kill().await;
            rig.lab.cloud.start();
            rig.lab.serving_cloud(&rig.cloud).await;
        }
        rig.kill_gateway(None).await;
        slowest = slowest.max(rig.start_gateway().await);
    }
    rig.complete("kill -9").await;
    let resident = proc::resident(&rig.lab.gateway);
    eprintln!("{kills} kills: collecting again after {slowest:?} at most, {resident} kB resident");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_one_commit_at_most() {
    let _turn = alone().await;
    kills(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_kill_9() {
    let _turn = alone().await;
    kills(rounds(200)).await;
}
