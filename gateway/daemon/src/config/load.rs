//! Reads the configuration and finds everything that is wrong with it at once. Owns the split into
//! sections and files; what makes the whole sensible is `check`.

use super::endpoint::endpoint;
use super::place::Source;
use super::problem::{Problem, Problems};
use super::{AdapterEntry, Audit, Backup, Cloud, Config, Gateway, Http, Settling, Storage};
use crate::assemble;
use riser_adapter::config::parse;
use riser_adapter::{BuildContext, ConfigError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// The sections, each parsed on its own so that each problem says where it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    gateway: toml::Table,
    #[serde(default)]
    http: toml::Table,
    #[serde(default)]
    storage: toml::Table,
    #[serde(default)]
    audit: toml::Table,
    backup: Option<toml::Table>,
    #[serde(default)]
    configuration: toml::Table,
    cloud: Option<toml::Table>,
    #[serde(default)]
    adapter: Vec<toml::Table>,
    #[serde(default)]
    schedule: Vec<toml::Table>,
    #[serde(default)]
    rule: Vec<toml::Table>,
}

/// What the daemon takes out of an `[[adapter]]` before the adapter gets the rest.
#[derive(Deserialize)]
struct AdapterHead {
    kind: String,
    name: Option<String>,
    file: Option<PathBuf>,
}

/// Least bandwidth budget: below it heartbeats alone would eat it up.
const LEAST_KBIT_S: u32 = 4;

/// `[cloud]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloudTable {
    url: String,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    max_kbit_s: Option<u32>,
}

/// Reading in progress: the files so far and what is wrong so far.
pub(super) struct Reading {
    pub(super) base_dir: PathBuf,
    sources: Vec<Source>,
    problems: Vec<Problem>,
}

/// A place: which file, and the path of the table within.
#[derive(Debug, Clone)]
pub(super) struct Place {
    source: usize,
    at: String,
}

impl Config {
    /// Reads and checks a file and everything it names. Opens nothing for writing, no port, no bus.
    pub(crate) fn load(file: &Path, data_dir: Option<PathBuf>) -> Result<Self, Problems> {
        let mut reading = Reading::new(file);
        let read = reading.file(file);
        let config = read.and_then(|read| reading.config(read, file, data_dir));
        reading.done(config)
    }

    /// Like [`Config::load`], of a document that is kept or given; paths are meant from the folder
    /// of `file`, and problems say `name`.
    pub(crate) fn of_text(
        (name, text): (&str, String),
        file: &Path,
        data_dir: Option<PathBuf>,
    ) -> Result<Self, Problems> {
        let mut reading = Reading::new(file);
        let read = reading.text(Path::new(name), text);
        let config = read.and_then(|read| reading.config(read, file, data_dir));
        let mut config = reading.done(config)?;
        config.files.retain(|f| f != Path::new(name));
        config.files.push(file.to_owned());
        Ok(config)
    }
}

