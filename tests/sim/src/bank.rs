//! The four Modbus tables of one unit. Owns address checks and the limits a real controller puts
//! on writes; knows nothing of what the registers mean.

use std::ops::RangeInclusive;
use tokio_modbus::{ExceptionCode, Request, Response};

/// Coils, discrete inputs, input and holding registers of one unit.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    pub(crate) coils: Vec<bool>,
    pub(crate) discretes: Vec<bool>,
    pub(crate) inputs: Vec<u16>,
    pub(crate) holdings: Vec<u16>,
    /// Allowed raw range of each holding register; a write outside answers exception 3.
    pub(crate) limits: Vec<RangeInclusive<u16>>,
}

fn slice<T: Clone>(table: &[T], address: u16, count: u16) -> Result<Vec<T>, ExceptionCode> {
    let start = usize::from(address);
    table
        .get(start..start + usize::from(count))
        .map(<[T]>::to_vec)
        .ok_or(ExceptionCode::IllegalDataAddress)
}

impl Bank {
    /// Answers one request.
    pub(crate) fn answer(&mut self, request: &Request<'_>) -> Result<Response, ExceptionCode> {
        Ok(match request {
            Request::ReadCoils(a, n) => Response::ReadCoils(slice(&self.coils, *a, *n)?),
            Request::ReadDiscreteInputs(a, n) => {
                Response::ReadDiscreteInputs(slice(&self.discretes, *a, *n)?)
            }
            Request::ReadInputRegisters(a, n) => {
                Response::ReadInputRegisters(slice(&self.inputs, *a, *n)?)
            }
            Request::ReadHoldingRegisters(a, n) => {
                Response::ReadHoldingRegisters(slice(&self.holdings, *a, *n)?)
            }
            Request::WriteSingleCoil(a, v) => {
                *self
                    .coils
                    .get_mut(usize::from(*a))
                    .ok_or(ExceptionCode::IllegalDataAddress)? = *v;
                Response::WriteSingleCoil(*a, *v)
            }
            Request::WriteSingleRegister(a, v) => {
                self.write(*a, &[*v])?;
                Response::WriteSingleRegister(*a, *v)
            }
            Request::WriteMultipleRegisters(a, v) => {
                self.write(*a, v)?;
                Response::WriteMultipleRegisters(*a, u16::try_from(v.len()).unwrap_or(u16::MAX))
            }
            _ => return Err(ExceptionCode::IllegalFunction),
        })
    }

    fn write(&mut self, address: u16, values: &[u16]) -> Result<(), ExceptionCode> {
        let start = usize::from(address);
        let end = start + values.len();
        let limits = self
            .limits
            .get(start..end)
            .ok_or(ExceptionCode::IllegalDataAddress)?;
        if limits
            .iter()
            .zip(values)
            .any(|(range, value)| !range.contains(value))
        {
            return Err(ExceptionCode::IllegalDataValue);
        }
        self.holdings
            .get_mut(start..end)
            .ok_or(ExceptionCode::IllegalDataAddress)?
            .copy_from_slice(values);
        Ok(())
    }
}

/// A value in tenths, hundredths … as the two's complement register devices use.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to i16 first; the register is its two's complement"
)]
pub(crate) fn scaled(value: f64, factor: f64) -> u16 {
    ((value * factor).round().clamp(-32_768.0, 32_767.0) as i16) as u16
}

/// A signed register back into a value.
#[expect(
    clippy::cast_possible_wrap,
    reason = "the register is a two's complement number"
)]
pub(crate) fn unscaled(register: u16, factor: f64) -> f64 {
    f64::from(register as i16) / factor
}

/// Two registers, high word first.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the words of the value are what is wanted"
)]
pub(crate) fn wide(value: u32) -> [u16; 2] {
    [(value >> 16) as u16, value as u16]
}

/// A float in two registers, high word first (IEEE 754).
#[expect(
    clippy::cast_possible_truncation,
    reason = "meters speak single precision"
)]
pub(crate) fn float(value: f64) -> [u16; 2] {
    wide((value as f32).to_bits())
}

/// A counter in four registers, high word first.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are positive and below 2^53 here"
)]
pub(crate) fn counter(value: f64) -> [u16; 4] {
    let whole = value.max(0.0) as u64;
    [
        (whole >> 48) as u16,
        (whole >> 32) as u16,
        (whole >> 16) as u16,
        whole as u16,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_outside_the_limits_changes_nothing() {
        let mut bank = Bank {
            holdings: vec![180, 1],
            limits: vec![140..=260, 0..=3],
            ..Bank::default()
        };
        let write = Request::WriteMultipleRegisters(0, vec![200, 9].into());
        assert_eq!(bank.answer(&write), Err(ExceptionCode::IllegalDataValue));
        assert_eq!(bank.holdings, [180, 1]);
        assert!(bank.answer(&Request::WriteSingleRegister(0, 210)).is_ok());
        assert_eq!(
            bank.answer(&Request::ReadHoldingRegisters(1, 2)),
            Err(ExceptionCode::IllegalDataAddress)
        );
        assert_eq!(bank.holdings, [210, 1]);
    }
}
