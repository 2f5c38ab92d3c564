//! `riserd history` and `riserd check`: the stored samples for other programs, and whether every
//! file of the store is sound. Owns their words; both read beside a running daemon and change
//! nothing.

use crate::config::Config;
use crate::print;
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use riser_model::{PointPath, Timestamp};
use riser_store::{ExportAsk, ExportFormat};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Write stored samples to a file
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Start (UTC), inclusive: 2026-11-21, 2026-11-21T12:00 or milliseconds since 1970
    #[arg(long, value_parser = time)]
    from: Timestamp,
    /// End (UTC), exclusive
    #[arg(long, value_parser = time)]
    to: Timestamp,
    /// Only these points; `*` stands for anything, such as 'ahu-1/*'
    #[arg(long, default_value = "*")]
    point: String,
    /// Kind of the file
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Parquet,
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

/// Whether a text is what a pattern with `*` says.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(head) else {
        return false;
    };
    let mut tail = text;
    loop {
        if matches(rest, tail) {
            return true;
        }
        let Some(first) = tail.chars().next() else {
            return false;
        };
        tail = &tail[first.len_utf8()..];
    }
}

/// Carries out `riserd history …`.
pub(crate) fn run(config: &Config, command: &HistoryCommand) -> Result<(), Box<dyn Error>> {
    let HistoryCommand::Export(args) = command;
    let wanted = |path: &PointPath| matches(&args.point, &path.to_string());
    let ask = ExportAsk {
        from: args.from,
        to: args.to,
        wanted: &wanted,
        format: match args.format {
            Format::Csv => ExportFormat::Csv,
            Format::Parquet => ExportFormat::Parquet,
        },
    };
    // Complete under its name, or not there: half an export looks like a short history.
    let part = args.out.with_added_extension("part");
    let report = write(&config.gateway.data_dir, &ask, &part).inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })?;
    std::fs::rename(&part, &args.out)
        .map_err(|error| format!("could not write {}: {error}", args.out.display()))?;
    print::line(&format!(
        "{}: {} samples of {} days",
        args.out.display(),
        report.rows,
        report.days
    ));
    if report.problems.is_empty() {
        return Ok(());
    }
    let what = report.problems.join("\n");
    Err(format!("some of the history could not be read and is not in the file:\n{what}").into())
}

fn write(
    dir: &Path,
    ask: &ExportAsk<'_>,
    part: &Path,
) -> Result<riser_store::ExportReport, Box<dyn Error>> {
    let failed = |error: std::io::Error| format!("could not write {}: {error}", part.display());
    let mut out = BufWriter::with_capacity(1 << 20, File::create(part).map_err(failed)?);
    let report = riser_store::export(dir, ask, &mut out)?;
    out.flush().map_err(failed)?;
    Ok(report)
}

/// Carries out `riserd check`.
pub(crate) fn check(dir: &Path) -> Result<(), Box<dyn Error>> {
    let report = riser_store::check(dir)?;
    for file in &report.files {
        let place = file.display().to_string();
        let wrong: Vec<_> = report
            .problems
            .iter()
            .filter_map(|p| p.strip_prefix(&place)?.strip_prefix(": "))
            .collect();
        if wrong.is_empty() {
            print::line(&format!("{place}: sound"));
        }
        for problem in wrong {
            print::line(&format!("{place}: {problem}"));
        }
    }
    let files: Vec<String> = report
        .files
        .iter()
        .map(|f| format!("{}: ", f.display()))
        .collect();
    let others = report
        .problems
        .iter()
        .filter(|p| !files.iter().any(|f| p.starts_with(f)));
    others.for_each(|problem| print::line(problem));
    print::line(&format!(
        "{} files, {} batches, {} samples",
        report.files.len(),
        report.batches,
        report.samples
    ));
    match report.problems.len() {
        0 => Ok(()),
        n => Err(format!(
            "{n} problems: restart riserd, it sets a damaged file aside and goes on; keep the \
             file for whoever looks into it, and look at the disk (dmesg)"
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, wanted) in [
            ("*", "ahu-1/supply_temp", true),
            ("ahu-1/*", "ahu-1/supply_temp", true),
            ("ahu-1/*", "ahu-11/supply_temp", false),
            ("*/supply_*", "ahu-1/supply_temp", true),
            ("*temp", "ahu-1/supply_temp", true),
            ("ahu-1/supply_temp", "ahu-1/supply_temp", true),
            ("ahu-1/supply", "ahu-1/supply_temp", false),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
