//! Whatever is sent, the answer is the documented one: nothing breaks, nothing is lost, and no
//! secret is shown.

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{Response, STEP_WITHIN, Stage, json, text};
use homeostat_testkit::github::sign;
use homeostat_testkit::{now_ms, rfc3339};
use serde_json::{Value, json as value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What GitHub may send at most, and what everyone else may; bytes.
const GITHUB_BYTES_MAX: usize = 25 * 1024 * 1024;
const BYTES_MAX: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_the_documented_answer_and_breaks_nothing() -> Result<()> {
    let stage = Stage::set().await?;
    what_is_not_understood_is_taken_and_kept(&stage).await?;
    what_is_not_of_interest_is_taken_and_dropped(&stage).await?;
    what_is_not_proven_is_refused_without_a_word(&stage).await?;
    what_is_too_long_is_refused(&stage).await?;
    a_length_that_is_too_long_is_refused_without_its_body(&stage).await?;
    unknown_paths_and_methods_are_named(&stage).await?;
    the_api_names_what_is_wrong(&stage).await?;
    a_replay_under_a_new_id_is_a_duplicate(&stage).await?;
    times_far_away_are_recorded_and_never_acted_upon(&stage).await?;
    an_unknown_kind_is_kept_by_its_name(&stage).await?;
    stage.is_sound().await
}

fn answered(stage: &Stage, what: &str, answer: &Response<Vec<u8>>, status: u16) -> Result<()> {
    ensure!(answer.status() == status, "{what}: {} instead of {status}: {}", answer.status(), text(answer));
    let shown = format!("{:?} {}", answer.headers(), text(answer));
    ensure!(!stage.has_secret(&shown), "{what}: a secret is in the answer");
    Ok(())
}

fn delivery(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

async fn what_is_not_understood_is_taken_and_kept(stage: &Stage) -> Result<()> {
    let deep = "[".repeat(100_000);
    let deep_inside = format!(r#"{{"deployment":{}{}}}"#, r#"{"a":"#.repeat(2_000), "1");
    let fields: Vec<String> = (0..1_000_000).map(|number| format!(r#""f{number}":0"#)).collect();
    let many = format!("{{{}}}", fields.join(","));
    let cases: [(&str, &[u8]); 9] = [
        ("not JSON", b"deployment"),
        ("nothing", b""),
        ("cut off", br#"{"deployment":{"id":1"#),
        ("wrong types", br#"{"action":[],"deployment":"five","repository":7}"#),
        ("missing fields", br#"{"action":"created","deployment":{},"repository":{"full_name":"acme/shop"}}"#),
        (
            "invalid UTF-8",
            b"{\"deployment\":{\"id\":1,\"ref\":\"\xff\xfe\"},\"repository\":{\"full_name\":\"acme/shop\"}}",
        ),
        ("deep nesting", deep.as_bytes()),
        ("deep nesting inside", deep_inside.as_bytes()),
        ("a million tiny fields", many.as_bytes()),
    ];
    for (number, (what, body)) in cases.into_iter().enumerate() {
        let answer = stage.github_hook("deployment", &delivery(number), body).await.context(what)?;
        answered(stage, what, &answer, 202)?;
        let told = json(&answer);
        ensure!(told["ignored"].is_string() && told["accepted"] == value!([]), "{what}: {told}");
    }
    Ok(())
}

async fn what_is_not_of_interest_is_taken_and_dropped(stage: &Stage) -> Result<()> {
    let cases = [
        ("ping", value!({"zen": "Keep it logically awesome.", "hook_id": 1})),
        ("star", value!({"action": "created"})),
    ];
    for (number, (event, body)) in cases.into_iter().enumerate() {
        let answer = stage.github_hook(event, &delivery(100 + number), body.to_string().as_bytes()).await?;
        answered(stage, event, &answer, 200)?;
        ensure!(json(&answer)["ignored"].is_string(), "{event}: {}", text(&answer));
    }
    Ok(())
}

async fn what_is_not_proven_is_refused_without_a_word(stage: &Stage) -> Result<()> {
    let body = b"{}";
    let right = sign(&stage.land.secrets().webhook, body);
    let hex = right.trim_start_matches("sha256=").to_owned();
    let cases: [(&str, Option<String>); 9] = [
        ("missing", None),
        ("empty", Some(String::new())),
        ("of another body", Some(sign(&stage.land.secrets().webhook, b"[]"))),
        ("by another secret", Some(sign("guessed", body))),
        ("too short", Some(format!("sha256={}", &hex[..62]))),
        ("too long", Some(format!("{right}00"))),
        ("of another algorithm", Some(format!("sha1={}", &hex[..40]))),
        ("without algorithm", Some(hex.clone())),
        ("not hexadecimal", Some(format!("sha256={}", "z".repeat(64)))),
    ];
    for (what, signature) in cases {
        let answer = stage.github_hook_signed("ping", &delivery(200), signature.as_deref(), body).await?;
        answered(stage, what, &answer, 401)?;
        ensure!(answer.body().is_empty(), "{what}: the refusal says {}", text(&answer));
    }
    let headers = [
        ("x-hub-signature-256", right.as_str()),
        ("x-hub-signature-256", "sha256=00"),
        ("x-github-event", "ping"),
    ];
    let answer = stage.send("POST", "/webhooks/github", &headers, body).await?;
    answered(stage, "two signatures", &answer, 401)?;
    for token in [None, Some("Bearer "), Some("Bearer guessed"), Some("Basic Z3Vlc3NlZA==")] {
        let headers: Vec<(&str, &str)> = token.map(|token| ("authorization", token)).into_iter().collect();
        for (method, path) in
            [("POST", "/webhooks/generic"), ("POST", "/api/v1/events"), ("GET", "/api/v1/incidents")]
        {
            let answer = stage.send(method, path, &headers, b"{}").await?;
            answered(stage, &format!("{path} with {token:?}"), &answer, 401)?;
        }
    }
    Ok(())
}

async fn what_is_too_long_is_refused(stage: &Stage) -> Result<()> {
    for (path, max) in [
        ("/webhooks/github", GITHUB_BYTES_MAX),
        ("/webhooks/generic", BYTES_MAX),
        ("/api/v1/events", BYTES_MAX),
    ] {
        let body = vec![b' '; max + 1];
        let token = format!("Bearer {}", stage.land.secrets().api);
        let signature = sign(&stage.land.secrets().webhook, &body);
        let headers = [
            ("authorization", token.as_str()),
            ("x-hub-signature-256", &signature),
            ("x-github-event", "ping"),
        ];
        let answer = stage.send("POST", path, &headers, &body).await.context(path)?;
        answered(stage, &format!("{path}: one byte over {max}"), &answer, 413)?;
    }
    let fits = vec![b' '; BYTES_MAX];
    answered(stage, "exactly the cap", &stage.submit(&fits).await?, 400)
}

async fn a_length_that_is_too_long_is_refused_without_its_body(stage: &Stage) -> Result<()> {
    let address = stage.app.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await?;
    let head = format!(
        "POST /webhooks/generic HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        BYTES_MAX + 1
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    let read = tokio::time::timeout(STEP_WITHIN, stream.read_to_string(&mut answer)).await;
    read.context("the sender was left waiting")??;
    ensure!(answer.starts_with("HTTP/1.1 413"), "answered with: {answer}");
    Ok(())
}

async fn unknown_paths_and_methods_are_named(stage: &Stage) -> Result<()> {
    let token = format!("Bearer {}", stage.land.secrets().api);
    for (method, path, status) in [
        ("POST", "/webhooks/nosuch", 404),
        ("POST", "/webhooks/", 404),
        ("GET", "/webhooks/github", 405),
        ("GET", "/api/v1/nosuch", 404),
        ("DELETE", "/api/v1/events", 405),
        ("GET", "/api/v1/incidents/nosuch", 404),
        ("GET", "/api/v1/incidents?nosuch=1", 400),
        ("POST", "/internal/tick", 404),
    ] {
        let answer = stage.send(method, path, &[("authorization", &token)], b"").await?;
        answered(stage, &format!("{method} {path}"), &answer, status)?;
    }
    Ok(())
}

async fn the_api_names_what_is_wrong(stage: &Stage) -> Result<()> {
    let too_many = Value::Array(vec![value!({"event": "deployment"}); 1_001]).to_string();
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let cases: [(&str, &[u8], Option<&str>); 9] = [
        ("not JSON", b"{", None),
        ("no event", br#"{"env":"stage"}"#, Some("event")),
        ("event of wrong type", br#"{"event":{}}"#, Some("event")),
        ("latency of wrong type", br#"{"event":"deployment","latency":"fast"}"#, Some("latency")),
        ("negative latency", br#"{"event":"deployment","latency_ms":-1}"#, Some("latency_ms")),
        ("no time", br#"{"event":"deployment","timestamp":"yesterday"}"#, Some("timestamp")),
        ("invalid UTF-8", b"{\"event\":\"\xff\"}", None),
        ("deep nesting", deep.as_bytes(), None),
        ("too many", too_many.as_bytes(), None),
    ];
    for (what, body, field) in cases {
        let answer = stage.submit(body).await?;
        answered(stage, what, &answer, 400)?;
        let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        ensure!(kind == Some("application/problem+json"), "{what}: {kind:?}");
        if let Some(field) = field {
            ensure!(text(&answer).contains(field), "{what}: `{field}` is not named: {}", text(&answer));
        }
    }
    Ok(())
}

/// A failed deployment as GitHub tells it, at this time.
fn failed_deployment(id: u64, at: &str) -> Vec<u8> {
    value!({
        "action": "created",
        "deployment": {"id": id, "sha": "badc0ffee1e5d4c3b2a190817263544536271809", "environment": "staging",
            "task": "deploy", "payload": {}, "created_at": at},
        "deployment_status": {"id": id, "state": "failure", "environment": "staging", "created_at": at},
        "repository": {"id": 1, "full_name": "acme/shop"},
        "sender": {"login": "octocat"},
    })
    .to_string()
    .into_bytes()
}

async fn a_replay_under_a_new_id_is_a_duplicate(stage: &Stage) -> Result<()> {
    let at = rfc3339(now_ms());
    let body = value!({"action": "created", "repository": {"full_name": "acme/other"},
        "deployment": {"id": 5, "sha": "600d", "environment": "dev", "created_at": at}})
    .to_string();
    let first = stage.github_hook("deployment", &delivery(300), body.as_bytes()).await?;
    answered(stage, "the first", &first, 202)?;
    ensure!(json(&first)["duplicate"] == false, "{}", text(&first));
    for id in [300, 301] {
        let again = stage.github_hook("deployment", &delivery(id), body.as_bytes()).await?;
        answered(stage, "the replay", &again, 202)?;
        ensure!(json(&again)["duplicate"] == true, "delivery {id}: {}", text(&again));
    }
    Ok(())
}

async fn times_far_away_are_recorded_and_never_acted_upon(stage: &Stage) -> Result<()> {
    let times =
        ["1970-01-01T00:00:00Z", "2001-09-11T00:00:00Z", "2999-12-31T23:59:59Z", "9999-12-30T00:00:00Z"];
    for (number, at) in times.into_iter().enumerate() {
        let body = failed_deployment(900 + number as u64, at);
        let answer = stage.github_hook("deployment_status", &delivery(400 + number), &body).await?;
        answered(stage, at, &answer, 202)?;
        let id = json(&answer)["accepted"][0]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("{at}: {}", text(&answer)))?;
        let event = event(stage, &id).await?;
        ensure!(event["trust"]["fresh"] == false, "{at} is taken for fresh: {event}");
    }
    let acted =
        stage.land.kubernetes.server.count("PATCH", "/") + stage.land.github.server.count("POST", "/");
    ensure!(acted == 0, "{acted} calls were made over events that are not fresh");
    Ok(())
}

async fn an_unknown_kind_is_kept_by_its_name(stage: &Stage) -> Result<()> {
    let answer = stage.submit(br#"{"event":"frobnication","env":"dev","service":"shop"}"#).await?;
    answered(stage, "an unknown kind", &answer, 202)?;
    let id = json(&answer)["accepted"][0].as_str().map(str::to_owned).with_context(|| text(&answer))?;
    let event = event(stage, &id).await?;
    ensure!(event["kind"] == "frobnication", "{event}");
    Ok(())
}

/// The event once the loop has recorded it.
async fn event(stage: &Stage, id: &str) -> Result<Value> {
    let list = stage.api.until("/api/v1/events", STEP_WITHIN, |list| find(list, id).is_some()).await;
    list.as_ref().and_then(|list| find(list, id)).with_context(|| format!("event {id} is not recorded"))
}

fn find(list: &Value, id: &str) -> Option<Value> {
    list["items"].as_array()?.iter().find(|event| event["id"] == *id).cloned()
}
