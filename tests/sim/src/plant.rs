//! The register maps of the building's controllers, and the rooms that have others. Owns which number
//! stands where; the physics is in `physics`, `hall` and `office`, the tables in `bank`.

use crate::bank::{Bank, counter, float, scaled, unscaled, wide};
use crate::hall::Hall;
use crate::office::Office;
use crate::physics::{Building, Commands, ZONES};

/// Port offsets of the listeners.
pub(crate) const LISTENERS: [u16; 4] = [0, 1, 2, 3];

/// The units behind each listener: unit id and index of the bank.
pub(crate) fn listeners() -> [Vec<(u8, usize)>; 4] {
    [
        vec![(1, 0)],
        vec![(1, 1)],
        vec![(1, 2)],
        (0..ZONES).map(|z| (zone_unit(z), 3 + z)).collect(),
    ]
}

fn zone_unit(zone: usize) -> u8 {
    u8::try_from(zone + 1).unwrap_or(u8::MAX)
}

/// The building with its controllers.
#[derive(Debug)]
pub(crate) struct Plant {
    building: Building,
    /// AHU, boiler, meter, then the zones.
    pub(crate) banks: Vec<Bank>,
    /// A room with an air handling unit of its own, on BACnet.
    pub(crate) hall: Hall,
    /// A room with devices people buy, on Tuya and Zigbee.
    pub(crate) office: Office,
}

impl Plant {
    pub(crate) fn new() -> Self {
        let ahu = Bank {
            coils: vec![true],
            discretes: vec![false; 3],
            inputs: vec![0; 19],
            holdings: vec![180, 3, 800, 250],
            limits: vec![140..=260, 0..=3, 400..=1500, 100..=500],
        };
        let boiler = Bank {
            coils: vec![true],
            discretes: vec![false; 2],
            inputs: vec![0; 12],
            holdings: vec![600],
            limits: vec![300..=800],
        };
        let meter = Bank {
            inputs: vec![0; 40],
            ..Bank::default()
        };
        let mut banks = vec![ahu, boiler, meter];
        banks.extend((0..ZONES).map(|_| Bank {
            coils: vec![false],
            discretes: vec![false],
            inputs: vec![0; 5],
            holdings: vec![210],
            limits: vec![160..=280],
        }));
        let mut plant = Self {
            building: Building::new(),
            banks,
            hall: Hall::new(),
            office: Office::new(),
        };
        plant.publish();
        plant
    }

    /// Lets `dt` seconds of building time pass.
    pub(crate) fn step(&mut self, dt: f64) {
        let commands = self.commands();
        // Physics with time constants of seconds needs small steps whatever the speed.
        let steps = (dt / 2.0).ceil().clamp(1.0, 500.0);
        let mut left = steps;
        while left > 0.0 {
            self.building.step(dt / steps, &commands);
            self.hall.step(dt / steps, &self.building);
            self.office.step(dt / steps, &self.building);
            left -= 1.0;
        }
        self.publish();
    }

    fn commands(&self) -> Commands {
        let [ahu, boiler, _, zones @ ..] = self.banks.as_slice() else {
            unreachable!("a plant always has its seven banks")
        };
        Commands {
            ahu_enable: ahu.coils[0],
            fan_mode: ahu.holdings[1],
            supply_setpoint: unscaled(ahu.holdings[0], 10.0),
            co2_setpoint: f64::from(ahu.holdings[2]),
            boiler_enable: boiler.coils[0],
            flow_setpoint: unscaled(boiler.holdings[0], 10.0),
            zone_setpoint: std::array::from_fn(|z| unscaled(zones[z].holdings[0], 10.0)),
            zone_override: std::array::from_fn(|z| zones[z].coils[0]),
        }
    }

    fn publish(&mut self) {
        self.publish_ahu();
        self.publish_boiler();
        self.publish_meter();
        for (zone, bank) in self.building.zones.iter().zip(&mut self.banks[3..]) {
            bank.inputs = vec![
                scaled(zone.temperature, 100.0),
                scaled(zone.airflow, 1.0),
                scaled(zone.damper, 10.0),
                scaled(zone.co2, 1.0),
                scaled(zone.reheat, 10.0),
            ];
            bank.discretes[0] = zone.occupied;
        }
    }

