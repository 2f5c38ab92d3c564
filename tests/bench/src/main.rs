//! The figures of the product, measured on real release processes beside the machine's own floor.
//! Owns the order of the parts, the printing, and the exit code: a missed goal is a failure.

mod bacnet;
mod building;
mod dashboard;
mod durable;
mod floor;
mod keep;
mod limits;
mod load;
mod parts;
mod pour;
mod table;
mod usage;

use clap::Parser;
use parts::Times;
use riser_e2e::process::built;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Measures gateway and cloud on this machine and prints a table.
#[derive(Debug, Parser)]
#[command(name = "riser-bench", version)]
struct Arguments {
    /// Short stretches, for development: the figures are rough.
    #[arg(long)]
    quick: bool,
    /// Only this part.
    #[arg(long)]
    only: Option<Part>,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// 10 devices × 100 registers each second.
    Ten,
    /// 100,000 registers each second.
    HundredThousand,
    /// The libmodbus loop.
    Floor,
    /// Simulated BACnet devices.
    Bacnet,
    /// The store beside the machine's disk and SQLite.
    Keep,
    /// Draining and cloud ingest beside raw MQTT.
    Pour,
}

const FULL: Times = Times {
    warm_up: Duration::from_secs(10),
    measure: Duration::from_secs(60),
    alarms: Duration::from_secs(60),
    floor: 10,
};
const QUICK: Times = Times {
    warm_up: Duration::from_secs(4),
    measure: Duration::from_secs(15),
    alarms: Duration::from_secs(22),
    floor: 3,
};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let times = if arguments.quick { QUICK } else { FULL };
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    if cfg!(debug_assertions) {
        return Err(
            "this is a debug build, as are the programs beside it; use `make bench`".into(),
        );
    }
    say(&machine().await)?;
    let (mut rows, mut ours) = (Vec::new(), [None, None]);
    if wanted(Part::Ten) {
        say(&format!(
            "10 devices: {:?} warm-up, {:?} measuring, {:?} alarms",
            times.warm_up, times.measure, times.alarms
        ))?;
        let (more, cost) = parts::ten(times).await;
        (rows, ours[0]) = (more, Some(cost));
    }
    if wanted(Part::HundredThousand) {
        say(&format!(
            "100,000 registers: {:?} warm-up, {:?} measuring",
            times.warm_up, times.measure
        ))?;
        let (more, cost) = parts::hundred_thousand(times).await;
        rows.extend(more);
        ours[1] = Some(cost);
    }
    if wanted(Part::Floor) {
        say(&format!("libmodbus: {} s each", times.floor))?;
        rows.extend(parts::floor(times, ours).await?);
    }
    if wanted(Part::Bacnet) {
        say(&format!(
            "BACnet: {:?} warm-up, twice {:?} measuring",
            times.warm_up, times.measure
        ))?;
        rows.extend(bacnet::bacnet(times).await);
    }
    if wanted(Part::Keep) {
        say("the store: about two minutes")?;
        rows.extend(keep::keep(arguments.quick).await?);
    }
    if wanted(Part::Pour) {
        say("draining and ingest: about a minute")?;
        rows.extend(pour::pour(arguments.quick).await?);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out)?;
    let missed = table::print(&mut out, &rows)?;
    writeln!(out, "\nload average {}", load_average())?;
    if missed > 0 {
        writeln!(out, "{missed} goals missed")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

/// The machine and the versions.
async fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text
            .lines()
            .find(|l| l.starts_with(name))
            .unwrap_or_default();
        line.split_once(':')
            .map_or("?", |(_, value)| value.trim())
            .to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "machine: {cores} cores, {}, {} memory, Linux {}, load average {}\nversions: {}, {}, libmodbus {}",
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim(),
        load_average(),
        floor::product(&built("riserd")).await,
        floor::product(&built("riser-cloud")).await,
        floor::version().await,
    )
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
