//! What the reader sees.

use std::time::Duration;

use crate::client::Exchange;

/// The columns that exchanges are laid out in.
const WIDTH: usize = 90;

/// The header fields that are shown, in this order.
const SHOWN: [&str; 6] =
    ["content-type", "location", "link", "retry-after", "allow", "respond-async"];

pub(crate) fn title(text: &str) {
    println!("\n{text}\n{}", "=".repeat(text.len()));
}

pub(crate) fn heading(text: &str) {
    println!("\n\n{text}\n{}", "-".repeat(text.len()));
}

pub(crate) fn paragraph(text: &str) {
    println!("\n{text}");
}

/// Something that happens between two exchanges.
pub(crate) fn note(text: &str) {
    println!("\n   ... {text}");
}

pub(crate) fn exchange(exchange: &Exchange) {
    request(exchange);
    response_line(&exchange.status.to_string(), exchange.took);
    for name in SHOWN {
        for value in exchange.headers.get_all(name) {
            println!("       {name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    let body = String::from_utf8_lossy(&exchange.body);
    let is_json = exchange.header("content-type").is_ok_and(|value| value.contains("json"));
    let body = if is_json { json_lines(&body) } else { body.into_owned() };
    println!();
    for line in body.lines() {
        println!("       {line}");
    }
}

pub(crate) fn exchange_line(exchange: &Exchange) {
    request(exchange);
    let mut line = exchange.status.to_string();
    if let Ok(status) = exchange.text("status") {
        line.push_str(&format!(": {status}"));
    }
    if let Some(percent) = exchange.member("percentComplete") {
        line.push_str(&format!(", {percent} %"));
    }
    if let Ok(message) = exchange.text("message") {
        line.push_str(&format!(", \"{message}\""));
    }
    response_line(&line, exchange.took);
}

fn request(exchange: &Exchange) {
    println!("\n   --> {} {}", exchange.method, exchange.path);
    if !exchange.sent.is_empty() {
        println!("       {}", exchange.sent);
    }
}

fn response_line(text: &str, took: Duration) {
    let (text, took) = (format!("   <-- {text}"), format!("after {} ms", took.as_millis()));
    let room = WIDTH.saturating_sub(text.len());
    println!("{text}{took:>room$}");
}

/// The JSON text with each member on a line of its own, in the order of the text.
fn json_lines(json: &str) -> String {
    let (mut lines, mut depth) = (String::new(), 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    let line_break = |depth: usize| format!("\n{}", "  ".repeat(depth));
    for c in json.chars() {
        if in_string {
            lines.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                depth += 1;
                lines.push(c);
                lines.push_str(&line_break(depth));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                lines.push_str(&line_break(depth));
                lines.push(c);
            }
            ',' => {
                lines.push(c);
                lines.push_str(&line_break(depth));
            }
            ':' => lines.push_str(": "),
            _ => {
                in_string = c == '"';
                lines.push(c);
            }
        }
    }
    lines
}
