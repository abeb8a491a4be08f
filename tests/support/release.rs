use tokio::sync::watch;

/// Holds handlers until the test lets them go, so that no test depends on how long anything takes.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    stage: watch::Sender<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stage {
    /// How many handlers have come to wait.
    waiting: usize,
    released: bool,
}

// === impl Release ===

impl Release {
    pub(crate) fn new() -> Self {
        Self { stage: watch::Sender::new(Stage { waiting: 0, released: false }) }
    }

    /// Waits, as a handler, until the test lets go.
    pub(crate) async fn wait(&self) {
        let mut stage = self.stage.subscribe();
        self.stage.send_modify(|stage| stage.waiting += 1);
        stage.wait_for(|stage| stage.released).await.expect("the sender is held here");
    }

    /// Waits, as the test, until so many handlers have come to wait.
    pub(crate) async fn waiting(&self, handlers: usize) {
        let mut stage = self.stage.subscribe();
        stage.wait_for(|stage| stage.waiting >= handlers).await.expect("the sender is held here");
    }

    /// Lets all handlers go, those to come included.
    pub(crate) fn go(&self) {
        self.stage.send_modify(|stage| stage.released = true);
    }
}
