use super::*;
use crate::authenticate::{GENERIC_SIGNATURE, GITHUB_SIGNATURE, sign};
use crate::source::Source;

const NOW: u64 = 1_700_000_000_000;

fn config(toml: &str) -> Config {
    Config::from_toml(toml, "f").unwrap()
}

/// With the scheme the source has by itself.
fn admitted(
    source: Source,
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
    dev_mode: DevMode,
) -> Result<Admitted, Box<Answer>> {
    let claim = Claim { headers, body, now_ms: NOW };
    admit(source.into(), &claim, &SecretList::parse(secret), dev_mode)
}

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

#[test]
fn only_known_instances_are_routed_and_only_by_their_methods() {
    let config = config("[[source]]\nname = \"github/team-a\"\n[[source]]\nname = \"grafana/team-a\"");
    let check = |method: Method, path: &str, expected: Result<&str, u16>| {
        let routed = route(&method, path, &config);
        let routed = routed.map(|instance| instance.name()).map_err(|answer| answer.status().as_u16());
        assert_eq!(routed, expected, "{method} {path}");
    };
    check(Method::POST, "/webhooks/github", Ok("github"));
    check(Method::POST, "/webhooks/generic/", Ok("generic"));
    check(Method::POST, "/webhooks/github/team-a", Ok("github/team-a"));
    check(Method::POST, "/webhooks/github/team-b", Err(404));
    check(Method::POST, "/webhooks/generic/team-a", Err(404));
    check(Method::GET, "/webhooks/github", Err(405));
    check(Method::PUT, "/webhooks/github", Err(405));
    check(Method::PUT, "/webhooks/alertmanager", Err(405));
    check(Method::PUT, "/webhooks/grafana", Ok("grafana"));
    check(Method::PUT, "/webhooks/grafana/team-a", Ok("grafana/team-a"));
    check(Method::POST, "/webhooks/grafana", Ok("grafana"));
    check(Method::GET, "/webhooks/grafana", Err(405));
    check(Method::POST, "/webhooks/gitlub", Err(404));
    check(Method::POST, "/webhooks/", Err(404));
    check(Method::POST, "/webhooks", Err(404));
    check(Method::POST, "/webhooks/github/x", Err(404));
    check(Method::GET, "/webhooks/GitHub", Err(404));
}

#[test]
fn another_method_is_told_which_are_taken() {
    let check = |path: &str, expected: &str| {
        let Err(refusal) = route(&Method::DELETE, path, &Config::default()) else {
            panic!("{path} is routed")
        };
        assert_eq!(refusal.status().as_u16(), 405, "{path}");
        assert_eq!(refusal.headers()[ALLOW], expected, "{path}");
    };
    check("/webhooks/github", "POST");
    check("/webhooks/grafana", "POST, PUT");
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
    let refused = admitted(Source::GITHUB, &HeaderMap::new(), b"{}", "s", DevMode::Off);
    let refused = refused.unwrap_err();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.body().is_empty());
    assert_eq!(refused.headers()[CONTENT_LENGTH], "0");
}

#[test]
fn dev_mode_lets_in_what_is_unsigned_and_local_and_nothing_else() {
    let check = |headers: HeaderMap, secret: &str, dev_mode, expected: Option<Admitted>| {
        let admitted =
            admitted(Source::GENERIC, &headers, b"{}", secret, dev_mode).ok().map(|why| match why {
                Admitted::Proven(_) => Admitted::Verified,
                other => other,
            });
        assert_eq!(admitted, expected, "{headers:?}");
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
fn a_source_takes_its_own_proof_and_no_other() {
    let check = |source: Source, headers: &HeaderMap, expected: bool| {
        let found = admitted(source, headers, b"{}", "s", DevMode::Off);
        assert_eq!(found.is_ok(), expected, "{source:?} {headers:?}");
    };
    let bearer = request("10.0.0.7:1", &[("authorization", "Bearer s".to_owned())]);
    let theirs = request("10.0.0.7:1", &[(GITHUB_SIGNATURE, sign(b"{}", "s").unwrap())]);
    let ours = request("10.0.0.7:1", &[(GENERIC_SIGNATURE, sign(b"{}", "s").unwrap())]);
    check(Source::GITHUB, &bearer, false);
    check(Source::GITHUB, &theirs, true);
    check(Source::GITHUB, &ours, false);
    check(Source::GENERIC, &bearer, false);
    check(Source::GENERIC, &theirs, false);
    check(Source::GENERIC, &ours, true);
}

#[test]
fn the_configuration_decides_the_scheme_and_no_header_does() {
    let config = config("[[source]]\nname = \"generic\"\nscheme = \"bearer\"");
    let instance = Instance::of(&config, "generic").unwrap();
    let bearer = ("authorization", "Bearer s".to_owned());
    let signed = (GENERIC_SIGNATURE, sign(b"{}", "s").unwrap());
    for (pairs, expected) in
        [(vec![bearer.clone()], true), (vec![signed.clone()], false), (vec![bearer, signed], true)]
    {
        let headers = request("10.0.0.7:1", &pairs);
        let claim = Claim { headers: &headers, body: b"{}", now_ms: NOW };
        let found = admit(instance, &claim, &SecretList::parse("s"), DevMode::Off);
        assert_eq!(found.is_ok(), expected, "{pairs:?}");
    }
}

#[test]
fn a_wrong_signature_is_not_made_good_by_a_right_token() {
    let both = request(
        "10.0.0.7:1",
        &[("authorization", "Bearer s".to_owned()), (GENERIC_SIGNATURE, sign(b"other", "s").unwrap())],
    );
    assert!(admitted(Source::GENERIC, &both, b"{}", "s", DevMode::Off).is_err());
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
    let nothing = answer(&[]);
    assert_eq!(nothing.status(), StatusCode::OK);
    assert_eq!(body(&nothing), r#"{"accepted":[],"duplicate":false,"ignored":"an empty list"}"#);
    let ping = ignored("ping");
    assert_eq!(ping.status(), StatusCode::OK);
    assert_eq!(body(&ping), r#"{"accepted":[],"duplicate":false,"ignored":"ping"}"#);
    let down = unavailable();
    assert_eq!(down.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(down.headers()[RETRY_AFTER], RETRY_AFTER_S.to_string());
    assert_eq!(too_long().status(), StatusCode::PAYLOAD_TOO_LARGE);
}
