//! Audit entries of a gateway: kept in whatever order they come, and tampering is noticed once.

use bytes::Bytes;
use riser_cloud::db::{Batch, CloudEvent, CommitLog, Content, Db, Origin};
use riser_model::audit::action;
use riser_model::{AuditEntry, AuditHash, ClockState, Event, Key, Timestamp};
use riser_wire::{BatchHeader, Epoch, Stream};
use std::sync::Arc;
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A sound chain of `n` entries.
fn chain(id: u128, n: u64) -> Vec<AuditEntry> {
    let mut previous = AuditHash::ZERO;
    (1..=n)
        .map(|no| {
            let entry = AuditEntry {
                chain: Uuid::from_u128(id),
                no,
                at: NOW,
                actor: "ada".into(),
                source: "192.0.2.7".into(),
                action: action::LOGIN.into(),
                object: "ada".into(),
                detail: String::new(),
                previous,
                hash: AuditHash::ZERO,
            }
            .sealed();
            previous = entry.hash;
            entry
        })
        .collect()
}

async fn upload(db: &Db, entries: &[AuditEntry]) {
    // A numbering of its own for each upload: the events themselves are all new.
    let epoch = Epoch(Uuid::new_v4());
    for (seq, entry) in (1..).zip(entries) {
        let header = BatchHeader {
            epoch,
            stream: Stream::Event,
            seq,
            first_at: NOW,
            last_at: NOW,
            dictionary: 1,
            clock: ClockState::Synchronised,
            samples: 0,
        };
        let batch = Batch {
            origin: Arc::new(Origin {
                tenant: Key::new("acme").unwrap(),
                gateway: Key::new("gw-001").unwrap(),
            }),
            header,
            frame: Bytes::from_static(b"the frame is only kept here"),
            content: Content::Event(Event::Audit(entry.clone())),
            received_at: NOW,
        };
        db.append(batch).await.unwrap().await.unwrap();
    }
}

async fn broken_at(db: &Db) -> Vec<i64> {
    db.read(|c| {
        let mut query = c.prepare("SELECT no FROM audit_fault")?;
        let rows = query.query_map([], |r| r.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_sound_log_is_sound_in_any_order_and_twice() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let mut entries = chain(1, 20);
    upload(&db, &entries).await;
    entries.reverse();
    upload(&db, &entries).await;
    upload(&db, &chain(2, 5)).await;
    assert_eq!(broken_at(&db).await, Vec::<i64>::new());
}

#[tokio::test]
async fn tampering_is_named_and_raises_one_alarm() {
    for how in ["changed", "resealed", "rewritten", "told"] {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let mut news = db.events();
        let mut entries = chain(1, 6);
        let expected = match how {
            "changed" => {
                entries[3].actor = "bob".into();
                4
            }
            "resealed" => {
                entries[3].actor = "bob".into();
                entries[3] = entries[3].clone().sealed();
                5
            }
            "rewritten" => {
                upload(&db, &entries[..4]).await;
                entries[2].actor = "bob".into();
                entries[2] = entries[2].clone().sealed();
                3
            }
            _ => {
                entries[5].action = action::CHAIN_BROKEN.into();
                entries[5].detail = r#"{"no":2}"#.into();
                entries[5] = entries[5].clone().sealed();
                2
            }
        };
        upload(&db, &entries).await;
        upload(&db, &entries[3..]).await;
        assert_eq!(broken_at(&db).await, [expected], "{how}");
        let mut alarms = 0;
        while let Ok(event) = news.try_recv() {
            if let CloudEvent::Alarm { alarm, .. } = event {
                assert!(alarm.message.contains("audit log"), "{}", alarm.message);
                alarms += 1;
            }
        }
        assert_eq!(alarms, 1, "{how}");
    }
}

#[tokio::test]
async fn old_entries_go_from_the_front_and_what_stays_is_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let mut entries = chain(1, 30);
    for (entry, no) in entries.iter_mut().zip(0..) {
        // One a day; the clock was wrong at the 25th.
        let day = if no == 24 { -900 } else { no };
        entry.at = Timestamp(NOW.0 + day * Timestamp::DAY);
    }
    upload(&db, &entries).await;
    let retention = riser_cloud::db::Retention {
        audit_days: 10,
        ledger_days: 0,
    };
    let now = Timestamp(NOW.0 + 30 * Timestamp::DAY);
    assert_eq!(db.forget(retention, now).await.unwrap(), (20, 0));
    assert_eq!(db.forget(retention, now).await.unwrap(), (0, 0));
    let kept: Vec<i64> = db
        .read(|c| {
            let mut query = c.prepare("SELECT no FROM audit ORDER BY no")?;
            let rows = query.query_map([], |r| r.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    assert_eq!(kept, (21..=30).collect::<Vec<_>>());
    let far = Timestamp(NOW.0 + 300 * Timestamp::DAY);
    assert_eq!(db.forget(retention, far).await.unwrap(), (10, 0));
}
