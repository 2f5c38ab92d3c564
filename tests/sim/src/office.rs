//! The office: a coffee machine on a plug, a thermostat, a climate sensor, a door and a lamp. Owns its
//! physics and what people have asked of it; who speaks for which of them is in `tuya` and `zigbee`.

use crate::physics::{Building, lag};

/// Everything measured and switched.
#[derive(Debug, Clone)]
pub(crate) struct Office {
    pub(crate) temperature: f64,
    pub(crate) humidity: f64,
    pub(crate) pressure: f64,
    pub(crate) volts: f64,
    pub(crate) plug: bool,
    pub(crate) watts: f64,
    pub(crate) heating: bool,
    pub(crate) setpoint: f64,
    pub(crate) saving: bool,
    pub(crate) locked: bool,
    pub(crate) door_open: bool,
    pub(crate) lamp: bool,
    /// 0 to 254.
    pub(crate) brightness: u8,
}

impl Office {
    pub(crate) fn new() -> Self {
        Self {
            temperature: 20.8,
            humidity: 44.0,
            pressure: 1013.0,
            volts: 230.0,
            plug: true,
            watts: 2.1,
            heating: true,
            setpoint: 21.5,
            saving: false,
            locked: false,
            door_open: false,
            lamp: false,
            brightness: 180,
        }
    }

    /// Lets `dt` seconds pass.
    pub(crate) fn step(&mut self, dt: f64, building: &Building) {
        let seconds = building.seconds;
        let wanted = self.setpoint - if self.saving { 3.0 } else { 0.0 };
        let floor = if self.heating {
            ((wanted - self.temperature) * 6.0).clamp(0.0, 4.0)
        } else {
            0.0
        };
        let losses = (building.outdoor - self.temperature) * 0.08;
        let lamp = if self.lamp {
            f64::from(self.brightness) / 254.0 * 0.2
        } else {
            0.0
        };
        self.temperature += (floor + losses + lamp + 0.4) * dt / 600.0;
        lag(
            &mut self.humidity,
            42.0 + 5.0 * (seconds / 4_100.0).sin(),
            300.0,
            dt,
        );
        self.pressure = 1013.0 + 6.0 * (seconds / 21_000.0).sin();
        self.volts = building.volts[0];
        // It heats its water for two minutes of each ten, and waits in between.
        let brewing = seconds.rem_euclid(600.0) < 120.0;
        let watts = match (self.plug, brewing) {
            (false, _) => 0.0,
            (true, true) => 1_240.0 * (self.volts / 230.0) * (self.volts / 230.0),
            (true, false) => 2.1,
        };
        lag(&mut self.watts, watts, 3.0, dt);
        self.door_open = seconds.rem_euclid(900.0) < 60.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_follows_its_thermostat_and_a_plug_that_is_off_takes_nothing() {
        let (mut office, mut building) = (Office::new(), Building::new());
        office.setpoint = 23.0;
        office.plug = false;
        for _ in 0..4 * 1800 {
            building.seconds += 2.0;
            office.step(2.0, &building);
        }
        assert!(
            (office.temperature - 23.0).abs() < 1.0,
            "{}",
            office.temperature
        );
        assert!(office.watts < 0.1);
    }
}
