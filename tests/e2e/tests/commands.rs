//! The operator's commands against the running app: what they print, and how they end.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use homeostat_e2e::{HEAL_WITHIN, STEP_WITHIN, Stage};
use homeostat_testkit::company::{CONFIG, SHOP};
use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::runtime::homeostat_binary;
use homeostat_testkit::{api, now_ms, rfc3339};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// An operator at a shell, in a folder of their own.
struct Operator<'a> {
    stage: &'a Stage,
    folder: TempDir,
    /// Whatever runs the app, these are homeostat's own commands.
    homeostat: PathBuf,
}

/// How a command ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn with(self, code: i32, says: &str) -> Result<Self> {
        let Self { code: found, out, err } = &self;
        ensure!(*found == Some(code), "ended with {found:?} instead of {code}: {out}{err}");
        ensure!(out.contains(says) || err.contains(says), "`{says}` is not said: {out}{err}");
        Ok(self)
    }

    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {}", self.out))
    }
}

impl<'a> Operator<'a> {
    fn new(stage: &'a Stage) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let homeostat = homeostat_binary(&workspace_root())?;
        Ok(Self { stage, folder, homeostat })
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join(name), content)?)
    }

    /// A command in the operator's folder, with the app's address and token in the environment.
    async fn runs(&self, line: &str) -> Result<Ended> {
        self.runs_with(line, &[]).await
    }

    async fn runs_with(&self, line: &str, environment: &[(&str, &str)]) -> Result<Ended> {
        let mut command = Command::new(&self.homeostat);
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command.env_remove("REDIS_URL").env("HOMEOSTAT_URL", self.stage.app.url());
        command.env("HOMEOSTAT_TOKEN", &self.stage.land.secrets().api);
        command.env("HOMEOSTAT_WEBHOOK_SECRET", &self.stage.land.secrets().webhook);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output =
            tokio::time::timeout(STEP_WITHIN, command.output()).await.context("it does not end")??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ended =
            Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        let shown = format!("{}{}", ended.out, ended.err);
        ensure!(!self.stage.has_secret(&shown), "`homeostat {line}` shows a secret");
        Ok(ended)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_needs_the_commands_alone() -> Result<()> {
    let stage = Stage::set().await?;
    let operator = Operator::new(&stage)?;
    mistakes_are_told_with_what_to_do(&operator).await?;
    a_configuration_is_shown_before_it_is_in_force(&operator).await?;
    the_doctor_finds_nothing_wrong(&operator).await?;
    the_doctor_names_what_is_wrong(&operator).await?;
    a_payload_is_signed_and_taken_once(&operator).await?;
    an_incident_is_listed_told_and_approved(&operator).await?;
    what_waits_is_rung(&operator).await?;
    stage.is_sound().await
}

async fn mistakes_are_told_with_what_to_do(operator: &Operator<'_>) -> Result<()> {
    let nowhere = [("HOMEOSTAT_URL", "http://127.0.0.1:1")];
    operator.runs_with("incidents", &nowhere).await?.with(1, "homeostat up")?;
    operator.runs_with("incidents", &[("HOMEOSTAT_TOKEN", "guessed")]).await?.with(1, "HOMEOSTAT_TOKEN")?;
    operator.runs_with("incidents", &[("HOMEOSTAT_TOKEN", "")]).await?.with(1, "--state-dir")?;
    operator.runs("incidents --url nonsense").await?.with(2, "http://127.0.0.1:3000")?;
    operator.runs("incidents --state nowhere").await?.with(2, "awaiting-approval")?;
    operator.runs("incidents 0197f5a0-0000-7000-8000-000000000000").await?.with(1, "homeostat incidents")?;
    operator.runs("incidents ../config").await?.with(2, "letters, digits and dashes")?;
    operator.runs("approve 0197f5a0 --who ann").await?.with(2, "--why")?;
    let silent = [("HOMEOSTAT_WHO", " ")];
    operator.runs_with("approve 0197f5a0 --why checked", &silent).await?.with(2, "may not be empty")?;
    let unknown = operator.runs("approve inc-nope --who ann --why checked").await?;
    let unknown = unknown.with(1, "`homeostat incidents` lists those there are")?;
    ensure!(!unknown.err.contains("homeostat incidents inc-nope"), "{}", unknown.err);
    an_error_is_json_where_that_is_asked_for(operator).await
}

async fn an_error_is_json_where_that_is_asked_for(operator: &Operator<'_>) -> Result<()> {
    let refused = operator.runs_with("incidents --json", &[("HOMEOSTAT_TOKEN", "guessed")]).await?;
    let refused = refused.with(1, "HOMEOSTAT_TOKEN")?.json()?;
    ensure!(refused["error"]["status"] == 401 && refused["error"]["exit_code"] == 1, "{refused}");
    let wrong = operator.runs("incidents --json --state nowhere").await?.with(2, "")?.json()?;
    ensure!(wrong["error"]["exit_code"] == 2, "{wrong}");
    let list = operator.runs("dead list --json --limit 5").await?.with(0, "")?.json()?;
    ensure!(list["items"].is_array() && list["next"].is_null(), "{list}");
    Ok(())
}

async fn a_configuration_is_shown_before_it_is_in_force(operator: &Operator<'_>) -> Result<()> {
    operator.write("wrong.toml", "[environments.stage]\nmoed = \"act\"\n")?;
    operator.runs("apply wrong.toml").await?.with(2, "wrong.toml:2")?;
    let wanted = CONFIG.replacen("mode = \"act\"", "mode = \"approve\"", 1);
    operator.write("homeostat.toml", &wanted)?;
    let change = "~ environments.stage.mode: \"act\" -> \"approve\"";
    operator.runs("apply homeostat.toml --dry-run").await?.with(0, change)?;
    let shown = operator.runs("apply homeostat.toml --dry-run --json").await?.with(0, "")?.json()?;
    ensure!(
        shown["applied"] == false && shown["changes"].as_array().is_some_and(|all| all.len() == 1),
        "{shown}"
    );
    ensure!(shown["changes"][0]["to"] == "approve", "{shown}");
    let next = shown["version"].as_u64().context("a version")? + 1;
    operator.runs("apply homeostat.toml").await?.with(0, &format!("in force as version {next}"))?;
    operator.runs("apply homeostat.toml").await?.with(0, "nothing to change").map(drop)
}

/// The shell that the app was started from.
fn shell<'a>(
    operator: &Operator<'_>,
    variables: &'a [(String, String)],
) -> (String, Vec<(&'a str, &'a str)>) {
    let manifest = workspace_root().join("spin.toml");
    let line = format!("doctor --redis {} --from {}", operator.stage.redis.url(), manifest.display());
    (line, variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

fn variables(stage: &Stage) -> Vec<(String, String)> {
    let named = |(name, value): (String, String)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
    stage.land.variables().into_iter().map(named).collect()
}

fn level<'a>(findings: &'a Value, says: &str) -> Option<&'a str> {
    let found = findings["items"].as_array()?.iter();
    found
        .filter(|finding| finding["text"].as_str().is_some_and(|text| text.contains(says)))
        .find_map(|finding| finding["level"].as_str())
}

