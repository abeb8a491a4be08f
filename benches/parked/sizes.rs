/// For how many operations each figure is told.
pub(crate) struct Sizes(Vec<usize>);

impl Sizes {
    /// The columns of the table.
    pub(crate) const COLUMNS: [usize; 3] = [1_000, 100_000, 1_000_000];

    pub(crate) fn new(quick: bool) -> Self {
        let columns = &Self::COLUMNS[..if quick { 2 } else { 3 }];
        Self(columns.to_vec())
    }

    pub(crate) fn all(&self) -> &[usize] {
        &self.0
    }

    /// The most operations.
    pub(crate) fn most(&self) -> usize {
        *self.0.last().expect("there are always two")
    }

    /// The most waiters.
    pub(crate) fn waiters(&self) -> usize {
        self.most().min(100_000)
    }
}
