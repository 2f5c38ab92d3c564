//! A disk that is really full: a small tmpfs in a mount namespace of its own. Events still get to
//! disk, from the reserve; samples wait and come through once there is room; old days make room.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what is not as expected fails the test, and a test that cannot run says so"
)]

use crate::common::{DAY, Hands, NOON, alarm, append, close, config, open, scan};
use riser_model::DiskStage;
use riser_store::{DiskState, Store, Stream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const CHILD: &str = "RISER_STORE_FULL_DIR";

/// Runs one of the tests below again, where `/…/disk` is a small file system.
fn in_small_disk(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=8m riser \"$1\" && shift && exec \"$@\"";
    let run = |args: &[&str]| {
        Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
            ])
            .arg(dir.path())
            .args(args)
            .env(CHILD, dir.path())
            .output()
    };
    if !run(&["true"]).is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED {test}: no mount namespace may be made here");
        assert!(std::env::var_os("CI").is_none(), "{test} must run in CI");
        return;
    }
    let exe = exe.to_str().unwrap();
    let output = run(&[exe, "--exact", test, "--nocapture", "--include-ignored"]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{wrong}"
    );
}

#[test]
fn events_outlive_a_full_disk() {
    in_small_disk("full_disk::inside_events_outlive_a_full_disk");
}

#[test]
fn old_days_make_room_on_a_full_disk() {
    in_small_disk("full_disk::inside_old_days_make_room_on_a_full_disk");
}

fn disk() -> PathBuf {
    std::env::var_os(CHILD).unwrap().into()
}

/// Fills the disk with somebody else's file.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("foreign");
    let octets = vec![7u8; 64 * 1024];
    let mut file = std::fs::File::create(&path).unwrap();
    for size in [octets.len(), 4_096] {
        while std::io::Write::write_all(&mut file, &octets[..size]).is_ok() {}
    }
    path
}

/// Noise, so that it takes the room it looks like.
fn noise(n: u32) -> Vec<f64> {
    (0..1_000u32)
        .map(|i| f64::from((i + n * 1_000).wrapping_mul(2_654_435_761)) / 7.0)
        .collect()
}

async fn until_ok(store: &Store) {
    let recovered = async {
        while store.settle().await.is_err() || store.stats().disk != DiskState::Ok {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), recovered)
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "run by events_outlive_a_full_disk"]
async fn inside_events_outlive_a_full_disk() {
    let disk = disk();
    let dir = disk.join("store");
    let hands = Hands::new(NOON);
    let (store, before) = open(&dir, &hands);
    append(&store, vec![scan(NOON, &noise(0))]);
    store.append_event(alarm(1)).await.unwrap();
    store.settle().await.unwrap();
    let foreign = fill(&disk);
    // Far more than the room the logs have in hand.
    let mut appended = 1;
    while store.stats().disk == DiskState::Ok && appended < 400 {
        append(&store, vec![scan(hands.forward(1_000), &noise(appended))]);
        appended += 1;
        let _ = store.settle().await;
    }
    assert!(
        matches!(store.stats().disk, DiskState::Failing { .. }),
        "the disk was never full"
    );
    let _ = store.settle().await;
    assert_eq!(store.stats().stage, DiskStage::Full);
    for n in 0..40 {
        append(&store, vec![scan(hands.forward(1_000), &noise(appended))]);
        appended += 1;
        let event = store.append_event(alarm(100 + n));
        tokio::time::timeout(Duration::from_secs(20), event)
            .await
            .unwrap()
            .unwrap();
    }
    // Also a start on a full disk works, and everything acknowledged is there.
    let waiting = store.stats().queued_samples;
    assert!(waiting > 0);
    std::fs::remove_file(&foreign).unwrap();
    until_ok(&store).await;
    store.settle().await.unwrap();
    assert_eq!(store.stats().stage, DiskStage::Ample, "without a restart");
    assert_eq!(store.stats().dropped_samples, 0);
    assert_eq!(store.outbox().head(Stream::Data).seq, u64::from(appended));
    let foreign = fill(&disk);
    close(store).await;
    let (store, recovery) = open(&dir, &hands);
    assert_eq!((recovery.epoch, recovery.new_epoch), (before.epoch, None));
    assert_eq!(store.outbox().head(Stream::Event).seq, 41);
    close(store).await;
    std::fs::remove_file(foreign).unwrap();
    assert_eq!(
        riser_store::check(&dir).unwrap().problems,
        Vec::<String>::new()
    );
}

#[tokio::test]
#[ignore = "run by old_days_make_room_on_a_full_disk"]
async fn inside_old_days_make_room_on_a_full_disk() {
    let disk = disk();
    let dir = disk.join("store");
    let hands = Hands::new(NOON);
    let mut settings = config(&dir);
    settings.min_free_bytes = 1 << 20;
    let (store, _) = Store::open(settings, hands.now()).unwrap();
    for day in 0..4 {
        hands.set(NOON + day * DAY);
        for n in 0..60 {
            append(&store, vec![scan(hands.forward(1_000), &noise(n))]);
        }
        store.settle().await.unwrap();
    }
    // The log of the newest day is given back when its day is over.
    let days = || std::fs::read_dir(dir.join("history")).unwrap().count();
    let before = days();
    fill(&disk);
    // The first try may only find that even the note of what goes has no room.
    for _ in 0..2 {
        until_ok(&store).await;
    }
    assert!(days() < before, "{before} files and none went");
    assert!(store.stats().shed_samples > 0, "the cloud had none of it");
    append(&store, vec![scan(hands.forward(1_000), &noise(1))]);
    until_ok(&store).await;
    assert_eq!(store.stats().queued_samples, 0);
    close(store).await;
}
