//! An error with all that is behind it, in one line. Owns how causes are joined, so that the log,
//! the console, an answer and the audit log tell the same error in the same words.

use std::error::Error;

/// An error with all its causes, in one line. A cause that the error before it has said already is
/// not said twice.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let said = deeper.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = deeper.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            let deeper = self.1.as_deref()?;
            Some(deeper)
        }
    }

    fn of(texts: &[&'static str]) -> Link {
        let mut all = texts.iter().rev();
        let last = Link(all.next().unwrap(), None);
        all.fold(last, |deeper, text| Link(text, Some(Box::new(deeper))))
    }

    #[test]
    fn every_cause_is_said_once_from_the_outside_in() {
        assert_eq!(chain(&of(&["a"])), "a");
        assert_eq!(chain(&of(&["a", "b", "c"])), "a: b: c");
        assert_eq!(
            chain(&of(&["could not a: b", "b", "c"])),
            "could not a: b: c"
        );
    }
}
