//! A plug-in reads deliveries, whatever language it is written in; and one that fails costs its own
//! delivery only, which is kept.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{Response, json, text};
use homeostat_testkit::api::Api;
use homeostat_testkit::app::{App, AppSetup};
use homeostat_testkit::github::sign;
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::redis::RedisServer;
use homeostat_testkit::{http, now_ms, rfc3339};
use serde_json::{Value, json as value};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The plug-in of `spin.toml`.
const NONE: &str = "dist/components/plugin_none.wasm";
const SECRET: &str = "the secret of the plug-in's sender";
const TOKEN: &str = "the token of the api";
/// As in `spin.toml`, with much room for a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// The app with a plug-in installed.
struct Installed {
    app: App,
    api: Api,
    redis: RedisServer,
    _folder: TempDir,
}

impl Installed {
    /// Installs the plug-in in this file, as an operator does: by its path in the manifest.
    async fn start(plug_in: &str, remedy: &str) -> Result<Self> {
        let root = workspace_root().canonicalize()?;
        ensure!(root.join(plug_in).is_file(), "{plug_in} is missing: run `{remedy}` first");
        let folder = tempfile::tempdir()?;
        std::os::unix::fs::symlink(root.join("dist"), folder.path().join("dist"))?;
        let manifest = std::fs::read_to_string(root.join("spin.toml"))?;
        ensure!(manifest.contains(NONE), "spin.toml names no plug-in");
        std::fs::write(folder.path().join("spin.toml"), manifest.replace(NONE, plug_in))?;
        let redis = RedisServer::start()?;
        let mut setup = AppSetup::built(&root, &folder.path().join("state"))?
            .with("webhook_secret_plugin", SECRET)
            .with("webhook_secret_generic", SECRET)
            .with("api_token", TOKEN);
        setup.root = folder.path().to_owned();
        setup.redis = Some(redis.url());
        setup.cache = Some(root.join("target/e2e-cache"));
        let app = App::start(&setup).await?;
        let api = Api::new(app.url(), TOKEN);
        Ok(Self { app, api, redis, _folder: folder })
    }

    async fn deliver(&self, body: &str) -> Result<Response<Vec<u8>>> {
        deliver(&self.app.at("/webhooks/plugin"), body).await
    }

    /// The dead letters of the ingest, oldest first.
    async fn letters(&self) -> Result<Vec<Value>> {
        let mut redis = redis::Client::open(self.redis.url())?.get_multiplexed_async_connection().await?;
        let entries: Vec<(String, Vec<(String, String)>)> =
            redis::cmd("XRANGE").arg(&["hs:v:not-understood", "-", "+"]).query_async(&mut redis).await?;
        let bodies = entries.into_iter().flat_map(|(_, fields)| fields);
        bodies.map(|(_, body)| Ok(serde_json::from_str(&body)?)).collect()
    }

    /// What the newest letter says: its body is not in it.
    async fn newest_letter(&self) -> Result<String> {
        let letters = self.letters().await?;
        let letter = letters.last().context("there is no dead letter")?;
        Ok(letter["why"].as_str().unwrap_or_default().to_owned())
    }
}

async fn deliver(url: &str, body: &str) -> Result<Response<Vec<u8>>> {
    let signature = sign(SECRET, body.as_bytes());
    let headers = [("x-homeostat-signature-256", signature.as_str()), ("x-acme-event", "deploy")];
    let request = http::request("POST", url, &headers, body.as_bytes().to_vec())?;
    let answer = tokio::time::timeout(ANSWERED_WITHIN, http::send(request)).await;
    Ok(answer.with_context(|| format!("no answer to `{body:.40}`"))??)
}

fn accepted(what: &str, answer: &Response<Vec<u8>>) -> Result<()> {
    let one = json(answer)["accepted"].as_array().is_some_and(|ids| ids.len() == 1);
    ensure!(answer.status() == 202 && one, "{what}: {} {}", answer.status(), text(answer));
    Ok(())
}

fn answered(what: &str, answer: &Response<Vec<u8>>, status: u16) -> Result<()> {
    ensure!(answer.status() == status, "{what}: {} instead of {status}: {}", answer.status(), text(answer));
    Ok(())
}

