//! Faults of the link at every moment of a connection: seen in time, over soon after it heals,
//! nothing lost, nothing doubled, no memory gathered.

use futures_util::future::join_all;
use riser_e2e::proxy::{How, Mode};
use riser_e2e::{until, within};
use riser_faults::link::{Fault, Moment};
use riser_faults::{Building, Rig, alone, beside_others, proc, rounds};
use std::time::{Duration, Instant};

/// Until a fault must be seen.
const SEEN: Duration = Duration::from_secs(45);
/// Until values must be in the cloud again after it is over.
const HEALED: Duration = Duration::from_secs(15);
/// How long a fault lasts at least: long enough for a gateway that waits ever longer to wait long.
const LASTS: Duration = Duration::from_secs(40);
/// Memory a fault may cost, in kilobytes: buffers and the allocator's slack, but no leak.
const GROWTH: u64 = 24 * 1024;

async fn cut(rig: &Rig) {
    rig.lab.link.set(Mode::Cut);
    until("the cut is seen", Duration::from_secs(10), || async {
        (rig.state().await != "live").then_some(())
    })
    .await;
}

/// What the link is to do; found from how a new connection goes.
async fn mode(rig: &Rig, fault: Fault) -> Mode {
    loop {
        cut(rig).await;
        rig.lab.link.set(Mode::Pass);
        rig.flowing(Duration::from_secs(60)).await;
        if let Some(mode) = fault.mode(&rig.lab.link.flights()) {
            return mode;
        }
    }
}

/// Waits until the fault is seen, or overcome by a link that still passes something; says which.
async fn seen(rig: &Rig, fault: Fault) -> String {
    if fault.passes() {
        return match rig.flows_within(SEEN).await {
            Some(took) => format!("values came through after {took:.1?}"),
            None if rig.state().await != "live" => "seen, nothing comes through".to_owned(),
            None => rig.give_up(&format!(
                "{fault:?}: called live though nothing comes through"
            )),
        };
    }
    let gone = within(SEEN, || async {
        (rig.state().await != "live").then_some(())
    });
    match gone.await {
        Some((_, took)) => format!("seen after {took:.1?}"),
        None => rig.give_up(&format!("{fault:?} not seen within {SEEN:?}")),
    }
}

/// One fault from beginning to end, on a rig of its own.
pub(crate) async fn suffer(fault: Fault) {
    let rig = Rig::start(Building::QUIET).await;
    let mode = mode(&rig, fault).await;
    let before = proc::resident(&rig.lab.gateway);
    let struck = Instant::now();
    if fault.moment.is_early() {
        cut(&rig).await;
    }
    rig.lab.link.set(mode);
    let seen = seen(&rig, fault).await;
    tokio::time::sleep(LASTS.saturating_sub(struck.elapsed())).await;
    let state = rig.state().await;
    assert!(
        fault.passes() || state != "live",
        "{fault:?}: called live while nothing passes"
    );
    let after = rig.devices[0].answered();
    rig.lab.link.set(Mode::Pass);
    let Some(healed) = rig.flows_within(HEALED).await else {
        rig.give_up(&format!("{fault:?}: not over {HEALED:?} after it healed"));
    };
    let resident = proc::resident(&rig.lab.gateway);
    eprintln!(
        "{:?} at {:?}: {seen} ({state}), over {healed:.1?} after healing, {before} -> {resident} kB resident, {after} scans before",
        fault.how, fault.moment
    );
    rig.complete(&format!("{fault:?}")).await;
    assert!(resident < before + GROWTH, "{fault:?}: memory has grown");
}

/// One of each kind, at each moment once: the fast set.
pub(crate) const FAST: [Fault; 6] = [
    at(Moment::Connect, How::BlackHole),
    at(Moment::Handshake, How::Reset),
    at(Moment::Connack, How::HalfOpen),
    at(Moment::Suback, How::BlackHole),
    at(Moment::Puback, How::Slow(1_000)),
    at(Moment::Durable, How::HalfOpen),
];

const fn at(moment: Moment, how: How) -> Fault {
    Fault { moment, how }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_faults_of_the_link() {
    let _turn = alone().await;
    for faults in Fault::all().chunks(6) {
        join_all(faults.iter().map(|fault| suffer(*fault))).await;
    }
}

/// Cuts the link for a second and lets it be for a second, again and again.
pub(crate) async fn flapping(times: usize) {
    let rig = Rig::start(Building::QUIET).await;
    let before = proc::resident(&rig.lab.gateway);
    let mut each = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..times {
        for mode in [Mode::Cut, Mode::Pass] {
            each.tick().await;
            rig.lab.link.set(mode);
        }
    }
    let Some(healed) = rig.flows_within(HEALED).await else {
        rig.give_up(&format!(
            "not over {HEALED:?} after the link stopped flapping"
        ));
    };
    let resident = proc::resident(&rig.lab.gateway);
    let connects = rig.link().await["connects"].clone();
    eprintln!(
        "flapping {times} times: {connects} connections, over {healed:.1?} after the last cut, {before} -> {resident} kB resident"
    );
    rig.complete("flapping").await;
    assert!(resident < before + GROWTH, "memory has grown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn long_flapping() {
    let _turn = beside_others().await;
    flapping(rounds(500)).await;
}
