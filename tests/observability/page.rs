//! The tables of the documentation.

use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../src/observability/mod.rs");

/// The rows of a section's table: the name, and the other columns without their meaning.
pub(crate) fn table(section: &str) -> BTreeMap<String, Vec<String>> {
    let rows = lines(section).filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let mut cells: Vec<_> = row.split('|').map(|cell| cell.replace('`', "")).collect();
        assert!(cells.len() > 3 && !cells[cells.len() - 2].trim().is_empty(), "no meaning: {row}");
        cells.truncate(cells.len() - 2);
        let mut cells = cells.into_iter().skip(1).map(|cell| cell.trim().to_owned());
        (cells.next().expect("a name"), cells.collect())
    });
    rows.collect()
}

/// The values that are named for a label.
pub(crate) fn values(label: &str) -> BTreeSet<String> {
    let text: Vec<_> = lines("Values").collect();
    let text = text.join(" ");
    let item = text.split("- `").find(|item| item.starts_with(label)).expect("it is listed");
    item.split('`')
        .skip(2)
        .step_by(2)
        .filter(|word| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'))
        .map(str::to_owned)
        .collect()
}

/// The words of a cell.
pub(crate) fn words(cell: &str) -> BTreeSet<String> {
    cell.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn lines(section: &str) -> impl Iterator<Item = &'static str> {
    let heading = format!("//! # {section}");
    let after = PAGE.lines().skip_while(move |line| *line != heading).skip(1);
    after
        .take_while(|line| !line.starts_with("//! # "))
        .map(|line| line.strip_prefix("//!").expect("sections are followed by others").trim())
}
