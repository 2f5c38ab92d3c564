//! Broker, bridge and adapter restarted in any order, with the real zigbee2mqtt and mosquitto: in the
//! end everything is right within a minute, and nothing was called offline on the way.

use crate::foreign::{DEVICES, House, Setting, until};
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

/// What can be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Broker,
    Bridge,
    Adapter,
}

/// Some of the three, at least one, in an order of their own.
fn some(chance: &mut Chance) -> Vec<Part> {
    let which = 1 + chance.below(7);
    let all = [Part::Broker, Part::Bridge, Part::Adapter];
    let some = all
        .into_iter()
        .zip(0..)
        .filter(|(_, bit)| which >> bit & 1 > 0);
    shuffled(some.map(|(part, _)| part).collect(), chance)
}

fn shuffled(mut parts: Vec<Part>, chance: &mut Chance) -> Vec<Part> {
    for last in (1..parts.len()).rev() {
        let other = chance.below(last as u64 + 1);
        parts.swap(last, usize::try_from(other).expect("small"));
    }
    parts
}

/// Takes parts down in one order and brings them up in another; what was restarted.
async fn round(
    house: &mut House,
    running: &mut Running,
    chance: &mut Chance,
    on: bool,
) -> Vec<Part> {
    let down = some(chance);
    for part in &down {
        match part {
            Part::Broker => house.broker.down(),
            Part::Bridge if chance.below(2) == 0 => house.bridge.down(),
            Part::Bridge => house.bridge.stop().await,
            Part::Adapter => _ = running.stop().await,
        }
        pause(running, chance, 500).await;
    }
    // While parts are away the device itself is switched.
    let state = u8::from(on);
    house.radio.tell(&format!(
        r#"{{"do":"report","dev":"plug","attrs":[[1,6,0,16,{state}]]}}"#
    ));
    pause(running, chance, 4_000).await;
    let up = shuffled(down.clone(), chance);
    for part in &up {
        match part {
            Part::Broker => house.broker.up(),
            Part::Bridge => house.bridge.up(),
            Part::Adapter => {
                *running = Running::start_after(&riser_zigbee::KIND, &house.config(), running);
            }
        }
        if part != up.last().expect("at least one") {
            pause(running, chance, 1_500).await;
        }
    }
    down
}

/// Lets a while pass, of a length nobody chose.
async fn pause(running: &mut Running, chance: &mut Chance, most: u64) {
    let pause = Duration::from_millis(chance.below(most));
    tokio::time::sleep(pause).await;
    running.pump();
}

async fn restarts(test: &str, rounds: usize, seed: u64) {
    let Some(mut house) = House::joined(test, &Setting::default()).await else {
        return;
    };
    let mut running = Running::start(&riser_zigbee::KIND, &house.config());
    until(&mut running, "the beginning", |r| right(r, true)).await;
    let mut chance = Chance(seed);
    let (mut on, mut took, mut parts, mut again) = (true, Vec::new(), Vec::new(), 0_u32);
    for number in 0..rounds {
        on = !on;
        let restarted = round(&mut house, &mut running, &mut chance, on).await;
        let began = Instant::now();
        let what = format!("round {number}, {restarted:?}, to end right");
        until(&mut running, &what, |r| {
            again += u32::from(house.bridge.keep_up());
            right(r, on)
        })
        .await;
        took.push(began.elapsed());
        eprintln!(
            "round {number}: {restarted:?} right after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        parts.extend(restarted);
        let down = running
            .log
            .iter()
            .find(|o| o.quality == Quality::bad(Reason::DeviceDown));
        assert_eq!(down, None, "round {number}");
    }
    took.sort_unstable();
    let of = |part| parts.iter().filter(|p| **p == part).count();
    eprintln!(
        "{rounds} rounds: broker {}, bridge {}, adapter {} times, the bridge {again} times more because there was \
         no broker; right after {:.1} s in the middle, {:.1} s in 95 of 100, {:.1} s at most",
        of(Part::Broker),
        of(Part::Bridge),
        of(Part::Adapter),
        took[rounds / 2].as_secs_f64(),
        took[rounds * 95 / 100].as_secs_f64(),
        took[rounds - 1].as_secs_f64(),
    );
    running.stop().await;
}

#[tokio::test]
async fn a_handful_of_restarts_ends_right() {
    restarts("a_handful_of_restarts", 3, 20).await;
}

#[tokio::test]
#[ignore = "about half an hour: a hundred restarts of broker, bridge and adapter"]
async fn a_hundred_restarts_end_right() {
    restarts("a_hundred_restarts", 100, 7).await;
}
