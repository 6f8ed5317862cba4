use std::collections::BTreeMap;

use proptest::prelude::*;

use super::hmac::{NO_SECRET, sign};
use super::*;
use homeostat_schema::secret::Secret;

const BODY: &[u8] = b"Hello, World!";
const SECRET: &str = "It's a Secret to Everybody";
/// The vector GitHub publishes for this secret and body.
const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
/// Any time; milliseconds.
const NOW: u64 = 1_700_000_000_000;

const GITHUB: Scheme<'_> = Scheme::sha256(GITHUB_SIGNATURE);
const BUILDKITE: Scheme<'_> = Scheme::HmacTimestamped {
    header: "x-buildkite-signature",
    prefix: "signature=",
    stamp: Stamp::Beside("timestamp="),
    before: "",
    separator: ".",
};
const SLACK: Scheme<'_> = Scheme::HmacTimestamped {
    header: "x-slack-signature",
    prefix: "v0=",
    stamp: Stamp::Header("x-slack-request-timestamp"),
    before: "v0:",
    separator: ":",
};
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: http::HeaderName = name.parse().unwrap();
        map.append(name, value.parse().unwrap());
    }
    map
}

fn verify(
    scheme: Scheme<'_>,
    secrets: &str,
    pairs: &[(&str, &str)],
    body: &[u8],
    now_ms: u64,
) -> Result<Proof, Refused> {
    let headers = headers(pairs);
    scheme.verify(&Claim { headers: &headers, body, now_ms }, &SecretList::parse(secrets))
}

fn check(secrets: &str, signatures: &[&str], expected: bool) {
    let pairs: Vec<_> = signatures.iter().map(|value| (GITHUB_SIGNATURE, *value)).collect();
    let verified = verify(GITHUB, secrets, &pairs, BODY, NOW);
    assert_eq!(verified.is_ok(), expected, "{secrets:?} {signatures:?}");
}

#[test]
fn the_published_vector_verifies_with_any_of_the_secrets() {
    check(SECRET, &[SIGNATURE], true);
    check(&format!("new\n {SECRET} \n"), &[SIGNATURE], true);
    check(&format!("{SECRET},new"), &[SIGNATURE], true);
    check(SECRET, &[&SIGNATURE.to_ascii_uppercase().replace("SHA256", "sha256")], true);
}

#[test]
fn whatever_is_not_exactly_the_scheme_is_refused() {
    let bare = SIGNATURE.trim_start_matches("sha256=");
    check("another", &[SIGNATURE], false);
    check("", &[SIGNATURE], false);
    check(" \n, ", &[SIGNATURE], false);
    check(SECRET, &[], false);
    check(SECRET, &[""], false);
    check(SECRET, &["sha256="], false);
    check(SECRET, &[bare], false);
    check(SECRET, &[&format!("sha1={bare}")], false);
    check(SECRET, &[&format!("sha1={}", bare.split_at(40).0)], false);
    check(SECRET, &[&format!("SHA256={bare}")], false);
    check(SECRET, &[&format!("{SIGNATURE}00")], false);
    check(SECRET, &[SIGNATURE.split_at(SIGNATURE.len() - 2).0], false);
    check(SECRET, &[&format!("sha256={}", "z".repeat(64))], false);
    check(SECRET, &[&format!("{SIGNATURE},{SIGNATURE}")], false);
    check(SECRET, &[SIGNATURE, SIGNATURE], false);
}

#[test]
fn no_secret_refuses_even_what_is_signed_with_the_stand_in() {
    let stand_in = std::str::from_utf8(NO_SECRET).unwrap();
    check("", &[&sign(BODY, stand_in).unwrap()], false);
    let token = headers(&[("authorization", &format!("Bearer {stand_in}"))]);
    assert_eq!(bearer(&token, &SecretList::default()), Err(Refused));
}

#[test]
fn a_signature_with_an_empty_secret_is_never_made() {
    assert_eq!(sign(BODY, ""), None);
    assert_eq!(sign(BODY, SECRET).as_deref(), Some(SIGNATURE));
}

