//! A fake Modbus device in octets, for tests that need to bend it. Independent peers are in `peer.rs`.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "each test binary uses its own part of this"
)]

use riser_adapter_testkit::{Reply, Respond};
use riser_modbus::codec::frame::crc;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What the device holds and how it behaves; shared between its connections and the test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) holding: BTreeMap<u16, u16>,
    pub(crate) input: BTreeMap<u16, u16>,
    pub(crate) coils: BTreeMap<u16, bool>,
    /// Most registers in one read; 0 means the protocol's limit.
    pub(crate) most: u16,
    /// Writes are acknowledged and forgotten.
    pub(crate) stubborn: bool,
    /// Units that never answer.
    pub(crate) mute: BTreeSet<u8>,
    /// Exceptions given so far.
    pub(crate) exceptions: usize,
    /// Requests seen, by unit.
    pub(crate) seen: BTreeMap<u8, usize>,
    /// Function codes seen, in order.
    pub(crate) functions: Vec<u8>,
    /// Functions the device does not have.
    pub(crate) missing: BTreeSet<u8>,
}

pub(crate) type Shared = Arc<Mutex<Memory>>;

/// A fake device; MBAP frames unless `rtu`.
pub(crate) struct FakeDevice {
    pub(crate) memory: Shared,
    pub(crate) rtu: bool,
}

impl FakeDevice {
    pub(crate) fn tcp(memory: &Shared) -> Box<dyn Respond> {
        Box::new(Self {
            memory: memory.clone(),
            rtu: false,
        })
    }

    pub(crate) fn rtu(memory: &Shared) -> Box<dyn Respond> {
        Box::new(Self {
            memory: memory.clone(),
            rtu: true,
        })
    }
}

impl Respond for FakeDevice {
    fn respond(&mut self, received: &mut Vec<u8>) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some((head, unit, pdu)) = take(received, self.rtu) {
            let mut memory = self.memory.lock().unwrap();
            *memory.seen.entry(unit).or_default() += 1;
            memory.functions.push(pdu[0]);
            if memory.mute.contains(&unit) {
                replies.push(Reply::silence());
                continue;
            }
            let answer = memory.answer(&pdu);
            replies.push(Reply::now(wrap(&head, unit, &answer, self.rtu)));
        }
        replies
    }
}

/// One whole request off the front: transaction id, unit, PDU.
pub(crate) fn take(received: &mut Vec<u8>, rtu: bool) -> Option<(Vec<u8>, u8, Vec<u8>)> {
    if rtu {
        let length = match received.get(1)? {
            15 | 16 => 9 + usize::from(*received.get(6)?),
            22 => 10,
            23 => 13 + usize::from(*received.get(10)?),
            43 => 7,
            _ => 8,
        };
        if received.len() < length {
            return None;
        }
        let frame: Vec<u8> = received.drain(..length).collect();
        assert_eq!(
            crc(&frame[..length - 2]).to_le_bytes(),
            frame[length - 2..],
            "the adapter sent a bad CRC"
        );
        return Some((Vec::new(), frame[0], frame[1..length - 2].to_vec()));
    }
    let length = 6 + usize::from(u16::from_be_bytes([*received.get(4)?, *received.get(5)?]));
    if received.len() < length {
        return None;
    }
    let frame: Vec<u8> = received.drain(..length).collect();
    Some((frame[..2].to_vec(), frame[6], frame[7..].to_vec()))
}

/// An answer as it goes on the wire.
pub(crate) fn wrap(head: &[u8], unit: u8, pdu: &[u8], rtu: bool) -> Vec<u8> {
    if rtu {
        let mut frame = vec![unit];
        frame.extend(pdu);
        let check = crc(&frame);
        frame.extend(check.to_le_bytes());
        return frame;
    }
    let length = u16::try_from(pdu.len() + 1).unwrap();
    let mut frame = head.to_vec();
    frame.extend([0, 0]);
    frame.extend(length.to_be_bytes());
    frame.push(unit);
    frame.extend(pdu);
    frame
}

impl Memory {
    /// Mutes a unit, or lets it speak again.
    pub(crate) fn flip(&mut self, unit: u8) {
        if !self.mute.remove(&unit) {
            self.mute.insert(unit);
        }
    }

    pub(crate) fn answer(&mut self, pdu: &[u8]) -> Vec<u8> {
        let function = pdu[0];
        let result = if self.missing.contains(&function) {
            Err(1)
        } else {
            self.work(pdu)
        };
        result.unwrap_or_else(|exception| {
            self.exceptions += 1;
            vec![function | 0x80, exception]
        })
    }

    fn work(&mut self, pdu: &[u8]) -> Result<Vec<u8>, u8> {
        let word = |at: usize| u16::from_be_bytes([pdu[at], pdu[at + 1]]);
        match pdu[0] {
            1 | 2 => {
                let mut data = vec![0_u8; usize::from(word(3)).div_ceil(8)];
                for i in 0..word(3) {
                    let on = *self.coils.get(&(word(1) + i)).ok_or(2)?;
                    data[usize::from(i / 8)] |= u8::from(on) << (i % 8);
                }
                Ok([
                    &[pdu[0], u8::try_from(data.len()).unwrap()],
                    data.as_slice(),
                ]
                .concat())
            }
            3 | 4 => self.read(pdu[0], word(1), word(3)),
            5 => {
                self.set_coil(word(1), word(3) == 0xFF00)?;
                Ok(pdu.to_vec())
            }
            6 => {
                self.set(word(1), word(3))?;
                Ok(pdu.to_vec())
            }
            15 => {
                for i in 0..word(3) {
                    self.set_coil(word(1) + i, pdu[6 + usize::from(i / 8)] >> (i % 8) & 1 == 1)?;
                }
                Ok(pdu[..5].to_vec())
            }
            16 => {
                for i in 0..word(3) {
                    self.set(word(1) + i, word(6 + 2 * usize::from(i)))?;
                }
                Ok(pdu[..5].to_vec())
            }
            22 => {
                let old = *self.holding.get(&word(1)).ok_or(2)?;
                self.set(word(1), (old & word(3)) | (word(5) & !word(3)))?;
                Ok(pdu.to_vec())
            }
            23 => {
                for i in 0..word(7) {
                    self.set(word(5) + i, word(10 + 2 * usize::from(i)))?;
                }
                self.read(3, word(1), word(3)).map(|mut a| {
                    a[0] = 23;
                    a
                })
            }
            _ => Err(1),
        }
    }

    fn read(&self, function: u8, address: u16, quantity: u16) -> Result<Vec<u8>, u8> {
        if quantity == 0 || quantity > 125 || (self.most > 0 && quantity > self.most) {
            return Err(3);
        }
        let table = if function == 3 {
            &self.holding
        } else {
            &self.input
        };
        let mut answer = vec![function, u8::try_from(quantity * 2).unwrap()];
        for i in 0..quantity {
            answer.extend(
                table
                    .get(&(address.wrapping_add(i)))
                    .ok_or(2_u8)?
                    .to_be_bytes(),
            );
        }
        Ok(answer)
    }

    fn set(&mut self, address: u16, value: u16) -> Result<(), u8> {
        let stubborn = self.stubborn;
        let register = self.holding.get_mut(&address).ok_or(2)?;
        if !stubborn {
            *register = value;
        }
        Ok(())
    }

    fn set_coil(&mut self, address: u16, on: bool) -> Result<(), u8> {
        let stubborn = self.stubborn;
        let coil = self.coils.get_mut(&address).ok_or(2)?;
        if !stubborn {
            *coil = on;
        }
        Ok(())
    }
}
