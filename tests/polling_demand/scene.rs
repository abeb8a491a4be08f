//! Processes on one store, whose calls end when the test says so.

use std::time::Duration;

use http::{Method, Response};
use tokio::{task::JoinHandle, time::Instant};
use tower_respond_async::{Builder, Handle, RespondAsyncLayer, store::fault::Verb};

use crate::{
    store::Store,
    support::{Accepted, Answer, App, DEADLINE, Release, bare, call},
};

/// As long as the layer waits by default from one read to the next.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// A process of its own on a store that others may share.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) app: App,
    pub(crate) handle: Handle,
    pub(crate) store: Store,
    /// Lets its calls end.
    pub(crate) release: Release,
}

/// Fields of a request.
pub(crate) type Fields = &'static [(&'static str, &'static str)];

/// An answer, and when it came.
pub(crate) type Timed = (Answer, Instant);

// === impl Process ===

impl Process {
    pub(crate) fn new(store: &Store, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = RespondAsyncLayer::builder(DEADLINE)
            .store(store.clone())
            .principal(|request| Some(request.headers.get("x-user")?.as_bytes().into()));
        let layer = set_up(builder).build().unwrap();
        let release = Release::new();
        let app = bare(&layer, {
            let release = release.clone();
            move |_| {
                let release = release.clone();
                async move {
                    release.wait().await;
                    Response::new("done".into())
                }
            }
        });
        Self { app, handle: layer.handle(), store: store.clone(), release }
    }

    pub(crate) async fn accept(&self, fields: Fields) -> Accepted {
        Accepted::of(call(&self.app, Method::POST, "/work", fields).await)
    }

    pub(crate) async fn get(&self, url: &str, fields: Fields) -> Answer {
        call(&self.app, Method::GET, url, fields).await
    }

    /// Asks in a task of its own.
    pub(crate) fn ask(&self, method: Method, url: &str, fields: Fields) -> JoinHandle<Timed> {
        let (app, url) = (self.app.clone(), url.to_owned());
        tokio::spawn(async move {
            let answer = call(&app, method, &url, fields).await;
            (answer, Instant::now())
        })
    }

    /// Many ask for the same.
    pub(crate) fn ask_all(&self, many: usize, url: &str, fields: Fields) -> Vec<JoinHandle<Timed>> {
        (0..many).map(|_| self.ask(Method::GET, url, fields)).collect()
    }

    /// Uses up the two reads of an operation that begin at once.
    pub(crate) async fn spend(&self, url: &str, fields: Fields) {
        all(self.ask_all(2, url, fields)).await;
    }

    /// How often the store was read.
    pub(crate) fn reads(&self) -> usize {
        self.store.faults().called(Verb::Get)
    }
}

/// All answers.
pub(crate) async fn all(asked: Vec<JoinHandle<Timed>>) -> Vec<Timed> {
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap());
    }
    answers
}
