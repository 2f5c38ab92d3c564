//! Points, alarms, commands, people and documents, also across a restart.

use crate::common::{Hands, NOON, alarm, close, open, point};
use riser_model::{
    AlarmId, AlarmState, Author, AuthorKind, Command, CommandId, CommandState, Event, Outcome,
    Priority, Role, Slot, Timestamp, Value,
};
use riser_store::{
    AlarmFilter, CommandFilter, Lockout, NewUser, Session, Store, StoreError, Trace,
};
use uuid::Uuid;

fn command(n: u128) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(n)),
        path: "ahu-1/setpoint".parse().unwrap(),
        value: Some(Value::Float(21.0)),
        priority: Priority::MANUAL_OPERATOR,
        issued_at: Timestamp(NOON + i64::try_from(n).unwrap()),
        expires_at: Timestamp(NOON + 60_000),
        hold_until: None,
        author: Author {
            kind: AuthorKind::Local,
            name: "anna".to_owned(),
        },
    }
}

fn outcome(n: u128, state: CommandState) -> Event {
    Event::Outcome(Outcome {
        command: CommandId(Uuid::from_u128(n)),
        state,
        at: Timestamp(NOON),
        detail: String::new(),
        read_back: None,
        held_by: None,
    })
}

async fn events(store: &Store) -> Vec<Event> {
    let told = crate::common::events_waiting(store).await;
    told.into_iter().map(|(_, event)| event).collect()
}

#[tokio::test]
async fn slots_are_kept_and_never_given_out_twice() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let first = store
        .declare_points(vec![point("a/x"), point("a/y")])
        .await
        .unwrap();
    assert_eq!((first.slots, first.version), (vec![Slot(1), Slot(2)], 1));
    let same = store
        .declare_points(vec![point("a/y"), point("a/x")])
        .await
        .unwrap();
    assert_eq!(
        (same.slots, same.version),
        (vec![Slot(2), Slot(1)], 1),
        "nothing has changed"
    );
    let mut changed = point("a/x");
    changed.name = "Supply".to_owned();
    let again = store.declare_points(vec![changed.clone()]).await.unwrap();
    assert_eq!((again.slots, again.version), (vec![Slot(1)], 2));
    assert_eq!(store.retire_points(vec![Slot(2)]).await.unwrap(), 3);
    assert_eq!(store.points().await.unwrap().points, [(Slot(1), changed)]);
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    assert_eq!(store.directory_version(), 3);
    let points = vec![point("b/z"), point("a/y")];
    let back = store.declare_points(points).await.unwrap();
    assert_eq!(
        (back.slots, back.version),
        (vec![Slot(3), Slot(2)], 4),
        "its old slot"
    );
    let versions: Vec<(u32, usize)> = events(&store)
        .await
        .iter()
        .map(|e| match e {
            Event::Directory(d) => (d.version, d.points.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(versions, [(1, 2), (2, 2), (3, 1), (4, 3)]);
    close(store).await;
}

#[tokio::test]
async fn alarms_and_events_are_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    let mut seqs = Vec::new();
    for n in 1..=3 {
        seqs.push(store.append_event(alarm(n)).await.unwrap());
    }
    let Event::Alarm(mut over) = alarm(2) else {
        unreachable!()
    };
    over.state = AlarmState::Normal;
    seqs.push(
        store
            .append_event(Event::Alarm(over.clone()))
            .await
            .unwrap(),
    );
    assert_eq!(seqs, [1, 2, 3, 4]);
    let list = |open_only| AlarmFilter {
        open_only,
        path: None,
        limit: 9,
    };
    let open_ones = store.alarms(list(true)).await.unwrap();
    let ids: Vec<u128> = open_ones.iter().map(|a| a.id.0.as_u128()).collect();
    assert_eq!(ids, [3, 1], "the newest first");
    assert_eq!(store.alarms(list(false)).await.unwrap().len(), 3);
    let other = Some("b/x".parse().unwrap());
    let none = AlarmFilter {
        open_only: false,
        path: other,
        limit: 9,
    };
    assert_eq!(store.alarms(none).await.unwrap(), []);
    assert_eq!(
        store.alarm(AlarmId(Uuid::from_u128(2))).await.unwrap(),
        Some(over)
    );
    assert_eq!(events(&store).await.len(), 4);
    close(store).await;
}

#[tokio::test]
async fn a_command_is_known_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    assert!(store.record_command(command(1), false).await.unwrap());
    assert!(!store.record_command(command(1), true).await.unwrap());
    assert!(store.record_command(command(2), true).await.unwrap());
    store
        .append_event(outcome(1, CommandState::Sent))
        .await
        .unwrap();
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    assert!(
        !store.record_command(command(1), false).await.unwrap(),
        "also after a restart"
    );
    let unfinished = store.unfinished_commands().await.unwrap();
    assert_eq!(
        unfinished
            .iter()
            .map(|c| c.command.id.0.as_u128())
            .collect::<Vec<_>>(),
        [1, 2]
    );
    close(store).await;
}

