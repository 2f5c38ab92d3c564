//! MQTT topics: `riser/v1/<tenant>/<gateway>/up/…` and `…/down/…`. Owns building and taking them
//! apart; names are [`Key`]s, so no level ever needs escaping.

use crate::WireError;
use riser_model::{GatewayId, Key, TenantId};

/// What a gateway sends, by priority lane. Live and backfill are the same numbered batches and
/// share one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UpLane {
    /// First message after a connect.
    Hello,
    /// Event frames, at once.
    Event,
    /// Data frames as they are committed.
    Live,
    /// Data frames missed before, newest hour first.
    Backfill,
    /// Rollups of time whose batches cannot be sent yet.
    Rollup,
    /// Values somebody is looking at; QoS 0.
    Watch,
    /// The end-to-end sign of life.
    Heartbeat,
}

impl UpLane {
    /// The topic this lane publishes on.
    #[must_use]
    pub fn topic(self) -> UpTopic {
        match self {
            Self::Hello => UpTopic::Hello,
            Self::Event => UpTopic::Event,
            Self::Live | Self::Backfill => UpTopic::Data,
            Self::Rollup => UpTopic::Rollup,
            Self::Watch => UpTopic::Watch,
            Self::Heartbeat => UpTopic::Heartbeat,
        }
    }
}

/// Last level of a topic under `up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpTopic {
    /// `hello`
    Hello,
    /// `event`
    Event,
    /// `data`
    Data,
    /// `rollup`
    Rollup,
    /// `watch`
    Watch,
    /// `heartbeat`
    Heartbeat,
}

impl UpTopic {
    const ALL: [Self; 6] = [
        Self::Hello,
        Self::Event,
        Self::Data,
        Self::Rollup,
        Self::Watch,
        Self::Heartbeat,
    ];

    /// The level as text.
    #[must_use]
    pub fn level(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Event => "event",
            Self::Data => "data",
            Self::Rollup => "rollup",
            Self::Watch => "watch",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// Last level of a topic under `down`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DownTopic {
    /// `ack`: durable ranges and rejections.
    Ack,
    /// `command`: commands and acknowledgements of alarms.
    Command,
    /// `watch`: watch leases.
    Watch,
    /// `heartbeat`: answers to heartbeats.
    Heartbeat,
}

impl DownTopic {
    const ALL: [Self; 4] = [Self::Ack, Self::Command, Self::Watch, Self::Heartbeat];

    /// The level as text.
    #[must_use]
    pub fn level(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Command => "command",
            Self::Watch => "watch",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// Direction and last level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Gateway to cloud.
    Up(UpTopic),
    /// Cloud to gateway.
    Down(DownTopic),
}

/// A topic taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whose building.
    pub tenant: TenantId,
    /// Which gateway of theirs.
    pub gateway: GatewayId,
    /// Which way and what.
    pub direction: Direction,
}

/// The first two levels of every topic.
pub const PREFIX: &str = "riser/v1";
/// The filter a cloud behind a third-party broker subscribes to.
pub const ALL_UP: &str = "riser/v1/+/+/up/+";

/// The topic a gateway publishes a lane on.
#[must_use]
pub fn up(tenant: &TenantId, gateway: &GatewayId, lane: UpLane) -> String {
    format!("{PREFIX}/{tenant}/{gateway}/up/{}", lane.topic().level())
}

/// The topic the cloud publishes on for a gateway.
#[must_use]
pub fn down(tenant: &TenantId, gateway: &GatewayId, topic: DownTopic) -> String {
    format!("{PREFIX}/{tenant}/{gateway}/down/{}", topic.level())
}

/// The filter a gateway subscribes to.
#[must_use]
pub fn down_filter(tenant: &TenantId, gateway: &GatewayId) -> String {
    format!("{PREFIX}/{tenant}/{gateway}/down/#")
}

/// Takes any text apart; only exact topics of this version pass.
pub fn parse(topic: &str) -> Result<Address, WireError> {
    const SHAPE: WireError =
        WireError::Malformed("a topic is riser/v1/<tenant>/<gateway>/<up|down>/<lane>");
    let rest = topic
        .strip_prefix(PREFIX)
        .and_then(|r| r.strip_prefix('/'))
        .ok_or(SHAPE)?;
    let mut levels = rest.split('/');
    let mut next = || levels.next().ok_or(SHAPE);
    let (tenant, gateway, way, last) = (next()?, next()?, next()?, next()?);
    if levels.next().is_some() {
        return Err(SHAPE);
    }
    let direction = match way {
        "up" => UpTopic::ALL
            .into_iter()
            .find(|t| t.level() == last)
            .map(Direction::Up),
        "down" => DownTopic::ALL
            .into_iter()
            .find(|t| t.level() == last)
            .map(Direction::Down),
        _ => return Err(SHAPE),
    };
    Ok(Address {
        tenant: Key::new(tenant)?,
        gateway: Key::new(gateway)?,
        direction: direction.ok_or(WireError::Unknown {
            what: "topic",
            code: 0,
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_survive() {
        let (tenant, gateway) = (Key::new("acme").unwrap(), Key::new("gw-001").unwrap());
        for lane in [
            UpLane::Hello,
            UpLane::Event,
            UpLane::Live,
            UpLane::Backfill,
            UpLane::Watch,
            UpLane::Heartbeat,
        ] {
            let address = parse(&up(&tenant, &gateway, lane)).unwrap();
            assert_eq!(address.direction, Direction::Up(lane.topic()));
            assert_eq!((&address.tenant, &address.gateway), (&tenant, &gateway));
        }
        for topic in DownTopic::ALL {
            let address = parse(&down(&tenant, &gateway, topic)).unwrap();
            assert_eq!(address.direction, Direction::Down(topic));
        }
        assert_eq!(
            up(&tenant, &gateway, UpLane::Backfill),
            "riser/v1/acme/gw-001/up/data"
        );
        assert_eq!(
            down_filter(&tenant, &gateway),
            "riser/v1/acme/gw-001/down/#"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "/",
            "riser/v1",
            "riser/v1/",
            "riser/v2/acme/gw/up/data",
            "riser/v1/acme/gw/up",
            "riser/v1/acme/gw/up/",
            "riser/v1/acme/gw/up/data/more",
            "riser/v1/acme/gw/sideways/data",
            "riser/v1/acme/gw/up/nothing",
            "riser/v1/+/gw/up/data",
            "riser/v1/acme/#/up/data",
            "riser/v1//gw/up/data",
            "riser/v1/Acme/gw/up/data",
            "riser/v1/acme/gw/down/data",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
