use super::*;
use crate::authenticate::{GENERIC_SIGNATURE, GITHUB_SIGNATURE, sign};

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

#[test]
fn only_known_sources_are_routed_and_only_by_post() {
    let check = |method: Method, path: &str, expected: Result<Source, u16>| {
        let routed = route(&method, path).map_err(|answer| answer.status().as_u16());
        assert_eq!(routed, expected, "{method} {path}");
    };
    check(Method::POST, "/webhooks/github", Ok(Source::GITHUB));
    check(Method::POST, "/webhooks/generic/", Ok(Source::GENERIC));
    check(Method::GET, "/webhooks/github", Err(405));
    check(Method::POST, "/webhooks/gitlub", Err(404));
    check(Method::POST, "/webhooks/", Err(404));
    check(Method::POST, "/webhooks", Err(404));
    check(Method::POST, "/webhooks/github/x", Err(404));
    check(Method::GET, "/webhooks/GitHub", Err(404));
}

#[test]
fn the_declared_length_is_held_against_the_cap() {
    let check = |length: &str, expected| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, length.parse().unwrap());
        assert_eq!(length_allowed(&headers, 10), expected, "{length}");
    };
    check("0", true);
    check("10", true);
    check("11", false);
    check("18446744073709551615", false);
    check("not a number", true);
    assert!(length_allowed(&HeaderMap::new(), 10));
}

fn request(client: &str, extra: &[(&'static str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("spin-client-addr", client.parse().unwrap());
    for (name, value) in extra {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

#[test]
fn what_is_not_proven_is_refused_with_an_empty_body() {
    let refused = admit(Source::GITHUB, &HeaderMap::new(), b"{}", &SecretList::parse("s"), DevMode::Off);
    let refused = refused.unwrap_err();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.body().is_empty());
    assert_eq!(refused.headers()[CONTENT_LENGTH], "0");
}

#[test]
fn dev_mode_lets_in_what_is_unsigned_and_local_and_nothing_else() {
    let check = |headers: HeaderMap, secret: &str, dev_mode, expected: Option<Admitted>| {
        let admitted = admit(Source::GENERIC, &headers, b"{}", &SecretList::parse(secret), dev_mode);
        assert_eq!(admitted.ok(), expected, "{headers:?}");
    };
    let local = "127.0.0.1:4000";
    let signed = |secret| (GENERIC_SIGNATURE, sign(b"{}", secret).unwrap());
    check(request(local, &[]), "", DevMode::On, Some(Admitted::DevMode));
    check(request(local, &[]), "s", DevMode::On, Some(Admitted::DevMode));
    check(request("[::1]:4000", &[]), "s", DevMode::On, Some(Admitted::DevMode));
    check(request("[::ffff:127.0.0.1]:4000", &[]), "s", DevMode::On, Some(Admitted::DevMode));
    check(request(local, &[signed("s")]), "s", DevMode::On, Some(Admitted::Verified));
    check(request(local, &[signed("x")]), "", DevMode::On, Some(Admitted::DevMode));
    check(request(local, &[signed("x")]), "s", DevMode::On, None);
    check(request(local, &[]), "", DevMode::Off, None);
    check(request("10.0.0.7:4000", &[]), "", DevMode::On, None);
    check(request("localhost", &[]), "", DevMode::On, None);
    check(HeaderMap::new(), "", DevMode::On, None);
    let mut forged = request(local, &[]);
    forged.append("spin-client-addr", "10.0.0.7:4000".parse().unwrap());
    check(forged, "", DevMode::On, None);
    let page = |origin: &str| request(local, &[("origin", origin.to_owned())]);
    check(page("https://evil.example"), "", DevMode::On, None);
    check(page("null"), "", DevMode::On, None);
    check(page("http://localhost.evil.example"), "", DevMode::On, None);
    check(page("http://localhost:3000"), "", DevMode::On, Some(Admitted::DevMode));
}

#[test]
fn github_does_not_take_the_generic_proofs() {
    let secrets = SecretList::parse("s");
    let bearer = request("10.0.0.7:1", &[("authorization", "Bearer s".to_owned())]);
    assert!(admit(Source::GITHUB, &bearer, b"{}", &secrets, DevMode::Off).is_err());
    assert!(admit(Source::GENERIC, &bearer, b"{}", &secrets, DevMode::Off).is_ok());
    let signed = request("10.0.0.7:1", &[(GITHUB_SIGNATURE, sign(b"{}", "s").unwrap())]);
    assert!(admit(Source::GITHUB, &signed, b"{}", &secrets, DevMode::Off).is_ok());
    assert!(admit(Source::GENERIC, &signed, b"{}", &secrets, DevMode::Off).is_err());
}

#[test]
fn a_wrong_signature_is_not_made_good_by_a_right_token() {
    let both = request(
        "10.0.0.7:1",
        &[("authorization", "Bearer s".to_owned()), (GENERIC_SIGNATURE, sign(b"other", "s").unwrap())],
    );
    assert!(admit(Source::GENERIC, &both, b"{}", &SecretList::parse("s"), DevMode::Off).is_err());
}

#[test]
fn dev_mode_is_on_only_when_it_says_true() {
    for (text, expected) in
        [("true", DevMode::On), ("true\n", DevMode::On), ("", DevMode::Off), ("1", DevMode::Off)]
    {
        assert_eq!(DevMode::parse(text), expected, "{text:?}");
    }
}

#[test]
fn answers_have_the_documented_shape() {
    let accepted = || Outcome::Accepted { id: "e1".to_owned() };
    let unread = || Outcome::Ignored { why: "not JSON".to_owned() };
    let check = |outcomes: &[Outcome], expected: &str| {
        let answer = answer(outcomes);
        assert_eq!((answer.status().as_u16(), body(&answer)), (202, expected));
        assert_eq!(answer.headers()[CONTENT_LENGTH], expected.len().to_string());
    };
    check(&[accepted()], r#"{"accepted":["e1"],"duplicate":false}"#);
    check(&[Outcome::Duplicate], r#"{"accepted":[],"duplicate":true}"#);
    check(&[unread()], r#"{"accepted":[],"duplicate":false,"ignored":"not JSON"}"#);
    check(&[], r#"{"accepted":[],"duplicate":false,"ignored":"an empty list"}"#);
    check(
        &[accepted(), Outcome::Duplicate, unread()],
        concat!(
            r#"{"accepted":["e1"],"duplicate":false,"items":[{"result":"accepted","id":"e1"},"#,
            r#"{"result":"duplicate"},{"result":"ignored","why":"not JSON"}]}"#
        ),
    );
}

#[test]
fn a_ping_is_answered_200_and_a_store_that_is_down_503() {
    let ping = ignored("ping");
    assert_eq!(ping.status(), StatusCode::OK);
    assert_eq!(body(&ping), r#"{"accepted":[],"duplicate":false,"ignored":"ping"}"#);
    let down = unavailable();
    assert_eq!(down.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(down.headers()[RETRY_AFTER], RETRY_AFTER_S.to_string());
    assert_eq!(too_long().status(), StatusCode::PAYLOAD_TOO_LARGE);
}
