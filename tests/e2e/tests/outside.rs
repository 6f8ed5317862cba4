//! What goes out and what is asked for: sinks that are down, and senders whose webhooks got lost.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use homeostat_e2e::{HEAL_WITHIN, STEP_WITHIN, Stage, text};
use homeostat_testkit::company::{
    CHECKOUT, CHECKOUT_REPOSITORY, CONFIG, ENV, GITHUB_ENV, GOOD, SHOP, SHOP_REPOSITORY, flaky_run,
};
use homeostat_testkit::github::App;
use homeostat_testkit::gitlab::{self, Gitlab};
use homeostat_testkit::port::free_port;
use homeostat_testkit::server::{Received, eventually};
use homeostat_testkit::sink::Sink;
use homeostat_testkit::{http, now_ms, rfc3339_millis};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tempfile::TempDir;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HOUR_MS: u64 = 3_600_000;

async fn apply(stage: &Stage, more: &str) -> Result<()> {
    let token = format!("Bearer {}", stage.land.secrets().api);
    let headers = [("authorization", token.as_str()), ("content-type", "application/toml")];
    let answer = stage.send("PUT", "/api/v1/config", &headers, format!("{CONFIG}{more}").as_bytes()).await?;
    ensure!(answer.status() == 200, "the configuration was refused: {}", text(&answer));
    Ok(())
}

/// Moves the flow's clock, which only scripts in Redis read; signatures keep the real time.
async fn move_clock(stage: &Stage, offset_ms: u64) -> Result<()> {
    let mut redis = redis::Client::open(stage.redis.url())?.get_multiplexed_async_connection().await?;
    redis::cmd("SET").arg("hs:clock").arg(offset_ms).exec_async(&mut redis).await?;
    Ok(())
}

fn sinks_of(team: &Sink, dead: &Sink) -> String {
    let section = |name: &str, sink: &Sink| {
        format!(
            "\n[[sink]]\nname = \"{name}\"\nurl = \"{}/in\"\nsource = \"/homeostat/test\"\n",
            sink.server.origin()
        )
    };
    format!("{}{}", section("team", team), section("dead", dead))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_was_down_gets_everything_and_a_dead_one_is_told_again_when_asked() -> Result<()> {
    let (team, dead) = (Sink::start().await?, Sink::start().await?);
    let variables = BTreeMap::from([
        ("sink_secrets".to_owned(), format!("team={KEY}\ndead={KEY}")),
        ("sink_origin".to_owned(), team.server.origin()),
        ("sink_origin_2".to_owned(), dead.server.origin()),
    ]);
    let stage = Stage::set_for_sources("", variables).await?;
    apply(&stage, &sinks_of(&team, &dead)).await?;
    team.go_down();
    dead.go_down();
    stage.land.github.start_run(CHECKOUT_REPOSITORY, flaky_run()).context("no such repository")?;
    let healed = stage.api.resolved(CHECKOUT, HEAL_WITHIN).await;
    healed.with_context(|| format!("sinks that are down held up a remedy; {}", stage.app.log_end()))?;
    ensure!(team.taken().is_empty(), "it was down");

    team.come_up();
    move_clock(&stage, HOUR_MS).await?;
    everything_was_told(&stage, &team).await?;
    what_was_given_up_is_told_again(&stage, &dead).await?;
    stage.is_sound().await
}

fn kind(one: &Received) -> String {
    one.json()["type"].as_str().unwrap_or_default().to_owned()
}

const TOLD: [&str; 3] = [
    "dev.cdevents.incident.detected.0.3.0",
    "dev.cdevents.incident.resolved.0.3.0",
    "dev.cdeventsx.homeostat-remedy.finished.0.1.0",
];

async fn everything_was_told(stage: &Stage, team: &Sink) -> Result<()> {
    let all = async || {
        let kinds: BTreeSet<String> = team.taken().iter().map(kind).collect();
        TOLD.iter().all(|wanted| kinds.contains(*wanted)).then_some(())
    };
    let told = eventually(STEP_WITHIN, all).await;
    told.with_context(|| format!("told: {:?}", team.taken().iter().map(kind).collect::<Vec<_>>()))?;
    let verifier = Webhook::new(KEY)?;
    let (mut taken, mut repeated) = (BTreeSet::new(), 0);
    for one in team.taken() {
        let mut headers = ::http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let value = one.headers.get(name).with_context(|| format!("no {name}"))?;
            headers.insert(name, value.parse()?);
        }
        verifier.verify(&one.body, &headers).context("the signature does not verify")?;
        let (id, event) = (&one.headers["webhook-id"], one.json());
        ensure!(taken.insert(id.clone()), "{id} was taken and sent again");
        ensure!(event["id"] == **id && event["source"] == "/homeostat/test", "{event}");
        ensure!(one.headers["content-type"] == "application/cloudevents+json");
        ensure!(!stage.has_secret(&event.to_string()), "a secret is told");
        // Tries before it was taken had the same id and body.
        let tries: Vec<_> =
            team.server.requests().into_iter().filter(|try_| try_.headers["webhook-id"] == *id).collect();
        ensure!(tries.len() <= 8, "{} tries", tries.len());
        repeated += usize::from(tries.len() > 1);
        ensure!(tries.iter().all(|try_| try_.body == one.body), "another body under the same id");
    }
    ensure!(repeated > 0, "nothing was tried while it was down");
    Ok(())
}

