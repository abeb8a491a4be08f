//! What each dialect says, word by word: the transcripts beside this file are played against the layer.
//!
//! A transcript is a list of exchanges, each under a heading (`###`). Its requests are sent one after the
//! other, and what is answered has to be what stands there. Ids and dates are placeholders: `{id}` is the
//! first operation, `{id2}` the second, and so on. `# 20 s later` lets so much time pass before a request.
//! What stands behind a request's fields and an empty line is its body.
//!
//! `UPDATE_TRANSCRIPTS=1` writes the answers anew, to be read before they are committed.

#[path = "../support/mod.rs"]
mod support;

mod grpc;
mod service;
mod text;

use std::{fs, path::PathBuf, time::Duration};

use bytes::Bytes;
use tower_respond_async::{
    Builder, RespondAsyncLayer,
    dialect::{FhirDialect, ODataDialect, RedfishDialect, StandardDialect},
};

use self::{
    service::answer,
    support::{Answer, App, DEADLINE, bare, send},
    text::{Exchange, Names},
};

const EVERY: Duration = Duration::from_secs(5);
const PUBLIC: &str = "https://api.example.com";

/// The layer of all transcripts, but for the dialect.
fn layer() -> Builder {
    RespondAsyncLayer::builder(DEADLINE).execution_limit(Duration::from_secs(60))
}

/// How bodies and responses are written in a transcript.
#[derive(Clone, Copy)]
struct Form {
    /// The body of a request, of what is written in its place.
    body: fn(&str) -> Bytes,
    /// A response, as it is to be written.
    response: fn(&Exchange<'_>, &Answer) -> String,
}

/// Of HTTP, whose bodies are texts.
const TEXT: Form = Form {
    body: |text| Bytes::copy_from_slice(text.as_bytes()),
    response: |_, answer| text::response(answer),
};

async fn play(name: &str, layer: Builder) {
    compare(name, &bare(&layer.build().expect("a layer"), answer), TEXT).await;
}

/// Plays a transcript, and compares it with what is written.
async fn compare(name: &str, app: &App, form: Form) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/transcripts/{name}.http"));
    let written = fs::read_to_string(&path).expect("a transcript");
    let (preface, exchanges) = text::parse(&written);
    assert!(exchanges.len() >= 7, "{name} says too little: {} exchanges", exchanges.len());
    let played = perform(app, form, preface, &exchanges).await;
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, &played).expect("a transcript is written");
        return;
    }
    for (line, (said, expected)) in played.lines().zip(written.lines()).enumerate() {
        assert_eq!(said, expected, "{name}.http, line {}", line + 1);
    }
    assert_eq!(played, written, "{name}.http");
}

/// The transcript as it is, given these requests.
async fn perform(app: &App, form: Form, preface: &str, exchanges: &[Exchange<'_>]) -> String {
    let mut names = Names::default();
    let mut played = preface.to_owned();
    for exchange in exchanges {
        tokio::time::sleep(exchange.after()).await;
        let answer = send(app, exchange.request(&names, form.body)).await;
        played.push_str(&exchange.head());
        played.push_str(&names.hide(&(form.response)(exchange, &answer)));
        played.push('\n');
    }
    played.trim_end().to_owned() + "\n"
}

#[tokio::test(start_paused = true)]
async fn the_standard_dialect_is_spoken_as_it_is_written() {
    play("standard", layer().dialect(StandardDialect::new().retry_after(EVERY))).await;
}

#[tokio::test(start_paused = true)]
async fn the_standard_dialect_serves_all_azure_clients_once_references_are_absolute() {
    let dialect = StandardDialect::new().retry_after(EVERY);
    play("absolute", layer().public_base(PUBLIC).dialect(dialect)).await;
}

#[tokio::test(start_paused = true)]
async fn resource_manager_is_spoken_to_as_it_is_written() {
    play("arm", layer().public_base(PUBLIC).dialect(StandardDialect::arm().retry_after(EVERY)))
        .await;
}

#[tokio::test(start_paused = true)]
async fn azure_services_are_spoken_for_as_it_is_written() {
    let dialect = StandardDialect::operation_location().retry_after(EVERY);
    play("operation-location", layer().public_base(PUBLIC).dialect(dialect)).await;
}

#[tokio::test(start_paused = true)]
async fn redfish_is_spoken_as_it_is_written() {
    let dialect = RedfishDialect::new().retry_after(EVERY);
    // Of the public base, nothing is to be seen.
    play("redfish", layer().public_base(PUBLIC).dialect_below("/redfish/v1", dialect)).await;
}

#[tokio::test(start_paused = true)]
async fn fhir_is_spoken_as_it_is_written() {
    let bulk = FhirDialect::new().retry_after(EVERY);
    let r5 = FhirDialect::bundle().retry_after(EVERY);
    let r6 = FhirDialect::see_other().retry_after(EVERY);
    let layer = layer()
        .public_base(PUBLIC)
        .dialect_below("/fhir", bulk)
        .dialect_below("/r5", r5)
        .dialect_below("/r6", r6);
    play("fhir", layer).await;
}

#[tokio::test(start_paused = true)]
async fn odata_is_spoken_as_it_is_written() {
    play("odata", layer().dialect_below("/odata", ODataDialect::new().retry_after(EVERY))).await;
}
