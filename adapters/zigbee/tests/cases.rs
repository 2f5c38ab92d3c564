//! Every recorded case: what zigbee2mqtt sent, in its own words, and what has to come of it.
//!
//! `config.toml` as ever; `messages.txt` has one step a line, `expected.jsonl` one reading a line, in
//! order, without those of the bridge itself; or `init.err` says how the configuration is refused.
//!
//! ```text
//! # a comment
//! connect                     the broker is reached; checks are answered at once
//! lose                        the broker is lost
//! mute | speak                the bridge stops answering checks, or answers again
//! kept <topic> <payload>      a message the broker kept; `{empty}` is an empty payload, `{file:x}` a file
//! < <topic> <payload>         a message
//! > <topic> <payload>         what must have been published since the last such line
//! wait <ms>                   time passes
//! presence <key> <word>       what the device is: online, offline, stale, unknown
//! ```

use riser_adapter_testkit::harness::build;
use riser_model::{Level, Quality};
use riser_zigbee::KIND;
use riser_zigbee::replay::{Replay, Seen};
use serde_json::{Value as Json, json};
use std::path::Path;

/// Where every case begins: 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;

#[test]
fn every_case_ends_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    cases.sort();
    let problems: Vec<String> = cases
        .iter()
        .filter_map(|case| run(case).err().map(|e| format!("{}: {e}", case.display())))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(cases.len() >= 12, "only {} cases", cases.len());
}

fn run(case: &Path) -> Result<(), String> {
    let read =
        |name: &str| std::fs::read_to_string(case.join(name)).map_err(|e| format!("{name}: {e}"));
    let config = read("config.toml")?;
    if let Ok(wanted) = read("init.err") {
        return match build(&KIND, &config) {
            Ok(_) => Err("the configuration was accepted".to_owned()),
            Err(error) if error.to_string() == wanted.trim() => Ok(()),
            Err(error) => Err(format!("refused with\n  {error}")),
        };
    }
    let table = config.parse().map_err(|e| format!("config.toml: {e}"))?;
    let mut replay = Replay::new(&table, BEGIN).map_err(|e| e.to_string())?;
    for (number, line) in (1..).zip(read("messages.txt")?.lines()) {
        step(&mut replay, case, line.trim()).map_err(|e| format!("line {number}: {e}"))?;
    }
    let own = |seen: &Seen| seen.path.device.as_str() == "test-bridge";
    let got: Vec<Json> = replay
        .take()
        .iter()
        .filter(|s| !own(s))
        .map(shown)
        .collect();
    let wanted: Result<Vec<Json>, _> = read("expected.jsonl")?
        .lines()
        .map(serde_json::from_str)
        .collect();
    let wanted = wanted.map_err(|e| format!("expected.jsonl: {e}"))?;
    let covers = |w: &Json, g: &Json| {
        w.as_object()
            .is_some_and(|w| w.iter().all(|(k, v)| g.get(k) == Some(v)))
    };
    let same = wanted.len() == got.len() && wanted.iter().zip(&got).all(|(w, g)| covers(w, g));
    if same {
        return Ok(());
    }
    let lines: Vec<String> = got.iter().map(Json::to_string).collect();
    Err(format!("came\n{}", lines.join("\n")))
}

fn step(replay: &mut Replay, case: &Path, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (topic, payload) = rest.split_once(' ').unwrap_or((rest, ""));
    let octets = || match payload
        .strip_prefix("{file:")
        .and_then(|p| p.strip_suffix('}'))
    {
        Some(name) => std::fs::read(case.join(name)).map_err(|e| format!("{name}: {e}")),
        None if payload == "{empty}" => Ok(Vec::new()),
        None => Ok(payload.as_bytes().to_vec()),
    };
    match word {
        "" | "#" => {}
        "connect" => replay.connect(),
        "lose" => replay.lose(),
        "mute" => replay.answers = false,
        "speak" => replay.answers = true,
        "kept" => replay.message(topic, &octets()?, true),
        "<" => replay.message(topic, &octets()?, false),
        "wait" => replay.pass(rest.parse().map_err(|_| "no milliseconds")?),
        ">" => {
            let published = replay.published();
            let wanted: Json = serde_json::from_str(payload).map_err(|e| e.to_string())?;
            let same = |(t, p): &(String, String)| {
                t == topic && serde_json::from_str::<Json>(p).ok() == Some(wanted.clone())
            };
            if !published.iter().any(same) {
                return Err(format!("published was {published:?}"));
            }
        }
        "presence" => {
            let got = replay
                .presence(topic)
                .map(|p| format!("{p:?}").to_lowercase());
            if got.as_deref() != Some(payload) {
                return Err(format!("{topic} is {got:?}"));
            }
        }
        other => return Err(format!("unknown step {other}")),
    }
    Ok(())
}

fn shown(seen: &Seen) -> Json {
    json!({"path": seen.path.to_string(), "value": seen.value, "quality": words(seen.quality), "at": seen.at - BEGIN})
}

fn words(quality: Quality) -> String {
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
