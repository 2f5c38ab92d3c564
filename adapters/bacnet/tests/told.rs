//! Very many subscriptions: 5,000 points of five devices, every notification counted, and what
//! becomes of those the machine has no room for.

use riser_adapter_testkit::Running;
use riser_model::Value;
use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::Arc;

const DEVICES: u8 = 5;
const POINTS: u32 = 1000;
const ALL: usize = 5000;
/// Nothing is read or renewed for an hour: what comes was told.
const REST: &str =
    "interval_ms = 86400000\ncov = true\ncov_lifetime_s = 7200\ncov_verify_s = 86400";

/// Values of notifications that came.
fn told(running: &Running) -> HashSet<u64> {
    let values = running.log.iter().filter_map(|o| match o.value {
        Some(Value::Float(x)) if x >= f64::from(crate::rig::FIRST) => Some(x.to_bits()),
        _ => None,
    });
    values.collect()
}

/// Devices, and an adapter that has subscribed to every point.
async fn subscribed() -> (Arc<crate::rig::Devices>, Running) {
    let free = UdpSocket::bind("0.0.0.0:0").expect("a free port");
    let port = free.local_addr().expect("it has an address").port();
    drop(free);
    let devices =
        Arc::new(crate::rig::Devices::start(port, DEVICES).expect("addresses of loopback"));
    let config = crate::rig::config("", port, (DEVICES, POINTS), REST);
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    running
        .wait_until("a first value of each, and a subscription", |r| {
            r.latest.len() == ALL && devices.subscriptions() == ALL
        })
        .await;
    (devices, running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_five_thousand_subscriptions_no_notification_is_lost() {
    let (devices, mut running) = subscribed().await;
    let tell = |span, per_second| devices.telling(span, POINTS, per_second);
    // At the rate of a large building, then all at once, as after a power cut.
    assert_eq!(tell((0, 1500), 500).await, Ok(1500));
    assert_eq!(tell((1500, 2500), 1_000_000).await, Ok(2500));
    running
        .wait_until("every notification", |r| told(r).len() == 4000)
        .await;
    running.stop().await;
}

/// One thread for all: while it tells, nobody takes what is told, and the machine runs out of room.
#[tokio::test]
async fn what_the_machine_has_no_room_for_is_noticed_and_read() {
    let (devices, mut running) = subscribed().await;
    let sent = devices.tell((0, 40_000), POINTS, 10_000_000);
    assert_eq!(sent, 40_000);
    let right = |r: &Running| {
        (1..=DEVICES).all(|device| {
            (1..=POINTS).all(|point| {
                let held = Value::Float(devices.value(device, point).into());
                r.value(&format!("d{device}/p{point}")) == Some(&held)
            })
        })
    };
    running.wait_until("what the devices hold", right).await;
    let said = |r: &Running| {
        let lanes = r.health.lanes();
        let text = lanes.first().and_then(|lane| lane.last_error.clone());
        text.is_some_and(|text| text.contains("dropped") && text.contains("rmem_max"))
    };
    running.wait_until("words for it", said).await;
    assert!(told(&running).len() < 40_000, "nothing was lost at all");
    running.stop().await;
}
