//! Broker, bridge and adapter restarted in any order, with the real zigbee2mqtt and mosquitto: in the
//! end everything is right within a minute, and nothing was called offline on the way.

mod foreign;

use foreign::{DEVICES, House, Setting, until};
use riser_adapter_testkit::Running;
use riser_model::{DeviceState, LaneState, Quality, Reason, Value};
use std::time::{Duration, Instant};

const PLUG: &str = DEVICES[2].1;

/// Repeatable chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

fn offline(running: &Running) -> bool {
    let devices = running.health.devices();
    let bridge = "test-bridge";
    devices
        .iter()
        .any(|d| d.device.as_str() != bridge && d.state == DeviceState::Offline)
}

fn right(running: &Running, on: bool) -> bool {
    let devices = running.health.devices();
    let online = |key: &str| {
        devices
            .iter()
            .any(|d| d.device.as_str() == key && d.state == DeviceState::Online)
    };
    let lane = running.health.lanes().into_iter().next();
    let plug = running.latest.get(&format!("{PLUG}/state"));
    assert!(
        !offline(running),
        "a device was called offline: {devices:#?}"
    );
    lane.is_some_and(|l| l.state == LaneState::Up)
        && DEVICES.iter().all(|(_, key)| online(key))
        && plug.is_some_and(|o| o.quality == Quality::GOOD && o.value == Some(Value::Bool(on)))
}

/// Takes parts down in one order and brings them up in another.
async fn round(house: &mut House, running: &mut Running, chance: &mut Chance, on: bool) {
    let parts = 1 + chance.below(7);
    let backwards = chance.below(2) == 1;
    let pause = Duration::from_millis(chance.below(1_500));
    let (broker, bridge, adapter) = (parts & 1 > 0, parts & 2 > 0, parts & 4 > 0);
    if broker && backwards {
        house.broker.down();
    }
    match (bridge, chance.below(2)) {
        (true, 0) => house.bridge.down(),
        (true, _) => house.bridge.stop().await,
        _ => {}
    }
    if broker && !backwards {
        house.broker.down();
    }
    if adapter {
        running.stop().await;
    }
    // While parts are away the device itself is switched.
    let state = u8::from(on);
    house.radio.tell(&format!(
        r#"{{"do":"report","dev":"plug","attrs":[[1,6,0,16,{state}]]}}"#
    ));
    running.pump_for(pause).await;
    if bridge && backwards {
        house.bridge.up();
    }
    if broker {
        house.broker.up();
    }
    if adapter {
        *running = Running::start_after(&riser_zigbee::KIND, &house.config(), running);
    }
    if bridge && !backwards {
        running.pump_for(pause).await;
        house.bridge.up();
    }
}

async fn restarts(test: &str, rounds: u32, seed: u64) {
    let Some(mut house) = House::joined(test, &Setting::default()).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    until(&mut running, "the beginning", |r| right(r, true)).await;
    let mut chance = Chance(seed);
    let (mut on, mut slowest) = (true, Duration::ZERO);
    for number in 0..rounds {
        on = !on;
        round(&mut house, &mut running, &mut chance, on).await;
        let began = Instant::now();
        until(&mut running, &format!("round {number} to end right"), |r| {
            right(r, on)
        })
        .await;
        slowest = slowest.max(began.elapsed());
        let down = running
            .log
            .iter()
            .find(|o| o.quality == Quality::bad(Reason::DeviceDown));
        assert_eq!(down, None, "round {number}");
    }
    eprintln!(
        "{rounds} restarts, the slowest right after {:.1} s",
        slowest.as_secs_f64()
    );
    running.stop().await;
}

#[tokio::test]
async fn a_handful_of_restarts_ends_right() {
    restarts("a_handful_of_restarts", 4, 20).await;
}

#[tokio::test]
#[ignore = "about twenty minutes: a hundred restarts of broker, bridge and adapter"]
async fn a_hundred_restarts_end_right() {
    restarts("a_hundred_restarts", 100, 7).await;
}
