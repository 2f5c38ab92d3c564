//! A device's own clock: what its local times are in UTC. Owns the hour that comes twice in autumn and
//! not at all in spring; both only where the zone of the lane is known and the device follows it.

use jiff::tz::TimeZone;

/// How a device's local time goes.
#[derive(Debug, Clone)]
pub(super) struct Wall {
    /// What has to be added to get UTC, as it is now, in milliseconds.
    offset: i64,
    /// The zone it follows.
    zone: Option<TimeZone>,
}

impl Wall {
    /// By how far it is from UTC now. A zone it does not follow now is not its own.
    pub(super) fn new(offset: i64, zone: Option<&TimeZone>, now: i64) -> Self {
        let follows = |zone: &&TimeZone| from_utc(zone, now) == Some(now - offset);
        Self {
            offset,
            zone: zone.filter(follows).cloned(),
        }
    }

    /// Local time of a moment, in milliseconds since 1970.
    pub(super) fn local(&self, at: i64) -> i64 {
        let zone = self.zone.as_ref();
        zone.and_then(|zone| from_utc(zone, at))
            .unwrap_or(at - self.offset)
    }

    /// The moment of a local time; of two the later when `before` has come already.
    pub(super) fn utc(&self, local: i64, before: i64) -> i64 {
        let zone = self.zone.as_ref();
        zone.and_then(|zone| to_utc(zone, local, before))
            .unwrap_or(local + self.offset)
    }
}

fn from_utc(zone: &TimeZone, at: i64) -> Option<i64> {
    let moment = jiff::Timestamp::from_millisecond(at).ok()?;
    Some(at + i64::from(zone.to_offset(moment).seconds()) * 1000)
}

fn to_utc(zone: &TimeZone, local: i64, before: i64) -> Option<i64> {
    let written = jiff::Timestamp::from_millisecond(local).ok()?;
    let written = TimeZone::UTC.to_datetime(written);
    let first = zone.to_ambiguous_timestamp(written).earlier().ok()?;
    let second = zone.to_ambiguous_timestamp(written).later().ok()?;
    let (first, second) = (first.as_millisecond(), second.as_millisecond());
    // Where no such time exists both are beside it; where it exists once they are the same.
    Some(if first < before { second } else { first })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn records_go_on_through_both_changes_of_the_clock() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // Read in winter time, records from the summer before.
        let now = at("2026-10-27T12:00:00Z");
        let wall = Wall::new(-60 * MINUTE, Some(&berlin), now);
        for (from, to) in [
            ("2026-10-24T22:00:00Z", "2026-10-25T04:00:00Z"),
            ("2026-03-28T23:00:00Z", "2026-03-29T04:00:00Z"),
        ] {
            let mut before = at(from) - 15 * MINUTE;
            while before < at(to) {
                let expected = before + 15 * MINUTE;
                let found = wall.utc(wall.local(expected), before);
                assert_eq!(found, expected, "{}", (expected - at(from)) / MINUTE);
                before = found;
            }
        }
    }

    #[test]
    fn a_device_that_keeps_winter_time_is_taken_at_its_word() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let now = at("2026-07-01T12:00:00Z");
        let wall = Wall::new(-60 * MINUTE, Some(&berlin), now);
        assert_eq!(wall.local(now), now + 60 * MINUTE);
        let winter = at("2026-01-01T12:00:00Z");
        assert_eq!(wall.utc(winter + 60 * MINUTE, 0), winter);
        let plain = Wall::new(0, None, now);
        assert_eq!((plain.local(now), plain.utc(now, 0)), (now, now));
    }
}
