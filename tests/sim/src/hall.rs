//! The hall: a room for many people with an air handling unit of its own, on the same boiler and under
//! the same sky as the rest of the building. Owns its physics and what people have asked of it.

use crate::physics::{Building, lag};

/// Levels of a command, as BACnet has them; the first that is set wins.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) levels: [Option<f64>; 16],
    pub(crate) at_rest: f64,
}

impl Command {
    fn resting(at_rest: f64) -> Self {
        Self {
            levels: [None; 16],
            at_rest,
        }
    }

    /// What holds now.
    pub(crate) fn winner(&self) -> f64 {
        let set = self.levels.iter().flatten().next();
        set.copied().unwrap_or(self.at_rest)
    }
}

/// Everything measured and commanded.
#[derive(Debug, Clone)]
pub(crate) struct Hall {
    pub(crate) outdoor: f64,
    pub(crate) supply: f64,
    pub(crate) room: f64,
    pub(crate) fan: f64,
    pub(crate) valve: f64,
    pub(crate) filter_drop: f64,
    filter_dirt: f64,
    pub(crate) setpoint: Command,
    pub(crate) filter_limit: Command,
    pub(crate) enable: Command,
    /// 1 off, 2 automatic, 3 low, 4 high.
    pub(crate) mode: Command,
}

impl Hall {
    pub(crate) fn new() -> Self {
        Self {
            outdoor: 6.0,
            supply: 19.0,
            room: 20.0,
            fan: 55.0,
            valve: 30.0,
            filter_drop: 120.0,
            filter_dirt: 0.4,
            setpoint: Command::resting(20.0),
            filter_limit: Command::resting(250.0),
            enable: Command::resting(1.0),
            mode: Command::resting(2.0),
        }
    }

    /// True while it is meant to move air.
    pub(crate) fn running(&self) -> bool {
        self.enable.winner() > 0.5 && self.mode.winner() > 1.5
    }

    /// True once the filter wants to be changed.
    pub(crate) fn filter_alarm(&self) -> bool {
        self.filter_drop > self.filter_limit.winner()
    }

    /// 1 off, 2 heating, 3 ventilating.
    pub(crate) fn state(&self) -> u8 {
        match (self.fan > 5.0, self.valve > 1.0) {
            (false, _) => 1,
            (true, true) => 2,
            (true, false) => 3,
        }
    }

    /// Lets `dt` seconds pass.
    pub(crate) fn step(&mut self, dt: f64, building: &Building) {
        self.outdoor = building.outdoor;
        let wanted = self.setpoint.winner();
        let demand = match self.mode.winner() {
            _ if !self.running() => 0.0,
            mode if mode > 3.5 => 90.0,
            mode if mode > 2.5 => 40.0,
            _ => (45.0 + (wanted - self.room).abs() * 15.0).clamp(40.0, 90.0),
        };
        lag(&mut self.fan, demand, 15.0, dt);
        let share = self.fan / 100.0;
        // A plate exchanger gives back two thirds of what leaves.
        let recovered = self.outdoor + (self.room - self.outdoor) * 0.66;
        let error = wanted + (wanted - self.room) * 1.5 - recovered;
        let open = if self.running() { error * 9.0 } else { 0.0 };
        lag(&mut self.valve, open.clamp(0.0, 100.0), 20.0, dt);
        let coil = (building.flow - 25.0).max(0.0) / 35.0 * 14.0 * self.valve / 100.0;
        let supply = if share > 0.05 {
            recovered + coil
        } else {
            self.room
        };
        lag(&mut self.supply, supply, 40.0, dt);
        let losses = (self.outdoor - self.room) * 0.05;
        let people = 0.5 + 0.5 * (building.seconds / 3_300.0).sin();
        let drive = losses + people + (self.supply - self.room) * 0.8 * share;
        self.room += drive * dt / 900.0;
        self.filter_dirt = (self.filter_dirt + dt * share * 2.0e-6).min(1.5);
        self.filter_drop = (100.0 + 240.0 * self.filter_dirt) * share * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(hall: &mut Hall, seconds: u32) {
        let building = Building::new();
        (0..seconds / 2).for_each(|_| hall.step(2.0, &building));
    }

    #[test]
    fn the_room_follows_its_setpoint_and_a_dirty_filter_is_told() {
        let mut hall = Hall::new();
        hall.setpoint.levels[7] = Some(22.0);
        run(&mut hall, 6 * 3600);
        assert!((hall.room - 22.0).abs() < 1.5, "{}", hall.room);
        assert!(!hall.filter_alarm());
        hall.mode.levels[7] = Some(4.0);
        hall.filter_limit.levels[7] = Some(60.0);
        run(&mut hall, 300);
        assert!(hall.filter_alarm(), "{}", hall.filter_drop);
    }

    #[test]
    fn switched_off_it_moves_no_air_whatever_holds_below() {
        let mut hall = Hall::new();
        hall.enable.levels[7] = Some(0.0);
        hall.enable.levels[9] = Some(1.0);
        run(&mut hall, 600);
        assert!(hall.fan < 1.0 && hall.valve < 1.0 && hall.state() == 1);
    }
}
