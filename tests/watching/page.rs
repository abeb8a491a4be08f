//! The page at the status URL.

use axum::body::Body;
use http::{Method, Response, StatusCode};
use tower::{Layer, ServiceExt, util::BoxCloneSyncService};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_respond_async::{
    RespondAsyncLayer, StatusPage,
    dialect::{Complete, EXPOSED_HEADERS, Pending, StandardDialect},
};

use crate::{
    scene::{Process, long},
    support::{Answer, App, DEADLINE, accept, bare, call, get, late},
};

/// What a browser sends when somebody goes there.
const BROWSER: (&str, &str) =
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8");

async fn visit(app: &App, uri: &str) -> Answer {
    call(app, Method::GET, uri, &[BROWSER]).await
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

fn is_page(answer: &Answer) -> bool {
    answer.header("content-type") == Some("text/html; charset=utf-8")
}

/// All that an answer may depend on.
const VARY: &str = "Accept, Authorization, Cookie, Prefer";

#[tokio::test(start_paused = true)]
async fn a_browser_is_shown_a_page_from_the_beginning_to_the_end() {
    let process = Process::after_deadline(&[500]);
    let accepted = process.accept().await;
    let running = visit(&process.app, &accepted.status_url).await;
    assert_eq!(running.status, StatusCode::OK);
    assert!(is_page(&running));
    assert!(text(&running).contains("Running") && text(&running).contains(">Cancel</button>"));
    for (name, value) in [
        ("cache-control", "no-store"),
        ("vary", "accept"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(running.header(name), Some(value), "{name}");
    }
    assert!(running.header("content-security-policy").unwrap().starts_with("default-src 'none'; "));
    long().await;
    let ended = visit(&process.app, &accepted.status_url).await;
    assert!(text(&ended).contains("<p class=\"word\">Succeeded</p>"));
    assert!(text(&ended).contains(&format!("href=\"{}\"", accepted.result_url)));
    assert!(!text(&ended).contains("</button>"));
}

#[tokio::test(start_paused = true)]
async fn head_is_told_how_long_the_page_is() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let head = call(&process.app, Method::HEAD, &accepted.status_url, &[BROWSER]).await;
    let page = visit(&process.app, &accepted.status_url).await;
    assert!(is_page(&head) && head.body.is_empty());
    assert_eq!(head.header("content-length").unwrap(), page.body.len().to_string());
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_ask_for_a_page_gets_the_document_and_is_told_that_it_varies() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    for fields in [&[][..], &[("accept", "*/*")], &[("accept", "application/json, text/html")]] {
        let answer = call(&process.app, Method::GET, &accepted.status_url, fields).await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{fields:?}");
        assert_eq!(answer.header("vary"), Some(VARY));
    }
    let known = [("if-none-match", "W/\"0\"")];
    let same = call(&process.app, Method::GET, &accepted.status_url, &known).await;
    assert_eq!((same.status, same.header("vary")), (StatusCode::NOT_MODIFIED, Some(VARY)));
}

/// A document that a program has is no page that a browser has.
#[tokio::test(start_paused = true)]
async fn a_page_is_sent_even_to_whoever_has_the_document() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let fields = [BROWSER, ("if-none-match", "W/\"0\"")];
    let answer = call(&process.app, Method::GET, &accepted.status_url, &fields).await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, None));
}

#[tokio::test(start_paused = true)]
async fn the_page_is_at_the_status_url_whatever_the_flow() {
    let flow = StandardDialect::new().pending(Pending::Accepted).complete(Complete::SeeOther);
    let layer = RespondAsyncLayer::builder(DEADLINE).dialect(flow).build().unwrap();
    let process = Process::new(layer, &[]);
    let accepted = process.accept().await;
    for _ in 0..2 {
        let answer = visit(&process.app, &accepted.status_url).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(is_page(&answer));
        long().await;
    }
    let document = get(&process.app, &accepted.status_url).await;
    assert_eq!((document.status, document.header("vary")), (StatusCode::SEE_OTHER, Some(VARY)));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_page_of_a_result_nor_of_what_is_not_known() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let result = visit(&process.app, &accepted.result_url).await;
    assert_eq!(result.header("content-type"), Some("application/json"));
    let unknown = tower_respond_async::OperationId::random();
    let unknown = visit(&process.app, &format!("/operations/{unknown}")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.header("content-type"), Some("application/problem+json"));
}

#[tokio::test(start_paused = true)]
async fn a_page_can_be_had_never() {
    let builder = RespondAsyncLayer::builder(DEADLINE).page(StatusPage::Never);
    let process = Process::new(builder.build().unwrap(), &[]);
    let accepted = process.accept().await;
    let answer = visit(&process.app, &accepted.status_url).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shown_with_the_services_status() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    let app = bare(&layer, late(|| Response::builder().status(402).body(Body::empty()).unwrap()));
    let accepted = accept(&app, "/work/%3Cscript%3E&'x'?b=secret").await;
    long().await;
    let answer = visit(&app, &accepted.status_url).await;
    assert!(text(&answer).contains("<p class=\"word\">Failed</p>"));
    assert!(text(&answer).contains("The service answered 402 Payment Required."));
    assert!(text(&answer).contains("/work/%3Cscript%3E&amp;&#39;x&#39;<"));
}

/// All that an answer says to a script of another origin.
#[tokio::test(start_paused = true)]
async fn scripts_of_other_origins_can_be_shown_every_field_that_tells_of_an_operation() {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::exact("https://app.example".parse().unwrap()))
        .expose_headers(EXPOSED_HEADERS);
    let builder = RespondAsyncLayer::builder(DEADLINE).public_base("https://api.example");
    let process = Process::new(builder.build().unwrap(), &[]);
    let app: App = BoxCloneSyncService::new(
        cors.layer(process.app.clone()).map_response(|response| response.map(Body::new)),
    );
    let fields = [("origin", "https://app.example"), ("prefer", "respond-async")];
    let answer = call(&app, Method::POST, "/work", &fields).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let exposed = answer.header("access-control-expose-headers").unwrap();
    let exposed: Vec<_> = exposed.split(',').map(str::trim).collect();
    // What browsers show in any case, and what is for others.
    let others = ["cache-control", "content-type", "content-length", "referrer-policy", "vary"];
    for name in answer.headers.keys().map(http::HeaderName::as_str) {
        let is_exposed = exposed.contains(&name) || others.contains(&name);
        assert!(is_exposed || name.starts_with("access-control-"), "{name}");
    }
    let path = answer.json()["statusUrl"].as_str().unwrap().replace("https://api.example", "");
    let status = call(&app, Method::GET, &path, &fields).await;
    assert!(status.headers.contains_key("etag") && exposed.contains(&"etag"));
}
