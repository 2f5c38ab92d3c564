//! A simulated small building on loopback, for the demo and the tests. Owns the process: arguments,
//! listeners, the clock of the physics. The building itself is in `physics`, `hall` and `office`, its
//! register maps in `plant`; `server`, `bacnet`, `tuya`, `mqtt` and `zigbee` speak for it.
//!
//! | port offset | what speaks there |
//! |---|---|
//! | 0 | air handling unit: Modbus TCP, unit 1 |
//! | 1 | boiler: Modbus TCP, unit 1 |
//! | 2 | energy meter: Modbus TCP, unit 1 |
//! | 3 | VAV controllers behind one TCP to RTU gateway: Modbus TCP, units 1 to 4 |
//! | 4 | plug with metering in the office: Tuya 3.5 |
//! | 5 | floor thermostat in the office: Tuya 3.4 |
//! | 6 | climate sensor, door contact and lamp in the office: a zigbee2mqtt with its broker, MQTT 5 |
//! | 7 | air handling unit of the hall: BACnet/IP (UDP), device 2001 |

mod bacnet;
mod bank;
mod hall;
mod mqtt;
mod office;
mod physics;
mod plant;
mod server;
mod tuya;
mod zigbee;

use clap::Parser;
use plant::Plant;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Simulated building: two air handling units, boiler, energy meter, four VAV boxes and an office.
#[derive(Debug, Parser)]
#[command(name = "riser-sim", version)]
struct Arguments {
    /// First of eight consecutive ports: seven of TCP, then one of UDP.
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
    let at = |offset: u16| SocketAddr::new(arguments.host, arguments.port + offset);
    for (offset, banks) in plant::LISTENERS.iter().zip(plant::listeners()) {
        server::listen(at(*offset), Arc::clone(&plant), banks).await?;
    }
    tuya::listen(at(4), Arc::clone(&plant), tuya::Device::Plug).await?;
    tuya::listen(at(5), Arc::clone(&plant), tuya::Device::Thermostat).await?;
    mqtt::listen(at(6), Arc::clone(&plant)).await?;
    bacnet::listen(at(7), Arc::clone(&plant)).await?;
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
