//! Row 6: what a signed URL does not let its holder do.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::sleep;
use tower_respond_async::{ConfigError, KeyRing, KeyRingError, OperationId, Verbs};

use crate::{
    scene::{app, asked, assert_unknown, layer, paused_clock, query, references, ring, signed},
    store::memory,
    support::{LATE, accept, call, delete, get},
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn row_06_a_url_without_its_signature_is_unknown_and_never_read() {
    let store = memory();
    let app = app(&signed(&store, &[1]));
    let accepted = accept(&app, "/work").await;
    let before = asked(&store);
    let path = format!("/operations/{}", accepted.id);
    for url in [path.clone(), format!("{path}?sig="), format!("{path}?x=1")] {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            assert_unknown(&app, method, &url).await;
        }
    }
    for url in [format!("{path}/result"), format!("{path}/result?hop=1")] {
        assert_unknown(&app, Method::GET, &url).await;
        assert_unknown(&app, Method::DELETE, &url).await;
    }
    assert_eq!(asked(&store), before);
    assert_eq!(get(&app, &accepted.status_url).await.word(), "Running");
}

#[tokio::test(start_paused = true)]
async fn row_06_a_flood_of_ids_costs_no_reading() {
    let store = memory();
    let app = app(&signed(&store, &[1]));
    let accepted = accept(&app, "/work").await;
    let (before, sig) = (asked(&store), query(&accepted.status_url));
    for _ in 0..1_000 {
        let id = OperationId::random();
        for url in [
            format!("/operations/{id}"),
            format!("/operations/{id}?{sig}"),
            format!("/operations/{id}/result?hop=1&{sig}"),
        ] {
            assert_eq!(get(&app, &url).await.status, StatusCode::NOT_FOUND);
        }
        let wait = [("prefer", "wait=5")];
        let url = format!("/operations/{id}/result");
        assert_eq!(call(&app, Method::GET, &url, &wait).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(asked(&store), before);
}

#[tokio::test(start_paused = true)]
async fn row_06_a_signature_that_was_altered_in_any_part_is_unknown_and_never_read() {
    let store = memory();
    let (app, other) = (app(&signed(&store, &[1])), app(&signed(&memory(), &[2])));
    let accepted = accept(&app, "/work").await;
    let sig = query(&accepted.status_url);
    let [kid, verbs, end, tag] = sig["sig=".len()..].split('.').collect::<Vec<_>>()[..] else {
        panic!("{sig}")
    };
    let later: u64 = end.parse::<u64>().unwrap() + 1;
    let of_another = accept(&other, "/work").await;
    let of_another = query(&of_another.status_url);
    let [their_kid, _, _, their_tag] =
        of_another["sig=".len()..].split('.').collect::<Vec<_>>()[..]
    else {
        panic!("{of_another}")
    };
    let before = asked(&store);
    for altered in [
        format!("{their_kid}.{verbs}.{end}.{tag}"),
        format!("{kid}.r.{end}.{tag}"),
        format!("{kid}.{verbs}.{later}.{tag}"),
        format!("{kid}.{verbs}.0{end}.{tag}"),
        format!("{kid}.{verbs}.{end}.{their_tag}"),
        format!("{their_kid}.{verbs}.{end}.{their_tag}"),
        format!("{kid}.{verbs}.{end}.{}", &tag[..21]),
        format!("{kid}.{verbs}.{end}.{tag}="),
        format!("{kid}.{verbs}.{end}"),
        format!("{kid}.{verbs}.{end}.{tag}&sig={kid}.{verbs}.{end}.{tag}"),
    ] {
        let url = format!("/operations/{}?sig={altered}", accepted.id);
        assert_unknown(&app, Method::GET, &url).await;
    }
    assert_eq!(asked(&store), before);
}

#[tokio::test(start_paused = true)]
async fn row_06_each_verb_is_granted_apart_and_a_url_leads_to_no_more_than_itself() {
    let store = memory();
    let layer = signed(&store, &[1]);
    let app = app(&layer);
    let accepted = accept(&app, "/work").await;
    let id: OperationId = accepted.id.parse().unwrap();
    let share = |verbs| layer.handle().sign(id, verbs, HOUR).unwrap();

    let link = share(Verbs::Read).status(id);
    let read = link.to_str().unwrap();
    let answer = get(&app, read).await;
    assert_eq!(answer.status, StatusCode::OK);
    for reference in references(&answer) {
        assert_eq!(query(&reference), query(read), "{reference}");
    }
    let before = asked(&store);
    assert_unknown(&app, Method::DELETE, read).await;
    assert_eq!(asked(&store), before);

    let link = share(Verbs::Cancel).result(id);
    let cancel = link.to_str().unwrap();
    assert_unknown(&app, Method::GET, cancel).await;
    assert_unknown(&app, Method::HEAD, cancel).await;
    assert_eq!(asked(&store), before);
    let answer = delete(&app, cancel).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    for reference in references(&answer) {
        assert_eq!(query(&reference), query(cancel), "{reference}");
    }
    sleep(LATE).await;
    assert_eq!(get(&app, &accepted.status_url).await.word(), "Canceled");
}

#[tokio::test(start_paused = true)]
async fn row_06_a_url_is_over_a_minute_after_its_lifetime() {
    let _clock = paused_clock();
    let store = memory();
    let layer = layer(&store, |builder| {
        builder.signed_urls(ring(&[1]).lifetime(HOUR)).retention(HOUR * 10)
    });
    let app = app(&layer);
    let accepted = accept(&app, "/work").await;
    sleep(HOUR).await;
    assert_eq!(get(&app, &accepted.result_url).await.body, "made");
    let id = accepted.id.parse().unwrap();
    sleep(Duration::from_secs(61)).await;
    let before = asked(&store);
    assert_unknown(&app, Method::GET, &accepted.result_url).await;
    assert_eq!(asked(&store), before);
    let anew = layer.handle().sign(id, Verbs::Read, HOUR).unwrap().result(id);
    assert_eq!(get(&app, anew.to_str().unwrap()).await.body, "made", "it is still kept");
}

#[tokio::test(start_paused = true)]
async fn row_06_keys_are_changed_without_a_url_breaking() {
    let store = memory();
    let replica = |secrets: &[u8]| app(&signed(&store.another_way(), secrets));
    let (old, prepared, changed, new) =
        (replica(&[1]), replica(&[1, 2]), replica(&[2, 1]), replica(&[2]));
    let of_old = accept(&old, "/work").await.status_url;
    let of_new = accept(&changed, "/work").await.status_url;
    for (app, url, is_known) in [
        (&old, &of_old, true),
        (&prepared, &of_old, true),
        (&changed, &of_old, true),
        (&new, &of_old, false),
        (&old, &of_new, false),
        (&prepared, &of_new, true),
        (&changed, &of_new, true),
        (&new, &of_new, true),
    ] {
        let expected = if is_known { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(get(app, url).await.status, expected);
    }
}

#[test]
fn row_06_a_weak_secret_is_refused_and_none_is_shown() {
    let error = KeyRing::new(["a secret of 19 bytes"]).unwrap_err();
    assert_eq!(error, KeyRingError::Short { bytes: 20 });
    assert!(!ConfigError::from(error).to_string().contains("secret of"));
    let layer = signed(&memory(), b"k");
    let accepted = format!("{layer:?} {:?} {:?}", layer.handle(), ring(b"k"));
    assert!(!accepted.contains("kkk") && !accepted.contains("107, 107"), "{accepted}");
    let links = layer.handle().sign(OperationId::random(), Verbs::Read, HOUR).unwrap();
    assert!(!format!("{links:?}").contains("sig="), "{links:?}");
}
