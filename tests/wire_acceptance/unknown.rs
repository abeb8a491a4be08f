//! What is no operation, and methods that its URLs do not have.

use axum::{
    Router,
    http::{Method, StatusCode},
};
use tower_respond_async::RespondAsyncLayer;

use crate::{
    application::{NEVER, OWN},
    support::{Answer, Exchange, Raw, serve},
    wire::{Server, Wire},
};

over_every_wire! {
    an_unknown_id_is_a_404_problem,
    a_method_that_there_is_not_is_a_405_problem_with_allow,
}

in_every_flow! {
    Http1:
    what_is_no_id_is_the_applications_and_its_404_stays_as_it_is,
    what_is_no_id_is_a_404_problem_where_the_status_service_is_mounted,
}

const ID: &str = "0123456789ab4def8123456789abcdef";

fn assert_problem(answer: &Answer, status: StatusCode) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("retry-after"), None);
    let problem = answer.json();
    assert_eq!(problem["status"], status.as_u16());
    assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:problem-type:")));
    assert!(problem["title"].is_string());
}

async fn an_unknown_id_is_a_404_problem(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    for id in [ID, &"0".repeat(32), &"f".repeat(32)] {
        for url in [format!("/operations/{id}"), format!("/operations/{id}/result?x=1")] {
            for prefer in ["", "wait=600", "respond-async"] {
                for method in [Method::GET, Method::DELETE] {
                    let answer = client.call(method, &url, &[("prefer", prefer)]).await;
                    assert_problem(&answer, StatusCode::NOT_FOUND);
                }
            }
            let head = client.call(Method::HEAD, &url, &[]).await;
            assert_eq!((head.status, head.body.len()), (StatusCode::NOT_FOUND, 0));
            assert_eq!(head.header("retry-after"), None);
        }
    }
}

async fn a_method_that_there_is_not_is_a_405_problem_with_allow(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let accepted = server.accept(&mut client, 200).await;
    let purge = Method::from_bytes(b"PURGE").expect("a valid method");
    for ended in [false, true] {
        for url in [&accepted.status_url, &accepted.result_url] {
            for method in [Method::PUT, Method::POST, Method::PATCH, purge.clone()] {
                let answer = client.call(method, url, &[]).await;
                assert_problem(&answer, StatusCode::METHOD_NOT_ALLOWED);
                assert_eq!(answer.header("allow"), Some("GET, HEAD, DELETE"));
            }
        }
        if !ended {
            server.release.go();
            assert_eq!(client.follow(wire.flow, &accepted).await.status, StatusCode::OK);
        }
    }
}

/// Paths below the base that no operation has. They are sent as they are: no client resolves or
/// encodes anything.
fn hostile() -> Vec<String> {
    let upper = ID.to_uppercase();
    [
        "",
        "/",
        "/.",
        "/..",
        "/../",
        "/../../etc/passwd",
        "/..;/manager",
        "/%2e%2e",
        "/%2e%2e/",
        "/%2E%2E%2F%2E%2E%2Fetc%2Fpasswd",
        "/..%c0%af..%c0%af",
        "/%00",
        "/%",
        "/%zz",
        "/%0d%0aSet-Cookie:%20x=1",
        "//",
        "//evil.example/x",
        "/;",
        "/;jsessionid=1",
        "/'",
        "/'%20OR%20'1'='1",
        "/1;DROP%20TABLE%20operations--",
        "/%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/${jndi:ldap://x}",
        "/{{7*7}}",
        "/%F0%9F%98%80",
        "/%ef%bc%90%ef%bc%91",
        "/null",
        "/undefined",
        "/-1",
        "/0",
        "/result",
        "/*",
        "/01234567-89ab-4def-8123-456789abcdef",
        "/urn:uuid:01234567-89ab-4def-8123-456789abcdef",
        "/0x0123456789ab4def8123456789abcdef",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        format!("/{upper}"),
        format!("/{}", &ID[1..]),
        format!("/{ID}0"),
        format!("/{ID}%00"),
        format!("/{ID}%20"),
        format!("/{ID}%2fresult"),
        format!("/{ID};v=1"),
        format!("/{ID}."),
        format!("/{ID}.json"),
        format!("/{ID}/"),
        format!("/{ID}/.."),
        format!("/{ID}/../{ID}"),
        format!("/{ID}/result/"),
        format!("/{ID}/result/result"),
        format!("/{ID}/Result"),
        format!("/{ID}//result"),
        format!("//{ID}"),
        format!("/{}", "0".repeat(8_000)),
        format!("/{}", "a".repeat(60_000)),
        format!("/{}", "../".repeat(5_000)),
    ])
    .collect()
}

async fn what_is_no_id_is_the_applications_and_its_404_stays_as_it_is(wire: Wire) {
    let server = Server::start(wire).await;
    let mut connection = Raw::connect(server.address).await;
    for path in hostile() {
        let target = format!("/operations{path}");
        let shown = &target[..target.len().min(60)];
        for method in ["GET", "DELETE", "PUT"] {
            connection.write(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            let (head, body) = connection.read_answer().await;
            assert!(head.starts_with("HTTP/1.1 404 "), "{method} {shown}: {head}");
            assert!(head.contains(OWN), "{method} {shown}: {head}");
            assert!(!head.contains("retry-after"), "{method} {shown}: {head}");
            assert!(body == target, "{method} {shown} is not what the application saw");
        }
    }
    let refused = [
        "/operations/ x",
        "/operations/\u{1}",
        "/operations/\"",
        "/operations/<x>",
        "/operations/😀",
        "/operations/０１２３",
    ];
    for target in refused {
        let mut connection = Raw::connect(server.address).await;
        connection.write(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let (head, _) = connection.read_answer().await;
        let status = head.get(9..12).unwrap_or_default();
        assert!(["400", "404"].contains(&status), "{target:?}: {head}");
        assert!(!head.contains("retry-after"), "{target:?}: {head}");
    }
}

async fn what_is_no_id_is_a_404_problem_where_the_status_service_is_mounted(wire: Wire) {
    let layer = RespondAsyncLayer::builder(NEVER)
        .dialect(wire.flow.dialect())
        .external_status()
        .build()
        .expect("a valid layer");
    let app = Router::new().nest_service("/operations", layer.status_service());
    let mut connection = Raw::connect(serve(app).await).await;
    // The router takes these for paths of its own.
    let the_routers = ["", "/"];
    for path in hostile().iter().filter(|path| !the_routers.contains(&path.as_str())) {
        let shown = &path[..path.len().min(60)];
        for method in ["GET", "DELETE"] {
            let request = format!("{method} /operations{path} HTTP/1.1\r\nHost: x\r\n\r\n");
            connection.write(request).await;
            let (head, body) = connection.read_answer().await;
            assert!(head.starts_with("HTTP/1.1 404 "), "{method} {shown}: {head}");
            assert!(head.contains("application/problem+json"), "{method} {shown}: {head}");
            assert!(!head.contains("retry-after"), "{method} {shown}: {head}");
            let problem: serde_json::Value = serde_json::from_slice(&body).expect("a document");
            assert_eq!(problem["status"], 404, "{method} {shown}");
        }
    }
}
