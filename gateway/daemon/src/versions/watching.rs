//! What the desk does by itself: it takes a change back that nobody confirmed or that does harm, says
//! so, and notes on which version the gateway has run steadily.

use super::SUBJECT;
use super::desk::{Asker, Desk};
use super::gate::{self, Patience};
use riser_model::AlarmPriority;
use riser_rules::Present;
use riser_runtime::Runtime;
use riser_store::Trace;
use std::time::Duration;
use tokio::time::Instant;

/// A version the gateway has run on for so long is proven.
const PROVEN_AFTER: Duration = Duration::from_secs(60);

impl Desk {
    /// Looks at a version that waits, and proves one that has run long enough.
    pub(super) async fn look(&mut self) {
        let number = self.parts.running.version.version;
        let Some(waiting) = &mut self.waiting else {
            if !self.parts.running.version.proven && self.since.elapsed() >= PROVEN_AFTER {
                self.parts.running.version.proven = true;
                if let Err(error) = self.parts.store.configuration_proven(number).await {
                    tracing::warn!(error = error.chain(), "a steady run could not be recorded");
                }
            }
            return;
        };
        let now = Instant::now();
        let settling = &self.parts.config.configuration;
        let patience = Patience {
            settle: Duration::from_secs(settling.settle_seconds.into()),
            link: Duration::from_secs(settling.link_seconds.into()),
        };
        let state = self.parts.link.state();
        let harm = gate::harm(&waiting.before, &self.parts.runtime, (state, patience));
        let why = match harm {
            Some(harm) => {
                let since = *waiting.harm.get_or_insert(now);
                (since.elapsed() >= harm.patience).then_some(harm.what)
            }
            None => {
                waiting.harm = None;
                None
            }
        };
        let why =
            why.or_else(|| (now >= waiting.ends).then(|| "nobody confirmed it in time".to_owned()));
        if let Some(why) = why {
            self.take_back(number, why).await;
        }
    }

    /// Takes the waiting version back by itself, and says so.
    async fn take_back(&mut self, number: u32, why: String) {
        let own = Asker {
            by: Trace::gateway(),
            request: None,
        };
        match self.back((number, why.clone()), &own).await {
            Ok(()) => tell(
                &self.parts.runtime,
                &format!("configuration {number} was taken back: {why}"),
            ),
            Err(refused) => {
                tracing::error!(
                    "the configuration could not be taken back: {}",
                    refused.message
                );
                // Tried again, but not in a whirl.
                if let Some(waiting) = &mut self.waiting {
                    waiting.ends = Instant::now() + Duration::from_secs(10);
                }
            }
        }
    }
}

/// Raises an alarm about something that is over: it waits for somebody to take note of it.
pub(crate) fn tell(runtime: &Runtime, message: &str) {
    let present = Present {
        priority: AlarmPriority::High,
        message: message.to_owned(),
    };
    runtime.condition(SUBJECT, Some(present));
    runtime.condition(SUBJECT, None);
}
