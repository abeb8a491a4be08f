//! Text within a page.

/// The template with each `{{name}}` in it written by `write`.
pub(super) fn fill(template: &str, write: impl Fn(&str, &mut String)) -> String {
    let mut page = String::with_capacity(8 << 10);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("what the template opens it closes");
        page.push_str(before);
        write(name, &mut page);
        rest = after;
    }
    page + rest
}

/// Writes a text so that it is one wherever it stands: between tags, or between double quotes.
pub(super) fn escape(text: &str, page: &mut String) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            '\n' | '\t' => page.push(character),
            // Pages have no place for them (HTML, section 13.1.4).
            control if control.is_control() => page.push('\u{FFFD}'),
            character => page.push(character),
        }
    }
}
