//! `kill -9` of gateway and cloud at random moments under load: what was called durable is there,
//! nothing is doubled, both come back by themselves.

use crate::outage::numbered_building;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use riser_e2e::cloud::{Cloud, parse_csv};
use riser_e2e::lab::GATEWAY;
use riser_e2e::local::Local;
use riser_e2e::numbered::Numbered;
use riser_e2e::{Lab, alone, until};
use std::collections::BTreeSet;
use std::time::Duration;

const ROUNDS: usize = 30;

/// Kills the gateway or the cloud [`ROUNDS`] times; each must be back within two seconds.
async fn kill_at_random(lab: &mut Lab, local: &Local, cloud: &Cloud, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(random.random_range(200..1500))).await;
        let took = if random.random_bool(0.5) {
            lab.gateway.kill().await;
            lab.gateway.start();
            lab.serving_local(local).await
        } else {
            lab.cloud.kill().await;
            lab.cloud.start();
            lab.serving_cloud(cloud).await
        };
        assert!(
            took <= Duration::from_secs(2),
            "round {round}: back only after {took:?}"
        );
        slowest = slowest.max(took);
    }
    eprintln!("slowest start {slowest:?}");
}

/// Fails unless the gateway and the cloud have the same samples of `path` before `upto`, each once.
async fn edge_and_cloud_agree(local: &Local, cloud: &Cloud, path: &str, upto: i64) {
    let csv = local
        .text(&format!(
            "/api/v1/points/{path}/samples.csv?from=0&to={upto}"
        ))
        .await;
    let stored = parse_csv(&csv);
    let sent: Vec<(i64, f64)> = cloud
        .samples(GATEWAY, path)
        .await
        .into_iter()
        .filter(|(at, _)| *at < upto)
        .collect();
    let key = |(at, value): &(i64, f64)| (*at, value.to_bits());
    let (edge, up): (BTreeSet<_>, BTreeSet<_>) = (
        stored.iter().map(key).collect(),
        sent.iter().map(key).collect(),
    );
    assert!(
        stored.len() > 100,
        "{path}: only {} samples stored",
        stored.len()
    );
    assert_eq!(up.len(), sent.len(), "{path}: doubled in the cloud");
    assert_eq!(edge.len(), stored.len(), "{path}: doubled at the edge");
    let lost: Vec<_> = edge.difference(&up).collect();
    let extra: Vec<_> = up.difference(&edge).collect();
    assert!(
        lost.is_empty(),
        "{path}: stored at the edge but not in the cloud: {lost:?}"
    );
    assert!(
        extra.is_empty(),
        "{path}: in the cloud but no longer at the edge: {extra:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_lose_nothing_durable_and_double_nothing() {
    let _turn = alone().await;
    let device = Numbered::start().await;
    let (mut lab, local, cloud) = Lab::start(&numbered_building(device.port, 50)).await;
    let seed = std::env::var("RISER_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    eprintln!("seed {seed} (set RISER_SEED to repeat)");
    kill_at_random(&mut lab, &local, &cloud, seed).await;
    until(
        "the gateway has nothing left to send",
        Duration::from_secs(120),
        || async {
            let overview = local.get("/api/v1/overview").await.1;
            let link = &overview["link"];
            (link["backlog_batches"].as_u64()? <= 2 && link["state"] == "live").then_some(())
        },
    )
    .await;
    let upto = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis(),
    )
    .unwrap();
    until(
        "what was stored until now is durable",
        Duration::from_secs(30),
        || async {
            let samples = cloud.samples(GATEWAY, "num/n0").await;
            samples.iter().any(|(at, _)| *at > upto).then_some(())
        },
    )
    .await;
    for path in ["num/n0", "num/n11", "num/n19"] {
        edge_and_cloud_agree(&local, &cloud, path, upto).await;
    }
}
