//! The database through its handle: one job's failure is its own, news comes after the commit,
//! directories across epochs, and opening beside a running service.

use bytes::Bytes;
use riser_cloud::db::{
    Batch, CloudEvent, CommitLog, Committed, Content, Db, DbError, GatewayChange, Origin,
};
use riser_model::{
    Access, ClockState, Event, Key, Limits, Point, PointDirectory, Quality, Sample, Slot,
    Timestamp, Value, ValueKind,
};
use riser_wire::{BatchHeader, Epoch, Stream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn origin() -> Arc<Origin> {
    Arc::new(Origin {
        tenant: Key::new("acme").unwrap(),
        gateway: Key::new("gw-001").unwrap(),
    })
}

fn epoch(n: u128) -> Epoch {
    Epoch(Uuid::from_u128(n))
}

fn header(epoch: Epoch, stream: Stream, seq: u64) -> BatchHeader {
    BatchHeader {
        epoch,
        stream,
        seq,
        first_at: NOW,
        last_at: NOW,
        dictionary: 1,
        clock: ClockState::Synchronised,
        samples: 1,
    }
}

async fn append(db: &Db, header: BatchHeader, content: Content) -> Result<Committed, DbError> {
    let frame = Bytes::from_static(b"the frame is only kept here");
    let batch = Batch {
        origin: origin(),
        header,
        frame,
        content,
        received_at: NOW,
    };
    db.append(batch).await?.await
}

fn point(path: &str, name: &str) -> Point {
    Point {
        path: path.parse().unwrap(),
        name: name.into(),
        device_name: "AHU".into(),
        kind: ValueKind::Float,
        unit: None,
        access: Access::Read,
        limits: Limits::default(),
        labels: Vec::new(),
        deadband: None,
        stale_after_ms: 1000,
    }
}

fn directory(version: u32, points: &[(u32, &str, &str)]) -> Content {
    let points = points
        .iter()
        .map(|(slot, path, name)| (Slot(*slot), point(path, name)))
        .collect();
    Content::Event(Event::Directory(PointDirectory { version, points }))
}

fn sample(slot: u32, value: f64) -> Content {
    let value = Some(Value::Float(value));
    Content::Data(vec![Sample {
        slot: Slot(slot),
        at: NOW,
        value,
        quality: Quality::GOOD,
    }])
}

/// path, slot, present, name, value of every point.
async fn points(db: &Db) -> Vec<(String, i64, bool, String, Option<f64>)> {
    db.read(|c| {
        let mut query = c.prepare(
            "SELECT path, slot, present, definition ->> 'name', value FROM point
             LEFT JOIN latest ON latest.point = point.row ORDER BY path",
        )?;
        let rows = query.query_map([], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_job_that_fails_or_panics_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let insert = |id: &'static str| {
        db.write(move |c| {
            c.execute(
                "INSERT INTO tenant (id, name, created_at) VALUES (?1, ?1, 0)",
                [id],
            )?;
            Ok(())
        })
    };
    let failing = db.write(|c| {
        c.execute(
            "INSERT INTO tenant (id, name, created_at) VALUES ('b', 'b', 0)",
            [],
        )?;
        c.execute("INSERT INTO nowhere VALUES (1)", [])?;
        Ok(())
    });
    let panicking = db.write(|c| -> Result<(), DbError> {
        c.execute(
            "INSERT INTO tenant (id, name, created_at) VALUES ('c', 'c', 0)",
            [],
        )?;
        panic!("on purpose")
    });
    let (a, b, c, d) = tokio::join!(insert("a"), failing, panicking, insert("d"));
    assert!(a.is_ok() && d.is_ok());
    assert!(matches!(b, Err(DbError::Sqlite { .. })), "{b:?}");
    assert!(
        matches!(c, Err(DbError::Panicked(ref text)) if text == "on purpose"),
        "{c:?}"
    );
    let left: Vec<String> = db
        .read(|c| {
            let mut query = c.prepare("SELECT id FROM tenant ORDER BY id")?;
            Ok(query
                .query_map([], |r| r.get(0))?
                .collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    assert_eq!(left, ["a", "d"]);
}

#[tokio::test]
async fn readers_cannot_write_and_survive_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let tried = db.read(|c| Ok(c.execute("DELETE FROM tenant", [])?)).await;
    assert!(tried.unwrap_err().to_string().contains("readonly"));
    for _ in 0..8 {
        let panicked = db
            .read(|_| -> Result<(), DbError> { panic!("on purpose") })
            .await;
        assert!(panicked.is_err());
    }
    db.read(|c| Ok(c.query_row("SELECT 1", [], |_| Ok(()))?))
        .await
        .unwrap();
}

#[tokio::test]
async fn one_service_per_folder_but_single_tasks_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    db.gateway_connected(&origin(), NOW).await.unwrap();
    let second = Db::open(dir.path()).unwrap_err();
    assert!(
        second.to_string().contains("another riser-cloud"),
        "{second}"
    );
    let beside = Db::open_beside(dir.path()).unwrap();
    beside
        .write(|c| Ok(c.execute("UPDATE tenant SET name = 'Acme'", [])?))
        .await
        .unwrap();
    beside.close().await;
    let connected = |db: Db| async move {
        db.read(|c| Ok(c.query_row("SELECT connected FROM gateway", [], |r| r.get::<_, bool>(0))?))
            .await
            .unwrap()
    };
    assert!(
        connected(db.clone()).await,
        "a task beside the service changes nothing of it"
    );
    db.close().await;
    assert!(matches!(db.write(|_| Ok(())).await, Err(DbError::Closed)));
    drop(db);
    let db = Db::open(dir.path()).unwrap();
    assert!(
        !connected(db).await,
        "nothing is connected to a service that has just started"
    );
}

#[tokio::test]
async fn news_comes_after_the_commit_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let mut news = db.events();
    let first = directory(1, &[(0, "ahu/temp", "Temp")]);
    assert!(
        append(&db, header(epoch(1), Stream::Event, 1), first.clone())
            .await
            .unwrap()
            .fresh
    );
    assert!(
        !append(&db, header(epoch(1), Stream::Event, 1), first)
            .await
            .unwrap()
            .fresh
    );
    append(&db, header(epoch(1), Stream::Data, 1), sample(0, 7.0))
        .await
        .unwrap();
    append(&db, header(epoch(1), Stream::Data, 1), sample(0, 8.0))
        .await
        .unwrap();
    let mut told = Vec::new();
    while let Ok(event) = news.try_recv() {
        told.push(match event {
            CloudEvent::Gateway {
                change: GatewayChange::Directory,
                ..
            } => "directory".to_owned(),
            CloudEvent::Values { batch, .. } => {
                let mut text = String::new();
                batch.for_each(|path, _, value, _| {
                    text = format!(
                        "{path} {}",
                        value.map(ToString::to_string).unwrap_or_default()
                    );
                });
                text
            }
            other => format!("{other:?}"),
        });
    }
    assert_eq!(told, ["directory", "ahu/temp 7"]);
    assert_eq!(db.figures().duplicates.load(Ordering::Relaxed), 2);
    assert_eq!(
        points(&db).await[0].4,
        Some(7.0),
        "what is stored never changes"
    );
}

#[tokio::test]
async fn directories_follow_versions_and_epochs_and_history_keeps_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let event = |n, seq| header(epoch(n), Stream::Event, seq);
    let v1 = directory(1, &[(0, "ahu/temp", "Temp"), (1, "ahu/fan", "Fan")]);
    let v2 = directory(
        2,
        &[(0, "ahu/temp", "Supply temp"), (2, "ahu/valve", "Valve")],
    );
    // The newer one comes first: the older one must not undo it, but its slots count.
    append(&db, event(1, 2), v2).await.unwrap();
    append(&db, event(1, 1), v1).await.unwrap();
    append(&db, header(epoch(1), Stream::Data, 1), sample(1, 3.0))
        .await
        .unwrap();
    let seen = points(&db).await;
    assert_eq!(
        seen[0],
        ("ahu/fan".into(), 1, false, "Fan".into(), Some(3.0))
    );
    assert_eq!(
        seen[1],
        ("ahu/temp".into(), 0, true, "Supply temp".into(), None)
    );
    assert_eq!(seen[2].0, "ahu/valve");
    // A new store numbers anew: the same point, another slot.
    let fresh = directory(1, &[(0, "ahu/fan", "Fan"), (1, "ahu/temp", "Temp")]);
    append(&db, event(2, 1), fresh).await.unwrap();
    append(&db, header(epoch(2), Stream::Data, 1), sample(1, 9.0))
        .await
        .unwrap();
    // A late word of the old epoch changes neither points nor present values.
    append(&db, event(1, 3), directory(3, &[(0, "ahu/temp", "Old")]))
        .await
        .unwrap();
    append(&db, header(epoch(1), Stream::Data, 2), sample(0, 1.0))
        .await
        .unwrap();
    let seen = points(&db).await;
    assert_eq!(
        seen[0],
        ("ahu/fan".into(), 0, true, "Fan".into(), Some(3.0))
    );
    assert_eq!(
        seen[1],
        ("ahu/temp".into(), 1, true, "Temp".into(), Some(9.0))
    );
    assert_eq!((seen[2].0.as_str(), seen[2].2), ("ahu/valve", false));
    let slots: i64 = db
        .read(|c| Ok(c.query_row("SELECT count(*) FROM slot", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(slots, 5);
}

#[tokio::test]
async fn a_directory_that_names_a_path_twice_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let twice = directory(1, &[(0, "ahu/temp", "A"), (1, "ahu/temp", "B")]);
    append(&db, header(epoch(1), Stream::Event, 1), twice)
        .await
        .unwrap();
    append(&db, header(epoch(1), Stream::Data, 1), sample(0, 4.0))
        .await
        .unwrap();
    assert_eq!(points(&db).await.len(), 1);
}

#[tokio::test]
async fn a_range_of_time_can_be_found_by_the_longest_batch() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let mut long = header(epoch(1), Stream::Data, 1);
    long.last_at = Timestamp(NOW.0 + 60_000);
    append(&db, long, sample(0, 1.0)).await.unwrap();
    append(&db, header(epoch(1), Stream::Data, 2), sample(0, 2.0))
        .await
        .unwrap();
    let longest: i64 = db
        .read(|c| Ok(c.query_row("SELECT longest_ms FROM epoch", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(longest, 60_000);
    let plan: String = db
        .read(|c| {
            let sql = "EXPLAIN QUERY PLAN SELECT frame FROM batch WHERE epoch = 1 AND stream = 2
                       AND first_at >= 1 AND first_at < 9 AND last_at >= 5";
            Ok(c.query_row(sql, [], |r| r.get(3))?)
        })
        .await
        .unwrap();
    assert!(plan.contains("batch_by_time"), "{plan}");
}

#[tokio::test]
async fn a_stream_full_of_holes_is_refused_until_they_are_filled() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let most = riser_cloud::db::GAPS_MAX as u64;
    let mut pending = Vec::new();
    for i in 0..=most {
        let batch = Batch {
            origin: origin(),
            header: header(epoch(1), Stream::Data, 3 + 2 * i),
            frame: Bytes::from_static(b"f"),
            content: Content::Data(Vec::new()),
            received_at: NOW,
        };
        pending.push(db.append(batch).await.unwrap());
    }
    let last = pending.pop().unwrap();
    for commit in pending {
        commit.await.unwrap();
    }
    assert!(matches!(last.await, Err(DbError::Limit(_))));
    let refused = 3 + 2 * most;
    let stored: i64 = db
        .read(move |c| {
            let sql = "SELECT count(*) FROM batch WHERE seq = ?1";
            Ok(c.query_row(sql, [i64::try_from(refused).unwrap_or(0)], |r| r.get(0))?)
        })
        .await
        .unwrap();
    assert_eq!(stored, 0, "what is refused is not stored");
    append(&db, header(epoch(1), Stream::Data, 1), sample(0, 1.0))
        .await
        .unwrap();
    append(&db, header(epoch(1), Stream::Data, 2), sample(0, 1.0))
        .await
        .unwrap();
    append(&db, header(epoch(1), Stream::Data, refused), sample(0, 1.0))
        .await
        .unwrap();
}

/// A disk that is full is said, keeps what was committed, and works again when there is room.
#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_over_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path()).unwrap();
    let pages = |most: i64| {
        db.write(move |c| {
            let sql = if most > 0 {
                "PRAGMA max_page_count = 120"
            } else {
                "PRAGMA max_page_count = 1000000"
            };
            Ok(c.query_row(sql, [], |_| Ok(()))?)
        })
    };
    pages(120).await.unwrap();
    let batch = |seq| Batch {
        origin: origin(),
        header: header(epoch(1), Stream::Data, seq),
        frame: Bytes::from(vec![7; 8192]),
        content: Content::Data(Vec::new()),
        received_at: NOW,
    };
    let (mut stored, mut refused) = (Vec::new(), Vec::new());
    for seq in 1..=60 {
        match db.append(batch(seq)).await.unwrap().await {
            Ok(_) => stored.push(seq),
            Err(error) => {
                assert!(error.to_string().contains("full"), "{error}");
                refused.push(seq);
            }
        }
    }
    assert!(
        !stored.is_empty() && !refused.is_empty(),
        "{stored:?} {refused:?}"
    );
    pages(0).await.unwrap();
    for seq in &refused {
        assert!(db.append(batch(*seq)).await.unwrap().await.unwrap().fresh);
    }
    for seq in &stored {
        assert!(!db.append(batch(*seq)).await.unwrap().await.unwrap().fresh);
    }
    let durable = db.durable(&origin(), epoch(1)).await.unwrap();
    assert_eq!(durable[1].contiguous, 60);
}

#[tokio::test]
async fn the_database_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let db = Db::open(&dir).unwrap();
    let mode = |path: &std::path::Path| {
        let found = std::fs::metadata(path).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!(mode(&dir), 0o700);
    for file in ["cloud.db", "cloud.db-wal", "cloud.db-shm"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    db.close().await;
}
