//! `riserd config`: versions for people at the console. Owns how they look there; changes are carried
//! out by the running daemon, looking works without it.

use super::Whereabouts;
use super::document::Document;
use super::secret::redact;
use super::socket::{self, ConsoleError};
use crate::print;
use clap::{Args, Subcommand};
use riser_adapter::{Clock, SystemClock};
use riser_model::{
    ConfigurationAnswer, ConfigurationAsk, ConfigurationDifference, ConfigurationEffects,
    ConfigurationReply, ConfigurationState, ConfigurationVersion,
};
use riser_store::{ConfigurationDocument, StoreConfig, StoreError};
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a document and apply it; taken back by itself unless confirmed in time
    Apply(ApplyArgs),
    /// Keep the change that waits
    Confirm {
        /// Only if it is this version
        #[arg(id = "number", value_name = "VERSION")]
        version: Option<u32>,
    },
    /// Take back the change that waits, or apply an earlier version again
    Revert {
        /// The earlier version; the one before the running one if absent
        #[arg(id = "number", value_name = "VERSION")]
        version: Option<u32>,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List the versions, the newest first
    List {
        /// As JSON, one version a line
        #[arg(long)]
        json: bool,
    },
    /// Print a version, secrets hidden
    Show {
        /// The version; the running one if absent
        #[arg(id = "number", value_name = "VERSION")]
        version: Option<u32>,
    },
    /// Say what is different in a version
    Diff {
        /// The older version; the one before the newer one if absent
        from: Option<u32>,
        /// The newer version; the running one if absent
        to: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The document; `-` reads it from standard input
    file: PathBuf,
    /// Time to confirm it in, such as `90s`, `10m`, `2h`
    #[arg(long, default_value = "10m", value_parser = seconds, conflicts_with = "final")]
    confirm: u32,
    /// Keep it at once, without waiting for anybody
    #[arg(long)]
    r#final: bool,
    /// Why, for the history
    #[arg(long, default_value = "")]
    note: String,
    /// Only say what it would change
    #[arg(long)]
    dry_run: bool,
}

/// The command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The daemon did not do it.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// A file cannot be read.
    #[error("could not read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store cannot be read.
    #[error("could not read the versions")]
    Store(#[from] StoreError),
    /// There is no such version.
    #[error("there is no version {0}; 'riserd config list' shows those there are")]
    Unknown(u32),
    /// There is none at all.
    #[error("riserd has not run here yet: there is no version")]
    None,
}

/// Does what was asked for.
pub(crate) fn run(place: &Whereabouts, command: &ConfigCommand) -> Result<(), CommandError> {
    let dir = place.data_dir_now();
    match command {
        ConfigCommand::Apply(args) => apply(&dir, args),
        ConfigCommand::Confirm { version } => {
            let version = *version;
            told(&socket::ask(&dir, ConfigurationAsk::Confirm { version })?)
        }
        ConfigCommand::Revert { version, reason } => {
            let ask = ConfigurationAsk::Revert {
                version: *version,
                reason: reason.clone(),
                confirm_seconds: None,
            };
            told(&socket::ask(&dir, ask)?)
        }
        ConfigCommand::List { json } => list(&dir, *json),
        ConfigCommand::Show { version } => {
            print::line(redact(&find(&kept(&dir)?, *version)?.body).trim_end());
            Ok(())
        }
        ConfigCommand::Diff { from, to } => diff(&dir, *from, *to),
    }
}

fn apply(dir: &Path, args: &ApplyArgs) -> Result<(), CommandError> {
    let document = given(&args.file)?;
    let ask = if args.dry_run {
        ConfigurationAsk::Check { document }
    } else {
        ConfigurationAsk::Apply {
            document,
            confirm_seconds: (!args.r#final).then_some(args.confirm),
            note: args.note.clone(),
        }
    };
    let reply = socket::ask(dir, ask)?;
    if let (true, ConfigurationReply::Done(answer)) = (args.dry_run, &reply) {
        print::line(&changes(answer));
        return Ok(());
    }
    told(&reply)
}

/// The document with the files its adapters stand in: the daemon knows nothing of this folder.
fn given(file: &Path) -> Result<String, CommandError> {
    let failed = |source| CommandError::File {
        path: file.to_owned(),
        source,
    };
    if file == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| failed(error.into()))?;
        return Ok(text);
    }
    match Document::of_file(file) {
        Ok(document) => Ok(document.text),
        // The daemon says best what is wrong with it.
        Err(_) => std::fs::read_to_string(file).map_err(|error| failed(error.into())),
    }
}

fn told(reply: &ConfigurationReply) -> Result<(), CommandError> {
    let ConfigurationReply::Done(answer) = reply else {
        return Err(ConsoleError::Garbled.into());
    };
    let version = &answer.version;
    if !answer.changed {
        print::line(&format!(
            "nothing to change: it is version {} already",
            version.version
        ));
        return Ok(());
    }
    let mut text = changes(answer);
    let _ = write!(text, "\nversion {} runs", version.version);
    if let (ConfigurationState::Waiting, Some(until)) = (version.state, version.until) {
        let left = until.0.saturating_sub(SystemClock.now().0).max(0) / 1000;
        let _ = write!(
            text,
            " and is taken back at {} ({left} s from now) unless you confirm it: riserd config \
             confirm",
            print::time(until)
        );
    }
    print::line(text.trim_start());
    Ok(())
}

