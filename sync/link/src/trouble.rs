//! What went wrong with a connection, in words a technician can act on. Owns the mapping from
//! TLS alerts and MQTT reason codes to text.

use rumqttc::v5::mqttbytes::Error as PacketError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError, TlsError};
use rustls::{AlertDescription, CertificateError, Error as Tls};
use std::error::Error;
use std::io;

/// The text for an error of the client.
pub(crate) fn describe(error: &ConnectionError, host: &str) -> String {
    match error {
        ConnectionError::Timeout(_) => {
            format!("could not connect to {host} in time: no answer to TCP, TLS or MQTT")
        }
        ConnectionError::ConnectionRefused(code) => refused(*code),
        ConnectionError::Io(e) => of_io(e, host),
        ConnectionError::Tls(TlsError::Io(e)) => of_io(e, host),
        ConnectionError::Tls(TlsError::TLS(e)) => of_tls(e, host),
        ConnectionError::Tls(e) => format!("TLS with {host} cannot be set up: {e}"),
        ConnectionError::MqttState(state) => of_state(state, host),
        ConnectionError::NotConnAck(_) => {
            format!("{host} does not speak MQTT 5: its first answer is not a CONNACK")
        }
        other => format!("the connection to {host} failed: {other}"),
    }
}

/// Whether the other side was reached and does not want this gateway as it is, or is not the one
/// this gateway wants: another client has taken its name, a certificate is not accepted, the cloud
/// is busy. Trying again at once would end the same way.
pub(crate) fn turned_away(error: &ConnectionError) -> bool {
    use DisconnectReasonCode as D;
    let refused_by_tls = |e: &io::Error| {
        find_tls(e).is_some_and(|tls| {
            !matches!(
                tls,
                Tls::AlertReceived(AlertDescription::CloseNotify | AlertDescription::InternalError)
            )
        })
    };
    match error {
        ConnectionError::ConnectionRefused(_) | ConnectionError::Tls(TlsError::TLS(_)) => true,
        ConnectionError::Io(e)
        | ConnectionError::Tls(TlsError::Io(e))
        | ConnectionError::MqttState(
            StateError::Io(e) | StateError::Deserialization(PacketError::Io(e)),
        ) => refused_by_tls(e),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => matches!(
            reason_code,
            D::SessionTakenOver
                | D::NotAuthorized
                | D::ServerBusy
                | D::QuotaExceeded
                | D::ConnectionRateExceeded
        ),
        _ => false,
    }
}

/// Code of MQTT 5.0, 2.4: packet too large. The client does not know it in a PUBACK.
const PACKET_TOO_LARGE: u8 = 0x95;

/// Whether the other side did not take a packet because of its length.
pub(crate) fn too_long(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            *reason_code == DisconnectReasonCode::PacketTooLarge
        }
        ConnectionError::MqttState(StateError::Deserialization(
            PacketError::InvalidConnectReturnCode(code) | PacketError::InvalidReason(code),
        )) => *code == PACKET_TOO_LARGE,
        _ => false,
    }
}

fn of_state(state: &StateError, host: &str) -> String {
    match state {
        StateError::Deserialization(PacketError::InvalidConnectReturnCode(PACKET_TOO_LARGE)) => {
            format!("{host} takes no packet this long: sending it in parts")
        }
        StateError::Io(e) | StateError::Deserialization(PacketError::Io(e)) => of_io(e, host),
        StateError::ConnectionAborted => format!(
            "{host} closed the connection; if this repeats, it may not accept the gateway's certificate, or another gateway uses the same one"
        ),
        StateError::AwaitPingResp => format!("{host} no longer answers: the keep-alive ran out"),
        StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        } => format!(
            "{host} ended the connection: another gateway has connected under the same name; no two may share a certificate"
        ),
        StateError::ServerDisconnect {
            reason_code,
            reason_string,
        } => {
            let more = reason_string
                .as_deref()
                .map(|r| format!(": {r}"))
                .unwrap_or_default();
            format!("{host} ended the connection ({reason_code:?}){more}")
        }
        other => format!("the MQTT connection to {host} failed: {other}"),
    }
}

fn of_io(error: &io::Error, host: &str) -> String {
    if let Some(tls) = find_tls(error) {
        return of_tls(tls, host);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{host} refused the connection: nothing listens on that port")
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => format!(
            "{host} closed the connection ({error}); if this repeats, it may not accept the gateway's certificate"
        ),
        _ => format!("the network connection to {host} failed: {error}"),
    }
}

