//! Who was heard on a lane: every instance with the addresses it answers from. Owns duplicate device
//! ids, found and named, and the guess that a device has just restarted.

use crate::client::{Address, Client, Heard};
use crate::codec::service::device::IAm;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// I-Ams so long after a Who-Is of one's own are taken for answers to it.
const SOLICITED: Duration = Duration::from_secs(5);
/// Instances remembered, at most.
const INSTANCES: usize = 20_000;
/// Addresses remembered of one instance.
const ADDRESSES: usize = 4;

#[derive(Debug, Clone)]
struct Entry {
    i_am: IAm,
    addresses: Vec<Address>,
}

#[derive(Default)]
struct Known {
    entries: FxHashMap<u32, Entry>,
    restarts: FxHashMap<u32, mpsc::Sender<()>>,
    asked: Option<Instant>,
}

/// Who was heard. Clones share it.
#[derive(Clone, Default)]
pub struct Directory(Arc<Mutex<Known>>);

impl Directory {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens until cancelled.
    pub fn listen(&self, client: &Client, cancel: CancellationToken) {
        let (directory, mut heard) = (self.clone(), client.listen());
        tokio::spawn(cancel.run_until_cancelled_owned(async move {
            loop {
                match heard.recv().await {
                    Ok(Heard::Device(from, i_am)) => directory.hear(&from, i_am),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        }));
    }

    fn hear(&self, from: &Address, i_am: IAm) {
        let mut known = self.lock();
        let solicited = known.asked.is_some_and(|at| at.elapsed() < SOLICITED);
        if known.entries.len() >= INSTANCES && !known.entries.contains_key(&i_am.instance) {
            return;
        }
        let entry = known.entries.entry(i_am.instance).or_insert(Entry {
            i_am,
            addresses: Vec::new(),
        });
        entry.i_am = i_am;
        if !entry.addresses.contains(from) && entry.addresses.len() < ADDRESSES {
            entry.addresses.push(from.clone());
        }
        if !solicited && let Some(restarts) = known.restarts.get(&i_am.instance) {
            // One that waits already says the same.
            let _waiting = restarts.try_send(());
        }
    }

    /// A Who-Is goes out: what comes now answers it.
    pub fn asking(&self) {
        self.lock().asked = Some(Instant::now());
    }

    /// What an instance said of itself, and from where it was heard first.
    #[must_use]
    pub fn find(&self, instance: u32) -> Option<(Address, IAm)> {
        let known = self.lock();
        let entry = known.entries.get(&instance)?;
        entry.addresses.first().map(|a| (a.clone(), entry.i_am))
    }

    /// Forgets where an instance was, as it does not answer there any more.
    pub fn forget(&self, instance: u32) {
        self.lock().entries.remove(&instance);
    }

    /// Where word of a restart goes from now on.
    pub fn restarts(&self, instance: u32, to: mpsc::Sender<()>) {
        self.lock().restarts.insert(instance, to);
    }

    /// What is wrong when an instance answers from several addresses, in words.
    #[must_use]
    pub fn duplicate(&self, instance: u32) -> Option<String> {
        let known = self.lock();
        let addresses = &known.entries.get(&instance)?.addresses;
        let (last, others) = addresses.split_last()?;
        if others.is_empty() {
            return None;
        }
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        Some(format!(
            "duplicate device id: instance {instance} is answered from {} and {last}; give one of these devices another instance",
            others.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::parse_ip;
    use crate::codec::service::device::Segmentation;

    #[test]
    fn a_second_address_of_one_instance_is_named() {
        let directory = Directory::default();
        let i_am = IAm {
            instance: 5,
            max_apdu: 1476,
            segmentation: Segmentation::Both,
            vendor: 0,
        };
        let at = |ip| Address::local(parse_ip(ip).unwrap());
        for ip in ["192.0.2.1", "192.0.2.1", "192.0.2.9"] {
            directory.hear(&at(ip), i_am);
        }
        assert_eq!(directory.find(5), Some((at("192.0.2.1"), i_am)));
        let why = directory.duplicate(5).unwrap();
        assert!(why.contains("192.0.2.1:47808 and 192.0.2.9:47808"), "{why}");
        assert_eq!(directory.duplicate(6), None);
    }
}
