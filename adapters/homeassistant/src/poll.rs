//! History: the hourly statistics Home Assistant keeps, filled in where nothing is stored. Runs
//! beside the live values, one request at a time through the same connection. Repeatable: what is
//! stored is asked first, so neither a new start nor a kill makes doubles.

mod hours;

use self::hours::{Use, missing, stretches};
use crate::book::Book;
use crate::codec::rows;
use crate::mapping::Aspect;
use riser_adapter::{Past, PastError};
use riser_model::{Slot, Timestamp, chain};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Statistics asked for at once.
const AT_ONCE: usize = 16;
/// How long is waited when history cannot be stored now.
const AGAIN: Duration = Duration::from_secs(30);
/// How often that is tried.
const TRIES: usize = 20;

/// A question for the connection, and where its answer goes.
pub(crate) struct Question {
    pub(crate) kind: &'static str,
    pub(crate) body: Map<String, Value>,
    pub(crate) answer: oneshot::Sender<Result<Value, String>>,
}

/// What came of filling in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Samples stored.
    pub(crate) samples: usize,
    /// Rows that could not be read.
    pub(crate) unread: usize,
    /// Why it ended early, if it did.
    pub(crate) problem: Option<String>,
}

/// What to fill in, and with what.
pub(crate) struct Filling {
    pub(crate) past: Arc<dyn Past>,
    pub(crate) desk: mpsc::Sender<Question>,
    pub(crate) days: u16,
    pub(crate) now: Timestamp,
    /// The number points statistics may belong to.
    pub(crate) points: HashMap<String, Slot>,
}

/// The points whose past Home Assistant may know.
pub(crate) fn with_past(book: &Book) -> HashMap<String, Slot> {
    let numbers = book
        .points
        .iter()
        .filter(|e| e.plan.aspect == Aspect::Number);
    numbers.map(|e| (e.entity.clone(), e.slot)).collect()
}

impl Filling {
    /// Fills in everything there is; ends early when the connection does.
    pub(crate) async fn run(self) -> Filled {
        let mut filled = Filled::default();
        if let Err(problem) = self.fill(&mut filled).await {
            filled.problem = Some(problem);
        }
        filled
    }

    async fn fill(&self, filled: &mut Filled) -> Result<(), String> {
        let listed = self.ask("recorder/list_statistic_ids", json!({})).await?;
        let known: Vec<(String, Use)> = self.known(&listed);
        for (from, to) in stretches(self.now, self.days) {
            for some in known.chunks(AT_ONCE) {
                self.stretch(some, (from, to), filled).await?;
            }
        }
        Ok(())
    }

    /// The statistics of our points, and what of them is a sample.
    fn known(&self, listed: &Value) -> Vec<(String, Use)> {
        let list = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut known: Vec<(String, Use)> = list
            .iter()
            .filter_map(|entry| {
                let id = entry.get("statistic_id")?.as_str()?;
                let has = |key: &str| entry.get(key).and_then(Value::as_bool).unwrap_or(false);
                self.points.get(id)?;
                let wanted = match (has("has_sum"), has("has_mean")) {
                    (true, _) => Use::Reading,
                    (false, _) => Use::Mean,
                };
                Some((id.to_owned(), wanted))
            })
            .collect();
        known.sort_by(|a, b| a.0.cmp(&b.0));
        known
    }

    async fn stretch(
        &self,
        some: &[(String, Use)],
        (from, to): (Timestamp, Timestamp),
        filled: &mut Filled,
    ) -> Result<(), String> {
        let ids: Vec<&str> = some.iter().map(|(id, _)| id.as_str()).collect();
        let body = json!({
            "start_time": text(from), "end_time": text(to), "period": "hour",
            "statistic_ids": ids, "types": ["mean", "state"],
        });
        let answer = self.ask("recorder/statistics_during_period", body).await?;
        for (id, wanted) in some {
            let (Some(list), Some(slot)) = (answer.get(id), self.points.get(id)) else {
                continue;
            };
            let (rows, unread) = rows(list);
            filled.unread += unread;
            let stored = self.past.stamps(*slot, from, to).await;
            let stored = stored.map_err(|e| chain(&e))?;
            let scans = missing(*slot, (&rows, *wanted), &stored);
            filled.samples += scans.len();
            self.store(scans).await?;
        }
        Ok(())
    }

    async fn store(&self, scans: Vec<riser_model::ScanBatch>) -> Result<(), String> {
        if scans.is_empty() {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            match self.past.add(scans.clone()).await {
                Ok(()) => return Ok(()),
                Err(error @ PastError::Refused(_)) => return Err(chain(&error)),
                Err(error) => {
                    tries += 1;
                    if tries == TRIES {
                        return Err(chain(&error));
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn ask(&self, kind: &'static str, body: Value) -> Result<Value, String> {
        let gone = || "the connection ended".to_owned();
        let (answer, answered) = oneshot::channel();
        let body = match body {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        let question = Question { kind, body, answer };
        self.desk.send(question).await.map_err(|_| gone())?;
        let answer = answered.await.map_err(|_| gone())?;
        answer.map_err(|why| format!("'{kind}' was refused: {why}"))
    }
}

fn text(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0);
    at.map(|at| at.to_string()).unwrap_or_default()
}