#[test]
fn an_ended_secret_proves_nothing_and_the_live_one_keeps_its_place() {
    let secrets = |end: &str| format!(r#"[{{"secret":"{SECRET}","not_after":"{end}"}},{{"secret":"new"}}]"#);
    let old = [(GITHUB_SIGNATURE, SIGNATURE)];
    let signed = sign(BODY, "new").unwrap();
    let new = [(GITHUB_SIGNATURE, signed.as_str())];
    let key = |pairs: &[(&str, &str)], end: &str| {
        verify(GITHUB, &secrets(end), pairs, BODY, NOW).map(|proof| proof.key)
    };
    assert_eq!(key(&old, "2100-01-01T00:00:00Z"), Ok(1));
    assert_eq!(key(&new, "2100-01-01T00:00:00Z"), Ok(2));
    assert_eq!(key(&old, "2001-01-01T00:00:00Z"), Err(Refused));
    assert_eq!(key(&new, "2001-01-01T00:00:00Z"), Ok(2));
}

#[test]
fn the_digest_of_a_body_stays_while_a_second_secret_is_rotated_in() {
    let digest = |secrets: &str, signer: &str| {
        let signature = sign(BODY, signer).unwrap();
        verify(GITHUB, secrets, &[(GITHUB_SIGNATURE, &signature)], BODY, NOW).unwrap().body
    };
    let before = digest("old", "old");
    assert!(before.is_some());
    assert_eq!(digest("old,new", "old"), before);
    assert_eq!(digest("old,new", "new"), before);
    assert_ne!(digest("new", "new"), before);
}

#[test]
fn a_list_of_signatures_holds_one_of_the_version_that_counts() {
    let scheme = Scheme::v1("x-pagerduty-signature");
    let hex = |secret: &str| sign(BODY, secret).unwrap().replace("sha256=", "");
    let (right, wrong) = (hex("s"), hex("other"));
    let check = |value: &str, expected: bool| {
        let verified = verify(scheme, "s", &[("x-pagerduty-signature", value)], BODY, NOW);
        assert_eq!(verified.is_ok(), expected, "{value}");
    };
    check(&format!("v1={right}"), true);
    check(&format!("v1={wrong},v1={right}"), true);
    check(&format!("v1={wrong}, v1={right}"), true);
    check(&format!("v2={wrong},v1={right}"), true);
    check(&format!("v0={right}"), false);
    check(&format!("v2={right}"), false);
    check(&format!("v1={wrong}"), false);
    check(&right, false);
    check("", false);
    check("v1=,v1", false);
    check(&vec![format!("v1={right}"); SIGNATURES_MAX].join(","), true);
    check(&vec![format!("v1={right}"); SIGNATURES_MAX + 1].join(","), false);
}

#[test]
fn a_signed_time_must_be_fresh_and_there_once() {
    let signed = |scheme: &Scheme<'_>| {
        let delivery = Unsigned { id: "d-1", body: BODY, now_ms: NOW };
        scheme.sign(&delivery, &Secret::new("s")).unwrap()
    };
    for scheme in [BUILDKITE, SLACK] {
        let made = signed(&scheme);
        let pairs: Vec<_> = made.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let at = |now_ms| verify(scheme, "s", &pairs, BODY, now_ms);
        assert_eq!(at(NOW), Ok(Proof { key: 1, body: None }), "{scheme:?}");
        assert!(at(NOW + TOLERANCE_MS).is_ok() && at(NOW - TOLERANCE_MS).is_ok());
        assert!(at(NOW + TOLERANCE_MS + 1).is_err() && at(NOW - TOLERANCE_MS - 1).is_err());
        assert!(verify(scheme, "s", &pairs, b"other", NOW).is_err());
        assert!(verify(scheme, "", &pairs, BODY, NOW).is_err());
        assert!(verify(scheme, "s", &[pairs.clone(), pairs].concat(), BODY, NOW).is_err());
    }
}

#[test]
fn a_time_that_was_not_signed_does_not_count() {
    let made = BUILDKITE.sign(&Unsigned { id: "", body: BODY, now_ms: NOW }, &Secret::new("s")).unwrap();
    let value = made[0].1.as_str();
    let check = |value: &str, now_ms: u64, expected: bool| {
        let verified = verify(BUILDKITE, "s", &[("x-buildkite-signature", value)], BODY, now_ms);
        assert_eq!(verified.is_ok(), expected, "{value}");
    };
    check(value, NOW, true);
    let later = NOW + 2 * TOLERANCE_MS;
    let moved = value.replace(&(NOW / 1000).to_string(), &(later / 1000).to_string());
    check(&moved, later, false);
    check(&format!("timestamp={},{value}", later / 1000), later, false);
    check(&format!("{value},{}", value.split(',').nth(1).unwrap()), NOW, false);
    check(value.split(',').nth(1).unwrap(), NOW, false);
}

