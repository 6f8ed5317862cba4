//! Kubernetes: give a Deployment more replicas.
//!
//! The Deployment is read; with fewer replicas than the plan names it is patched to that number, and
//! with as many or more it is left alone (`failed`: nothing was done). It never gets fewer.
//!
//! Class `probe`, and safe to repeat: the patch tests the resource version it was made for, and
//! writes the idempotency key into the annotation `homeostat.dev/attempt`.
//!
//! What this does not do: it does not wait for the pods, and knows nothing of a
//! HorizontalPodAutoscaler, which would take the number back. Who has one needs no `capacity`.

use homeostat_schema::types::{KubernetesTarget, Plan, Request};
use serde_json::{Value, json};

use super::objects::{ATTEMPT, annotation, annotation_path};
use super::{Patched, Place, READS_MAX};
use crate::connector::wire::{Call, Heard, Step};
use crate::connector::{ConnectorError, LookFirst};

/// Where in the conversation we are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Reading(u32),
    /// From so many.
    Patching(u64),
    /// After an unclear answer to the patch (its text).
    LookingAfter(u32, String),
}

/// Scales a Deployment up.
#[derive(Debug)]
pub(in crate::connector) struct ScaleUp {
    stage: Stage,
    look: LookFirst,
    place: Place,
    key: String,
    replicas: u32,
    rereads: u32,
    read: bool,
}

impl ScaleUp {
    pub(in crate::connector) fn open(
        plan: &Plan,
        target: &KubernetesTarget,
        origin: &str,
        look: LookFirst,
    ) -> Result<Self, ConnectorError> {
        Ok(Self {
            stage: Stage::Reading(1),
            look,
            place: Place::of(target, origin)?,
            key: plan.idempotency_key.clone(),
            replicas: plan.replicas.ok_or(ConnectorError::NoReplicas)?,
            rereads: 0,
            read: false,
        })
    }

    pub(in crate::connector) fn preview(&self) -> Request {
        self.patch(&json!("(read just before)"), true).record()
    }

    pub(in crate::connector) fn start(&mut self) -> Step {
        Step::Send(self.place.read())
    }

    pub(in crate::connector) fn hear(&mut self, heard: Heard) -> Step {
        match (self.stage.clone(), heard) {
            (Stage::Reading(_), Heard::Ok(_, json)) => self.saw(&json),
            (Stage::Patching(from), heard) => self.patched(from, heard),
            (Stage::LookingAfter(_, why), Heard::Ok(_, json)) => self.looked_after(&json, &why),
            (Stage::Reading(n), Heard::Unclear(_)) if n < READS_MAX => {
                self.stage = Stage::Reading(n + 1);
                Step::Send(self.place.read())
            }
            (Stage::LookingAfter(n, why), Heard::Unclear(_)) if n < READS_MAX => {
                self.stage = Stage::LookingAfter(n + 1, why);
                Step::Send(self.place.read())
            }
            (Stage::LookingAfter(_, why), Heard::Refused(_, more) | Heard::Unclear(more)) => {
                Step::Unknown(format!("{why}; and the Deployment could not be looked at: {more}"))
            }
            (Stage::Reading(_), Heard::Refused(_, why) | Heard::Unclear(why)) => {
                let text = format!("the Deployment {} could not be read: {why}", self.place.deployment);
                // An earlier worker may have patched, and nobody could look.
                let nobody_knows = self.look == LookFirst::Yes && !self.read;
                if nobody_knows { Step::Unknown(text) } else { Step::Failed(text) }
            }
        }
    }

    fn saw(&mut self, json: &Value) -> Step {
        self.read = true;
        let deployment = &self.place.deployment;
        if annotation(json, ATTEMPT) == Some(self.key.as_str()) {
            return Step::Done(format!("the Deployment {deployment} was scaled up already"));
        }
        let version = &json["metadata"]["resourceVersion"];
        // One that does not say has one.
        let now = json["spec"].as_object().map(|spec| spec.get("replicas").map_or(Some(1), Value::as_u64));
        let (Some(Some(now)), true) = (now, version.is_string()) else {
            return Step::Failed("the Deployment cannot be read: not what Kubernetes answers".to_owned());
        };
        if now >= u64::from(self.replicas) {
            return Step::Failed(format!(
                "the Deployment {deployment} is to have {now} replicas already, and {} would do",
                self.replicas
            ));
        }
        self.stage = Stage::Patching(now);
        Step::Send(self.patch(version, json["metadata"]["annotations"].is_object()))
    }

    fn patched(&mut self, from: u64, heard: Heard) -> Step {
        self.stage = match Patched::of(heard, &mut self.rereads) {
            Patched::Done => return Step::Done(self.said(Some(from))),
            Patched::Refused(why) => return Step::Failed(why),
            Patched::Again => Stage::Reading(1),
            Patched::Unclear(why) => Stage::LookingAfter(1, why),
        };
        Step::Send(self.place.read())
    }

    fn looked_after(&self, json: &Value, why: &str) -> Step {
        if annotation(json, ATTEMPT) == Some(self.key.as_str()) {
            return Step::Done(self.said(None));
        }
        Step::Unknown(format!("{why}; the Deployment does not show it so far"))
    }

    fn said(&self, from: Option<u64>) -> String {
        let from = from.map(|from| format!(" from {from}")).unwrap_or_default();
        format!("the Deployment {} goes{from} to {} replicas", self.place.deployment, self.replicas)
    }

    fn patch(&self, version: &Value, annotated: bool) -> Call {
        let note = match annotated {
            true => json!({"op": "add", "path": annotation_path(), "value": self.key}),
            false => json!({"op": "add", "path": "/metadata/annotations", "value": {ATTEMPT: self.key}}),
        };
        self.place.patch(
            json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "add", "path": "/spec/replicas", "value": self.replicas},
                note,
            ]),
            None,
        )
    }
}
