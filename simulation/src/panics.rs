//! Panics nobody planned. Tasks swallow them, so they are caught on their way.

use std::{cell::RefCell, panic, sync::Once};

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on, panics of this thread are kept.
pub(crate) fn watch() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            usual(panic);
        }));
    });
    drop(take());
}

/// The panics since the last look.
pub(crate) fn take() -> Vec<String> {
    PANICS.take()
}
