//! What a gateway may publish and subscribe to: its own topics and nothing else. Pure; owns the
//! words of the refusals.

use super::packet::{Connect, Publish};
use super::reason::Reason;
use crate::db::Origin;
use riser_wire::topic::{self, Direction, DownTopic, UpTopic};

/// Whether a CONNECT may come in under this identity.
pub(super) fn connect(origin: &Origin, connect: &Connect) -> Result<(), Reason> {
    if connect.client_id != origin.gateway.as_str() {
        let given: String = connect.client_id.chars().take(80).collect();
        return Err(Reason::new(
            Reason::CLIENT_ID,
            format!(
                "the client id is '{given}', but the certificate is that of gateway '{}'; use \
                 the gateway's name as client id",
                origin.gateway
            ),
        ));
    }
    if connect.will {
        return Err(Reason::new(
            Reason::IMPLEMENTATION,
            "wills are not taken here: the service sees for itself when a gateway is gone",
        ));
    }
    if connect.authentication_method {
        return Err(Reason::new(
            Reason::AUTHENTICATION_METHOD,
            "the certificate is the only authentication here",
        ));
    }
    Ok(())
}

/// Which lane a PUBLISH belongs to. `Err(.., true)` ends the connection, as MQTT demands for
/// features that were announced as absent.
pub(super) fn publish(origin: &Origin, publish: &Publish) -> Result<UpTopic, (Reason, bool)> {
    let ends = |code, text: String| (Reason::new(code, text), true);
    if publish.exactly_once {
        return Err(ends(
            Reason::QOS,
            "QoS 2 is not used here: publish with QoS 1".to_owned(),
        ));
    }
    if publish.retain {
        return Err(ends(
            Reason::RETAIN,
            "retained messages are not kept here".to_owned(),
        ));
    }
    let lane = own_lane(origin, &publish.topic).map_err(|reason| (reason, publish.id.is_none()))?;
    if publish.id.is_none() && lane != UpTopic::Watch {
        return Err(ends(
            Reason::QOS,
            format!(
                "QoS 0 is for {}/…/up/watch only: publish '{}' with QoS 1, or nobody would tell \
                 you when it is lost",
                topic::PREFIX,
                publish.topic
            ),
        ));
    }
    Ok(lane)
}

fn own_lane(origin: &Origin, text: &str) -> Result<UpTopic, Reason> {
    let shown: String = text.chars().take(120).collect();
    let refused = |why: String| {
        Reason::new(
            Reason::NOT_AUTHORIZED,
            format!(
                "'{shown}' {why}; {origin} publishes below {}/{origin}/up/ only",
                topic::PREFIX
            ),
        )
    };
    let address = topic::parse(text).map_err(|e| refused(format!("is no topic of Riser ({e})")))?;
    if address.tenant != origin.tenant || address.gateway != origin.gateway {
        return Err(refused("belongs to another gateway".to_owned()));
    }
    match address.direction {
        Direction::Up(lane) => Ok(lane),
        Direction::Down(_) => Err(refused("is for the cloud to publish on".to_owned())),
    }
}

