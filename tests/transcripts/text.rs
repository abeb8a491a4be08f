//! Transcripts as they are read and written.

use std::{fmt::Write, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode, Version};

use crate::support::Answer;

/// A request, and what is said about it.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// All lines before the request, the heading first.
    about: Vec<&'a str>,
    /// The request's first line, and its fields.
    request: Vec<&'a str>,
    /// What stands behind them, up to the response.
    body: Vec<&'a str>,
}

/// The ids of operations, in the order in which they were first told.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

/// Fields in the order in which they are read best, as they are written in specifications.
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
    let (mut in_response, mut in_body) = (false, false);
    for line in rest.lines() {
        if line.starts_with(HEADING) {
            exchanges.push(Exchange { about: vec![line], request: Vec::new(), body: Vec::new() });
            (in_response, in_body) = (false, false);
            continue;
        }
        let exchange = exchanges.last_mut().expect("the first line is a heading");
        in_response |= line.starts_with("HTTP/");
        in_body |= line.is_empty();
        match (in_response || line.is_empty(), line.starts_with('#')) {
            (true, _) => {}
            (false, true) => exchange.about.push(line),
            (false, false) if in_body => exchange.body.push(line),
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

    /// The request, with a body made of what is written in its place.
    pub(crate) fn request(&self, names: &Names, body: fn(&str) -> Bytes) -> Request<Body> {
        let [first, fields @ ..] = &self.request[..] else { panic!("no request: {self:?}") };
        let [method, target, version] = words(first);
        let version = match version {
            "HTTP/2" => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        let target = names.resolve(target);
        let mut request = Request::builder().method(method).uri(target).version(version);
        for field in fields {
            let (name, value) = field.split_once(": ").expect("a field");
            request = request.header(name, value);
        }
        let body = body(&names.resolve(&self.body.join("\n")));
        request.body(Body::from(body)).expect("a valid request")
    }

    /// The request's target, as it is written.
    pub(crate) fn target(&self) -> &str {
        let [_, target, _] = words(self.request[0]);
        target
    }

    /// Whether this stands below the heading.
    pub(crate) fn says(&self, line: &str) -> bool {
        self.about.contains(&line)
    }

    /// All that stands before the response.
    pub(crate) fn head(&self) -> String {
        let mut head = format!("{}\n{}\n\n", self.about.join("\n"), self.request.join("\n"));
        if !self.body.is_empty() {
            write!(head, "{}\n\n", self.body.join("\n")).expect("a string grows");
        }
        head
    }
}

/// The words of a request's first line.
fn words(line: &str) -> [&str; 3] {
    let words: Vec<_> = line.split(' ').collect();
    words.try_into().expect("a method, a target and a version")
}

// === impl Names ===

impl Names {
    /// The text with ids in the place of placeholders.
    fn resolve(&self, text: &str) -> String {
        let ids = self.0.iter().enumerate();
        ids.fold(text.to_owned(), |text, (at, id)| text.replace(&placeholder(at), id))
    }

    /// The text with placeholders in the place of ids.
    pub(crate) fn hide(&mut self, text: &str) -> String {
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

/// A whole response.
pub(crate) fn response(answer: &Answer) -> String {
    let mut text = format!("HTTP/1.1 {}\n", line(answer.status));
    text.push_str(&fields(&answer.headers, &FIELDS));
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
        write!(text, "\n{}", fields(trailers, &FIELDS)).expect("a string grows");
    }
    dates(&text)
}

fn line(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default())
}

/// Fields on a line each: those of `order` as they are written there, and behind them all others.
pub(crate) fn fields(headers: &HeaderMap, order: &[&str]) -> String {
    let place = |name: &HeaderName| {
        order.iter().position(|known| known.eq_ignore_ascii_case(name.as_str()))
    };
    let mut names: Vec<_> = headers.keys().collect();
    names.sort_by_key(|name| (place(name).unwrap_or(order.len()), name.as_str()));
    let mut text = String::new();
    for name in names {
        let written = place(name).map_or(name.as_str(), |at| order[at]);
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
