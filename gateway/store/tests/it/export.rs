//! An export holds what the history holds, as CSV and as Parquet; another program reads it.

use crate::common::{DAY, Hands, NOON, append, close, config, point};
use riser_model::{Quality, Reading, Reason, ScanBatch, Slot, Timestamp, Value};
use riser_store::{ExportAsk, ExportFormat, ExportReport, Store, export};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two days, the first compacted: floats, whole numbers, texts, unknown values.
async fn filled(dir: &Path) {
    let hands = Hands::new(NOON);
    let mut settings = config(dir);
    settings.keep_unsent = false;
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    let points = ["ahu-1/supply_temp", "ahu-1/mode", "meter/energy"].map(point);
    store.declare_points(points.to_vec()).await.unwrap();
    for n in 0..2_000i64 {
        if n == 1_500 {
            hands.set(NOON + DAY);
        }
        let at = Timestamp(hands.forward(5_000));
        let mode = match n % 10 {
            0 => Reading {
                slot: Slot(2),
                value: None,
                quality: Quality::bad(Reason::DeviceDown),
            },
            1 => Reading {
                slot: Slot(2),
                value: Some(Value::text("a \"word\", and\nmore")),
                quality: Quality::uncertain(Reason::Initial),
            },
            _ => Reading {
                slot: Slot(2),
                value: Some(Value::Bool(n % 3 == 0)),
                quality: Quality::GOOD,
            },
        };
        let temp = Value::Float(20.0 + (n % 17) as f64 / 10.0);
        let energy = Value::Int(9_007_199_254_740_993 + n);
        let readings = vec![
            Reading {
                slot: Slot(1),
                value: Some(temp),
                quality: Quality::GOOD,
            },
            mode,
            Reading {
                slot: Slot(3),
                value: Some(energy),
                quality: Quality::GOOD,
            },
        ];
        append(&store, vec![ScanBatch { at, readings }]);
        if n % 100 == 99 {
            store.settle().await.unwrap();
        }
    }
    store.settle().await.unwrap();
    assert_eq!(store.compact().await.unwrap(), 1);
    close(store).await;
}

fn run(dir: &Path, format: ExportFormat, only: &str) -> (Vec<u8>, ExportReport) {
    let mut out = Vec::new();
    let wanted = |path: &riser_model::PointPath| path.to_string().starts_with(only);
    let (from, to) = (Timestamp(NOON), Timestamp(NOON + 9 * DAY));
    let ask = ExportAsk {
        from,
        to,
        wanted: &wanted,
        format,
    };
    let report = export(dir, &ask, &mut out).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    (out, report)
}

#[tokio::test]
async fn csv_holds_every_sample() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let (octets, report) = run(dir.path(), ExportFormat::Csv, "");
    assert_eq!((report.rows, report.days), (6_000, 2));
    let text = String::from_utf8(octets).unwrap();
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next(), Some("point,at,time,value,quality,reason"));
    let first = format!(
        "ahu-1/supply_temp,{},2026-11-21T12:00:05.000Z,20,good,",
        NOON + 5_000
    );
    assert_eq!(lines.next(), Some(first.as_str()));
    assert_eq!(lines.filter(|l| !l.is_empty()).count(), 5_999);
    assert!(text.contains(",bad,device_down\r\n"));
    assert!(text.contains(",\"a \"\"word\"\", and\nmore\",uncertain,initial\r\n"));
    assert!(text.contains(",9007199254740993,good,"));
    let (_, some) = run(dir.path(), ExportFormat::Csv, "ahu-1/");
    assert_eq!(some.rows, 4_000);
}

/// Python with pyarrow (`tests/peers/history.txt`).
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let home = std::env::var_os("RISER_PEERS").map_or_else(|| root.join(".peers"), PathBuf::from);
    let python = home.join("history/bin/python");
    python.is_file().then_some(python)
}

const READ: &str = r#"
import sys, collections, pyarrow.parquet as parquet
table = parquet.read_table(sys.argv[1])
print(table.schema.field("time").type, table.num_rows)
rows = table.to_pylist()
for r in rows:
    at = int(r["time"].timestamp() * 1000 + 0.5)
    if r["integer"] is not None: value = str(r["integer"])
    elif r["text"] is not None: value = '"' + r["text"].replace('"', '""') + '"'
    elif r["value"] is not None: value = repr(r["value"])
    else: value = ""
    sys.stdout.write("|".join([r["point"], str(at), value, r["quality"], r["reason"] or ""]) + "\x1e")
"#;

#[tokio::test]
async fn parquet_is_read_by_another_program() {
    let Some(python) = python() else {
        println!(
            "SKIPPED parquet_is_read_by_another_program: no pyarrow environment (.peers/history)"
        );
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let (octets, report) = run(dir.path(), ExportFormat::Parquet, "");
    assert_eq!(report.rows, 6_000);
    let file = dir.path().join("out.parquet");
    std::fs::write(&file, octets).unwrap();
    let output = Command::new(python)
        .args(["-c", READ])
        .arg(&file)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let found = String::from_utf8(output.stdout).unwrap();
    let (head, rows) = found.split_once('\n').unwrap();
    assert_eq!(head, "timestamp[ms, tz=UTC] 6000");
    let found: Vec<&str> = rows.split_terminator('\u{1e}').collect();
    let (csv, _) = run(dir.path(), ExportFormat::Csv, "");
    let csv = String::from_utf8(csv).unwrap();
    let wanted: Vec<String> = csv
        .split("\r\n")
        .skip(1)
        .filter(|l| !l.is_empty())
        .map(|line| {
            let (point, rest) = line.split_once(',').unwrap();
            let (at, rest) = rest.split_once(',').unwrap();
            let (_, rest) = rest.split_once(',').unwrap();
            let (rest, reason) = rest.rsplit_once(',').unwrap();
            let (value, quality) = rest.rsplit_once(',').unwrap();
            let value = match value {
                "true" => "1.0".to_owned(),
                "false" => "0.0".to_owned(),
                v if v.parse::<i64>().is_ok() && point.starts_with("ahu") => format!("{v}.0"),
                v => v.to_owned(),
            };
            [point, at, &value, quality, reason].join("|")
        })
        .collect();
    assert_eq!(found.len(), wanted.len());
    for (a, b) in found.iter().zip(&wanted) {
        assert_eq!(a, b);
    }
}
