//! What the cloud sends. Owns the checks on it and the bounded inbox: a full one drops, counts and
//! says so, it never holds up the link.

use crate::counters::{Counters, count};
use riser_model::{Acknowledgement, AlarmId, Command, GatewayId, PointPath, TenantId};
use riser_wire::topic::{self, Direction};
use riser_wire::{ConfigurationRequest, Down, WireError};
use std::net::IpAddr;
use tokio::sync::mpsc;

/// Something the runtime has to act upon.
#[derive(Debug, Clone, PartialEq)]
pub enum Downlink {
    /// Write a point. May come twice; a command has an effect once.
    Command {
        /// Which, to what, by whom.
        command: Command,
        /// The address the person came from, where the cloud knows.
        from: Option<IpAddr>,
    },
    /// A person on the cloud has taken an alarm.
    Acknowledge {
        /// Which occurrence.
        alarm: AlarmId,
        /// Who, when, what they wrote.
        acknowledgement: Acknowledgement,
        /// The address the person came from, where the cloud knows.
        from: Option<IpAddr>,
    },
    /// Send these points as they are read; replaces the lease before.
    Watch {
        /// The points.
        paths: Vec<PointPath>,
        /// For how long.
        seconds: u32,
    },
    /// Somebody at the cloud asks for another configuration.
    Configuration(ConfigurationRequest),
}

impl Downlink {
    fn name(&self) -> String {
        match self {
            Self::Command { command, .. } => {
                format!("command {} on {}", command.id.0, command.path)
            }
            Self::Acknowledge { alarm, .. } => format!("acknowledgement of alarm {}", alarm.0),
            Self::Configuration(request) => format!("configuration request {}", request.request),
            Self::Watch { paths, .. } => format!("watch lease of {} points", paths.len()),
        }
    }
}

/// Reads a message; only topics of this gateway are taken.
pub(crate) fn read(
    tenant: &TenantId,
    gateway: &GatewayId,
    topic: &[u8],
    payload: &[u8],
) -> Result<Down, WireError> {
    const FOREIGN: WireError = WireError::Malformed("the topic is not one of this gateway");
    let address = topic::parse(std::str::from_utf8(topic).map_err(|_| FOREIGN)?)?;
    let Direction::Down(last) = address.direction else {
        return Err(FOREIGN);
    };
    if (&address.tenant, &address.gateway) != (tenant, gateway) {
        return Err(FOREIGN);
    }
    let down = Down::decode(payload)?;
    if down.topic() != last {
        return Err(WireError::Malformed(
            "the message does not belong on this topic",
        ));
    }
    Ok(down)
}

/// Hands something to the runtime, or drops it with a reason.
pub(crate) fn deliver(inbox: &mpsc::Sender<Downlink>, counters: &Counters, downlink: Downlink) {
    let (dropped, why) = match inbox.try_send(downlink) {
        Ok(()) => return,
        Err(mpsc::error::TrySendError::Full(dropped)) => (dropped, "the inbox is full"),
        Err(mpsc::error::TrySendError::Closed(dropped)) => (dropped, "the gateway is stopping"),
    };
    count(&counters.inbox_dropped, 1);
    tracing::warn!(reason = why, "dropped a {} from the cloud", dropped.name());
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::Key;
    use riser_wire::topic::DownTopic;

    fn ids() -> (TenantId, GatewayId) {
        (Key::new("acme").unwrap(), Key::new("gw-001").unwrap())
    }

    #[test]
    fn only_own_topics_and_fitting_messages_are_read() {
        let (tenant, gateway) = ids();
        let payload = Down::Heartbeat { nonce: 5 }.encode();
        let at = |t: &TenantId, g: &GatewayId, topic| {
            read(
                &tenant,
                &gateway,
                topic::down(t, g, topic).as_bytes(),
                &payload,
            )
        };
        let beat = at(&tenant, &gateway, DownTopic::Heartbeat);
        assert_eq!(beat, Ok(Down::Heartbeat { nonce: 5 }));
        assert!(at(&tenant, &gateway, DownTopic::Command).is_err());
        assert!(at(&tenant, &Key::new("gw-002").unwrap(), DownTopic::Heartbeat).is_err());
        assert!(at(&gateway, &gateway, DownTopic::Heartbeat).is_err());
        assert!(read(&tenant, &gateway, b"\xff", &payload).is_err());
        let up = b"riser/v1/acme/gw-001/up/heartbeat";
        assert!(read(&tenant, &gateway, up, &payload).is_err());
    }

    #[test]
    fn a_full_inbox_drops_and_counts() {
        let (inbox, mut outlet) = mpsc::channel(1);
        let counters = Counters::default();
        let lease = |seconds| Downlink::Watch {
            paths: vec![],
            seconds,
        };
        for seconds in 0..3 {
            deliver(&inbox, &counters, lease(seconds));
        }
        assert_eq!(counters.snapshot().inbox_dropped, 2);
        assert_eq!(outlet.try_recv(), Ok(lease(0)));
    }
}
