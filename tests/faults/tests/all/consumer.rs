//! Only the cloud's consumer is broken: the connection is up, the broker or the network answers, and
//! yet nothing becomes durable. The gateway must say so within a minute.

use riser_e2e::process::Process;
use riser_e2e::proxy::{How, Mode, Spoil};
use riser_e2e::{Lab, peers, within};
use riser_faults::link::Moment;
use riser_faults::{Building, Rig, proc};
use std::time::Duration;

/// Until it must be said.
const SAID: Duration = Duration::from_secs(60);

/// Waits until the gateway says that its link is not well.
async fn said(rig: &Rig, what: &str) {
    let said = within(SAID, || async {
        (rig.state().await == "degraded").then_some(())
    });
    let Some((_, took)) = said.await else {
        rig.give_up(&format!("{what}: not called degraded within {SAID:?}"));
    };
    let metrics = rig.local.text("/metrics").await;
    let metric = "riser_link_state{state=\"degraded\"} 1";
    assert!(metrics.lines().any(|line| line == metric), "{metrics}");
    let health = rig.local.get("/healthz").await.1;
    assert_eq!(health["link"], "degraded", "{health}");
    assert_eq!(health["collecting"], true, "{health}");
    eprintln!("{what}: called degraded after {took:.1?}, in health and metrics too");
}

/// A frozen cloud behind a broker is noticed.
pub(crate) async fn frozen_cloud() {
    let Some(program) = peers::program("mosquitto") else {
        return;
    };
    let building = Building::QUIET;
    let devices = building.devices().await;
    let lab = Lab::prepare(&building.configuration(&devices)).await;
    let mut broker: Process = lab.behind_broker(program).await;
    broker.start();
    let rig = Rig::with(lab, devices, building).await;
    proc::freeze(&rig.lab.cloud).await;
    said(&rig, "frozen cloud behind mosquitto").await;
    proc::thaw(&rig.lab.cloud).await;
    let healed = rig.flowing(Duration::from_secs(60)).await;
    eprintln!("frozen cloud: over {healed:.1?} after it went on");
    rig.complete("frozen cloud").await;
}

/// A link that passes nothing upward is noticed.
pub(crate) async fn nothing_upward() {
    let rig = Rig::start(Building::QUIET).await;
    let after_down = Moment::Suback.octets(&rig.lab.link.flights()).unwrap_or(0);
    rig.lab.link.set(Mode::Spoilt(Spoil {
        how: How::BlackHole,
        after_down,
        up_only: true,
    }));
    said(&rig, "nothing goes up").await;
    rig.lab.link.set(Mode::Pass);
    let healed = rig.flowing(Duration::from_secs(15)).await;
    eprintln!("nothing goes up: over {healed:.1?} after healing");
    rig.complete("nothing goes up").await;
}
