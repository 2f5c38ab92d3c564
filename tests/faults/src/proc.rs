//! What the operating system knows of a process under test, and how it is frozen.

use riser_e2e::Process;

/// Resident memory in kilobytes.
///
/// # Panics
/// When the process does not run.
#[must_use]
pub fn resident(process: &Process) -> u64 {
    let id = process.id().expect("a running process has an id");
    of(&id.to_string())
}

/// Resident memory of this process in kilobytes.
#[must_use]
pub fn own() -> u64 {
    of("self")
}

fn of(id: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
        .expect("a running process has a size")
}

/// Whether it has ended, waited for or not.
#[must_use]
pub fn ended(process: &Process) -> bool {
    let Some(id) = process.id() else {
        return true;
    };
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    behind.is_empty() || behind.trim_start().starts_with('Z')
}

/// Processor time used so far, in seconds.
///
/// # Panics
/// When the process does not run.
#[must_use]
pub fn processor(process: &Process) -> f64 {
    let id = process.id().expect("a running process has an id");
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // Fields 14 and 15, counted behind the name, in hundredths of a second (proc(5)).
    let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = behind
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse().ok())
        .collect();
    fields.iter().sum::<f64>() / 100.0
}

/// Freezes a process: its connections stay open and nobody answers on them.
pub async fn freeze(process: &Process) {
    signal(process, "-STOP").await;
}

/// Lets a frozen process go on.
pub async fn thaw(process: &Process) {
    signal(process, "-CONT").await;
}

async fn signal(process: &Process, signal: &str) {
    let id = process.id().expect("a running process has an id");
    let kill = tokio::process::Command::new("kill")
        .args([signal, &id.to_string()])
        .status();
    assert!(kill.await.expect("kill").success(), "kill {signal} {id}");
}
