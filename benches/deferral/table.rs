//! The table: a line per scenario and measure, a column per design.

use std::fmt::{self, Display, Formatter};

use crate::{
    goals::{Goal, Measure},
    variants::{Design, Scenario},
};

const SCENARIO_WIDTH: usize = 27;
const MEASURE_WIDTH: usize = 14;
const COST_WIDTH: usize = 9;

/// How to read the table.
pub(crate) const LEGEND: &str = "
Per repetition, the client's part included. `bare` is the same traffic without deferral: a POST is
waited for until the deadline and answered then, a GET is answered with what was made beforehand
(in process: with nothing, which leaves the price of asking). `ours` is RespondAsyncLayer around
everything, `in Router` the same as the fallback service of a Router. `by hand` is axum,
tokio::spawn and DashMap; `of` is the cost as a multiple of its. Processor time is in microseconds,
with 64 callers at a time. The last column has the goal, where there is one.
Each operation that is accepted or asked for by `ours` has its id hashed once: 3,372 of the
instructions, since valgrind hides the processor's own ones for SHA-256 and has them done in
software.
Not measured here: express-delayed-response (Node).
";

/// What has been measured, in the order in which it is printed.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

struct Line {
    scenario: Scenario,
    measure: Measure,
    /// In the order of `Design::ALL`.
    costs: Vec<f64>,
}

// === impl Table ===

impl Table {
    /// Adds a line; `costs` are in the order of the scenario's cases.
    pub(crate) fn add(&mut self, scenario: Scenario, measure: Measure, costs: &[f64]) {
        self.lines.push(Line { scenario, measure, costs: costs.to_vec() });
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
        write!(f, "| {:SCENARIO_WIDTH$} | {:MEASURE_WIDTH$} |", "scenario", "each")?;
        for design in Design::ALL {
            write!(f, " {:>COST_WIDTH$} |", design.name())?;
        }
        writeln!(f, " {:>COST_WIDTH$} | {:>COST_WIDTH$} | goal", "ours, of", "in R., of")?;
        write!(f, "| {:-<SCENARIO_WIDTH$} | {:-<MEASURE_WIDTH$} |", "", "")?;
        for _ in 0..Design::ALL.len() + 2 {
            write!(f, " {:->w$}: |", "", w = COST_WIDTH - 1)?;
        }
        writeln!(f, " ---")?;

        let mut previous = None;
        for line in &self.lines {
            let scenario = Some(line.scenario);
            let name = if scenario == previous { String::new() } else { line.scenario.name() };
            previous = scenario;
            writeln!(f, "| {name:SCENARIO_WIDTH$} | {line}")?;
        }

        let (mut met, mut missed) = (0, 0);
        for (goal, line) in self.lines.iter().filter_map(|line| Some((line.goal()?, line))) {
            for ours in goal.judges() {
                let count = if goal.is_met(*ours, &line.costs) { &mut met } else { &mut missed };
                *count += 1;
            }
        }
        writeln!(f, "\nGoals: {met} met, {missed} missed.")
    }
}

// === impl Line ===

impl Line {
    fn goal(&self) -> Option<Goal> {
        self.measure.goal(self.scenario)
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:MEASURE_WIDTH$} |", self.measure.name())?;
        for cost in &self.costs {
            match self.measure {
                Measure::Instructions => write!(f, " {cost:>COST_WIDTH$.0} |")?,
                Measure::Allocations | Measure::Time => write!(f, " {cost:>COST_WIDTH$.2} |")?,
            }
        }
        for ours in [Design::Ours, Design::OursInRouter] {
            let of_by_hand = Goal::OfByHand(0.0).measured(ours, &self.costs);
            write!(f, " {of_by_hand:>COST_WIDTH$.2} |")?;
        }
        let Some(goal) = self.goal() else { return Ok(()) };
        match goal {
            Goal::OfByHand(most) => write!(f, " <= {most:.2} of by hand:")?,
            Goal::OverBare(most) => {
                let over = goal.measured(Design::Ours, &self.costs);
                write!(f, " {over:.0} over bare, <= {most:.0}:")?;
            }
        }
        for ours in goal.judges() {
            f.write_str(if goal.is_met(*ours, &self.costs) { " met" } else { " MISSED" })?;
        }
        Ok(())
    }
}