#[tokio::test]
async fn the_end_of_a_command_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    for n in 1..=2 {
        assert!(store.record_command(command(n), n == 2).await.unwrap());
    }
    store
        .append_event(outcome(1, CommandState::Applied))
        .await
        .unwrap();
    store
        .append_event(outcome(1, CommandState::Sent))
        .await
        .unwrap();
    store
        .append_event(outcome(77, CommandState::Failed))
        .await
        .unwrap();
    let found = store
        .command(CommandId(Uuid::from_u128(1)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.command, found.outcome.state),
        (command(1), CommandState::Applied)
    );
    let path = Some("ahu-1/setpoint".parse().unwrap());
    let listed = store
        .commands(CommandFilter { path, limit: 1 })
        .await
        .unwrap();
    assert_eq!(listed[0].command.id.0.as_u128(), 2);
    assert_eq!(
        store
            .commands(CommandFilter {
                path: None,
                limit: 9
            })
            .await
            .unwrap()
            .len(),
        2
    );
    let told: Vec<Event> = events(&store).await;
    let first = told.iter().find(|e| matches!(e, Event::Command(_)));
    assert_eq!(first, Some(&Event::Command(command(2))));
    close(store).await;
}

const HERE: &str = "192.0.2.7";

fn by() -> Trace {
    Trace::new("ada", HERE)
}

fn anna() -> NewUser {
    NewUser {
        name: "anna".to_owned(),
        role: Role::TenantAdmin,
        password_hash: "$argon2id$one".to_owned(),
    }
}

#[tokio::test]
async fn wrong_passwords_lock_out() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    assert!(store.add_first_user(anna(), HERE).await.unwrap());
    let second = NewUser {
        name: "bert".to_owned(),
        role: Role::Operator,
        ..anna()
    };
    assert!(
        !store.add_first_user(second.clone(), HERE).await.unwrap(),
        "only the first"
    );
    store.add_user(second, by()).await.unwrap();
    assert!(matches!(
        store.add_user(anna(), by()).await,
        Err(StoreError::Exists { .. })
    ));
    let names: Vec<_> = store
        .users()
        .await
        .unwrap()
        .into_iter()
        .map(|u| (u.name, u.role))
        .collect();
    assert_eq!(
        names,
        [
            ("anna".into(), Role::TenantAdmin),
            ("bert".into(), Role::Operator)
        ]
    );
    let lockout = Lockout {
        after: 5,
        for_ms: 900_000,
    };
    for n in 1..5 {
        let user = store.login_failed("anna", lockout, HERE).await.unwrap();
        assert_eq!((user.failed, user.locked_until), (n, None));
    }
    let locked = store.login_failed("anna", lockout, HERE).await.unwrap();
    assert_eq!(locked.locked_until, Some(Timestamp(NOON + 900_000)));
    let ghost = store.login_failed("ghost", lockout, HERE).await;
    assert!(matches!(ghost, Err(StoreError::Missing { .. })));
    store.remove_user("bert", by()).await.unwrap();
    assert!(matches!(
        store.remove_user("bert", by()).await,
        Err(StoreError::Missing { .. })
    ));
    close(store).await;
}

