//! Starts the built program in a temporary folder and reads what it says.

use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with a configuration.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
}

impl Site {
    /// `[gateway]` and `[http]` on a port the system chooses, and what else is given.
    pub(crate) fn new(rest: &str) -> Self {
        Self::with(&format!(
            "[gateway]\nid = \"gw-1\"\ntenant = \"acme\"\ndata_dir = \"data\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n{rest}"
        ))
    }

    /// Exactly this text.
    pub(crate) fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("riser.toml"), text).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_riserd"));
        for name in [
            "RISER_CLAIM_CODE",
            "RISER_DATA_DIR",
            "NOTIFY_SOCKET",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .env("RISER_CONFIG", self.path("riser.toml"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    /// Starts the daemon and waits until it serves.
    pub(crate) fn start(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command(&["run"]);
        command.envs(environment.iter().copied());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut daemon = Daemon {
            child,
            lines,
            url: String::new(),
            said: Vec::new(),
        };
        let serving = daemon.line("serving the local pages");
        daemon.url = serving["url"].as_str().unwrap().to_owned();
        daemon
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    pub(crate) url: String,
    pub(crate) said: Vec<String>,
}

impl Daemon {
    /// Waits for a log line with this message, at most a minute.
    pub(crate) fn line(&mut self, message: &str) -> Value {
        let end = Instant::now() + Duration::from_secs(60);
        while let Ok(line) = self
            .lines
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            self.said.push(line);
            let line = self.said.last().unwrap();
            if line.contains(message) {
                return serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            }
        }
        panic!("no line with '{message}' in: {:#?}", self.said);
    }

    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Cuts it off, as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end, at most a minute; says how long it took.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let took = start.elapsed();
                // To the end of the pipe: the thread that reads it may lag behind.
                while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(10)) {
                    self.said.push(line);
                }
                return (status, took);
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "does not end: {:#?}",
                self.said
            );
            let _ = self
                .lines
                .recv_timeout(Duration::from_millis(5))
                .map(|l| self.said.push(l));
        }
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let mut text = String::new();
        let path = PathBuf::from(format!("/proc/{}/status", self.child.id()));
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
        let line = text.lines().find(|l| l.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
