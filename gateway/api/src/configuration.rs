//! The way to whoever keeps the configuration. Owns the queue of what is asked; what a document means
//! and what becomes of it is the daemon's.

use riser_model::{
    ConfigurationAsk, ConfigurationRefusal, ConfigurationRefusalKind, ConfigurationReply,
};
use riser_store::Trace;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Questions that may wait.
const WAITING: usize = 16;

/// One question.
#[derive(Debug)]
pub struct ConfigurationJob {
    /// What is asked.
    pub ask: ConfigurationAsk,
    /// By whom.
    pub by: Trace,
    /// What it was named by whoever asked from afar.
    pub request: Option<Uuid>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<ConfigurationReply, ConfigurationRefusal>>,
}

/// The way to the configuration. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ConfigurationDesk(mpsc::Sender<ConfigurationJob>);

impl ConfigurationDesk {
    /// A way, and its other end.
    #[must_use]
    pub fn open() -> (Self, mpsc::Receiver<ConfigurationJob>) {
        let (asks, jobs) = mpsc::channel(WAITING);
        (Self(asks), jobs)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// It was not done, and nothing has changed.
    pub async fn ask(
        &self,
        ask: ConfigurationAsk,
        by: Trace,
        request: Option<Uuid>,
    ) -> Result<ConfigurationReply, ConfigurationRefusal> {
        let gone = || ConfigurationRefusal {
            kind: ConfigurationRefusalKind::Failed,
            message: "the gateway is going down or starting; ask again in a moment".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let job = ConfigurationJob {
            ask,
            by,
            request,
            reply,
        };
        self.0.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
