//! Recorded cases: a folder per symptom with `config.toml`, `wire.txt` and `expected.jsonl`, or with
//! `config.toml` and `init.err` for what must be refused before anything opens. A bug found at a
//! device becomes such a folder.
//!
//! `config.toml` says `{{host}}` and `{{port}}` where the scripted peer listens. `expected.jsonl` has
//! one line a reading, in order (`{"path":…,"value":…,"quality":"good"}`, quality as
//! `bad:device_down`), one a write result (`{"write":…,"result":"applied","read_back":…}`), and figures
//! that hold in the end (`{"lane":{"desyncs":1}}`, `{"device":{"state":"online"}}`).

use crate::harness::{Observed, Running};
use crate::script::{ScriptedPeer, WriteOrder, parse};
use riser_adapter::{Kind, WriteResult};
use riser_model::{Level, Quality, Value};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long a case may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs every case of a folder and fails with all that went wrong. Returns how many there were.
pub async fn run_all(kind: &Kind, folder: &Path) -> usize {
    let mut cases: Vec<_> = match std::fs::read_dir(folder) {
        Ok(entries) => entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.is_dir())
            .collect(),
        Err(error) => panic!("no cases in {}: {error}", folder.display()),
    };
    cases.sort();
    let mut problems = Vec::new();
    for case in &cases {
        if let Err(problem) = run(kind, case).await {
            let name = case.file_name().unwrap_or_default().to_string_lossy();
            problems.push(format!("case {name}: {problem}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    cases.len()
}

/// Runs one case.
pub async fn run(kind: &Kind, case: &Path) -> Result<(), String> {
    let read = |name: &str| {
        let path = case.join(name);
        std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let config = read("config.toml")?;
    if case.join("init.err").is_file() {
        return refused(kind, &config, read("init.err")?.trim());
    }
    let expected = read("expected.jsonl")?;
    let expected: Vec<Json> = expected
        .lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with("//"))
        .map(|l| serde_json::from_str(l).map_err(|e| format!("expected.jsonl: {e}: {l}")))
        .collect::<Result<_, _>>()?;
    let steps = parse(&read("wire.txt")?)?;
    let (peer, address, mut orders) = ScriptedPeer::new(steps).await;
    let config = config
        .replace("{{host}}", &address.ip().to_string())
        .replace("{{port}}", &address.port().to_string());
    let mut running = Running::start(kind, &config);
    let mut playing = tokio::spawn(peer.play());
    let mut writes: Vec<(String, oneshot::Receiver<WriteResult>)> = Vec::new();
    let until = Instant::now() + PATIENCE;
    let mut last = None;
    while last.is_none() {
        tokio::select! {
            played = &mut playing => last = Some(played.map_err(|e| e.to_string())??),
            Some(WriteOrder { path, value }) = orders.recv() => {
                let value = value_of(&serde_json::from_str(&value).map_err(|e| e.to_string())?)?;
                let result = running.send_write(&path, value).await;
                writes.push((path, result));
            }
            () = running.pump_for(Duration::from_millis(5)) => {}
        }
        if Instant::now() > until {
            return Err(format!(
                "the script did not end; so far {:?}",
                shown(&running.log)
            ));
        }
    }
    let outcome = settle(&mut running, writes, &expected).await;
    running.stop().await;
    drop(last);
    outcome
}

fn refused(kind: &Kind, config: &str, wanted: &str) -> Result<(), String> {
    match crate::harness::build(kind, config) {
        Ok(_) => Err("the configuration was accepted".to_owned()),
        Err(error) if error.to_string() == wanted => Ok(()),
        Err(error) => Err(format!("refused with\n  {error}\ninstead of\n  {wanted}")),
    }
}

/// Waits for the last readings and compares everything.
async fn settle(
    running: &mut Running,
    writes: Vec<(String, oneshot::Receiver<WriteResult>)>,
    expected: &[Json],
) -> Result<(), String> {
    let is = |key: &'static str| move |line: &&Json| line.get(key).is_some();
    let readings: Vec<&Json> = expected.iter().filter(is("path")).collect();
    let results: Vec<&Json> = expected.iter().filter(is("write")).collect();
    let figures: Vec<&Json> = expected
        .iter()
        .filter(|l| l.get("lane").or(l.get("device")).is_some())
        .collect();
    let mut got = Vec::new();
    for (path, result) in writes {
        match tokio::time::timeout(PATIENCE, result).await {
            Ok(Ok(result)) => got.push(result_json(&path, result)),
            _ => return Err(format!("no result for the write of {path}")),
        }
    }
    let until = Instant::now() + PATIENCE;
    loop {
        running.pump_for(Duration::from_millis(20)).await;
        let problem = difference(running, &readings, &figures);
        match problem {
            None => break,
            Some(problem) if Instant::now() > until || running.log.len() > readings.len() => {
                return Err(problem);
            }
            Some(_) => {}
        }
    }
    for (wanted, got) in results.iter().zip(&got) {
        if !covers(wanted, got) {
            return Err(format!("a write ended as {got}, not as {wanted}"));
        }
    }
    if results.len() == got.len() {
        Ok(())
    } else {
        Err(format!(
            "{} writes were ordered, {} expected",
            got.len(),
            results.len()
        ))
    }
}

fn difference(running: &Running, readings: &[&Json], figures: &[&Json]) -> Option<String> {
    let got: Vec<Json> = running.log.iter().map(reading_json).collect();
    for (i, wanted) in readings.iter().enumerate() {
        match got.get(i) {
            Some(got) if covers(wanted, got) => {}
            Some(got) => return Some(format!("reading {} is {got}, not {wanted}", i + 1)),
            None => {
                return Some(format!(
                    "reading {} did not come: {wanted}; came: {:?}",
                    i + 1,
                    shown(&running.log)
                ));
            }
        }
    }
    if let Some(extra) = got.get(readings.len()) {
        return Some(format!("an unexpected reading came: {extra}"));
    }
    for figure in figures {
        let (wanted, shown): (&Json, Vec<Json>) = match (figure.get("lane"), figure.get("device")) {
            (Some(wanted), _) => (
                wanted,
                running.health.lanes().iter().map(|l| json!(l)).collect(),
            ),
            (_, Some(wanted)) => (
                wanted,
                running.health.devices().iter().map(|d| json!(d)).collect(),
            ),
            _ => continue,
        };
        if !shown.iter().any(|s| covers(wanted, s)) {
            return Some(format!("health should show {wanted}, and shows {shown:?}"));
        }
    }
    None
}

/// Every field that is wanted is there and equal.
fn covers(wanted: &Json, got: &Json) -> bool {
    match (wanted, got) {
        (Json::Object(wanted), Json::Object(got)) => wanted
            .iter()
            .all(|(key, value)| got.get(key).is_some_and(|g| covers(value, g))),
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::String(a), Json::String(b)) => match a.strip_prefix('~') {
            Some(part) => b.contains(part),
            None => a == b,
        },
        _ => wanted == got,
    }
}

fn shown(log: &[Observed]) -> Vec<String> {
    log.iter().map(|o| reading_json(o).to_string()).collect()
}

fn reading_json(observed: &Observed) -> Json {
    json!({"path": observed.path, "value": observed.value, "quality": quality_text(observed.quality)})
}

fn quality_text(quality: Quality) -> String {
    let level = match quality.level {
        Level::Good => "good",
        Level::Uncertain => "uncertain",
        Level::Bad => "bad",
    };
    match quality.reason.map(|r| json!(r)) {
        Some(Json::String(reason)) => format!("{level}:{reason}"),
        _ => level.to_owned(),
    }
}

fn result_json(path: &str, result: WriteResult) -> Json {
    match result {
        WriteResult::Applied(value) => {
            json!({"write": path, "result": "applied", "read_back": value})
        }
        WriteResult::NotEffective { read_back, detail } => {
            json!({"write": path, "result": "not_effective", "read_back": read_back, "detail": detail})
        }
        WriteResult::Refused(detail) => {
            json!({"write": path, "result": "refused", "detail": detail})
        }
        WriteResult::Failed(detail) => json!({"write": path, "result": "failed", "detail": detail}),
    }
}

fn value_of(json: &Json) -> Result<Option<Value>, String> {
    match json {
        Json::Null => Ok(None),
        other => serde_json::from_value(other.clone())
            .map(Some)
            .map_err(|e| e.to_string()),
    }
}
