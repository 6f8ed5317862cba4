//! Our schemes of proof and our CloudEvents reader against independent implementations, on made-up
//! and on wrong input.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use homeostat_differential::Oracle;
use homeostat_schema::secret::{Secret, SecretList};
use homeostat_sources::authenticate::{Claim, Scheme, Unsigned};
use homeostat_sources::{Raw, Reading, Source};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config as Settings, TestRunner};
use serde_json::{Value, json};

/// Made-up bodies of each kind; the seed is fixed, so that a run can be repeated.
const CASES: usize = 200;

#[test]
fn independent_implementations_agree_with_ours() -> Result<()> {
    let mut oracle = Oracle::start()?;
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for (at, body) in bodies()?.iter().enumerate() {
        github(&mut oracle, body, now_ms).with_context(|| format!("GitHub, case {at}: {body:?}"))?;
        standard(&mut oracle, body, now_ms)
            .with_context(|| format!("Standard Webhooks, case {at}: {body:?}"))?;
    }
    for mode in ["binary", "structured"] {
        for (at, text) in texts()?.iter().enumerate() {
            cloudevent(&mut oracle, mode, at, text)
                .with_context(|| format!("{mode}, case {at}: {text:?}"))?;
        }
    }
    Ok(())
}

/// Texts of any characters, among them the empty one and some that trip encoders.
fn bodies() -> Result<Vec<String>> {
    let known = ["", "{}", "{\"a\":\"\\u001b\"}", "\u{feff}{}", "ä😀\r\n", "\u{0}"];
    let mut all: Vec<String> = known.map(str::to_owned).into();
    all.extend(made("(?s).{0,400}", CASES)?);
    Ok(all)
}

/// Titles as a person might write them.
fn texts() -> Result<Vec<String>> {
    let mut all: Vec<String> = ["100 %", "\"quoted\"", "ä😀", "a%20b"].map(str::to_owned).into();
    all.extend(made("[ -~äöü€😀]{1,60}", CASES / 4)?);
    Ok(all)
}

fn made(pattern: &str, count: usize) -> Result<Vec<String>> {
    let mut runner = TestRunner::new_with_rng(
        Settings::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let strategy = proptest::string::string_regex(pattern).context("a pattern")?;
    let one = |_| Ok(strategy.new_tree(&mut runner).map_err(anyhow::Error::msg)?.current());
    (0..count).map(one).collect()
}

fn github(oracle: &mut Oracle, body: &str, now_ms: u64) -> Result<()> {
    if body.is_empty() {
        // Their library refuses to sign nothing; ours has a published vector for that.
        return Ok(());
    }
    let secret = "It's a Secret to Everybody";
    let scheme = scheme_of("github")?;
    let theirs = oracle.ask(&json!({"ask": "github-sign", "secret": secret, "body": body}))?;
    let theirs = theirs.as_str().context("a signature")?;
    agree(&scheme, &headers(&[("x-hub-signature-256", theirs)])?, body, secret, now_ms, true)?;
    agree(&scheme, &headers(&[("x-hub-signature-256", &flipped(theirs))])?, body, secret, now_ms, false)?;

    let ours = signed(&scheme, "id", body, secret, now_ms)?;
    let ours = ours.first().map(|(_, value)| value.as_str()).context("a signature of ours")?;
    for (signature, expected) in [(ours.to_owned(), true), (flipped(ours), false)] {
        let question =
            json!({"ask": "github-verify", "secret": secret, "body": body, "signature": signature});
        ensure!(oracle.ask(&question)? == json!(expected), "theirs on {signature}");
    }
    Ok(())
}

fn standard(oracle: &mut Oracle, body: &str, now_ms: u64) -> Result<()> {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (id, seconds) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", now_ms / 1000);
    let scheme = scheme_of("standard")?;
    let question =
        json!({"ask": "standard-sign", "secret": secret, "id": id, "seconds": seconds, "body": body});
    let theirs = oracle.ask(&question)?;
    let theirs = theirs.as_str().context("a signature")?;
    let sent = |signature: &str| {
        headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", &seconds.to_string()),
            ("webhook-signature", signature),
        ])
    };
    agree(&scheme, &sent(theirs)?, body, secret, now_ms, true)?;
    agree(&scheme, &sent(&format!("v1,AAAA {theirs}"))?, body, secret, now_ms, true)?;
    agree(&scheme, &sent(&flipped(theirs))?, body, secret, now_ms, false)?;

    let ours = signed(&scheme, id, body, secret, now_ms)?;
    for turn in [false, true] {
        let map: serde_json::Map<String, Value> = ours
            .iter()
            .map(|(name, value)| {
                let wrong = turn && name == "webhook-signature";
                (name.clone(), json!(if wrong { flipped(value) } else { value.clone() }))
            })
            .collect();
        let question = json!({"ask": "standard-verify", "secret": secret, "headers": map, "body": body});
        ensure!(oracle.ask(&question)? == json!(!turn), "theirs on our signature, changed: {turn}");
    }
    Ok(())
}

