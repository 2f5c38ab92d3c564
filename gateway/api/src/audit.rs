//! The state of the audit log as people see it. Owns how old an answer may be, since a check reads
//! every entry, and the alarm about a break.

use riser_model::{AlarmPriority, Timestamp};
use riser_runtime::{Clock, Present, Runtime};
use riser_store::{AuditReport, Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Subject of the alarm about a broken audit log.
pub const AUDIT_SUBJECT: &str = "audit";
/// A check is good for so long, unless somebody wants a new one.
const FRESH: Duration = Duration::from_secs(60);

/// What the alarm about the audit log says; `None` while nothing is broken that nobody knows of.
#[must_use]
pub fn audit_condition(report: &AuditReport) -> Option<Present> {
    let broken = report.broken.as_ref()?;
    Some(Present {
        priority: AlarmPriority::Critical,
        message: format!(
            "the audit log was tampered with or damaged: {broken}; see its page, then acknowledge \
             the break there"
        ),
    })
}

struct Looked {
    report: AuditReport,
    at: Timestamp,
    since: Instant,
}

/// Looks at the log, not more often than needed.
pub(crate) struct AuditWatch {
    store: Store,
    runtime: Runtime,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Looked>>,
}

impl AuditWatch {
    pub(crate) fn new(store: Store, runtime: Runtime, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            runtime,
            clock,
            last: Mutex::new(None),
        }
    }

    /// How the log stands, and when that was found.
    pub(crate) async fn look(&self, anew: bool) -> Result<(AuditReport, Timestamp), StoreError> {
        let mut last = self.last.lock().await;
        if let Some(looked) = last.as_ref().filter(|l| !anew && l.since.elapsed() < FRESH) {
            return Ok((looked.report.clone(), looked.at));
        }
        let report = self.store.verify_audit().await?;
        Ok(self.keep(&mut last, report))
    }

    /// Records that somebody knows of the breaks, and answers with how the log stands then.
    pub(crate) async fn acknowledge(
        &self,
        by: riser_store::Trace,
        comment: &str,
    ) -> Result<(AuditReport, Timestamp), StoreError> {
        let mut last = self.last.lock().await;
        let report = self.store.acknowledge_breaks(by, comment).await?;
        Ok(self.keep(&mut last, report))
    }

    fn keep(&self, last: &mut Option<Looked>, report: AuditReport) -> (AuditReport, Timestamp) {
        let condition = audit_condition(&report);
        self.runtime.condition(AUDIT_SUBJECT, condition);
        let at = self.clock.now();
        *last = Some(Looked {
            report: report.clone(),
            at,
            since: Instant::now(),
        });
        (report, at)
    }
}
