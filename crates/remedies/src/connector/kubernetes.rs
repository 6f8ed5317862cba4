//! Kubernetes: give a Deployment more replicas (`scale`), or roll it back to the last good release, or else to the ReplicaSet before the
//! current one, as `kubectl rollout undo` does.
//!
//! First: does what runs need rolling back at all? A deployment can fail before it reaches the
//! cluster, and then the good release still runs. `naming` says which releases a pod template names,
//! `ruling` holds the table by which a rollback is refused as `failed`: when the last good release
//! runs already, when what runs was there before it, and when nobody can say what runs.
//!
//! Then, among the ReplicaSets the Deployment controls with a `deployment.kubernetes.io/revision`
//! below the current: the newest that names the last good release and not the one in question;
//! where none does, the newest. Its pod template, without the label `pod-template-hash`, replaces
//! the Deployment's. A paused Deployment is refused, and so is an earlier template that equals the
//! current one or names the release in question.
//! Source: <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment>,
//! kubectl's `polymorphichelpers/rollback.go`.
//!
//! Class `probe`, and safe to repeat: the patch tests the resource version it was made for, and
//! writes the idempotency key into the annotation `homeostat.dev/attempt`.
//!
//! What this does not do: it does not wait for the rollout, restores no annotation of the
//! ReplicaSet, and records no environment value, command or argument of a container, which may
//! hold secrets. It does not know what a template runs that names no release, and goes by time.
//!
//! Invariant: a template that names the last good release alone is never replaced.

mod naming;
mod objects;
mod ruling;
mod scale;

use homeostat_schema::types::{KubernetesTarget, Plan, Release, Request};
use http::Method;
use serde_json::{Value, json};

use self::naming::{Names, Releases};
use self::objects::{
    ATTEMPT, Current, Past, annotation, annotation_path, controlled_by, earlier, made_ms, patch, shown,
    without_hash,
};
use self::ruling::{Facts, Ruling, rule};
pub(super) use self::scale::ScaleUp;
use super::check;
use super::wire::{Call, Effect, Heard, Step};
use super::{Auth, ConnectorError, LookFirst};
use crate::text;

/// ReplicaSets per page; a Deployment keeps ten by default (`revisionHistoryLimit`).
const PAGE_LIMIT: u32 = 50;
/// Pages read; 100 ReplicaSets under one selector.
const PAGES_MAX: u32 = 2;
/// A Deployment that changed between read and patch is read again this often.
const REREADS_MAX: u32 = 1;
/// Tries of a read without an answer.
const READS_MAX: u32 = 2;

/// Of the last good release's name in a refusal; a commit's longest hash is 64.
const GOOD_CHARS_MAX: usize = 64;

const READ_HEADERS: &[(&str, &str)] = &[("accept", "application/json")];
const PATCH_HEADERS: &[(&str, &str)] =
    &[("accept", "application/json"), ("content-type", "application/json-patch+json")];

/// Where in the conversation we are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    ReadingDeployment(u32),
    /// Page and try.
    ReadingReplicaSets(u32, u32),
    Patching,
    /// After an unclear answer to the patch (its text).
    LookingAfter(u32, String),
}

/// A Deployment's place in the API.
#[derive(Debug)]
struct Place {
    /// Of the namespace's apps API.
    base: String,
    namespace: String,
    deployment: String,
}

/// What the answer to a patch means.
enum Patched {
    Done,
    /// It changed since it was read: once more, from the start.
    Again,
    Refused(String),
    Unclear(String),
}

impl Patched {
    /// Counts the rereads.
    fn of(heard: Heard, rereads: &mut u32) -> Self {
        match heard {
            Heard::Ok(..) => Self::Done,
            Heard::Refused(409 | 422, _) if *rereads < REREADS_MAX => {
                *rereads += 1;
                Self::Again
            }
            Heard::Refused(_, why) => Self::Refused(format!("Kubernetes refused the patch: {why}")),
            Heard::Unclear(why) => Self::Unclear(why),
        }
    }
}

/// Rolls a Deployment back.
#[derive(Debug)]
pub(super) struct Rollback {
    stage: Stage,
    look: LookFirst,
    place: Place,
    key: String,
    releases: Releases,
    last_good: Option<Release>,
    rereads: u32,
    current: Option<Current>,
    history: Vec<Past>,
    /// Where the next page of ReplicaSets starts.
    token: String,
    aim: u64,
}

impl Place {
    fn of(target: &KubernetesTarget, origin: &str) -> Result<Self, ConnectorError> {
        let origin = check::origin(origin)?;
        let namespace = check::namespace(&target.namespace)?;
        Ok(Self {
            base: format!("{origin}/apis/apps/v1/namespaces/{}", check::encode(namespace)),
            namespace: namespace.to_owned(),
            deployment: check::deployment(&target.deployment)?.to_owned(),
        })
    }