/// What the example ships, told as of now.
fn example() -> Result<Value> {
    let file = workspace_root().join("examples/plug-in-js/deliveries/deploy.json");
    let mut told: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    told["at"] = rfc3339(now_ms()).into();
    Ok(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plug_in_in_javascript_reads_signed_deliveries_into_events() -> Result<()> {
    let installed = Installed::start("dist/plug-ins/acme_ship.wasm", "cargo xtask examples").await?;
    let told = example()?;
    accepted("a deployment", &installed.deliver(&told.to_string()).await?)?;
    let again = installed.deliver(&told.to_string()).await?;
    ensure!(json(&again)["duplicate"] == true, "sent again: {}", text(&again));
    let is_there = |page: &Value| page["items"].as_array().is_some_and(|items| !items.is_empty());
    let page = installed.api.until("/api/v1/events", ANSWERED_WITHIN, is_there).await;
    let event = page.with_context(|| format!("no event; {}", installed.app.log_end()))?["items"][0].clone();
    for (field, expected) in [
        ("kind", value!("deployment")),
        ("status", value!("failure")),
        ("source", value!("plugin")),
        ("env", value!("stage")),
        ("version", value!("v2.4.0")),
        ("previous_version", value!("v2.3.9")),
        ("actor", value!("ann")),
    ] {
        ensure!(event[field] == expected, "{field} in {event}");
    }
    ensure!(event["trust"]["signed"] == true && event["trust"]["fresh"] == true, "{event}");
    answers_of_the_example(&installed).await?;
    ensure!(installed.letters().await?.len() == 2, "{:?}", installed.letters().await?);
    ensure!(!installed.app.log().contains("wasm trap"), "{}", installed.app.log_end());
    Ok(())
}

async fn answers_of_the_example(installed: &Installed) -> Result<()> {
    let ping = installed.deliver(r#"{"type":"ping"}"#).await?;
    answered("a ping", &ping, 200)?;
    ensure!(json(&ping)["ignored"] == "a ping", "{}", text(&ping));
    for (body, why) in [("no JSON", "the body is not JSON"), (r#"{"type":"x"}"#, "are not known")] {
        answered(body, &installed.deliver(body).await?, 202)?;
        let kept = installed.newest_letter().await?;
        ensure!(kept.contains(why), "{body}: {kept}");
    }
    let url = installed.app.at("/webhooks/plugin");
    let forged = http::request("POST", &url, &[("x-homeostat-signature-256", "sha256=00")], b"{}".to_vec())?;
    answered("a forged one", &http::send(forged).await?, 401)
}

/// What a failing plug-in's sender is told, and what its dead letter says.
const HARMS: &[(&str, u16, &str)] = &[
    ("loop", 500, "gave no answer"),
    ("trap", 500, "gave no answer"),
    ("panic", 500, "gave no answer"),
    ("grow", 500, "gave no answer"),
    ("many", 500, "gave no answer"),
    ("lie", 500, "gave no answer"),
    ("print", 500, "gave no answer"),
    ("over", 202, "1001 events"),
    ("huge", 202, "refused"),
    ("infinite", 202, "finite values"),
    ("nan", 202, "finite values"),
    ("long", 202, "the plug-in says: x x"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_plug_in_that_fails_costs_its_own_delivery_only() -> Result<()> {
    let installed = Installed::start("dist/components/plugin_hostile.wasm", "cargo xtask components").await?;
    for (word, status, why) in HARMS {
        let (harmed, others) = tokio::join!(installed.deliver(word), neighbours(&installed, word));
        answered(word, &harmed?, *status)?;
        others.with_context(|| format!("beside `{word}`; {}", installed.app.log_end()))?;
        let kept = installed.newest_letter().await?;
        ensure!(kept.contains(why) && kept.len() < 1_000, "{word}: {kept:.2000}");
    }
    ensure!(installed.letters().await?.len() == HARMS.len(), "letters of what was read stayed");
    what_fails_again_and_again_is_given_up(&installed).await?;
    every_delivery_has_an_instance_of_its_own(&installed).await?;
    proofs_are_not_shown(&installed).await?;
    let log_bytes = installed.app.log().len();
    ensure!(log_bytes < 4 << 20, "the log has {log_bytes} bytes");
    answered("health", &http::get(&installed.app.at("/health")).await?, 200)
}

/// Deliveries beside the harmed one: to the same plug-in, and to another component.
async fn neighbours(installed: &Installed, word: &str) -> Result<()> {
    let mut sending = JoinSet::new();
    for number in 0..3 {
        let (url, body) = (installed.app.at("/webhooks/plugin"), format!("good {word}-{number}"));
        sending.spawn(async move { accepted(&body, &deliver(&url, &body).await?) });
    }
    let (url, body) =
        (installed.app.at("/webhooks/generic"), value!({"event": "run", "id": word}).to_string());
    sending.spawn(async move { accepted("generic", &deliver(&url, &body).await?) });
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    Ok(())
}

async fn what_fails_again_and_again_is_given_up(installed: &Installed) -> Result<()> {
    let before = installed.letters().await?.len();
    for status in [500, 500, 500, 202, 202] {
        answered("again", &installed.deliver("trap again").await?, status)?;
    }
    let letters = installed.letters().await?.len() - before;
    ensure!(letters == 1, "{letters} letters about one body");
    accepted("another", &installed.deliver("good another").await?)
}

async fn every_delivery_has_an_instance_of_its_own(installed: &Installed) -> Result<()> {
    let mut sending = JoinSet::new();
    for number in 0..20 {
        let (url, body) = (installed.app.at("/webhooks/plugin"), format!("asked {number}"));
        sending.spawn(async move { deliver(&url, &body).await });
    }
    while let Some(sent) = sending.join_next().await {
        let sent = sent??;
        ensure!(json(&sent)["ignored"] == "asked 1", "{} {}", sent.status(), text(&sent));
    }
    Ok(())
}

async fn proofs_are_not_shown(installed: &Installed) -> Result<()> {
    answered("headers", &installed.deliver("headers").await?, 202)?;
    let shown = installed.newest_letter().await?;
    ensure!(shown.contains("x-acme-event") && !shown.contains("signature"), "{shown}");
    Ok(())
}

#[test]
fn the_manifest_installs_no_plug_in() -> Result<()> {
    let manifest = std::fs::read_to_string(Path::new(&workspace_root()).join("spin.toml"))?;
    ensure!(manifest.matches(NONE).count() == 1, "{NONE} is not the plug-in of spin.toml");
    Ok(())
}
