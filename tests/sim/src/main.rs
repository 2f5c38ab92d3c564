//! A simulated small building behind real Modbus TCP servers on loopback, for the demo and the
//! tests. Owns the process: arguments, listeners, the clock of the physics. The building itself is
//! in `physics`, its register maps in `plant`, the servers in `server`.
//!
//! | port offset | device | units |
//! |---|---|---|
//! | 0 | air handling unit | 1 |
//! | 1 | boiler | 1 |
//! | 2 | energy meter | 1 |
//! | 3 | VAV controllers behind one TCP to RTU gateway | 1 to 4 |

mod bank;
mod physics;
mod plant;
mod server;

use clap::Parser;
use plant::Plant;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Simulated building: AHU, boiler, energy meter and four VAV boxes.
#[derive(Debug, Parser)]
#[command(name = "riser-sim", version)]
struct Arguments {
    /// First of four consecutive TCP ports.
    #[arg(long, default_value_t = 15020)]
    port: u16,
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// How many times faster than real the building lives.
    #[arg(long, default_value_t = 20.0)]
    speed: f64,
}

/// Physics step in real time.
const STEP: Duration = Duration::from_millis(200);

#[tokio::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let plant = Arc::new(Mutex::new(Plant::new()));
    for (offset, banks) in plant::LISTENERS.iter().zip(plant::listeners()) {
        let address = SocketAddr::new(arguments.host, arguments.port + offset);
        server::listen(address, Arc::clone(&plant), banks).await?;
    }
    tracing::info!(host = %arguments.host, port = arguments.port, "the building is running");
    let mut timer = tokio::time::interval(STEP);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {
                let mut plant = plant.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                plant.step(STEP.as_secs_f64() * arguments.speed);
            }
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}
