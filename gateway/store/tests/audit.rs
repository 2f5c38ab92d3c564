//! The audit log: written with what it records, chained, append-only, bounded, and any octet
//! changed in the file is named.
#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod common;

use common::{DAY, Hands, NOON, alarm, close, config, open};
use riser_model::audit::action;
use riser_model::{
    Acknowledgement, AuditEntry, Author, AuthorKind, ChainBreak, Event, Role, Timestamp,
};
use riser_store::{
    AuditFilter, Lockout, NewUser, Note, Position, Session, Store, Trace, verify_audit,
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
        .record_configuration("a = 1".to_owned(), by)
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
