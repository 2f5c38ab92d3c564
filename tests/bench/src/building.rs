//! The gateway's configurations under load. Owns their text: devices on lanes of their own, points
//! and a rule for each device.

use crate::load::REGISTERS;
use std::fmt::Write;

/// Key of the point that holds the moment of the answer.
pub(crate) const ANSWERED: &str = "answered";
/// Key of the point that raises alarms.
pub(crate) const ALARM: &str = "alarm";
/// Points of each device of [`ten_devices`]: 100 registers, four of them one value.
pub(crate) const POINTS: usize = 97;

/// A device's key by its number.
pub(crate) fn key(device: usize) -> String {
    format!("d{device}")
}

/// The number of a device by the path of one of its points.
pub(crate) fn number(path: &str) -> Option<usize> {
    path.split('/').next()?.strip_prefix('d')?.parse().ok()
}

/// Registers 0 to 99 of each device each second: the clock, the alarm number, measured values. A
/// rule for each device raises an alarm while there is an alarm number.
pub(crate) fn ten_devices(ports: &[u16]) -> String {
    let points = format!(
        "{{ key = \"{ANSWERED}\", address = 0, type = \"u64\" }}, \
         {{ key = \"{ALARM}\", address = 4, type = \"u16\" }}, \
         {{ key = \"r\", address = 5, type = \"u16\", repeat = 95 }}"
    );
    building(ports, &points, ALARM, 0)
}

/// Every register of each device each second, one point a register. The rules look at every value
/// of their point; none holds.
pub(crate) fn all_registers(ports: &[u16]) -> String {
    let points = format!("{{ key = \"r\", address = 0, type = \"u16\", repeat = {REGISTERS} }}");
    building(ports, &points, "r_100", 60_000)
}

fn building(ports: &[u16], points: &str, ruled: &str, limit: u32) -> String {
    let mut text = "[[adapter]]\nkind = \"modbus\"\nname = \"field\"\n".to_owned();
    for (device, port) in ports.iter().enumerate() {
        let key = key(device);
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "[[adapter.lane]]\nkey = \"{key}\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             [[adapter.device]]\nkey = \"{key}\"\nlane = \"{key}\"\nunit = 1\ninterval_ms = 1000\npoint = [{points}]\n"
        );
    }
    for device in 0..ports.len() {
        let key = key(device);
        // No flap limit: each alarm is one to be measured.
        let _ = write!(
            text,
            "[[rule]]\nkey = \"{key}\"\npoint = \"{key}/{ruled}\"\ncondition = {{ test = \"above\", limit = {limit} }}\n\
             action.raise_alarm = {{ priority = \"high\", message = \"Over the limit\", flap_raises = 255, flap_window_ms = 1000 }}\n"
        );
    }
    text
}
