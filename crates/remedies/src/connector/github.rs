//! GitHub: run the failed jobs of a run again, and deploy the last good commit again.
//!
//! Both are of class `probe`. A re-run raises the run's `run_attempt`, so that a number above the
//! one that failed says it was done. A deployment carries the idempotency key in its payload,
//! which is also how its webhooks are known for our own echo.
//! Source: <https://docs.github.com/en/rest/actions/workflow-runs> and
//! <https://docs.github.com/en/rest/deployments/deployments>, API version 2022-11-28.
//!
//! What this does not do: it does not wait for the run or the deployment to end; verification does.

use homeostat_schema::types::{GithubTarget, Plan};
use http::Method;
use serde_json::{Value, json};

use super::check;
use super::wire::{Call, Effect, Heard, Step};
use super::{Auth, ConnectorError, LookFirst};

/// Looks at the target before it counts as unreachable: one may be lost on the way.
const LOOKS_MAX: u32 = 2;

const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/vnd.github+json"),
    ("content-type", "application/json"),
    ("x-github-api-version", "2022-11-28"),
];

/// Where in the conversation we are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Nothing sent yet.
    Fresh(LookFirst),
    /// Asked whether it was done, before acting.
    LookingBefore(u32),
    Acting,
    /// Asked whether it was done, after an unclear answer (its text).
    LookingAfter(u32, String),
}

/// What a look at the target showed.
enum Sight {
    Done(String),
    NotYet,
    /// It cannot be told from what the target shows.
    Blurred(String),
}

/// The part both conversations share: look, act, look again.
#[derive(Debug)]
struct Probe {
    stage: Stage,
}

impl Probe {
    fn start(&mut self, look: Call, act: Call) -> Step {
        if self.stage == Stage::Fresh(LookFirst::Yes) {
            self.stage = Stage::LookingBefore(1);
            return Step::Send(look);
        }
        self.stage = Stage::Acting;
        Step::Send(act)
    }

    fn looked(&mut self, heard: Heard, look: Call, act: Call, see: impl Fn(&Value) -> Sight) -> Step {
        match (self.stage.clone(), heard) {
            (Stage::LookingBefore(_), Heard::Ok(_, json)) => match see(&json) {
                Sight::Done(text) => Step::Done(text),
                Sight::Blurred(text) => Step::Unknown(text),
                Sight::NotYet => {
                    self.stage = Stage::Acting;
                    Step::Send(act)
                }
            },
            (Stage::LookingAfter(_, why), Heard::Ok(_, json)) => match see(&json) {
                Sight::Done(text) => Step::Done(text),
                // The request may still be on its way: not seen is not the same as not done.
                Sight::NotYet => Step::Unknown(format!("{why}; not to be seen at GitHub so far")),
                Sight::Blurred(text) => Step::Unknown(format!("{why}; {text}")),
            },
            (Stage::LookingBefore(n), Heard::Unclear(_)) if n < LOOKS_MAX => {
                self.stage = Stage::LookingBefore(n + 1);
                Step::Send(look)
            }
            (Stage::LookingAfter(n, why), Heard::Unclear(_)) if n < LOOKS_MAX => {
                self.stage = Stage::LookingAfter(n + 1, why);
                Step::Send(look)
            }
            (_, Heard::Unclear(why) | Heard::Refused(_, why)) => {
                Step::Unknown(format!("it may have been done before, and GitHub did not say: {why}"))
            }
            (_, Heard::Ok(..)) => Step::Unknown("GitHub answered out of turn".to_owned()),
        }
    }

    /// An unclear answer to the act itself: look.
    fn unclear(&mut self, why: String, look: Call) -> Step {
        self.stage = Stage::LookingAfter(1, why);
        Step::Send(look)
    }
}

/// Runs the failed jobs of a run again.
#[derive(Debug)]
pub(super) struct Rerun {
    probe: Probe,
    run_url: String,
    run: String,
    /// The attempt that failed.
    failed_attempt: Option<u64>,
}

impl Rerun {
    pub(super) fn open(
        plan: &Plan,
        target: &GithubTarget,
        origin: &str,
        look: LookFirst,
    ) -> Result<Self, ConnectorError> {
        let run = check::run(plan.correlation.run.as_deref())?.to_owned();
        let repository = repository_url(origin, target)?;
        Ok(Self {
            probe: Probe { stage: Stage::Fresh(look) },
            run_url: format!("{repository}/actions/runs/{run}"),
            run,
            failed_attempt: plan.correlation.run_attempt.map(u64::from),
        })
    }

    pub(super) fn act(&self) -> Call {
        call(Method::POST, format!("{}/rerun-failed-jobs", self.run_url), Some(json!({})))
    }

    fn look(&self) -> Call {
        call(Method::GET, self.run_url.clone(), None)
    }

    pub(super) fn start(&mut self) -> Step {
        let (look, act) = (self.look(), self.act());
        self.probe.start(look, act)
    }