async fn given_up(stage: &Stage) -> Vec<(String, String)> {
    let page = stage.api.get("/api/v1/undelivered").await;
    let items = page["items"].as_array().cloned().unwrap_or_default();
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| (text(item, "sink"), text(item, "id"))).collect()
}

async fn what_was_given_up_is_told_again(stage: &Stage, dead: &Sink) -> Result<()> {
    let tries =
        |id: &str| dead.server.requests().iter().filter(|one| one.headers["webhook-id"] == *id).count();
    let ids: BTreeSet<String> =
        dead.server.requests().iter().map(|one| one.headers["webhook-id"].clone()).collect();
    let is_over = async || {
        let listed: BTreeSet<String> =
            given_up(stage).await.into_iter().filter(|(sink, _)| sink == "dead").map(|(_, id)| id).collect();
        ids.is_subset(&listed)
    };
    // Longer than the longest wait: each move makes whatever waits due, and there are seven waits.
    let mut offset_ms = HOUR_MS;
    for _ in 0..9 {
        if is_over().await {
            break;
        }
        let before: Vec<usize> = ids.iter().map(|id| tries(id)).collect();
        offset_ms += 11 * HOUR_MS;
        move_clock(stage, offset_ms).await?;
        let tried = async || {
            let again = |(id, before): (&String, &usize)| tries(id) > *before || tries(id) >= 8;
            ids.iter().zip(&before).all(again).then_some(())
        };
        eventually(STEP_WITHIN, tried).await.context("nothing was tried again")?;
    }
    let over = eventually(STEP_WITHIN, async || is_over().await.then_some(())).await;
    over.with_context(|| format!("not given up: {ids:?}"))?;
    for id in &ids {
        ensure!(tries(id) == 8, "{id} was tried {} times", tries(id));
    }
    dead.come_up();
    let token = format!("Bearer {}", stage.land.secrets().api);
    for id in &ids {
        let path = format!("/api/v1/undelivered/dead/{id}/resend");
        let answer = stage.send("POST", &path, &[("authorization", &token)], b"").await?;
        ensure!(answer.status() == 202, "{}: {}", answer.status(), text(&answer));
    }
    let taken = async || {
        let taken: BTreeSet<String> =
            dead.taken().iter().map(|one| one.headers["webhook-id"].clone()).collect();
        ids.is_subset(&taken).then_some(())
    };
    eventually(STEP_WITHIN, taken).await.context("not all were sent again")?;
    ensure!(given_up(stage).await.iter().all(|(_, id)| !ids.contains(id)), "still listed");
    let path = "/api/v1/undelivered/dead/none/resend";
    let absent = stage.send("POST", path, &[("authorization", &token)], b"").await?;
    ensure!(absent.status() == 404, "{}", absent.status());
    Ok(())
}

const GITLAB_TOKEN: &str = "standin-gitlab-token";
const GITLAB_HOOK_TOKEN: &str = "standin-gitlab-hook-token";
/// What arrived after the one that was lost: more than a page of them.
const GITLAB_ARRIVED: u64 = 25;
/// The number of the GitHub App.
const APP: u64 = 4711;

