//! MQTT 5 and 3.1.1 as this service speaks them: one small set of packets for both. Owns the use
//! of the protocol crate; it reads no socket, checks no right and stores nothing.
//!
//! Down messages go out with QoS 0: TCP keeps them whole and in order within a connection, and
//! what must survive a connection is a row that is sent again, so a packet id would add nothing.

use super::packet::{Connect, Packet, Publish};
use super::reason::Reason;
use bytes::Bytes;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event};
use mqtt_protocol_core::mqtt::packet::{
    self, GenericPacketTrait, Packet as Raw, Property, Qos, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, PubackReasonCode,
    SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
};
use mqtt_protocol_core::mqtt::{ArcPayload, Connection, Version, role};
use riser_wire::retry;
use std::collections::VecDeque;

/// Longest text put into a reason string.
const REASON_MAX: usize = 400;
/// A client that takes smaller packets than this gets no reason strings.
const REASON_PACKET_MIN: u32 = 1024;

/// Limits a connection is told and held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) packet_max: u32,
    pub(super) receive_max: u16,
}

/// The protocol state of one connection. Everything to be sent is appended to a buffer.
pub(super) struct Mqtt {
    core: Box<Connection<role::Server>>,
    explains: bool,
}

struct Payload(ArcPayload);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Mqtt {
    pub(super) fn new(limits: Limits) -> Self {
        let options = ConnectionOptions::new()
            .maximum_packet_size_recv(limits.packet_max)
            .receive_maximum(limits.receive_max);
        let core = Connection::with_options(Version::Undetermined, options);
        Self {
            core: Box::new(core),
            explains: false,
        }
    }

    /// Whether the client speaks version 5 and so can be told why.
    pub(super) fn is_v5(&self) -> bool {
        self.core.get_protocol_version() == Version::V5_0
    }

    /// Takes octets from the client. On an error the connection is to be closed; what the
    /// protocol wants said before is in `out`.
    pub(super) fn receive(
        &mut self,
        octets: &[u8],
        out: &mut Vec<u8>,
        packets: &mut VecDeque<Packet>,
    ) -> Result<(), String> {
        let mut cursor = Cursor::new(octets);
        // One packet per call.
        while cursor.position() < octets.len() as u64 {
            let events = self.core.recv(&mut cursor);
            let (received, error) = sort(events, out);
            for raw in received {
                packets.extend(self.convert(raw)?);
            }
            if let Some(error) = error {
                return Err(describe(error));
            }
        }
        Ok(())
    }

    fn convert(&mut self, raw: Raw) -> Result<Option<Packet>, String> {
        Ok(Some(match raw {
            Raw::V3_1_1Connect(p) => Packet::Connect(Connect {
                client_id: p.client_id().to_owned(),
                keep_alive_s: p.keep_alive(),
                will: p.will_flag(),
                authentication_method: false,
                lasting: !p.clean_session(),
            }),
            Raw::V5_0Connect(p) => Packet::Connect(self.connect_v5(&p)),
            Raw::V3_1_1Publish(p) => Packet::Publish(Publish {
                topic: p.topic_name().to_owned(),
                id: p.packet_id(),
                exactly_once: p.qos() == Qos::ExactlyOnce,
                retain: p.retain(),
                payload: Bytes::from_owner(Payload(p.payload().clone())),
            }),
            Raw::V5_0Publish(p) => Packet::Publish(Publish {
                topic: p.topic_name().to_owned(),
                id: p.packet_id(),
                exactly_once: p.qos() == Qos::ExactlyOnce,
                retain: p.retain(),
                payload: Bytes::from_owner(Payload(p.payload().clone())),
            }),
            Raw::V3_1_1Subscribe(p) => Packet::Subscribe {
                id: p.packet_id(),
                filters: p
                    .entries()
                    .iter()
                    .map(|e| e.topic_filter().to_owned())
                    .collect(),
            },
            Raw::V5_0Subscribe(p) => Packet::Subscribe {
                id: p.packet_id(),
                filters: p
                    .entries()
                    .iter()
                    .map(|e| e.topic_filter().to_owned())
                    .collect(),
            },
            Raw::V3_1_1Unsubscribe(p) => Packet::Unsubscribe {
                id: p.packet_id(),
                filters: p.entries().iter().map(|e| e.as_str().to_owned()).collect(),
            },
            Raw::V5_0Unsubscribe(p) => Packet::Unsubscribe {
                id: p.packet_id(),
                filters: p.entries().iter().map(|e| e.as_str().to_owned()).collect(),
            },
            Raw::V3_1_1Pingreq(_) | Raw::V5_0Pingreq(_) => Packet::Ping,
            Raw::V3_1_1Disconnect(_) | Raw::V5_0Disconnect(_) => Packet::Disconnect,
            Raw::V5_0Auth(_) => return Err("AUTH is not used here".to_owned()),
            // Nothing is ever sent here that these could answer; the protocol crate has refused
            // those that answer nothing.
            _ => return Ok(None),
        }))
    }