    fn url(&self) -> String {
        format!("{}/deployments/{}", self.base, check::encode(&self.deployment))
    }

    fn read(&self) -> Call {
        read(self.url())
    }

    /// The patch, and what is recorded in its place where it may hold a secret.
    fn patch(&self, body: Value, shown: Option<Value>) -> Call {
        Call {
            method: Method::PATCH,
            url: format!("{}?fieldManager=homeostat", self.url()),
            auth: Auth::KubernetesToken,
            effect: Effect::Changes,
            body: Some(body),
            shown,
            headers: PATCH_HEADERS,
        }
    }
}

impl Rollback {
    pub(super) fn open(
        plan: &Plan,
        target: &KubernetesTarget,
        origin: &str,
        look: LookFirst,
    ) -> Result<Self, ConnectorError> {
        Ok(Self {
            stage: Stage::ReadingDeployment(1),
            look,
            place: Place::of(target, origin)?,
            key: plan.idempotency_key.clone(),
            releases: Releases::of(plan),
            last_good: plan.last_good.clone(),
            rereads: 0,
            current: None,
            history: Vec::new(),
            token: String::new(),
            aim: 0,
        })
    }

    pub(super) fn preview(&self) -> Request {
        let known_later = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "(read just before)"},
            {"op": "replace", "path": "/spec/template",
             "value": "(the last good release's pod template, or else the one before the current)"},
            {"op": "add", "path": annotation_path(), "value": self.key},
        ]);
        self.place.patch(known_later.clone(), Some(known_later)).record()
    }

    pub(super) fn start(&mut self) -> Step {
        Step::Send(self.place.read())
    }

    pub(super) fn hear(&mut self, heard: Heard) -> Step {
        match (self.stage.clone(), heard) {
            (Stage::ReadingDeployment(_), Heard::Ok(_, json)) => self.saw_deployment(&json),
            (Stage::ReadingReplicaSets(page, _), Heard::Ok(_, json)) => self.saw_replica_sets(&json, page),
            (Stage::Patching, heard) => self.patched(heard),
            (Stage::LookingAfter(_, why), Heard::Ok(_, json)) => self.looked_after(&json, &why),
            (Stage::ReadingDeployment(n), Heard::Unclear(_)) if n < READS_MAX => {
                self.stage = Stage::ReadingDeployment(n + 1);
                Step::Send(self.place.read())
            }
            (Stage::ReadingReplicaSets(page, n), Heard::Unclear(_)) if n < READS_MAX => {
                self.stage = Stage::ReadingReplicaSets(page, n + 1);
                Step::Send(self.read_replica_sets())
            }
            (Stage::LookingAfter(n, why), Heard::Unclear(_)) if n < READS_MAX => {
                self.stage = Stage::LookingAfter(n + 1, why);
                Step::Send(self.place.read())
            }
            (Stage::LookingAfter(_, why), Heard::Refused(_, more) | Heard::Unclear(more)) => {
                Step::Unknown(format!("{why}; and the Deployment could not be looked at: {more}"))
            }
            (_, Heard::Refused(_, why) | Heard::Unclear(why)) => self.unread(&why),
        }
    }

    /// A read came to nothing before anything was changed by this session.
    fn unread(&self, why: &str) -> Step {
        let text = format!("the Deployment {} could not be read: {why}", self.place.deployment);
        // An earlier worker may have patched, and nobody could look.
        if self.look == LookFirst::Yes && self.current.is_none() {
            Step::Unknown(text)
        } else {
            Step::Failed(text)
        }
    }

    fn saw_deployment(&mut self, json: &Value) -> Step {
        if annotation(json, ATTEMPT) == Some(self.key.as_str()) {
            return Step::Done(format!("the Deployment {} was rolled back already", self.place.deployment));
        }
        if json["spec"]["paused"] == Value::Bool(true) {
            return Step::Failed(format!(
                "the Deployment {0} is paused; resume it with 'kubectl rollout resume deployment/{0}'",
                self.place.deployment
            ));
        }
        let Some(current) = Current::of(json) else {
            return Step::Failed("the Deployment cannot be read: not what Kubernetes answers".to_owned());
        };
        self.current = Some(current);
        self.history.clear();
        self.token.clear();
        self.stage = Stage::ReadingReplicaSets(1, 1);
        Step::Send(self.read_replica_sets())
    }

    fn saw_replica_sets(&mut self, json: &Value, page: u32) -> Step {
        let Some(uid) = self.current.as_ref().map(|current| current.uid.clone()) else {
            return Step::Failed("the Deployment was not read".to_owned());
        };
        let items = json["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.history.extend(items.iter().filter(|set| controlled_by(set, &uid)).filter_map(Past::of));
        self.token = json["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
        if self.token.is_empty() {
            return self.choose();
        }
        if page >= PAGES_MAX {
            return Step::Failed(format!(
                "more than {} ReplicaSets match the Deployment's selector; not guessing which came before",
                PAGE_LIMIT * PAGES_MAX
            ));
        }
        self.stage = Stage::ReadingReplicaSets(page + 1, 1);
        Step::Send(self.read_replica_sets())
    }

    fn choose(&mut self) -> Step {
        let Some(current) = self.current.clone() else {
            return Step::Failed("the Deployment was not read".to_owned());
        };
        match self.template(&current) {
            Err(refusal) => Step::Failed(refusal),
            Ok((revision, template)) => {
                self.aim = revision;
                self.stage = Stage::Patching;
                let shown = patch(&current, &shown(&template), &self.key);
                Step::Send(self.place.patch(patch(&current, &template, &self.key), Some(shown)))
            }
        }
    }

    /// Revision and template to go back to, or why there is none.
    fn template(&self, current: &Current) -> Result<(u64, Value), String> {
        self.ruled(current)?;
        let earlier = earlier(current, &self.history);
        let names_good = |past: &&&Past| self.releases.named_by(&past.template) == Names::Good;
        let Some(past) = earlier.iter().find(names_good).or(earlier.first()) else {
            return Err(format!(
                "nothing to roll back to: the Deployment {} has no ReplicaSet before its revision {}",
                self.place.deployment,
                current.revision.map_or_else(|| "(unknown)".to_owned(), |revision| revision.to_string())
            ));
        };
        let (revision, template) = (past.revision, without_hash(&past.template));
        if template == without_hash(&current.template) {
            return Err(format!(
                "nothing to roll back to: revision {revision} has the template that is running"
            ));
        }
        if self.releases.named_by(&template) == Names::Question {
            return Err(format!(
                "nothing to roll back to: revision {revision} runs the release in question as well"
            ));
        }
        Ok((revision, template))
    }

    /// Whether what runs is to be rolled back, and why not.
    fn ruled(&self, current: &Current) -> Result<(), String> {
        let place = format!("Deployment {}/{}", self.place.namespace, self.place.deployment);
        let good = self.good();
        let ruling = rule(Facts {
            names: self.releases.named_by(&current.template),
            good_at_ms: self.last_good.as_ref().map(|good| good.at),
            made_ms: made_ms(current, &self.history),
        });
        Err(match ruling {
            Ruling::GoBack => return Ok(()),
            Ruling::GoodRuns => {
                format!("the good release {good} runs already; the release in question never reached {place}")
            }
            Ruling::OlderThanGood => format!(
                "what runs was there before the good release {good} went out; the release in question \
                 never reached {place}"
            ),
            Ruling::AgeUnknown => format!(
                "{place} does not say which release it runs, nor since when; not taking away what may be \
                 the good release {good}"
            ),
            Ruling::NoGoodKnown => format!(
                "no release is known to have been good here, and {place} does not say that it runs the \
                 release in question; roll back by hand or wait for a deployment to be known as good"
            ),
        })
    }

    /// The last good release, for people.
    fn good(&self) -> String {
        let good = self.last_good.as_ref();
        let name = good.and_then(|good| good.version.as_deref().or(good.commit.as_deref()));
        text::cut(name.unwrap_or("(unnamed)"), GOOD_CHARS_MAX)
    }

    fn patched(&mut self, heard: Heard) -> Step {
        self.stage = match Patched::of(heard, &mut self.rereads) {
            Patched::Done => return Step::Done(self.said()),
            Patched::Refused(why) => return Step::Failed(why),
            Patched::Again => Stage::ReadingDeployment(1),
            Patched::Unclear(why) => Stage::LookingAfter(1, why),
        };
        Step::Send(self.place.read())
    }

    fn said(&self) -> String {
        format!("the Deployment {} goes back to revision {}", self.place.deployment, self.aim)
    }

    fn looked_after(&self, json: &Value, why: &str) -> Step {
        if annotation(json, ATTEMPT) == Some(self.key.as_str()) {
            return Step::Done(self.said());
        }
        Step::Unknown(format!("{why}; the Deployment does not show it so far"))
    }

    fn read_replica_sets(&self) -> Call {
        let selector = self.current.as_ref().map(|current| current.selector.as_str()).unwrap_or_default();
        let mut url = format!(
            "{}/replicasets?labelSelector={}&limit={PAGE_LIMIT}",
            self.place.base,
            check::encode(selector)
        );
        if !self.token.is_empty() {
            url.push_str(&format!("&continue={}", check::encode(&self.token)));
        }
        read(url)
    }
}

fn read(url: String) -> Call {
    Call {
        method: Method::GET,
        url,
        auth: Auth::KubernetesToken,
        effect: Effect::Reads,
        body: None,
        shown: None,
        headers: READ_HEADERS,
    }
}