#[tokio::test]
async fn sessions_end_by_time_and_by_a_new_password() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    store.add_user(anna(), by()).await.unwrap();
    let lockout = Lockout {
        after: 5,
        for_ms: 900_000,
    };
    store.login_failed("anna", lockout, HERE).await.unwrap();
    let session = Session {
        token_hash: [7; 32],
        user: "anna".to_owned(),
        created_at: Timestamp(NOON),
        expires_at: Timestamp(NOON + 1_000),
    };
    store.login(session.clone(), HERE).await.unwrap();
    let user = store.user("anna").await.unwrap().unwrap();
    assert_eq!((user.failed, user.locked_until), (0, None));
    let at = |ms| Timestamp(NOON + ms);
    assert_eq!(
        store.session([7; 32], at(999)).await.unwrap(),
        Some((session, user))
    );
    assert_eq!(store.session([8; 32], at(0)).await.unwrap(), None);
    assert_eq!(
        store.session([7; 32], at(1_000)).await.unwrap(),
        None,
        "expired"
    );
    store
        .extend_session([7; 32], Timestamp(NOON + 9_000))
        .await
        .unwrap();
    assert!(store.session([7; 32], at(8_999)).await.unwrap().is_some());
    store
        .set_password("anna", "$argon2id$two".to_owned(), by())
        .await
        .unwrap();
    assert_eq!(
        store.session([7; 32], at(0)).await.unwrap(),
        None,
        "a new password ends sessions"
    );
    store.set_role("anna", Role::Viewer, by()).await.unwrap();
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    let user = store.user("anna").await.unwrap().unwrap();
    assert_eq!(
        (user.role, user.password_hash.as_str()),
        (Role::Viewer, "$argon2id$two")
    );
    close(store).await;
}

#[tokio::test]
async fn values_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    assert_eq!(store.value("claim").await.unwrap(), None);
    store.set_value("claim", b"one".to_vec()).await.unwrap();
    store.set_value("claim", b"two".to_vec()).await.unwrap();
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    assert_eq!(store.value("claim").await.unwrap(), Some(b"two".to_vec()));
    store.remove_value("claim").await.unwrap();
    assert_eq!(store.value("claim").await.unwrap(), None);
    close(store).await;
    let closed = open(dir.path(), &hands).0;
    close(closed.clone()).await;
    assert!(matches!(
        closed.append_event(alarm(1)).await,
        Err(StoreError::Closed)
    ));
    assert!(matches!(
        closed.value("claim").await,
        Err(StoreError::Closed)
    ));
    assert!(
        closed
            .append(vec![crate::common::scan(1, &[1.0])], Default::default(), 0)
            .is_err()
    );
}

#[tokio::test]
async fn sessions_are_moved_by_what_the_clock_was_set_by_at_the_next_start_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let hands = Hands::new(NOON);
    let (store, _) = open(dir.path(), &hands);
    store.add_user(anna(), by()).await.unwrap();
    let hour = 3_600_000;
    let session = |name: u8, begins: i64| Session {
        token_hash: [name; 32],
        user: "anna".to_owned(),
        created_at: Timestamp(NOON + begins),
        expires_at: Timestamp(NOON + begins + hour),
    };
    store.login(session(1, 0), HERE).await.unwrap();
    store.login(session(2, 1_000), HERE).await.unwrap();
    for by in [5 * hour, -2 * hour] {
        store.sessions_behind(by).await.unwrap();
    }
    assert_eq!(ends(&store, 1).await, Some(hour), "while the process lives");
    close(store).await;
    let (store, _) = open(dir.path(), &hands);
    for _ in 0..2 {
        store.move_sessions().await.unwrap();
    }
    assert_eq!(ends(&store, 1).await, Some(4 * hour));
    assert_eq!(ends(&store, 2).await, Some(4 * hour + 1_000));
    // Those that are over are forgotten with the next log-in.
    store.login(session(3, 4 * hour), HERE).await.unwrap();
    assert_eq!(ends(&store, 1).await, None);
    assert_eq!(ends(&store, 2).await, Some(4 * hour + 1_000));
}

/// When a session ends, counted from noon.
async fn ends(store: &riser_store::Store, name: u8) -> Option<i64> {
    let found = store.session([name; 32], Timestamp(0)).await.unwrap();
    found.map(|(session, _)| session.expires_at.0 - NOON)
}
