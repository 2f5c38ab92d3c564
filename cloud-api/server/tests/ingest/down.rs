//! What goes down: answers that prove the whole path, commands until somebody answers them,
//! leases while they last; and watched values, which are never stored.

use crate::frames::{T0, alarm, data, directory, epoch, event, hello, scan};
use crate::gateway::Gateway;
use crate::lab::{Lab, origin, until};
use riser_cloud::clock::Clock;
use riser_cloud::db::{CloudEvent, Desired, ValueLane};
use riser_model::{
    Acknowledgement, AlarmState, Author, AuthorKind, Command, CommandId, CommandState,
    ConfigurationAsk, Event, Outcome, Priority, Timestamp, Value,
};
use riser_wire::topic::UpLane;
use riser_wire::{Down, Heartbeat, Stream, Up, WatchLease};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn author() -> Author {
    Author {
        kind: AuthorKind::Cloud,
        name: "olga@acme.example".into(),
    }
}

fn command(n: u128, ttl: Duration) -> Command {
    let now = Clock::system().now();
    Command {
        id: CommandId(Uuid::from_u128(n)),
        path: "ahu-1/supply_temp".parse().unwrap(),
        value: Some(Value::Float(21.5)),
        priority: Priority::MANUAL_OPERATOR,
        issued_at: now,
        expires_at: now.plus(ttl),
        hold_until: None,
        author: author(),
    }
}

fn outcome(n: u128, state: CommandState) -> Event {
    Event::Outcome(Outcome {
        command: CommandId(Uuid::from_u128(n)),
        state,
        at: Timestamp(T0),
        detail: String::new(),
        read_back: Some(Value::Float(21.5)),
        held_by: None,
    })
}

async fn state(lab: &Lab, n: u128) -> String {
    lab.db
        .read(move |c| {
            let id = Uuid::from_u128(n);
            Ok(c.query_row(
                "SELECT state FROM command WHERE id = ?1",
                [id.as_bytes()],
                |r| r.get(0),
            )?)
        })
        .await
        .unwrap()
}

/// Where the person was who asked.
fn address() -> Option<IpAddr> {
    "2001:db8::7".parse().ok()
}

async fn heard_command(gateway: &mut Gateway) -> Command {
    gateway
        .down("command", |down| match down {
            Down::Command { command, .. } => Some(command),
            _ => None,
        })
        .await
}

/// A gateway that has connected, listens and has introduced itself.
async fn live(lab: &Lab) -> Gateway {
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    gateway
}

fn beat(nonce: u64) -> Up {
    Up::Heartbeat(Heartbeat {
        nonce,
        sent_at: Timestamp(T0),
        backlog_batches: 3,
        backlog_bytes: 400,
        backlog_age_ms: 5000,
    })
}