    fn connect_v5(&mut self, p: &v5_0::Connect) -> Connect {
        let (mut method, mut lasting) = (false, false);
        self.explains = true;
        for property in p.props() {
            match property {
                Property::AuthenticationMethod(_) => method = true,
                Property::SessionExpiryInterval(v) => lasting = v.val() > 0,
                Property::RequestProblemInformation(v) => self.explains &= v.val() == 1,
                Property::MaximumPacketSize(v) => self.explains &= v.val() >= REASON_PACKET_MIN,
                _ => {}
            }
        }
        Connect {
            client_id: p.client_id().to_owned(),
            keep_alive_s: p.keep_alive(),
            will: p.will_flag(),
            authentication_method: method,
            lasting,
        }
    }

    /// Lets the client in. `keep_alive_s` replaces what it asked for, where it can be told.
    pub(super) fn accept(&mut self, keep_alive_s: Option<u16>, lasting: bool, out: &mut Vec<u8>) {
        if !self.is_v5() {
            let connack = v3_1_1::Connack::builder()
                .session_present(false)
                .return_code(ConnectReturnCode::Accepted)
                .build();
            return self.send(connack.map(Into::into), out);
        }
        let mut props: Vec<Option<Property>> = vec![
            packet::MaximumQos::new(1).ok().map(Into::into),
            packet::RetainAvailable::new(0).ok().map(Into::into),
            packet::SharedSubscriptionAvailable::new(0)
                .ok()
                .map(Into::into),
            packet::SubscriptionIdentifierAvailable::new(0)
                .ok()
                .map(Into::into),
        ];
        if let Some(seconds) = keep_alive_s {
            props.push(packet::ServerKeepAlive::new(seconds).ok().map(Into::into));
        }
        if lasting {
            props.push(packet::SessionExpiryInterval::new(0).ok().map(Into::into));
        }
        let connack = v5_0::Connack::builder()
            .session_present(false)
            .reason_code(ConnectReasonCode::Success)
            .props(props.into_iter().flatten().collect::<Vec<_>>())
            .build();
        self.send(connack.map(Into::into), out);
    }

    /// Refuses a CONNECT.
    pub(super) fn refuse(&mut self, reason: &Reason, out: &mut Vec<u8>) {
        if self.is_v5() {
            let code = ConnectReasonCode::try_from(reason.code)
                .unwrap_or(ConnectReasonCode::UnspecifiedError);
            let connack = v5_0::Connack::builder()
                .session_present(false)
                .reason_code(code)
                .props(why(Some(&reason.text)))
                .build();
            return self.send(connack.map(Into::into), out);
        }
        let code = match reason.code {
            Reason::CLIENT_ID => ConnectReturnCode::IdentifierRejected,
            Reason::SERVER_BUSY | Reason::QUOTA => ConnectReturnCode::ServerUnavailable,
            _ => ConnectReturnCode::NotAuthorized,
        };
        let connack = v3_1_1::Connack::builder()
            .session_present(false)
            .return_code(code)
            .build();
        self.send(connack.map(Into::into), out);
    }

