//! The gateway daemon: command line, configuration, assembly of all parts.
//!
//! Owns the order in which the parts start and stop, the files people give it, and the exit code.
//! `config` reads and checks everything before any port, file or bus opens; `assemble` lists the
//! protocols; `run` is the daemon; `doctor` says what is wrong and what to do.

mod assemble;
mod audit;
mod backup;
mod certificate;
mod cli;
mod clock;
mod config;
mod deeds;
mod doctor;
mod history;
mod ledger;
mod logs;
mod points;
mod print;
mod quarantine;
mod run;
mod secrets;
mod versions;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}
