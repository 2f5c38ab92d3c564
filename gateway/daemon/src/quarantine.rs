//! `riserd quarantine`: batches that were put aside because the cloud refuses them or they cannot be
//! read, with their reasons, and their octets as files. Owns how a row looks and how a file is named;
//! reads beside a running daemon.

use crate::config::Config;
use crate::points::table;
use crate::print;
use clap::Args;
use riser_model::Timestamp;
use riser_store::{PutAside, PutAsideList, Stream, read_put_aside, read_put_aside_frame};
use std::error::Error;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    /// How many, the newest first; 1000 at most
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// Also write the octets of each into this folder
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
}

/// Lists, and writes files where asked to.
pub(crate) fn run(config: &Config, args: &QuarantineArgs) -> Result<(), Box<dyn Error>> {
    let dir = &config.gateway.data_dir;
    let list = read_put_aside(dir, args.limit)?;
    print::line(text(&list).trim_end());
    if let Some(folder) = &args.export {
        let files = export(dir, folder, &list.batches)?;
        print::line(&format!("{files} files written to {}", folder.display()));
    }
    Ok(())
}

fn export(dir: &Path, folder: &Path, batches: &[PutAside]) -> Result<u64, Box<dyn Error>> {
    let wrong = |path: &Path| {
        let path = path.display().to_string();
        move |error| format!("could not write {path}: {error}")
    };
    std::fs::create_dir_all(folder).map_err(wrong(folder))?;
    let mut files = 0;
    for batch in batches {
        let Some(frame) = read_put_aside_frame(dir, batch.stream, batch.position)? else {
            continue;
        };
        let path = folder.join(format!(
            "{}-{}-{}.frame",
            batch.position.epoch,
            word(batch.stream),
            batch.position.seq
        ));
        std::fs::write(&path, frame).map_err(wrong(&path))?;
        files += 1;
    }
    Ok(files)
}

fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Event => "event",
        Stream::Data => "data",
    }
}

fn text(list: &PutAsideList) -> String {
    if list.total == 0 {
        return "no batch is in quarantine".to_owned();
    }
    let head = [
        "put aside (UTC)",
        "stream",
        "number",
        "samples",
        "first sample (UTC)",
        "reason",
    ];
    let rows: Vec<_> = list.batches.iter().map(row).collect();
    format!(
        "{}\n{} in quarantine; nothing of them reached the cloud, the rest flows on",
        table(head, &rows),
        list.total
    )
}

fn row(batch: &PutAside) -> [String; 6] {
    [
        time(batch.at),
        word(batch.stream).to_owned(),
        batch.position.seq.to_string(),
        batch.samples.map_or(String::new(), |n| n.to_string()),
        batch.span.map_or(String::new(), |(first, _)| time(first)),
        batch.reason.clone(),
    ]
}

fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| at.0.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}
