//! What adapters can do beyond reading and writing points: listing what their devices hold, and
//! operations of their own. Owns who may be asked when, how long an answer may take, the check of
//! parameters against their description, and the audit entries of every operation.

use crate::runtime::Runtime;
use crate::supervisor::Seat;
use crate::views::AdapterState;
use riser_adapter::{
    AdapterError, Browse, BrowseNode, Built, ErrorClass, Field, FieldKind, Operate, Operation,
};
use riser_model::audit::action;
use riser_store::{Note, Store, Trace};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use toml::{Table, Value};

/// Longest answer of a device that is browsed.
const BROWSE: Duration = Duration::from_secs(20);
/// How long whoever asked waits for an operation; it goes on beyond.
const OPERATE: Duration = Duration::from_secs(25);
/// Words of a key whose value is nobody's business.
const SECRET: [&str; 6] = ["password", "secret", "token", "key", "pin", "code"];

/// Characters of a parameter that are recorded as they are.
const LONG: usize = 80;

/// The further powers of one adapter.
#[derive(Clone, Default)]
pub(crate) struct Powers {
    browse: Option<Arc<dyn Browse>>,
    operate: Option<Arc<dyn Operate>>,
}

impl Powers {
    pub(crate) fn of(built: &Built) -> Self {
        Self {
            browse: built.browse.clone(),
            operate: built.operate.clone(),
        }
    }
}

impl std::fmt::Debug for Powers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (browse, operate) = (self.browse.is_some(), self.operate.is_some());
        write!(f, "Powers(browse: {browse}, operate: {operate})")
    }
}

/// What an adapter can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities {
    /// Its devices can be browsed.
    pub browse: bool,
    /// How many operations it has now.
    pub operations: usize,
}

/// Why an adapter did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// There is no such adapter.
    #[error("there is no adapter '{0}' on this gateway")]
    UnknownAdapter(String),
    /// There is no such operation, or the adapter cannot be browsed.
    #[error("adapter '{adapter}' has no {what}")]
    Unable {
        /// Which adapter.
        adapter: String,
        /// What it has not.
        what: String,
    },
    /// The adapter is not running.
    #[error("adapter '{adapter}' is not running: {why}")]
    NotRunning {
        /// Which adapter.
        adapter: String,
        /// What it says.
        why: String,
    },
    /// A parameter is missing, unknown or outside its bounds.
    #[error("{field}: {problem}")]
    Parameter {
        /// Its title.
        field: String,
        /// What is wrong and what to give instead.
        problem: String,
    },
    /// It was tried and did not work.
    #[error("{0}")]
    Failed(String),
    /// No answer in time.
    #[error("no answer within {} s{more}", .limit.as_secs())]
    TooSlow {
        /// What was waited.
        limit: Duration,
        /// What that means.
        more: &'static str,
    },
}

impl Runtime {
    /// What an adapter can be asked for.
    #[must_use]
    pub fn abilities(&self, adapter: &str) -> Abilities {
        let powers = self.seat(adapter).map(|seat| seat.powers());
        let powers = powers.unwrap_or_default();
        Abilities {
            browse: powers.browse.is_some(),
            operations: powers.operate.map_or(0, |o| o.operations().len()),
        }
    }

    /// The operations an adapter has now; none where it has no operations at all.
    ///
    /// # Errors
    /// There is no such adapter.
    pub fn operations(&self, adapter: &str) -> Result<Vec<Operation>, PowerError> {
        let powers = self.seat(adapter)?.powers();
        Ok(powers.operate.map_or_else(Vec::new, |o| o.operations()))
    }

    /// The children of a node of an adapter's devices; the empty path is the root.
    ///
    /// # Errors
    /// It cannot be browsed, is not running, or the device did not answer in time.
    pub async fn browse(&self, adapter: &str, path: String) -> Result<Vec<BrowseNode>, PowerError> {
        let seat = self.seat(adapter)?;
        let Some(browse) = seat.powers().browse else {
            return Err(unable(adapter, "devices to browse".to_owned()));
        };
        running(&seat)?;
        // In a task of its own: a defect in one adapter ends this question, nothing else.
        let asked = tokio::spawn(async move { browse.browse(path).await });
        match timeout(BROWSE, asked).await {
            Ok(Ok(answer)) => answer.map_err(|error| failed(&error)),
            Ok(Err(_)) => Err(PowerError::Failed(
                "the adapter failed inside; the log says why".to_owned(),
            )),
            Err(_) => Err(PowerError::TooSlow {
                limit: BROWSE,
                more: "; the device may be busy or gone, look at its lane",
            }),
        }
    }

