//! SIGKILL at random moments: nothing that was acknowledged is missing afterwards, numbers stay
//! dense. The child is this test binary again; it says what was acknowledged on its output.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use crate::common::{Hands, NOON, alarm, append, close, open, scan};
use rand::RngExt;
use riser_model::Event;
use riser_store::{Position, Stream};
use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "RISER_STORE_KILL_DIR";

/// Not a test by itself: the child of the one below.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let hands = Hands::new(NOON);
    let (store, recovery) = open(Path::new(&dir), &hands);
    let mut out = std::io::stdout();
    let mut say = move |text: String| {
        out.write_all(text.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    say(format!("\nopen {}\n", recovery.epoch));
    let mut heads = store.committed(Stream::Data);
    let mut value = u32::try_from(store.outbox().head(Stream::Data).seq).unwrap();
    for n in 1u64.. {
        value += 1;
        append(
            &store,
            vec![scan(hands.forward(700), &[f64::from(value); 40])],
        );
        if n % 3 == 0 {
            let wanted = u64::from(value);
            heads.wait_for(|head| head.seq == wanted).await.unwrap();
            say(format!("data {wanted}\n"));
        }
        if n % 4 == 0 {
            let seq = store.append_event(alarm(u128::from(n))).await.unwrap();
            say(format!("event {seq} {n}\n"));
        }
        if n % 17 == 0 {
            let (epoch, outbox) = (store.epoch(), store.outbox());
            let durable = outbox.head(Stream::Data).seq / 2;
            outbox.confirm(epoch, Stream::Data, durable, &[(durable + 2, durable + 3)]);
            let durable = outbox.head(Stream::Event).seq / 2;
            outbox.confirm(epoch, Stream::Event, durable, &[]);
            store.settle().await.unwrap();
            say(format!("durable {durable}\n"));
        }
    }
}

#[derive(Default, Debug)]
struct Acknowledged {
    epoch: Option<String>,
    data: u64,
    events: BTreeMap<u64, u128>,
    durable_events: u64,
}

impl Acknowledged {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["open", epoch] => match &self.epoch {
                None => self.epoch = Some(epoch.to_owned()),
                Some(known) => assert_eq!(known, epoch, "no new numbering after a kill"),
            },
            ["data", seq] => self.data = seq.parse().unwrap(),
            ["event", seq, id] => {
                self.events
                    .insert(seq.parse().unwrap(), id.parse().unwrap());
            }
            ["durable", seq] => self.durable_events = seq.parse().unwrap(),
            _ => {}
        }
    }
}

fn run_and_kill(dir: &Path, acknowledged: &mut Acknowledged, after: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::child",
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
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    // The moment counts from when the store is open, so that there is something to lose.
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
        acknowledged.hear(&line);
        if line.starts_with("open ") {
            break;
        }
    }
    let until = std::time::Instant::now() + after;
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        if let Ok(line) = lines.recv_timeout(left) {
            acknowledged.hear(&line);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    lines.iter().for_each(|line| acknowledged.hear(&line));
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    for round in 0..12 {
        let after = Duration::from_millis(rand::rng().random_range(5..250));
        run_and_kill(dir.path(), &mut acknowledged, after);
        let report = riser_store::check(dir.path()).unwrap();
        assert_eq!(report.problems, Vec::<String>::new(), "round {round}");
        let hands = Hands::new(NOON);
        let (store, recovery) = open(dir.path(), &hands);
        assert_eq!(Some(recovery.epoch.to_string()), acknowledged.epoch);
        let head = store.outbox().head(Stream::Data).seq;
        assert!(head >= acknowledged.data, "{head} < {}", acknowledged.data);
        // Every batch is there: settled, or offered again; and it holds what was appended under
        // its number.
        let below = Position {
            epoch: recovery.epoch,
            seq: u64::MAX,
        };
        let offered = store
            .outbox()
            .claim_backfill(HashSet::new(), below, usize::MAX)
            .await;
        let mut there: HashSet<u64> = HashSet::new();
        for batch in offered.unwrap() {
            let (_, samples) = riser_wire::decode_data(&batch.frame).unwrap();
            let value = samples[0].value.as_ref().unwrap().as_f64().unwrap();
            let wanted = u32::try_from(batch.position.seq).unwrap();
            assert_eq!(value.to_bits(), f64::from(wanted).to_bits());
            there.insert(batch.position.seq);
        }
        let durable = store.outbox().durable(Stream::Data);
        there.extend(1..=durable.contiguous);
        there.extend(durable.ranges.iter().flat_map(|(a, b)| *a..=*b));
        assert_eq!(there.len() as u64, head);
        events_are_there(&store, &acknowledged).await;
        close(store).await;
    }
    assert!(
        acknowledged.data > 0 && !acknowledged.events.is_empty(),
        "{acknowledged:?}"
    );
}

async fn events_are_there(store: &riser_store::Store, acknowledged: &Acknowledged) {
    let from = Position {
        epoch: store.epoch(),
        seq: 0,
    };
    let events = store.outbox().claim_events(from, usize::MAX).await.unwrap();
    let mut found = BTreeMap::new();
    for e in events {
        let Event::Alarm(alarm) = riser_wire::decode_event(&e.frame).unwrap().1 else {
            panic!()
        };
        found.insert(e.position.seq, alarm.id.0.as_u128());
        let row = store.alarm(alarm.id).await.unwrap();
        assert_eq!(row, Some(alarm), "the row and the event are one commit");
    }
    let durable = store.outbox().durable(Stream::Event).contiguous;
    assert!(durable >= acknowledged.durable_events);
    for (seq, id) in &acknowledged.events {
        assert!(
            *seq <= durable || found.get(seq) == Some(id),
            "event {seq} is missing"
        );
    }
    let head = store.outbox().head(Stream::Event).seq;
    assert_eq!(found.len() as u64 + durable, head, "numbers are dense");
}
