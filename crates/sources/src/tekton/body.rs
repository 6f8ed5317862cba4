//! The few fields read of Tekton's runs.

use std::collections::BTreeMap;

use homeostat_schema::types::Status;
use homeostat_schema::wire::flat::{TEXT_CHARS_MAX, URL_BYTES_MAX};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::json::bounded;
use crate::lenient::{Few, Moment, Part, Word};
use crate::said::finished;

/// Conditions looked at; a run has one.
const CONDITIONS_MAX: usize = 8;
/// Earlier tries counted, and so the highest attempt told apart.
const RETRIES_MAX: usize = 1_000;
/// Owners looked at; a task run has one, its pipeline run.
const OWNERS_MAX: usize = 8;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Body {
    pub(super) pipeline_run: Part<Run>,
    pub(super) task_run: Part<Run>,
    pub(super) custom_run: Part<Run>,
    pub(super) run: Part<Run>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Run {
    pub(super) metadata: Part<Metadata>,
    spec: Part<Spec>,
    status: Part<State>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) uid: Word,
    pub(super) name: Word,
    pub(super) namespace: Word,
    labels: Part<Notes>,
    annotations: Part<Notes>,
    owner_references: Few<Owner, OWNERS_MAX>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Owner {
    kind: Word,
    uid: Word,
}

/// Labels or annotations; walked through for those that are asked for, and dropped. One character
/// more than an address may have, so that a longer one is seen to be.
type Notes = BTreeMap<String, Word<{ URL_BYTES_MAX + 1 }>>;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    pipeline_ref: Part<Named>,
    task_ref: Part<Named>,
    custom_ref: Part<Named>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Named {
    name: Word,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct State {
    conditions: Few<Condition, CONDITIONS_MAX>,
    start_time: Moment,
    completion_time: Moment,
    retries_status: Few<IgnoredAny, RETRIES_MAX>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    kind: Word,
    pub(super) status: Word,
    pub(super) reason: Word,
    last_transition_time: Moment,
}

impl Run {
    /// The condition that says how the run does.
    pub(super) fn condition(&self) -> Option<&Condition> {
        let all = &self.status.0.as_ref()?.conditions.0;
        all.iter().find(|condition| condition.kind.as_str() == Some("Succeeded"))
    }

    pub(super) fn started(&self) -> Option<u64> {
        self.status.0.as_ref()?.start_time.0
    }

    pub(super) fn completed(&self) -> Option<u64> {
        self.status.0.as_ref()?.completion_time.0
    }

    /// When it came into this state, milliseconds since the epoch.
    pub(super) fn occurred(&self, status: &Status) -> Option<u64> {
        let ended = finished(status).then(|| self.completed()).flatten();
        ended.or_else(|| self.condition()?.last_transition_time.0).or_else(|| self.started())
    }

    /// 1 for the first try.
    pub(super) fn attempt(&self) -> u32 {
        let earlier = self.status.0.as_ref().map_or(0, |status| status.retries_status.0.len());
        u32::try_from(earlier).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The name of the pipeline, else of the task, in its namespace.
    pub(super) fn definition(&self) -> Option<String> {
        let meta = self.metadata.0.as_ref()?;
        let spec = self.spec.0.as_ref();
        let named = |part: &Part<Named>| part.0.as_ref().and_then(|named| named.name.0.clone());
        let of_spec =
            |spec: &Spec| [&spec.pipeline_ref, &spec.task_ref, &spec.custom_ref].into_iter().find_map(named);
        let name = meta.noted("tekton.dev/pipeline").or_else(|| spec.and_then(of_spec))?;
        let full = meta.namespace.as_str().map_or_else(|| name.clone(), |space| format!("{space}/{name}"));
        bounded(&full, TEXT_CHARS_MAX)
    }
}

impl Metadata {
    /// What a label says, else an annotation of that name; as long as an address may be.
    pub(super) fn noted_whole(&self, name: &str) -> Option<String> {
        let all = [&self.labels, &self.annotations];
        let all = all.into_iter().filter_map(|notes| notes.0.as_ref());
        all.filter_map(|notes| notes.get(name)?.as_str()).next().map(str::to_owned)
    }

    /// The same, cut to the length of any text.
    pub(super) fn noted(&self, name: &str) -> Option<String> {
        self.noted_whole(name).and_then(|text| bounded(&text, TEXT_CHARS_MAX))
    }

    /// The pipeline run that a task run belongs to.
    pub(super) fn pipeline_run_uid(&self) -> Option<&str> {
        let all = &self.owner_references.0;
        all.iter().find(|owner| owner.kind.as_str() == Some("PipelineRun"))?.uid.as_str()
    }
}
