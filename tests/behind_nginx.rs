//! Behind a real nginx that puts the service under a prefix, which it strips: where a 202 points has to
//! lead through it to the result.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

mod support;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    middleware::{Next, from_fn},
    response::Response,
    routing::post,
};
use http::{Method, StatusCode, header};
use support::{Answer, Exchange, http1};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tower_layer::Layer;
use tower_respond_async::{Builder, Operation, RespondAsyncLayer, dialect::PublicBase};

/// The address from which nginx asks, unlike everybody else here.
const NGINX: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);
/// A process that does not come up by then never does.
const PATIENCE: Duration = Duration::from_secs(60);

/// An nginx of its own, ended with the test.
struct Nginx {
    process: Child,
    folder: PathBuf,
    address: SocketAddr,
}

// === impl Nginx ===

impl Nginx {
    /// `/api/` at a free port is `/` at `behind`.
    async fn before(behind: SocketAddr) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = std::env::temp_dir().join(format!("behind-nginx-{}", address.port()));
        fs::create_dir_all(&folder).unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n{temporary}\
             access_log off;\nserver {{\nlisten {address};\nlocation /api/ {{\n\
             proxy_pass http://{behind}/;\nproxy_bind {NGINX};\nproxy_redirect off;\n\
             proxy_set_header X-Forwarded-Prefix /api;\n}}\n}}\n}}\n"
        );
        fs::write(folder.join("nginx.conf"), configuration).unwrap();
        // Debian has it where only root's shell looks.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let process = Command::new("nginx")
            .env("PATH", path)
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(&folder)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        let nginx = Self { process, folder, address };
        let up = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, up).await.expect("nginx comes up");
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Serves late calls on a free port. Only what nginx says of a prefix is believed.
async fn serve(set_up: impl FnOnce(Builder) -> Builder) -> SocketAddr {
    let layer = set_up(RespondAsyncLayer::builder(Duration::from_secs(60))).build().unwrap();
    let work = || async {
        Operation::current().defer_now();
        sleep(Duration::from_millis(20)).await;
        (StatusCode::CREATED, "made")
    };
    let routes = Router::new().route("/work", post(work));
    let app = Router::new().fallback_service(layer.layer(routes)).layer(from_fn(believe));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn believe(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    if peer.ip() == IpAddr::V4(NGINX) {
        let prefix = request.headers().get("x-forwarded-prefix");
        let base = prefix.and_then(|prefix| PublicBase::new(prefix.to_str().ok()?));
        if let Some(base) = base {
            request.extensions_mut().insert(base);
        }
    }
    next.run(request).await
}

fn told(builder: Builder) -> Builder {
    builder.public_base_from(|request| request.extensions.get::<PublicBase>().cloned())
}

/// Calls, and follows `Location` to the result. The 202, and the result.
async fn followed(address: SocketAddr, call: &str) -> (Answer, Answer) {
    let mut client = http1(address).await;
    let accepted = client.call(Method::POST, call, &[]).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{accepted:?}");
    let location = accepted.headers[header::LOCATION].to_str().unwrap().to_owned();
    loop {
        let answer = client.call(Method::GET, &location, &[]).await;
        if answer.status != StatusCode::ACCEPTED {
            return (accepted, answer);
        }
        // Polls say the same.
        assert_eq!(answer.headers[header::LOCATION], location.as_str());
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_location_leads_through_a_proxy_that_strips_a_prefix() {
    let nginx = Nginx::before(serve(|builder| builder.public_base("/api")).await).await;
    let (accepted, result) = followed(nginx.address, "/api/work").await;
    assert!(accepted.headers[header::LOCATION].as_bytes().starts_with(b"/api/operations/"));
    assert_eq!((result.status, &*result.body), (StatusCode::CREATED, &b"made"[..]));
}

#[tokio::test]
async fn a_location_has_the_prefix_of_which_a_trusted_proxy_tells() {
    let nginx = Nginx::before(serve(told).await).await;
    let (accepted, result) = followed(nginx.address, "/api/work").await;
    assert!(accepted.headers[header::LOCATION].as_bytes().starts_with(b"/api/operations/"));
    assert_eq!((result.status, &*result.body), (StatusCode::CREATED, &b"made"[..]));
}

#[tokio::test]
async fn nobody_else_is_believed_about_a_prefix() {
    let address = serve(told).await;
    let mut client = http1(address).await;
    let forged = [("x-forwarded-prefix", "/evil"), ("x-forwarded-host", "evil.example")];
    let accepted = client.call(Method::POST, "/work", &forged).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert!(!format!("{accepted:?}").contains("evil"), "{accepted:?}");
}
