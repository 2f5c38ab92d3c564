//! What may go: whole day files, never single rows. Owns the two reasons (age, free space) and the
//! rule that what the cloud does not have goes last and never silently.

use crate::catalog::DayFile;
use crate::marks::Marks;
use crate::{StoreConfig, StoreError};
use riser_model::Timestamp;

/// A day file that has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drop {
    pub(crate) name: String,
    pub(crate) reason: String,
    /// Samples in it the cloud does not have.
    pub(crate) loses: u64,
}

/// Day files newer than one that must exist before age alone removes it: a clock that jumps ahead
/// makes every file old at once, but does not make new ones.
const NEWER: usize = 7;

/// Files that are over their age and hold nothing the cloud waits for.
pub(crate) fn by_age(
    files: &[DayFile],
    marks: &Marks,
    config: &StoreConfig,
    today: i64,
) -> Vec<Drop> {
    let oldest = today - i64::from(config.retention_days);
    let newer = NEWER.min(config.retention_days as usize);
    let droppable = files.len().saturating_sub(newer.max(1));
    files
        .iter()
        .take(droppable)
        .filter(|f| day_number(&f.name).is_some_and(|day| day < oldest))
        .filter(|f| !config.keep_unsent || f.is_settled(marks))
        .map(|f| Drop {
            name: f.name.clone(),
            reason: format!("it is older than {} days", config.retention_days),
            loses: 0,
        })
        .collect()
}

/// The file that goes when there is too much: the oldest the cloud has, else the oldest. The newest
/// file never goes.
pub(crate) fn for_space(
    files: &[DayFile],
    marks: &Marks,
    config: &StoreConfig,
    reason: &str,
) -> Option<Drop> {
    let (_, older) = files.split_last()?;
    let settled = |f: &&DayFile| !config.keep_unsent || f.is_settled(marks);
    let file = older.iter().find(settled).or(older.first())?;
    Some(Drop {
        name: file.name.clone(),
        reason: reason.to_owned(),
        loses: if config.keep_unsent {
            file.unsettled_samples(marks)
        } else {
            0
        },
    })
}

/// Name of a day, such as `2026-11-21` (UTC).
pub(crate) fn day_name(at: Timestamp) -> String {
    let (y, m, d) = civil(at.day());
    format!("{y:04}-{m:02}-{d:02}")
}

/// The day of a name, in days since 1970.
pub(crate) fn day_number(name: &str) -> Option<i64> {
    let mut parts = name.rsplitn(3, '-');
    let d: i64 = parts.next()?.parse().ok()?;
    let m: i64 = parts.next()?.parse().ok()?;
    let y: i64 = parts.next()?.parse().ok()?;
    // Years from March, so that the leap day is the last one.
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let year = y.rem_euclid(400);
    let day = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    Some(era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468)
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
fn civil(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

/// Where a day file lies.
pub(crate) fn day_path(config: &StoreConfig, name: &str) -> std::path::PathBuf {
    config.history_dir().join(format!("{name}.db"))
}

impl crate::writer::Writer {
    /// Drops what has to go.
    pub(crate) fn retain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let drops = {
            let catalog = self.shared.catalog();
            by_age(
                catalog.files(),
                &self.shared.marks(),
                &self.shared.config,
                now.day(),
            )
        };
        for drop in drops {
            self.drop_day(&drop, now)?;
        }
        self.retain_bytes(now)?;
        // A few at a time: a disk filled by something else must not empty the store in one go.
        for _ in 0..4 {
            let config = &self.shared.config;
            let floor = crate::files::floor(config);
            if (config.free_space)(&config.dir).is_none_or(|free| free >= floor) {
                break;
            }
            let floor = config.min_free_bytes;
            let reason = format!("the disk has fewer free octets than the {floor} it must keep");
            if !self.drop_one(&reason, now)? {
                break;
            }
        }
        Ok(())
    }

    /// Drops days until the history takes no more than it may.
    fn retain_bytes(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(most) = self.shared.config.history_max_bytes else {
            return Ok(());
        };
        loop {
            let taken: u64 = {
                let catalog = self.shared.catalog();
                catalog.files().iter().map(|f| f.disk_bytes).sum()
            };
            let reason = format!("the history takes {taken} octets, more than the {most} it may");
            if taken <= most || !self.drop_one(&reason, now)? {
                return Ok(());
            }
        }
    }

    /// Drops the day that is missed least; false when there is none to drop.
    fn drop_one(&mut self, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        let next = {
            let (catalog, config) = (self.shared.catalog(), &self.shared.config);
            for_space(catalog.files(), &self.shared.marks(), config, reason)
        };
        match next {
            Some(drop) => self.drop_day(&drop, now).map(|()| true),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_names_people_use() {
        for (day, name) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (20_778, "2026-11-21"),
        ] {
            assert_eq!(day_name(Timestamp(day * Timestamp::DAY)), name);
            assert_eq!(day_number(name), Some(day));
        }
        for day in (-800_000..800_000).step_by(97) {
            assert_eq!(
                day_number(&day_name(Timestamp(day * Timestamp::DAY))),
                Some(day)
            );
        }
        assert_eq!(day_number("notes"), None);
    }
}
