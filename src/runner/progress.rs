//! What handlers say of their progress, into the store: for each operation at most once a second.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::sleep;
use tracing::debug;

use super::Runner;
use crate::{
    clock::unix_now,
    operation::{Key, Shared, Tail},
    store::OperationStore,
};

const PAUSE: Duration = Duration::from_secs(1);

// === impl Runner ===

impl Runner {
    /// Stores what is reported until the last layer is gone.
    pub(super) async fn report_on(runner: Weak<Self>) {
        let Some(reports) = runner.upgrade().map(|runner| Arc::clone(&runner.reports)) else {
            return;
        };
        loop {
            let changed = reports.next().await;
            let Some(runner) = runner.upgrade() else {
                return;
            };
            for (key, shared) in changed {
                runner.report(key, &shared).await;
            }
            drop(runner);
            sleep(PAUSE).await;
        }
    }

    /// Progress that cannot be stored is not worth another attempt: there will be more.
    async fn report(&self, key: Key, shared: &Shared) {
        let Some(held) = self.hub.find(key) else {
            return;
        };
        let (revision, report) = (shared.next_revision(), shared.latest());
        let attempt = shared.attempt();
        let tail = Tail::Progress { revision, updated: unix_now(), report, attempt }.encode();
        match self.store.write(key, held.fence, tail, None).await {
            Ok(_) => self.hub.changed(key).await,
            Err(error) => debug!(operation = %key, %error, "progress could not be stored"),
        }
    }
}
