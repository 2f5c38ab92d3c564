//! `riserd doctor`: looks for everything that could be wrong and says what to do. Owns the list of
//! checks and how a finding looks; changes nothing.

mod certificates;
mod cloud;
mod disk;
mod finding;
mod lanes;
mod nowhere;
mod running;

use crate::clock::GatewayClock;
use crate::config::{Config, Problems};
use crate::print;
use crate::versions::{self, Current, Whereabouts};
use finding::{Finding, Verdict};
use riser_adapter::{Clock, SystemClock};
use riser_model::{ClockState, Timestamp};
use std::process::ExitCode;

/// No gateway was built before 2025-01-01.
const BUILT_AFTER: Timestamp = Timestamp(1_735_689_600_000);

/// Looks, prints every finding as it comes, and fails when something is broken.
pub(crate) fn run(place: &Whereabouts) -> ExitCode {
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let broken = match executor {
        Ok(executor) => executor.block_on(Box::pin(look(place))),
        Err(error) => {
            print::error_line(&format!("could not start the executor: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match broken {
        0 => ExitCode::SUCCESS,
        some => {
            print::error_line(&format!("{some} findings need somebody to act"));
            ExitCode::FAILURE
        }
    }
}

/// Prints findings and counts those that need somebody to act.
#[derive(Default)]
struct Report {
    broken: usize,
}

impl Report {
    fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.broken += usize::from(finding.verdict == Verdict::Broken);
            print::line(&finding.to_string());
        }
    }
}

async fn look(place: &Whereabouts) -> usize {
    let mut report = Report::default();
    let current = match versions::current(place) {
        Ok(current) => current,
        Err(problems) => {
            report.add(wrong(problems));
            return report.broken;
        }
    };
    report.add(configuration(place, &current));
    let config = current.config;
    let daemon = running::look(&config).await;
    report.add([daemon.finding(&config)]);
    report.add(disk::look(&config));
    report.add([clock(&config)]);
    report.add(certificates::look(&config, SystemClock.now()));
    report.add(cloud::look(&config).await);
    report.add(lanes::look(&config, &daemon).await);
    report.broken
}

fn wrong(problems: Problems) -> impl Iterator<Item = Finding> {
    problems.0.into_iter().map(|problem| {
        let place = problem.file.display().to_string();
        Finding::broken("config", &place, &problem.to_string(), "correct the file")
    })
}

/// Which configuration everything below is about, and what should be known of the file beside it.
fn configuration(place: &Whereabouts, current: &Current) -> Vec<Finding> {
    let file = place.file.display().to_string();
    let mut found: Vec<Finding> = wrong(current.file.clone().unwrap_or_default()).collect();
    if let Some(why) = &current.unheard {
        let text = format!("a running riserd was not heard: {why}");
        let advice = "ask as the user riserd runs as, such as with sudo -u riser";
        found.push(Finding::doubtful("config", "console", &text, advice));
    }
    let text = format!("{}; {}", current.which, current.config.summary());
    found.push(Finding::good("config", &file, &text));
    if current.file_is_new {
        let text = "is not what runs: it takes its place at the next start";
        let advice = "apply it now (riserd config apply), or put it back";
        found.push(Finding::doubtful("config", &file, text, advice));
    }
    found
}

fn clock(config: &Config) -> Finding {
    let marker = &config.gateway.clock_synchronised_file;
    let mut settings = config.clock();
    settings.dir = None;
    let clock = GatewayClock::open(settings);
    let place = marker.display().to_string();
    if SystemClock.now() < BUILT_AFTER {
        let advice = "set the time (timedatectl set-time), then see why the time service did not";
        return Finding::broken("clock", "system", "the time is before 2025", advice);
    }
    match clock.state() {
        ClockState::Synchronised => Finding::good("clock", &place, "set by the time service"),
        ClockState::Unsynchronised => Finding::doubtful(
            "clock",
            &place,
            "not known to be set by a time service; samples are marked so",
            "see 'timedatectl timesync-status', or name the file another time service leaves as \
             clock_synchronised_file in [gateway]",
        ),
    }
}
