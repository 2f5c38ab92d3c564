//! What the operating system knows of a process under test, and how it is frozen.

use riser_e2e::Process;

/// Resident memory in kilobytes.
///
/// # Panics
/// When the process does not run.
#[must_use]
pub fn resident(process: &Process) -> u64 {
    let id = process.id().expect("a running process has an id");
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
        .expect("a running process has a size")
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