#[test]
fn standard_webhooks_sign_id_time_and_body() {
    let made = Scheme::StandardWebhooks
        .sign(&Unsigned { id: "msg_1", body: BODY, now_ms: NOW }, &Secret::new(WHSEC))
        .unwrap();
    let check = |replaced: Option<(&str, &str)>, secrets: &str, now_ms: u64, expected: bool| {
        let pairs: Vec<_> = made
            .iter()
            .map(|(name, value)| match replaced {
                Some((other, new)) if other == name => (name.as_str(), new),
                _ => (name.as_str(), value.as_str()),
            })
            .collect();
        let verified = verify(Scheme::StandardWebhooks, secrets, &pairs, BODY, now_ms);
        assert_eq!(verified.is_ok(), expected, "{replaced:?} {secrets}");
    };
    check(None, WHSEC, NOW, true);
    check(None, &format!("whsec_AAAA,{WHSEC}"), NOW, true);
    check(None, WHSEC, NOW + TOLERANCE_MS + 1, false);
    check(None, "whsec_", NOW, false);
    check(None, "", NOW, false);
    check(None, WHSEC.trim_start_matches("whsec_"), NOW, false);
    check(Some(("webhook-id", "msg_2")), WHSEC, NOW, false);
    check(Some(("webhook-id", "")), WHSEC, NOW, false);
    check(Some(("webhook-timestamp", "1700000001")), WHSEC, NOW, false);
    check(Some(("webhook-signature", "v1,")), WHSEC, NOW, false);
    let v1 = made[2].1.as_str();
    check(Some(("webhook-signature", &format!("v1,AAAA v2,BBBB {v1}"))), WHSEC, NOW, true);
    check(Some(("webhook-signature", &v1.replace("v1,", "v1a,"))), WHSEC, NOW, false);
    check(Some(("webhook-signature", &[v1].repeat(SIGNATURES_MAX + 1).join(" "))), WHSEC, NOW, false);
}

#[test]
fn an_id_with_a_dot_would_let_the_signed_text_be_read_in_two_ways() {
    let delivery = Unsigned { id: "a.1700000000", body: BODY, now_ms: NOW };
    let made = Scheme::StandardWebhooks.sign(&delivery, &Secret::new(WHSEC)).unwrap();
    let pairs: Vec<_> = made.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(verify(Scheme::StandardWebhooks, WHSEC, &pairs, BODY, NOW).is_err());
}

/// Svix's own pair of key and signature.
#[test]
fn standard_webhooks_take_ed25519_with_a_public_key() {
    const KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const BY_KEY: &str =
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    let check = |secrets: &str, signature: &str, body: &[u8], expected: Option<usize>| {
        let pairs = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ];
        let verified = verify(Scheme::StandardWebhooks, secrets, &pairs, body, 1_614_265_330_000);
        assert_eq!(verified.ok().map(|proof| proof.key), expected, "{secrets} {signature}");
    };
    let body: &[u8] = br#"{"test": 2432232314}"#;
    check(KEY, BY_KEY, body, Some(1));
    check(&format!("{WHSEC},{KEY}"), &format!("v1,AAAA {BY_KEY}"), body, Some(2));
    check(KEY, BY_KEY, b"{}", None);
    check(KEY, &BY_KEY.replace("v1a,", "v1,"), body, None);
    check(WHSEC, BY_KEY, body, None);
    check("whpk_AAAA", BY_KEY, body, None);
}

#[test]
fn fixed_secrets_must_be_whole() {
    let check = |scheme: Scheme<'_>, secrets: &str, values: &[&str], expected: bool| {
        let pairs: Vec<_> = values.iter().map(|value| (scheme.header(), *value)).collect();
        let verified = verify(scheme, secrets, &pairs, BODY, NOW);
        assert_eq!(verified.is_ok(), expected, "{scheme:?} {secrets:?} {values:?}");
    };
    check(Scheme::Bearer, "abc", &["Bearer abc"], true);
    check(Scheme::Bearer, "old,abc", &["bearer abc"], true);
    check(Scheme::Bearer, "abc", &["Bearer ab"], false);
    check(Scheme::Bearer, "abc", &["Bearer abcd"], false);
    check(Scheme::Bearer, "abc", &["Basic abc"], false);
    check(Scheme::Bearer, "abc", &["abc"], false);
    check(Scheme::Bearer, "abc", &["Bearer "], false);
    check(Scheme::Bearer, "abc", &[], false);
    check(Scheme::Bearer, "", &["Bearer "], false);
    check(Scheme::Bearer, "abc", &["Bearer abc", "Bearer abc"], false);
    let token = Scheme::Token { header: "x-gitlab-token" };
    check(token, "abc", &["abc"], true);
    check(token, "abc", &["ABC"], false);
    check(token, "abc", &[""], false);
    check(token, "", &[""], false);
    check(token, "abc", &["abc", "abc"], false);
    // ann:pw
    check(Scheme::Basic, "ann:pw", &["Basic YW5uOnB3"], true);
    check(Scheme::Basic, "bob:pw", &["Basic YW5uOnB3"], false);
    check(Scheme::Basic, "pw", &["Basic YW5uOnB3"], false);
    // "pw" alone
    check(Scheme::Basic, "pw", &["Basic cHc="], false);
    check(Scheme::Basic, "ann:pw", &["Basic YW5uOnB3!"], false);
}

