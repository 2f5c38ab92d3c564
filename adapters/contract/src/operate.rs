//! What can be done with an adapter that is neither a read nor a write of a point: letting devices
//! join, renaming one, setting its clock, acknowledging an alarm in it. Owns how such operations
//! are described, so that a screen can be made of the description.

use crate::AdapterError;
use futures_util::future::BoxFuture;

/// Carries out operations.
pub trait Operate: Send + Sync {
    /// What can be done now.
    fn operations(&self) -> Vec<Operation>;

    /// Does one of them. The adapter checks the parameters like its configuration; the answer is
    /// what came of it, in names and values a person reads.
    fn operate(
        &self,
        name: &str,
        parameters: toml::Table,
    ) -> BoxFuture<'static, Result<toml::Table, AdapterError>>;
}

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Name for programs, such as `permit_join`.
    pub name: String,
    /// What a button says.
    pub title: String,
    /// What it does and what to mind, in a sentence.
    pub description: String,
    /// What has to be given.
    pub fields: Vec<Field>,
    /// Whether it changes or interrupts something, so that a person should be asked again.
    pub confirm: bool,
}

/// One parameter of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its key in the parameters.
    pub name: String,
    /// What a person reads beside it.
    pub title: String,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether it has to be given.
    pub required: bool,
}

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// Text of several lines, such as a file's.
    Lines,
    /// A whole number, with its bounds.
    Number {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Yes or no.
    Flag,
    /// One of these.
    Choice(Vec<String>),
    /// The key of one of the adapter's devices.
    Device,
}
