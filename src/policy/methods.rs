use http::Method;

/// A set of methods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Methods {
    /// Those that HTTP itself has, as [bits](bit).
    standard: u16,
    others: Vec<Method>,
}

// === impl Methods ===

impl Methods {
    pub(crate) fn of(methods: impl IntoIterator<Item = Method>) -> Self {
        let mut set = Self::default();
        for method in methods {
            match bit(&method) {
                0 => set.others.push(method),
                bit => set.standard |= bit,
            }
        }
        set
    }

    #[inline]
    pub(super) fn contains(&self, method: &Method) -> bool {
        match bit(method) {
            0 => self.others.contains(method),
            bit => self.standard & bit != 0,
        }
    }
}

/// A bit of its own for every method that HTTP itself has, 0 for others.
#[inline]
fn bit(method: &Method) -> u16 {
    match *method {
        Method::GET => 1,
        Method::POST => 1 << 1,
        Method::PUT => 1 << 2,
        Method::DELETE => 1 << 3,
        Method::PATCH => 1 << 4,
        Method::HEAD => 1 << 5,
        Method::OPTIONS => 1 << 6,
        Method::TRACE => 1 << 7,
        Method::CONNECT => 1 << 8,
        _ => 0,
    }
}
