//! Transcripts as they are read and written.

use std::{fmt::Write, time::Duration};

use axum::body::Body;
use http::{HeaderMap, HeaderName, Request, StatusCode};

use crate::support::Answer;

/// A request, and what is said about it.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// All lines before the request, the heading first.
    about: Vec<&'a str>,
    /// The request's first line, and its fields.
    request: Vec<&'a str>,
}

/// The ids of operations, in the order in which they were first told.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

/// Fields in the order in which they are read best, as they are written in specifications. All others
/// follow them.
const FIELDS: [&str; 19] = [
    "Location",
    "Content-Location",
    "Operation-Location",
    "Azure-AsyncOperation",
    "Link",
    "Retry-After",
    "AsyncResult",
    "Preference-Applied",
    "X-Progress",
    "Allow",
    "Content-Type",
    "OData-Version",
    "Expires",
    "ETag",
    "Cache-Control",
    "Vary",
    "Referrer-Policy",
    "Respond-Async",
    "Idempotent-Replayed",
];
const ID: usize = 32;
const HEADING: &str = "###";

/// What stands before the first exchange, and all exchanges.
pub(crate) fn parse(text: &str) -> (&str, Vec<Exchange<'_>>) {
    let first = text.find(HEADING).unwrap_or(text.len());
    let (preface, rest) = text.split_at(first);
    let mut exchanges: Vec<Exchange<'_>> = Vec::new();
    let mut in_response = false;
    for line in rest.lines() {
        if line.starts_with(HEADING) {
            exchanges.push(Exchange { about: vec![line], request: Vec::new() });
            in_response = false;
            continue;
        }
        let exchange = exchanges.last_mut().expect("the first line is a heading");
        in_response |= line.starts_with("HTTP/");
        match (in_response || line.is_empty(), line.starts_with('#')) {
            (true, _) => {}
            (false, true) => exchange.about.push(line),
            (false, false) => exchange.request.push(line),
        }
    }
    (preface, exchanges)
}

// === impl Exchange ===

impl Exchange<'_> {
    /// How much time passes before the request.
    pub(crate) fn after(&self) -> Duration {
        let seconds = self
            .about
            .iter()
            .find_map(|line| line.strip_prefix("# ")?.strip_suffix(" s later")?.parse().ok());
        Duration::from_secs(seconds.unwrap_or_default())
    }

    pub(crate) fn request(&self, names: &Names) -> Request<Body> {
        let [first, fields @ ..] = &self.request[..] else { panic!("no request: {self:?}") };
        let mut words = first.split(' ');
        let (method, target) = (words.next().expect("a method"), words.next().expect("a target"));
        let mut request = Request::builder().method(method).uri(names.resolve(target));
        for field in fields {
            let (name, value) = field.split_once(": ").expect("a field");
            request = request.header(name, value);
        }
        request.body(Body::empty()).expect("a valid request")
    }

    /// All that stands before the response.
    pub(crate) fn head(&self) -> String {
        format!("{}\n{}\n\n", self.about.join("\n"), self.request.join("\n"))
    }
}

// === impl Names ===

impl Names {
    /// The text with ids in the place of placeholders.
    fn resolve(&self, text: &str) -> String {
        let ids = self.0.iter().enumerate();
        ids.fold(text.to_owned(), |text, (at, id)| text.replace(&placeholder(at), id))
    }

    /// The text with placeholders in the place of ids and dates.
    fn hide(&mut self, text: &str) -> String {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let mut hidden = text.to_owned();
        for word in text.split(|c: char| !is_hex(c)).filter(|word| word.len() == ID) {
            let at = self.0.iter().position(|id| id == word).unwrap_or_else(|| {
                self.0.push(word.to_owned());
                self.0.len() - 1
            });
            hidden = hidden.replace(word, &placeholder(at));
        }
        hidden
    }
}

fn placeholder(at: usize) -> String {
    match at {
        0 => "{id}".to_owned(),
        at => format!("{{id{}}}", at + 1),
    }
}

/// A whole response, with an empty line behind it.
pub(crate) fn response(answer: &Answer, names: &mut Names) -> String {
    let mut text = format!("HTTP/1.1 {}\n", line(answer.status));
    text.push_str(&fields(&answer.headers));
    let body = std::str::from_utf8(&answer.body).expect("a text").replace("\r\n", "\n");
    if !body.is_empty() {
        text.push('\n');
        match body.strip_prefix('{') {
            Some(_) => text.push_str(&spread(&body)),
            None => text.push_str(&body),
        }
        text.push('\n');
    }
    if let Some(trailers) = &answer.trailers {
        write!(text, "\n{}", fields(trailers)).expect("a string grows");
    }
    text.push('\n');
    dates(&names.hide(&text))
}

fn line(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default())
}

fn fields(headers: &HeaderMap) -> String {
    let place = |name: &HeaderName| {
        FIELDS.iter().position(|known| known.eq_ignore_ascii_case(name.as_str()))
    };
    let mut names: Vec<_> = headers.keys().collect();
    names.sort_by_key(|name| (place(name).unwrap_or(FIELDS.len()), name.as_str()));
    let mut text = String::new();
    for name in names {
        let written = place(name).map_or(name.as_str(), |at| FIELDS[at]);
        for value in headers.get_all(name) {
            let value = value.to_str().expect("a text");
            writeln!(text, "{written}: {value}").expect("a string grows");
        }
    }
    text
}

/// JSON with each member on its own line; nothing else in it is changed.
fn spread(document: &str) -> String {
    let (mut text, mut depth, mut in_string, mut escaped) = (String::new(), 0, false, false);
    let mut bytes = document.chars().peekable();
    while let Some(c) = bytes.next() {
        if in_string {
            text.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        let is_empty = matches!((c, bytes.peek()), ('{', Some('}')) | ('[', Some(']')));
        match c {
            '{' | '[' if is_empty => {
                text.push(c);
                text.extend(bytes.next());
            }
            '{' | '[' => {
                depth += 1;
                text.push(c);
                begin(&mut text, depth);
            }
            '}' | ']' => {
                depth -= 1;
                begin(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                begin(&mut text, depth);
            }
            ':' => text.push_str(": "),
            c => {
                in_string = c == '"';
                text.push(c);
            }
        }
    }
    text
}

fn begin(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

/// The text with placeholders in the place of dates, as they stand in documents and in header fields.
fn dates(text: &str) -> String {
    let replaced = text.split('\n').map(|line| {
        if let Some(name) = line.strip_suffix(" GMT").and_then(|line| line.split_once(": ")) {
            return format!("{}: {{date}}", name.0);
        }
        let mut parts = line.split('"').map(|part| match is_date(part) {
            true => "{date}",
            false => part,
        });
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |line, part| line + "\"" + part)
    });
    replaced.collect::<Vec<_>>().join("\n")
}

/// `2026-11-22T09:30:00.000Z`.
fn is_date(text: &str) -> bool {
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    form == "0000-00-00T00:00:00.000Z"
}
