//! The audit log: written with what it records, chained, append-only, bounded, and any octet
//! changed in the file is named.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use crate::common::{DAY, Hands, NOON, alarm, close, config, open};
use riser_model::audit::action;
use riser_model::{
    Acknowledgement, AuditEntry, Author, AuthorKind, ChainBreak, Command, CommandId, Event,
    Priority, Role, Timestamp,
};
use riser_store::{
    AuditFilter, Deed, Lockout, NewUser, Note, Position, Session, Store, Trace, verify_audit,
};
use std::path::Path;

const HERE: &str = "192.0.2.7";

fn anna() -> NewUser {
    NewUser {
        name: "anna".to_owned(),
        role: Role::TenantAdmin,
        password_hash: "$argon2id$one".to_owned(),
    }
}

fn all() -> AuditFilter {
    AuditFilter {
        limit: 1_000,
        ..AuditFilter::default()
    }
}

/// The entries on the event stream, the oldest first.
async fn told(store: &Store) -> Vec<AuditEntry> {
    let from = Position {
        epoch: store.epoch(),
        seq: 0,
    };
    let events = store.outbox().claim_events(from, 999).await.unwrap();
    let events = events
        .iter()
        .map(|e| riser_wire::decode_event(&e.frame).unwrap().1);
    events
        .filter_map(|event| match event {
            Event::Audit(entry) => Some(entry),
            _ => None,
        })
        .collect()
}

async fn a_day_of_work(store: &Store) {
    assert!(store.add_first_user(anna(), HERE).await.unwrap());
    let session = Session {
        token_hash: [7; 32],
        user: "anna".to_owned(),
        created_at: Timestamp(NOON),
        expires_at: Timestamp(NOON + DAY),
    };
    store.login(session, HERE).await.unwrap();
    let Event::Alarm(mut raised) = alarm(1) else {
        panic!("an alarm");
    };
    store
        .append_event(Event::Alarm(raised.clone()))
        .await
        .unwrap();
    raised.acknowledged = Some(Acknowledgement {
        by: Author {
            kind: AuthorKind::Local,
            name: "anna".to_owned(),
        },
        at: Timestamp(NOON + 5),
        comment: "on my way".to_owned(),
    });
    for _ in 0..2 {
        store
            .append_event(Event::Alarm(raised.clone()))
            .await
            .unwrap();
    }
    let lockout = Lockout {
        after: 1,
        for_ms: 900_000,
    };
    store.login_failed("anna", lockout, HERE).await.unwrap();
    let by = Trace::new("anna", HERE);
    store.end_session([7; 32], by.clone()).await.unwrap();
    store.end_session([7; 32], by.clone()).await.unwrap();
    store
        .add_configuration(crate::common::document("a = 1"), Deed::by(by))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_done_is_recorded_once_chained_and_told_to_the_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    a_day_of_work(&store).await;
    let mut entries = store.audit(all()).await.unwrap();
    entries.reverse();
    let actions: Vec<_> = entries.iter().map(|e| e.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            action::CLAIM,
            action::LOGIN,
            action::ACKNOWLEDGE,
            action::LOGIN_FAILED,
            action::LOCKED_OUT,
            action::LOGOUT,
            action::CONFIGURATION
        ]
    );
    assert!(entries[1].source == HERE && entries[1].actor == "anna");
    assert_eq!(told(&store).await, entries, "the cloud gets the same");
    let report = store.verify_audit().await.unwrap();
    assert_eq!((report.sound, report.last, report.broken), (7, 7, None));
    let found = AuditFilter {
        search: Some("ON MY".to_owned()),
        ..all()
    };
    let found = store.audit(found).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].action, action::ACKNOWLEDGE);
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    let note = Note::new(Trace::gateway(), action::UPDATED, "riserd");
    store.note(note).await.unwrap();
    let report = store.verify_audit().await.unwrap();
    assert_eq!((report.sound, report.broken), (8, None), "goes on");
    close(store).await;
}

#[tokio::test]
async fn the_file_refuses_changes_and_removals() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    a_day_of_work(&store).await;
    close(store).await;
    let conn = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    for sql in [
        "UPDATE audit SET actor = 'bert'",
        "DELETE FROM audit WHERE no = 7",
        "DELETE FROM audit",
        "UPDATE audit_anchor SET no = 99",
        "UPDATE audit_anchor SET no = 3, hash = zeroblob(32)",
        "DELETE FROM audit_anchor",
    ] {
        let error = conn.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("audit log"), "{sql}: {error}");
    }
    assert_eq!(verify_audit(&config(dir.path())).unwrap().broken, None);
}

/// Changes one octet behind the first occurrence of a text, as a bad disk or a bad man would.
fn flip(dir: &Path, text: &[u8]) {
    let file = dir.join("state.db");
    let mut octets = std::fs::read(&file).unwrap();
    let at = octets.windows(text.len()).position(|w| w == text).unwrap();
    octets[at] ^= 0x02;
    std::fs::write(&file, octets).unwrap();
}