#[test]
fn bearer_without_a_clock_takes_only_what_never_ends() {
    let given = headers(&[("authorization", "Bearer old")]);
    let secrets = SecretList::parse(r#"[{"secret":"old","not_after":"2100-01-01T00:00:00Z"}]"#);
    assert!(bearer(&given, &secrets).is_err());
    assert!(bearer(&given, &SecretList::parse("old")).is_ok());
}

/// What each scheme signs, it verifies; with another secret, body or scheme it does not.
#[test]
fn schemes_verify_what_they_sign_and_nothing_else() {
    let all = [
        (GITHUB, "s"),
        (Scheme::v1("circleci-signature"), "s"),
        (BUILDKITE, "s"),
        (SLACK, "s"),
        (Scheme::StandardWebhooks, WHSEC),
        (Scheme::Token { header: "x-token" }, "s"),
        (Scheme::Basic, "ann:pw"),
        (Scheme::Bearer, "s"),
    ];
    for (scheme, secret) in all {
        let delivery = Unsigned { id: "d-1", body: BODY, now_ms: NOW };
        let made = scheme.sign(&delivery, &Secret::new(secret)).unwrap();
        let pairs: Vec<_> = made.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(verify(scheme, secret, &pairs, BODY, NOW).is_ok(), "{scheme:?}");
        assert!(verify(scheme, "another", &pairs, BODY, NOW).is_err(), "{scheme:?}");
        for (other, secret) in all.iter().filter(|(other, _)| *other != scheme) {
            let bearers = [scheme, *other].iter().all(|scheme| scheme.header() == "authorization");
            assert!(verify(*other, secret, &pairs, BODY, NOW).is_err() || bearers, "{scheme:?} as {other:?}");
        }
        assert!(scheme.sign(&delivery, &Secret::new("")).is_none());
    }
}

mod oidc {
    use super::*;
    use homeostat_schema::config::OidcAlgorithm;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::{Value, json};

    /// RFC 8037, appendix A: the key pair of its example.
    const PRIVATE: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const NOW_S: u64 = NOW / 1000;

    fn signer() -> EncodingKey {
        use base64::Engine;
        // PKCS #8 of an ed25519 seed.
        let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
        der.extend(base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(PRIVATE).unwrap());
        EncodingKey::from_ed_der(&der)
    }

    fn keys(alg: &str) -> String {
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": alg, "use": "sig", "x": PUBLIC }] })
            .to_string()
    }

    fn token(claims: &Value) -> String {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &signer()).unwrap()
    }

    fn good() -> Value {
        json!({
            "iss": "https://issuer.example", "aud": "homeostat", "exp": NOW_S + 300, "nbf": NOW_S - 5,
            "repository": "acme/shop", "sub": "x"
        })
    }

    fn judged(token: &str, keys: &str, algorithms: &[OidcAlgorithm], wanted: &[(&str, &str)]) -> bool {
        let claims: BTreeMap<_, _> =
            wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let rules =
            Oidc { issuer: "https://issuer.example", audience: "homeostat", algorithms, claims: &claims };
        let value = format!("Bearer {token}");
        verify(Scheme::Oidc(rules), keys, &[("authorization", &value)], BODY, NOW).is_ok()
    }

    const SHOP: &[(&str, &str)] = &[("repository", "acme/shop")];
    const ED: &[OidcAlgorithm] = &[OidcAlgorithm::EdDsa];

    #[test]
    fn a_token_that_says_all_that_is_wanted_is_taken() {
        assert!(judged(&token(&good()), &keys("EdDSA"), ED, SHOP));
    }

    #[test]
    fn a_valid_signature_does_not_authorise_on_its_own() {
        let with = |name: &str, value: Value| {
            let mut claims = good();
            claims[name] = value;
            token(&claims)
        };
        let keys = keys("EdDSA");
        let refused = |token: String| assert!(!judged(&token, &keys, ED, SHOP), "{token}");
        refused(with("repository", json!("acme/other")));
        refused(with("repository", json!(["acme/shop"])));
        refused(with("repository", Value::Null));
        refused(with("iss", json!("https://issuer.example/")));
        refused(with("aud", json!("another")));
        refused(with("exp", json!(NOW_S - 61)));
        refused(with("exp", Value::Null));
        refused(with("nbf", json!(NOW_S + 61)));
        refused(with("nbf", json!("soon")));
        assert!(!judged(&token(&good()), &keys, ED, &[]));
        assert!(judged(&with("aud", json!(["a", "homeostat"])), &keys, ED, SHOP));
    }

    #[test]
    fn the_configured_algorithm_and_key_count_and_nothing_the_token_names() {
        let token = token(&good());
        assert!(!judged(&token, &keys("EdDSA"), &[OidcAlgorithm::Rs256, OidcAlgorithm::Es256], SHOP));
        assert!(!judged(&token, &keys("EdDSA"), &[], SHOP));
        assert!(!judged(&token, &keys("RS256"), ED, SHOP));
        assert!(!judged(&token, &keys("EdDSA").replace("k1", "k2"), ED, SHOP));
        assert!(!judged(&token, "", ED, SHOP));
        assert!(!judged(&token, "{\"keys\":[]}", ED, SHOP));
        // The public key as the secret of a symmetric signature, and no signature at all.
        let forged = |header: Header, key: &EncodingKey| jsonwebtoken::encode(&header, &good(), key).unwrap();
        let symmetric = forged(Header::new(Algorithm::HS256), &EncodingKey::from_secret(PUBLIC.as_bytes()));
        assert!(!judged(&symmetric, &keys("EdDSA"), ED, SHOP));
        let (_, rest) = token.split_once('.').unwrap();
        let (claims, _) = rest.split_once('.').unwrap();
        assert!(!judged(&format!("eyJhbGciOiJub25lIn0.{claims}."), &keys("EdDSA"), ED, SHOP));
    }
}

