//! Calendars of devices: their days shown and replaced. Owns that what is written is what was meant,
//! and what is said when the device keeps something else.

use super::{Fault, Given, ask, table, timetable, words};
use crate::codec::schedule::{self, Entry};
use crate::codec::service::property::Reference;
use crate::codec::{ObjectId, ObjectType, PropertyId};
use crate::poll::Peer;
use toml::Table;

/// Shows a calendar.
pub(super) async fn read(peer: &Peer, given: Given<'_>) -> Result<Table, Fault> {
    let object = given.object("object", ObjectType::CALENDAR)?;
    let days = days(peer, object).await?;
    shown(peer, object, &days).await
}

/// Replaces the days of a calendar.
pub(super) async fn write(peer: &Peer, given: Given<'_>) -> Result<Table, Fault> {
    let object = given.object("object", ObjectType::CALENDAR)?;
    let wanted = timetable::entries(given.text("days")).map_err(Fault::Wrong)?;
    // An object that is not there is said before anything is written.
    days(peer, object).await?;
    let list = Reference::new(object, PropertyId::DATE_LIST);
    let written = ask::write(peer, list, schedule::put_entries(&wanted)).await;
    written.map_err(|e| Fault::Failed(format!("the days were not taken: {e}")))?;
    let kept = days(peer, object).await?;
    if plain(&kept) != plain(&wanted) {
        return Err(Fault::Failed(format!(
            "the device took the days and keeps others: {}",
            timetable::shown_entries(&kept)
        )));
    }
    shown(peer, object, &kept).await
}

async fn days(peer: &Peer, object: ObjectId) -> Result<Vec<Entry>, Fault> {
    let list = Reference::new(object, PropertyId::DATE_LIST);
    let octets = ask::octets(peer, &list).await?;
    let octets = octets.ok_or_else(|| Fault::Failed(format!("the device has no {object}")))?;
    Ok(schedule::entries(&octets)?)
}

async fn shown(peer: &Peer, object: ObjectId, days: &[Entry]) -> Result<Table, Fault> {
    let today = ask::shown(peer, object, PropertyId::PRESENT_VALUE).await?;
    Ok(table([
        ("object", object.to_string().into()),
        (
            "name",
            ask::shown(peer, object, PropertyId::OBJECT_NAME)
                .await?
                .into(),
        ),
        ("days", timetable::shown_entries(days).into()),
        ("today_is_one", (today == "true").into()),
    ]))
}

/// Entries in the one form they are compared in, whatever order the device keeps them in.
fn plain(entries: &[Entry]) -> Vec<String> {
    let mut shown: Vec<String> = entries
        .iter()
        .map(|entry| {
            let entry = entry_plain(*entry);
            format!("{entry:?}")
        })
        .collect();
    shown.sort();
    shown
}

/// An entry in the one form it is compared in.
pub(super) fn entry_plain(entry: Entry) -> Entry {
    match entry {
        Entry::Day(date) => Entry::Day(words::plain(date)),
        Entry::Days(from, to) => Entry::Days(words::plain(from), words::plain(to)),
        Entry::Week(week) => Entry::Week(week),
    }
}
