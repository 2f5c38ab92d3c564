//! Cells of tables to take away. Owns the quoting (RFC 4180) and that no text is taken for a formula:
//! names, comments and texts from devices come from outside, and a spreadsheet computes what begins
//! like one. Which columns there are is whoever writes the table's.

use crate::Value;
use std::fmt::Write;

/// What a spreadsheet takes for the begin of a formula (or skips before looking for one).
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Appends a text as one cell, quoted where it must be.
pub fn csv_cell(text: &str, into: &mut String) {
    if text.starts_with(FORMULA) || text.contains(['"', ',', '\n', '\r']) {
        quoted(text, into);
    } else {
        into.push_str(text);
    }
}

/// Appends a value as one cell: nothing where it is unknown, numbers as they are, a text always
/// quoted, so that an empty one is not taken for unknown.
pub fn csv_value(value: Option<&Value>, into: &mut String) {
    match value {
        None => {}
        Some(Value::Text(text)) => quoted(text, into),
        // Writing into a String cannot fail.
        Some(number) => drop(write!(into, "{number}")),
    }
}

fn quoted(text: &str, into: &mut String) {
    into.push('"');
    if text.starts_with(FORMULA) {
        into.push('\'');
    }
    into.push_str(&text.replace('"', "\"\""));
    into.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut into = String::new();
        csv_cell(text, &mut into);
        into
    }

    fn value(value: &Option<Value>) -> String {
        let mut into = String::new();
        csv_value(value.as_ref(), &mut into);
        into
    }

    #[test]
    fn only_what_must_be_is_quoted() {
        assert_eq!(cell(""), "");
        assert_eq!(cell("boiler, north"), "\"boiler, north\"");
        assert_eq!(cell("3\" pipe"), "\"3\"\" pipe\"");
        assert_eq!(cell("two\r\nlines"), "\"two\r\nlines\"");
        assert_eq!(cell("a = b, no formula"), "\"a = b, no formula\"");
        assert_eq!(cell("a=b"), "a=b");
    }

    #[test]
    fn no_text_begins_like_a_formula() {
        for sign in FORMULA {
            let text = format!("{sign}1");
            assert_eq!(cell(&text), format!("\"'{text}\""));
            assert_eq!(value(&Some(Value::text(&text))), format!("\"'{text}\""));
        }
    }

    #[test]
    fn numbers_stay_numbers_and_unknown_is_neither_zero_nor_an_empty_text() {
        assert_eq!(value(&Some(Value::Float(-1.5))), "-1.5");
        assert_eq!(value(&Some(Value::Int(-7))), "-7");
        assert_eq!(value(&None), "");
        assert_eq!(value(&Some(Value::text(""))), "\"\"");
        assert_eq!(value(&Some(Value::text("open"))), "\"open\"");
    }
}
