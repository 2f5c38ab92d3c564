//! The printed table. Owns rows, goals, and what is a miss.

use std::io::Write;

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
    /// This, and at most so much away.
    Near(f64, f64),
    /// Nothing: for orientation.
    None,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    figure: String,
    unit: &'static str,
    goal: Goal,
    measured: f64,
    remark: String,
}

/// A figure with its goal. A figure nobody could measure is not a number, and a miss.
pub(crate) fn row(figure: impl Into<String>, measured: f64, unit: &'static str, goal: Goal) -> Row {
    Row {
        figure: figure.into(),
        unit,
        goal,
        measured,
        remark: String::new(),
    }
}

impl Row {
    /// Adds what the reader should know.
    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }

    /// True when the goal is met, or there is none. Not a number meets no goal.
    fn met(&self) -> bool {
        match self.goal {
            Goal::Most(most) => self.measured <= most,
            Goal::Least(least) => self.measured >= least,
            Goal::Near(goal, away) => (self.measured - goal).abs() <= away,
            Goal::None => true,
        }
    }

    fn cells(&self) -> [String; 5] {
        let unit = if self.unit.is_empty() {
            String::new()
        } else {
            format!(" {}", self.unit)
        };
        let goal = match self.goal {
            Goal::Most(most) => format!("≤ {most}{unit}"),
            Goal::Least(least) => format!("≥ {least}{unit}"),
            Goal::Near(goal, _) => format!("{goal}{unit}"),
            Goal::None => String::new(),
        };
        let digits = match self.measured {
            m if m >= 1000.0 || m == 0.0 => 0,
            m if m >= 100.0 => 1,
            _ => 2,
        };
        let verdict = match self.goal {
            Goal::None => "",
            _ if self.met() => "pass",
            _ => "MISS",
        };
        let measured = format!("{:.digits$}{unit}", self.measured);
        [
            self.figure.clone(),
            goal,
            measured,
            verdict.to_owned(),
            self.remark.clone(),
        ]
    }
}

/// Prints the table as Markdown; answers how many goals were missed.
pub(crate) fn print(out: &mut impl Write, rows: &[Row]) -> std::io::Result<usize> {
    let head = ["figure", "goal", "measured", "", "remark"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(head)
        .chain(rows.iter().map(Row::cells))
        .collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|l| l[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    for (number, line) in lines.iter().enumerate() {
        let cells = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!(" {cell:width$} "));
        writeln!(out, "|{}|", cells.collect::<Vec<_>>().join("|"))?;
        if number == 0 {
            let rules = widths.map(|width| "-".repeat(width + 2));
            writeln!(out, "|{}|", rules.join("|"))?;
        }
    }
    Ok(rows.iter().filter(|row| !row.met()).count())
}

/// The value below which `share` of the figures lie; not a number when there are none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank between 1 and the number of figures"
)]
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    let rank = (share * figures.len() as f64).ceil() as usize;
    figures
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut figures: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert!((percentile(&mut figures, 0.50) - 100.0).abs() < 1e-9);
        assert!((percentile(&mut figures, 0.99) - 198.0).abs() < 1e-9);
        assert!(percentile(&mut [], 0.99).is_nan());
    }

    #[test]
    fn what_could_not_be_measured_is_a_miss() {
        assert!(!row("x", f64::NAN, "ms", Goal::Most(1.0)).met());
        assert!(!row("x", f64::NAN, "ms", Goal::Near(1.0, 0.5)).met());
        assert!(!row("x", 1.1, "ms", Goal::Most(1.0)).met());
        assert!(row("x", 1.0, "ms", Goal::Most(1.0)).met());
        assert!(row("x", 9.0, "ms", Goal::None).met());
        assert!(!row("x", f64::NAN, "/s", Goal::Least(1.0)).met());
        assert!(!row("x", 0.9, "/s", Goal::Least(1.0)).met());
        assert!(row("x", 1.0, "/s", Goal::Least(1.0)).met());
    }
}
