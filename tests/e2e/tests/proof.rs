//! Who may send what, on the real app: schemes by path, instances, secrets that end, floods,
//! bombs, a store that is away, and a dead letter that is replayed.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use homeostat_e2e::{Response, STEP_WITHIN, json, text};
use homeostat_schema::secret::Secret;
use homeostat_sources::authenticate::{GITHUB_SIGNATURE, Scheme, Unsigned};
use homeostat_testkit::app::{App, AppSetup};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::redis::{Durability, RedisServer};
use homeostat_testkit::runtime::embedded_host_only;
use homeostat_testkit::server::eventually;
use homeostat_testkit::{http, now_ms};
use serde_json::{Value, json as value};

const TOKEN: &str = "standin-api-0000000000000001";
const OLD: &str = "standin-webhook-old";
const NEW: &str = "standin-webhook-new";
const TEAM: &str = "standin-webhook-team-a";
/// A generic source that is proven by bearer token, may compress, and is bounded.
const CONFIG: &str = r#"
[[source]]
name = "github/team-a"

[[source]]
name = "jenkins"
scheme = "bearer"

[[source]]
name = "generic"
content_encodings = ["gzip"]
body_bytes_max = 100000
"#;
/// Short forgeries at once. They cost little, so that even a slow machine refuses them faster than
/// an address may be refused for long;
const SHORT_AT_ONCE: usize = 96;
/// long ones are then not read any more.
const LONG_AT_ONCE: usize = 8;
/// The length of a long one: more than a forger's address may send.
const LONG_BYTES: usize = 100_000;

/// The count of what was shed.
const SHED: &str = r#"homeostat_webhook_shed_total{source="github"}"#;

struct Stage {
    app: App,
    redis: RedisServer,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = RedisServer::start_with(Durability::Always)?;
        let mut setup = AppSetup::built(&workspace_root(), &folder.path().join("state"))?;
        setup.root = with_instance(folder.path())?;
        setup.redis = Some(redis.url());
        setup.cache = Some(workspace_root().canonicalize()?.join("target/e2e-cache"));
        let config = folder.path().join("homeostat.toml");
        std::fs::write(&config, CONFIG)?;
        setup.config = Some(config);
        setup.variables = variables();
        Ok(Self { app: App::start(&setup).await?, redis, _folder: folder })
    }

    async fn post(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> Result<Response<Vec<u8>>> {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Ok(http::send(http::request("POST", &self.app.at(path), &headers, body.to_vec())?).await?)
    }

    async fn api(&self, method: &str, path: &str) -> Result<Response<Vec<u8>>> {
        let token = format!("Bearer {TOKEN}");
        let headers = [("authorization", token.as_str())];
        Ok(http::send(http::request(method, &self.app.at(path), &headers, Vec::new())?).await?)
    }

    /// Sends a body signed by a scheme.
    async fn signed(
        &self,
        source: &str,
        scheme: Scheme<'_>,
        secret: &str,
        body: &[u8],
        more: &[(&str, &str)],
    ) -> Result<Response<Vec<u8>>> {
        let unsigned = Unsigned { id: "d-1", body, now_ms: now_ms() };
        let mut headers = scheme.sign(&unsigned, &Secret::new(secret)).context("no signature")?;
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.post(&format!("/webhooks/{source}"), &headers, body).await
    }

    async fn generic(&self, body: &[u8], more: &[(&str, &str)]) -> Result<Response<Vec<u8>>> {
        self.signed("generic", Scheme::sha256("x-homeostat-signature-256"), NEW, body, more).await
    }

    async fn push(
        &self,
        source: &str,
        secret: &str,
        delivery: &str,
        commit: &str,
    ) -> Result<Response<Vec<u8>>> {
        let body = value!({
            "ref": "refs/heads/main", "after": commit,
            "repository": {"id": 1, "full_name": "acme/shop", "pushed_at": 1_700_000_000},
        });
        let more = [("x-github-event", "push"), ("x-github-delivery", delivery)];
        let scheme = Scheme::sha256(GITHUB_SIGNATURE);
        self.signed(source, scheme, secret, body.to_string().as_bytes(), &more).await
    }
}

