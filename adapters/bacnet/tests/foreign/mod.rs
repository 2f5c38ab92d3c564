//! Starting the independent stacks: bacpypes3 and rusty-bacnet, each on an address of loopback of
//! its own, with an own UDP port for each test so that they can run side by side.
#![allow(
    dead_code,
    clippy::panic,
    clippy::allow_attributes,
    reason = "each test file uses a part of it"
)]

use riser_adapter_testkit::programs::{program, python, repository, skip};
use riser_bacnet::client::{Address, Binding};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");
/// The one broadcast address of loopback.
pub(crate) const BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

/// A UDP port of loopback that was free a moment ago, in a form of every address.
pub(crate) fn free_port() -> u16 {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port");
    socket.local_addr().expect("it has an address").port()
}

/// A program of `tests/peers`.
pub(crate) struct Peer {
    child: Child,
    orders: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Peer {
    pub(crate) fn start(test: &str, script: &str, arguments: &[String]) -> Option<Self> {
        let Some(python) = python(MANIFEST, "bacnet") else {
            skip(test, "the BACnet environment (.peers/bacnet)");
            return None;
        };
        let script = repository(MANIFEST).join("tests/peers").join(script);
        let mut command = Command::new(python);
        command.arg("-u").arg(script).args(arguments);
        if std::env::var_os("RISER_PEER_LOG").is_none() {
            command.stderr(Stdio::null());
        }
        Some(Self::spawn(&mut command))
    }

    /// A program of `tests/peers` that runs on Node, with the packages of `tests/peers/<list>.npm`.
    pub(crate) fn node(test: &str, list: &str, script: &str, arguments: &[String]) -> Option<Self> {
        let home = std::env::var_os("RISER_PEERS").map_or_else(
            || repository(MANIFEST).join(".peers"),
            std::path::PathBuf::from,
        );
        let modules = home.join(list).join("node_modules");
        let Some(node) = program("node").filter(|_| modules.is_dir()) else {
            skip(test, &format!("Node, or its packages (.peers/{list})"));
            return None;
        };
        let script = repository(MANIFEST).join("tests/peers").join(script);
        let mut command = Command::new(node);
        command.arg(script).arg(modules).args(arguments);
        Some(Self::spawn(&mut command))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("it was piped");
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _gone = tell.send(line);
            }
        });
        let orders = child.stdin.take();
        let peer = Self {
            child,
            orders,
            lines,
        };
        peer.wait("READY");
        peer
    }

    /// The rest of the next line that begins so.
    pub(crate) fn wait(&self, word: &str) -> String {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(word) {
                        return rest.trim().to_owned();
                    }
                }
                Err(_) => panic!("the peer did not say '{word}'"),
            }
        }
    }

    /// Gives an order.
    pub(crate) fn order(&mut self, text: &str) {
        let orders = self.orders.as_mut().expect("it takes orders");
        writeln!(orders, "{text}").expect("the peer runs");
    }

    /// Asks for a number.
    pub(crate) fn number(&mut self, question: &str) -> u64 {
        self.order(question);
        let answer = self.wait(&question.to_uppercase());
        answer.parse().expect("it says a number")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A small network of its own on loopback.
pub(crate) struct Net {
    pub(crate) port: u16,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self { port: free_port() }
    }

    pub(crate) fn ip(&self, last: u8) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), self.port)
    }

    pub(crate) fn address(&self, last: u8) -> Address {
        Address::local(self.ip(last))
    }

    /// What Riser binds: `127.0.0.1` and the broadcast address.
    pub(crate) fn binding(&self) -> Binding {
        Binding {
            interface: None,
            ip: Ipv4Addr::LOCALHOST,
            port: self.port,
            broadcasts: vec![SocketAddrV4::new(BROADCAST, self.port)],
        }
    }

    /// bacpypes3 with these devices: last octet of the address, instance.
    pub(crate) fn bacpypes3(
        &self,
        test: &str,
        more: &[&str],
        devices: &[(u8, u32)],
    ) -> Option<Peer> {
        let mut arguments: Vec<String> = more.iter().map(|a| (*a).to_owned()).collect();
        for (last, instance) in devices {
            arguments.push(format!("127.0.0.{last}/8:{}", self.port));
            arguments.push(instance.to_string());
        }
        Peer::start(test, "bacnet_devices.py", &arguments)
    }

    /// rusty-bacnet with one device.
    pub(crate) fn rusty(&self, test: &str, more: &[&str], last: u8, instance: u32) -> Option<Peer> {
        let mut arguments = vec![format!("127.0.0.{last}"), instance.to_string()];
        arguments.extend(["--port".to_owned(), self.port.to_string()]);
        arguments.extend(more.iter().map(|a| (*a).to_owned()));
        Peer::start(test, "bacnet_rusty.py", &arguments)
    }

    /// The lane table of a configuration.
    pub(crate) fn lane(&self, rest: &str) -> String {
        format!(
            "[[lane]]\nkey = \"main\"\naddress = \"127.0.0.1\"\nport = {}\nbroadcast = [\"{BROADCAST}\"]\n{rest}\n",
            self.port
        )
    }
}
