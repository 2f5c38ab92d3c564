//! A fleet that loses its cloud at once comes back without a stampede.

use riser_e2e::{Lab, until};
use riser_faults::fleet::{Attempt, Fleet, Outcome};
use riser_faults::{alone, beside_others, proc, seed};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// One fleet and its cloud.
struct Mass {
    lab: Lab,
    fleet: Fleet,
    size: usize,
    sessions_per_s: usize,
}

/// How a return went.
struct Return {
    /// Most attempts begun, most gateways taken in, within one second.
    peaks: (usize, usize),
    put_off: usize,
    failed: usize,
    processor: f64,
    resident_kb: u64,
}

/// Most of these moments within any one second.
fn peak(mut moments: Vec<Instant>) -> usize {
    moments.sort_unstable();
    let within = |i: usize| {
        let end = moments[i] + Duration::from_secs(1);
        moments[i..].partition_point(|m| *m < end)
    };
    (0..moments.len()).map(within).max().unwrap_or(0)
}

impl Mass {
    async fn start(size: usize, sessions_per_s: usize) -> Self {
        let mut lab = Lab::prepare("").await;
        let config = lab.folder.join("cloud.toml");
        let text = std::fs::read_to_string(&config).expect("the lab's configuration");
        let limit = format!("[mqtt]\nsessions_per_s = {sessions_per_s}\n");
        std::fs::write(&config, text.replace("[mqtt]\n", &limit)).expect("room for it");
        lab.cloud.start();
        lab.operator().await;
        let fleet = Fleet::start(size, &lab.folder.join("pki"), lab.mqtt_port, seed());
        Self {
            lab,
            fleet,
            size,
            sessions_per_s,
        }
    }

    /// Waits until all are in, and says how it went.
    async fn all_in(&mut self, what: &str) -> Return {
        let (began, before) = (Instant::now(), proc::processor(&self.lab.cloud));
        let fleet = &self.fleet;
        until(
            "the whole fleet is back",
            Duration::from_secs(240),
            || async { fleet.complete().then_some(()) },
        )
        .await;
        let took = began.elapsed();
        let attempts: Vec<Attempt> = fleet.attempts();
        let count = |of: fn(&Outcome) -> bool| attempts.iter().filter(|a| of(&a.outcome)).count();
        let entered = attempts.iter().filter(|a| a.outcome == Outcome::In);
        let back = Return {
            peaks: (
                peak(
                    attempts
                        .iter()
                        .map(|a| a.at)
                        .filter(|at| *at >= began)
                        .collect(),
                ),
                peak(entered.map(|a| a.over).collect()),
            ),
            put_off: count(|o| matches!(o, Outcome::PutOff(_))),
            failed: count(|o| *o == Outcome::Failed),
            processor: proc::processor(&self.lab.cloud) - before,
            resident_kb: proc::resident(&self.lab.cloud),
        };
        eprintln!(
            "{what}: {} gateways in after {:.1} s; at most {} attempts and {} let in within a second; {} put \
             off, {} failed attempts; cloud: {:.2} s of processor time, {} kB",
            self.size,
            took.as_secs_f64(),
            back.peaks.0,
            back.peaks.1,
            back.put_off,
            back.failed,
            back.processor,
            back.resident_kb
        );
        obeyed(&attempts);
        // A burst of one second and the rate of the next; a loaded machine delivers them bunched.
        assert!(back.peaks.1 <= 4 * self.sessions_per_s, "a stampede");
        let even = Duration::from_secs((self.size / self.sessions_per_s) as u64);
        assert!(took <= 2 * even + Duration::from_secs(45), "{took:?}");
        back
    }
}

/// Nobody who was told to wait has come back before.
fn obeyed(attempts: &[Attempt]) {
    let mut not_before: HashMap<usize, Instant> = HashMap::new();
    for attempt in attempts {
        if let Some(moment) = not_before.get(&attempt.gateway) {
            assert!(attempt.at >= *moment, "{attempt:?} came too early");
        }
        if let Outcome::PutOff(wait) = attempt.outcome {
            not_before.insert(attempt.gateway, attempt.over + wait);
        }
    }
}

async fn scenario(size: usize, sessions_per_s: usize) {
    let mut mass = Mass::start(size, sessions_per_s).await;
    let first = mass.all_in("first start of all at once").await;
    assert!(first.put_off > 0, "there was no rush");
    mass.lab.cloud.kill().await;
    let fleet = &mass.fleet;
    until("everybody has noticed", Duration::from_secs(60), || async {
        (fleet.present() == 0).then_some(())
    })
    .await;
    mass.lab.cloud.start();
    let crash = mass.all_in("after a crash").await;
    assert!(crash.put_off > 0, "there was no rush");
    let before = mass.fleet.told();
    mass.lab.cloud.stop().await;
    let told = mass.fleet.told() - before;
    assert!(
        told >= size * 9 / 10,
        "only {told} were told when to come back"
    );
    mass.lab.cloud.start();
    let planned = mass.all_in("after a planned restart").await;
    assert!(
        planned.put_off < first.put_off,
        "the farewell has spread them"
    );
    assert!(
        planned.resident_kb < 40_000 + 60 * size as u64,
        "{} kB for {size} gateways",
        planned.resident_kb
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_gateways_come_back_one_after_the_other() {
    let _turn = beside_others().await;
    scenario(100, 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "some minutes of both cores: make faults"]
async fn two_thousand_gateways_come_back_without_a_stampede() {
    let _turn = alone().await;
    scenario(2_000, 200).await;
}
