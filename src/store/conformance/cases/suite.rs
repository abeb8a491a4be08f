//! The factory's own skip list.

use super::{NAMES, prelude::*};

pub(super) async fn the_skip_list_names_cases_and_reasons<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    for skip in case.factory.skips() {
        let is_known = NAMES.contains(&skip.case) && skip.case != super::ALWAYS;
        holds("a skip names a case that can be skipped", is_known, skip)?;
        holds("a skip has a reason", !skip.reason.is_empty(), skip)?;
    }
    Ok(())
}
