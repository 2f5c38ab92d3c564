//! One real process under test: started, watched, killed, started again. Owns its log, so a failed
//! test can show what the process said.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// A program with its arguments, running or not.
#[derive(Debug)]
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    takes_orders: bool,
    child: Option<Child>,
}

/// Where the build put the product's programs: beside the test's own folder.
///
/// # Panics
/// When the test binary has no path, which the operating system always gives.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let mut folder = std::env::current_exe().expect("a running test has a path");
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    folder.join(name)
}

impl Process {
    /// Prepares a process; its output is appended to `<folder>/<name>.log`.
    #[must_use]
    pub fn new(name: &str, program: PathBuf, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            log: folder.join(format!("{name}.log")),
            takes_orders: false,
            child: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.set_environment(name, value);
        self
    }

    /// Lets it be told something while it runs, see [`Process::order`].
    #[must_use]
    pub fn taking_orders(self) -> Self {
        Self {
            takes_orders: true,
            ..self
        }
    }

    /// Sets an environment variable from the next start on.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the program cannot be started, with what to build first.
    #[expect(clippy::panic, reason = "a test without its program has failed")]
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} is already running", self.name);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("log file");
        let copy = log.try_clone().expect("log file");
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .stdin(if self.takes_orders {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(log)
            .stderr(copy)
            .kill_on_drop(true)
            .spawn();
        match child {
            Ok(child) => self.child = Some(child),
            Err(error) => panic!(
                "{} cannot be started from {}: {error}; run `cargo build --workspace --bins --tests` first",
                self.name,
                self.program.display()
            ),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Process id while running.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Resident memory in kilobytes.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let id = self.id().expect("a running process has an id");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
            .expect("a running process has a size")
    }

    /// Tells it a line on its standard input.
    ///
    /// # Panics
    /// When it does not run, or takes no orders.
    pub async fn order(&mut self, line: &str) {
        let stdin = self.child.as_mut().and_then(|c| c.stdin.as_mut());
        let stdin = stdin.expect("a running process that takes orders");
        let sent = stdin.write_all(format!("{line}\n").as_bytes()).await;
        sent.expect("it reads its orders");
    }

    /// Ends it as a power cut would: SIGKILL, nothing flushed.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child
                .kill()
                .await
                .expect("SIGKILL is always delivered to an own child");
        }
    }

    /// Ends it as an operator would: SIGTERM, then waits; answers how long it took.
    ///
    /// # Panics
    /// When it does not end within ten seconds.
    #[expect(clippy::panic, reason = "a process that does not end fails the test")]
    pub async fn stop(&mut self) -> Duration {
        let start = Instant::now();
        if let Some(mut child) = self.child.take() {
            let id = child.id().expect("a running child has an id").to_string();
            let sent = Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .await
                .expect("kill");
            assert!(sent.success());
            if tokio::time::timeout(Duration::from_secs(10), child.wait())
                .await
                .is_err()
            {
                panic!(
                    "{} did not end within 10 s of SIGTERM\n{}",
                    self.name,
                    self.tail()
                );
            }
        }
        start.elapsed()
    }

    /// Waits for it to end by itself; answers its exit code.
    pub async fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        child.wait().await.ok()?.code()
    }

    /// True while it runs.
    pub fn running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|c| matches!(c.try_wait(), Ok(None)))
    }

    /// Everything it has said.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines it has said.
    #[must_use]
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// Ports tried: below those that Linux gives to outgoing connections (32768 and up), so that no
/// client takes one before the process it was chosen for has started.
const PORTS: std::ops::Range<u32> = 10_000..32_000;

/// A TCP port on loopback that nobody has right now, and that was not given out here before.
///
/// # Panics
/// When loopback has no free port.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let many = PORTS.end - PORTS.start;
    // Processes that run side by side begin at different places.
    let begin = std::process::id().wrapping_mul(397);
    (0..many)
        .map(|_| begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % many)
        .filter_map(|n| u16::try_from(PORTS.start + n).ok())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port on loopback")
}
