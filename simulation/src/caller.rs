//! How clients reach replicas.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{sync::oneshot, time::timeout};
use turmoil::net::{TcpStream, UdpSocket};

use crate::{
    coverage::{Call, Event},
    post::{Letter, SERVICE_PORT, receive, send},
    scenario::{REPLICAS, Transport},
    world::Shared,
};

/// Calls replicas, from the host on which it was made.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    world: Shared,
    transport: Transport,
    replicas: [SocketAddr; REPLICAS],
    socket: UdpSocket,
    waiting: Mutex<BTreeMap<u64, Waiting>>,
}

type Waiting = oneshot::Sender<Option<Box<Response<Bytes>>>>;

// === impl Caller ===

impl Caller {
    pub(crate) async fn new(world: Shared) -> turmoil::Result<Self> {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let replicas = std::array::from_fn(|replica| {
            SocketAddr::new(turmoil::lookup(format!("r{replica}")), SERVICE_PORT)
        });
        let desk = Arc::new(Desk {
            transport: world.with(|world| world.scenario.settings.transport),
            world,
            replicas,
            socket: UdpSocket::bind(any).await?,
            waiting: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&desk).listen());
        Ok(Self(desk))
    }

    /// The answer; `None` if none came in time, or the service failed.
    pub(crate) async fn call(
        &self,
        replica: usize,
        event: Event,
        request: Request<Bytes>,
        patience: Duration,
    ) -> Option<Response<Bytes>> {
        let desk = &*self.0;
        let (number, mut met) = desk.world.with(|world| world.knock(replica, event));
        let answer = match desk.transport {
            Transport::Datagrams => self.by_datagram(replica, number, request, patience, &mut met),
            Transport::Http => {
                return self.over_http(replica, request, patience, met).await;
            }
        };
        let answer = answer.await;
        desk.world.with(|world| world.count(met));
        answer
    }

    async fn by_datagram(
        &self,
        replica: usize,
        call: u64,
        request: Request<Bytes>,
        patience: Duration,
        met: &mut Call,
    ) -> Option<Response<Bytes>> {
        let Desk { world, replicas, socket, waiting, .. } = &*self.0;
        let (told, answer) = oneshot::channel();
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(call, told);
        let request = Box::new(request);
        send(world, socket, replicas[replica], Letter::Call { call, request });
        match timeout(patience, answer).await {
            Ok(answer) => {
                met.end();
                answer.ok().flatten().map(|answer| *answer)
            }
            Err(_) => {
                waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&call);
                send(world, socket, replicas[replica], Letter::Leave { call });
                None
            }
        }
    }

    async fn over_http(
        &self,
        replica: usize,
        request: Request<Bytes>,
        patience: Duration,
        mut met: Call,
    ) -> Option<Response<Bytes>> {
        let answer = timeout(patience, exchange(self.0.replicas[replica], request)).await;
        if answer.is_ok() {
            met.end();
        }
        self.0.world.with(|world| world.count(met));
        answer.ok().flatten()
    }
}

/// One exchange, on a connection of its own. Dropped, it closes the connection.
async fn exchange(to: SocketAddr, request: Request<Bytes>) -> Option<Response<Bytes>> {
    let stream = TcpStream::connect(to).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let answer = async {
        let response = sender.send_request(request.map(Full::new)).await.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Response::from_parts(parts, body))
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The rest of the answer may be there already.
        _ = &mut connection => answer.await,
    }
}

// === impl Desk ===

impl Desk {
    async fn listen(self: Arc<Self>) {
        while let Ok((letter, _)) = receive(&self.world, &self.socket).await {
            if let Letter::Answered { call, answer } = letter {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(told) = waiting.remove(&call) {
                    drop(told.send(answer));
                }
            }
        }
    }
}