    pub(super) fn hear(&mut self, heard: Heard) -> Step {
        let (look, act) = (self.look(), self.act());
        if self.probe.stage == Stage::Acting {
            return match heard {
                Heard::Ok(..) => Step::Done(format!("GitHub runs the failed jobs of run {} again", self.run)),
                Heard::Refused(_, why) => Step::Failed(format!("GitHub refused to run them again: {why}")),
                Heard::Unclear(why) => self.probe.unclear(why, look),
            };
        }
        let (run, failed) = (self.run.clone(), self.failed_attempt);
        self.probe.looked(heard, look, act, |json| sight_of_run(json, &run, failed))
    }
}

fn sight_of_run(json: &Value, run: &str, failed: Option<u64>) -> Sight {
    let Some(now) = json.get("run_attempt").and_then(Value::as_u64) else {
        return Sight::Blurred(format!("GitHub does not say which attempt run {run} is at"));
    };
    match failed {
        Some(failed) if now > failed => {
            Sight::Done(format!("run {run} is at attempt {now}, beyond the failed attempt {failed}"))
        }
        Some(_) => Sight::NotYet,
        None => Sight::Blurred(format!(
            "run {run} is at attempt {now}, and the event did not say which attempt failed"
        )),
    }
}

/// Deploys the last good commit again.
#[derive(Debug)]
pub(super) struct Redeploy {
    probe: Probe,
    url: String,
    commit: String,
    environment: String,
    key: String,
    description: String,
}

impl Redeploy {
    pub(super) fn open(
        plan: &Plan,
        target: &GithubTarget,
        origin: &str,
        look: LookFirst,
    ) -> Result<Self, ConnectorError> {
        let last_good = plan.last_good.as_ref().and_then(|release| release.commit.as_deref());
        let commit = check::commit(last_good)?.to_owned();
        Ok(Self {
            probe: Probe { stage: Stage::Fresh(look) },
            url: format!("{}/deployments", repository_url(origin, target)?),
            // GitHub takes 140 characters.
            description: format!("homeostat: back to {}", crate::text::cut(&commit, 64)),
            commit,
            environment: check::environment(&target.environment)?.to_owned(),
            key: plan.idempotency_key.clone(),
        })
    }

    pub(super) fn act(&self) -> Call {
        let body = json!({
            "ref": self.commit,
            "environment": self.environment,
            "auto_merge": false,
            "required_contexts": [],
            "description": self.description,
            "payload": { "homeostat": { "attempt": self.key } },
        });
        call(Method::POST, self.url.clone(), Some(body))
    }

    fn look(&self) -> Call {
        let environment = check::encode(&self.environment);
        let query = format!("environment={environment}&sha={}&per_page=100", self.commit);
        call(Method::GET, format!("{}?{query}", self.url), None)
    }

    pub(super) fn start(&mut self) -> Step {
        let (look, act) = (self.look(), self.act());
        self.probe.start(look, act)
    }

    pub(super) fn hear(&mut self, heard: Heard) -> Step {
        let (look, act) = (self.look(), self.act());
        if self.probe.stage == Stage::Acting {
            return match heard {
                // 202: GitHub merged the base branch instead and made no deployment.
                Heard::Ok(202, _) => Step::Failed("GitHub merged instead of deploying".to_owned()),
                Heard::Ok(..) => {
                    Step::Done(format!("GitHub deploys {} to {} again", self.commit, self.environment))
                }
                Heard::Refused(_, why) => Step::Failed(format!("GitHub refused the deployment: {why}")),
                Heard::Unclear(why) => self.probe.unclear(why, look),
            };
        }
        let key = self.key.clone();
        self.probe.looked(heard, look, act, |json| sight_of_deployments(json, &key))
    }
}

fn sight_of_deployments(json: &Value, key: &str) -> Sight {
    let Some(deployments) = json.as_array() else {
        return Sight::Blurred("GitHub's list of deployments cannot be read".to_owned());
    };
    let ours = |deployment: &&Value| attempt_of(&deployment["payload"]).as_deref() == Some(key);
    match deployments.iter().find(ours) {
        Some(deployment) => Sight::Done(format!("deployment {} is there already", deployment["id"])),
        None => Sight::NotYet,
    }
}

/// The idempotency key in a deployment's payload, which GitHub gives as an object or as text.
fn attempt_of(payload: &Value) -> Option<String> {
    let parsed = payload.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let object = parsed.as_ref().unwrap_or(payload);
    object.get("homeostat")?.get("attempt")?.as_str().map(str::to_owned)
}

fn repository_url(origin: &str, target: &GithubTarget) -> Result<String, ConnectorError> {
    let origin = check::origin(origin)?;
    let (owner, name) = check::repository(&target.repository)?;
    Ok(format!("{origin}/repos/{}/{}", check::encode(owner), check::encode(name)))
}

fn call(method: Method, url: String, body: Option<Value>) -> Call {
    let effect = if method == Method::GET { Effect::Reads } else { Effect::Changes };
    Call { method, url, auth: Auth::GitHubToken, effect, body, shown: None, headers: HEADERS }
}