async fn the_doctor_finds_nothing_wrong(operator: &Operator<'_>) -> Result<()> {
    let variables = variables(operator.stage);
    let (line, environment) = shell(operator, &variables);
    let findings = operator.runs_with(&format!("{line} --json"), &environment).await?.with(0, "")?.json()?;
    for says in [
        "redis-server",
        "serves http://",
        "it is ready",
        "every write is on disk",
        "drops no keys",
        "clock",
        "shards",
        "no dead letters",
        "webhook secrets are set in the app for github, generic",
        "github_token is set in the app",
        "says what the file says",
        "GitHub: repository acme/shop can be read",
        "Kubernetes: Deployment",
    ] {
        ensure!(level(&findings, says) == Some("ok"), "`{says}` is not ok: {findings:#}");
    }
    for says in ["GitHub at http://", "Kubernetes at http://"] {
        ensure!(level(&findings, says).is_some(), "`{says}` was not asked: {findings:#}");
    }
    let lines = operator.runs_with(&line, &environment).await?.with(0, "0 wrong")?;
    let never = lines.out.matches("never sent anything").count();
    ensure!(never <= 2, "{never} sources are waited for: {}", lines.out);
    // Which variables the app has, it tells itself.
    let bare = operator.runs(&format!("{line} --json")).await?.with(0, "")?.json()?;
    ensure!(level(&bare, "webhook secrets are set in the app for github, generic") == Some("ok"), "{bare:#}");
    ensure!(level(&bare, "github_token is set in the app and not in this shell") == Some("skip"), "{bare:#}");
    Ok(())
}

async fn the_doctor_names_what_is_wrong(operator: &Operator<'_>) -> Result<()> {
    let mut variables = variables(operator.stage);
    for (name, value) in &mut variables {
        if name == "SPIN_VARIABLE_GITHUB_API_ORIGIN" {
            *value = "http://127.0.0.1:1".to_owned();
        }
    }
    let (line, environment) = shell(operator, &variables);
    operator.runs_with(&line, &environment).await?.with(1, "GitHub at http://127.0.0.1:1")?;
    operator.runs_with("doctor", &[("HOMEOSTAT_TOKEN", "guessed")]).await?.with(1, "refused the token")?;
    operator.runs("doctor --redis redis://127.0.0.1:1").await?.with(1, "redis-unreachable.md")?;
    operator.runs("doctor --config wrong.toml").await?.with(1, "wrong.toml:2")?;
    let elsewhere = format!("http://{}", operator.stage.redis.url().trim_start_matches("redis://"));
    operator.runs_with("doctor", &[("HOMEOSTAT_URL", &elsewhere)]).await?.with(1, "another program")?;
    let nowhere = [("HOMEOSTAT_URL", "http://127.0.0.1:1")];
    let dead = operator.runs_with("doctor --json", &nowhere).await?.with(1, "")?.json()?;
    ensure!(level(&dead, "nothing answers at http://127.0.0.1:1") == Some("wrong"), "{dead:#}");
    ensure!(dead["error"]["exit_code"] == 1, "{dead:#}");
    Ok(())
}

