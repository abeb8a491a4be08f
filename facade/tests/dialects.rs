//! Operations of one proxy that are spoken of in different ways.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use http::{Method, Response, StatusCode};
use support::{Answer, Caller, Server, full, request, upstream};
use tokio::sync::Semaphore;

const PUBLIC: &str = "https://api.example.com";

/// The facade before an upstream that answers `/late` below any path when told to, and all else at once.
async fn facade(options: &[&str]) -> (Server, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let address = upstream({
        let gate = Arc::clone(&gate);
        move |request| {
            let gate = Arc::clone(&gate);
            async move {
                let path = request.uri().path().to_owned();
                if path.ends_with("/late") {
                    gate.acquire().await.unwrap().forget();
                }
                Response::new(full(path))
            }
        }
    })
    .await;
    let options = [&["--after", "100ms", "--public-base", PUBLIC], options].concat();
    (Server::facade(&format!("http://{address}"), &options).await, gate)
}

async fn send(facade: &Server, method: Method, path: &str, prefer: Option<&'static str>) -> Answer {
    let mut request = request(method, &facade.url(path), "");
    if let Some(prefer) = prefer {
        request.headers_mut().insert("prefer", prefer.parse().unwrap());
    }
    Caller::http1().send(request).await
}

/// The path of an absolute reference.
fn path<'a>(answer: &'a Answer, field: &str) -> &'a str {
    answer.header(field).strip_prefix(PUBLIC).expect("a reference below the public base")
}

#[tokio::test]
async fn each_path_has_its_own_dialect_and_all_others_the_standard_one() {
    let (facade, gate) = facade(&["--dialect", "fhir=/fhir", "--dialect", "odata=/odata/"]).await;
    let prefer = Some("respond-async");

    let fhir = send(&facade, Method::GET, "/fhir/late", prefer).await;
    assert_eq!(fhir.status, StatusCode::ACCEPTED);
    assert!(path(&fhir, "content-location").starts_with("/fhir/operations/"));
    let odata = send(&facade, Method::POST, "/odata/late", prefer).await;
    assert!(path(&odata, "location").starts_with("/odata/operations/"));
    let other = send(&facade, Method::POST, "/late", None).await;
    assert!(path(&other, "operation-location").starts_with("/operations/"));

    gate.add_permits(3);
    let monitor = facade.url(path(&odata, "location"));
    let odata = Caller::http1().poll_while(StatusCode::ACCEPTED, &monitor).await;
    assert_eq!((odata.header("asyncresult"), odata.text()), ("200", "/odata/late"));
    let monitor = facade.url(path(&fhir, "content-location"));
    let fhir = Caller::http1().poll_while(StatusCode::ACCEPTED, &monitor).await;
    assert_eq!(fhir.text(), "/fhir/late");

    let unknown = "/fhir/operations/00000000000040008000000000000000";
    let unknown = send(&facade, Method::GET, unknown, None).await;
    assert_eq!(unknown.json()["resourceType"], "OperationOutcome");
}

#[tokio::test]
async fn what_clients_ask_for_first_is_the_upstreams() {
    let (facade, _gate) = facade(&["--dialect", "fhir=/fhir"]).await;
    for probe in ["/fhir/metadata", "/fhir/operations", "/fhir/.well-known/smart-configuration"] {
        let answer = send(&facade, Method::GET, probe, None).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, probe));
    }
}

#[tokio::test]
async fn the_dialect_of_all_other_calls_can_be_another_one() {
    let (facade, _gate) = facade(&["--dialect", "arm", "--dialect", "redfish=/redfish/v1"]).await;
    let arm = send(&facade, Method::POST, "/late", None).await;
    assert!(path(&arm, "azure-asyncoperation").starts_with("/operations/"));
    assert!(arm.all("operation-location").is_empty());
    let redfish = send(&facade, Method::POST, "/redfish/v1/late", None).await;
    assert!(redfish.header("location").starts_with("/redfish/v1/operations/"));
    assert_eq!(redfish.header("allow"), "DELETE");
}

#[tokio::test]
async fn a_redirect_to_the_result_is_what_r6_of_fhir_wants_at_the_end() {
    let (facade, gate) = facade(&["--dialect", "fhir", "--complete", "303"]).await;
    let accepted = send(&facade, Method::GET, "/late", Some("respond-async")).await;
    gate.add_permits(1);
    let monitor = facade.url(path(&accepted, "content-location"));
    let ended = Caller::http1().poll_while(StatusCode::ACCEPTED, &monitor).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    let result = send(&facade, Method::GET, path(&ended, "location"), None).await;
    assert_eq!(result.text(), "/late");
}
