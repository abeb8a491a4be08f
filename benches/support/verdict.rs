use std::fmt::{self, Display, Formatter};

/// How what was measured compares with a goal.
pub(crate) enum Verdict {
    Met(String),
    Missed(String),
    /// There is no goal here.
    Told(String),
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Met(told) => write!(f, "{told} met"),
            Self::Missed(told) => write!(f, "{told} MISSED"),
            Self::Told(told) => f.write_str(told),
        }
    }
}