    /// Sends a client away that is welcome later. Version 5 hears when, by a CONNACK that takes it
    /// in and a DISCONNECT behind it: common clients show nothing of a refusing CONNACK but its
    /// code (`docs/adr/0009-mqtt-client.md`).
    pub(super) fn put_off(&mut self, reason: &Reason, out: &mut Vec<u8>) {
        if !self.is_v5() {
            return self.refuse(reason, out);
        }
        let connack = v5_0::Connack::builder()
            .session_present(false)
            .reason_code(ConnectReasonCode::Success)
            .props(later(reason))
            .build();
        self.send(connack.map(Into::into), out);
        self.disconnect(reason, out);
    }

    /// Answers a PUBLISH. Version 3.1.1 can only say yes: then the caller closes instead.
    pub(super) fn puback(&mut self, id: u16, refused: Option<&Reason>, out: &mut Vec<u8>) {
        if !self.is_v5() {
            let puback = v3_1_1::Puback::builder().packet_id(id).build();
            return self.send(puback.map(Into::into), out);
        }
        let mut puback = v5_0::Puback::builder().packet_id(id);
        if let Some(reason) = refused {
            let code = PubackReasonCode::try_from(reason.code)
                .unwrap_or(PubackReasonCode::UnspecifiedError);
            puback = puback.reason_code(code);
            if self.explains {
                puback = puback.props(why(Some(&reason.text)));
            }
        }
        self.send(puback.build().map(Into::into), out);
    }

    /// Answers a SUBSCRIBE, one result per filter.
    pub(super) fn suback(&mut self, id: u16, results: &[Result<(), Reason>], out: &mut Vec<u8>) {
        if !self.is_v5() {
            let codes = results.iter().map(|r| match r {
                Ok(()) => SubackReturnCode::SuccessMaximumQos0,
                Err(_) => SubackReturnCode::Failure,
            });
            let suback = v3_1_1::Suback::builder()
                .packet_id(id)
                .return_codes(codes.collect())
                .build();
            return self.send(suback.map(Into::into), out);
        }
        let codes = results.iter().map(|r| match r {
            Ok(()) => SubackReasonCode::GrantedQos0,
            Err(reason) => SubackReasonCode::try_from(reason.code)
                .unwrap_or(SubackReasonCode::UnspecifiedError),
        });
        let mut suback = v5_0::Suback::builder()
            .packet_id(id)
            .reason_codes(codes.collect());
        let text = results
            .iter()
            .find_map(|r| r.as_ref().err())
            .map(|r| r.text.as_str());
        if self.explains && text.is_some() {
            suback = suback.props(why(text));
        }
        self.send(suback.build().map(Into::into), out);
    }

    /// Answers an UNSUBSCRIBE of so many filters.
    pub(super) fn unsuback(&mut self, id: u16, count: usize, out: &mut Vec<u8>) {
        if !self.is_v5() {
            let unsuback = v3_1_1::Unsuback::builder().packet_id(id).build();
            return self.send(unsuback.map(Into::into), out);
        }
        let codes = vec![UnsubackReasonCode::Success; count];
        let unsuback = v5_0::Unsuback::builder()
            .packet_id(id)
            .reason_codes(codes)
            .build();
        self.send(unsuback.map(Into::into), out);
    }

    /// Answers a PINGREQ.
    pub(super) fn pong(&mut self, out: &mut Vec<u8>) {
        if self.is_v5() {
            self.send(v5_0::Pingresp::builder().build().map(Into::into), out);
        } else {
            self.send(v3_1_1::Pingresp::builder().build().map(Into::into), out);
        }
    }

    /// Publishes to the client.
    pub(super) fn publish(&mut self, topic: &str, payload: Vec<u8>, out: &mut Vec<u8>) {
        if self.is_v5() {
            let publish = v5_0::Publish::builder()
                .topic_name(topic)
                .and_then(|b| b.qos(Qos::AtMostOnce).payload(payload).build());
            self.send(publish.map(Into::into), out);
        } else {
            let publish = v3_1_1::Publish::builder()
                .topic_name(topic)
                .and_then(|b| b.qos(Qos::AtMostOnce).payload(payload).build());
            self.send(publish.map(Into::into), out);
        }
    }