/// The TLS error inside an I/O error, however deep.
fn find_tls(error: &io::Error) -> Option<&Tls> {
    let mut inner: &(dyn Error + 'static) = error.get_ref()?;
    loop {
        if let Some(tls) = inner.downcast_ref::<Tls>() {
            return Some(tls);
        }
        inner = match inner.downcast_ref::<io::Error>() {
            Some(deeper) => deeper.get_ref()?,
            None => inner.source()?,
        };
    }
}

/// The text for a TLS error: which side's certificate, and what about it.
fn of_tls(error: &Tls, host: &str) -> String {
    match error {
        Tls::AlertReceived(alert) => of_alert(*alert, host),
        Tls::InvalidCertificate(why) => of_server(why, host),
        Tls::PeerIncompatible(why) => format!("{host} does not speak TLS 1.3: {why:?}"),
        other => format!("TLS with {host} failed: {other}"),
    }
}

fn of_alert(alert: AlertDescription, host: &str) -> String {
    use AlertDescription as A;
    let why = match alert {
        A::CertificateExpired => "it has expired; renew it",
        A::CertificateRevoked => "it has been revoked; enrol the gateway anew",
        A::UnknownCA => "it comes from a CA that the cloud does not know",
        A::CertificateRequired | A::NoCertificate => "none was presented",
        A::BadCertificate => "it is damaged or its signature is wrong",
        A::UnsupportedCertificate => "it is of a kind the cloud does not take",
        A::CertificateUnknown => "the cloud does not accept it",
        A::AccessDenied => "the cloud denies access to its owner",
        A::ProtocolVersion => return format!("{host} does not speak TLS 1.3"),
        A::UnrecognisedName => return format!("nobody answers to the name {host} there"),
        other => return format!("{host} ended the TLS handshake: {other:?}"),
    };
    format!("{host} refused the gateway's certificate: {why}")
}

fn of_server(why: &CertificateError, host: &str) -> String {
    use CertificateError as C;
    let why = match why {
        C::Expired | C::ExpiredContext { .. } => {
            "it has expired, or the gateway's clock is wrong".to_owned()
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "it is not valid yet: the gateway's clock is probably wrong".to_owned()
        }
        C::UnknownIssuer => "it comes from a CA that this gateway does not know".to_owned(),
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            format!("it is not for the name {host}")
        }
        C::Revoked => "it has been revoked".to_owned(),
        other => format!("{other:?}"),
    };
    format!("the certificate of {host} is not accepted: {why}")
}

fn refused(code: ConnectReturnCode) -> String {
    use ConnectReturnCode as R;
    let why = match code {
        R::NotAuthorized | R::BadUserNamePassword => {
            "the certificate does not belong to this tenant and gateway"
        }
        R::BadClientId | R::ClientIdentifierNotValid => {
            "the gateway's name does not match its certificate"
        }
        R::Banned => "this gateway is banned",
        R::ServerBusy | R::ServerUnavailable | R::ServiceUnavailable | R::QuotaExceeded => {
            "it is busy; the gateway will try again"
        }
        R::ConnectionRateExceeded => "too many connections at once; the gateway will try again",
        R::UnsupportedProtocolVersion | R::RefusedProtocolVersion => "it does not speak MQTT 5",
        R::UseAnotherServer | R::ServerMoved => "another server should be used; change the URL",
        _ => return format!("the cloud refused the connection ({code:?})"),
    };
    format!("the cloud refused the connection ({code:?}): {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(alert: AlertDescription) -> String {
        let io = io::Error::new(io::ErrorKind::InvalidData, Tls::AlertReceived(alert));
        let state = StateError::Deserialization(PacketError::Io(io));
        describe(&ConnectionError::MqttState(state), "cloud.example")
    }

    #[test]
    fn alerts_say_what_is_wrong_with_the_certificate() {
        for (code, word) in [
            (AlertDescription::CertificateExpired, "expired"),
            (AlertDescription::CertificateRevoked, "revoked"),
            (AlertDescription::UnknownCA, "does not know"),
            (AlertDescription::CertificateRequired, "none was presented"),
        ] {
            let text = alert(code);
            assert!(
                text.contains(word) && text.contains("refused the gateway's"),
                "{text}"
            );
        }
    }

    #[test]
    fn alerts_are_found_inside_nested_errors() {
        let tls = Tls::AlertReceived(AlertDescription::CertificateRevoked);
        let inner = io::Error::new(io::ErrorKind::InvalidData, tls);
        let outer = io::Error::other(inner);
        assert!(describe(&ConnectionError::Io(outer), "h").contains("revoked"));
    }

    #[test]
    fn the_servers_certificate_is_told_from_ours() {
        let error = Tls::InvalidCertificate(CertificateError::Expired);
        let text = describe(&ConnectionError::Tls(TlsError::TLS(error)), "cloud.example");
        assert!(
            text.starts_with("the certificate of cloud.example"),
            "{text}"
        );
        assert!(text.contains("clock"), "{text}");
    }

    #[test]
    fn a_name_taken_over_is_told_from_a_lost_connection() {
        let taken = ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            reason_string: None,
        });
        assert!(turned_away(&taken));
        assert!(describe(&taken, "h").contains("under the same name"));
        let lost = ConnectionError::MqttState(StateError::ConnectionAborted);
        assert!(!turned_away(&lost));
    }

    #[test]
    fn who_was_refused_is_told_from_who_was_not_heard() {
        let revoked = Tls::AlertReceived(AlertDescription::CertificateRevoked);
        let revoked = io::Error::new(io::ErrorKind::InvalidData, revoked);
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let busy = ConnectReturnCode::ServerBusy;
        assert!(turned_away(&ConnectionError::Io(revoked)));
        assert!(turned_away(&ConnectionError::ConnectionRefused(busy)));
        assert!(!turned_away(&ConnectionError::Io(reset())));
        let state = StateError::Deserialization(PacketError::Io(reset()));
        assert!(!turned_away(&ConnectionError::MqttState(state)));
    }

    #[test]
    fn refusals_name_their_code() {
        let text = describe(
            &ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized),
            "h",
        );
        assert!(
            text.contains("NotAuthorized") && text.contains("tenant"),
            "{text}"
        );
    }
}