#[tokio::test(flavor = "multi_thread")]
async fn what_senders_could_not_deliver_is_asked_for_and_arrives() -> Result<()> {
    let lab = Gitlab::start(GITLAB_TOKEN, GITLAB_HOOK_TOKEN).await?;
    let alertmanager = Alertmanager::start()?;
    let variables = BTreeMap::from([
        ("gitlab_api_origin".to_owned(), lab.server.origin()),
        ("gitlab_token".to_owned(), GITLAB_TOKEN.to_owned()),
        ("webhook_secret_gitlab".to_owned(), GITLAB_HOOK_TOKEN.to_owned()),
        ("alertmanager_origin".to_owned(), alertmanager.at("")),
    ]);
    let stage = Stage::set_for_sources("", variables).await?;
    nobody_hears(&stage, &lab).await?;
    alertmanager.takes("Missed").await?;
    stage.land.connect(stage.app.url());
    lab.send_hooks_to(&stage.app.at("/webhooks/gitlab"));
    for id in 100..100 + GITLAB_ARRIVED {
        lab.send(pipeline(id)).await;
    }
    apply(
        &stage,
        &format!(
            "\n[[reconcile]]\nid = \"shop\"\nsource = \"github\"\nevery_s = 5\n\
             ask = {{ github-hook = {{ repository = \"{SHOP_REPOSITORY}\", hook = 1 }} }}\n\
             [[reconcile]]\nid = \"lab\"\nsource = \"gitlab\"\nevery_s = 5\n\
             ask = {{ gitlab-hook = {{ project = {}, hook = {} }} }}\n\
             [[reconcile]]\nid = \"alerts\"\nsource = \"alertmanager\"\nevery_s = 5\nask = \"alertmanager\"\n",
            gitlab::PROJECT,
            gitlab::HOOK,
        ),
    )
    .await?;
    github_delivers_again(&stage).await?;
    gitlab_sends_again(&stage, &lab).await?;
    the_alert_is_taken_in(&stage).await?;
    let found = stage.api.get("/api/v1/reconcilers").await;
    for id in ["shop", "lab", "alerts"] {
        ensure!(found[id]["looked_at"].is_string() && found[id]["problem"].is_null(), "{id}: {found}");
    }
    ensure!(!stage.app.log().contains(GITLAB_TOKEN), "a token is in the log");
    stage.is_sound().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_app_asks_with_tokens_of_its_own_key() -> Result<()> {
    let made = App::create(APP).map_err(|error| anyhow!(error))?;
    let (app, private_key) = made;
    let variables = BTreeMap::from([("github_app_key".to_owned(), private_key.clone())]);
    let stage = Stage::set_for_sources("", variables).await?;
    stage.land.github.send_hooks_to(&format!("http://127.0.0.1:{}/", free_port()?));
    stage.land.github.deploy(SHOP_REPOSITORY, GITHUB_ENV, GOOD).context("no such repository")?;
    all_lost(&stage).await?;
    stage.land.connect(stage.app.url());
    let ask = format!(
        "\n[[reconcile]]\nid = \"app\"\nsource = \"github\"\nevery_s = 5\nask = {{ github-app = {{ app = {APP} }} }}\n"
    );
    apply(&stage, &ask).await?;
    let refused = |found: &Value| found["app"]["problem"].as_str().is_some_and(|text| text.contains("401"));
    let seen = stage.api.until("/api/v1/reconcilers", STEP_WITHIN, refused).await;
    seen.context("an App that is not registered was not refused")?;
    stage.land.github.register(app);
    github_delivers_again(&stage).await?;
    let seen = stage.api.until("/api/v1/reconcilers", STEP_WITHIN, |found| found["app"]["problem"].is_null());
    seen.await.context("the App is still refused")?;
    ensure!(!stage.app.log().contains("PRIVATE KEY"), "a key is in the log");
    stage.is_sound().await
}

/// Both forges have something to tell, and nobody listens where they tell it.
async fn nobody_hears(stage: &Stage, lab: &Gitlab) -> Result<()> {
    let nowhere = format!("http://127.0.0.1:{}/", free_port()?);
    stage.land.github.send_hooks_to(&nowhere);
    lab.send_hooks_to(&nowhere);
    stage.land.github.deploy(SHOP_REPOSITORY, GITHUB_ENV, GOOD).context("no such repository")?;
    lab.send(pipeline(31)).await;
    all_lost(stage).await
}

/// GitHub tried to deliver all of a deployment's webhooks, and none arrived.
async fn all_lost(stage: &Stage) -> Result<()> {
    let lost = async || {
        let deliveries = stage.land.github.courier().deliveries();
        let success = deliveries.iter().any(|one| String::from_utf8_lossy(&one.body).contains("\"success\""));
        (success && deliveries.iter().all(|one| one.status.is_none())).then_some(())
    };
    eventually(STEP_WITHIN, lost).await.context("GitHub did not try to deliver")
}

/// What GitLab tells of a pipeline that succeeded.
fn pipeline(id: u64) -> Value {
    let at = rfc3339_millis(now_ms()).replace('T', " ").replace('Z', " UTC");
    json!({
        "object_kind": "pipeline",
        "object_attributes": {"id": id, "status": "success", "ref": "main", "sha": GOOD, "created_at": at, "finished_at": at},
        "project": {"path_with_namespace": "acme/lab", "web_url": "https://gitlab.example.com/acme/lab"},
    })
}

async fn github_delivers_again(stage: &Stage) -> Result<()> {
    let known = |service: &Value| service["commit"] == GOOD;
    let seen = stage.api.until(&format!("/api/v1/services/{ENV}/{SHOP}"), STEP_WITHIN, known).await;
    seen.with_context(|| format!("the deployment did not arrive; {}", stage.app.log_end()))?;
    let deliveries = stage.land.github.courier().deliveries();
    let lost: BTreeSet<_> = deliveries.iter().filter(|one| one.status.is_none()).map(|one| &one.id).collect();
    let arrived = async || {
        let now = stage.land.github.courier().deliveries();
        let arrived: BTreeSet<_> =
            now.into_iter().filter(|one| one.status == Some(202)).map(|one| one.id).collect();
        lost.iter().all(|id| arrived.contains(*id)).then_some(())
    };
    eventually(STEP_WITHIN, arrived).await.context("not every lost delivery was delivered again")?;
    let asked = stage.land.github.server.count("POST", "/attempts");
    ensure!(asked == lost.len(), "{asked} asked for of {} lost", lost.len());
    Ok(())
}

async fn gitlab_sends_again(stage: &Stage, lab: &Gitlab) -> Result<()> {
    let all = GITLAB_ARRIVED as usize + 1;
    let arrived = |list: &Value| list["items"].as_array().is_some_and(|items| items.len() == all);
    let listed = stage.api.until("/api/v1/events?source=gitlab&limit=100", STEP_WITHIN, arrived).await;
    listed.with_context(|| format!("the pipeline did not arrive: {:?}", lab.events()))?;
    ensure!(lab.server.count("POST", "/resend") == 1, "asked for more than once");
    Ok(())
}

async fn the_alert_is_taken_in(stage: &Stage) -> Result<()> {
    let arrived = |list: &Value| {
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        items.len() == 1 && items[0]["title"] == "Missed" && items[0]["status"] == "firing"
    };
    let listed = stage.api.until("/api/v1/events?source=alertmanager", STEP_WITHIN, arrived).await;
    listed.context("the alert was not taken in").map(drop)
}

/// A real Alertmanager that tells nobody; it ends with this.
struct Alertmanager {
    child: Child,
    port: u16,
    data: TempDir,
}

/// What it says, in its folder.
const LOG: &str = "alertmanager.log";

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // Nothing is left to do when it is gone already.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Alertmanager {
    fn start() -> Result<Self> {
        let (data, port) = (tempfile::tempdir()?, free_port()?);
        let file = data.path().join("alertmanager.yml");
        std::fs::write(&file, "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n")?;
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", data.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(data.path().join(LOG))?)
            .spawn()
            .context(
                "could not start prometheus-alertmanager; Debian: apt-get install prometheus-alertmanager",
            )?;
        Ok(Self { child, port, data })
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Takes an alert that fires since two minutes ago.
    async fn takes(&self, name: &str) -> Result<()> {
        let alert = json!([{
            "labels": {"alertname": name, "service": "checkout", "env": "stage"},
            "startsAt": rfc3339_millis(now_ms() - 120_000),
            "endsAt": rfc3339_millis(now_ms() + HOUR_MS),
        }]);
        let taken = async || {
            let answer = http::post_json(&self.at("/api/v2/alerts"), &[], &alert).await.ok()?;
            (answer.status() == 200).then_some(())
        };
        let log = || std::fs::read_to_string(self.data.path().join(LOG)).unwrap_or_default();
        let taken = eventually(STEP_WITHIN, taken).await;
        taken.with_context(|| format!("Alertmanager did not take the alert; it said: {}", log()))
    }
}
