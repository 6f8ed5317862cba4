//! Deliveries: answered, stored before they are acknowledged, and shed.

use super::*;

#[test]
fn webhooks_are_answered_as_the_contract_says() {
    let api = Api::new();
    let push = br#"{"ref":"refs/heads/main","after":"abc","repository":{"full_name":"acme/shop"}}"#;
    let check = |event: &str, body: &[u8], expected: u16, part: &str| {
        let (status, told) = deliver(&api, Source::GITHUB, &github(event), body).unwrap();
        assert_eq!(status, expected, "{told}");
        assert!(told.to_string().contains(part), "{told}");
    };
    check("ping", br#"{"zen":"x"}"#, 200, r#""ignored":"ping""#);
    check("star", b"{}", 200, "not of interest");
    check("push", push, 202, r#""duplicate":false"#);
    check("push", push, 202, r#""duplicate":true"#);
    check("push", b"{\"s3cret\":", 202, "not JSON");
    let letters = api.redis().streams.borrow();
    let letter: Value = serde_json::from_slice(&letters["hs:v:not-understood"][0]).unwrap();
    assert_eq!((letter["source"].as_str(), letter["event"].as_str()), (Some("github"), Some("push")));
    assert_eq!((letter["body_bytes"].as_u64(), letter.get("body")), (Some(10), None));
}

#[test]
fn nothing_is_acknowledged_that_is_not_stored() {
    let push = br#"{"ref":"refs/heads/main","after":"abc","repository":{"full_name":"acme/shop"}}"#;
    let check = |fake: Fake, shelf: Shelf, body: &[u8]| {
        let api = Api::over(fake, shelf);
        assert_eq!(deliver(&api, Source::GITHUB, &github("push"), body), Err(503));
    };
    check(Fake { down: true, ..Fake::default() }, Shelf::default(), push);
    check(Fake { down: true, ..Fake::default() }, Shelf::default(), b"{");
    check(Fake { full: true, ..Fake::default() }, Shelf::default(), push);
    check(Fake::default(), Shelf { down: true, ..Shelf::default() }, push);
}

#[test]
fn a_connection_that_broke_since_the_last_request_loses_no_delivery() {
    let push = br#"{"ref":"refs/heads/main","after":"abc","repository":{"full_name":"acme/shop"}}"#;
    let api = Api::over(Fake { breaks: std::cell::Cell::new(1), ..Fake::default() }, Shelf::default());
    assert_eq!(deliver(&api, Source::GITHUB, &github("push"), push).unwrap().0, 202);
    let config = Versioned { version: 1, config: Default::default() };
    let api = Api::over(
        Fake { breaks: std::cell::Cell::new(1), ..Fake::default() },
        Shelf { config: RefCell::new(Some(config)), ..Shelf::default() },
    );
    assert_eq!(deliver(&api, Source::GITHUB, &github("push"), push).unwrap().0, 202);
}

#[test]
fn a_source_over_its_pace_is_told_to_come_back_unless_it_says_that_something_is_over() {
    let api = Api::new();
    let config = homeostat_schema::config::Config::default();
    let headers = HeaderMap::new();
    let take = |body: &str| {
        let delivery = Delivery {
            source: Source::GENERIC.into(),
            admitted: Admitted::Verified,
            headers: &headers,
            body: body.as_bytes(),
            received_at_ms: NOW,
            seed: [9; 10],
        };
        let keeper = Keeper::default();
        let answer = block_on(webhook::take(&api.store, &config, &keeper, Pace::Over, &delivery)).unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    assert_eq!(take(r#"{"event":"alert","env":"prod","service":"shop","status":"firing"}"#), (503, true));
    assert_eq!(take(r#"{"event":"alert","env":"prod","service":"shop","status":"resolved"}"#), (202, false));
    assert_eq!(api.redis().entries.borrow().len(), 1);
}
