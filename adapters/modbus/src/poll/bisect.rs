//! Finding out why a device refuses a merged request, with as few questions as possible. A refused
//! block is halved until the parts are accepted or a single value is refused; each accepted part is
//! a real reading. What was learned says which value is a hole, which gap may not be read over, and
//! how many registers the device allows at once, so that no question has to be asked twice.

use super::merge::{Block, Item};
use crate::codec::Table;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// What a device taught.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lessons {
    /// Points it does not have.
    pub(crate) holes: Vec<usize>,
    /// Addresses that may not share a request with what is before them.
    pub(crate) cuts: Vec<u16>,
    /// Most items it allows in one request.
    pub(crate) span: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Accepted,
    Split(usize, usize),
    Hole,
}

#[derive(Debug)]
struct Node {
    atoms: Range<usize>,
    state: State,
}

/// The halving of one refused block.
#[derive(Debug)]
pub(crate) struct Bisect {
    table: Table,
    items: Vec<Item>,
    /// Runs of items that overlap: they cannot be asked for apart.
    atoms: Vec<Range<usize>>,
    nodes: Vec<Node>,
    queue: VecDeque<usize>,
    asked: usize,
}

impl Bisect {
    /// Begins with a block that was refused as a whole.
    pub(crate) fn new(block: &Block) -> Self {
        let mut atoms: Vec<Range<usize>> = Vec::new();
        let mut end = 0;
        for (i, item) in block.items.iter().enumerate() {
            match atoms.last_mut() {
                Some(last) if u32::from(item.address) < end => last.end = i + 1,
                _ => atoms.push(i..i + 1),
            }
            end = end.max(u32::from(item.address) + u32::from(item.length));
        }
        let mut bisect = Self {
            table: block.table,
            items: block.items.clone(),
            nodes: vec![Node {
                atoms: 0..atoms.len(),
                state: State::Waiting,
            }],
            atoms,
            queue: VecDeque::new(),
            asked: 1,
        };
        bisect.answer(0, false);
        bisect
    }

    /// The next part to ask for, with its number.
    pub(crate) fn next(&mut self) -> Option<(usize, Arc<Block>)> {
        let node = self.queue.pop_front()?;
        self.asked += 1;
        Some((node, Arc::new(self.block(node))))
    }

    /// Whether a part is left to ask for.
    pub(crate) fn has_next(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Puts a part back whose question got no answer.
    pub(crate) fn again(&mut self, node: usize) {
        self.asked -= 1;
        self.queue.push_back(node);
    }

    /// Takes the device's word on a part.
    pub(crate) fn answer(&mut self, node: usize, accepted: bool) {
        let Some(atoms) = self.nodes.get(node).map(|n| n.atoms.clone()) else {
            return;
        };
        let state = if accepted {
            State::Accepted
        } else if atoms.len() <= 1 {
            State::Hole
        } else {
            let middle = atoms.start + atoms.len() / 2;
            let left = self.add(atoms.start..middle);
            let right = self.add(middle..atoms.end);
            State::Split(left, right)
        };
        if let Some(node) = self.nodes.get_mut(node) {
            node.state = state;
        }
    }

    /// What was learned, once every part has its answer.
    pub(crate) fn lessons(&self) -> Option<Lessons> {
        let open = self.nodes.iter().any(|n| n.state == State::Waiting);
        if open {
            return None;
        }
        let mut lessons = Lessons::default();
        let mut too_long: Option<u16> = None;
        for (index, node) in self.nodes.iter().enumerate() {
            match node.state {
                State::Hole => lessons
                    .holes
                    .extend(self.items_of(node).iter().map(|i| i.point)),
                State::Split(left, right) if self.both_accepted(left, right) => {
                    match self.gap_between(left, right) {
                        Some(after) => lessons.cuts.push(after),
                        // No register between the halves: only the length can have been wrong.
                        None => {
                            let quantity = self.block(index).quantity;
                            too_long = Some(too_long.map_or(quantity, |t| t.min(quantity)));
                        }
                    }
                }
                _ => {}
            }
        }
        lessons.span = too_long.map(|limit| self.longest_accepted_below(limit));
        Some(lessons)
    }

    /// Questions asked so far, the refused block included.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    fn longest_accepted_below(&self, limit: u16) -> u16 {
        (0..self.nodes.len())
            .filter(|i| self.nodes[*i].state == State::Accepted)
            .map(|i| self.block(i).quantity)
            .filter(|q| *q < limit)
            .max()
            .unwrap_or(1)
    }

