//! What the adapter costs: processor time per register at 100,000 registers a second, and how many
//! requests one lane can do. The server is its own process, so that only the adapter is measured.
//! Run with `cargo bench -p riser-modbus`; figures are printed, nothing is asserted.
#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]

use riser_adapter_testkit::Running;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    if std::env::args().any(|a| a == "--server") {
        return serve();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let server = Server::start();
        for lanes in [1, 4, 8] {
            steady(&server, lanes).await;
        }
        flat_out(&server).await;
    });
}

/// 800 reads of 125 registers a second, spread over some lanes.
async fn steady(server: &Server, lanes: u16) {
    const SECONDS: u32 = 10;
    let mut config = String::new();
    for lane in 0..lanes {
        config += &server.lane(lane);
        config += &device(lane, 800 / lanes, 1000);
    }
    let mut running = Running::start(&riser_modbus::KIND, &config);
    // The first second learns nothing new and is not counted.
    let _warm = count(&mut running, Duration::from_secs(1)).await;
    let (cpu, began) = (processor_time(), Instant::now());
    let (batches, readings) = count(&mut running, Duration::from_secs(SECONDS.into())).await;
    let (cpu, wall) = (processor_time() - cpu, began.elapsed().as_secs_f64());
    let overruns: u64 = running.health.lanes().iter().map(|l| l.overruns).sum();
    let per_second = f64::from(readings) / wall;
    println!(
        "{lanes} lanes: {:.0} requests/s, {per_second:.0} registers/s, {:.3} cores, {:.2} µs a register, {overruns} scans missed",
        f64::from(batches) / wall,
        cpu / wall,
        cpu * 1.0e6 / f64::from(readings),
    );
    println!(
        "         memory with the points of the whole machine: {}",
        memory()
    );
    running.stop().await;
}

/// Resident memory of this process, now and at most.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status
        .lines()
        .filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM"));
    lines
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}

/// One lane, one request at a time, as fast as the server answers.
async fn flat_out(server: &Server) {
    let config = server.lane(0)
        + &device(0, 500, 10)
            .replace("repeat = 62500", "repeat = 500")
            .replace("max_span = 125", "max_span = 1");
    let mut running = Running::start(&riser_modbus::KIND, &config);
    let _warm = count(&mut running, Duration::from_secs(1)).await;
    let began = Instant::now();
    let (batches, _) = count(&mut running, Duration::from_secs(3)).await;
    let wall = began.elapsed().as_secs_f64();
    println!(
        "one lane flat out: {:.0} requests/s",
        f64::from(batches) / wall
    );
    running.stop().await;
}

async fn count(running: &mut Running, time: Duration) -> (u32, u32) {
    let until = tokio::time::Instant::now() + time;
    let (mut batches, mut readings) = (0, 0);
    while let Ok(Some(batch)) = tokio::time::timeout_at(until, running.batches.recv()).await {
        batches += 1;
        readings += u32::try_from(batch.readings.len()).unwrap_or(0);
    }
    (batches, readings)
}

/// A table has 65,536 registers; 800 reads need more than one, so they are read over and over.
fn device(lane: u16, blocks: u16, interval_ms: u32) -> String {
    let mut text = String::new();
    let mut left = blocks;
    let mut unit = 1;
    while left > 0 {
        let now = left.min(500);
        text += &format!(
            "[[device]]\nkey = \"d{lane}-{unit}\"\nlane = \"l{lane}\"\nunit = {unit}\ninterval_ms = {interval_ms}\nmax_span = 125\n[[device.point]]\nkey = \"r\"\naddress = 0\ntype = \"u16\"\nrepeat = {}\n",
            u32::from(now) * 125
        );
        left -= now;
        unit += 1;
    }
    text
}

/// User and system time of this process, in seconds.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    // Clock ticks are hundredths of a second on Linux.
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .arg("--server")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("the server's output");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the server's port");
        Self {
            child,
            port: line.trim().parse().expect("a port"),
        }
    }

    /// Lanes must differ in their address; loopback has many.
    fn lane(&self, lane: u16) -> String {
        format!(
            "[[lane]]\nkey = \"l{lane}\"\ntransport = \"tcp\"\nhost = \"127.0.1.{}\"\nport = {}\n",
            lane + 1,
            self.port
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Answers every read with zeros, one thread a connection.
fn serve() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) {
    let _not_vital = stream.set_nodelay(true);
    let mut request = [0; 12];
    let mut reply = [0; 259];
    while stream.read_exact(&mut request).is_ok() {
        let octets = request[11] * 2;
        reply[..2].copy_from_slice(&request[..2]);
        reply[5] = octets + 3;
        reply[6..8].copy_from_slice(&request[6..8]);
        reply[8] = octets;
        if stream.write_all(&reply[..9 + usize::from(octets)]).is_err() {
            return;
        }
    }
}