async fn answered(gateway: &mut Gateway, wanted: u64) {
    gateway
        .down("answer", |down| {
            matches!(down, Down::Heartbeat { nonce } if nonce == wanted).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_heartbeat_is_answered_and_noted() {
    let lab = Lab::start().await;
    let mut gateway = live(&lab).await;
    gateway.say(UpLane::Heartbeat, beat(1)).await;
    answered(&mut gateway, 1).await;
    let row: (i64, i64, bool, String) = lab
        .db
        .read(|c| {
            let sql = "SELECT backlog_batches, backlog_age_ms, connected, name FROM gateway";
            Ok(c.query_row(sql, [], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })?)
        })
        .await
        .unwrap();
    assert_eq!(row, (3, 5000, true, "Main building".to_owned()));
    lab.stop().await;
}

/// An answer claims that everything up to the disk works.
#[tokio::test]
async fn a_heartbeat_is_not_answered_while_the_disk_is_stuck() {
    let lab = Lab::start().await;
    let mut gateway = live(&lab).await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (db, (begun, begins)) = (lab.db.clone(), tokio::sync::oneshot::channel());
    let stuck = tokio::spawn(async move {
        db.write(move |_| {
            begun.send(()).ok();
            held.recv().ok();
            Ok(())
        })
        .await
    });
    begins.await.unwrap();
    gateway.say(UpLane::Heartbeat, beat(2)).await;
    let filter = "riser/v1/acme/gw-001/up/#";
    gateway
        .client
        .subscribe(filter, QoS::AtLeastOnce)
        .await
        .unwrap();
    let mut early = false;
    gateway
        .wait("SUBACK", |packet| match packet {
            Packet::Publish(publish) => {
                early |= publish.topic.ends_with(b"/heartbeat");
                None
            }
            Packet::SubAck(_) => Some(()),
            _ => None,
        })
        .await;
    assert!(!early);
    release.send(()).unwrap();
    stuck.await.unwrap().unwrap();
    answered(&mut gateway, 2).await;
    lab.stop().await;
}

#[tokio::test]
async fn durable_ranges_come_together_for_data_and_at_once_for_events() {
    let lab = Lab::start().await;
    let mut gateway = live(&lab).await;
    for seq in 1..=50 {
        gateway.say(UpLane::Live, data(seq)).await;
    }
    let mut messages = 0;
    gateway
        .durable(|d| {
            messages += usize::from(d.stream == Stream::Data);
            d.stream == Stream::Data && d.contiguous == 50
        })
        .await;
    assert!(messages < 25, "{messages} messages for 50 batches");
    gateway.stored(UpLane::Event, event(1, &directory(1))).await;
    gateway
        .durable(|d| d.stream == Stream::Event && d.contiguous == 1)
        .await;
    lab.stop().await;
}

#[tokio::test]
async fn a_command_is_sent_until_it_is_answered_and_has_one_row() {
    let lab = Lab::start().await;
    let gateway = live(&lab).await;
    let of = origin("gw-001");
    let sent = command(1, Duration::from_secs(60));
    drop(gateway);
    until("the gateway is gone", || async {
        (lab.downlink.sessions() == 0).then_some(())
    })
    .await;
    let first = lab
        .downlink
        .command(&of.tenant, &of.gateway, (sent.clone(), address()))
        .await
        .unwrap();
    assert_eq!(first.outcome.state, CommandState::Requested);
    let again = lab
        .downlink
        .command(&of.tenant, &of.gateway, (sent.clone(), address()))
        .await
        .unwrap();
    assert_eq!(again, first);

    let mut gateway = live(&lab).await;
    let heard = gateway
        .down("command", |down| match down {
            Down::Command { command, from } => Some((command, from)),
            _ => None,
        })
        .await;
    assert_eq!(heard, (sent.clone(), address()));
    // Not answered: it comes again at the next connect.
    let mut gateway = live(&lab).await;
    assert_eq!(heard_command(&mut gateway).await, sent);
    gateway
        .stored(UpLane::Event, event(1, &outcome(1, CommandState::Sent)))
        .await;
    gateway
        .stored(UpLane::Event, event(2, &outcome(1, CommandState::Applied)))
        .await;
    assert_eq!(state(&lab, 1).await, "applied");
    // An older word, late, changes nothing; nor does the same one twice.
    gateway
        .stored(UpLane::Event, event(1, &outcome(1, CommandState::Sent)))
        .await;
    assert_eq!(state(&lab, 1).await, "applied");

    // Answered: the next connect brings the next command only.
    let mut gateway = live(&lab).await;
    let next = command(2, Duration::from_secs(60));
    lab.downlink
        .command(&of.tenant, &of.gateway, (next.clone(), None))
        .await
        .unwrap();
    assert_eq!(heard_command(&mut gateway).await, next);
    lab.stop().await;
}

#[tokio::test]
async fn a_command_nobody_took_in_time_expires_and_is_not_sent() {
    let lab = Lab::start().await;
    let gateway = live(&lab).await;
    drop(gateway);
    until("the gateway is gone", || async {
        (lab.downlink.sessions() == 0).then_some(())
    })
    .await;
    let (of, mut news) = (origin("gw-001"), lab.db.events());
    let short = command(1, Duration::from_millis(100));
    lab.downlink
        .command(&of.tenant, &of.gateway, (short, None))
        .await
        .unwrap();
    until("the command expires", || async {
        (state(&lab, 1).await == "expired").then_some(())
    })
    .await;
    let mut told = Vec::new();
    while let Ok(event) = news.try_recv() {
        if let CloudEvent::Command { record, .. } = event {
            told.push((record.outcome.state, record.outcome.detail.clone()));
        }
    }
    assert_eq!(told[0].0, CommandState::Requested);
    assert_eq!(told[1].0, CommandState::Expired);
    assert!(told[1].1.contains("never sent"), "{}", told[1].1);
    let mut gateway = live(&lab).await;
    let long = command(2, Duration::from_secs(60));
    lab.downlink
        .command(&of.tenant, &of.gateway, (long.clone(), None))
        .await
        .unwrap();
    assert_eq!(
        heard_command(&mut gateway).await.id,
        long.id,
        "the expired one must not come"
    );
    // The gateway had begun after all and says so late: its word counts.
    gateway
        .stored(UpLane::Event, event(1, &outcome(1, CommandState::Applied)))
        .await;
    assert_eq!(state(&lab, 1).await, "applied");
    lab.stop().await;
}

#[tokio::test]
async fn an_outcome_that_overtakes_its_command_is_kept() {
    let lab = Lab::start().await;
    let mut gateway = live(&lab).await;
    let issued = Command {
        author: Author {
            kind: AuthorKind::Local,
            name: "tech".into(),
        },
        ..command(5, Duration::from_secs(9))
    };
    gateway
        .stored(UpLane::Event, event(2, &outcome(5, CommandState::Applied)))
        .await;
    gateway
        .stored(UpLane::Event, event(1, &Event::Command(issued)))
        .await;
    assert_eq!(state(&lab, 5).await, "applied");
    let body: Option<String> = lab
        .db
        .read(|c| Ok(c.query_row("SELECT body FROM command", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert!(body.unwrap().contains("tech"));
    lab.stop().await;
}

#[tokio::test]
async fn an_acknowledgement_is_sent_until_the_gateway_shows_it() {
    let lab = Lab::start().await;
    let mut gateway = live(&lab).await;
    let of = origin("gw-001");
    let mut raised = alarm(AlarmState::ActiveUnacknowledged);
    gateway
        .stored(UpLane::Event, event(1, &Event::Alarm(raised.clone())))
        .await;
    let taken = Acknowledgement {
        by: author(),
        at: Timestamp(T0 + 1),
        comment: "on it".into(),
    };
    lab.downlink
        .acknowledge(
            &of.tenant,
            &of.gateway,
            raised.id,
            (taken.clone(), address()),
        )
        .await
        .unwrap();
    for _ in 0..2 {
        let heard = gateway
            .down("acknowledgement", |down| match down {
                Down::Acknowledge {
                    alarm,
                    acknowledgement,
                    from,
                } => Some((alarm, acknowledgement, from)),
                _ => None,
            })
            .await;
        assert_eq!(heard, (raised.id, taken.clone(), address()));
        gateway = live(&lab).await;
    }
    raised.state = AlarmState::ActiveAcknowledged;
    raised.acknowledged = Some(taken.clone());
    gateway
        .stored(UpLane::Event, event(2, &Event::Alarm(raised.clone())))
        .await;
    assert!(
        lab.db
            .pending_acknowledgements(&of)
            .await
            .unwrap()
            .is_empty()
    );
    let unknown = riser_model::AlarmId(Uuid::from_u128(99));
    assert!(
        lab.downlink
            .acknowledge(&of.tenant, &of.gateway, unknown, (taken, None))
            .await
            .is_err()
    );
    lab.stop().await;
}

#[tokio::test]
async fn a_lease_is_sent_now_and_at_the_next_connect_while_it_lasts() {
    let lab = Lab::start().await;
    let mut gateway = live(&lab).await;
    let of = origin("gw-001");
    let lease = WatchLease {
        paths: vec!["ahu-1/supply_temp".parse().unwrap()],
        seconds: 30,
    };
    assert!(lab.downlink.watch(&of.tenant, &of.gateway, lease.clone()));
    let pick = |down| match down {
        Down::Watch(lease) => Some(lease),
        _ => None,
    };
    assert_eq!(gateway.down("lease", pick).await, lease);
    let mut gateway = live(&lab).await;
    let again = gateway.down("lease", pick).await;
    assert_eq!(again.paths, lease.paths);
    assert!(again.seconds <= 30 && again.seconds > 0);
    lab.stop().await;
}

#[tokio::test]
async fn watched_values_are_passed_on_and_not_stored() {
    let lab = Lab::start().await;
    let mut gateway = live(&lab).await;
    gateway.stored(UpLane::Event, event(1, &directory(1))).await;
    let mut news = lab.db.events();
    let started = Instant::now();
    gateway
        .say(
            UpLane::Watch,
            Up::Watch(vec![scan(T0, 0, 42.0), scan(T0, 9, 1.0)]),
        )
        .await;
    let values = tokio::time::timeout(crate::lab::DEADLINE, async {
        loop {
            if let CloudEvent::Values {
                origin: from,
                lane: ValueLane::Watch,
                batch,
            } = news.recv().await.unwrap()
            {
                assert_eq!(from, origin("gw-001"));
                let mut values = Vec::new();
                batch.for_each(|path, at, value, _| {
                    values.push((path.to_string(), at.0, value.cloned()));
                });
                return values;
            }
        }
    })
    .await
    .unwrap();
    eprintln!(
        "watched value from client to broadcast in {:?}",
        started.elapsed()
    );
    assert_eq!(
        values,
        [("ahu-1/supply_temp".to_owned(), T0, Some(Value::Float(42.0)))]
    );
    let stored: i64 = lab
        .db
        .read(|c| {
            Ok(
                c.query_row("SELECT count(*) FROM batch WHERE stream = 2", [], |r| {
                    r.get(0)
                })?,
            )
        })
        .await
        .unwrap();
    assert_eq!(stored, 0);
    assert!(lab.db.paths(&origin("gw-001"), epoch(1)).is_some());
    lab.stop().await;
}

fn desired(n: u128, ttl: Duration) -> Desired {
    let now = Clock::system().now();
    Desired {
        request: Uuid::from_u128(n),
        ask: ConfigurationAsk::Apply {
            document: format!("# {n}"),
            confirm_seconds: Some(600),
            note: String::new(),
        },
        author: author(),
        from: address(),
        asked_at: now,
        expires_at: now.plus(ttl),
    }
}

async fn heard_configuration(gateway: &mut Gateway) -> riser_wire::ConfigurationRequest {
    gateway
        .down("configuration", |down| match down {
            Down::Configuration(request) => Some(request),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_configuration_waits_for_the_gateway_and_only_the_newest_comes() {
    let lab = Lab::start().await;
    let at = origin("gw-001");
    let (tenant, name) = (&at.tenant, &at.gateway);
    let desire = |n, ttl| {
        lab.downlink
            .desire(tenant, name, desired(n, Duration::from_secs(ttl)))
    };
    assert!(desire(1, 600).await.is_err(), "never heard of");
    drop(live(&lab).await);
    until("it is gone", || async {
        (!lab.downlink.connected(tenant, name)).then_some(())
    })
    .await;
    for n in [1, 2] {
        assert!(!desire(n, 600).await.unwrap(), "it waits");
    }
    let mut gateway = live(&lab).await;
    let heard = heard_configuration(&mut gateway).await;
    assert_eq!(
        (heard.request, heard.from, heard.author),
        (Uuid::from_u128(2), address(), author())
    );
    // While connected it comes at once, and again at the next connect as long as nobody answers.
    assert!(desire(3, 600).await.unwrap());
    assert_eq!(
        heard_configuration(&mut gateway).await.request,
        Uuid::from_u128(3)
    );
    drop(gateway);
    until("it is gone", || async {
        (!lab.downlink.connected(tenant, name)).then_some(())
    })
    .await;
    let mut gateway = live(&lab).await;
    assert_eq!(
        heard_configuration(&mut gateway).await.request,
        Uuid::from_u128(3)
    );
}
