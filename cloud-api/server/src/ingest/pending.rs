//! Connections that have not shown who they are. Owns how many there may be, in all and from one
//! address: the oldest gives way, so a flood of silent ones never keeps a real gateway out, which
//! needs milliseconds where they sit for seconds.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Most from one address; a whole site may sit behind one.
const PER_ADDRESS: usize = 256;

#[derive(Debug, Default)]
struct Table {
    next: u64,
    waiting: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
}

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    table: Arc<Mutex<Table>>,
    most: usize,
}

/// A place in the table; dropping it gives it up.
#[derive(Debug)]
pub(super) struct Place {
    pending: Pending,
    number: u64,
    gone: oneshot::Receiver<()>,
}

impl Pending {
    pub(super) fn new(most: usize) -> Self {
        Self {
            table: Arc::default(),
            most: most.max(1),
        }
    }

    /// Takes a place; the oldest one gives way when there is none left. True if one had to.
    pub(super) fn enter(&self, address: IpAddr) -> (Place, bool) {
        let mut table = self.lock();
        let crowded = table
            .waiting
            .values()
            .filter(|(a, _)| *a == address)
            .count()
            >= PER_ADDRESS;
        let oldest = if crowded {
            table
                .waiting
                .iter()
                .find(|(_, (a, _))| *a == address)
                .map(|(n, _)| *n)
        } else if table.waiting.len() >= self.most {
            table.waiting.keys().next().copied()
        } else {
            None
        };
        let gave_way = oldest
            .and_then(|number| table.waiting.remove(&number))
            .is_some();
        let number = table.next;
        table.next += 1;
        let (keep, gone) = oneshot::channel();
        table.waiting.insert(number, (address, keep));
        drop(table);
        (
            Place {
                pending: self.clone(),
                number,
                gone,
            },
            gave_way,
        )
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole after every statement, so a panic elsewhere does not harm it.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Resolves when this place had to give way.
    pub(super) async fn lost(&mut self) {
        // The other end is dropped, never used.
        let _ = (&mut self.gone).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pending.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn the_oldest_gives_way() {
        let pending = Pending::new(2);
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let (mut first, _) = pending.enter(address(1));
        let (mut second, gave) = pending.enter(address(2));
        assert!(!gave);
        let (_third, gave) = pending.enter(address(3));
        assert!(gave);
        assert!(first.lost().now_or_never().is_some());
        assert!(second.lost().now_or_never().is_none());
        drop(second);
        let (_, gave) = pending.enter(address(4));
        assert!(!gave);
    }

    #[test]
    fn one_address_crowds_out_only_itself() {
        let pending = Pending::new(10_000);
        let other = pending.enter(IpAddr::from([192, 0, 2, 9]));
        let crowd: Vec<_> = (0..=PER_ADDRESS)
            .map(|_| pending.enter(IpAddr::from([192, 0, 2, 1])))
            .collect();
        assert_eq!(crowd.iter().filter(|(_, gave)| *gave).count(), 1);
        assert!(!other.1);
        assert_eq!(pending.lock().waiting.len(), PER_ADDRESS + 1);
    }
}
