//! The transcript of gRPC: frames are played, and shown as the messages that they hold.
//!
//! A request's body and a response's are one message in protobuf's text format, behind its full name. So is
//! `grpc-status-details-bin`. `# byte by byte` below a heading has the response show besides what stands for
//! them on the wire.

#[allow(dead_code, reason = "every test binary uses a part of it")]
#[path = "../../grpc/messages.rs"]
mod messages;
mod service;
mod text_format;

use std::{
    fmt::Write,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::HeaderMap;
use tonic::{Code, Status};
use tower_respond_async::{Idempotency, dialect::GrpcDialect};

use super::{
    Form, compare, layer,
    support::{Answer, bare},
    text::{Exchange, fields},
};

const FRAMES: Form = Form { body: frame, response };
/// Fields in the order in which they are read best; `grpc-status-details-bin` follows them all.
const FIELDS: [&str; 4] = ["content-type", "grpc-status", "grpc-message", "operation-name"];
const DETAILS: &str = "grpc-status-details-bin";
/// What stands before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

#[tokio::test(start_paused = true)]
async fn grpc_is_spoken_as_it_is_written() {
    let methods = GrpcDialect::new()
        .defer("/shop.Reports/Build", "shop.Report")
        .operation("/shop.Reports/Start", "shop.Report");
    // Nothing is to be learned from calls that take no time by the wall clock: each is its own route.
    let calls = AtomicUsize::new(0);
    let unlike = move |_: &_, _: &_| calls.fetch_add(1, Ordering::Relaxed).to_string();
    let layer = layer().grpc(methods).idempotency(Idempotency::Anonymous).route_key(unlike);
    let app = bare(&layer.build().expect("a layer"), service::answer);
    compare("grpc", &app, FRAMES).await;
}

/// A body with the message that is written so.
fn frame(written: &str) -> Bytes {
    let message = text_format::read(written);
    let length = u32::try_from(message.len()).expect("a short message");
    [&[0], &length.to_be_bytes()[..], &message].concat().into()
}

fn response(exchange: &Exchange<'_>, answer: &Answer) -> String {
    let raw = exchange.says("# byte by byte");
    let mut text = format!("HTTP/2 {}\n", answer.status.as_u16());
    text.push_str(&said(&answer.headers, raw));
    if let Some((prefix, message)) = answer.body.split_at_checked(PREFIX) {
        let length = u32::try_from(message.len()).expect("a short message");
        assert_eq!(prefix, [&[0], &length.to_be_bytes()[..]].concat(), "one uncompressed message");
        text.push('\n');
        if raw {
            let bytes: Vec<_> = answer.body.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "# {}", bytes.join(" ")).expect("a string grows");
        }
        text.push_str(&text_format::show(replied(exchange.target()), message));
        text.push('\n');
    } else {
        assert!(answer.body.is_empty(), "half a frame");
    }
    if let Some(trailers) = &answer.trailers {
        write!(text, "\n# trailers\n{}", said(trailers, raw)).expect("a string grows");
    }
    text
}

/// What a method replies with, as its clients know it.
fn replied(method: &str) -> &'static str {
    match method.rsplit('/').next().unwrap_or_default() {
        "Start" | "GetOperation" | "WaitOperation" => text_format::OPERATION,
        "CancelOperation" | "DeleteOperation" => text_format::EMPTY,
        _ => text_format::REPORT,
    }
}

/// Header fields or trailers, with the status as its name and the details as what they are.
fn said(headers: &HeaderMap, raw: bool) -> String {
    let mut others = headers.clone();
    let details = others.remove(DETAILS);
    let mut text = String::new();
    for line in fields(&others, &FIELDS).lines() {
        text.push_str(line);
        if let Some(code) = line.strip_prefix("grpc-status: ") {
            write!(text, " # {}", text_format::code(Code::from_bytes(code.as_bytes())))
                .expect("a string grows");
        }
        text.push('\n');
    }
    if let Some(encoded) = details {
        if raw {
            let encoded = encoded.to_str().expect("base64");
            writeln!(text, "# {DETAILS}: {encoded}").expect("a string grows");
        }
        let status = Status::from_header_map(headers).expect("a status beside its details");
        let shown = text_format::show(text_format::STATUS, status.details());
        writeln!(text, "{DETAILS}: {shown}").expect("a string grows");
    }
    text
}
