//! Faults of the link: at which moment of a connection they strike, and what they do to it. Owns
//! where in the octets of a connection each moment lies.

use riser_e2e::proxy::{Flight, How, Mode, Spoil};

/// A SUBACK for one topic (MQTT 5.0, 3.9: 6 octets) in a TLS 1.3 record (RFC 8446, 5.2: 22 more).
const SUBACK: u64 = 28;

/// What the gateway waits for when the fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The TCP connection, or the first octet on it.
    Connect,
    /// The rest of the TLS handshake.
    Handshake,
    /// The answer to its MQTT CONNECT.
    Connack,
    /// The answer to its subscription.
    Suback,
    /// The first PUBACK.
    Puback,
    /// The cloud's word that batches are durable, on a connection that has worked.
    Durable,
}

impl Moment {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Connect,
        Self::Handshake,
        Self::Connack,
        Self::Suback,
        Self::Puback,
        Self::Durable,
    ];

    /// Whether a new connection is needed to get there.
    #[must_use]
    pub fn is_early(self) -> bool {
        self != Self::Durable
    }

    /// Octets from the cloud after which the gateway waits for this, on a connection like the one
    /// whose flights are given; `None` when its SUBACK did not come alone.
    #[must_use]
    pub fn octets(self, flights: &[Flight]) -> Option<u64> {
        let down: Vec<u64> = flights.iter().filter(|f| !f.up).map(|f| f.octets).collect();
        let suback = down.iter().position(|octets| *octets == SUBACK)?;
        let sum = |n: usize| down.iter().take(n).sum();
        Some(match self {
            Self::Connect | Self::Durable => 0,
            Self::Handshake => sum(1) / 2,
            Self::Connack => sum(1),
            Self::Suback => sum(suback),
            Self::Puback => sum(suback + 1),
        })
    }
}

/// One fault of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub moment: Moment,
    /// What.
    pub how: How,
}

impl Fault {
    /// Everything that can happen at every moment.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let hows = [
            How::BlackHole,
            How::Reset,
            How::HalfOpen,
            How::Octets,
            How::Slow(1_000),
        ];
        let at = |moment| hows.map(|how| Self { moment, how });
        Moment::ALL.into_iter().flat_map(at).collect()
    }

    /// Whether things still get through, if slowly.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self.how, How::Octets | How::Slow(_))
    }

    /// What the link is to do, given how a connection goes; `None` when that one was no good example.
    #[must_use]
    pub fn mode(&self, flights: &[Flight]) -> Option<Mode> {
        Some(Mode::Spoilt(Spoil {
            how: self.how,
            after_down: self.moment.octets(flights)?,
            up_only: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moment_has_its_place_in_a_connection() {
        let flights: Vec<Flight> = [323, 219, 80, 103, 51, 43, 342, 28, 88, 282]
            .into_iter()
            .enumerate()
            .map(|(i, octets)| Flight {
                up: i % 2 == 0,
                octets,
            })
            .collect();
        let places = Moment::ALL.map(|m| m.octets(&flights));
        let expected = [0, 109, 219, 365, 393, 0];
        assert_eq!(places, expected.map(Some));
        assert_eq!(Moment::Suback.octets(&flights[..6]), None);
    }
}
