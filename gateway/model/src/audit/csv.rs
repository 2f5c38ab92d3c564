//! Entries as a table to take away. Owns the columns; cells are [`crate::csv`]'s. With chain, previous
//! and hash in it, the table can be checked by whoever gets it.

use super::AuditEntry;
use crate::csv_cell;
use std::fmt::Write;

impl AuditEntry {
    /// The first line.
    pub const CSV_HEADER: &'static str =
        "no,at,time,actor,source,action,object,detail,chain,previous,hash\r\n";

    /// Appends one line. `time` is the time as text, in UTC.
    pub fn csv_row(&self, time: &str, into: &mut String) {
        // Writing into a String cannot fail.
        let _ = write!(into, "{},{},{time}", self.no, self.at.0);
        for text in [
            &self.actor,
            &self.source,
            &self.action,
            &self.object,
            &self.detail,
        ] {
            into.push(',');
            csv_cell(text, into);
        }
        let _ = write!(into, ",{},{},{}\r\n", self.chain, self.previous, self.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;
    use crate::AuditHash;

    #[test]
    fn a_row_has_a_cell_for_each_column_and_no_formula() {
        let mut entry = entry(7, AuditHash::ZERO);
        entry.actor = "=HYPERLINK(\"http://x\")".into();
        entry.detail = "{\"a\":1,\n\"b\":2}".into();
        let mut text = String::new();
        entry.csv_row("2026-11-21T11:00:00Z", &mut text);
        assert!(text.starts_with(
            "7,1760000000000,2026-11-21T11:00:00Z,\"'=HYPERLINK(\"\"http://x\"\")\",192.0.2.7,login,ada,"
        ));
        assert!(text.contains("\"{\"\"a\"\":1,\n\"\"b\"\":2}\","), "{text}");
        assert!(text.ends_with(&format!("{},{}\r\n", AuditHash::ZERO, entry.hash)));
        assert_eq!(AuditEntry::CSV_HEADER.matches(',').count(), 10);
    }
}
