//! Rollups over MQTT: the gateway hears which minutes are here, and only one that asks hears anything.

use crate::frames::{T0, epoch, hello};
use crate::gateway::Gateway;
use crate::lab::Lab;
use riser_model::Timestamp;
use riser_wire::cells::{self, Cell};
use riser_wire::topic::UpLane;
use riser_wire::{Down, RollupHeader, Up, encode_rollup};
use rumqttc::v5::mqttbytes::v5::PubAckReason;

/// A quarter of an hour around `T0`.
fn minute() -> u32 {
    u32::try_from(T0 / Timestamp::MINUTE / 15 * 15).unwrap()
}

fn rollup(piece: u32, pieces: u32) -> Up {
    let header = RollupHeader {
        epoch: epoch(1),
        dictionary: 1,
        minute: minute(),
        minutes: 15,
        piece,
        pieces,
    };
    let mut cell = Cell::EMPTY;
    cell.add(5, Some(21.5));
    let mut zip = zstd::bulk::Compressor::new(3).unwrap();
    let row = cells::encode(&[(0, cell)], &mut zip).unwrap();
    Up::Rollup(encode_rollup(&header, &[(piece, row)]))
}

fn asking() -> Up {
    let Up::Hello(mut hello) = hello(1) else {
        unreachable!("hello makes a hello")
    };
    hello.rollups = true;
    Up::Hello(hello)
}

async fn told(gateway: &mut Gateway) -> Vec<(u64, u64)> {
    gateway
        .down("which minutes are here", |down| match down {
            Down::RolledUp(minutes) => Some(minutes),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_gateway_hears_which_minutes_are_here() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    gateway.say(UpLane::Hello, asking()).await;
    assert_eq!(told(&mut gateway).await, []);
    gateway.say(UpLane::Rollup, rollup(0, 2)).await;
    gateway.say(UpLane::Rollup, rollup(1, 2)).await;
    let quarter = (u64::from(minute()), u64::from(minute()) + 14);
    assert_eq!(
        told(&mut gateway).await,
        [quarter],
        "once both frames are here"
    );
    // Asked again, the same is said; a stretch in other pieces begins anew.
    gateway.say(UpLane::Hello, asking()).await;
    assert_eq!(told(&mut gateway).await, [quarter]);
    gateway.say(UpLane::Rollup, rollup(2, 3)).await;
    gateway.say(UpLane::Hello, asking()).await;
    assert_eq!(told(&mut gateway).await, []);
    gateway.say(UpLane::Rollup, rollup(0, 1)).await;
    assert_eq!(told(&mut gateway).await, [quarter]);
    let rows: i64 = lab
        .db
        .read(|c| Ok(c.query_row("SELECT count(*) FROM rollup", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(rows, 1);
    lab.stop().await;
}

#[tokio::test]
async fn an_older_gateway_hears_nothing_of_it_and_damage_is_refused() {
    let lab = Lab::start().await;
    let own = lab.pki.gateway("gw-001");
    let mut gateway = Gateway::enter("gw-001", lab.port, &lab.pki.ca(), &own).await;
    gateway.listen().await;
    gateway.stored(UpLane::Hello, hello(1)).await;
    gateway
        .down("durable and nothing else", |down| match down {
            Down::Durable(_) => Some(()),
            Down::RolledUp(_) => panic!("an older gateway does not know this"),
            _ => None,
        })
        .await;
    let Up::Rollup(mut frame) = rollup(0, 1) else {
        unreachable!("rollup makes a rollup")
    };
    frame[30] ^= 1;
    gateway.say(UpLane::Rollup, Up::Rollup(frame)).await;
    assert_eq!(
        gateway.puback().await.reason,
        PubAckReason::PayloadFormatInvalid
    );
    lab.stop().await;
}