    /// Says why the connection ends, where the version can; the caller closes.
    pub(super) fn disconnect(&mut self, reason: &Reason, out: &mut Vec<u8>) {
        if !self.is_v5() {
            return;
        }
        let code = DisconnectReasonCode::try_from(reason.code)
            .unwrap_or(DisconnectReasonCode::UnspecifiedError);
        let disconnect = v5_0::Disconnect::builder()
            .reason_code(code)
            .props([why(Some(&reason.text)), later(reason)].concat())
            .build();
        self.send(disconnect.map(Into::into), out);
    }

    fn send(&mut self, packet: Result<Raw, MqttError>, out: &mut Vec<u8>) {
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => {
                tracing::error!(%error, "an MQTT packet could not be built; it was not sent");
                return;
            }
        };
        let (_, error) = sort(self.core.send(packet), out);
        if let Some(error) = error {
            tracing::debug!(%error, "an MQTT packet was not sent");
        }
    }
}

/// Splits what the protocol crate wants done: octets to `out`, packets received, an error.
fn sort(events: Vec<Event>, out: &mut Vec<u8>) -> (Vec<Raw>, Option<MqttError>) {
    let (mut received, mut error) = (Vec::new(), None);
    for event in events {
        match event {
            Event::RequestSendPacket { packet, .. } => {
                out.extend_from_slice(&packet.to_continuous_buffer());
            }
            Event::NotifyPacketReceived(packet) => received.push(packet),
            Event::NotifyError(found) => error = Some(found),
            // Timers are the session's own; a close comes with the error that is its reason, or
            // after something that was sent to end the connection.
            _ => {}
        }
    }
    (received, error)
}

fn why(text: Option<&str>) -> Vec<Property> {
    let text: String = text.unwrap_or_default().chars().take(REASON_MAX).collect();
    packet::ReasonString::new(text.as_str())
        .map(|r| vec![r.into()])
        .unwrap_or_default()
}

/// When to come back, as a user property.
fn later(reason: &Reason) -> Vec<Property> {
    let value = reason.retry_after.map(retry::value);
    let property = value.and_then(|v| packet::UserProperty::new(retry::PROPERTY, v).ok());
    property.map(Into::into).into_iter().collect()
}

