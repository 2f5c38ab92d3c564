//! The list of configured points, for people and for programs.

use riser_model::{Access, Point, ValueKind};
use std::fmt::Write;

/// Every point, in order of paths.
pub(crate) fn list(points: &[Point], json: bool) -> String {
    let mut points: Vec<&Point> = points.iter().collect();
    points.sort_by(|a, b| a.path.cmp(&b.path));
    if json {
        return serde_json::to_string_pretty(&points).unwrap_or_default();
    }
    let rows: Vec<[String; 6]> = points.into_iter().map(row).collect();
    table(["point", "type", "unit", "access", "range", "name"], &rows)
}

fn row(point: &Point) -> [String; 6] {
    let kind = match point.kind {
        ValueKind::Bool => "bool",
        ValueKind::Integer => "integer",
        ValueKind::Float => "float",
        ValueKind::Enum => "enum",
        ValueKind::Text => "text",
    };
    let access = match point.access {
        Access::Read => "read",
        Access::ReadWrite => "read/write",
        Access::Write => "write",
    };
    let range = match (point.limits.min, point.limits.max) {
        (None, None) => String::new(),
        (min, max) => {
            let text = |limit: Option<f64>| limit.map_or(String::new(), |l| l.to_string());
            format!("{}…{}", text(min), text(max))
        }
    };
    [
        point.path.to_string(),
        kind.to_owned(),
        point
            .unit
            .map_or(String::new(), |unit| unit.symbol().to_owned()),
        access.to_owned(),
        range,
        point.name.clone(),
    ]
}

/// Columns as wide as their widest cell; the last one ends where its text does.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(head[column].chars().count())
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    let mut write_row = |cells: &[&str]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let gap = width.saturating_sub(cell.chars().count()) + 2;
            // Writing into a String cannot fail.
            let _ = write!(line, "{cell}{:gap$}", "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    write_row(&head);
    for row in rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        write_row(&cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            ["ahu-1/t".to_owned(), "°C".to_owned(), "Supply".to_owned()],
            ["a/b".to_owned(), String::new(), "X".to_owned()],
        ];
        let text = table(["point", "unit", "name"], &rows);
        assert_eq!(
            text,
            "point    unit  name\nahu-1/t  °C    Supply\na/b            X\n"
        );
    }
}
