//! Finds the line a place in a TOML file stands on. Owns the walk from a path such as
//! `device[2].point[5].type` to its octets.

use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file as text, to look places up in.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    text: String,
}

impl Source {
    /// A text under the name of its file.
    pub(crate) fn new(file: &Path, text: String) -> Self {
        Self {
            file: file.to_owned(),
            text,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The line an octet is on, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|octet| **octet == b'\n').count()
    }

    /// The line of a place, or of the nearest thing around it that exists.
    pub(crate) fn line_of(&self, at: &str) -> Option<usize> {
        let root = DeTable::parse(&self.text).ok()?;
        let (offset, _) = walk(root.get_ref(), at);
        offset.map(|offset| self.line(offset))
    }

    /// The key of the table at a place that has this text as its value.
    pub(crate) fn key_with(&self, at: &str, text: &str) -> Option<String> {
        let root = DeTable::parse(&self.text).ok()?;
        let (_, table) = walk(root.get_ref(), at);
        let mut entries = table?.iter();
        let (key, _) = entries.find(|(_, value)| value.get_ref().as_str() == Some(text))?;
        Some(key.get_ref().to_string())
    }
}

/// Follows a path as far as it exists: where that is, and the table there if the whole path exists.
fn walk<'a, 'i>(root: &'a DeTable<'i>, at: &str) -> (Option<usize>, Option<&'a DeTable<'i>>) {
    let mut table = Some(root);
    let mut found = None;
    for segment in at.split('.').filter(|s| !s.is_empty()) {
        let (name, indices) = segment.split_once('[').unwrap_or((segment, ""));
        let Some((key, mut value)) = table.and_then(|t| entry(t, name)) else {
            return (found, None);
        };
        found = Some(key);
        let indices = indices.split('[').map(|i| i.trim_end_matches(']'));
        for index in indices.filter_map(|i| i.parse::<usize>().ok()) {
            let Some(element) = value.get_ref().as_array().and_then(|a| a.get(index)) else {
                return (found, None);
            };
            found = Some(element.span().start);
            value = element;
        }
        table = value.get_ref().as_table();
    }
    (found, table)
}

fn entry<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<(usize, &'a Spanned<DeValue<'i>>)> {
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    Some((key.span().start, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[gateway]
id = \"gw\"

[[adapter]]
kind = \"modbus\"
[[adapter.lane]]
key = \"a\"
[[adapter.lane]]
key = \"b\"
host = \"x\"

[[adapter]]
kind = \"modbus\"
lists = [
  { a = 1 },
  { a = 2 },
]
";

    #[test]
    fn places_are_found_as_far_as_they_exist() {
        let source = Source::new(Path::new("x.toml"), TEXT.to_owned());
        let line = |at: &str| source.line_of(at);
        assert_eq!(line("gateway.id"), Some(2));
        assert_eq!(line("gateway.nothing"), Some(1));
        assert_eq!(line("adapter[0].kind"), Some(5));
        assert_eq!(line("adapter[0].lane[1].host"), Some(10));
        assert_eq!(line("adapter[0].lane[1]"), Some(8));
        assert_eq!(line("adapter[1].lists[1].a"), Some(16));
        assert_eq!(line("nothing"), None);
        assert_eq!(line(""), None);
        assert_eq!(
            source.key_with("adapter[0].lane[1]", "x"),
            Some("host".to_owned())
        );
        assert_eq!(source.key_with("adapter[0].lane[1]", "y"), None);
    }
}