    /// Does one of an adapter's operations; the audit log has that it was asked for, by whom, and
    /// what came of it, also when whoever asked is gone by then.
    ///
    /// # Errors
    /// It cannot be done, was refused, failed, or has no answer yet.
    pub async fn operate(
        &self,
        adapter: &str,
        (name, parameters): (&str, Table),
        by: Trace,
    ) -> Result<Table, PowerError> {
        let seat = self.seat(adapter)?;
        let without = || unable(adapter, format!("operation '{name}' (now)"));
        let operate = seat.powers().operate.ok_or_else(without)?;
        let operations = operate.operations();
        let found = operations.iter().find(|o| o.name == name);
        let operation = found.ok_or_else(without)?;
        let fitting = fitting(&operation.fields, &parameters);
        let record = Record {
            store: self.inner.store.clone(),
            object: format!("{adapter}/{name}"),
            by,
        };
        record.asked(&parameters).await;
        if let Err(error) = fitting.and_then(|()| running(&seat)) {
            record.ended(Err(&error)).await;
            return Err(error);
        }
        let name = name.to_owned();
        // Whoever asked may be gone before it ends; what came of it is recorded all the same.
        let work = tokio::spawn(async move {
            let done = tokio::spawn(async move { operate.operate(&name, parameters).await });
            let outcome = match done.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(failed(&error)),
                Err(_) => Err(PowerError::Failed(
                    "the adapter failed inside; the log says why".to_owned(),
                )),
            };
            record.ended(outcome.as_ref()).await;
            outcome
        });
        match timeout(OPERATE, work).await {
            Ok(outcome) => outcome.unwrap_or_else(|_| {
                Err(PowerError::Failed(
                    "it was cut off: the gateway is going down".to_owned(),
                ))
            }),
            Err(_) => Err(PowerError::TooSlow {
                limit: OPERATE,
                more: "; it goes on, and the audit log will say what came of it",
            }),
        }
    }

    fn seat(&self, adapter: &str) -> Result<Arc<Seat>, PowerError> {
        let seats = self.seats().into_iter();
        let mut named = seats.filter(|seat| seat.view().name == adapter);
        named
            .next()
            .ok_or_else(|| PowerError::UnknownAdapter(adapter.to_owned()))
    }
}

fn unable(adapter: &str, what: String) -> PowerError {
    PowerError::Unable {
        adapter: adapter.to_owned(),
        what,
    }
}

fn running(seat: &Seat) -> Result<(), PowerError> {
    let view = seat.view();
    if view.state == AdapterState::Running {
        return Ok(());
    }
    let why = view.last_error;
    Err(PowerError::NotRunning {
        adapter: view.name,
        why: why.unwrap_or_else(|| "it is just being started".to_owned()),
    })
}

/// What went wrong, as a person reads it; a parameter the adapter dislikes is one line as well.
fn failed(error: &AdapterError) -> PowerError {
    let text = riser_model::chain(error);
    match error.class {
        ErrorClass::Misconfigured => PowerError::Parameter {
            field: error.object.clone(),
            problem: text,
        },
        ErrorClass::Retryable | ErrorClass::Fatal => PowerError::Failed(text),
    }
}

/// Checks parameters against what an operation says it takes.
fn fitting(fields: &[Field], given: &Table) -> Result<(), PowerError> {
    let wrong = |field: &str, problem: String| {
        Err(PowerError::Parameter {
            field: field.to_owned(),
            problem,
        })
    };
    if let Some(unknown) = given
        .keys()
        .find(|key| !fields.iter().any(|f| f.name == **key))
    {
        let known: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        return wrong(unknown, format!("is none of: {}", known.join(", ")));
    }
    for field in fields {
        let Some(value) = given.get(&field.name) else {
            if field.required {
                return wrong(&field.title, "has to be given".to_owned());
            }
            continue;
        };
        if let Err(problem) = fits(&field.kind, value) {
            return wrong(&field.title, problem);
        }
    }
    Ok(())
}

