//! Deliveries that became events: kept for a while, and read again.

use super::*;
use homeostat_schema::config::Config;
use homeostat_sources::Proof;
use homeostat_stages::snapshot::Versioned;

/// The keeper's life in these tests, milliseconds: an hour.
const LIFE: &str = "3600000";

const PUSH: &[u8] =
    br#"{"ref":"refs/heads/main","after":"c0ffee","repository":{"id":1,"full_name":"acme/customer"}}"#;

fn with_key() -> Api {
    Api { body_key: body_key("ab"), ..Api::new() }
}

/// Delivers a push that is new; its event's id.
fn pushed(api: &Api) -> String {
    let (status, told) = deliver(api, Source::GITHUB, &github("push"), PUSH).unwrap();
    assert_eq!(status, 202, "{told}");
    told["accepted"][0].as_str().unwrap().to_owned()
}

fn replay(api: &mut Api, id: &str) -> (u16, Value) {
    api.post(&format!("/api/v1/events/{id}/replay"), "")
}

#[test]
fn what_became_an_event_is_kept_under_it_and_cannot_be_read_in_the_clear() {
    let api = with_key();
    let id = pushed(&api);
    let values = api.redis().values.borrow();
    assert_eq!(values.keys().collect::<Vec<_>>(), [&format!("hs:v:delivery:{id}")]);
    let kept = String::from_utf8_lossy(values.values().next().unwrap()).into_owned();
    assert!(kept.starts_with("github\n\n") && !kept.contains("customer") && !kept.contains("ref"), "{kept}");
    assert_eq!(*api.redis().kept.borrow(), [[id.as_str(), LIFE, "2000"].map(str::to_owned)]);
}

#[test]
fn without_a_key_or_a_life_nothing_is_written() {
    let forgetful = Keeper::new(body_key("ab"), 0, [5; 24]);
    for keeper in [Keeper::default(), Keeper::new(None, 3_600_000, [5; 24]), forgetful] {
        let api = Api::new();
        let headers = github("push");
        let taken = block_on(webhook::take(
            &api.store,
            &Config::default(),
            &keeper,
            Pace::Within,
            &delivery(&headers, Admitted::Verified),
        ));
        assert_eq!(taken.unwrap().status(), 202);
        assert_eq!(*api.redis().asked.borrow(), ["EVALSHA"], "one command for one event");
        assert!(api.redis().values.borrow().is_empty());
    }
}

fn delivery(headers: &HeaderMap, admitted: Admitted) -> Delivery<'_> {
    Delivery {
        source: Source::GITHUB.into(),
        admitted,
        headers,
        body: PUSH,
        received_at_ms: NOW,
        seed: [9; 10],
    }
}

#[test]
fn duplicates_and_what_is_no_event_are_not_kept() {
    let api = with_key();
    pushed(&api);
    deliver(&api, Source::GITHUB, &github("push"), PUSH).unwrap();
    deliver(&api, Source::GITHUB, &github("ping"), br#"{"zen":"x"}"#).unwrap();
    assert_eq!(api.redis().kept.borrow().len(), 1);
}

#[test]
fn a_delivery_that_cannot_be_kept_is_taken_all_the_same_and_told() {
    thread_local!(static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });
    let api = Api::over(Fake { keeps_nothing: true, ..Fake::default() }, Shelf::default());
    let tell: fn(&str) = |what| TOLD.with_borrow_mut(|told| told.push(what.to_owned()));
    let keeper = Keeper::new(body_key("ab"), 3_600_000, [5; 24]).telling(tell);
    let headers = github("push");
    let taken = block_on(webhook::take(
        &api.store,
        &Config::default(),
        &keeper,
        Pace::Within,
        &delivery(&headers, Admitted::Verified),
    ));
    let (status, answer) = told(&taken.unwrap());
    assert_eq!((status, answer["accepted"].as_array().unwrap().len()), (202, 1));
    assert_eq!(*api.redis().counted.borrow(), ["delivery-not-kept:github"]);
    let log = TOLD.take();
    assert!(log.len() == 1 && log[0].contains("not kept for replay") && !log[0].contains("acme"), "{log:?}");
}

