//! Starts a whole building on this machine: cloud, gateway, simulator, with a throw-away PKI and
//! one-time credentials. Owns the folder `.demo`, which each start makes anew, and stops everything
//! on Ctrl-C. The files it writes are in `files`.

mod files;

use clap::Parser;
use files::Files;
use riser_e2e::cloud::Cloud;
use riser_e2e::local::Local;
use riser_e2e::process::{Process, built, free_port};
use riser_e2e::within;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Runs a simulated building with gateway and cloud on this machine.
#[derive(Debug, Parser)]
#[command(name = "riser-demo", version)]
struct Arguments {
    /// Folder for everything the demo makes; wiped at each start.
    #[arg(long, default_value = ".demo")]
    dir: PathBuf,
    /// Port of the technician's page; another free one when it is taken.
    #[arg(long, default_value_t = 8080)]
    local_port: u16,
    /// Port of the operator's dashboard; another free one when it is taken.
    #[arg(long, default_value_t = 8090)]
    cloud_port: u16,
    /// How many times faster than real the building lives.
    #[arg(long, default_value_t = 20.0)]
    speed: f64,
    /// Go on when a process ends, to see how the others do without it.
    #[arg(long)]
    go_on: bool,
    /// Also write addresses and credentials to this file, as JSON.
    #[arg(long)]
    credentials: Option<PathBuf>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let files = Files::prepare(
        &arguments.dir,
        port_or_free(arguments.local_port),
        port_or_free(arguments.cloud_port),
    )
    .await?;
    let mut processes = start(&files, arguments.speed);
    let began = std::time::Instant::now();
    wait_for(&files, &mut processes).await?;
    let code = files.claim_code().await;
    let credentials = files.credentials(code.trim());
    if let Some(path) = &arguments.credentials {
        std::fs::write(path, credentials.to_string())?;
    }
    print(&credentials, began.elapsed())?;
    let ended = tokio::select! {
        name = any_end(&mut processes), if !arguments.go_on => Some(name),
        () = told_to_stop() => None,
    };
    for process in processes.iter_mut().rev() {
        if process.running() {
            process.stop().await;
        }
    }
    match ended {
        None => Ok(()),
        Some((name, tail)) => Err(format!("{name} ended by itself; it said last:\n{tail}").into()),
    }
}

/// The port, or a free one when somebody has it.
fn port_or_free(port: u16) -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", port)).map_or_else(|_| free_port(), |_| port)
}

/// Simulator, cloud and gateway, in the order they are needed.
fn start(files: &Files, speed: f64) -> Vec<Process> {
    let folder = &files.folder;
    let simulator = Process::new("riser-sim", built("riser-sim"), folder).arguments([
        "--port",
        &files.field_port.to_string(),
        "--speed",
        &speed.to_string(),
    ]);
    let cloud = Process::new("riser-cloud", built("riser-cloud"), folder).arguments([
        "run",
        "--config",
        &files.cloud_config(),
    ]);
    let gateway = Process::new("riserd", built("riserd"), folder).arguments([
        "run",
        "--config",
        &files.gateway_config(),
    ]);
    let mut processes = vec![simulator, cloud, gateway];
    for process in &mut processes {
        process.start();
    }
    processes
}

/// Waits until both faces answer, or says which process did not make it.
async fn wait_for(files: &Files, processes: &mut [Process]) -> Result<(), String> {
    let (local, cloud) = (Local::new(files.local_port), Cloud::new(files.cloud_port));
    let serving = within(Duration::from_secs(20), || async {
        let both =
            local.get("/api/v1/setup").await.0 == 200 && cloud.get("/healthz").await.0 == 200;
        both.then_some(())
    })
    .await;
    if serving.is_some() {
        return Ok(());
    }
    let dead = processes
        .iter_mut()
        .find_map(|p| (!p.running()).then(|| format!("{} ended:\n{}", p.name(), p.tail())));
    Err(dead.unwrap_or_else(|| {
        format!(
            "gateway or cloud did not answer within 20 s; logs are in {}",
            files.folder.display()
        )
    }))
}

fn print(credentials: &serde_json::Value, took: Duration) -> std::io::Result<()> {
    let text = |a: &str, b: &str| credentials[a][b].as_str().unwrap_or_default().to_owned();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\nA building is running (up in {:.1} s). Ctrl-C stops everything.\n",
        took.as_secs_f64()
    )?;
    writeln!(out, "  Technician, on the LAN   {}", text("local", "url"))?;
    writeln!(
        out,
        "    claim it with code     {}   (you choose user and password)\n",
        text("local", "code")
    )?;
    writeln!(out, "  Operator, in the cloud   {}", text("cloud", "url"))?;
    writeln!(out, "    log in as              {}", text("cloud", "email"))?;
    writeln!(
        out,
        "    one-time password      {}\n",
        text("cloud", "password")
    )?;
    writeln!(
        out,
        "  Simulated on this machine: two air handling units (Modbus TCP, BACnet/IP), boiler, meter and VAV\n  \
         boxes (Modbus TCP), and an office with Tuya and Zigbee devices.\n"
    )?;
    out.flush()
}

/// The first process that ends by itself, with what it said last.
async fn any_end(processes: &mut [Process]) -> (String, String) {
    let mut timer = tokio::time::interval(Duration::from_millis(500));
    loop {
        timer.tick().await;
        if let Some(dead) = processes
            .iter_mut()
            .find_map(|p| (!p.running()).then(|| (p.name().to_owned(), p.tail())))
        {
            return dead;
        }
    }
}

/// Ctrl-C or SIGTERM.
async fn told_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
