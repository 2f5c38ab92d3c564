//! Foreign programs as peers: finding them, starting them, ending exactly what was started. A missing
//! one skips the test loudly on a workbench and fails it in continuous integration.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Says that a test does not run here, and why.
///
/// # Panics
/// In continuous integration (`CI` is set), where nothing may be skipped.
pub fn skip(test: &str, missing: &str) {
    if std::env::var_os("CI").is_some() {
        panic!("{test}: {missing} is missing, and nothing is skipped when CI is set");
    }
    eprintln!("SKIPPED {test}: {missing} is missing");
}

/// Where a program is on the path.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The root of the repository, seen from a crate's `CARGO_MANIFEST_DIR`.
#[must_use]
pub fn repository(manifest: &str) -> PathBuf {
    let root = Path::new(manifest).join("../..");
    root.canonicalize().unwrap_or(root)
}

/// Python of the peers' environment `name`: `$RISER_PEERS/<name>` or `.peers/<name>` in the repository.
#[must_use]
pub fn python(manifest: &str, name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("RISER_PEERS")
        .map_or_else(|| repository(manifest).join(".peers"), PathBuf::from);
    let python = home.join(name).join("bin/python");
    python.is_file().then_some(python)
}

/// A TCP port of loopback that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    match listener {
        Ok(address) => address.port(),
        Err(error) => panic!("no free port: {error}"),
    }
}

/// A program that was started here and ends with this value.
pub struct Program(Child);

impl Program {
    /// Starts a program and waits for a line on its standard output that contains `ready`.
    pub fn start(command: &mut Command, ready: &str) -> Self {
        let mut child = Self::spawn(command.stdout(Stdio::piped()));
        let Some(output) = child.0.stdout.take() else {
            panic!("no output of {command:?}");
        };
        let (tell, told) = mpsc::channel();
        let wanted = ready.to_owned();
        // Reads to the end, so that the program never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.contains(&wanted) {
                    let _heard = tell.send(());
                }
            }
        });
        if told.recv_timeout(Duration::from_secs(20)).is_err() {
            panic!("{command:?} did not say '{ready}' within 20 s");
        }
        child
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// It has ended by itself.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }

    /// Starts a program that says nothing.
    pub fn spawn(command: &mut Command) -> Self {
        match command.stdin(Stdio::null()).spawn() {
            Ok(child) => Self(child),
            Err(error) => panic!("could not start {command:?}: {error}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended_before = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Runs a program to its end; its standard output and error together.
///
/// # Panics
/// When it cannot be started.
pub async fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(Duration::from_secs(20), output).await {
        Ok(Ok(output)) => {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text += &String::from_utf8_lossy(&output.stderr);
            (output.status.success(), text)
        }
        Ok(Err(error)) => panic!("could not run {program}: {error}"),
        Err(_) => panic!("{program} {arguments:?} did not end within 20 s"),
    }
}