/// The lanes down that a filter covers.
pub(super) fn subscribe(origin: &Origin, filter: &str) -> Result<Vec<DownTopic>, Reason> {
    const ALL: [DownTopic; 4] = [
        DownTopic::Ack,
        DownTopic::Command,
        DownTopic::Watch,
        DownTopic::Heartbeat,
    ];
    let shown: String = filter.chars().take(120).collect();
    if filter.starts_with("$share/") {
        return Err(Reason::new(
            Reason::SHARED,
            format!("'{shown}': shared subscriptions are not kept here"),
        ));
    }
    let own = format!("{}/{origin}/down/", topic::PREFIX);
    let lanes = match filter.strip_prefix(&own) {
        Some("#" | "+") => ALL.to_vec(),
        Some(level) => ALL.into_iter().filter(|t| t.level() == level).collect(),
        None => Vec::new(),
    };
    if lanes.is_empty() {
        return Err(Reason::new(
            Reason::NOT_AUTHORIZED,
            format!("'{shown}' is not for {origin}, which subscribes below {own} only"),
        ));
    }
    Ok(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use riser_model::Key;

    fn origin() -> Origin {
        Origin {
            tenant: Key::new("acme").unwrap(),
            gateway: Key::new("gw-001").unwrap(),
        }
    }

    fn message(topic: &str) -> Publish {
        Publish {
            topic: topic.to_owned(),
            id: Some(1),
            exactly_once: false,
            retain: false,
            payload: Bytes::new(),
        }
    }

    #[test]
    fn only_own_topics_up_are_taken() {
        assert_eq!(
            publish(&origin(), &message("riser/v1/acme/gw-001/up/data")),
            Ok(UpTopic::Data)
        );
        for topic in [
            "riser/v1/acme/gw-002/up/data",
            "riser/v1/other/gw-001/up/data",
            "riser/v1/acme/gw-001/down/command",
            "riser/v1/acme/gw-001/up/nothing",
            "riser/v1/acme/+/up/data",
            "riser/v1/acme/gw-001/up/#",
            "$SYS/x",
            "",
        ] {
            let (reason, ends) = publish(&origin(), &message(topic)).unwrap_err();
            assert_eq!(
                (reason.code, ends),
                (Reason::NOT_AUTHORIZED, false),
                "{topic}"
            );
        }
    }

    #[test]
    fn what_is_not_offered_ends_the_connection() {
        let own = message("riser/v1/acme/gw-001/up/data");
        for (wrong, code) in [
            (
                Publish {
                    exactly_once: true,
                    ..own.clone()
                },
                Reason::QOS,
            ),
            (
                Publish {
                    retain: true,
                    ..own.clone()
                },
                Reason::RETAIN,
            ),
            (Publish { id: None, ..own }, Reason::QOS),
        ] {
            let (reason, ends) = publish(&origin(), &wrong).unwrap_err();
            assert_eq!((reason.code, ends), (code, true), "{reason}");
        }
        let watch = Publish {
            id: None,
            ..message("riser/v1/acme/gw-001/up/watch")
        };
        assert_eq!(publish(&origin(), &watch), Ok(UpTopic::Watch));
    }

    #[test]
    fn only_own_topics_down_may_be_heard() {
        assert_eq!(
            subscribe(&origin(), "riser/v1/acme/gw-001/down/#")
                .unwrap()
                .len(),
            4
        );
        assert_eq!(
            subscribe(&origin(), "riser/v1/acme/gw-001/down/command").unwrap(),
            [DownTopic::Command]
        );
        for (filter, code) in [
            ("#", Reason::NOT_AUTHORIZED),
            ("riser/v1/acme/+/down/#", Reason::NOT_AUTHORIZED),
            ("riser/v1/+/gw-001/down/#", Reason::NOT_AUTHORIZED),
            ("riser/v1/acme/gw-001/#", Reason::NOT_AUTHORIZED),
            ("riser/v1/acme/gw-001/up/#", Reason::NOT_AUTHORIZED),
            ("riser/v1/acme/gw-002/down/#", Reason::NOT_AUTHORIZED),
            ("$share/g/riser/v1/acme/gw-001/down/#", Reason::SHARED),
        ] {
            assert_eq!(
                subscribe(&origin(), filter).unwrap_err().code,
                code,
                "{filter}"
            );
        }
    }

    #[test]
    fn another_client_id_or_a_will_is_refused() {
        let own = Connect {
            client_id: "gw-001".to_owned(),
            keep_alive_s: 30,
            will: false,
            authentication_method: false,
            lasting: false,
        };
        assert_eq!(connect(&origin(), &own), Ok(()));
        let other = Connect {
            client_id: "gw-002".to_owned(),
            ..own
        };
        assert_eq!(
            connect(&origin(), &other).unwrap_err().code,
            Reason::CLIENT_ID
        );
        let will = Connect { will: true, ..own };
        assert_eq!(
            connect(&origin(), &will).unwrap_err().code,
            Reason::IMPLEMENTATION
        );
    }
}
