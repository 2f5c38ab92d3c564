//! The building as first-order physics: temperatures drift towards what drives them, valves follow
//! PI loops, meters integrate. Owns the state; knows no register.
//!
//! Deterministic: the only noise is a seeded generator, so two runs with the same steps agree.

use std::f64::consts::TAU;

/// Number of VAV zones.
pub(crate) const ZONES: usize = 4;

/// What people and rules have asked for.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    pub(crate) ahu_enable: bool,
    pub(crate) fan_mode: u16,
    pub(crate) supply_setpoint: f64,
    pub(crate) co2_setpoint: f64,
    pub(crate) boiler_enable: bool,
    pub(crate) flow_setpoint: f64,
    pub(crate) zone_setpoint: [f64; ZONES],
    pub(crate) zone_override: [bool; ZONES],
}

/// One room behind a VAV box.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zone {
    pub(crate) temperature: f64,
    pub(crate) co2: f64,
    pub(crate) damper: f64,
    pub(crate) airflow: f64,
    pub(crate) reheat: f64,
    pub(crate) occupied: bool,
}

/// Everything measured.
#[derive(Debug, Clone)]
pub(crate) struct Building {
    pub(crate) seconds: f64,
    pub(crate) outdoor: f64,
    pub(crate) supply: f64,
    pub(crate) return_air: f64,
    pub(crate) exhaust: f64,
    pub(crate) humidity: f64,
    pub(crate) fan: f64,
    pub(crate) heating_valve: f64,
    pub(crate) cooling_valve: f64,
    pub(crate) recovery: f64,
    pub(crate) duct_pressure: f64,
    pub(crate) filter_drop: f64,
    pub(crate) filter_dirt: f64,
    pub(crate) ahu_hours: f64,
    pub(crate) flow: f64,
    pub(crate) return_water: f64,
    pub(crate) modulation: f64,
    pub(crate) flue: f64,
    pub(crate) pressure: f64,
    pub(crate) burner_hours: f64,
    pub(crate) starts: f64,
    pub(crate) gas: f64,
    pub(crate) burning: bool,
    pub(crate) zones: [Zone; ZONES],
    pub(crate) volts: [f64; 3],
    pub(crate) watts: [f64; 3],
    pub(crate) hertz: f64,
    pub(crate) power_factor: f64,
    pub(crate) energy_wh: f64,
    noise: u64,
}

/// Moves `value` towards `target` with time constant `tau`, exactly for a constant target.
pub(crate) fn lag(value: &mut f64, target: f64, tau: f64, dt: f64) {
    *value += (target - *value) * (1.0 - (-dt / tau).exp());
}

