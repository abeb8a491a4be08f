//! The table: a line per scenario and measure, a column per layer.

use std::fmt::{self, Display, Formatter};

use crate::{
    goals::Measure,
    support::verdict::Verdict,
    variants::{Layering, Scenario},
};

const SCENARIO_WIDTH: usize = 40;
const MEASURE_WIDTH: usize = 15;

/// How to read the table.
pub(crate) const LEGEND: &str = "
Added to the bare service, per call; the column `bare` is the whole call, and times are multiples
of it. `ours` is RespondAsyncLayer with a deadline of 30 s that never passes. The last column is the
price of `ours` and of `ours, .body(..)`: what each adds to the no-op layer, as a multiple of what
tower-http's TimeoutLayer adds to it, or as it is; and the goal, where there is one.
";

/// What has been measured, in the order in which it is printed.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

struct Line {
    scenario: Scenario,
    measure: Measure,
    /// In the order of `Layering::ALL`.
    values: Vec<f64>,
    verdict: Verdict,
}

// === impl Table ===

impl Table {
    /// Adds a line; `values` are in the order of the scenario's cases.
    pub(crate) fn add(&mut self, scenario: Scenario, measure: Measure, values: &[f64]) {
        let verdict = measure.verdict(scenario, values);
        self.lines.push(Line { scenario, measure, values: values.to_vec(), verdict });
    }

    /// Puts the lines of a scenario together.
    pub(crate) fn sort(&mut self) {
        let all = Scenario::all();
        let position = |line: &Line| all.iter().position(|scenario| *scenario == line.scenario);
        self.lines.sort_by_key(position);
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "| {:SCENARIO_WIDTH$} | {:MEASURE_WIDTH$} |", "scenario", "added per call")?;
        for layering in Layering::ALL {
            write!(f, " {:>w$} |", layering.name(), w = width(layering))?;
        }
        writeln!(f, " ours (goal)")?;
        write!(f, "| {:-<SCENARIO_WIDTH$} | {:-<MEASURE_WIDTH$} |", "", "")?;
        for layering in Layering::ALL {
            write!(f, " {:->w$}: |", "", w = width(layering) - 1)?;
        }
        writeln!(f, " ---")?;

        let mut previous = None;
        for line in &self.lines {
            let scenario = Some(line.scenario);
            let name = if scenario == previous { String::new() } else { line.scenario.name() };
            previous = scenario;
            writeln!(f, "| {name:SCENARIO_WIDTH$} | {line}")?;
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
        write!(f, "{:MEASURE_WIDTH$} |", self.measure.name())?;
        let bare = self.values[Layering::Bare.position()];
        for layering in Layering::ALL {
            let value = self.values[layering.position()];
            let cell = match (self.measure, layering) {
                (Measure::Instructions, Layering::Bare) => format!("{value:.0}"),
                (Measure::Instructions, _) => format!("{:+.0}", (value - bare).round() + 0.0),
                (Measure::Allocations | Measure::SystemCalls, Layering::Bare) => {
                    format!("{value:.2}")
                }
                (Measure::Allocations | Measure::SystemCalls, _) => {
                    // Adding zero makes a negative zero positive.
                    format!("{:+.2}", ((value - bare) * 100.0).round() / 100.0 + 0.0)
                }
                (Measure::Time | Measure::TimeOnTwo, _) => format!("x {:.2}", value / bare),
            };
            write!(f, " {cell:>w$} |", w = width(layering))?;
        }
        write!(f, " {}", self.verdict)
    }
}

fn width(layering: Layering) -> usize {
    layering.name().len().max(8)
}
