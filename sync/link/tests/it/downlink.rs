//! What comes from the cloud reaches the gateway, and nothing else does.

use crate::rig::{NOON, Rig, reached, until};
use riser_model::{
    Acknowledgement, AlarmId, Author, AuthorKind, Command, CommandId, LinkState, Priority,
    Timestamp, Value,
};
use riser_sync::Downlink;
use riser_wire::{Down, WatchLease};
use std::net::IpAddr;
use uuid::Uuid;

fn author() -> Author {
    Author {
        kind: AuthorKind::Cloud,
        name: "anna@example.com".into(),
    }
}

fn command(id: u128) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(id)),
        path: "ahu-1/setpoint".parse().unwrap(),
        value: Some(Value::Float(21.0)),
        priority: Priority::MANUAL_OPERATOR,
        issued_at: Timestamp(NOON),
        expires_at: Timestamp(NOON + 60_000),
        hold_until: None,
        author: author(),
    }
}

/// Where the person was who issued it.
fn address() -> Option<IpAddr> {
    "203.0.113.7".parse().ok()
}

fn sent(id: u128) -> Down {
    Down::Command {
        command: command(id),
        from: address(),
    }
}

fn heard(id: u128) -> Downlink {
    Downlink::Command {
        command: command(id),
        from: address(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_acknowledgements_and_leases_arrive() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let (mut link, _cancel) = rig.link(rig.config());
    reached(&link, LinkState::Live).await;
    let alarm = AlarmId(Uuid::from_u128(9));
    let acknowledgement = Acknowledgement {
        by: author(),
        at: Timestamp(NOON),
        comment: "seen".into(),
    };
    let paths = vec!["ahu-1/supply_temp".parse().unwrap()];
    rig.cloud.send(sent(1));
    rig.cloud.send(Down::Acknowledge {
        alarm,
        acknowledgement: acknowledgement.clone(),
        from: None,
    });
    rig.cloud.send(Down::Watch(WatchLease {
        paths: paths.clone(),
        seconds: 30,
    }));
    for expected in [
        heard(1),
        Downlink::Acknowledge {
            alarm,
            acknowledgement,
            from: None,
        },
        Downlink::Watch { paths, seconds: 30 },
    ] {
        assert_eq!(link.down.recv().await, Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_messages_in_the_wrong_place_are_counted_and_harm_nothing() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let (mut link, _cancel) = rig.link(rig.config());
    reached(&link, LinkState::Live).await;
    rig.cloud.publish(
        "riser/v1/acme/gw-001/down/ack",
        b"not protobuf at all".to_vec(),
    );
    rig.cloud
        .publish("riser/v1/acme/gw-001/down/ack", sent(1).encode());
    rig.cloud
        .publish("riser/v1/acme/gw-001/down/nonsense", vec![]);
    until("all three are counted", || {
        link.meter.counts().unreadable == 3
    })
    .await;
    rig.cloud.send(sent(2));
    assert_eq!(link.down.recv().await, Some(heard(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_nobody_empties_does_not_hold_up_the_link() {
    let Some(rig) = Rig::start().await else {
        return;
    };
    let (link, _cancel) = rig.link(rig.config());
    reached(&link, LinkState::Live).await;
    for id in 0..100 {
        rig.cloud.send(sent(id));
    }
    until("the surplus is counted", || {
        link.meter.counts().inbox_dropped == 36
    })
    .await;
    rig.store_batch(NOON).await;
    until("data still flows", || rig.backlog() == 0).await;
}
