//! Registration with a BBMD as a foreign device (Annex J.5.2). Owns when it is renewed and what is
//! said when it is refused.

use super::{Client, Heard, lock};
use crate::codec::Bvlc;
use crate::codec::bvlc::refusal;
use std::net::SocketAddrV4;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// How long a BBMD may take to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// Longest wait before a refused or unanswered registration is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// How a registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// Asked for.
    Pending,
    /// Taken.
    Registered,
    /// Refused or not answered, in words.
    Failed(String),
}

impl Client {
    /// Keeps this port registered until cancelled: renewed at three quarters of its time, and tried
    /// again soon when it fails. Broadcasts go through the BBMD from the first success on.
    pub fn register_with(
        &self,
        bbmd: SocketAddrV4,
        lifetime: Duration,
        cancel: CancellationToken,
    ) -> watch::Receiver<Registration> {
        let (state, shown) = watch::channel(Registration::Pending);
        let client = self.clone();
        tokio::spawn(cancel.run_until_cancelled_owned(async move {
            loop {
                let outcome = client.register_once(bbmd, lifetime).await;
                let pause = match &outcome {
                    Registration::Registered => lifetime * 3 / 4,
                    _ => (lifetime / 10).clamp(Duration::from_secs(1), AGAIN),
                };
                if outcome == Registration::Registered {
                    *lock(&client.inner.bbmd) = Some(bbmd);
                }
                state.send_replace(outcome);
                tokio::time::sleep(pause).await;
            }
        }));
        shown
    }

    async fn register_once(&self, bbmd: SocketAddrV4, lifetime: Duration) -> Registration {
        let mut heard = self.listen();
        let seconds = u16::try_from(lifetime.as_secs()).unwrap_or(u16::MAX).max(1);
        let frame = Bvlc::Register(seconds).encoded();
        if let Err(error) = self.inner.sockets.own.send_to(&frame, bbmd).await {
            let why = format!("registration with the BBMD {bbmd} could not be sent: {error}");
            return Registration::Failed(why);
        }
        let answer = async {
            loop {
                match heard.recv().await {
                    Ok(Heard::Bbmd(from, code)) if from == bbmd => return Some(code),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(Some(0)) => Registration::Registered,
            Ok(Some(code)) => Registration::Failed(format!(
                "the BBMD {bbmd} refused the registration: {}; allow foreign devices there, or name another BBMD",
                refusal(code)
            )),
            Ok(None) | Err(_) => Registration::Failed(format!(
                "the BBMD {bbmd} does not answer; check its address, and that UDP port {} is open on the way",
                bbmd.port()
            )),
        }
    }
}
