//! The same gateway and the same cloud with a third-party broker between them: mosquitto with mutual
//! TLS, a rule per gateway, no memory of its own, and killed on the way.

use crate::outage::{all_exactly_once, numbered_building};
use riser_e2e::cloud::Cloud;
use riser_e2e::lab::GATEWAY;
use riser_e2e::numbered::Numbered;
use riser_e2e::{Lab, alone, peers, until};
use serde_json::json;
use std::time::Duration;

/// Waits until a watched value comes through the broker.
async fn live_values(cloud: &Cloud) {
    let mut stream = cloud.live(GATEWAY, &["num/n0"]).await;
    let seen = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let message = stream.next().await.expect("the live stream stays open");
            if message["type"] == "values" {
                return;
            }
        }
    });
    seen.await
        .expect("a watched value reaches the dashboard through the broker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_in_between_changes_nothing_even_when_it_is_killed() {
    let _turn = alone().await;
    let Some(program) = peers::program("mosquitto") else {
        return;
    };
    let device = Numbered::start().await;
    let mut lab = Lab::prepare(&numbered_building(device.port, 200)).await;
    let mut broker = lab.behind_broker(program).await;
    broker.start();
    lab.cloud.start();
    lab.gateway.start();
    let local = lab.technician().await;
    let cloud = lab.operator().await;
    let live = || async {
        let overview = local.get("/api/v1/overview").await.1;
        (overview["link"]["state"] == "live").then_some(())
    };
    until("the link is live", Duration::from_secs(30), live).await;

    live_values(&cloud).await;
    let record = cloud
        .write(GATEWAY, "num/relay", &json!({"value": 3}))
        .await;
    assert_eq!(record["outcome"]["state"], "applied", "{record}");
    assert_eq!(device.plain(0), 3);

    broker.kill().await;
    until(
        "the gateway says its link is not live",
        Duration::from_secs(60),
        || async {
            let overview = local.get("/api/v1/overview").await.1;
            (overview["link"]["state"] != "live").then_some(())
        },
    )
    .await;
    let while_down = device.answered();
    until("the device is read on", Duration::from_secs(10), || async {
        (device.answered() > while_down + 10).then_some(())
    })
    .await;
    broker.start();
    until("the link is live again", Duration::from_secs(90), live).await;

    all_exactly_once(&cloud, device.answered()).await;
}
