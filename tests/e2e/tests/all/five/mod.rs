//! Five protocols in one gateway while their peers are killed and started again: everything is right
//! again within a minute, no lane is slowed by another, memory is flat, and the ledger adds up.

mod ledger;
mod peers;
mod watch;

use peers::Peer::{Bacnet, HomeAssistant, Modbus, Tuya34, Tuya35, Zigbee};
use peers::{Field, Peer, ZigbeeParts};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use riser_e2e::cloud::Cloud;
use riser_e2e::local::Local;
use riser_e2e::{Clock, Lab, alone, within};
use std::time::{Duration, Instant};
use watch::{Gap, Memory, Ticker, now, p99};

/// How soon after its restart a peer's values must be right.
const RIGHT: Duration = Duration::from_secs(60);
/// Memory the gateway may gain in ten minutes by the line that fits best, in kilobytes.
const GAIN: f64 = 6_144.0;

/// A gateway with everything it reads.
struct Building {
    field: Field,
    lab: Lab,
    local: Local,
    cloud: Cloud,
    clock: Clock,
    ticker: Ticker,
    began: i64,
    gaps: Vec<Gap>,
    slowest: Vec<(Peer, Duration)>,
    memory: Memory,
}

impl Building {
    async fn start() -> Option<Self> {
        let clock = Clock::at_twenty_past(now())?;
        let mut lab = Lab::prepare("").await;
        let field = Field::start(&lab.folder).await?;
        let config = lab.folder.join("riser.toml");
        let head = std::fs::read_to_string(&config).expect("the configuration");
        std::fs::write(&config, head + &field.configuration()).expect("the configuration");
        clock.give(&mut lab);
        lab.cloud.start();
        lab.gateway.start();
        let local = lab.technician().await;
        let cloud = lab.operator().await;
        let ticker = Ticker::start(&field);
        let mut building = Self {
            field,
            lab,
            local,
            cloud,
            clock,
            ticker,
            began: 0,
            gaps: Vec::new(),
            slowest: Vec::new(),
            memory: Memory::default(),
        };
        for peer in Peer::ALL {
            building.right(peer).await;
        }
        building.began = now();
        Some(building)
    }

    /// Tells a peer a new number and waits until its points show it, or a later one, as good.
    async fn right(&mut self, peer: Peer) {
        let start = Instant::now();
        for (path, unit) in peer.shows() {
            loop {
                let number = f64::from(self.field.tell(peer).await);
                let wait = RIGHT.saturating_sub(start.elapsed());
                assert!(!wait.is_zero(), "{}", self.not_right(path, number).await);
                let local = &self.local;
                // A peer that pushes may have told it before anybody listened: it is told again.
                let shown = within(wait.min(Duration::from_secs(2)), || async {
                    let value = local.value(path).await? / unit;
                    // Those that push tell later numbers meanwhile.
                    (value > number - 0.5).then_some(())
                });
                if shown.await.is_some() {
                    break;
                }
            }
        }
    }

    async fn not_right(&self, path: &str, number: f64) -> String {
        let shown = self.local.get(&format!("/api/v1/points/{path}")).await.1;
        let log = self.lab.gateway.tail();
        format!("{path} does not show {number} within {RIGHT:?} of a start: {shown}\n{log}")
    }

    /// Ends some peers and starts them again, in this order.
    async fn restart(&mut self, peers: &[Peer], parts: ZigbeeParts, away: Duration) {
        let mut ends = Vec::new();
        for peer in peers {
            ends.push((*peer, now()));
            self.field.down(*peer, parts).await;
        }
        self.pass(away).await;
        for (peer, from) in ends {
            let up = Instant::now();
            self.field.up(peer).await;
            self.right(peer).await;
            self.slowest.push((peer, up.elapsed()));
            self.gaps.push(Gap {
                peer,
                from,
                until: now(),
            });
        }
    }

    /// Lets time pass, looking at the memory each half second.
    async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let since = now() - self.began;
            let size = self.lab.gateway.resident();
            self.memory.seen.push((since as f64 / 1e3, size as f64));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// No lane was slowed by another, by more than `bound` in its p99; nothing that was told is missing.
    async fn lanes_are_independent(&self, bound: i64) {
        let of = (&self.clock, self.began);
        let all = watch::lateness(&self.local, &self.ticker, of, &self.gaps).await;
        eprint!("{}", watch::table(&all));
        for (peer, late) in &all {
            assert!(
                !late.all_up.is_empty() && !late.other_down.is_empty(),
                "{peer:?}: nothing to compare: {late:?}"
            );
            let (up, down) = (p99(&late.all_up), p99(&late.other_down));
            assert!(
                down <= up + bound,
                "{peer:?}: {up} ms, {down} ms while another is down"
            );
            assert_eq!(late.missing, 0, "{peer:?}: told, heard by nobody");
        }
    }

    fn say_restarts(&self) {
        for peer in Peer::ALL {
            let of_peer = self.slowest.iter().filter(|(p, _)| *p == peer);
            let took: Vec<Duration> = of_peer.map(|(_, took)| *took).collect();
            let most = took.iter().max().copied().unwrap_or_default();
            eprintln!(
                "{peer:?}: {} restarts, right again after {most:.1?} at most",
                took.len()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_protocols_bear_a_restart_of_every_peer() {
    let _turn = alone().await;
    let Some(mut building) = Building::start().await else {
        return;
    };
    building.pass(Duration::from_secs(3)).await;

    // Each is down while another is, and no lane ever with all others.
    let away = Duration::from_secs(2);
    building
        .restart(&[Zigbee, Modbus, Tuya34], ZigbeeParts::Both, away)
        .await;
    building
        .restart(&[Bacnet, Tuya35, HomeAssistant], ZigbeeParts::Both, away)
        .await;
    building.pass(Duration::from_secs(3)).await;
    building.say_restarts();
    building.lanes_are_independent(1_500).await;
    let (least, most) = building.memory.extremes();
    eprintln!("memory {least} to {most} kB");
    assert!(most - least < 24_576.0, "{least} kB became {most} kB");
    ledger::adds_up(&mut building).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten minutes: make nightly"]
async fn long_five_protocols_bear_random_restarts_for_ten_minutes() {
    let _turn = alone().await;
    let Some(mut building) = Building::start().await else {
        return;
    };
    let seed = std::env::var("RISER_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or_else(rand::random::<u64>);
    eprintln!("seed {seed} (set RISER_SEED to repeat)");
    let mut random = SmallRng::seed_from_u64(seed);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(600) {
        if begin.elapsed() < Duration::from_secs(120) {
            // Caches fill; what comes later must be flat.
            building.memory.seen.clear();
        }
        let mut peers = Peer::ALL.to_vec();
        while peers.len() > 2 || (peers.len() == 2 && random.random_bool(0.6)) {
            peers.swap_remove(random.random_range(0..peers.len()));
        }
        let parts = [ZigbeeParts::Bridge, ZigbeeParts::Broker, ZigbeeParts::Both];
        let parts = parts[random.random_range(0..3)];
        let away = Duration::from_millis(random.random_range(500..9_000));
        building.restart(&peers, parts, away).await;
        let calm = Duration::from_millis(random.random_range(3_000..12_000));
        building.pass(calm).await;
    }
    building.say_restarts();
    let (least, most) = building.memory.extremes();
    let slope = building.memory.slope();
    eprintln!("memory {least} to {most} kB, {slope:.1} kB a minute");
    building.lanes_are_independent(250).await;
    assert!(
        slope * 10.0 < GAIN,
        "memory grows by {slope:.1} kB a minute"
    );
    ledger::adds_up(&mut building).await;
}
