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
use crate::config::Config;
use crate::print;
use finding::{Finding, Verdict};
use riser_adapter::{Clock, SystemClock};
use riser_model::{ClockState, Timestamp};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// No gateway was built before 2025-01-01.
const BUILT_AFTER: Timestamp = Timestamp(1_735_689_600_000);

/// Looks, prints every finding as it comes, and fails when something is broken.
pub(crate) fn run(file: &Path, data_dir: Option<PathBuf>) -> ExitCode {
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let broken = match executor {
        Ok(executor) => executor.block_on(Box::pin(look(file, data_dir))),
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

async fn look(file: &Path, data_dir: Option<PathBuf>) -> usize {
    let mut report = Report::default();
    let config = match Config::load(file, data_dir) {
        Ok(config) => config,
        Err(problems) => {
            report.add(problems.0.into_iter().map(|problem| {
                let place = problem.file.display().to_string();
                Finding::broken("config", &place, &problem.to_string(), "correct the file")
            }));
            return report.broken;
        }
    };
    let place = file.display().to_string();
    report.add([Finding::good("config", &place, &config.summary())]);
    let daemon = running::look(&config).await;
    report.add([daemon.finding(&config)]);
    report.add(disk::look(&config));
    report.add([clock(&config)]);
    report.add(certificates::look(&config, SystemClock.now()));
    report.add(cloud::look(&config).await);
    report.add(lanes::look(&config, &daemon).await);
    report.broken
}

fn clock(config: &Config) -> Finding {
    let marker = &config.gateway.clock_synchronised_file;
    let mut settings = config.gateway.clock();
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
