//! How often somebody may be wrong. Owns the counters that live in memory: per address, per name
//! nobody has, and of the claim code; those of known users are in the store. All are bounded.

use super::{AuthError, still_locked};
use riser_model::Timestamp;
use riser_store::Lockout;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Addresses and names kept in mind.
const KEPT: usize = 1024;

/// Wrong attempts in a row at one thing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strikes {
    lockout: Lockout,
    wrong: u32,
    locked_until: Option<Timestamp>,
}

impl Strikes {
    pub(super) fn new(lockout: Lockout) -> Self {
        Self {
            lockout,
            wrong: 0,
            locked_until: None,
        }
    }

    pub(super) fn check(&self, now: Timestamp) -> Result<(), AuthError> {
        self.locked_until
            .map_or(Ok(()), |until| still_locked(until, now))
    }

    /// One more; the counter starts anew with each lock.
    pub(super) fn add(&mut self, now: Timestamp) {
        self.wrong += 1;
        if self.wrong >= self.lockout.after {
            self.wrong = 0;
            self.locked_until = Some(Timestamp(now.0.saturating_add(self.lockout.for_ms)));
        }
    }
}

/// Wrong attempts at names nobody has.
pub(super) struct Strangers {
    lockout: Lockout,
    names: HashMap<String, Strikes>,
}

impl Strangers {
    pub(super) fn new(lockout: Lockout) -> Self {
        Self {
            lockout,
            names: HashMap::new(),
        }
    }

    pub(super) fn check(&self, name: &str, now: Timestamp) -> Result<(), AuthError> {
        self.names
            .get(&key(name))
            .map_or(Ok(()), |strikes| strikes.check(now))
    }

    pub(super) fn failed(&mut self, name: &str, now: Timestamp) {
        if self.names.len() >= KEPT {
            // Whoever fills this learns at most that a name they tried first is forgotten.
            self.names.retain(|_, strikes| strikes.check(now).is_err());
            if self.names.len() >= KEPT {
                self.names.clear();
            }
        }
        let strikes = self
            .names
            .entry(key(name))
            .or_insert(Strikes::new(self.lockout));
        strikes.add(now);
    }
}

fn key(name: &str) -> String {
    name.trim().to_lowercase().chars().take(64).collect()
}

/// Attempts per address: some at once, then one every now and then.
pub(super) struct Attempts {
    burst: f64,
    refill_ms: f64,
    addresses: HashMap<IpAddr, (f64, Timestamp)>,
}

impl Attempts {
    pub(super) fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst: f64::from(burst.max(1)),
            refill_ms: (refill.as_secs_f64() * 1000.0).max(1.0),
            addresses: HashMap::new(),
        }
    }

    /// Uses one attempt up.
    pub(super) fn take(&mut self, from: IpAddr, now: Timestamp) -> Result<(), AuthError> {
        if self.addresses.len() >= KEPT {
            self.forget(now);
        }
        let (burst, refill_ms) = (self.burst, self.refill_ms);
        let (left, at) = self.addresses.entry(network(from)).or_insert((burst, now));
        *left = filled(*left, now.since(*at), refill_ms).min(burst);
        *at = now;
        if *left < 1.0 {
            let wait_s = (1.0 - *left) * refill_ms / 1000.0;
            let retry_after_s = Duration::try_from_secs_f64(wait_s.ceil()).unwrap_or_default();
            return Err(AuthError::TooMany {
                retry_after_s: retry_after_s.as_secs().max(1),
            });
        }
        *left -= 1.0;
        Ok(())
    }

    /// Gives one back: it was no wrong attempt.
    pub(super) fn give_back(&mut self, from: IpAddr) {
        if let Some((left, _)) = self.addresses.get_mut(&network(from)) {
            *left = (*left + 1.0).min(self.burst);
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let (burst, refill_ms) = (self.burst, self.refill_ms);
        self.addresses
            .retain(|_, (left, at)| filled(*left, now.since(*at), refill_ms) < burst);
        if self.addresses.len() >= KEPT {
            let oldest = self
                .addresses
                .iter()
                .min_by_key(|(_, (_, at))| *at)
                .map(|(ip, _)| *ip);
            oldest.map(|ip| self.addresses.remove(&ip));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a wait of 285,000 years need not be exact"
)]
fn filled(left: f64, elapsed_ms: i64, refill_ms: f64) -> f64 {
    left + elapsed_ms.max(0) as f64 / refill_ms
}

/// One customer of an IPv6 provider has at least a /64 (RFC 6177), so that counts as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_a_burst_and_then_one_at_a_time() {
        let mut attempts = Attempts::new(3, Duration::from_secs(2));
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..3 {
            attempts.take(ip, Timestamp(0)).unwrap();
        }
        let refused = attempts.take(ip, Timestamp(0));
        assert!(matches!(
            refused,
            Err(AuthError::TooMany { retry_after_s: 2 })
        ));
        attempts
            .take("192.0.2.2".parse().unwrap(), Timestamp(0))
            .unwrap();
        attempts.take(ip, Timestamp(2_000)).unwrap();
        assert!(attempts.take(ip, Timestamp(2_000)).is_err());
        attempts.give_back(ip);
        attempts.take(ip, Timestamp(2_000)).unwrap();
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        let mut attempts = Attempts::new(1, Duration::from_secs(2));
        attempts
            .take("2001:db8::1".parse().unwrap(), Timestamp(0))
            .unwrap();
        assert!(
            attempts
                .take("2001:db8::2".parse().unwrap(), Timestamp(0))
                .is_err()
        );
        attempts
            .take("2001:db8:0:1::1".parse().unwrap(), Timestamp(0))
            .unwrap();
    }

    #[test]
    fn memory_is_bounded_whoever_comes() {
        let mut attempts = Attempts::new(1, Duration::from_secs(2));
        let mut strangers = Strangers::new(Lockout {
            after: 5,
            for_ms: 1,
        });
        for n in 0..5_000_u32 {
            attempts
                .take(IpAddr::from(n.to_be_bytes()), Timestamp(0))
                .unwrap();
            strangers.failed(&n.to_string(), Timestamp(0));
        }
        assert!(attempts.addresses.len() <= KEPT);
        assert!(strangers.names.len() <= KEPT);
    }
}
