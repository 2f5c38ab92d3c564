//! The words of outcomes. Owns how levels and authors are named to people.

use riser_model::{Author, AuthorKind, Priority};

/// A level as people read it.
pub(super) fn level(priority: Priority) -> String {
    format!("level {}", priority.level())
}

/// An author as people read it.
pub(super) fn who(author: &Author) -> String {
    match author.kind {
        AuthorKind::Local | AuthorKind::Cloud | AuthorKind::System => author.name.clone(),
        AuthorKind::Rule => format!("rule {}", author.name),
    }
}

/// Two remarks as one sentence; either may be empty.
pub(super) fn join(first: &str, second: &str) -> String {
    match (first.is_empty(), second.is_empty()) {
        (true, _) => second.to_owned(),
        (false, true) => first.to_owned(),
        (false, false) => format!("{first}; {second}"),
    }
}