#[tokio::test]
async fn one_changed_octet_is_named_and_told_to_the_cloud_once() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    for who in ["one", "two-of-them", "three"] {
        let note = Note::new(Trace::new(who, HERE), action::UPDATED, "riserd");
        store.note(note).await.unwrap();
    }
    // What went up already is out of reach; only the log itself is left here.
    let (epoch, head) = (
        store.epoch(),
        store.outbox().head(riser_store::Stream::Event),
    );
    store
        .outbox()
        .confirm(epoch, riser_store::Stream::Event, head.seq, &[]);
    store.settle().await.unwrap();
    close(store).await;
    // As the columns of a row lie side by side, and nothing else does.
    flip(dir.path(), b"two-of-them192.0.2.7");
    let report = verify_audit(&config(dir.path())).unwrap();
    assert_eq!(report.broken, Some(ChainBreak::Changed(2)));
    let (store, recovery) = open(dir.path(), &hands);
    assert!(recovery.set_aside.is_empty(), "the file itself is sound");
    for _ in 0..2 {
        let report = store.verify_audit().await.unwrap();
        assert_eq!(report.broken, Some(ChainBreak::Changed(2)));
    }
    let told = told(&store).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].action, action::CHAIN_BROKEN);
    assert_eq!(told[0].object, "entry 2");
    close(store).await;
}

#[tokio::test]
async fn a_removed_end_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    a_day_of_work(&store).await;
    close(store).await;
    let conn = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    conn.execute_batch("DROP TRIGGER audit_not_deleted; DELETE FROM audit WHERE no >= 6")
        .unwrap();
    drop(conn);
    let report = verify_audit(&config(dir.path())).unwrap();
    assert_eq!(report.broken, Some(ChainBreak::Missing(8)));
}

/// Somebody with the file in their hands and the gateway stopped.
fn write_into(dir: &Path, sql: &str) {
    let conn = rusqlite::Connection::open(dir.join("state.db")).unwrap();
    conn.execute_batch("DROP TRIGGER audit_not_changed; DROP TRIGGER audit_not_deleted")
        .unwrap();
    conn.execute_batch(sql).unwrap();
}

fn put_back(dir: &Path) {
    let conn = rusqlite::Connection::open(dir.join("state.db")).unwrap();
    let sql = "CREATE TRIGGER IF NOT EXISTS audit_not_changed BEFORE UPDATE ON audit BEGIN SELECT 1; END;
               CREATE TRIGGER IF NOT EXISTS audit_not_deleted BEFORE DELETE ON audit BEGIN SELECT 1; END;";
    conn.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_number_is_never_given_twice_so_an_end_that_was_cut_off_stays_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    a_day_of_work(&store).await;
    close(store).await;
    write_into(dir.path(), "DELETE FROM audit WHERE no >= 5");
    let (store, _) = open(dir.path(), &hands);
    for n in 0..9 {
        let note = Note::new(Trace::gateway(), action::UPDATED, format!("step {n}"));
        store.note(note).await.unwrap();
    }
    let report = store.verify_audit().await.unwrap();
    assert_eq!(report.broken, Some(ChainBreak::Missing(8)));
    assert_eq!(
        (report.sound, report.last),
        (4 + 8, 16),
        "what follows is looked at"
    );
    close(store).await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn an_acknowledged_break_stays_visible_and_the_next_one_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    a_day_of_work(&store).await;
    let before = store.verify_audit().await.unwrap();
    let by = Trace::new("anna", HERE);
    let same = store
        .acknowledge_breaks(by.clone(), "nothing")
        .await
        .unwrap();
    assert_eq!(same, before, "nothing is broken: nothing is written");
    close(store).await;
    write_into(
        dir.path(),
        "UPDATE audit SET actor = 'bert' WHERE no IN (2, 4)",
    );

    let (store, _) = open(dir.path(), &hands);
    let report = store.verify_audit().await.unwrap();
    assert_eq!(report.broken, Some(ChainBreak::Changed(2)));
    assert_eq!(report.breaks.len(), 2, "the check goes on behind the first");
    let report = store
        .acknowledge_breaks(by.clone(), "a \"test\"\nof mine")
        .await
        .unwrap();
    assert_eq!(report.broken, None);
    assert_ne!(report.chain, before.chain, "a new chain begins");
    let taken: Vec<_> = report.breaks.iter().flat_map(|b| &b.acknowledged).collect();
    assert_eq!(taken.len(), 2);
    assert!(
        taken
            .iter()
            .all(|t| t.by == "anna" && t.comment == "a \"test\" of mine")
    );
    let told = told(&store).await;
    let tail: Vec<_> = told
        .iter()
        .rev()
        .take(3)
        .map(|e| e.action.as_str())
        .collect();
    assert_eq!(
        tail,
        [
            action::BREAK_ACKNOWLEDGED,
            action::CHAIN_BROKEN,
            action::CHAIN_BROKEN
        ]
    );
    close(store).await;

    // The same entry once more, an unreadable one, and the acknowledgement itself.
    put_back(dir.path());
    write_into(dir.path(), "UPDATE audit SET actor = 'carl' WHERE no = 2");
    let report = verify_audit(&config(dir.path())).unwrap();
    assert_eq!(
        report.broken,
        Some(ChainBreak::Changed(2)),
        "not the one that is known"
    );
    put_back(dir.path());
    write_into(
        dir.path(),
        "UPDATE audit SET actor = 'bert', at = 'x' WHERE no = 3",
    );
    let report = verify_audit(&config(dir.path())).unwrap();
    let fresh = report.breaks.iter().filter(|b| b.acknowledged.is_none());
    assert_eq!(fresh.map(|b| b.broken.no()).collect::<Vec<_>>(), [2, 3]);
    put_back(dir.path());
    let sql = "UPDATE audit SET detail = replace(detail, 'of mine', 'of his') \
               WHERE action = 'break_acknowledged'";
    write_into(dir.path(), sql);
    let report = verify_audit(&config(dir.path())).unwrap();
    let fresh = report.breaks.iter().filter(|b| b.acknowledged.is_none());
    assert_eq!(
        fresh.map(|b| b.broken.no()).collect::<Vec<_>>(),
        [2, 3, 4, 10],
        "a changed acknowledgement acknowledges nothing"
    );
}

