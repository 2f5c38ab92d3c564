//! A real mosquitto, and its own client that writes down what it is told.

use riser_adapter_testkit::programs::{Program, free_port, program, skip};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// mosquitto at work.
pub(crate) struct Broker {
    program: Option<Program>,
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
}

impl Broker {
    /// One that lets anybody in; none where mosquitto is missing, said loudly.
    pub(crate) fn start(test: &str) -> Option<Self> {
        Self::with(test, |_| "allow_anonymous true\n".to_owned())
    }

    /// One with these lines in its configuration.
    pub(crate) fn with(test: &str, lines: impl FnOnce(&Path) -> String) -> Option<Self> {
        if ["mosquitto", "mosquitto_sub", "mosquitto_pub"]
            .iter()
            .any(|p| program(p).is_none())
        {
            skip(test, "mosquitto with its clients");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let lines = lines(folder.path());
        // Of more than a thousand messages that wait for a slow watcher mosquitto drops the rest.
        let config = format!("max_queued_messages 100000\nlistener {port} 127.0.0.1\n{lines}");
        std::fs::write(folder.path().join("mosquitto.conf"), config).expect("a file");
        let mut broker = Self {
            program: None,
            port,
            folder,
        };
        broker.again();
        Some(broker)
    }

    /// Ends it and starts one that remembers nothing.
    pub(crate) fn again(&mut self) {
        self.end();
        let mut command = Command::new(program("mosquitto").expect("it is there"));
        let file = self.folder.path().join("mosquitto.conf");
        command.arg("-c").arg(file).stderr(Stdio::null());
        self.program = Some(Program::spawn(&mut command));
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "mosquitto does not start");
            std::thread::yield_now();
        }
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        self.program = None;
    }

    pub(crate) fn config(&self, more: &str) -> String {
        format!(
            "host = '127.0.0.1'\nport = {}\nnode = 'gw'\ninterval_ms = 50\nlook_seconds = 1\nforget_seconds = 1\n{more}",
            self.port
        )
    }

    /// Publishes by mosquitto's client.
    pub(crate) fn publish(&self, topic: &str, payload: &str, more: &[&str]) {
        let done = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-q", "1", "-t", topic, "-m", payload])
            .args(more)
            .status()
            .expect("it runs");
        assert!(done.success(), "mosquitto_pub: {done}");
    }
}

/// What is kept at the broker, as its own client hears it.
pub(crate) struct Watcher {
    child: Child,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    last: BTreeMap<String, String>,
    count: usize,
}

impl Watcher {
    pub(crate) fn start(broker: &Broker) -> Self {
        Self::with(broker, &[])
    }

    pub(crate) fn with(broker: &Broker, more: &[&str]) -> Self {
        let mut child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &broker.port.to_string()])
            .args(["-q", "1", "-t", "#", "-F", "%t %p"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto_sub runs");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let writes = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let (topic, payload) = line.split_once(' ').unwrap_or((&line, ""));
                let mut heard = writes.lock().unwrap_or_else(PoisonError::into_inner);
                heard.count += 1;
                if payload.is_empty() {
                    heard.last.remove(topic);
                } else {
                    heard.last.insert(topic.to_owned(), payload.to_owned());
                }
            }
        });
        Self { child, heard }
    }

    /// The last text of a topic; none where it was cleared.
    pub(crate) fn text(&self, topic: &str) -> Option<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.last.get(topic).cloned()
    }

    /// The same as JSON; null where there is none.
    pub(crate) fn json(&self, topic: &str) -> Value {
        let text = self.text(topic).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The state of a point.
    pub(crate) fn state(&self, object: &str) -> Value {
        self.json(&format!("riser/gw/{object}/state"))
    }

    /// The description of a point.
    pub(crate) fn config(&self, component: &str, object: &str) -> Value {
        self.json(&format!("homeassistant/{component}/gw/{object}/config"))
    }

    /// Topics with a text, and messages heard since it began.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        (heard.last.len(), heard.count)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended = self.child.wait();
    }
}
