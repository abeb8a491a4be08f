//! Messages in protobuf's text format, behind their full names.

use prost::Message;
use tonic::Code;

use super::{
    messages::{Any, Empty, Ending, Named, Operation, RetryInfo, RpcStatus, Span},
    service::{ErrorInfo, Report, ReportRequest},
};

pub(super) const OPERATION: &str = "google.longrunning.Operation";
pub(super) const EMPTY: &str = "google.protobuf.Empty";
pub(super) const STATUS: &str = "google.rpc.Status";
pub(super) const ERROR_INFO: &str = "google.rpc.ErrorInfo";
pub(super) const REPORT: &str = "shop.Report";
const RETRY_INFO: &str = "google.rpc.RetryInfo";
const REPORT_REQUEST: &str = "shop.ReportRequest";
const LIST_REQUEST: &str = "google.longrunning.ListOperationsRequest";
/// What begins the name of the other requests for operations.
const LONG_RUNNING: &str = "google.longrunning.";

#[derive(Clone, PartialEq, prost::Message)]
struct ListRequest {
    #[prost(string, tag = "4")]
    name: String,
}

/// A field that is set.
#[derive(Clone)]
enum Field {
    Scalar(&'static str, String),
    Message(String, Vec<Self>),
}

/// The message called `name`, on several lines unless it is empty.
pub(super) fn show(name: &str, message: &[u8]) -> String {
    let mut text = String::new();
    write(&Field::Message(name.to_owned(), fields(name, message)), 0, &mut text);
    text.truncate(text.trim_end().len());
    text
}

/// The message that [`show`] would show so. It has no more than a name and a number of seconds.
pub(super) fn read(written: &str) -> Vec<u8> {
    let mut words = written.split_whitespace();
    let name = words.next().expect("a message");
    let (mut text, mut seconds) = (String::new(), None);
    while let Some(word) = words.next() {
        match word {
            "name:" => text = words.next().expect("a text").trim_matches('"').to_owned(),
            "seconds:" => seconds = words.next().and_then(|seconds| seconds.parse().ok()),
            _ => {}
        }
    }
    let message = match name {
        REPORT_REQUEST => ReportRequest { name: text }.encode_to_vec(),
        LIST_REQUEST => ListRequest { name: text }.encode_to_vec(),
        _ => {
            let timeout = seconds.map(|seconds| Span { seconds, nanos: 0 });
            Named { name: text, timeout }.encode_to_vec()
        }
    };
    assert_eq!(show(name, &message), written, "a message that is understood");
    message
}

/// As specifications write it: `NOT_FOUND`.
pub(super) fn code(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

fn write(field: &Field, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match field {
        Field::Scalar(name, value) => *text += &format!("{indent}{name}: {value}\n"),
        Field::Message(name, fields) if fields.is_empty() => {
            *text += &format!("{indent}{name} {{}}\n");
        }
        Field::Message(name, fields) => {
            *text += &format!("{indent}{name} {{\n");
            for field in fields {
                write(field, depth + 1, text);
            }
            *text += &format!("{indent}}}\n");
        }
    }
}

fn fields(name: &str, message: &[u8]) -> Vec<Field> {
    match name {
        OPERATION => operation(decode(message)),
        STATUS => status(decode(message)),
        RETRY_INFO => {
            let RetryInfo { retry_delay } = decode(message);
            span("retry_delay", retry_delay)
        }
        ERROR_INFO => {
            let ErrorInfo { reason, domain } = decode(message);
            [text("reason", &reason), text("domain", &domain)].concat()
        }
        REPORT => number("rows", decode::<Report>(message).rows),
        REPORT_REQUEST => text("name", &decode::<ReportRequest>(message).name),
        LIST_REQUEST => text("name", &decode::<ListRequest>(message).name),
        EMPTY => {
            let Empty {} = decode(message);
            Vec::new()
        }
        _ if name.starts_with(LONG_RUNNING) && name.ends_with("Request") => {
            let Named { name, timeout } = decode(message);
            [text("name", &name), span("timeout", timeout)].concat()
        }
        _ => panic!("{name} is not known"),
    }
}

/// The message, of which nothing is left out.
fn decode<M: Message + Default>(bytes: &[u8]) -> M {
    let message = M::decode(bytes).expect("a message");
    assert_eq!(message.encode_to_vec(), bytes, "there is more in it");
    message
}

fn operation(operation: Operation) -> Vec<Field> {
    let Operation { name, metadata, done, result } = operation;
    let mut fields = text("name", &name);
    fields.extend(metadata.map(|metadata| any("metadata", &metadata)));
    fields.extend(done.then(|| Field::Scalar("done", "true".to_owned())));
    fields.extend(result.map(|result| match result {
        Ending::Error(error) => Field::Message("error".to_owned(), status(error)),
        Ending::Response(response) => any("response", &response),
    }));
    fields
}

fn status(status: RpcStatus) -> Vec<Field> {
    let RpcStatus { code: number, message, details } = status;
    let named = format!("{number} # {}", code(Code::from_i32(number)));
    let mut fields = vec![Field::Scalar("code", named)];
    fields.extend(text("message", &message));
    fields.extend(details.iter().map(|detail| any("details", detail)));
    fields
}

/// The message that it holds, in brackets its type.
fn any(name: &str, any: &Any) -> Field {
    let (_, packed) = any.type_url.rsplit_once('/').expect("the URL of a type");
    let packed = fields(packed, &any.value);
    Field::Message(name.to_owned(), vec![Field::Message(format!("[{}]", any.type_url), packed)])
}

fn span(name: &str, span: Option<Span>) -> Vec<Field> {
    let field = |Span { seconds, nanos }| {
        let parts = [number("seconds", seconds), number("nanos", nanos.into())];
        Field::Message(name.to_owned(), parts.concat())
    };
    span.map(field).into_iter().collect()
}

fn text(name: &'static str, text: &str) -> Vec<Field> {
    if text.is_empty() { Vec::new() } else { vec![Field::Scalar(name, format!("{text:?}"))] }
}

fn number(name: &'static str, number: i64) -> Vec<Field> {
    if number == 0 { Vec::new() } else { vec![Field::Scalar(name, number.to_string())] }
}