async fn a_payload_is_signed_and_taken_once(operator: &Operator<'_>) -> Result<()> {
    operator.write("ping.json", r#"{"zen":"Keep it logically awesome.","hook_id":1}"#)?;
    operator.runs("send github ping.json --event ping").await?.with(0, "ignored")?;
    operator.write("broken.json", "{")?;
    let broken = "send generic broken.json --delivery broken-1";
    operator.runs(broken).await?.with(1, "homeostat dead list --kind ingest")?;
    let broken = operator.runs(&format!("{broken}-json --json")).await?.with(1, "")?.json()?;
    ensure!(broken["ignored"].is_string() && broken["error"]["exit_code"] == 1, "{broken}");
    operator.runs("send github/team-a ping.json --event ping").await?.with(1, "[[source]] name = ")?;
    operator.runs("send github ping.json --event ping --scheme foo").await?.with(2, "hmac-body")?;
    operator.runs("send github ping.json").await?.with(2, "--event")?;
    operator.runs("send hithub ping.json").await?.with(2, "github, gitlab")?;
    operator.runs("send github none.json --event ping").await?.with(2, "none.json")?;
    let guessed = [("HOMEOSTAT_WEBHOOK_SECRET", "guessed")];
    operator
        .runs_with("send github ping.json --event ping", &guessed)
        .await?
        .with(1, "webhook_secret_github")?;
    let unsigned = [("HOMEOSTAT_WEBHOOK_SECRET", "")];
    operator.runs_with("send github ping.json --event ping", &unsigned).await?.with(1, "unsigned")?;
    let shown = operator.runs("send github ping.json --event ping --delivery d-1 --dry-run").await?;
    shown.with(0, "x-hub-signature-256: sha256=")?.with(0, "x-github-delivery: d-1")?;
    let good = json!({"event": "deployment", "env": "stage", "service": SHOP, "status": "success", "timestamp": rfc3339(now_ms())});
    operator.write("good.json", &good.to_string())?;
    operator.runs("send generic good.json --delivery good-1").await?.with(0, "accepted 1 event")?;
    operator.runs("send generic good.json --delivery good-1").await?.with(0, "duplicate")?;
    let again =
        operator.runs("send generic good.json --delivery good-1 --json").await?.with(0, "")?.json()?;
    ensure!(again["duplicate"] == true, "{again}");
    Ok(())
}

async fn an_incident_is_listed_told_and_approved(operator: &Operator<'_>) -> Result<()> {
    let bad = json!({"event": "deployment", "env": "stage", "service": SHOP, "status": "failure", "timestamp": rfc3339(now_ms())});
    operator.write("bad.json", &bad.to_string())?;
    operator.runs("send generic bad.json").await?.with(0, "accepted 1 event")?;
    let waits = |incident: &Value| incident["state"] == "awaiting-approval";
    let incident = operator.stage.api.watch(SHOP, HEAL_WITHIN, |_| {}, waits).await;
    let incident = incident.context("no incident waits for approval")?;
    let id = incident["id"].as_str().context("an id")?;
    let list = operator.runs("incidents --state awaiting-approval --env stage").await?.with(0, id)?;
    ensure!(list.out.starts_with("STATE"), "{}", list.out);
    let list =
        operator.runs(&format!("incidents --service {SHOP} --limit 1 --json")).await?.with(0, "")?.json()?;
    ensure!(list["items"][0]["id"] == id && list["next"].is_null(), "{list}");
    operator.runs("incidents --env nowhere").await?.with(0, "no incidents")?;
    operator.runs(&format!("incidents {id}")).await?.with(0, &format!("homeostat approve {id}"))?;
    operator.runs(&format!("approve {id} --who ann --why checked")).await?.with(0, "approve: taken")?;
    let acted = |incident: &Value| api::goes(incident, &["finding", "plan", "operator", "attempt"]);
    let incident = operator.stage.api.watch(SHOP, HEAL_WITHIN, |_| {}, acted).await;
    incident.context("nothing was done after the approval")?;
    operator.runs(&format!("incidents {id}")).await?.with(0, "ann said approve: checked")?;
    operator
        .runs(&format!("approve {id} --who ann --why again"))
        .await?
        .with(1, "nothing to approve")
        .map(drop)
}

async fn what_waits_is_rung(operator: &Operator<'_>) -> Result<()> {
    let redis = operator.stage.redis.url();
    let ticked = operator.runs(&format!("tick --redis {redis} --json")).await?.with(0, "")?.json()?;
    ensure!(ticked["rung"].is_u64(), "{ticked}");
    operator.runs("tick --internal-token guessed").await?.with(1, "internal_token")?;
    operator.runs("tick --redis redis://127.0.0.1:1").await?.with(1, "--redis")?;
    operator.runs("tick --redis bogus").await?.with(2, "redis://HOST:PORT")?;
    operator.runs("tick").await?.with(2, "--state-dir").map(drop)
}
