//! Merging points into requests: neighbours share one, small gaps are read over, learned limits and
//! holes are kept out.

use crate::codec::{Request, Table};
use std::collections::BTreeSet;

/// One point's place in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    /// First register, or the bit.
    pub(crate) address: u16,
    /// How many registers; 1 for a bit.
    pub(crate) length: u16,
    /// Index of the point in its device.
    pub(crate) point: usize,
}

impl Item {
    fn end(&self) -> u32 {
        u32::from(self.address) + u32::from(self.length)
    }
}

/// One read request and the points it yields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) table: Table,
    pub(crate) address: u16,
    pub(crate) quantity: u16,
    /// Sorted by address.
    pub(crate) items: Vec<Item>,
}

impl Block {
    /// The block that reads these items, which are sorted, not empty and within one request.
    pub(crate) fn new(table: Table, items: Vec<Item>) -> Self {
        let address = items.first().map_or(0, |i| i.address);
        let end = items.iter().map(Item::end).max().unwrap_or(0);
        let quantity = u16::try_from(end.saturating_sub(address.into())).unwrap_or(u16::MAX);
        Self {
            table,
            address,
            quantity,
            items,
        }
    }

    pub(crate) fn request(&self) -> Request {
        Request::Read {
            table: self.table,
            address: self.address,
            quantity: self.quantity,
        }
    }
}

/// What limits merging on one device and table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// Most items in one request.
    pub(crate) span: u16,
    /// Most items nobody asked for between two points.
    pub(crate) gap: u16,
    /// Addresses that may not share a request with what is before them.
    pub(crate) cuts: &'a BTreeSet<(Table, u16)>,
    /// Points the device does not have.
    pub(crate) holes: &'a BTreeSet<usize>,
}

/// The fewest requests that read `items` of one table within the rules. No request reaches over a
/// hole or a cut, whatever the gap allows.
pub(crate) fn blocks(table: Table, mut items: Vec<Item>, rules: &Rules<'_>) -> Vec<Block> {
    items.sort_unstable();
    let mut blocks = Vec::new();
    let mut current: Vec<Item> = Vec::new();
    let mut end = 0;
    for item in items {
        let hole = rules.holes.contains(&item.point);
        let fits = current
            .first()
            .is_some_and(|first| rules.allow(table, first.address, end, &item));
        if (hole || !fits) && !current.is_empty() {
            blocks.push(Block::new(table, std::mem::take(&mut current)));
            end = 0;
        }
        if !hole {
            end = end.max(item.end());
            current.push(item);
        }
    }
    if !current.is_empty() {
        blocks.push(Block::new(table, current));
    }
    blocks
}

impl Rules<'_> {
    /// Whether a request from `first` to `end` (exclusive) may grow by one item.
    fn allow(&self, table: Table, first: u16, end: u32, item: &Item) -> bool {
        let reach = item.end().max(end);
        let near = u32::from(item.address) <= end + u32::from(self.gap);
        let short = reach - u32::from(first) <= u32::from(self.span);
        let last = u16::try_from(reach - 1).unwrap_or(u16::MAX);
        let mut cuts = self.cuts.range((table, first)..=(table, last));
        // A cut at the very beginning separates from what is before, which is not in here.
        near && short && !cuts.any(|(_, cut)| *cut > first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(address: u16, length: u16, point: usize) -> Item {
        Item {
            address,
            length,
            point,
        }
    }

    fn spans(
        items: &[Item],
        span: u16,
        gap: u16,
        cuts: &[u16],
        holes: &[usize],
    ) -> Vec<(u16, u16)> {
        let cuts = cuts.iter().map(|c| (Table::Holding, *c)).collect();
        let rules = Rules {
            span,
            gap,
            cuts: &cuts,
            holes: &holes.iter().copied().collect(),
        };
        blocks(Table::Holding, items.to_vec(), &rules)
            .iter()
            .map(|b| (b.address, b.quantity))
            .collect()
    }

    #[test]
    fn neighbours_share_a_request_and_small_gaps_are_read_over() {
        let items = [item(0, 2, 0), item(2, 1, 1), item(13, 2, 2), item(40, 1, 3)];
        assert_eq!(spans(&items, 125, 10, &[], &[]), [(0, 15), (40, 1)]);
        assert_eq!(spans(&items, 125, 9, &[], &[]), [(0, 3), (13, 2), (40, 1)]);
    }

    #[test]
    fn no_value_is_torn_by_the_span() {
        let items: Vec<_> = (0..50).map(|i| item(i * 4, 4, i.into())).collect();
        let found = spans(&items, 125, 0, &[], &[]);
        assert_eq!(found, [(0, 124), (124, 76)]);
    }

    #[test]
    fn cuts_and_holes_are_kept_out() {
        let items: Vec<_> = (0..10).map(|i| item(i, 1, i.into())).collect();
        assert_eq!(spans(&items, 125, 10, &[4], &[7]), [(0, 4), (4, 3), (8, 2)]);
        let some = [item(0, 1, 0), item(9, 1, 1)];
        assert_eq!(spans(&some, 125, 10, &[4], &[]), [(0, 1), (9, 1)]);
        assert_eq!(spans(&some, 125, 10, &[], &[]), [(0, 10)]);
    }

    #[test]
    fn points_on_the_same_register_are_read_once() {
        let items = [
            item(5, 1, 0),
            item(5, 1, 1),
            item(4, 2, 2),
            item(65_535, 1, 3),
        ];
        assert_eq!(spans(&items, 125, 0, &[], &[]), [(4, 2), (65_535, 1)]);
    }
}