/// An event as another library encodes it is read as what it says.
fn cloudevent(oracle: &mut Oracle, mode: &str, at: usize, text: &str) -> Result<()> {
    let event = json!({
        "id": format!("event-{at}"), "source": "/acme/ci", "type": "dev.homeostat.event", "subject": text,
        "time": "2026-03-01T10:00:00.000Z", "datacontenttype": "application/json",
        "data": {"event": "deployment", "env": "stage", "service": "shop", "status": "success", "title": text},
    });
    let sent = oracle.ask(&json!({"ask": "cloudevent", "mode": mode, "event": event}))?;
    let map = sent["headers"].as_object().context("headers")?;
    let pairs: Vec<(&str, &str)> =
        map.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    let body = sent["body"].as_str().context("a body")?;
    let source = Source::named("cloudevents").context("the source")?;
    let read = source.read(&Raw { headers: &headers(&pairs)?, body: body.as_bytes() })?;
    let Reading::Items(drafts) = read.reading else { anyhow::bail!("ignored: {:?}", read.reading) };
    let [draft] = drafts.as_slice() else { anyhow::bail!("{} events", drafts.len()) };
    ensure!(draft.said.title.as_deref() == Some(text.trim()), "the title became {:?}", draft.said.title);
    // A time in a header alone proves nothing.
    let at = (mode == "structured").then_some(1_772_359_200_000);
    ensure!(draft.said.occurred_at_ms == at, "{:?}", draft.said.occurred_at_ms);
    Ok(())
}

fn scheme_of(source: &str) -> Result<Scheme<'static>> {
    let source = Source::named(source).context("the source")?;
    source.schemes().first().copied().context("a scheme")
}

fn signed(
    scheme: &Scheme<'_>,
    id: &str,
    body: &str,
    secret: &str,
    now_ms: u64,
) -> Result<Vec<(String, String)>> {
    let unsigned = Unsigned { id, body: body.as_bytes(), now_ms };
    scheme.sign(&unsigned, &Secret::new(secret)).context("a scheme that signs")
}

fn agree(
    scheme: &Scheme<'_>,
    headers: &HeaderMap,
    body: &str,
    secret: &str,
    now_ms: u64,
    expected: bool,
) -> Result<()> {
    let claim = Claim { headers, body: body.as_bytes(), now_ms };
    let verified = scheme.verify(&claim, &SecretList::parse(secret)).is_ok();
    ensure!(verified == expected, "ours said {verified} to {headers:?}");
    Ok(())
}

fn headers(pairs: &[(&str, &str)]) -> Result<HeaderMap> {
    let one = |(name, value): &(&str, &str)| {
        Ok((HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value.as_bytes())?))
    };
    pairs.iter().map(one).collect()
}

/// The signature with another letter in its middle.
fn flipped(signature: &str) -> String {
    let middle = signature.len() / 2;
    let turn = |(at, letter): (usize, char)| match (at == middle, letter) {
        (true, 'a') => 'b',
        (true, _) => 'a',
        (false, letter) => letter,
    };
    signature.chars().enumerate().map(turn).collect()
}
