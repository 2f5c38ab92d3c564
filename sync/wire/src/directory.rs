//! The point directory, encoded point by point: a hundred thousand of them are never held twice.
//! Owns the numbering of devices and the order of the parts; what a point looks like is `to_proto`'s.

use crate::{BatchHeader, frame, proto, to_proto};
use prost::encoding::{self, WireType};
use riser_model::{Key, Point, Slot};
use std::collections::HashMap;

/// Field numbers of `proto/riser/v1/event.proto`.
const EVENT_DIRECTORY: u32 = 1;
const VERSION: u32 = 1;
const DEVICES: u32 = 2;
const POINTS: u32 = 3;

/// Makes the frame of a directory out of its points, as
/// [`encode_event`](crate::encode_event) makes it out of the whole.
#[derive(Debug)]
pub struct DirectoryEncoder {
    version: u32,
    /// Each device by key and name, in the order they were first seen.
    numbers: HashMap<(Key, String), u32>,
    devices: Vec<u8>,
    points: Vec<u8>,
}

impl DirectoryEncoder {
    /// Begins a directory of this version.
    #[must_use]
    pub fn new(version: u32) -> Self {
        Self {
            version,
            numbers: HashMap::new(),
            devices: Vec::new(),
            points: Vec::new(),
        }
    }

    /// Adds a point.
    pub fn push(&mut self, slot: Slot, point: &Point) {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let device = (point.path.device.clone(), point.device_name.clone());
        let number = *self.numbers.entry(device).or_insert_with(|| {
            let device = proto::Device {
                key: point.path.device.as_str().to_owned(),
                name: point.device_name.clone(),
            };
            encoding::message::encode(DEVICES, &device, &mut self.devices);
            next
        });
        let point = to_proto::point(slot, point, number);
        encoding::message::encode(POINTS, &point, &mut self.points);
    }

    /// Ends the directory: one frame of the event stream.
    #[must_use]
    pub fn finish(self, header: &BatchHeader) -> Vec<u8> {
        frame::encode_event_body(header, &self.octets())
    }

    /// The event with the directory in it.
    pub(crate) fn octets(self) -> Vec<u8> {
        let mut version = Vec::new();
        if self.version != 0 {
            encoding::uint32::encode(VERSION, &self.version, &mut version);
        }
        let length = version.len() + self.devices.len() + self.points.len();
        let mut event = Vec::with_capacity(length + 12);
        encoding::encode_key(EVENT_DIRECTORY, WireType::LengthDelimited, &mut event);
        encoding::encode_varint(length as u64, &mut event);
        for part in [&version, &self.devices, &self.points] {
            event.extend_from_slice(part);
        }
        event
    }
}