impl Building {
    pub(crate) fn new() -> Self {
        let zone = Zone {
            temperature: 21.0,
            co2: 520.0,
            damper: 30.0,
            airflow: 180.0,
            reheat: 10.0,
            occupied: true,
        };
        Self {
            seconds: 9.0 * 3600.0,
            outdoor: 6.0,
            supply: 18.0,
            return_air: 21.5,
            exhaust: 9.0,
            humidity: 41.0,
            fan: 62.0,
            heating_valve: 35.0,
            cooling_valve: 0.0,
            recovery: 78.0,
            duct_pressure: 210.0,
            filter_drop: 95.0,
            filter_dirt: 0.3,
            ahu_hours: 18_234.0,
            flow: 58.0,
            return_water: 46.0,
            modulation: 40.0,
            flue: 68.0,
            pressure: 1.72,
            burner_hours: 9_871.0,
            starts: 21_406.0,
            gas: 48_211.5,
            burning: true,
            zones: [
                zone,
                Zone {
                    temperature: 22.4,
                    ..zone
                },
                Zone {
                    temperature: 23.1,
                    ..zone
                },
                zone,
            ],
            volts: [231.0, 229.6, 230.4],
            watts: [2_400.0, 1_900.0, 2_100.0],
            hertz: 50.0,
            power_factor: 0.94,
            energy_wh: 184_223_417.0,
            noise: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Lets `dt` seconds of building time pass.
    pub(crate) fn step(&mut self, dt: f64, commands: &Commands) {
        self.seconds += dt;
        let day = self.seconds / 86_400.0;
        self.outdoor = 7.0 - 5.0 * (day * TAU).cos() + 0.05 * self.noise();
        self.air_handling(dt, commands);
        self.boiler(dt, commands);
        self.rooms(dt, commands);
        self.meter(dt);
    }

    fn air_handling(&mut self, dt: f64, commands: &Commands) {
        let running = commands.ahu_enable && commands.fan_mode != 0;
        let worst_co2 = self.zones.iter().map(|z| z.co2).fold(400.0, f64::max);
        let demand = match commands.fan_mode {
            1 => 40.0,
            2 => 85.0,
            _ => (45.0 + (worst_co2 - commands.co2_setpoint) * 0.1).clamp(35.0, 100.0),
        };
        lag(&mut self.fan, if running { demand } else { 0.0 }, 15.0, dt);
        let share = self.fan / 100.0;
        let room = self.zones.iter().map(|z| z.temperature).sum::<f64>() / 4.0;
        lag(&mut self.return_air, room + 0.3, 60.0, dt);
        lag(
            &mut self.recovery,
            if self.outdoor < self.return_air {
                78.0
            } else {
                0.0
            },
            30.0,
            dt,
        );
        let recovered = self.outdoor + (self.return_air - self.outdoor) * self.recovery / 100.0;
        self.exhaust =
            self.return_air - (self.return_air - self.outdoor) * self.recovery / 100.0 * 0.95;
        let error = commands.supply_setpoint - self.supply;
        let (heat, cool) = if running {
            (error.max(0.0), (-error).max(0.0))
        } else {
            (0.0, 0.0)
        };
        lag(
            &mut self.heating_valve,
            (heat * 22.0 + (commands.supply_setpoint - recovered).max(0.0) * 8.0).clamp(0.0, 100.0)
                * f64::from(u8::from(running)),
            12.0,
            dt,
        );
        lag(
            &mut self.cooling_valve,
            (cool * 22.0 + (recovered - commands.supply_setpoint).max(0.0) * 8.0).clamp(0.0, 100.0)
                * f64::from(u8::from(running)),
            12.0,
            dt,
        );
        let coil = (self.flow - 25.0).max(0.0) / 35.0 * 12.5 * self.heating_valve / 100.0
            - 12.5 * self.cooling_valve / 100.0;
        let target = if running { recovered + coil } else { room };
        lag(&mut self.supply, target, 40.0, dt);
        self.duct_pressure = 340.0 * share * share + 1.5 * self.noise();
        self.filter_dirt = (self.filter_dirt + dt * share * 2.0e-6).min(1.5);
        self.filter_drop = (90.0 + 260.0 * self.filter_dirt) * share * share + 0.8 * self.noise();
        lag(
            &mut self.humidity,
            38.0 + 6.0 * (self.seconds / 5_400.0).sin(),
            300.0,
            dt,
        );
        self.ahu_hours += if running { dt / 3600.0 } else { 0.0 };
    }

    fn boiler(&mut self, dt: f64, commands: &Commands) {
        let low = commands.flow_setpoint - 4.0;
        let was = self.burning;
        self.burning = commands.boiler_enable
            && (self.flow < low || (self.burning && self.flow < commands.flow_setpoint + 3.0));
        if self.burning && !was {
            self.starts += 1.0;
        }
        let wanted = if self.burning {
            (40.0 + (commands.flow_setpoint - self.flow) * 6.0).clamp(20.0, 100.0)
        } else {
            0.0
        };
        lag(&mut self.modulation, wanted, 10.0, dt);
        let load = 0.18 * self.heating_valve / 100.0 + 0.03;
        let heat = 0.28 * self.modulation / 100.0;
        self.flow += (heat - load * (self.flow - 25.0) / 35.0) * dt * 0.6;
        self.flow = self.flow.clamp(15.0, 95.0);
        lag(
            &mut self.return_water,
            self.flow - 3.0 - 9.0 * load / 0.21,
            60.0,
            dt,
        );
        lag(
            &mut self.flue,
            25.0 + self.modulation * 0.9 + self.flow * 0.2,
            40.0,
            dt,
        );
        self.pressure = 1.55 + (self.flow - 40.0) * 0.008;
        self.gas += self.modulation / 100.0 * 3.2 * dt / 3600.0;
        self.burner_hours += if self.burning { dt / 3600.0 } else { 0.0 };
    }

    fn rooms(&mut self, dt: f64, commands: &Commands) {
        // Part of the sun each zone's windows catch.
        for (index, sun) in [0.0, 0.4, 1.0, 0.2].into_iter().enumerate() {
            let noise = self.noise();
            let phase =
                (self.seconds / 2_700.0 + f64::from(u8::try_from(index).unwrap_or(0))).sin();
            let zone = &mut self.zones[index];
            zone.occupied = commands.zone_override[index] || phase > -0.4;
            let error = zone.temperature - commands.zone_setpoint[index];
            lag(
                &mut zone.damper,
                (25.0 + error * 35.0 + (zone.co2 - 700.0).max(0.0) * 0.08).clamp(15.0, 100.0),
                20.0,
                dt,
            );
            lag(
                &mut zone.reheat,
                (-error * 45.0).clamp(0.0, 100.0),
                25.0,
                dt,
            );
            zone.airflow = (620.0 * zone.damper / 100.0
                * (self.duct_pressure.max(0.0) / 210.0).sqrt()
                + 2.0 * noise)
                .max(0.0);
            let air = zone.airflow / 620.0;
            let gain = 1.6 * f64::from(u8::from(zone.occupied)) + 2.4 * sun * (0.6 + 0.4 * phase);
            let losses = (self.outdoor - zone.temperature) * 0.09;
            let drive =
                gain + losses + zone.reheat * 0.035 + (self.supply - zone.temperature) * 0.42 * air;
            zone.temperature += drive * dt / 420.0 + 0.004 * noise;
            let people = if zone.occupied { 760.0 } else { 60.0 };
            lag(&mut zone.co2, 420.0 + people / (0.35 + air), 600.0, dt);
        }
    }

    fn meter(&mut self, dt: f64) {
        let fan = 3_200.0 * (self.fan / 100.0).powi(3);
        let base = 1_150.0 + 250.0 * (self.seconds / 1_900.0).sin();
        let cooling = 4_000.0 * self.cooling_valve / 100.0;
        for (phase, share) in [0.36, 0.31, 0.33].into_iter().enumerate() {
            let noise = self.noise();
            self.watts[phase] = (fan + cooling) / 3.0 + base * share * 1.5 + 12.0 * noise;
            self.volts[phase] = 230.5 - self.watts[phase] / 3_000.0 + 0.25 * noise;
        }
        self.hertz = 50.0 + 0.015 * self.noise();
        self.power_factor = (0.93 + 0.02 * (self.seconds / 1_300.0).sin()).min(1.0);
        self.energy_wh += self.watts.iter().sum::<f64>() * dt / 3600.0;
    }

    /// Uniform noise in -1 to 1 (xorshift64).
    fn noise(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        f64::from(u32::try_from(self.noise >> 32).unwrap_or(0)) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Commands {
        Commands {
            ahu_enable: true,
            fan_mode: 3,
            supply_setpoint: 18.0,
            co2_setpoint: 800.0,
            boiler_enable: true,
            flow_setpoint: 60.0,
            zone_setpoint: [21.0; ZONES],
            zone_override: [false; ZONES],
        }
    }

    fn run(building: &mut Building, commands: &Commands, seconds: u32) {
        for _ in 0..seconds / 4 {
            building.step(4.0, commands);
        }
    }

    #[test]
    fn a_week_stays_plausible_and_counters_never_fall() {
        let (mut building, commands) = (Building::new(), commands());
        let mut energy = building.energy_wh;
        for _ in 0..7 * 24 {
            run(&mut building, &commands, 3600);
            assert!(
                (10.0..32.0).contains(&building.supply),
                "{}",
                building.supply
            );
            assert!((20.0..90.0).contains(&building.flow), "{}", building.flow);
            for zone in building.zones {
                assert!(
                    (15.0..32.0).contains(&zone.temperature),
                    "{}",
                    zone.temperature
                );
                assert!((350.0..3000.0).contains(&zone.co2), "{}", zone.co2);
            }
            assert!(building.energy_wh > energy);
            energy = building.energy_wh;
        }
    }

    #[test]
    fn supply_air_follows_its_setpoint() {
        let (mut building, mut commands) = (Building::new(), commands());
        for setpoint in [18.0, 22.0] {
            commands.supply_setpoint = setpoint;
            run(&mut building, &commands, 3600);
            assert!(
                (building.supply - setpoint).abs() < 1.5,
                "{} for {setpoint}",
                building.supply
            );
        }
    }

    #[test]
    fn a_stopped_unit_moves_no_air() {
        let (mut building, mut commands) = (Building::new(), commands());
        commands.ahu_enable = false;
        run(&mut building, &commands, 1200);
        assert!(building.fan < 1.0 && building.duct_pressure < 5.0 && building.heating_valve < 1.0);
    }
}