#[test]
fn a_replay_reads_it_as_it_is_read_today_and_tells_new_from_known() {
    let mut api = with_key();
    let id = pushed(&api);
    let known = json!({"accepted": [], "duplicates": 1, "ignored": []});
    assert_eq!(replay(&mut api, &id), (202, known));
    // As if what it is known by were forgotten; the services have a rule by now.
    api.redis().seen.borrow_mut().clear();
    let config: Config = serde_json::from_value(json!({
        "service": [{"name": "shop", "match": [{"source": "github", "name": "acme/customer"}]}],
    }))
    .unwrap();
    *api.shelf.config.borrow_mut() = Some(Versioned { version: 1, config });
    let (status, told) = replay(&mut api, &id);
    assert_eq!((status, &told["accepted"], &told["duplicates"]), (202, &json!([id]), &json!(0)));
    let services: Vec<Value> =
        api.redis().entries.borrow().iter().map(|entry| entry["event"]["service"].clone()).collect();
    assert_eq!(services, ["unassigned/github/acme/customer", "shop"]);
    assert_eq!(api.redis().kept.borrow().len(), 1, "a replay keeps nothing anew");
}

#[test]
fn a_replay_knows_a_body_by_the_digest_its_proof_made() {
    let mut api = with_key();
    let mut headers = github("push");
    headers.remove("x-github-delivery");
    let body = br#"{"event":"run","env":"prod","service":"shop","timestamp":"2026-03-01T10:00:00Z"}"#;
    for admitted in [Admitted::Proven(Proof { key: 2, body: Some([7; 32]) }), Admitted::DevMode] {
        let delivery = Delivery { source: Source::GENERIC.into(), body, ..delivery(&headers, admitted) };
        let keeper = Keeper::new(body_key("ab"), 3_600_000, [5; 24]);
        let taken = block_on(webhook::take(&api.store, &Config::default(), &keeper, Pace::Within, &delivery));
        let (_, told) = told(&taken.unwrap());
        let id = told["accepted"][0].as_str().unwrap();
        assert_eq!(replay(&mut api, id).1["duplicates"], 1, "{admitted:?}");
    }
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let mut api = with_key();
    let id = pushed(&api);
    let mut check = |key: Option<BodyKey>, id: &str, expected: u16, part: &str| {
        api.body_key = key;
        let (status, problem) = replay(&mut api, id);
        assert_eq!(status, expected, "{problem}");
        assert!(problem.to_string().contains(part), "{problem}");
    };
    check(body_key("cd"), &id, 409, "another key");
    check(None, &id, 409, "body_key");
    check(body_key("ab"), "00000000-0000-8000-8000-000000000000", 404, "no delivery is kept");
    check(body_key("ab"), "a%3Ab", 404, "404");
    let other = api.redis().values.borrow().values().next().unwrap().clone();
    let moved = [b"github/team-a\n\n".as_slice(), &other["github\n\n".len()..]].concat();
    *api.redis().values.borrow_mut().values_mut().next().unwrap() = moved;
    api.body_key = body_key("ab");
    assert_eq!(replay(&mut api, &id).0, 409, "it is sealed for the instance it came to");
}

#[test]
fn a_replay_needs_a_token() {
    let api = with_key();
    let id = pushed(&api);
    let request = Request::builder().method("POST").uri(format!("/api/v1/events/{id}/replay"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let access = Access {
        api_tokens: SecretList::parse("t1"),
        internal_tokens: SecretList::parse("t1"),
        dev_mode: DevMode::Off,
    };
    assert_eq!(admit(&parts, &access).unwrap_err().status(), 401);
}
