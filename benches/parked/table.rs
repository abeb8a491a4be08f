//! The table: a line per figure, a column per number of operations.

use std::fmt::{self, Display, Formatter};

use crate::{sizes::Sizes, support::verdict::Verdict};

/// How to read the table.
pub(crate) const LEGEND: &str = "
Each operation's call is a future of 120 bytes that never ends. `the layer` is what is kept when the
store keeps nothing, `MemoryStore` what is kept besides with the default store.
";

const FIGURE_WIDTH: usize = 58;
const VALUE_WIDTH: usize = 9;

/// What has been measured.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

/// One figure.
pub(crate) struct Line {
    figure: String,
    /// By number of operations.
    values: Vec<(usize, f64)>,
    verdict: Verdict,
}

// === impl Table ===

impl Table {
    pub(crate) fn add(
        &mut self,
        figure: impl Into<String>,
        values: impl Into<Vec<(usize, f64)>>,
        verdict: Verdict,
    ) {
        let line = Line { figure: figure.into(), values: values.into(), verdict };
        self.lines.push(line);
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "| {:FIGURE_WIDTH$} |", "operations")?;
        for column in Sizes::COLUMNS {
            write!(f, " {column:>VALUE_WIDTH$} |")?;
        }
        writeln!(f, " goal")?;
        write!(f, "| {:-<FIGURE_WIDTH$} |", "")?;
        for _ in Sizes::COLUMNS {
            write!(f, " {:->w$}: |", "", w = VALUE_WIDTH - 1)?;
        }
        writeln!(f, " ---")?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let count = |wanted: fn(&Verdict) -> bool| {
            self.lines.iter().filter(|line| wanted(&line.verdict)).count()
        };
        let met = count(|verdict| matches!(verdict, Verdict::Met(_)));
        let missed = count(|verdict| matches!(verdict, Verdict::Missed(_)));
        writeln!(f, "\nGoals: {met} met, {missed} missed.")
    }
}

// === impl Line ===

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "| {:FIGURE_WIDTH$} |", self.figure)?;
        for column in Sizes::COLUMNS {
            let value = self.values.iter().find(|(size, _)| *size == column);
            let told = match value {
                None => String::new(),
                Some((_, value)) if value.abs() < 100.0 => format!("{value:.2}"),
                Some((_, value)) => format!("{value:.0}"),
            };
            write!(f, " {told:>VALUE_WIDTH$} |")?;
        }
        write!(f, " {}", self.verdict)
    }
}

/// Whether the value of the most operations is within the limit.
pub(crate) fn at_most(values: &[(usize, f64)], limit: f64) -> Verdict {
    let value = values.last().map_or(f64::NAN, |(_, value)| *value);
    let goal = format!("<= {limit}");
    if value <= limit { Verdict::Met(goal) } else { Verdict::Missed(goal) }
}

/// A figure without a goal.
pub(crate) fn no_goal() -> Verdict {
    Verdict::Told(String::new())
}
