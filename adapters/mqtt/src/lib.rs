//! What went wrong with a connection to an MQTT broker, in words a technician can act on, for every
//! adapter that uses one. Owns the mapping from MQTT 5 reason codes (clauses 3.2.2.2 and 3.14.2.1),
//! TLS and socket errors to text; knows nothing of what is said over the connection.

use rumqttc::v5::mqttbytes::Error as PacketError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError, TlsError};
use rustls::Error as Tls;
use std::error::Error;
use std::io;

/// Where the connection goes, and as whom.
#[derive(Debug, Clone)]
pub struct Place {
    /// Host and port.
    pub place: String,
    /// User, if there is one.
    pub user: Option<String>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In words.
    pub words: String,
    /// The broker was reached and does not want this client: hurrying back is no use.
    pub turned_away: bool,
}

/// The words for an error of the client.
#[must_use]
pub fn describe(error: &ConnectionError, place: &Place) -> Trouble {
    let at = &place.place;
    let (words, turned_away) = match error {
        ConnectionError::Timeout(_) => (
            format!(
                "no answer from {at} in time; check address, cable and firewall, and that an MQTT broker runs there"
            ),
            false,
        ),
        ConnectionError::ConnectionRefused(code) => (refused(*code, place), true),
        ConnectionError::MqttState(StateError::ConnFail { reason }) => {
            (refused(*reason, place), true)
        }
        ConnectionError::Io(e) | ConnectionError::Tls(TlsError::Io(e)) => of_io(e, at),
        ConnectionError::Tls(TlsError::TLS(e)) => (of_tls(e, at), true),
        ConnectionError::MqttState(state) => of_state(state, at),
        ConnectionError::NotConnAck(_) => (no_mqtt(at), true),
        other => (format!("the connection to {at} failed: {other}"), false),
    };
    Trouble { words, turned_away }
}

fn no_mqtt(at: &str) -> String {
    format!(
        "{at} does not answer as an MQTT 5 broker; check the port, and that the broker is recent (mosquitto 1.6 or later)"
    )
}

fn of_state(state: &StateError, at: &str) -> (String, bool) {
    match state {
        StateError::Deserialization(PacketError::Io(e)) | StateError::Io(e) => of_io(e, at),
        StateError::Deserialization(_) => (no_mqtt(at), false),
        StateError::ConnectionAborted => (format!("the broker {at} closed the connection"), false),
        StateError::AwaitPingResp => (
            format!("the broker {at} no longer answers; it hangs, or the network to it is cut"),
            false,
        ),
        StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        } => (
            format!(
                "another client has connected to {at} under the same client id; give each its own client_id"
            ),
            true,
        ),
        StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::ServerShuttingDown,
            ..
        } => (format!("the broker {at} is shutting down"), false),
        StateError::ServerDisconnect { reason_code, .. } => (
            format!("the broker {at} ended the connection ({reason_code:?})"),
            true,
        ),
        other => (
            format!("the MQTT connection to {at} failed: {other}"),
            false,
        ),
    }
}

fn of_io(error: &io::Error, at: &str) -> (String, bool) {
    if let Some(tls) = find_tls(error) {
        return (of_tls(tls, at), true);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            format!(
                "nothing listens on {at}: the broker is not running there, or listens on another port or interface"
            ),
            false,
        ),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted => {
            (format!("the broker {at} closed the connection"), false)
        }
        _ if error.to_string().contains("lookup") || error.kind() == io::ErrorKind::NotFound => (
            format!("the name of {at} is not known; check host and the gateway's name server"),
            false,
        ),
        _ => (
            format!("the network connection to {at} failed: {error}"),
            false,
        ),
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

fn of_tls(error: &Tls, at: &str) -> String {
    match error {
        Tls::InvalidCertificate(why) => {
            format!(
                "the certificate of {at} is not accepted ({why:?}); check ca, the name in host, and the gateway's clock"
            )
        }
        Tls::AlertReceived(alert) => {
            format!(
                "{at} ended the TLS handshake ({alert:?}); it may want a client certificate: check cert and private_key"
            )
        }
        Tls::InvalidMessage(_) => {
            format!(
                "{at} does not speak TLS; it may be the plain port: leave ca out, or use the broker's TLS port"
            )
        }
        other => format!("TLS with {at} failed: {other}"),
    }
}

fn refused(code: ConnectReturnCode, place: &Place) -> String {
    use ConnectReturnCode as R;
    let at = &place.place;
    match (code, &place.user) {
        (R::NotAuthorized | R::BadUserNamePassword, Some(user)) => {
            format!("the broker {at} refuses user '{user}'; check username and password")
        }
        (R::NotAuthorized | R::BadUserNamePassword, None) => {
            format!("the broker {at} wants a user and a password; give username and password")
        }
        (R::BadClientId | R::ClientIdentifierNotValid, _) => {
            format!("the broker {at} does not take this client_id; give another")
        }
        (R::UnsupportedProtocolVersion | R::RefusedProtocolVersion, _) => no_mqtt(at),
        (R::ServerBusy | R::ServerUnavailable | R::ServiceUnavailable | R::QuotaExceeded, _) => {
            format!("the broker {at} is busy ({code:?}); trying again")
        }
        _ => format!("the broker {at} refused the connection ({code:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(user: Option<&str>) -> Place {
        Place {
            place: "192.0.2.10:1883".to_owned(),
            user: user.map(str::to_owned),
        }
    }

    #[test]
    fn a_refused_login_names_the_user_and_what_to_check() {
        let refused = ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized);
        let told = describe(&refused, &place(Some("riser")));
        assert!(
            told.turned_away && told.words.contains("'riser'"),
            "{told:?}"
        );
        assert!(
            describe(&refused, &place(None))
                .words
                .contains("give username")
        );
    }

    #[test]
    fn a_broker_that_is_not_there_is_told_from_one_that_closes() {
        let at = place(None);
        let none = ConnectionError::Io(io::ErrorKind::ConnectionRefused.into());
        assert!(describe(&none, &at).words.contains("nothing listens"));
        let closed = ConnectionError::Io(io::ErrorKind::ConnectionReset.into());
        assert!(
            describe(&closed, &at)
                .words
                .contains("closed the connection")
        );
    }
}