    fn both_accepted(&self, left: usize, right: usize) -> bool {
        [left, right].iter().all(|i| {
            self.nodes
                .get(*i)
                .is_some_and(|n| n.state == State::Accepted)
        })
    }

    /// First address of the right half, when a register nobody asked for lies before it.
    fn gap_between(&self, left: usize, right: usize) -> Option<u16> {
        let (left, right) = (self.block(left), self.block(right));
        let end = u32::from(left.address) + u32::from(left.quantity);
        (u32::from(right.address) > end).then_some(right.address)
    }

    fn add(&mut self, atoms: Range<usize>) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node {
            atoms,
            state: State::Waiting,
        });
        self.queue.push_back(node);
        node
    }

    fn items_of(&self, node: &Node) -> &[Item] {
        let runs = self.atoms.get(node.atoms.clone()).unwrap_or_default();
        match (runs.first(), runs.last()) {
            (Some(first), Some(last)) => self.items.get(first.start..last.end).unwrap_or_default(),
            _ => &[],
        }
    }

    fn block(&self, node: usize) -> Block {
        let items = self.nodes.get(node).map_or(&[][..], |n| self.items_of(n));
        Block::new(self.table, items.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A device with holes and a limit; returns what was learned and how often it refused.
    fn learn(items: &[Item], missing: &[u16], most: u16) -> (Lessons, usize, usize) {
        let missing: BTreeSet<u32> = missing.iter().map(|m| u32::from(*m)).collect();
        let accepts = |b: &Block| {
            let from = u32::from(b.address);
            b.quantity <= most
                && missing
                    .range(from..from + u32::from(b.quantity))
                    .next()
                    .is_none()
        };
        let whole = Block::new(Table::Holding, items.to_vec());
        assert!(!accepts(&whole));
        let mut bisect = Bisect::new(&whole);
        let mut refused = 1;
        while let Some((node, block)) = bisect.next() {
            let accepted = accepts(&block);
            refused += usize::from(!accepted);
            bisect.answer(node, accepted);
        }
        let asked = bisect.asked();
        (bisect.lessons().unwrap(), refused, asked)
    }

    fn row(addresses: impl IntoIterator<Item = u16>) -> Vec<Item> {
        addresses
            .into_iter()
            .enumerate()
            .map(|(point, address)| Item {
                address,
                length: 1,
                point,
            })
            .collect()
    }

    #[test]
    fn one_hole_costs_a_logarithm_of_refusals() {
        for hole in [11_100, 11_175, 11_163, 11_224] {
            let items = row(11_100..11_225);
            let (lessons, refused, asked) = learn(&items, &[hole], 125);
            assert_eq!(lessons.holes, [usize::from(hole - 11_100)]);
            assert_eq!((lessons.cuts.len(), lessons.span), (0, None));
            assert!(refused <= 8, "{refused} refusals");
            assert!(asked <= 16, "{asked} questions");
        }
    }

    #[test]
    fn a_forbidden_gap_is_cut_at_not_called_a_hole() {
        let items = row((0..20).chain(25..40));
        let (lessons, _, _) = learn(&items, &[22], 125);
        assert_eq!(
            lessons,
            Lessons {
                holes: vec![],
                cuts: vec![25],
                span: None
            }
        );
    }

    #[test]
    fn a_limit_is_told_from_a_hole() {
        let (lessons, ..) = learn(&row(0..125), &[], 50);
        assert_eq!((lessons.holes.len(), lessons.cuts.len()), (0, 0));
        assert!(
            lessons.span.is_some_and(|s| (31..=50).contains(&s)),
            "{lessons:?}"
        );
        let (lessons, ..) = learn(&row(11_100..11_225), &[11_175], 50);
        assert_eq!(lessons.holes, [75]);
        assert!(
            lessons.span.is_some_and(|s| (31..=50).contains(&s)),
            "{lessons:?}"
        );
    }

    #[test]
    fn values_on_one_register_stay_together() {
        let mut items = row([7, 7, 7]);
        items.push(Item {
            address: 8,
            length: 2,
            point: 3,
        });
        let (lessons, _, asked) = learn(&items, &[7], 125);
        assert_eq!(lessons.holes, [0, 1, 2]);
        assert_eq!(asked, 3);
    }

    #[test]
    fn a_single_refused_value_needs_no_question() {
        let (lessons, refused, asked) = learn(&row([9]), &[9], 125);
        assert_eq!((lessons.holes, refused, asked), (vec![0], 1, 1));
    }
}