impl Reading {
    fn new(file: &Path) -> Self {
        let base = file.parent().filter(|p| !p.as_os_str().is_empty());
        Self {
            base_dir: base.unwrap_or(Path::new(".")).to_owned(),
            sources: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn done(self, config: Option<Config>) -> Result<Config, Problems> {
        match config {
            Some(mut config) if self.problems.is_empty() => {
                config.files = self.sources.into_iter().map(|s| s.file).collect();
                Ok(config)
            }
            _ => Err(Problems(self.problems)),
        }
    }

    fn config(
        &mut self,
        (table, top): (toml::Table, Place),
        file: &Path,
        data_dir: Option<PathBuf>,
    ) -> Option<Config> {
        let root: Root = self.section(&top, &table)?;
        let gateway: Option<Gateway> = self.section(&top.within("gateway"), &root.gateway);
        let http: Option<Http> = self.section(&top.within("http"), &root.http);
        let storage: Option<Storage> = self.section(&top.within("storage"), &root.storage);
        let cloud = root
            .cloud
            .map(|table| self.cloud(&top.within("cloud"), &table));
        let audit: Option<Audit> = self.section(&top.within("audit"), &root.audit);
        let backup = root
            .backup
            .map(|table| self.backup(&top.within("backup"), &table));
        let configuration: Option<Settling> =
            self.section(&top.within("configuration"), &root.configuration);
        let profile_dir = gateway.as_ref().and_then(|g| g.profile_dir.clone());
        let adapters = self.adapters(&top, root.adapter, profile_dir.as_deref());
        let rules = self.list((&top, "rule"), root.rule);
        let schedules = self.list((&top, "schedule"), root.schedule);
        let (mut gateway, http, storage) = (gateway?, http?, storage?);
        let (cloud, rules) = (cloud.map_or(Some(None), |c| c.map(Some))?, rules?);
        let (audit, backup) = (audit?, backup.map_or(Some(None), |b| b.map(Some))?);
        // A folder from the command line is meant from where the command is given.
        gateway.data_dir = match data_dir {
            Some(dir) => dir,
            None => self.path(gateway.data_dir),
        };
        if gateway.name.trim().is_empty() {
            gateway.name = gateway.id.to_string();
        }
        let mut config = Config {
            file: file.to_owned(),
            gateway,
            http,
            tls: None,
            storage,
            audit,
            backup,
            configuration: configuration?,
            files: Vec::new(),
            cloud,
            adapters: Vec::new(),
            rules,
            schedules: schedules?,
            points: Vec::new(),
            identity_problems: Problems::default(),
            doubts: Vec::new(),
        };
        super::check::check(self, &mut config, &top, adapters?);
        Some(config)
    }

    /// Reads a file as a table.
    fn file(&mut self, file: &Path) -> Option<(toml::Table, Place)> {
        match std::fs::read_to_string(file) {
            Ok(text) => self.text(file, text),
            Err(error) => {
                let source = self.sources.len();
                self.sources.push(Source::new(file, String::new()));
                let text = format!("could not be read: {error}");
                self.push(source, None, String::new(), text);
                None
            }
        }
    }

    /// Reads a text as a table.
    fn text(&mut self, name: &Path, text: String) -> Option<(toml::Table, Place)> {
        let source = self.sources.len();
        let place = Place {
            source,
            at: String::new(),
        };
        self.sources.push(Source::new(name, text));
        match toml::from_str(self.sources[source].text()) {
            Ok(table) => Some((table, place)),
            Err(error) => {
                let line = error
                    .span()
                    .map(|span| self.sources[source].line(span.start));
                let text = format!("this is no TOML: {}", error.message());
                self.push(source, line, String::new(), text);
                None
            }
        }
    }

    fn section<T: DeserializeOwned>(&mut self, place: &Place, table: &toml::Table) -> Option<T> {
        self.take(place, parse("", table))
    }

    /// The value, or a problem more.
    pub(super) fn take<T>(&mut self, place: &Place, result: Result<T, ConfigError>) -> Option<T> {
        result
            .map_err(|error| self.wrong(place, &error.at, error.problem))
            .ok()
    }

    /// Notes that something is wrong at a place below `place`.
    pub(super) fn wrong(&mut self, place: &Place, below: &str, text: impl Into<String>) {
        let (text, mut place) = (text.into(), place.within(below));
        let source = &self.sources[place.source];
        // The parser names the table; the key or the value it dislikes has a line of its own.
        let quoted = |start| text.strip_prefix(start).and_then(|t| t.split('\'').next());
        let mut exact = place.clone();
        if let Some(key) = quoted("unknown field '") {
            exact = place.within(key);
        } else if let Some(value) = quoted("unknown variant '")
            && let Some(key) = source.key_with(&place.at, value)
        {
            place = place.within(&key);
            exact = place.clone();
        }
        let line = source.line_of(&exact.at);
        self.push(place.source, line, place.at, text);
    }

    fn push(&mut self, source: usize, line: Option<usize>, at: String, text: String) {
        self.problems.push(Problem {
            file: self.sources[source].file.clone(),
            line,
            at,
            text,
        });
    }

    /// What is wrong from here on is collected apart.
    pub(super) fn apart(&mut self, find: impl FnOnce(&mut Self)) -> Problems {
        let before = self.problems.len();
        find(self);
        Problems(self.problems.split_off(before))
    }

    /// A path as meant from the configuration's folder.
    pub(super) fn path(&self, path: PathBuf) -> PathBuf {
        self.base_dir.join(path)
    }

    fn cloud(&mut self, place: &Place, table: &toml::Table) -> Option<Cloud> {
        let table: CloudTable = self.section(place, table)?;
        let (host, port) = match endpoint(&table.url) {
            Ok(endpoint) => endpoint,
            Err(problem) => {
                self.wrong(place, "url", problem);
                return None;
            }
        };
        if let Some(given) = table.max_kbit_s.filter(|given| *given < LEAST_KBIT_S) {
            let problem = format!(
                "is {given}, less than the {LEAST_KBIT_S} that heartbeats and events need; leave it out for no bound"
            );
            self.wrong(place, "max_kbit_s", problem);
            return None;
        }
        Some(Cloud {
            host,
            port,
            ca: self.path(table.ca),
            cert: self.path(table.cert),
            key: self.path(table.key),
            max_kbit_s: table.max_kbit_s,
        })
    }

    fn backup(&mut self, place: &Place, table: &toml::Table) -> Option<Backup> {
        let mut backup: Backup = self.section(place, table)?;
        for (key, number) in [("every_hours", backup.every_hours), ("keep", backup.keep)] {
            if number == 0 {
                self.wrong(place, key, "must be at least 1");
                return None;
            }
        }
        backup.dir = self.path(backup.dir);
        backup.key_file = self.path(backup.key_file);
        Some(backup)
    }

    fn adapters(
        &mut self,
        top: &Place,
        tables: Vec<toml::Table>,
        profile_dir: Option<&Path>,
    ) -> Option<Vec<(AdapterEntry, Place)>> {
        let context = BuildContext {
            base_dir: self.base_dir.clone(),
            profile_dir: profile_dir.map(|dir| self.base_dir.join(dir)),
        };
        let mut all = Some(Vec::new());
        for (index, table) in tables.into_iter().enumerate() {
            let place = top.within(&format!("adapter[{index}]"));
            match (self.adapter(&place, table, &context), &mut all) {
                (Some(entry), Some(all)) => all.push(entry),
                (None, _) => all = None,
                (Some(_), None) => {}
            }
        }
        all
    }

    fn adapter(
        &mut self,
        place: &Place,
        mut table: toml::Table,
        context: &BuildContext,
    ) -> Option<(AdapterEntry, Place)> {
        let head: AdapterHead = self.section(place, &table)?;
        for key in ["kind", "name", "file"] {
            table.remove(key);
        }
        let kind = match assemble::kind(&head.kind) {
            Ok(kind) => kind,
            Err(problem) => {
                self.wrong(place, "kind", problem);
                return None;
            }
        };
        let name = head.name.unwrap_or_else(|| kind.name.to_owned());
        let (table, place) = match head.file {
            None => (table, place.clone()),
            Some(_) if !table.is_empty() => {
                let text = "with 'file' everything else of the adapter stands in that file";
                self.wrong(place, "file", text);
                return None;
            }
            Some(file) => self.file(&self.path(file))?,
        };
        let context = context.clone();
        let entry = AdapterEntry {
            name,
            kind,
            table,
            context,
        };
        Some((entry, place))
    }

    /// Reads tables that stand in a list of a name.
    fn list<T: DeserializeOwned>(
        &mut self,
        (top, name): (&Place, &str),
        tables: Vec<toml::Table>,
    ) -> Option<Vec<T>> {
        let mut all = Some(Vec::new());
        for (index, table) in tables.into_iter().enumerate() {
            let place = top.within(&format!("{name}[{index}]"));
            match (self.section::<T>(&place, &table), &mut all) {
                (Some(rule), Some(all)) => all.push(rule),
                (None, _) => all = None,
                (Some(_), None) => {}
            }
        }
        all
    }
}

impl Place {
    /// A place below this one.
    pub(super) fn within(&self, below: &str) -> Self {
        let at = match (self.at.is_empty(), below.is_empty()) {
            (true, _) => below.to_owned(),
            (false, true) => self.at.clone(),
            (false, false) => format!("{}.{below}", self.at),
        };
        Self {
            source: self.source,
            at,
        }
    }
}