    fn publish_ahu(&mut self) {
        let (b, bank) = (&self.building, &mut self.banks[0]);
        let running = b.fan > 5.0;
        let frost = b.supply < 8.0 && running;
        let dirty = b.filter_drop > f64::from(bank.holdings[3]);
        let mode = match (running, b.heating_valve > 1.0, b.cooling_valve > 1.0) {
            (false, ..) => 0,
            (true, true, _) => 1,
            (true, false, true) => 2,
            (true, false, false) => 3,
        };
        let hours = wide(whole(b.ahu_hours));
        let status = u16::from(running) | u16::from(frost) << 1 | u16::from(dirty) << 2;
        bank.inputs = vec![
            scaled(b.outdoor, 10.0),
            scaled(b.supply, 10.0),
            scaled(b.return_air, 10.0),
            scaled(b.exhaust, 10.0),
            scaled(b.duct_pressure, 1.0),
            scaled(b.heating_valve, 10.0),
            scaled(b.cooling_valve, 10.0),
            scaled(b.fan, 10.0),
            scaled(b.fan * 0.96, 10.0),
            scaled(b.recovery, 10.0),
            scaled(b.filter_drop, 1.0),
            scaled(b.zones.iter().map(|z| z.co2).fold(0.0, f64::max), 1.0),
            scaled(b.humidity, 10.0),
            status,
            mode,
            hours[0],
            hours[1],
            // A sensor nobody fitted: the controller answers "not available".
            0x8000,
            0,
        ];
        bank.discretes = vec![running, frost, dirty];
    }

    fn publish_boiler(&mut self) {
        let (b, bank) = (&self.building, &mut self.banks[1]);
        let enabled = bank.coils[0];
        let state = match (enabled, b.burning) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        let (hours, starts, gas) = (
            wide(whole(b.burner_hours)),
            wide(whole(b.starts)),
            float(b.gas),
        );
        bank.inputs = vec![
            scaled(b.flow, 10.0),
            scaled(b.return_water, 10.0),
            scaled(b.modulation, 10.0),
            scaled(b.pressure, 100.0),
            scaled(b.flue, 10.0),
            hours[0],
            hours[1],
            starts[0],
            starts[1],
            state,
            gas[0],
            gas[1],
        ];
        bank.discretes = vec![b.burning, false];
    }

    fn publish_meter(&mut self) {
        let (b, bank) = (&self.building, &mut self.banks[2]);
        let amperes: [f64; 3] = std::array::from_fn(|p| b.watts[p] / b.volts[p] / b.power_factor);
        let total: f64 = b.watts.iter().sum();
        let reactive = total * (1.0 - b.power_factor * b.power_factor).sqrt() / b.power_factor;
        let floats = b
            .volts
            .iter()
            .chain(&amperes)
            .chain(&b.watts)
            .chain([&total, &reactive, &b.power_factor, &b.hertz])
            .flat_map(|v| float(*v));
        let energy = counter(b.energy_wh);
        bank.inputs = floats.collect();
        bank.inputs.resize(32, 0);
        bank.inputs.extend(energy);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "running hours and starts are positive and far below 2^32"
)]
fn whole(value: f64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_modbus::{Request, Response};

    #[test]
    fn a_written_setpoint_moves_the_supply_air() {
        let mut plant = Plant::new();
        plant.banks[0]
            .answer(&Request::WriteSingleRegister(0, 230))
            .unwrap();
        for _ in 0..1000 {
            plant.step(4.0);
        }
        let Ok(Response::ReadInputRegisters(read)) =
            plant.banks[0].answer(&Request::ReadInputRegisters(1, 1))
        else {
            panic!("supply temperature could not be read")
        };
        assert!((215..=245).contains(&read[0]), "{read:?}");
    }

    #[test]
    fn meter_words_decode_to_what_the_building_uses() {
        let mut plant = Plant::new();
        plant.step(4.0);
        let bits =
            u32::from(plant.banks[2].inputs[18]) << 16 | u32::from(plant.banks[2].inputs[19]);
        let total: f64 = plant.building.watts.iter().sum();
        assert!((f64::from(f32::from_bits(bits)) - total).abs() < 0.01);
        assert_eq!(plant.banks[2].inputs.len(), 36);
    }
}
