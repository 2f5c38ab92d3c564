//! How often somebody may try to log in. Owns the token buckets per address and per account;
//! bounded in number, so that a flood of made-up names cannot eat the memory.

use super::{AppError, AppResult};
use riser_model::Timestamp;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// Tries an address has at once, and per minute after that.
pub const PER_ADDRESS: u32 = 30;
/// Tries an account has at once, and per minute after that.
pub const PER_ACCOUNT: u32 = 10;
/// Buckets kept per kind; when full, those that have filled up again are forgotten.
const KEPT: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

#[derive(Debug)]
struct Buckets<K> {
    size: f64,
    buckets: FxHashMap<K, Bucket>,
}

/// Tries in a bucket now: it fills from empty within a minute.
fn refilled(size: f64, bucket: Bucket, now: Timestamp) -> f64 {
    let passed = u32::try_from(now.since(bucket.at).clamp(0, Timestamp::MINUTE)).unwrap_or(0);
    (bucket.left + f64::from(passed) / 60_000.0 * size).min(size)
}

impl<K: Hash + Eq> Buckets<K> {
    fn new(size: u32) -> Self {
        Self {
            size: f64::from(size),
            buckets: FxHashMap::default(),
        }
    }

    /// Takes one try, or says in how many seconds there is one.
    fn take(&mut self, key: K, now: Timestamp) -> Result<(), u64> {
        if self.buckets.len() >= KEPT && !self.buckets.contains_key(&key) {
            let size = self.size;
            self.buckets
                .retain(|_, bucket| refilled(size, *bucket, now) < size);
            if self.buckets.len() >= KEPT {
                return Err(60);
            }
        }
        let bucket = self.buckets.get(&key).copied();
        let left = bucket.map_or(self.size, |bucket| refilled(self.size, bucket, now));
        if left < 1.0 {
            // At most a minute, so a short count up replaces a lossy cast.
            let seconds = (1.0 - left) * 60.0 / self.size;
            return Err(u64::from(
                (1..60_u32).find(|s| f64::from(*s) >= seconds).unwrap_or(60),
            ));
        }
        let left = left - 1.0;
        self.buckets.insert(key, Bucket { left, at: now });
        Ok(())
    }

    fn give_back(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.left = (bucket.left + 1.0).min(self.size);
        }
    }
}

/// The tries of everybody.
#[derive(Debug)]
pub struct Attempts {
    addresses: Mutex<Buckets<IpAddr>>,
    accounts: Mutex<Buckets<String>>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            addresses: Mutex::new(Buckets::new(PER_ADDRESS)),
            accounts: Mutex::new(Buckets::new(PER_ACCOUNT)),
        }
    }
}

impl Attempts {
    /// Takes one try of an address and one of an account.
    ///
    /// # Errors
    /// [`AppError::TooMany`] when either has none left.
    pub fn take(&self, address: IpAddr, account: &str, now: Timestamp) -> AppResult<()> {
        let refuse = |scope| {
            move |retry_after_s| AppError::TooMany {
                scope,
                retry_after_s,
            }
        };
        lock(&self.addresses)
            .take(network(address), now)
            .map_err(refuse("address"))?;
        lock(&self.accounts)
            .take(account.to_owned(), now)
            .map_err(refuse("account"))
    }

    /// A try that was right does not count.
    pub fn give_back(&self, address: IpAddr, account: &str) {
        lock(&self.addresses).give_back(&network(address));
        lock(&self.accounts).give_back(&account.to_owned());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Buckets are whole after every statement, so a panic elsewhere does not harm them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One customer has a whole /64 of IPv6 (RFC 6177), so that is what counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            IpAddr::V6(Ipv6Addr::from(segments))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_runs_out_and_fills_up_again() {
        let attempts = Attempts::default();
        let (here, t0) = ("192.0.2.1".parse().unwrap(), Timestamp(1_000_000));
        for _ in 0..PER_ACCOUNT {
            attempts.take(here, "a", t0).unwrap();
        }
        let error = attempts.take(here, "a", t0).unwrap_err();
        assert_eq!(error.retry_after_s(), Some(6), "{error}");
        attempts.take(here, "b", t0).unwrap();
        attempts.take(here, "a", Timestamp(t0.0 + 6_000)).unwrap();
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let attempts = Attempts::default();
        let here = "192.0.2.1".parse().unwrap();
        for _ in 0..PER_ADDRESS * 2 {
            attempts.take(here, "a", Timestamp(5)).unwrap();
            attempts.give_back(here, "a");
        }
    }

    #[test]
    fn neighbours_within_one_ipv6_network_share_a_bucket() {
        let attempts = Attempts::default();
        for i in 0..PER_ADDRESS {
            let here = format!("2001:db8::{i:x}").parse().unwrap();
            attempts.take(here, &format!("u{i}"), Timestamp(5)).unwrap();
        }
        let next = "2001:db8::ffff".parse().unwrap();
        assert!(attempts.take(next, "other", Timestamp(5)).is_err());
        let elsewhere = "2001:db8:0:1::1".parse().unwrap();
        attempts.take(elsewhere, "other", Timestamp(5)).unwrap();
    }

    #[test]
    fn a_flood_of_names_stays_bounded() {
        let mut buckets = Buckets::new(10);
        let mut refused = 0;
        for i in 0..KEPT + 50 {
            refused += usize::from(buckets.take(i, Timestamp(0)).is_err());
        }
        assert_eq!((buckets.buckets.len(), refused), (KEPT, 50));
        buckets
            .take(KEPT + 99, Timestamp(Timestamp::MINUTE))
            .unwrap();
        assert_eq!(buckets.buckets.len(), 1);
    }
}
