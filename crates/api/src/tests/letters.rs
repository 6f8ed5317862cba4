//! Dead letters of the ingest: what is kept of a delivery that is not understood.

use super::*;

/// No flat event.
const ODD: &[u8] = br#"{"event":{"note":"the secret of a customer"}}"#;

#[test]
fn a_body_that_stays_long_when_compressed_is_not_kept() {
    let mut api = Api::new();
    api.body_key = body_key("ab");
    let mut state = 1_u64;
    let noise = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let body: Vec<u8> = (0..2 * SEALED_MAX).map(noise).collect();
    assert_eq!(deliver(&api, Source::GITHUB, &github("push"), &body).unwrap().0, 202);
    let letters = api.redis().streams.borrow();
    let letter: Value = serde_json::from_slice(&letters["hs:v:not-understood"][0]).unwrap();
    assert_eq!(letter["body_bytes"], 2 * SEALED_MAX);
    assert!(api.redis().values.borrow().is_empty());
}

#[test]
fn a_dead_letter_is_listed_shown_and_replayed_once_it_is_understood() {
    let mut api = Api::new();
    api.body_key = body_key("ab");
    let headers = HeaderMap::new();
    // GitHub's headers are missing, so that it is not understood.
    let good = br#"{"ref":"refs/heads/main","after":"c0ffee","repository":{"id":1,"full_name":"acme/shop"}}"#;
    deliver(&api, Source::GITHUB, &headers, good).unwrap();
    let (status, list) = api.get("/api/v1/dead-letters?kind=ingest");
    assert_eq!(
        (status, &list["items"][0]["kind"], &list["items"][0]["source"]),
        (200, &json!("ingest"), &json!("github"))
    );
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(list["items"][0]["body"], Value::Null, "a list shows no delivery");
    let (_, whole) = api.get(&format!("/api/v1/dead-letters/{id}"));
    assert_eq!(whole["body"].as_str().unwrap().as_bytes(), good);
    let (status, problem) = api.post(&format!("/api/v1/dead-letters/{id}/replay"), "");
    assert_eq!((status, &problem["status"]), (409, &json!(409)));
    assert_eq!(api.get("/api/v1/dead-letters?kind=ingest").1["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_delivery_that_is_understood_by_now_is_stored_once_and_its_letter_taken_up() {
    let mut api = Api::new();
    api.body_key = body_key("ab");
    deliver(&api, Source::GITHUB, &HeaderMap::new(), b"{}").unwrap();
    // As if a newer version read it: the letter names a source that does.
    let kept = {
        let headers = HeaderMap::new();
        let body = br#"{"event":"deployment","env":"stage","service":"shop","status":"success"}"#;
        api.body_key.as_ref().unwrap().seal("generic", &headers, body, [1; 24]).unwrap()
    };
    let letter =
        json!({"source": "generic", "received_at": "2026-03-01T10:00:00Z", "why": "x", "body_bytes": 2});
    api.redis()
        .streams
        .borrow_mut()
        .insert("hs:v:not-understood".to_owned(), vec![letter.to_string().into_bytes()]);
    api.redis().values.borrow_mut().insert("hs:v:body:1-0".to_owned(), kept);
    let (status, answer) = api.post("/api/v1/dead-letters/ingest-1-0/replay", "");
    assert_eq!((status, answer["accepted"].as_array().unwrap().len()), (202, 1));
    assert_eq!(api.redis().entries.borrow().len(), 1);
    assert!(api.redis().streams.borrow().is_empty() && api.redis().values.borrow().is_empty());
    assert_eq!(api.post("/api/v1/dead-letters/ingest-1-0/replay", "").0, 404);
}

#[test]
fn nothing_of_a_delivery_is_kept_without_a_key_and_nothing_readable_with_one() {
    for (key, kept) in [(None, 0), (body_key("ab"), 1)] {
        let mut api = Api::new();
        api.body_key = key;
        deliver(&api, Source::GENERIC, &HeaderMap::new(), ODD).unwrap();
        assert_eq!(api.redis().values.borrow().len(), kept);
        let streams = api.redis().streams.borrow();
        let values = api.redis().values.borrow();
        let all: Vec<u8> = streams.values().flatten().chain(values.values()).flatten().copied().collect();
        assert!(!String::from_utf8_lossy(&all).contains("customer"));
    }
}

#[test]
fn a_letter_kept_with_another_key_says_so() {
    let mut api = Api::new();
    api.body_key = body_key("ab");
    deliver(&api, Source::GENERIC, &HeaderMap::new(), ODD).unwrap();
    for (key, part) in [(body_key("cd"), "another key"), (None, "body_key")] {
        api.body_key = key;
        let (status, whole) = api.get("/api/v1/dead-letters/ingest-1-0");
        assert_eq!((status, &whole["body"]), (200, &Value::Null));
        assert!(whole["note"].as_str().unwrap().contains(part), "{whole}");
        assert_eq!(api.post("/api/v1/dead-letters/ingest-1-0/replay", "").0, 409);
    }
    for id in ["ingest-", "stage-1", "1-0", "ingest-*", "ingest-1-0%20x"] {
        assert_eq!(api.get(&format!("/api/v1/dead-letters/{id}")).0, 404, "{id}");
    }
}
