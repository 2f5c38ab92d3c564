//! A Modbus device on a port of its own, for as long as the test lives: every register is 7. Counts the
//! connections, so that a restart of the adapter shows on the wire.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

pub(crate) struct Bus {
    pub(crate) port: u16,
    connections: Arc<AtomicU32>,
    requests: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
}

impl Bus {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let bus = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            requests: Arc::default(),
            over: Arc::default(),
        };
        let (connections, requests) = (bus.connections.clone(), bus.requests.clone());
        let over = bus.over.clone();
        std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        connections.fetch_add(1, Ordering::SeqCst);
                        let (over, requests) = (over.clone(), requests.clone());
                        std::thread::spawn(move || serve(stream, &over, &requests));
                    }
                    Err(_) => std::thread::park_timeout(Duration::from_millis(10)),
                }
            }
        });
        bus
    }

    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }

    /// One adapter of this name with one device and one point on this bus.
    pub(crate) fn adapter(&self, name: &str) -> String {
        format!(
            "[[adapter]]\nkind = \"modbus\"\nname = \"{name}\"\n[[adapter.lane]]\nkey = \"{name}\"\n\
             transport = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\n[[adapter.device]]\nkey = \"{name}-1\"\n\
             lane = \"{name}\"\n[[adapter.device.point]]\nkey = \"t\"\nname = \"T\"\naddress = 0\n\
             type = \"u16\"\n",
            self.port
        )
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Answers function 3 and 4 (Modbus Application Protocol V1.1b3, clauses 6.3 and 6.4).
fn serve(mut stream: TcpStream, over: &AtomicBool, requests: &AtomicU32) {
    stream.set_nonblocking(false).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut header = [0_u8; 12];
    let mut got = 0;
    while !over.load(Ordering::SeqCst) {
        match stream.read(&mut header[got..]) {
            Ok(0) => return,
            Ok(n) => got += n,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        if got < header.len() {
            continue;
        }
        got = 0;
        requests.fetch_add(1, Ordering::SeqCst);
        let count = u16::from_be_bytes([header[10], header[11]]);
        let octets = u8::try_from(count * 2).unwrap();
        let mut answer = header[..4].to_vec();
        answer.extend((u16::from(octets) + 3).to_be_bytes());
        answer.extend([header[6], header[7], octets]);
        answer.extend(std::iter::repeat_n([0, 7], count.into()).flatten());
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}
