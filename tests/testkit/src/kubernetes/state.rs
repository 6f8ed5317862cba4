//! What the cluster remembers, and the controller's rules.
//!
//! Pure transitions. A template seen before is rolled out by its old ReplicaSet under a new,
//! highest revision, as the Deployment controller does it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::patch::{self, PatchRefused};

/// Where the controller numbers revisions.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// What tells one ReplicaSet's pods from another's.
const HASH: &str = "pod-template-hash";

/// A namespaced name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub name: String,
}

#[derive(Debug, Default)]
pub(super) struct State {
    deployments: BTreeMap<Name, Deployment>,
    versions: u64,
}

#[derive(Debug)]
struct Deployment {
    object: Value,
    sets: Vec<ReplicaSet>,
    env: String,
    service: String,
    /// The version whose pods answer.
    running: Option<String>,
}

#[derive(Debug)]
struct ReplicaSet {
    revision: u64,
    template: Value,
    replicas: u64,
}

impl Name {
    /// From its two parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl State {
    pub(super) fn add(&mut self, name: &Name, env: &str, service: &str, image: &str) {
        let object = new_object(name, image, self.next_version());
        let deployment = Deployment {
            object,
            sets: Vec::new(),
            env: env.to_owned(),
            service: service.to_owned(),
            running: None,
        };
        self.deployments.insert(name.clone(), deployment);
    }

    pub(super) fn deployment(&self, name: &Name) -> Option<Value> {
        self.deployments.get(name).map(|one| one.object.clone())
    }

    pub(super) fn revisions(&self, name: &Name) -> Vec<(u64, String)> {
        let sets = self.deployments.get(name).map_or(&[][..], |one| &one.sets);
        let mut all: Vec<_> =
            sets.iter().map(|set| (set.revision, image(&set.template).to_owned())).collect();
        all.sort();
        all
    }

    /// Environment, service and the version whose pods answer.
    pub(super) fn running(&self, name: &Name) -> Option<(String, String, String)> {
        let one = self.deployments.get(name)?;
        Some((one.env.clone(), one.service.clone(), one.running.clone()?))
    }

    pub(super) fn patch(&mut self, name: &Name, steps: &Value) -> Result<Value, PatchRefused> {
        let version = self.next_version();
        let one = self.deployments.get_mut(name).ok_or(PatchRefused::NoSuchDeployment)?;
        let mut patched = patch::apply(&one.object, steps)?;
        // A version written into the object is a precondition, not a wish.
        if patched["metadata"]["resourceVersion"] != one.object["metadata"]["resourceVersion"] {
            return Err(PatchRefused::Conflict);
        }
        if patched["spec"] != one.object["spec"] {
            let generation = one.object["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
            patched["metadata"]["generation"] = json!(generation);
        }
        patched["metadata"]["resourceVersion"] = json!(version);
        one.object = patched;
        Ok(one.object.clone())
    }

    /// The controller: the template has a ReplicaSet, which has the newest revision.
    pub(super) fn reconcile(&mut self, name: &Name) {
        let version = self.next_version();
        let Some(one) = self.deployments.get_mut(name) else { return };
        let template = one.object["spec"]["template"].clone();
        let newest = one.sets.iter().map(|set| set.revision).max().unwrap_or(0);
        let revision = match one.sets.iter_mut().find(|set| set.template == template) {
            Some(set) if set.revision == newest => newest,
            Some(set) => {
                set.revision = newest + 1;
                set.revision
            }
            None => {
                one.sets.push(ReplicaSet { revision: newest + 1, template, replicas: 0 });
                newest + 1
            }
        };
        one.object["metadata"]["annotations"][REVISION] = json!(revision.to_string());
        one.object["metadata"]["resourceVersion"] = json!(version);
        one.object["status"]["observedGeneration"] = one.object["metadata"]["generation"].clone();
    }

    /// The newest ReplicaSet takes over, if its version comes up at all.
    pub(super) fn roll_out(&mut self, name: &Name, comes_up: impl Fn(&str) -> bool) {
        let version = self.next_version();
        let Some(one) = self.deployments.get_mut(name) else { return };
        let replicas = one.object["spec"]["replicas"].as_u64().unwrap_or(1);
        let wanted = tag(image(&one.object["spec"]["template"])).to_owned();
        let newest = one.sets.iter().map(|set| set.revision).max();
        let up = comes_up(&wanted);
        if up {
            for set in &mut one.sets {
                set.replicas = if Some(set.revision) == newest { replicas } else { 0 };
            }
            one.running = Some(wanted);
        }
        let reason = if up { "NewReplicaSetAvailable" } else { "ProgressDeadlineExceeded" };
        one.object["status"]["replicas"] = json!(replicas);
        one.object["status"]["updatedReplicas"] = json!(if up { replicas } else { 0 });
        one.object["status"]["availableReplicas"] = json!(replicas);
        one.object["status"]["conditions"] =
            json!([{"type": "Progressing", "status": if up { "True" } else { "False" }, "reason": reason}]);
        one.object["metadata"]["resourceVersion"] = json!(version);
    }

    /// `None` when the selector is beyond this stand-in.
    pub(super) fn replica_sets(&self, namespace: &str, selector: &str) -> Option<Vec<Value>> {
        let wanted = parse_selector(selector)?;
        let all = self
            .deployments
            .iter()
            .filter(|(name, _)| name.namespace == namespace)
            .flat_map(|(name, one)| one.sets.iter().map(move |set| set_object(name, one, set)));
        Some(
            all.filter(|set| wanted.iter().all(|(key, value)| set["metadata"]["labels"][key] == **value))
                .collect(),
        )
    }

    fn next_version(&mut self) -> String {
        self.versions += 1;
        (1000 + self.versions).to_string()
    }
}

/// The part of an image's name after its last colon.
pub(super) fn tag(image: &str) -> &str {
    image.rsplit_once(':').map_or(image, |(_, tag)| tag)
}

fn image(template: &Value) -> &str {
    template["spec"]["containers"][0]["image"].as_str().unwrap_or_default()
}

/// `a=b,c=d`; nothing else.
fn parse_selector(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect()
}

fn new_object(name: &Name, image: &str, version: String) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name.name, "namespace": name.namespace, "uid": uid(&format!("{}/{}", name.namespace, name.name)),
            "resourceVersion": version, "generation": 1, "annotations": {}, "labels": {"app": name.name},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name.name}},
            "template": {
                "metadata": {"labels": {"app": name.name}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
        "status": {},
    })
}

fn set_object(name: &Name, one: &Deployment, set: &ReplicaSet) -> Value {
    let hash = format!("{:010x}", hash(&set.template.to_string()) & 0xff_ffff_ffff);
    let mut template = set.template.clone();
    template["metadata"]["labels"][HASH] = json!(hash);
    let set_name = format!("{}-{hash}", name.name);
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": set_name, "namespace": name.namespace, "uid": uid(&set_name),
            "labels": template["metadata"]["labels"],
            "annotations": {REVISION: set.revision.to_string()},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "name": name.name,
                "uid": one.object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {"replicas": set.replicas, "selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
        "status": {"replicas": set.replicas, "availableReplicas": set.replicas},
    })
}

fn uid(name: &str) -> String {
    let hash = hash(name);
    format!("{:08x}-0000-4000-8000-{:012x}", hash >> 32, hash & 0xffff_ffff_ffff)
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
