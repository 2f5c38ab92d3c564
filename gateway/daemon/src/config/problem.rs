//! What is wrong with a configuration, as a person reads it: file, line, place, what to write.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file it is in.
    pub(crate) file: PathBuf,
    /// The line, where it is known.
    pub(crate) line: Option<usize>,
    /// A path to follow within the file, such as `adapter[0].lane[1].host`; empty for the whole.
    pub(crate) at: String,
    /// What is wrong and what to write instead.
    pub(crate) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.at.is_empty() {
            write!(f, ": {}", self.at)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Everything that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// One thing that is wrong with a file as a whole.
    pub(crate) fn one(file: &Path, text: String) -> Self {
        Self(vec![Problem {
            file: file.to_owned(),
            line: None,
            at: String::new(),
            text,
        }])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "  {problem}")?;
        }
        Ok(())
    }
}
