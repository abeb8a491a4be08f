/// What a poller has seen of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) polls: usize,
    /// From the operation's end to the poll that found it, in seconds.
    pub(crate) delay: f64,
}

/// What a poller has seen of many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Per operation.
    pub(crate) polls: f64,
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) late: f64,
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn of(seen: impl IntoIterator<Item = Seen>) -> Self {
        let (polls, mut delays): (Vec<usize>, Vec<f64>) =
            seen.into_iter().map(|seen| (seen.polls, seen.delay)).unzip();
        delays.sort_by(f64::total_cmp);
        let count = delays.len() as f64;
        Self {
            polls: polls.into_iter().sum::<usize>() as f64 / count,
            mean: delays.iter().sum::<f64>() / count,
            median: delays[delays.len() / 2],
            late: delays[delays.len() * 95 / 100],
        }
    }
}
