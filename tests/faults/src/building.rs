//! What the gateway of a scenario reads: numbered devices and how fast. Owns that part of its
//! configuration.

use riser_e2e::numbered::{Numbered, PLAIN};
use std::fmt::Write;

/// The points of all devices of a building.
#[derive(Debug, Clone, Copy)]
pub struct Building {
    /// Devices, each with a lane of its own.
    pub devices: usize,
    /// Numbered points of each; at most 60, so that one read covers them.
    pub points: usize,
    /// Milliseconds between two scans.
    pub interval: u32,
}

/// Name of a point, `device/point`.
pub type Point = String;

impl Building {
    /// 2,000 samples a second.
    pub const BUSY: Self = Self {
        devices: 2,
        points: 50,
        interval: 50,
    };
    /// 25 samples a second, for scenarios that mostly wait.
    pub const QUIET: Self = Self {
        devices: 1,
        points: 5,
        interval: 200,
    };
    /// 500 samples a second from ten devices, for a day without the cloud.
    pub const STEADY: Self = Self {
        devices: 10,
        points: 50,
        interval: 1_000,
    };
    /// 24,000 samples a second, to fill what is bounded.
    pub const FLOOD: Self = Self {
        devices: 4,
        points: 60,
        interval: 10,
    };

    /// The numbered point of a device that is looked at for its account; all points of a scan share
    /// its fate, being in one transaction.
    #[must_use]
    pub fn witness(&self, device: usize) -> Vec<Point> {
        [0, self.points - 1]
            .map(|point| format!("num{device}/n{point}"))
            .to_vec()
    }

    /// Every point of a device, the two plain ones too.
    #[must_use]
    pub fn all(&self, device: usize) -> Vec<Point> {
        let numbered = (0..self.points).map(|point| format!("num{device}/n{point}"));
        let plain = ["relay", "door"].map(|key| format!("num{device}/{key}"));
        numbered.chain(plain).collect()
    }

    /// Starts the devices.
    pub async fn devices(&self) -> Vec<Numbered> {
        let mut devices = Vec::new();
        for _ in 0..self.devices {
            devices.push(Numbered::start().await);
        }
        devices
    }

    /// The adapter's part of the configuration, and a rule: when the first device's register
    /// `door` is above 0, an alarm is raised and its register `relay` is set to 7.
    #[must_use]
    pub fn configuration(&self, devices: &[Numbered]) -> String {
        // The free-space floor is for disks larger than those of the scenarios.
        let mut text =
            "[storage]\nmin_free_mb = 16\n[[adapter]]\nkind = \"modbus\"\nname = \"field\"\n"
                .to_owned();
        for (number, device) in devices.iter().enumerate() {
            let port = device.port;
            let _ = write!(
                text,
                "[[adapter.lane]]\nkey = \"lane{number}\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n"
            );
        }
        for number in 0..devices.len() {
            let interval = self.interval;
            let _ = write!(
                text,
                "[[adapter.device]]\nkey = \"num{number}\"\nname = \"Numbered {number}\"\nlane = \"lane{number}\"\ninterval_ms = {interval}\npoint = [\n"
            );
            for point in 0..self.points {
                let address = 2 * point;
                let _ = writeln!(
                    text,
                    "  {{ key = \"n{point}\", address = {address}, type = \"u32\" }},"
                );
            }
            let door = PLAIN + 1;
            let _ = write!(
                text,
                "  {{ key = \"relay\", address = {PLAIN}, type = \"u16\", access = \"read_write\", write_function = 6, interval_ms = 60000 }},\n  {{ key = \"door\", address = {door}, type = \"u16\", interval_ms = 500 }},\n]\n"
            );
        }
        text.push_str(
            "[[rule]]\nkey = \"door\"\npoint = \"num0/door\"\ncondition = { test = \"above\", limit = 0 }\n\
             action.raise_alarm = { priority = \"high\", message = \"Door open\" }\n\
             [[rule]]\nkey = \"relay\"\npoint = \"num0/door\"\ncondition = { test = \"above\", limit = 0 }\n\
             action.write = { point = \"num0/relay\", value = 7, on_end = \"keep\" }\n",
        );
        text
    }
}