proptest! {
    #[test]
    fn a_changed_signature_never_verifies(body: Vec<u8>, at in 7_usize..71, with in "[0-9a-f]") {
        let signature = sign(&body, SECRET).unwrap();
        let mut changed = signature.clone();
        changed.replace_range(at..=at, &with);
        let verified = verify(GITHUB, SECRET, &[(GITHUB_SIGNATURE, &changed)], &body, NOW);
        prop_assert_eq!(verified.is_ok(), changed == signature);
    }

    #[test]
    fn a_changed_body_never_verifies(
        mut body in proptest::collection::vec(any::<u8>(), 1..200),
        at: prop::sample::Index,
        bit in 0_u8..8,
    ) {
        let signature = sign(&body, SECRET).unwrap();
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        prop_assert!(verify(GITHUB, SECRET, &[(GITHUB_SIGNATURE, &signature)], &body, NOW).is_err());
    }

    #[test]
    fn any_headers_are_answered_without_panic(value: Vec<u8>, other: Vec<u8>) {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("x-hub-signature-256", &value), ("x-slack-signature", &value), ("x-slack-request-timestamp", &other),
            ("webhook-id", &other), ("webhook-timestamp", &other), ("webhook-signature", &value),
            ("x-buildkite-signature", &value), ("authorization", &value),
        ] {
            if let Ok(value) = http::HeaderValue::from_bytes(value) {
                map.insert(name, value);
            }
        }
        let claims = BTreeMap::new();
        let rules = Oidc { issuer: "", audience: "", algorithms: &[], claims: &claims };
        let secrets = SecretList::parse(&format!("a longer secret than random finds,{WHSEC}"));
        let claim = Claim { headers: &map, body: b"", now_ms: NOW };
        for scheme in [
            GITHUB, SLACK, BUILDKITE, Scheme::StandardWebhooks, Scheme::Basic, Scheme::Bearer, Scheme::Oidc(rules),
        ] {
            prop_assert!(scheme.verify(&claim, &secrets).is_err());
        }
    }
}
