//! SIGKILL while days are compacted: every sample that was acknowledged is there afterwards, once.
//! The child is this test binary again.

use crate::common::{DAY, Hands, NOON, append, close, config, scan};
use rand::RngExt;
use riser_model::{Slot, Timestamp};
use riser_store::Store;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "RISER_STORE_COMPACT_KILL_DIR";
/// Scans a day.
const SCANS: u32 = 400;

fn open(dir: &Path, hands: &Hands) -> Store {
    let mut settings = config(dir);
    settings.keep_unsent = false;
    Store::open(settings, hands.now()).unwrap().0
}

async fn values(store: &Store) -> Vec<f64> {
    let (from, to) = (Timestamp(0), Timestamp(i64::MAX));
    let found = store
        .samples(Slot(1), from, to, usize::MAX / 4)
        .await
        .unwrap();
    found
        .iter()
        .map(|s| s.value.as_ref().unwrap().as_f64().unwrap())
        .collect()
}

/// Not a test by itself: the child of the one below. Value and time go up together for ever.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let hands = Hands::new(NOON);
    let store = open(Path::new(&dir), &hands);
    let mut next = values(&store).await.last().map_or(0.0, |v| v + 1.0);
    let mut out = std::io::stdout();
    loop {
        for _ in 0..SCANS {
            #[expect(clippy::cast_possible_truncation, reason = "a small number")]
            hands.set(NOON + next as i64 * (DAY / i64::from(SCANS)));
            append(&store, vec![scan(hands.get(), &[next; 60])]);
            next += 1.0;
        }
        store.settle().await.unwrap();
        out.write_all(format!("\nstored {next}\n").as_bytes())
            .unwrap();
        out.flush().unwrap();
        let days = store.compact().await.unwrap();
        out.write_all(format!("compacted {days}\n").as_bytes())
            .unwrap();
    }
}

/// Answers how many values were acknowledged and how many days compacted.
fn run_and_kill(dir: &Path, after: Duration) -> (f64, u32) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "compact_kill::child",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            drop(sender.send(line));
        }
    });
    // The moment counts from when something is stored, so that there is something to compact.
    let mut heard = vec![];
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
        let stored = line.starts_with("stored ");
        heard.push(line);
        if stored {
            break;
        }
    }
    let until = std::time::Instant::now() + after;
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        heard.extend(lines.recv_timeout(left));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    heard.extend(lines.iter());
    let number = |word: &'static str| {
        heard
            .iter()
            .filter_map(move |l| l.strip_prefix(word)?.trim().parse::<f64>().ok())
    };
    let days: f64 = number("compacted").sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number"
    )]
    (number("stored").next_back().unwrap_or(0.0), days as u32)
}

#[tokio::test]
async fn every_sample_is_there_once_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (mut stored, mut days) = (0.0f64, 0);
    for round in 0..10 {
        let after = Duration::from_millis(rand::rng().random_range(1..400));
        let (more, compacted) = run_and_kill(dir.path(), after);
        (stored, days) = (stored.max(more), days + compacted);
        let problems = riser_store::check(dir.path()).unwrap().problems;
        assert_eq!(problems, Vec::<String>::new(), "round {round}");
        let hands = Hands::new(NOON);
        let store = open(dir.path(), &hands);
        let found = values(&store).await;
        assert!(found.len() as f64 >= stored, "{} < {stored}", found.len());
        for (n, value) in found.iter().enumerate() {
            assert!((value - n as f64).abs() < 0.5, "value {n} is {value}");
        }
        close(store).await;
    }
    assert!(days > 0, "no day was compacted in any round");
}
