//! Why an adapter, or one operation of it, failed. Owns the class the supervisor acts on.

use std::fmt;

/// What the supervisor should make of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// May pass by itself: start again after a back-off.
    Retryable,
    /// Somebody must change the configuration: park until it changes.
    Misconfigured,
    /// A defect in the adapter: quarantine and say so.
    Fatal,
}

/// What was tried, on which object, and what came back. Printed once as a chain; the cause is the
/// `source`, never part of the text.
#[derive(Debug)]
pub struct AdapterError {
    /// What the supervisor should make of it.
    pub class: ErrorClass,
    /// What was tried, such as `open serial port`.
    pub operation: String,
    /// On what, such as `/dev/ttyS1` or `device meter-1`.
    pub object: String,
    /// What a person can do about it; empty when nothing is known.
    pub advice: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl AdapterError {
    /// An error of the given class.
    #[must_use]
    pub fn new(class: ErrorClass, operation: impl Into<String>, object: impl Into<String>) -> Self {
        Self {
            class,
            operation: operation.into(),
            object: object.into(),
            advice: String::new(),
            source: None,
        }
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {} on {}", self.operation, self.object)?;
        if !self.advice.is_empty() {
            write!(f, " ({})", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for AdapterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
