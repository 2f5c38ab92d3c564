//! Times a serial line takes by itself: how long a character, a frame and the silence between two
//! frames last at a baud rate. Owns the floor below which a timeout cannot work.
//! Source: MODBUS over Serial Line V1.02, clause 2.5.1.1.

use crate::config::{SerialConfig, lane::Parity};
use std::time::Duration;

/// What a device may take to begin its answer, beyond the line itself.
const TURNAROUND: Duration = Duration::from_millis(20);

/// Time on the line of `octets` octets.
#[must_use]
pub fn line_time(serial: &SerialConfig, octets: usize) -> Duration {
    let parity = u32::from(serial.parity != Parity::None);
    let bits = 1 + u32::from(serial.data_bits) + parity + u32::from(serial.stop_bits);
    let octets = u32::try_from(octets).unwrap_or(u32::MAX);
    Duration::from_secs_f64(f64::from(octets) * f64::from(bits) / f64::from(serial.baud))
}

/// Silence that ends a frame: 3.5 characters, and never below 1.75 ms.
#[must_use]
pub fn frame_gap(serial: &SerialConfig) -> Duration {
    let characters = line_time(serial, 7) / 2;
    characters.max(Duration::from_micros(1750))
}

/// Shortest timeout that can work for a request and its answer: both on the line, the silence
/// before each, and the device's own time.
#[must_use]
pub fn timeout_floor(serial: &SerialConfig, request: usize, answer: usize) -> Duration {
    line_time(serial, request + answer) + frame_gap(serial) * 2 + TURNAROUND
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(baud: u32) -> SerialConfig {
        SerialConfig {
            baud,
            parity: Parity::Even,
            data_bits: 8,
            stop_bits: 1,
        }
    }

    #[test]
    fn the_floor_follows_the_baud_rate() {
        // 8 octets out, 5 + 2 × 125 back, 11 bits each.
        let floor = |baud| timeout_floor(&line(baud), 8, 255).as_millis();
        assert_eq!(floor(9_600), 301 + 20 + 8);
        assert_eq!(floor(19_200), 150 + 20 + 4 + 1 - 1);
        assert!(floor(1_200) > 2_400);
        assert!(floor(115_200) < 50);
    }

    #[test]
    fn the_silence_between_frames_has_a_lower_bound() {
        assert_eq!(frame_gap(&line(9_600)).as_micros(), 4_010);
        assert_eq!(frame_gap(&line(115_200)).as_micros(), 1_750);
    }
}
