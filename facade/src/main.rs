//! `respond-async-facade`: see `--help` and the README.

use std::convert::Infallible;
use std::error::Error;
use std::future::ready;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use respond_async_facade::follow::follow;
use respond_async_facade::metrics::{self, Metrics};
use respond_async_facade::options::Options;
use respond_async_facade::proxy::{Forward, Proxy};
use respond_async_facade::server::{self, Connections};
use respond_async_facade::signals::Signals;
use respond_async_facade::store;
use respond_async_facade::upstream::Upstream;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;
use tracing_subscriber::EnvFilter;

/// What calls still in progress get when the drain has used up its time.
const LAST_GRACE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(error) = options.check() {
        Options::command().error(ErrorKind::ValueValidation, error).exit();
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let ended = match options.follow {
        true => run(&options, || (follow(&options), ready(()))).await,
        false => defer(&options).await,
    };
    match ended {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

/// Serves with the layer that defers.
async fn defer(options: &Options) -> io::Result<ExitCode> {
    let opened = match options.store.open(options.store_timeout, options.store_ca.as_ref()) {
        Ok(opened) => opened,
        Err(error @ store::Error::Trust(_)) => {
            Options::command().error(ErrorKind::ValueValidation, error).exit()
        }
        Err(error) => return Ok(failed(&error)),
    };
    let layer = options
        .layer(opened.store)
        .unwrap_or_else(|error| Options::command().error(ErrorKind::ValueValidation, error).exit());
    tracing::info!("operations are kept in {}", options.store);
    if let Some(tables) = opened.tables {
        tables.prepare().await;
    }
    let grace = options.drain;
    run(options, move || {
        let handle = layer.handle();
        let proxy = || {
            let forward = Forward::new(Upstream::new(options.upstream.clone()));
            Proxy::new(forward.trusting(options.trusted()))
        };
        if let Some(policy) = options.replay() {
            handle.replay_on::<Incoming, _, _>(proxy(), policy);
        }
        // Not with the first late call: what a former process has left is waited for.
        handle.start();
        let drained = async move {
            handle.drain(grace).await;
        };
        (layer.layer(proxy()), drained)
    })
    .await
}

fn failed(error: &(dyn Error + 'static)) -> ExitCode {
    tracing::error!(error, "stopped");
    ExitCode::FAILURE
}

/// Serves until a signal, then drains; a second signal ends it at once.
///
/// Once the listeners are there, `begin` makes the service, and what is to be waited for when it is drained.
async fn run<S, B, D>(options: &Options, begin: impl FnOnce() -> (S, D)) -> io::Result<ExitCode>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    D: Future<Output = ()> + Send + 'static,
{
    let mut signals = Signals::listen()?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", options.listen))
    })?;
    if let Some(address) = options.metrics {
        serve_metrics(address).await?;
    }
    let (service, draining) = begin();
    announce(&listener)?;

    let grace = options.drain;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let mut end = Instant::now();
        // Polls are served while operations end: connections close only after that.
        let drained = async {
            // Dropped without a word only if `run` is gone, and this task with it.
            let _ = stopped.await;
            end = Instant::now() + grace;
            draining.await;
        };
        let connections = server::serve(listener, service, drained).await;
        let left = end.saturating_duration_since(Instant::now()).max(LAST_GRACE);
        if connections.close(left).await.is_err() {
            tracing::warn!("connections that were still busy are closed");
        }
    });

    signals.next().await;
    tracing::info!("draining for at most {}", humantime::format_duration(grace));
    // The receiver lives as long as the accept loop, which ends by this alone.
    let _ = stop.send(());
    tokio::select! {
        ended = serving => {
            ended.map_err(io::Error::other)?;
            tracing::info!("drained");
            Ok(ExitCode::SUCCESS)
        }
        () = signals.next() => {
            tracing::warn!("ended at once by a second signal");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Serves what is recorded from now on, until the process ends.
async fn serve_metrics(address: SocketAddr) -> io::Result<()> {
    let listener = metrics::listen(address).await?;
    let metrics = Metrics::record().map_err(io::Error::other)?;
    tracing::info!("metrics are served on http://{}/metrics", listener.local_addr()?);
    tokio::spawn(metrics.clone().keep_up());
    tokio::spawn(async {
        let _: Connections = server::serve(listener, metrics, std::future::pending()).await;
    });
    Ok(())
}

/// The line that says that connections are accepted: other programs wait for it.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()
}