fn describe(error: MqttError) -> String {
    match error {
        MqttError::MalformedPacket => "sent octets that are no MQTT packet".to_owned(),
        MqttError::PacketTooLarge => "sent a packet larger than allowed".to_owned(),
        MqttError::ReceiveMaximumExceeded => {
            "sent more unacknowledged messages than the receive maximum".to_owned()
        }
        MqttError::UnsupportedProtocolVersion => {
            "speaks a version of MQTT other than 3.1.1 and 5".to_owned()
        }
        other => format!("broke the MQTT protocol ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        packet_max: 4096,
        receive_max: 8,
    };

    fn connect(version: u8) -> Vec<u8> {
        let mut packet = vec![0x10, 0, 0, 4];
        packet.extend_from_slice(b"MQTT");
        packet.extend_from_slice(&[version, 2, 0, 30]);
        if version == 5 {
            packet.push(0);
        }
        packet.extend_from_slice(&[0, 2, b'g', b'w']);
        packet[1] = u8::try_from(packet.len() - 2).unwrap();
        packet
    }

    /// A connection that is in, with whatever it said cleared away.
    fn connected(version: u8) -> Mqtt {
        let (mut mqtt, mut out, mut packets) = (Mqtt::new(LIMITS), Vec::new(), VecDeque::new());
        mqtt.receive(&connect(version), &mut out, &mut packets)
            .unwrap();
        assert!(matches!(packets.pop_front(), Some(Packet::Connect(c)) if c.client_id == "gw"));
        mqtt.accept(None, false, &mut out);
        assert_eq!(out[0], 0x20);
        mqtt
    }

    /// Answers everything as a session would; what matters is that nothing panics.
    fn work(mqtt: &mut Mqtt, chunks: &[Vec<u8>]) {
        let reason = Reason::new(Reason::NOT_AUTHORIZED, "no");
        for chunk in chunks {
            let (mut out, mut packets) = (Vec::new(), VecDeque::new());
            let broken = mqtt.receive(chunk, &mut out, &mut packets).is_err();
            for packet in packets {
                match packet {
                    Packet::Publish(Publish { id: Some(id), .. }) => {
                        mqtt.puback(id, None, &mut out);
                    }
                    Packet::Subscribe { id, filters } => {
                        let results = vec![Err(reason.clone()); filters.len()];
                        mqtt.suback(id, &results, &mut out);
                    }
                    Packet::Unsubscribe { id, filters } => {
                        mqtt.unsuback(id, filters.len(), &mut out);
                    }
                    Packet::Ping => mqtt.pong(&mut out),
                    _ => {}
                }
            }
            mqtt.publish("riser/v1/a/b/down/ack", vec![1], &mut out);
            if broken {
                mqtt.disconnect(&reason, &mut out);
                return;
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_before_the_connect_are_survived(chunks in vec(vec(any::<u8>(), 0..64), 0..8)) {
            work(&mut Mqtt::new(LIMITS), &chunks);
        }

        #[test]
        fn any_octets_after_the_connect_are_survived(
            version in prop_oneof![Just(4_u8), Just(5_u8)],
            chunks in vec(vec(any::<u8>(), 0..64), 0..8),
        ) {
            work(&mut connected(version), &chunks);
        }

        /// Octets that look like packets get further than noise does.
        #[test]
        fn any_packets_after_the_connect_are_survived(
            version in prop_oneof![Just(4_u8), Just(5_u8)],
            packets in vec((any::<u8>(), vec(any::<u8>(), 0..100)), 0..12),
        ) {
            let chunks: Vec<Vec<u8>> = packets
                .into_iter()
                .map(|(first, body)| {
                    let mut packet = vec![first, u8::try_from(body.len()).unwrap_or(0)];
                    packet.extend_from_slice(&body);
                    packet
                })
                .collect();
            work(&mut connected(version), &chunks);
        }
    }

    #[test]
    fn packets_split_anywhere_are_the_same_packets() {
        let mut stream = vec![0x32, 8, 0, 1, b'a', 0, 7];
        stream.extend_from_slice(&[0, b'x', b'y', 0xC0, 0]);
        stream[1] = 8;
        for cut in 0..=stream.len() {
            let (mut mqtt, mut out, mut packets) = (connected(5), Vec::new(), VecDeque::new());
            for part in [&stream[..cut], &stream[cut..]] {
                mqtt.receive(part, &mut out, &mut packets).unwrap();
            }
            assert_eq!(packets.len(), 2, "cut at {cut}");
            assert!(
                matches!(&packets[0], Packet::Publish(p) if p.id == Some(7) && &p.payload[..] == b"xy")
            );
            assert_eq!(packets[1], Packet::Ping);
        }
    }

    #[test]
    fn a_client_that_wants_no_reasons_gets_none() {
        let mut mqtt = Mqtt::new(LIMITS);
        let (mut out, mut packets) = (Vec::new(), VecDeque::new());
        let mut quiet = connect(5);
        // Property 0x17, request problem information: 0.
        quiet.splice(12..13, [2, 0x17, 0]);
        quiet[1] += 2;
        mqtt.receive(&quiet, &mut out, &mut packets).unwrap();
        mqtt.accept(None, false, &mut out);
        mqtt.receive(&[0x32, 6, 0, 1, b'a', 0, 7, 0], &mut out, &mut packets)
            .unwrap();
        out.clear();
        mqtt.puback(
            7,
            Some(&Reason::new(Reason::NOT_AUTHORIZED, "because")),
            &mut out,
        );
        assert_eq!(out[0], 0x40);
        assert_eq!(out[4], 0x87);
        assert!(!out.windows(7).any(|w| w == b"because"), "{out:?}");
    }
}
