//! The points of one device while it runs: slots, last values, powers of ten. Owns turning one
//! answer into readings.

use crate::config::PointConfig;
use crate::mapping::Mapping;
use crate::mapping::decode::Decoded;
use crate::poll::Block;
use riser_model::{Access, Quality, Reading, Reason, Slot, Value};

#[derive(Debug)]
struct Entry {
    config: PointConfig,
    slot: Slot,
    last: Option<Value>,
    /// Index of the point that holds the power of ten.
    scale_from: Option<usize>,
    /// This point is somebody's power of ten.
    is_scale: bool,
    exponent: Option<i32>,
}

#[derive(Debug)]
pub(crate) struct Points(Vec<Entry>);

impl Points {
    /// Points with the slots they were given, in the same order.
    pub(crate) fn new(configs: Vec<PointConfig>, slots: &[Slot]) -> Self {
        let place =
            |key: &riser_model::Key| configs.iter().position(|c| c.point.path.point == *key);
        let sources: Vec<_> = configs
            .iter()
            .map(|c| c.scale_from.as_ref().and_then(place))
            .collect();
        let scales: std::collections::BTreeSet<usize> = sources.iter().copied().flatten().collect();
        Self(
            configs
                .into_iter()
                .zip(slots)
                .enumerate()
                .map(|(i, (config, slot))| Entry {
                    config,
                    slot: *slot,
                    last: None,
                    scale_from: sources.get(i).copied().flatten(),
                    is_scale: scales.contains(&i),
                    exponent: None,
                })
                .collect(),
        )
    }

    pub(crate) fn config(&self, point: usize) -> Option<&PointConfig> {
        self.0.get(point).map(|e| &e.config)
    }

    pub(crate) fn configs(&self) -> impl Iterator<Item = &PointConfig> {
        self.0.iter().map(|e| &e.config)
    }

    /// The power of ten of a point: 0 without one, `None` while it is not known.
    pub(crate) fn exponent(&self, point: usize) -> Option<i32> {
        match self.0.get(point).map(|e| e.scale_from) {
            Some(Some(source)) => self.0.get(source).and_then(|s| s.exponent),
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
                Some(on) => entry.config.mapping.decode_bit(on),
                None => (None, Quality::bad(Reason::Undecodable)),
            };
        }
        match self.exponent(point) {
            Some(exponent) => {
                let octets = data.get(offset * 2..).unwrap_or_default();
                entry.config.mapping.decode(octets, exponent)
            }
            None => (None, Quality::bad(Reason::NotAvailable)),
        }
    }

    /// The same bad quality for some points, beside their last known values.
    pub(crate) fn mark(&self, points: impl Iterator<Item = usize>, reason: Reason) -> Vec<Reading> {
        points
            .filter_map(|p| self.0.get(p))
            .filter(|e| e.config.point.access != Access::Write)
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
