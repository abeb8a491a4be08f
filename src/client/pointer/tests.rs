use super::*;

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

fn to(reference: &'static str, asked: Asked) -> Next {
    Some((HeaderValue::from_static(reference), asked))
}

#[test]
fn what_becomes_the_response_is_asked_before_what_says_how_far_it_is() {
    let location = ("location", "/result");
    let content = ("content-location", "/content");
    let (operation, azure) =
        (("operation-location", "/status"), ("azure-asyncoperation", "/azure"));
    for (given, next) in [
        (&[location, content, operation, azure][..], to("/result", Asked::Monitor)),
        (&[content, operation][..], to("/status", Asked::Status)),
        (&[operation, azure][..], to("/status", Asked::Status)),
        (&[azure][..], to("/azure", Asked::Status)),
        (&[content][..], to("/content", Asked::Monitor)),
    ] {
        let told = of_call(&Method::POST, StatusCode::ACCEPTED, &fields(given));
        assert_eq!(told, Told::Pending(next), "{given:?}");
    }
    let nowhere = of_call(&Method::POST, StatusCode::ACCEPTED, &fields(&[("link", "</x>")]));
    assert_eq!(nowhere, Told::Final);
}

#[test]
fn a_word_ends_it_only_where_there_is_a_status_document() {
    let document = |word| Some(Document { word: Some(word), ..Document::default() });
    let ok = StatusCode::OK;
    for (asked, word, told) in [
        (Asked::Status, Word::Running, Told::Pending(None)),
        (Asked::Status, Word::Unknown, Told::Pending(None)),
        (Asked::Status, Word::Succeeded, Told::Final),
        (Asked::Status, Word::Failed, Told::Final),
        (Asked::Monitor, Word::Running, Told::Pending(None)),
        (Asked::Monitor, Word::Unknown, Told::Final),
        (Asked::Monitor, Word::Succeeded, Told::Final),
    ] {
        let found = by_document(asked, ok, None, document(word).as_ref());
        assert_eq!(found, told, "{asked:?} {word:?}");
    }
    assert_eq!(by_document(Asked::Status, ok, None, None), Told::Final);
    let accepted = by_document(Asked::Status, StatusCode::ACCEPTED, None, None);
    assert_eq!(accepted, Told::Pending(None));
}

#[test]
fn a_stored_response_is_the_response_even_if_it_looks_like_a_document() {
    let json = ("content-type", "application/json");
    let given = fields(&[json, ("retry-after", "1"), ("respond-async", "stored")]);
    for asked in [Asked::Monitor, Asked::Status] {
        let told = of_poll(asked, Server::Ours, StatusCode::OK, &given);
        assert_eq!(told, Told::Final);
    }
}