#[tokio::test]
async fn many_breaks_are_taken_ten_at_a_time_and_rows_that_are_none_do_not_stop_work() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    for n in 0..30 {
        let note = Note::new(Trace::gateway(), action::UPDATED, format!("step {n}"));
        store.note(note).await.unwrap();
    }
    close(store).await;
    let sql = "UPDATE audit SET object = 'x' WHERE no <= 14;
               UPDATE audit SET hash = 'no hash' WHERE no = 30;
               INSERT INTO audit SELECT -5, chain, at, actor, source, action, object, detail, \
               previous, hash FROM audit WHERE no = 1;";
    write_into(dir.path(), sql);
    let (store, _) = open(dir.path(), &hands);
    let by = Trace::new("anna", HERE);
    let note = Note::new(Trace::gateway(), action::UPDATED, "goes on");
    store.note(note).await.unwrap();
    let mut rounds = 0;
    while store.verify_audit().await.unwrap().broken.is_some() {
        store.acknowledge_breaks(by.clone(), "").await.unwrap();
        rounds += 1;
        assert!(rounds < 4);
    }
    let report = store.verify_audit().await.unwrap();
    assert_eq!((rounds, report.breaks.len()), (2, 16));
    close(store).await;
}

fn by_hand() -> Command {
    Command {
        id: CommandId(uuid::Uuid::from_u128(7)),
        path: "ahu-1/setpoint".parse().unwrap(),
        value: None,
        priority: Priority::MANUAL_OPERATOR,
        issued_at: Timestamp(NOON),
        expires_at: Timestamp(NOON + 60_000),
        hold_until: None,
        author: Author {
            kind: AuthorKind::Local,
            name: "anna".to_owned(),
        },
    }
}

#[tokio::test]
async fn whoever_writes_and_acknowledges_is_named_with_their_address() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let Event::Alarm(mut raised) = alarm(1) else {
        panic!("an alarm");
    };
    raised.acknowledged = Some(Acknowledgement {
        by: Author {
            kind: AuthorKind::Local,
            name: "anna".to_owned(),
        },
        at: Timestamp(NOON + 5),
        comment: String::new(),
    });
    store
        .append_event_from(Event::Alarm(raised), Some(HERE.to_owned()))
        .await
        .unwrap();
    let by_hand = by_hand();
    store
        .record_command_from(by_hand, true, Some(HERE.to_owned()))
        .await
        .unwrap();
    let entries = store.audit(all()).await.unwrap();
    let said: Vec<_> = entries
        .iter()
        .map(|e| (e.action.as_str(), e.source.as_str()))
        .collect();
    assert_eq!(said, [(action::WRITE, HERE), (action::ACKNOWLEDGE, HERE)]);
    let from = AuditFilter {
        to: Some(Timestamp(NOON)),
        ..all()
    };
    assert_eq!(store.audit(from).await.unwrap().len(), 0);
    close(store).await;
}

#[tokio::test]
async fn pruning_leaves_a_chain_that_can_be_checked() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    for day in 0..10 {
        hands.set(NOON + day * DAY);
        let note = Note::new(Trace::gateway(), action::UPDATED, format!("day {day}"));
        store.note(note).await.unwrap();
    }
    let before = Some(Timestamp(NOON + 6 * DAY));
    assert_eq!(store.prune_audit(before, 1_000).await.unwrap(), 6);
    assert_eq!(store.prune_audit(before, 1_000).await.unwrap(), 0);
    let report = store.verify_audit().await.unwrap();
    assert_eq!(
        (report.pruned, report.last, report.sound, report.broken),
        (6, 11, 5, None),
        "four days and the entry of the pruning"
    );
    assert_eq!(store.prune_audit(None, 2).await.unwrap(), 3);
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    let report = store.verify_audit().await.unwrap();
    assert_eq!((report.pruned, report.broken), (9, None));
    let far = Some(Timestamp(NOON + 1_000 * DAY));
    assert_eq!(
        store.prune_audit(far, 1_000).await.unwrap(),
        0,
        "nothing is young: the clock is wrong, not the log"
    );
    close(store).await;
}
