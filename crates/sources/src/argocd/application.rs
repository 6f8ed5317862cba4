//! The few fields read of an Application, and what they say about one operation.
//!
//! What this does not do: judge (see [`super::verdict`]).

use serde::Deserialize;

use super::STAMP;
use crate::labels::Pairs;
use crate::lenient::{Few, Flag, Moment, Part, Word};

/// Sources of one Application; real ones have two or three.
const SOURCES_MAX: usize = 16;
/// Entries of the history; Argo CD keeps ten unless told otherwise.
const HISTORY_MAX: usize = 64;
/// Images of one Application.
const IMAGES_MAX: usize = 16;
/// Conditions and notes of one Application.
const NOTES_MAX: usize = 16;
/// What Argo CD calls the cluster it runs in.
const IN_CLUSTER: &str = "in-cluster";
const IN_CLUSTER_URL: &str = "https://kubernetes.default.svc";

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct App {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    pub(super) status: State,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) name: Word,
    pub(super) namespace: Word,
    uid: Word,
    pub(super) labels: Pairs,
    #[serde(rename = "deletionTimestamp")]
    pub(super) deletion_timestamp: Moment,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Spec {
    pub(super) destination: Destination,
    source: Part<Source>,
    sources: Few<Source, SOURCES_MAX>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Destination {
    name: Word,
    pub(super) server: Word,
    pub(super) namespace: Word,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Source {
    #[serde(rename = "repoURL")]
    repo_url: Word,
    path: Word,
    chart: Word,
    #[serde(rename = "targetRevision")]
    target_revision: Word,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct State {
    #[serde(rename = "operationState")]
    operation: Part<Operation>,
    pub(super) health: Health,
    pub(super) sync: Sync,
    pub(super) summary: Summary,
    pub(super) conditions: Few<Condition, NOTES_MAX>,
    history: Few<Entry, HISTORY_MAX>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Health {
    pub(super) status: Word,
    #[serde(rename = "lastTransitionTime")]
    pub(super) since: Moment,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Sync {
    pub(super) status: Word,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Summary {
    pub(super) images: Few<Word, IMAGES_MAX>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: Word,
}

/// A sync, under way or ended.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Operation {
    pub(super) phase: Word,
    #[serde(rename = "startedAt")]
    pub(super) started_at: Moment,
    #[serde(rename = "finishedAt")]
    pub(super) finished_at: Moment,
    operation: Part<Asked>,
    #[serde(rename = "syncResult")]
    result: Part<Revisions>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Asked {
    #[serde(rename = "initiatedBy")]
    by: Part<Initiator>,
    info: Few<Info, NOTES_MAX>,
    sync: Part<Revisions>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Initiator {
    username: Word,
    automated: Flag,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Info {
    name: Word,
    value: Word,
}

/// `revision` of an Application with one source, `revisions` of one with several.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Revisions {
    revision: Word,
    revisions: Few<Word, SOURCES_MAX>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Entry {
    revision: Word,
    revisions: Few<Word, SOURCES_MAX>,
    #[serde(rename = "deployedAt")]
    deployed_at: Moment,
}

/// What an operation brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Deployed {
    pub(super) commit: Option<String>,
    pub(super) chart_version: Option<String>,
    pub(super) branch: Option<String>,
    /// A package URL.
    pub(super) artifact: Option<String>,
}

impl Revisions {
    fn all(&self) -> Vec<String> {
        one_or_several(&self.revision, &self.revisions)
    }
}

impl Entry {
    fn all(&self) -> Vec<String> {
        one_or_several(&self.revision, &self.revisions)
    }
}

fn one_or_several(one: &Word, several: &Few<Word, SOURCES_MAX>) -> Vec<String> {
    let several: Vec<String> = several.0.iter().filter_map(|word| word.0.clone()).collect();
    if several.is_empty() { one.0.iter().cloned().collect() } else { several }
}

impl Operation {
    /// What was synced, or is to be.
    fn revisions(&self) -> Vec<String> {
        let done = self.result.0.as_ref().map(Revisions::all).unwrap_or_default();
        if done.is_empty() {
            self.asked().and_then(|asked| asked.sync.0.as_ref()).map(Revisions::all).unwrap_or_default()
        } else {
            done
        }
    }

    fn asked(&self) -> Option<&Asked> {
        self.operation.0.as_ref()
    }

    /// The person or account; none when Argo CD did it by itself.
    pub(super) fn actor(&self) -> Option<String> {
        let by = self.asked()?.by.0.as_ref()?;
        by.username.0.clone().filter(|_| by.automated.0 != Some(true))
    }

    /// The attempt that whoever started it for us wrote into its notes.
    pub(super) fn stamp(&self) -> Option<String> {
        let notes = &self.asked()?.info.0;
        notes.iter().find(|note| note.name.as_str() == Some(STAMP)).and_then(|note| note.value.0.clone())
    }
}

impl App {
    /// The last sync, or the one under way; none when it was never synced.
    pub(super) fn operation(&self) -> Option<&Operation> {
        self.status.operation.0.as_ref().filter(|operation| operation.phase.as_str().is_some())
    }

    /// What does not change while it lives.
    pub(super) fn identity(&self) -> String {
        let name = || self.path(self.metadata.name.as_str().unwrap_or_default());
        format!("app:{}", self.metadata.uid.0.clone().unwrap_or_else(name))
    }

    /// The container images that run.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        self.status.summary.images.0.iter().filter_map(Word::as_str)
    }

    /// `namespace/name`.
    pub(super) fn path(&self, name: &str) -> String {
        self.metadata.namespace.as_str().map_or_else(|| name.to_owned(), |space| format!("{space}/{name}"))
    }

    /// The cluster by its name, else by its address, else, where it is Argo CD's own, the namespace.
    pub(super) fn environment(&self) -> Option<String> {
        let target = &self.spec.destination;
        let name = target.name.0.clone().filter(|name| name != IN_CLUSTER);
        let server = || target.server.0.clone().filter(|server| server != IN_CLUSTER_URL);
        name.or_else(server).or_else(|| target.namespace.0.clone())
    }

    /// Whether what the operation syncs was there before, and not just now. The history's last
    /// entry is the operation's own once it succeeded.
    pub(super) fn goes_back(&self, operation: &Operation) -> bool {
        let wanted = operation.revisions();
        let before = self.before(operation);
        let same = |entry: &&Entry| entry.all() == wanted;
        let Some((last, earlier)) = before.split_last() else { return false };
        !wanted.is_empty() && !same(&last) && earlier.iter().any(|entry| same(&entry))
    }

    /// What ran before the operation.
    pub(super) fn replaced(&self, operation: &Operation) -> Option<String> {
        let last = self.before(operation).last()?.all();
        let main = self.main_source().map_or(0, |(place, _)| place);
        last.get(main).or(last.first()).cloned()
    }

    fn before(&self, operation: &Operation) -> &[Entry] {
        let all = self.status.history.0.as_slice();
        match (all.split_last(), operation.started_at.0) {
            (Some((last, earlier)), Some(started)) if last.deployed_at.0.is_some_and(|at| at >= started) => {
                earlier
            }
            _ => all,
        }
    }

    fn sources(&self) -> Vec<&Source> {
        let several: Vec<&Source> = self.spec.sources.0.iter().collect();
        if several.is_empty() { self.spec.source.0.iter().collect() } else { several }
    }

    /// The source with what is deployed: the first with a chart or a path, as the others hold
    /// values only.
    fn main_source(&self) -> Option<(usize, &Source)> {
        let sources = self.sources();
        let holds = |source: &&Source| source.chart.as_str().or(source.path.as_str()).is_some();
        let place = sources.iter().position(holds).unwrap_or(0);
        sources.get(place).map(|source| (place, *source))
    }

    /// What the operation brought, by the revisions of its sources.
    pub(super) fn deployed(&self, operation: &Operation) -> Deployed {
        let revisions = operation.revisions();
        let mut deployed = Deployed::default();
        if let Some((place, source)) = self.main_source() {
            let revision = revisions.get(place).cloned();
            deployed.artifact = revision.as_deref().and_then(|revision| source.artifact(revision));
            if source.chart.as_str().is_some() {
                deployed.chart_version = revision;
            } else {
                deployed.branch = source
                    .target_revision
                    .0
                    .clone()
                    .filter(|name| name != "HEAD" && Some(name) != revision.as_ref());
            }
        }
        deployed.commit = revisions.into_iter().find(|revision| is_commit(revision));
        deployed
    }
}

impl Source {
    fn artifact(&self, revision: &str) -> Option<String> {
        let repository = self.repo_url.as_str()?;
        if let Some(chart) = self.chart.as_str() {
            let registry = repository.strip_prefix("oci://").unwrap_or(repository).trim_end_matches('/');
            return Some(format!("pkg:oci/{chart}@{revision}?repository_url={registry}"));
        }
        let repository = repository.strip_prefix("https://github.com/")?.trim_end_matches(".git");
        let path = self.path.as_str().map(|path| format!("?path={path}")).unwrap_or_default();
        Some(format!("pkg:github/{repository}@{revision}{path}"))
    }
}

fn is_commit(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}
