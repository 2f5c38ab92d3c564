//! `riserd ledger`: what became of every sample, for people and programs. Owns how a time is given
//! and how a row looks; reads beside a running daemon.

use crate::config::Config;
use crate::points::table;
use crate::print;
use clap::Args;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use riser_model::{Ledger, LedgerCounts, LedgerRow, Timestamp};
use riser_store::{LedgerFilter, StoreError};

#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    /// Hours that end after this (UTC): 2026-11-21, 2026-11-21T12:00 or milliseconds since 1970
    #[arg(long, value_parser = time)]
    from: Option<Timestamp>,
    /// Hours that begin before this (UTC)
    #[arg(long, value_parser = time)]
    to: Option<Timestamp>,
    /// Only this lane
    #[arg(long)]
    lane: Option<String>,
    /// One row per lane and day, not hour
    #[arg(long)]
    daily: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A time as people write it.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(ms) = text.parse() {
        return Ok(Timestamp(ms));
    }
    let text = text.trim_end_matches('Z');
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(|day| day.at(0, 0, 0, 0)));
    let at = civil.and_then(|civil| TimeZone::UTC.to_timestamp(civil));
    at.map(|at| Timestamp(at.as_millisecond()))
        .map_err(|error| format!("write 2026-11-21 or 2026-11-21T12:00 ({error})"))
}

/// Prints the part asked for.
pub(crate) fn run(config: &Config, args: &LedgerArgs) -> Result<(), StoreError> {
    let filter = LedgerFilter {
        from: args.from,
        to: args.to,
        lane: args.lane.clone(),
    };
    let mut ledger = riser_store::read_ledger(&config.gateway.data_dir, &filter)?;
    if args.daily {
        ledger = ledger.by_day();
    }
    let text = if args.json {
        serde_json::to_string_pretty(&ledger).unwrap_or_default()
    } else {
        list(&ledger)
    };
    print::line(text.trim_end());
    Ok(())
}

fn list(ledger: &Ledger) -> String {
    let head = [
        "hour (UTC)",
        "lane",
        "collected",
        "stored",
        "sent",
        "durable",
        "dropped",
        "waiting",
        "unexplained",
        "why dropped",
    ];
    let rows: Vec<_> = ledger.rows.iter().map(row).collect();
    let mut sum = LedgerCounts::default();
    ledger.rows.iter().for_each(|row| sum.add(&row.counts));
    let gap: u64 = ledger.rows.iter().map(|row| row.unexplained).sum();
    let verdict = match gap {
        0 => "no sample is unaccounted for".to_owned(),
        gap => format!("{gap} samples are unaccounted for"),
    };
    format!(
        "{}\nas of {}: {} collected, {} stored, {} durable, {} dropped; {verdict}",
        table(head, &rows),
        hour(ledger.as_of.at),
        sum.collected,
        sum.stored,
        sum.durable,
        sum.dropped.total()
    )
}

fn hour(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| at.0.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

fn row(row: &LedgerRow) -> [String; 10] {
    let counts = &row.counts;
    let dropped = &counts.dropped;
    let why = [
        ("queue full", dropped.queue_full),
        ("disk", dropped.disk),
        ("crash", dropped.crash),
        ("retention", dropped.retention),
        ("damaged", dropped.damaged),
        ("refused", dropped.refused),
    ];
    let why = why.iter().filter(|(_, n)| *n > 0);
    let why: Vec<_> = why.map(|(word, n)| format!("{word} {n}")).collect();
    [
        hour(row.hour),
        row.lane.clone(),
        counts.collected.to_string(),
        counts.stored.to_string(),
        counts.sent.to_string(),
        counts.durable.to_string(),
        dropped.total().to_string(),
        row.waiting_disk
            .saturating_add(row.waiting_cloud)
            .to_string(),
        row.unexplained.to_string(),
        why.join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_as_people_write_them() {
        let noon = Timestamp(1_795_262_400_000);
        for text in ["2026-11-21T12:00", "2026-11-21T12:00Z", "1795262400000"] {
            assert_eq!(time(text), Ok(noon));
        }
        assert_eq!(time("2026-11-21"), Ok(Timestamp(noon.0 - 12 * 3_600_000)));
        assert!(time("yesterday").is_err());
    }
}
