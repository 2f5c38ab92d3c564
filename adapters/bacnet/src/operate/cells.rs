//! Lines of a table as cells, both ways, as spreadsheets write them. Owns quoting, and that no text of
//! others is taken for a formula.

/// The cells of a line. Cells may be quoted; a quote inside is doubled.
pub(super) fn cells(line: &str, separator: char) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        let mut cell = String::new();
        let quoted = rest.peek() == Some(&'"');
        if quoted {
            rest.next();
            loop {
                match rest.next() {
                    Some('"') if rest.peek() == Some(&'"') => {
                        rest.next();
                        cell.push('"');
                    }
                    Some('"') => break,
                    Some(c) => cell.push(c),
                    None => return Err("a quotation mark is not closed".to_owned()),
                }
            }
        }
        let mut tail = String::new();
        let ended = loop {
            match rest.next() {
                Some(c) if c == separator => break false,
                Some(c) => tail.push(c),
                None => break true,
            }
        };
        let text = match quoted {
            true => cell + tail.trim(),
            false => tail.trim().to_owned(),
        };
        cells.push(harmless_read(text));
        if ended {
            return Ok(cells);
        }
    }
}

/// The lines of a file with their numbers, without the mark some programs put before all.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.lines())
}

/// The separator of a line: whichever it has most of.
pub(super) fn separator(line: &str) -> char {
    let count = |c: char| line.matches(c).count();
    let found = [';', '\t', ','].into_iter().max_by_key(|c| count(*c));
    // The first of equals would be the last of the row.
    match count(';') > 0 {
        true => ';',
        false => found.unwrap_or(';'),
    }
}

/// What a spreadsheet would take for a formula.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@'])
}

/// A text of others that no spreadsheet takes for a formula.
pub(super) fn harmless(text: &str) -> String {
    let text = text.trim_start();
    let marked = text
        .strip_prefix('\'')
        .is_some_and(|t| is_formula(t) || t.starts_with('\''));
    match is_formula(text) || marked {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn harmless_read(text: String) -> String {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest) || rest.starts_with('\'') => rest.to_owned(),
        _ => text,
    }
}

/// A cell as it is written.
fn cell(text: &str) -> String {
    // A line is a line: what would break one is written as a blank.
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let text = text.trim();
    let special = text.contains([';', '"', ',', '\t']) || text.starts_with('#');
    match special {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

pub(super) fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    cells.join(";") + "\r\n"
}
