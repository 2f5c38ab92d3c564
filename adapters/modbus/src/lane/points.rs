//! The points of one device while it runs: slots, last values, powers of ten. Owns turning one
//! answer into readings.

use crate::codec::Table;
use crate::config::{PointConfig, WriteConfig};
use crate::mapping::Mapping;
use crate::mapping::decode::Decoded;
use crate::poll::Block;
use riser_model::{Access, Key, Point, Quality, Reading, Reason, Slot, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// One point while it runs. Small, because a gateway may have a hundred thousand.
#[derive(Debug)]
pub(crate) struct LivePoint {
    slot: Slot,
    key: Key,
    pub(crate) table: Table,
    pub(crate) address: u16,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) write: Option<Box<Writable>>,
    readable: bool,
    /// This point is somebody's power of ten.
    is_scale: bool,
    /// Index of the point that holds the power of ten.
    scale_from: Option<u32>,
    exponent: Option<i32>,
    last: Option<Value>,
}

/// What only writable points need.
#[derive(Debug)]
pub(crate) struct Writable {
    pub(crate) config: WriteConfig,
    pub(crate) point: Arc<Point>,
}

impl LivePoint {
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    /// How much a read-back may differ, and how long it may take to show the value.
    pub(crate) fn patience(&self) -> (f64, Duration) {
        self.write.as_ref().map_or((0.0, Duration::ZERO), |w| {
            (w.config.tolerance, w.config.settle)
        })
    }
}

#[derive(Debug)]
pub(crate) struct Points(Box<[LivePoint]>);

impl Points {
    /// Points with the slots they were given, in the same order.
    pub(crate) fn new(configs: Vec<PointConfig>, slots: &[Slot]) -> Self {
        let place = |key: &Key| configs.iter().position(|c| c.point.path.point == *key);
        let sources: Vec<Option<usize>> = configs
            .iter()
            .map(|c| c.scale_from.as_ref().and_then(place))
            .collect();
        let scales: BTreeSet<usize> = sources.iter().copied().flatten().collect();
        let live = configs.into_iter().zip(slots).zip(sources).enumerate();
        // Boxed: collecting reuses the room of the configuration, which is several times as much.
        Self(
            live.map(|(i, ((config, slot), source))| LivePoint {
                slot: *slot,
                key: config.point.path.point.clone(),
                table: config.table,
                address: config.address,
                mapping: config.mapping,
                readable: config.point.access != Access::Write,
                is_scale: scales.contains(&i),
                scale_from: source.and_then(|s| u32::try_from(s).ok()),
                exponent: None,
                last: None,
                write: config.write.map(|write| {
                    let point = config.point;
                    Box::new(Writable {
                        config: write,
                        point,
                    })
                }),
            })
            .collect(),
        )
    }

    pub(crate) fn get(&self, point: usize) -> Option<&LivePoint> {
        self.0.get(point)
    }

    /// The power of ten of a point: 0 without one, `None` while it is not known.
    pub(crate) fn exponent(&self, point: usize) -> Option<i32> {
        match self.0.get(point).map(|e| e.scale_from) {
            Some(Some(source)) => self.0.get(source as usize).and_then(|s| s.exponent),
            _ => Some(0),
        }
    }

    /// Readings of one answer to one block.
    pub(crate) fn read(&mut self, block: &Block, data: &[u8]) -> Vec<Reading> {
        // Powers of ten first, so that an answer with both is consistent in itself.
        for item in &block.items {
            if self.0.get(item.point).is_some_and(|e| e.is_scale) {
                let decoded = self.decode(block, item.point, item.address, data);
                if let Some(entry) = self.0.get_mut(item.point) {
                    entry.exponent = Mapping::exponent(&decoded);
                }
            }
        }
        let mut readings = Vec::with_capacity(block.items.len());
        for item in &block.items {
            let (value, quality) = self.decode(block, item.point, item.address, data);
            if let Some(entry) = self.0.get_mut(item.point) {
                if value.is_some() {
                    entry.last.clone_from(&value);
                }
                readings.push(Reading {
                    slot: entry.slot,
                    value,
                    quality,
                });
            }
        }
        readings
    }

    fn decode(&self, block: &Block, point: usize, address: u16, data: &[u8]) -> Decoded {
        let Some(entry) = self.0.get(point) else {
            return (None, Quality::bad(Reason::Undecodable));
        };
        let offset = usize::from(address.saturating_sub(block.address));
        if block.table.is_bits() {
            let on = data
                .get(offset / 8)
                .map(|octet| octet >> (offset % 8) & 1 == 1);
            return match on {
                Some(on) => entry.mapping.decode_bit(on),
                None => (None, Quality::bad(Reason::Undecodable)),
            };
        }
        match self.exponent(point) {
            Some(exponent) => {
                let octets = data.get(offset * 2..).unwrap_or_default();
                entry.mapping.decode(octets, exponent)
            }
            None => (None, Quality::bad(Reason::NotAvailable)),
        }
    }

    /// The same bad quality for some points, beside their last known values.
    pub(crate) fn mark(&self, points: impl Iterator<Item = usize>, reason: Reason) -> Vec<Reading> {
        points
            .filter_map(|p| self.0.get(p))
            .filter(|e| e.readable)
            .map(|entry| Reading {
                slot: entry.slot,
                value: entry.last.clone(),
                quality: Quality::bad(reason),
            })
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
