//! The tables: one of each kind of operations, a line per poller.

use std::fmt::{self, Display, Formatter};

use crate::{
    durations::Kind,
    frontier::{Frontier, Place, own},
    outcome::{Outcome, Seen},
    pollers::{Obedient, Own},
    replay::Reports,
};

/// How to read the tables.
pub(crate) const LEGEND: &str = "
Polls per operation, and the time from its end to the poll that finds it, in seconds. `frontier`: the
mean delay of a fixed interval with as many polls, as a multiple of this poller's; above 1 it is better
than any fixed interval. Intervals are 0.5 to 30 s in steps of 0.05 s, or two of them by lot; after the
slash, the whole seconds among them, which are all that a fixed Retry-After can say. `beaten by`: the
shortest fixed interval with both fewer polls and less delay. The line `learning` is about the first
operations of all, the others are about those after.
";

/// What pollers see of operations of one kind.
pub(crate) struct Section {
    title: String,
    lines: Vec<Line>,
}

struct Line {
    name: String,
    outcome: Outcome,
    /// Against all intervals, and against whole seconds; `None` for what is itself no answer of ours.
    places: Option<[Place; 2]>,
}

// === impl Section ===

impl Section {
    /// `obedient` has what each of [`Obedient::ALL`] has seen; the first so many operations were those
    /// from which the layer learned.
    pub(crate) fn of(
        kind: Kind,
        reports: Reports,
        operations: &[f64],
        learning: usize,
        obedient: &[Vec<Seen>],
    ) -> Self {
        let told = match reports {
            Reports::Never => "no progress is told",
            Reports::Progress => "progress is told",
        };
        let title = format!("{}; {told}", kind.name());
        let counted = &operations[learning..];
        let frontiers = [Frontier::fine(counted), Frontier::whole(counted)];
        let mut lines = Vec::new();
        // They are the same whatever is told.
        if reports == Reports::Never {
            lines.extend(Own::ALL.map(|(name, poller)| Line {
                name: name.to_owned(),
                outcome: own(poller, counted),
                places: None,
            }));
        }
        for ((name, _), seen) in Obedient::ALL.iter().zip(obedient) {
            let outcome = Outcome::of(seen[learning..].iter().copied());
            let places = Some(frontiers.each_ref().map(|frontier| frontier.place(outcome)));
            lines.push(Line { name: (*name).to_owned(), outcome, places });
        }
        let outcome = Outcome::of(obedient[0][..learning].iter().copied());
        lines.push(Line { name: "ours, Retry-After, learning".to_owned(), outcome, places: None });
        Self { title, lines }
    }
}

impl Display for Section {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n", self.title)?;
        writeln!(
            f,
            "| {:51} | {:>6} | {:>7} | {:>7} | {:>7} | {:>13} | beaten by |",
            "poller", "polls", "median", "mean", "95 %", "frontier"
        )?;
        writeln!(
            f,
            "| :{:-<50} | -----: | ------: | ------: | ------: | ------------: | --- |",
            ""
        )?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Outcome { polls, median, mean, late } = self.outcome;
        write!(f, "| {:51} | {polls:6.2} | {median:7.2} | {mean:7.2} | {late:7.2} |", self.name)?;
        let Some(places) = self.places else {
            return write!(f, " {:13} |  |", "");
        };
        let [fine, whole] = places.map(|place| match place.beyond {
            Some(beyond) => format!("{beyond:.2}"),
            None => "none".to_owned(),
        });
        let [by_fine, by_whole] = places.map(|place| match place.beaten_by {
            Some(interval) => format!("{interval} s"),
            None => "none".to_owned(),
        });
        write!(f, " {:>13} | {by_fine} / {by_whole} |", format!("{fine} / {whole}"))
    }
}