fn changes(answer: &ConfigurationAnswer) -> String {
    let mut text = differences(&answer.differences);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&effects(&answer.effects));
    text
}

fn differences(all: &[ConfigurationDifference]) -> String {
    let line = |d: &ConfigurationDifference| match (&d.before, &d.after) {
        (Some(old), Some(new)) => format!("~ {}: {old} → {new}", d.at),
        (None, Some(new)) => format!("+ {}: {new}", d.at),
        (Some(old), None) => format!("- {}: {old}", d.at),
        (None, None) => d.at.clone(),
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn effects(effects: &ConfigurationEffects) -> String {
    let mut said = Vec::new();
    let mut name = |what: &str, names: &[String]| {
        if !names.is_empty() {
            said.push(format!("{what}: {}", names.join(", ")));
        }
    };
    name("adapters started", &effects.started);
    name("adapters restarted", &effects.restarted);
    name("adapters stopped", &effects.stopped);
    name("everything restarted for", &effects.whole);
    if effects.rules {
        said.push("rules swapped".to_owned());
    }
    if effects.schedules {
        said.push("schedules swapped".to_owned());
    }
    if effects.link {
        said.push("link to the cloud made again".to_owned());
    }
    if said.is_empty() {
        said.push("nothing is restarted".to_owned());
    }
    said.join("; ")
}

fn kept(dir: &Path) -> Result<Vec<ConfigurationDocument>, CommandError> {
    let standing = riser_store::read_configurations(&StoreConfig::new(dir))?;
    if standing.documents.is_empty() {
        return Err(CommandError::None);
    }
    Ok(standing.documents)
}

fn find(
    all: &[ConfigurationDocument],
    version: Option<u32>,
) -> Result<&ConfigurationDocument, CommandError> {
    let found = all.iter().find(|d| match version {
        Some(version) => d.version.version == version,
        None => d.version.running,
    });
    found.ok_or(version.map_or(CommandError::None, CommandError::Unknown))
}

fn list(dir: &Path, json: bool) -> Result<(), CommandError> {
    for ConfigurationDocument { version, .. } in kept(dir)? {
        if json {
            print::line(&serde_json::to_string(&version).unwrap_or_default());
        } else {
            print::line(&row(&version));
        }
    }
    Ok(())
}

fn row(v: &ConfigurationVersion) -> String {
    let mark = if v.running { '*' } else { ' ' };
    let hash: String = v.sha256.to_string().chars().take(12).collect();
    let mut text = format!(
        "{mark}{:>5}  {}  {hash}  {} ({})",
        v.version,
        print::time(v.at),
        v.actor,
        v.source
    );
    match (v.state, v.until) {
        (ConfigurationState::Waiting, Some(until)) => {
            let _ = write!(text, "  waits to be confirmed until {}", print::time(until));
        }
        (ConfigurationState::Reverted, _) => {
            let _ = write!(text, "  taken back by {}: {}", v.ended_by, v.reason);
        }
        _ => {}
    }
    if !v.note.is_empty() {
        let _ = write!(text, "  \"{}\"", v.note);
    }
    text
}

fn diff(dir: &Path, from: Option<u32>, to: Option<u32>) -> Result<(), CommandError> {
    let all = kept(dir)?;
    let newer = find(&all, to)?;
    let older = match from {
        Some(from) => find(&all, Some(from))?,
        None => all
            .iter()
            .find(|d| {
                d.version.version < newer.version.version
                    && d.version.state != ConfigurationState::Reverted
            })
            .ok_or(CommandError::None)?,
    };
    let parse = |d: &ConfigurationDocument| {
        Document::of_text(&d.body).map_err(|error| CommandError::File {
            path: format!("version {}", d.version.version).into(),
            source: error.into(),
        })
    };
    let text = differences(&parse(older)?.differences(&parse(newer)?));
    print::line(&format!(
        "version {} → version {}\n{}",
        older.version.version,
        newer.version.version,
        if text.is_empty() {
            "no difference"
        } else {
            &text
        }
    ));
    Ok(())
}

/// Seconds of `90s`, `10m`, `2h`, `1d` or plain seconds.
fn seconds(text: &str) -> Result<u32, String> {
    let wanted = || format!("'{text}' is no time; write it as 90s, 10m or 2h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u32 = digits.parse().map_err(|_| wanted())?;
    let each = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wanted()),
    };
    let most = riser_model::configuration::CONFIRM_MAX;
    let all = number.checked_mul(each).filter(|s| (1..=most).contains(s));
    all.ok_or_else(|| "the time to confirm is between 1 s and 7 days".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("45"), Ok(45));
        assert_eq!(seconds("7d"), Ok(604_800));
        for bad in ["", "m", "10x", "0", "8d", "99999999999h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
