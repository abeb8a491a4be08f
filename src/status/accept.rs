//! Which form of an operation's status a request asks for (RFC 9110, section 12.5.1).

use http::{HeaderMap, header};

/// How the status of an operation can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The dialect's document.
    Document,
    /// A page to look at.
    Page,
    /// An event for each change.
    Events,
}

/// How much a type is wanted, in thousandths.
type Quality = u16;

/// What is wanted of each form.
#[derive(Debug, Default)]
struct Wanted {
    page: Quality,
    events: Quality,
    /// By the narrowest range that has it: `*/*`, `application/*` or its own name.
    document: Option<(Breadth, Quality)>,
}

/// How many types a media range has; the narrowest is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Breadth {
    All,
    Family,
    One,
}

// === impl Form ===

impl Form {
    /// The document, unless another form is asked for by its name and preferred: a program that takes
    /// anything, or says nothing, gets what it always got.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut wanted = Wanted::default();
        for value in headers.get_all(header::ACCEPT) {
            // A value that is no text names none of the forms.
            for range in value.to_str().unwrap_or_default().split(',') {
                wanted.add(range);
            }
        }
        let document = wanted.document.map_or(0, |(_, quality)| quality);
        match wanted.page.max(wanted.events) {
            most if most <= document => Self::Document,
            most if most == wanted.events => Self::Events,
            _ => Self::Page,
        }
    }
}

// === impl Wanted ===

impl Wanted {
    fn add(&mut self, range: &str) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let Some(quality) = quality(parts) else { return };
        let breadth = match name.as_str() {
            "text/html" => return self.page = self.page.max(quality),
            "text/event-stream" => return self.events = self.events.max(quality),
            "application/json" => Breadth::One,
            "application/*" => Breadth::Family,
            "*/*" => Breadth::All,
            _ => return,
        };
        self.document = self.document.max(Some((breadth, quality)));
    }
}

/// The weight among the parameters of a range: 1, if there is none; `None`, if it is not one.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<Quality> {
    let weight = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    let Some(weight) = weight else { return Some(1_000) };
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(values: &[&'static str]) -> Form {
        let fields = values.iter().map(|value| (header::ACCEPT, value.parse().unwrap()));
        Form::of(&fields.collect())
    }

    #[test]
    fn who_asks_for_nothing_else_gets_the_document() {
        for values in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/json"],
            &["application/*, text/plain"],
            &["text/*"],
            &["image/png"],
            &["text/htmlx, text/event-streams"],
        ] {
            assert_eq!(form(values), Form::Document, "{values:?}");
        }
    }

    #[test]
    fn a_browser_that_goes_there_gets_the_page() {
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,\
                        image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
        for value in [firefox, chromium, "text/html", "TEXT/HTML;level=1", "text/html ; Q=0.001"] {
            assert_eq!(form(&[value]), Form::Page, "{value}");
        }
    }

    #[test]
    fn an_event_source_gets_events() {
        for value in ["text/event-stream", "text/event-stream, application/json;q=0.9"] {
            assert_eq!(form(&[value]), Form::Events, "{value}");
        }
        assert_eq!(form(&["application/json;q=0.1", "text/event-stream"]), Form::Events);
        assert_eq!(form(&["text/html;q=0.5, text/event-stream;q=0.6"]), Form::Events);
        assert_eq!(form(&["text/html;q=0.6, text/event-stream;q=0.5"]), Form::Page);
    }

    #[test]
    fn other_forms_have_to_be_preferred_to_the_document() {
        for value in [
            "application/json, text/event-stream",
            "text/html, */*",
            "text/html;q=0.5, application/*;q=0.6",
            "text/html;q=0",
            "text/event-stream;q=0.000",
        ] {
            assert_eq!(form(&[value]), Form::Document, "{value}");
        }
    }

    #[test]
    fn the_narrowest_range_says_how_much_the_document_is_wanted() {
        assert_eq!(form(&["*/*, application/json;q=0.2, text/html;q=0.5"]), Form::Page);
        assert_eq!(form(&["application/json, */*;q=0.2, text/html;q=0.5"]), Form::Document);
    }

    #[test]
    fn a_range_whose_weight_is_none_is_not_there() {
        for weight in ["", "1.1", "2", "0.1234", "-1", "0.5x", ".5", "1.001", "+0"] {
            let value = format!("text/html;q={weight}");
            let fields = [(header::ACCEPT, value.parse().unwrap())];
            assert_eq!(Form::of(&fields.into_iter().collect()), Form::Document, "{weight}");
        }
    }
}
