//! The account of a device's numbers: what it gave out, what the gateway has, what the cloud has.
//! Pure. Owns what counts as lost, doubled or invented, and which loss is allowed: the last group
//! commit before a cut.

use std::collections::BTreeMap;
use std::fmt;

/// How long before a cut a value may have been read that is lost by it, in milliseconds: one group
/// commit, which takes at most a second.
pub const COMMIT: i64 = 1_000;

/// A time in which the gateway could not keep what it read, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The cut.
    pub from: i64,
    /// The last moment of the process that was cut.
    pub until: i64,
}

/// The values of one point, each number with how often it is there.
pub type Numbers = BTreeMap<u32, u32>;

/// One point's account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Numbers the device gave out.
    pub given: u32,
    /// Given out, not at the edge, and no outage explains it.
    pub lost: Vec<u32>,
    /// Given out, not at the edge, explained by an outage.
    pub cut: Vec<u32>,
    /// At the edge and not in the cloud.
    pub unsent: Vec<u32>,
    /// In the cloud and not at the edge: the edge forgot what it had sent.
    pub forgotten: Vec<u32>,
    /// More than once at the edge or in the cloud.
    pub doubled: Vec<u32>,
    /// Never given out by the device.
    pub invented: Vec<u32>,
    /// The longest time before its cut that a value lost by a cut was given out, in milliseconds.
    pub longest: i64,
}

/// Counts how often each number is there. Values that are no number of a device become 0, which
/// no device gives out.
#[must_use]
pub fn numbers(samples: &[(i64, f64)]) -> Numbers {
    let mut found = Numbers::new();
    for (_, value) in samples {
        let number = value.to_string().parse().unwrap_or(0);
        *found.entry(number).or_default() += 1;
    }
    found
}

impl Account {
    /// Draws up the account of the first `given.len()` numbers of a device; `given` says when each
    /// was given out.
    #[must_use]
    pub fn new(given: &[i64], edge: &Numbers, cloud: &Numbers, outages: &[Outage]) -> Self {
        let mut account = Self {
            given: u32::try_from(given.len()).unwrap_or(u32::MAX),
            ..Self::default()
        };
        for (number, at) in (1..).zip(given) {
            let (here, there) = (edge.contains_key(&number), cloud.contains_key(&number));
            match (here, there) {
                (true, false) => account.unsent.push(number),
                (false, true) => account.forgotten.push(number),
                (true, true) => {}
                (false, false) => account.absent(number, *at, outages),
            }
        }
        let all = edge.iter().chain(cloud);
        for (number, times) in all.filter(|(n, _)| **n <= account.given) {
            if *number == 0 {
                account.invented.push(*number);
            } else if *times > 1 {
                account.doubled.push(*number);
            }
        }
        account
    }

    fn absent(&mut self, number: u32, at: i64, outages: &[Outage]) {
        let by = outages
            .iter()
            .find(|o| (o.from - COMMIT..=o.until).contains(&at));
        match by {
            Some(outage) => {
                self.longest = self.longest.max(outage.from - at);
                self.cut.push(number);
            }
            None => self.lost.push(number),
        }
    }

    /// Whether the cloud has everything it could have.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Whether every number is in the cloud once, or lost by an outage.
    #[must_use]
    pub fn sound(&self) -> bool {
        self.lost.is_empty() && self.once()
    }

    /// Whether what the edge has is in the cloud, once and nothing else, whatever was lost before.
    #[must_use]
    pub fn once(&self) -> bool {
        self.unsent.is_empty()
            && self.forgotten.is_empty()
            && self.doubled.is_empty()
            && self.invented.is_empty()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} given out, {} lost by outages (oldest {} ms before its cut)",
            self.given,
            self.cut.len(),
            self.longest
        )?;
        for (what, numbers) in [
            ("LOST", &self.lost),
            ("NOT IN THE CLOUD", &self.unsent),
            ("FORGOTTEN AT THE EDGE", &self.forgotten),
            ("DOUBLED", &self.doubled),
            ("INVENTED", &self.invented),
        ] {
            if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
                write!(f, ", {} {what} ({first} to {last})", numbers.len())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: [i64; 5] = [10_000, 10_500, 11_000, 11_500, 20_000];

    fn of(list: &[u32]) -> Numbers {
        let mut numbers = Numbers::new();
        for n in list {
            *numbers.entry(*n).or_default() += 1;
        }
        numbers
    }

    #[test]
    fn everything_once_is_sound() {
        let all = of(&[1, 2, 3, 4, 5]);
        let account = Account::new(&GIVEN, &all, &all, &[]);
        assert!(account.sound() && account.settled(), "{account}");
        assert_eq!(account.given, 5);
    }

    #[test]
    fn each_way_to_be_wrong_is_told() {
        let all = of(&[1, 2, 3, 4, 5]);
        let check = |edge: &[u32], cloud: &[u32]| Account::new(&GIVEN, &of(edge), &of(cloud), &[]);
        assert_eq!(check(&[1, 2, 4, 5], &[1, 2, 4, 5]).lost, [3]);
        assert_eq!(check(&[1, 2, 3, 4, 5], &[1, 2, 4, 5]).unsent, [3]);
        assert_eq!(check(&[1, 2, 4, 5], &[1, 2, 3, 4, 5]).forgotten, [3]);
        assert_eq!(check(&[1, 2, 3, 4, 5], &[1, 2, 3, 3, 4, 5]).doubled, [3]);
        assert_eq!(check(&[0, 1, 2, 3, 4, 5], &[1, 2, 3, 4, 5]).invented, [0]);
        assert!(!check(&[1, 2], &[1, 2]).sound());
        assert!(Account::new(&GIVEN, &all, &all, &[]).sound());
    }

    #[test]
    fn only_the_last_commit_before_a_cut_may_be_lost() {
        let left = of(&[1, 5]);
        let cut = |from| {
            let until = from + 300;
            Account::new(&GIVEN, &left, &left, &[Outage { from, until }])
        };
        let account = cut(11_400);
        assert_eq!((account.cut.len(), account.longest), (3, 900));
        assert!(account.sound(), "{account}");
        let account = cut(11_501);
        assert_eq!(account.lost, [2], "given out more than a second before");
        assert!(!account.sound());
        assert_eq!(cut(10_900).lost, [4], "given out after the outage");
    }

    #[test]
    fn numbers_after_the_end_of_the_account_do_not_count() {
        let more = of(&[1, 2, 3, 4, 5, 6]);
        let all = of(&[1, 2, 3, 4, 5]);
        assert!(Account::new(&GIVEN, &more, &all, &[]).sound());
    }

    #[test]
    fn numbers_are_read_from_samples() {
        let samples = [(5, 1.0), (6, 2.0), (7, 2.0), (8, 0.5)];
        assert_eq!(numbers(&samples), of(&[0, 1, 2, 2]));
    }
}