/// The workspace's manifest with the variable of a further instance, beside its components.
fn with_instance(folder: &std::path::Path) -> Result<std::path::PathBuf> {
    let root = folder.join("root");
    std::fs::create_dir(&root)?;
    let whole = workspace_root().canonicalize()?;
    std::os::unix::fs::symlink(whole.join("dist"), root.join("dist"))?;
    let declared = "webhook_secret_github = { default = \"\", secret = true }\n";
    let given = "webhook_secret_github = \"{{ webhook_secret_github }}\"\n";
    let mut manifest = std::fs::read_to_string(whole.join("spin.toml"))?;
    for line in [declared, given] {
        ensure!(manifest.contains(line), "spin.toml has no line {line}");
        let further = line.replace("webhook_secret_github", "webhook_secret_github_team_a");
        manifest = manifest.replacen(line, &format!("{line}{further}"), 1);
    }
    std::fs::write(root.join("spin.toml"), manifest)?;
    Ok(root)
}

fn variables() -> BTreeMap<String, String> {
    let rotated = value!([
        {"secret": OLD, "not_after": "2099-01-01T00:00:00Z"},
        {"secret": "standin-webhook-ended", "not_after": "2020-01-01T00:00:00Z"},
        {"secret": NEW},
    ]);
    let pairs = [
        ("api_token", TOKEN.to_owned()),
        ("body_key", "ab".repeat(32)),
        ("webhook_secret_github", rotated.to_string()),
        ("webhook_secret_github_team_a", TEAM.to_owned()),
        ("webhook_secret_generic", NEW.to_owned()),
        ("webhook_secret_jenkins", NEW.to_owned()),
        ("webhook_secret_gitlab", format!("{NEW}\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn is(what: &str, answer: &Response<Vec<u8>>, status: u16) -> Result<()> {
    ensure!(answer.status() == status, "{what}: {} instead of {status}: {}", answer.status(), text(answer));
    ensure!(status != 401 || answer.body().is_empty(), "{what}: a refusal says something");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_proven_by_their_path_and_by_nothing_else() -> Result<()> {
    let mut stage = Stage::set().await?;
    forgeries_alone_are_told_to_come_back_later(&stage).await?;
    secrets_are_rotated_with_no_gap(&stage).await?;
    instances_have_their_own_secrets_and_memory(&stage).await?;
    another_scheme_than_the_path_s_is_refused(&stage).await?;
    bombs_are_taken_and_defused(&stage).await?;
    the_same_in_many_guises_is_one_event(&stage).await?;
    a_dead_letter_is_shown_and_replayed(&stage).await?;
    counts_tell_which_secret_is_used(&stage).await?;
    without_its_store_nothing_is_acknowledged(&mut stage).await
}

/// A signature that proves nothing.
fn forged() -> (String, String) {
    (GITHUB_SIGNATURE.to_owned(), format!("sha256={}", "0".repeat(64)))
}

/// Forgeries all at once, first the short ones and then the long.
async fn forge(stage: &Stage) -> Result<Vec<Response<Vec<u8>>>> {
    let (headers, long) = ([forged()], vec![b' '; LONG_BYTES]);
    let mut answers = Vec::new();
    for (count, body) in [(SHORT_AT_ONCE, &b"{}"[..]), (LONG_AT_ONCE, &long)] {
        let round = (0..count).map(|_| stage.post("/webhooks/github", &headers, body));
        answers.extend(futures::future::try_join_all(round).await?);
    }
    Ok(answers)
}

/// Before anything from this address was proven: after that it is not bounded by whoever knows it.
async fn forgeries_alone_are_told_to_come_back_later(stage: &Stage) -> Result<()> {
    let shed = eventually(STEP_WITHIN, async || {
        let answers = forge(stage).await.ok()?;
        let fine = answers.iter().all(|answer| match answer.status().as_u16() {
            401 => answer.body().is_empty(),
            503 => answer.headers().contains_key("retry-after"),
            _ => false,
        });
        let shed = answers.iter().any(|answer| answer.status() == 503);
        (shed || !fine).then_some(fine)
    });
    ensure!(shed.await == Some(true), "long forgeries are not shed, or not as they are to be");
    let counted = eventually(STEP_WITHIN, async || {
        forge(stage).await.ok()?;
        text(&stage.api("GET", "/metrics").await.ok()?).contains(SHED).then_some(())
    });
    counted.await.context("what is shed is not counted")?;
    is("a short forgery", &stage.post("/webhooks/github", &[forged()], b"{}").await?, 401)?;
    let answer = stage.push("github", NEW, "flood-1", "c0ffee01").await?;
    is("a proven delivery from an address that also forges", &answer, 202)
}

async fn secrets_are_rotated_with_no_gap(stage: &Stage) -> Result<()> {
    is("the old secret", &stage.push("github", OLD, "rotate-1", "c0ffee11").await?, 202)?;
    is("the new secret", &stage.push("github", NEW, "rotate-2", "c0ffee12").await?, 202)?;
    is(
        "an ended secret",
        &stage.push("github", "standin-webhook-ended", "rotate-3", "c0ffee13").await?,
        401,
    )?;
    let again = stage.push("github", NEW, "rotate-1-again", "c0ffee11").await?;
    ensure!(json(&again)["duplicate"] == true, "the same body by another secret: {}", text(&again));
    Ok(())
}

async fn instances_have_their_own_secrets_and_memory(stage: &Stage) -> Result<()> {
    is("its own secret", &stage.push("github/team-a", TEAM, "rotate-1", "c0ffee11").await?, 202)?;
    is("another instance's secret", &stage.push("github/team-a", NEW, "i-1", "c0ffee21").await?, 401)?;
    is("its secret elsewhere", &stage.push("github", TEAM, "i-2", "c0ffee22").await?, 401)?;
    is("no such instance", &stage.push("github/team-b", TEAM, "i-3", "c0ffee23").await?, 404)?;
    let found = eventually(STEP_WITHIN, async || {
        let events = json(&stage.api("GET", "/api/v1/events?source=github/team-a").await.ok()?);
        (events["items"].as_array()?.len() == 1).then_some(())
    });
    found.await.context("the event of the instance is not there")
}

async fn another_scheme_than_the_path_s_is_refused(stage: &Stage) -> Result<()> {
    let body = br#"{"event":"deployment","env":"dev","service":"shop","status":"success"}"#;
    let hmac = Scheme::sha256("x-homeostat-signature-256");
    for (source, scheme, secret, status) in [
        ("generic", hmac, NEW, 202),
        ("generic", Scheme::Bearer, NEW, 401),
        ("generic", Scheme::sha256(GITHUB_SIGNATURE), NEW, 401),
        ("github", hmac, NEW, 401),
        ("github", Scheme::Bearer, NEW, 401),
        ("jenkins", Scheme::Bearer, NEW, 202),
        ("jenkins", Scheme::Basic, NEW, 401),
        ("gitlab", Scheme::Token { header: "x-gitlab-token" }, NEW, 401),
        ("gitlab", Scheme::StandardWebhooks, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 202),
        ("flux", Scheme::sha256("x-signature"), NEW, 401),
    ] {
        let answer = stage.signed(source, scheme, secret, body, &[]).await?;
        let taken = answer.status() == 200 && status == 202;
        if !taken {
            is(&format!("{} on {source}", scheme.name()), &answer, status)?;
        }
    }
    Ok(())
}

async fn bombs_are_taken_and_defused(stage: &Stage) -> Result<()> {
    let gzip = |body: &[u8]| -> Result<Vec<u8>> {
        let mut stream = GzEncoder::new(Vec::new(), Compression::best());
        std::io::Write::write_all(&mut stream, body)?;
        Ok(stream.finish()?)
    };
    let event = br#"{"event":"deployment","env":"dev","service":"shop","status":"running"}"#;
    let encoding = [("content-encoding", "gzip")];
    let taken = stage.generic(&gzip(event)?, &encoding).await?;
    ensure!(json(&taken)["accepted"].as_array().is_some_and(|ids| ids.len() == 1), "{}", text(&taken));
    let nested = "[".repeat(90_000);
    for (what, body) in [
        ("a gzip bomb", gzip(&vec![b' '; 50_000_000])?),
        ("a nesting bomb in gzip", gzip("{\"a\":".repeat(10_000).as_bytes())?),
        ("no gzip", b"{}".to_vec()),
    ] {
        let answer = stage.generic(&body, &encoding).await.context(what)?;
        is(what, &answer, 202)?;
        ensure!(json(&answer)["ignored"].is_string(), "{what}: {}", text(&answer));
    }
    let answer = stage.generic(nested.as_bytes(), &[]).await?;
    is("a nesting bomb", &answer, 202)?;
    is("over its own cap", &stage.generic(&vec![b' '; 100_001], &[]).await?, 413)
}

async fn the_same_in_many_guises_is_one_event(stage: &Stage) -> Result<()> {
    let mut accepted = 0;
    for number in 0..50 {
        let delivery = format!("many-{}", number % 5);
        let answer = stage.push("github", NEW, &delivery, "c0ffee31").await?;
        is("one of many", &answer, 202)?;
        accepted += json(&answer)["accepted"].as_array().map_or(0, Vec::len);
    }
    ensure!(accepted == 1, "{accepted} events of one push");
    let metric = br#"{"event":"observation","env":"dev","service":"shop","latency_ms":5}"#;
    for _ in 0..2 {
        let answer = stage.generic(metric, &[]).await?;
        ensure!(json(&answer)["duplicate"] == false, "two equal readings are two: {}", text(&answer));
    }
    Ok(())
}

async fn a_dead_letter_is_shown_and_replayed(stage: &Stage) -> Result<()> {
    let odd = br#"{"event":{"why":"nobody knows"}}"#;
    is("an odd body", &stage.generic(odd, &[]).await?, 202)?;
    let listed = json(&stage.api("GET", "/api/v1/dead-letters?kind=ingest").await?);
    let first = &listed["items"][0];
    ensure!(first["source"] == "generic", "{listed}");
    let id = first["id"].as_str().context("no id")?.to_owned();
    let shown = json(&stage.api("GET", &format!("/api/v1/dead-letters/{id}")).await?);
    ensure!(shown["body"].as_str() == Some(std::str::from_utf8(odd)?), "{shown}");
    let refused = stage.api("POST", &format!("/api/v1/dead-letters/{id}/replay")).await?;
    is("a replay of what is still not understood", &refused, 409)?;
    let mut redis = redis::Client::open(stage.redis.url())?.get_multiplexed_async_connection().await?;
    let raw: Vec<Vec<u8>> = redis::cmd("KEYS").arg("hs:v:body:*").query_async(&mut redis).await?;
    ensure!(!raw.is_empty(), "no delivery was kept");
    for key in raw {
        let kept: Vec<u8> = redis::cmd("GET").arg(&key).query_async(&mut redis).await?;
        ensure!(!String::from_utf8_lossy(&kept).contains("nobody knows"), "a kept delivery can be read");
        let life: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut redis).await?;
        ensure!((1..=72 * 3_600_000).contains(&life), "it lives for {life} ms");
    }
    replayed_once_understood(stage).await
}

/// A compressed delivery is understood once its source may compress.
async fn replayed_once_understood(stage: &Stage) -> Result<()> {
    let body = br#"{"event":"rollback","env":"dev","service":"shop","status":"success","timestamp":"2026-01-01T00:00:00Z"}"#;
    let encoding = [("content-encoding", "deflate")];
    is("not yet configured", &stage.generic(&zlib(body)?, &encoding).await?, 202)?;
    let listed = json(&stage.api("GET", "/api/v1/dead-letters?kind=ingest").await?);
    let id = listed["items"][0]["id"].as_str().context("no id")?.to_owned();
    let config = CONFIG.replace("[\"gzip\"]", "[\"gzip\", \"deflate\"]");
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/toml")];
    let request = http::request("PUT", &stage.app.at("/api/v1/config"), &headers, config.into_bytes())?;
    is("the configuration", &http::send(request).await?, 200)?;
    let path = format!("/api/v1/dead-letters/{id}/replay");
    let replayed = eventually(STEP_WITHIN, async || {
        let answer = stage.api("POST", &path).await.ok()?;
        (answer.status() == 202).then(|| json(&answer))
    });
    let told = replayed.await.context("it is not replayed")?;
    ensure!(told["accepted"].as_array().is_some_and(|ids| ids.len() == 1), "{told}");
    is("a second replay", &stage.api("POST", &path).await?, 404)
}

fn zlib(body: &[u8]) -> Result<Vec<u8>> {
    let mut stream = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut stream, body)?;
    Ok(stream.finish()?)
}

async fn counts_tell_which_secret_is_used(stage: &Stage) -> Result<()> {
    let lines = [
        r#"homeostat_webhook_key_uses_total{source="github",key="1"}"#,
        r#"homeostat_webhook_key_uses_total{source="github",key="3"}"#,
        r#"homeostat_webhook_key_uses_total{source="github/team-a",key="1"}"#,
        r#"homeostat_webhook_refused_total{source="github"}"#,
        SHED,
    ];
    let counted = eventually(STEP_WITHIN, async || {
        // Counts are written with a delivery, once a second, and those of an instance that ends before
        // are lost: so what is counted is done again.
        forge(stage).await.ok()?;
        stage.push("github", OLD, "rotate-1", "c0ffee11").await.ok()?;
        stage.push("github/team-a", TEAM, "rotate-1", "c0ffee11").await.ok()?;
        stage.push("github", NEW, "count", "c0ffee41").await.ok()?;
        let metrics = text(&stage.api("GET", "/metrics").await.ok()?);
        lines.iter().all(|line| metrics.contains(line)).then_some(())
    });
    let metrics = text(&stage.api("GET", "/metrics").await?);
    counted.await.with_context(|| format!("not all is counted:\n{metrics}"))?;
    ensure!(!metrics.contains("standin-"), "a secret is in the metrics");
    Ok(())
}

async fn without_its_store_nothing_is_acknowledged(stage: &mut Stage) -> Result<()> {
    if embedded_host_only(&workspace_root(), "Spin's app ends with its Redis")? {
        return Ok(());
    }
    stage.redis.kill()?;
    let answer = stage.push("github", NEW, "down-1", "c0ffee51").await?;
    is("with Redis down", &answer, 503)?;
    ensure!(answer.headers().contains_key("retry-after"), "no Retry-After");
    stage.redis.restart()?;
    let back = eventually(STEP_WITHIN, async || {
        let answer = stage.push("github", NEW, "down-1", "c0ffee51").await.ok()?;
        (answer.status() == 202).then(|| json(&answer))
    });
    let told: Value = back.await.context("it does not come back")?;
    ensure!(told["accepted"].as_array().is_some_and(|ids| ids.len() == 1), "{told}");
    let log = stage.app.log();
    for word in ["panicked", "wasm trap", "standin-"] {
        ensure!(!log.contains(word), "the log has `{word}`");
    }
    Ok(())
}