fn fits(kind: &FieldKind, value: &Value) -> Result<(), String> {
    let problem = match (kind, value) {
        (FieldKind::Text | FieldKind::Lines | FieldKind::Device, Value::String(_))
        | (FieldKind::Flag, Value::Boolean(_)) => return Ok(()),
        (FieldKind::Number { min, max }, Value::Integer(n)) if (min..=max).contains(&n) => {
            return Ok(());
        }
        (FieldKind::Choice(all), Value::String(one)) if all.contains(one) => return Ok(()),
        (FieldKind::Number { min, max }, _) => {
            format!("is not a whole number from {min} to {max}")
        }
        (FieldKind::Choice(all), _) => format!("is none of: {}", all.join(", ")),
        (FieldKind::Flag, _) => "is neither true nor false".to_owned(),
        (FieldKind::Text | FieldKind::Lines | FieldKind::Device, _) => "is not a text".to_owned(),
    };
    Err(problem)
}

/// The way of one operation into the audit log.
struct Record {
    store: Store,
    object: String,
    by: Trace,
}

impl Record {
    async fn asked(&self, parameters: &Table) {
        let shown: serde_json::Map<String, serde_json::Value> = parameters
            .iter()
            .map(|(key, value)| (key.clone(), shown(key, value)))
            .collect();
        self.note(action::OPERATION, json!({ "parameters": shown }))
            .await;
    }

    async fn ended(&self, outcome: Result<&Table, &PowerError>) {
        let detail = match outcome {
            Ok(_) => json!({ "state": "done" }),
            Err(error @ PowerError::Failed(_)) => {
                json!({ "state": "failed", "detail": error.to_string() })
            }
            Err(error) => json!({ "state": "refused", "detail": error.to_string() }),
        };
        self.note(action::OPERATION_OUTCOME, detail).await;
    }

    /// What cannot be recorded is logged: a full disk must not keep a technician from helping.
    async fn note(&self, action: &'static str, detail: serde_json::Value) {
        let note = Note::new(self.by.clone(), action, self.object.clone()).with(detail);
        if let Err(error) = self.store.note(note).await {
            tracing::warn!(
                operation = self.object,
                actor = self.by.actor,
                error = error.chain(),
                "an operation could not be recorded"
            );
        }
    }
}

fn shown(key: &str, value: &Value) -> serde_json::Value {
    let key = key.to_ascii_lowercase();
    if SECRET.iter().any(|word| key.contains(word)) && !value.is_bool() {
        return riser_model::configuration::HIDDEN.into();
    }
    match value {
        Value::Integer(n) => (*n).into(),
        Value::Boolean(b) => (*b).into(),
        // A whole file may hold anything, and belongs in no log.
        Value::String(text) if text.chars().count() > LONG => {
            format!("{} characters", text.chars().count()).into()
        }
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_to_fit_their_description() {
        let field = |name: &str, kind, required| Field {
            name: name.into(),
            title: name.to_uppercase(),
            kind,
            required,
        };
        let fields = [
            field("seconds", FieldKind::Number { min: 1, max: 254 }, true),
            field(
                "mode",
                FieldKind::Choice(vec!["a".into(), "b".into()]),
                false,
            ),
            field("force", FieldKind::Flag, false),
        ];
        let given =
            |text: &str| fitting(&fields, &text.parse().unwrap()).map_err(|e| e.to_string());
        assert_eq!(given("seconds = 60\nmode = 'a'\nforce = true"), Ok(()));
        for (text, says) in [
            ("", "SECONDS: has to be given"),
            (
                "seconds = 255",
                "SECONDS: is not a whole number from 1 to 254",
            ),
            (
                "seconds = '5'",
                "SECONDS: is not a whole number from 1 to 254",
            ),
            ("seconds = 5\nmode = 'c'", "MODE: is none of: a, b"),
            ("seconds = 5\nforce = 1", "FORCE: is neither true nor false"),
            (
                "seconds = 5\nsecond = 1",
                "second: is none of: seconds, mode, force",
            ),
        ] {
            assert_eq!(given(text), Err(says.to_owned()), "{text}");
        }
    }

    #[test]
    fn secrets_among_parameters_are_hidden() {
        assert_eq!(shown("local_key", &"abc".into()), "<hidden>");
        assert_eq!(shown("seconds", &Value::Integer(5)), 5);
        assert_eq!(shown("text", &"x".repeat(81).into()), "81 characters");
    }
}
