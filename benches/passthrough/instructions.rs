//! User-space instructions per call.

use crate::{
    child,
    support::{again::Skipped, callgrind},
    variants::Case,
};

pub(crate) fn measure(cases: &[Case]) -> Result<Vec<f64>, Skipped> {
    child::counts_per_call(cases, |case, calls| {
        callgrind::instructions(&child::arguments(case, calls))
    })
}
