//! The host of a replica: the layer, as it is, around the service.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{sync::oneshot, task::spawn_local};
use tower::{
    Layer, ServiceExt, service_fn,
    util::{BoxCloneSyncService, MapResponse},
};
use tower_respond_async::{Handle, Idempotency, ReplayPolicy, RespondAsyncLayer, ResponseBody};
use turmoil::net::{TcpListener, UdpSocket};

use crate::{
    post::{Letter, SERVICE_PORT, receive, send},
    remote::RemoteStore,
    scenario::{Settings, Transport},
    weather::Life,
    work::{Failed, Product, Upload, work},
    world::Shared,
};

type App = BoxCloneSyncService<Request<Upload>, Response<Upload>, Failed>;

/// Runs the replica until it dies.
pub(crate) async fn serve(world: Shared, replica: usize) -> turmoil::Result {
    let (start, settings) =
        world.with(|world| (world.sky.replicas[replica].starts, world.scenario.settings));
    let store = RemoteStore::connect(world.clone(), replica, start).await?;
    let layer = layer(store, settings)?;
    let handle = layer.handle();
    let (told, grace) = oneshot::channel();
    world.with(|world| {
        world.handles[replica] = Some(handle.clone());
        world.bells[replica] = Some(told);
    });
    let service = service_fn({
        let world = world.clone();
        move |request| work(world.clone(), replica, start, request)
    });
    if settings.attempts > 1 {
        let policy = ReplayPolicy::when(|_| true).max_attempts(settings.attempts);
        handle.replay_on::<Upload, _, _>(service.clone(), policy);
    }
    handle.start();
    tokio::spawn(drain(world.clone(), replica, handle, grace));
    let app = BoxCloneSyncService::new(MapResponse::new(
        layer.layer(service),
        |response: Response<ResponseBody<Product>>| {
            response.map(|body| body.map_err(io::Error::other).boxed_unsync())
        },
    ));
    match settings.transport {
        Transport::Datagrams => serve_datagrams(world, app).await,
        Transport::Http => serve_http(app).await,
    }
}

fn layer(store: RemoteStore, settings: Settings) -> turmoil::Result<RespondAsyncLayer> {
    let mut builder = RespondAsyncLayer::builder(settings.deadline)
        .store(store)
        .lease(settings.lease)
        .store_timeout(settings.store_timeout)
        .retention(settings.retention)
        .on_refusal(settings.refusal)
        .on_disconnect(settings.disconnect)
        .idempotency(Idempotency::Anonymous)
        .on_duplicate(settings.duplicate)
        .max_parked(settings.parked)
        .cancel_grace(Duration::from_secs(1));
    if let Some(limit) = settings.execution_limit {
        builder = builder.execution_limit(limit);
    }
    Ok(builder.build()?)
}

/// Waits to be told to stop, and stops.
async fn drain(world: Shared, replica: usize, handle: Handle, grace: oneshot::Receiver<Duration>) {
    let Ok(grace) = grace.await else { return };
    let drained = handle.drain(grace).await;
    world.with(|world| {
        let left = (drained.ended, drained.shut_down, drained.left);
        let now = world.now;
        world.history.note(now, ("drained", replica, left));
        world.sky.replicas[replica].state = Life::Drained;
    });
}

async fn serve_datagrams(world: Shared, app: App) -> turmoil::Result {
    let socket = Arc::new(UdpSocket::bind(here()).await?);
    let mut calls = BTreeMap::new();
    loop {
        let (letter, from) = receive(&world, &socket).await?;
        match letter {
            Letter::Call { call, request } => {
                let (world, socket, app) = (world.clone(), Arc::clone(&socket), app.clone());
                let request = request.map(|body| Full::new(body).map_err(never).boxed_unsync());
                let answered = app.oneshot(request);
                let task = tokio::spawn(async move {
                    let answer = match answered.await {
                        Ok(response) => whole(response).await.map(Box::new),
                        Err(Failed) => None,
                    };
                    send(&world, &socket, from, Letter::Answered { call, answer });
                });
                calls.insert(call, task.abort_handle());
            }
            Letter::Leave { call } => {
                if let Some(task) = calls.remove(&call) {
                    task.abort();
                }
            }
            Letter::Ask(_) | Letter::Told { .. } | Letter::Hint(_) | Letter::Answered { .. } => {}
        }
    }
}

/// The response with its whole body; `None` if that breaks off.
async fn whole(response: Response<Upload>) -> Option<Response<Bytes>> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Response::from_parts(parts, body))
}

async fn serve_http(app: App) -> turmoil::Result {
    let listener = TcpListener::bind(here()).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let app = app.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let request = request.map(|body| body.map_err(io::Error::other).boxed_unsync());
            app.clone().oneshot(request)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // On the host's own task set, which drops what it has in an order that repeats itself: a connection that
        // is dropped still sends something.
        spawn_local(async move { drop(connection.await) });
    }
}

fn here() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SERVICE_PORT)
}

fn never(never: Infallible) -> io::Error {
    match never {}
}
