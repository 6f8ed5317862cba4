//! Kubernetes: one Deployment, its ReplicaSets, and a controller that numbers revisions.

mod scale;

use homeostat_schema::types::{KubernetesTarget, Release};

use super::*;
use crate::testing::{BAD_COMMIT, GOOD_COMMIT};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const REPLICA_SETS: &str = "/apis/apps/v1/namespaces/shop/replicasets";

struct FakeKubernetes {
    deployment: Value,
    sets: Vec<Value>,
    /// Others who change the Deployment between a read and the patch.
    interlopers: u32,
    /// What one of them brings along.
    arrives: Option<&'static str>,
    page: usize,
    patches: Vec<Value>,
    queries: Vec<String>,
}

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{
            "name": "web", "image": image, "args": ["--password=hunter2"],
            "env": [{"name": "TOKEN", "value": "hunter2"}, {"name": "POD", "valueFrom": {}}],
        }]},
    })
}

/// Made in the second of its revision: 1970-01-01T00:00:03Z is revision 3's.
fn set(revision: u64, image: &str, owner: &str) -> Value {
    let mut hashed = template(image);
    hashed["metadata"]["labels"]["pod-template-hash"] = json!(format!("h{revision}"));
    json!({
        "metadata": {
            "creationTimestamp": format!("1970-01-01T00:00:{revision:02}Z"),
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
            "ownerReferences": [{"uid": owner, "controller": true}],
        },
        "spec": {"template": hashed},
    })
}

impl FakeKubernetes {
    /// Revision 3 runs; 1 and 2 came before.
    fn new() -> Self {
        let deployment = json!({
            "metadata": {
                "uid": "u1", "resourceVersion": "100", "generation": 3,
                "annotations": {"deployment.kubernetes.io/revision": "3"},
            },
            "spec": {
                "selector": {
                    "matchLabels": {"app": "web", "tier": "front"},
                    "matchExpressions": [{"key": "track", "operator": "In", "values": ["stable", "canary"]}],
                },
                "template": template("web:3"),
            },
            "status": {"observedGeneration": 3},
        });
        let sets =
            vec![set(2, "web:2", "u1"), set(3, "web:3", "u1"), set(1, "web:1", "u1"), set(9, "x:9", "other")];
        Self {
            deployment,
            sets,
            interlopers: 0,
            arrives: None,
            page: 100,
            patches: Vec::new(),
            queries: Vec::new(),
        }
    }

    fn image(&self) -> &str {
        self.deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("an image")
    }

    fn touch(&mut self) {
        let version: u64 = self.deployment["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        self.deployment["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    }

    fn list(&mut self, query: &str) -> http::Response<Vec<u8>> {
        self.queries.push(query.to_owned());
        let from: usize = query.split_once("continue=p").map_or(0, |(_, n)| n.parse().unwrap());
        let until = (from + self.page).min(self.sets.len());
        let token = if until < self.sets.len() { format!("p{until}") } else { String::new() };
        respond(200, &json!({"metadata": {"continue": token}, "items": self.sets[from..until]}))
    }

    fn patch(&mut self, patch: Value) -> http::Response<Vec<u8>> {
        if self.interlopers > 0 {
            self.interlopers -= 1;
            self.touch();
        }
        if let Some(image) = self.arrives.take() {
            self.deployment["spec"]["template"] = template(image);
            self.touch();
        }
        let mut next = self.deployment.clone();
        for step in patch.as_array().expect("a list of steps") {
            if !apply(&mut next, step) {
                return respond(422, &json!({"message": "the server rejected our request"}));
            }
        }
        self.patches.push(patch);
        self.deployment = next;
        self.touch();
        respond(200, &self.deployment)
    }
}

/// RFC 6902, as far as it is used.
fn apply(document: &mut Value, step: &Value) -> bool {
    let path = step["path"].as_str().expect("a path");
    let (parent, name) = path.rsplit_once('/').expect("a pointer");
    let name = name.replace("~1", "/").replace("~0", "~");
    let Some(object) = document.pointer_mut(parent).and_then(Value::as_object_mut) else { return false };
    match step["op"].as_str().expect("an operation") {
        "test" => object.get(&name) == Some(&step["value"]),
        "replace" if !object.contains_key(&name) => false,
        "replace" | "add" => {
            object.insert(name, step["value"].clone());
            true
        }
        other => panic!("unknown operation {other}"),
    }
}

impl Server for FakeKubernetes {
    fn serve(&mut self, request: &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        match (request.method().as_str(), request.uri().path()) {
            ("GET", DEPLOYMENT) => respond(200, &self.deployment),
            ("GET", REPLICA_SETS) => self.list(request.uri().query().unwrap_or_default()),
            ("PATCH", DEPLOYMENT) => {
                assert_eq!(request.headers()["content-type"], "application/json-patch+json");
                self.patch(body(request))
            }
            _ => respond(404, &json!({"message": "not found"})),
        }
    }
}

/// Release 3 is in question, release 2 was the last good one.
fn rollback() -> Plan {
    rollback_of("3", Some(("2", 2_500)))
}

fn rollback_of(version: &str, last_good: Option<(&str, u64)>) -> Plan {
    let target = KubernetesTarget { namespace: "shop".into(), deployment: "web".into() };
    let good = |(version, at): (&str, u64)| Release { version: Some(version.into()), commit: None, at };
    Plan {
        version: Some(version.into()),
        commit: None,
        last_good: last_good.map(good),
        ..plan(Remedy::Rollback, Target::Kubernetes(target))
    }
}

fn check(
    change: impl FnOnce(&mut FakeKubernetes),
    look: LookFirst,
    faults: &[Fault],
    expected: (AttemptResult, &str),
) -> Report {
    check_plan(&rollback(), change, look, faults, expected)
}

fn check_plan(
    plan: &Plan,
    change: impl FnOnce(&mut FakeKubernetes),
    look: LookFirst,
    faults: &[Fault],
    expected: (AttemptResult, &str),
) -> Report {
    let mut kubernetes = FakeKubernetes::new();
    change(&mut kubernetes);
    let report = carry(&mut open(plan, look), &mut kubernetes, faults);
    assert_eq!((report.result, kubernetes.image()), expected, "{faults:?} {report:?}");
    assert!(kubernetes.patches.len() <= 1, "patched once");
    report
}

#[test]
fn it_goes_back_one_revision_once_whatever_goes_wrong() {
    use AttemptResult::{Done, Failed, Unknown};
    use Fault::{AnswerLost, DoneBut502, Lost, NotSent, Status};
    use LookFirst::{No, Yes};
    for look in [No, Yes] {
        check(|_| {}, look, &[], (Done, "web:2"));
        check(|_| {}, look, &[Lost], (Done, "web:2"));
        check(|_| {}, look, &[Fault::None, Status(500)], (Done, "web:2"));
        check(|_| {}, look, &[Fault::None, Fault::None, AnswerLost], (Done, "web:2"));
        check(|_| {}, look, &[Fault::None, Fault::None, DoneBut502, Lost], (Done, "web:2"));
        check(|_| {}, look, &[Fault::None, Fault::None, Lost], (Unknown, "web:3"));
        check(|_| {}, look, &[Fault::None, Fault::None, AnswerLost, Lost, Lost], (Unknown, "web:2"));
        check(|_| {}, look, &[Fault::None, Fault::None, Status(403)], (Failed, "web:3"));
        check(|_| {}, look, &[Fault::None, Status(403)], (Failed, "web:3"));
        check(|kubernetes| kubernetes.interlopers = 1, look, &[], (Done, "web:2"));
        check(|kubernetes| kubernetes.interlopers = 2, look, &[], (Failed, "web:3"));
    }
    check(|_| {}, No, &[Lost, Lost], (Failed, "web:3"));
    check(|_| {}, No, &[Status(404)], (Failed, "web:3"));
    check(|_| {}, No, &[NotSent], (Failed, "web:3"));
    check(|_| {}, Yes, &[Lost, Lost], (Unknown, "web:3"));
    check(|_| {}, Yes, &[Status(401)], (Unknown, "web:3"));
}

#[test]
fn what_was_done_already_is_not_done_again() {
    let mut kubernetes = FakeKubernetes::new();
    carry(&mut open(&rollback(), LookFirst::No), &mut kubernetes, &[]);
    for look in [LookFirst::No, LookFirst::Yes] {
        let report = carry(&mut open(&rollback(), look), &mut kubernetes, &[]);
        assert_eq!((report.result, report.exchanges.len()), (AttemptResult::Done, 1));
        assert_eq!(report.detail, "the Deployment web was rolled back already");
    }
    assert_eq!(kubernetes.patches.len(), 1);
}

#[test]
fn the_revision_before_is_chosen_as_kubectl_does() {
    use AttemptResult::{Done, Failed};
    let revision = |n: &'static str| {
        move |kubernetes: &mut FakeKubernetes| {
            kubernetes.deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(n);
        }
    };
    check(revision("2"), LookFirst::No, &[], (Done, "web:1"));
    check(revision("not a number"), LookFirst::No, &[], (Done, "web:2"));
    let report = check(revision("1"), LookFirst::No, &[], (Failed, "web:3"));
    assert_eq!(
        report.detail,
        "nothing to roll back to: the Deployment web has no ReplicaSet before its revision 1"
    );
    let same = |kubernetes: &mut FakeKubernetes| kubernetes.sets[0] = set(2, "web:3", "u1");
    let report = check(same, LookFirst::No, &[], (Failed, "web:3"));
    assert_eq!(report.detail, "nothing to roll back to: revision 2 has the template that is running");
    let paused = |kubernetes: &mut FakeKubernetes| kubernetes.deployment["spec"]["paused"] = json!(true);
    assert!(check(paused, LookFirst::No, &[], (Failed, "web:3")).detail.contains("is paused"));
    let alone = |kubernetes: &mut FakeKubernetes| kubernetes.sets.truncate(0);
    check(alone, LookFirst::No, &[], (Failed, "web:3"));
}

#[test]
fn a_template_the_controller_has_not_seen_goes_back_to_the_revision_that_runs() {
    let lagging = |kubernetes: &mut FakeKubernetes| {
        kubernetes.deployment["metadata"]["generation"] = json!(4);
        kubernetes.deployment["spec"]["template"] = template("web:4");
    };
    let plan = rollback_of("4", Some(("3", 3_500)));
    check_plan(&plan, lagging, LookFirst::No, &[], (AttemptResult::Done, "web:3"));
    // It names nothing, and has no ReplicaSet whose age could be asked.
    let plan = rollback_of("5", Some(("1", 1_500)));
    let report = check_plan(&plan, lagging, LookFirst::No, &[], (AttemptResult::Failed, "web:4"));
    assert!(report.detail.contains("nor since when"), "{}", report.detail);
}

fn refused(plan: &Plan, change: impl Fn(&mut FakeKubernetes), expected: &str) {
    for (look, dry_run) in [(LookFirst::No, false), (LookFirst::Yes, false), (LookFirst::No, true)] {
        let mut kubernetes = FakeKubernetes::new();
        change(&mut kubernetes);
        let before = kubernetes.deployment.clone();
        let plan = Plan { dry_run, ..plan.clone() };
        let report = carry(&mut open(&plan, look), &mut kubernetes, &[]);
        assert_eq!((report.result, report.detail.as_str()), (AttemptResult::Failed, expected));
        assert_eq!(said(&report), [format!("GET {DEPLOYMENT}"), format!("GET {REPLICA_SETS}")]);
        assert_eq!(kubernetes.deployment, before);
    }
}

#[test]
fn a_good_release_that_runs_already_is_left_alone() {
    // Release 4 failed before it reached the cluster.
    let expected =
        "the good release 3 runs already; the release in question never reached Deployment shop/web";
    refused(&rollback_of("4", Some(("3", 3_500))), |_| {}, expected);
    // Made after the good one was out, as by a change of an environment variable.
    refused(&rollback_of("4", Some(("3", 2_500))), |_| {}, expected);
    // Nobody knows how long it runs.
    let ageless = |kubernetes: &mut FakeKubernetes| kubernetes.sets.clear();
    refused(&rollback_of("4", Some(("3", 3_500))), ageless, expected);
}

#[test]
fn a_good_release_known_by_its_commit_is_left_alone() {
    let good = Release { version: None, commit: Some(GOOD_COMMIT.into()), at: 2_500 };
    let short: String = GOOD_COMMIT.chars().take(7).collect();
    let change = |kubernetes: &mut FakeKubernetes| {
        kubernetes.deployment["spec"]["template"] = template(&format!("web:main-{short}"));
    };
    let plan = Plan { commit: Some(BAD_COMMIT.into()), last_good: Some(good), ..rollback_of("main", None) };
    let expected = format!(
        "the good release {GOOD_COMMIT} runs already; the release in question never reached Deployment shop/web"
    );
    refused(&plan, change, &expected);
}

#[test]
fn the_last_good_release_is_gone_back_to_before_the_revision_before() {
    use AttemptResult::{Done, Failed};
    let check = |plan: Plan, expected| {
        check_plan(&plan, |_| {}, LookFirst::No, &[], expected);
    };
    check(rollback_of("3", Some(("1", 1_500))), (Done, "web:1"));
    check(rollback_of("3", Some(("2", 2_500))), (Done, "web:2"));
    // No revision names it, or none is known.
    check(rollback_of("3", Some(("0", 500))), (Done, "web:2"));
    check(rollback_of("3", None), (Done, "web:2"));
    // What runs names neither, and came after it.
    check(rollback_of("4", Some(("1", 1_500))), (Done, "web:1"));
    check(rollback_of("4", Some(("0", 500))), (Done, "web:2"));
    // Of another Deployment's.
    check(rollback_of("3", Some(("9", 500))), (Done, "web:2"));
    check(rollback_of("4", Some(("1", 9_000))), (Failed, "web:3"));
}

#[test]
fn the_newest_of_several_revisions_of_the_last_good_release_is_gone_back_to() {
    let twice = |kubernetes: &mut FakeKubernetes| {
        let mut older = set(1, "web:2", "u1");
        older["spec"]["template"]["metadata"]["labels"]["older"] = json!("yes");
        kubernetes.sets[2] = older;
    };
    let report = check(twice, LookFirst::No, &[], (AttemptResult::Done, "web:2"));
    assert_eq!(report.detail, "the Deployment web goes back to revision 2");
}

#[test]
fn what_was_there_before_the_last_good_release_is_left_alone() {
    let expected = "what runs was there before the good release 2 went out; the release in question never \
                    reached Deployment shop/web";
    let nameless = |kubernetes: &mut FakeKubernetes| {
        kubernetes.deployment["spec"]["template"] = template("web:latest");
    };
    for at in [3_000, 3_001, 9_000] {
        refused(&rollback_of("4", Some(("2", at))), |_| {}, expected);
        refused(&rollback_of("3", Some(("2", at))), nameless, expected);
    }
    // Both named, as by a second container that bears the good one's number by chance.
    let both = |kubernetes: &mut FakeKubernetes| {
        kubernetes.deployment["spec"]["template"]["spec"]["initContainers"] = json!([{"image": "proxy:2"}]);
    };
    refused(&rollback_of("3", Some(("2", 9_000))), both, expected);
    check(both, LookFirst::No, &[], (AttemptResult::Done, "web:2"));
}

#[test]
fn what_nobody_knows_the_age_of_is_left_alone() {
    let expected = "Deployment shop/web does not say which release it runs, nor since when; not taking away \
                    what may be the good release 1";
    let plan = rollback_of("4", Some(("1", 1_500)));
    for time in [json!(null), json!(""), json!("yesterday"), json!("1950-01-01T00:00:00Z")] {
        let ageless = |kubernetes: &mut FakeKubernetes| {
            kubernetes.sets[1]["metadata"]["creationTimestamp"] = time.clone();
        };
        refused(&plan, ageless, expected);
    }
    refused(&plan, |kubernetes| kubernetes.sets.clear(), expected);
}

#[test]
fn without_a_good_release_only_what_names_the_release_in_question_is_rolled_back() {
    let expected = "no release is known to have been good here, and Deployment shop/web does not say that it \
                    runs the release in question; roll back by hand or wait for a deployment to be known as good";
    refused(&rollback_of("4", None), |_| {}, expected);
    let nameless = Plan { version: None, ..rollback_of("4", None) };
    refused(&nameless, |_| {}, expected);
}

#[test]
fn a_revision_of_the_release_in_question_is_not_gone_back_to() {
    let again = |kubernetes: &mut FakeKubernetes| {
        kubernetes.sets[0]["spec"]["template"] = template("other:3");
    };
    let expected = "nothing to roll back to: revision 2 runs the release in question as well";
    refused(&rollback_of("3", None), again, expected);
    check_plan(
        &rollback_of("3", Some(("1", 1_500))),
        again,
        LookFirst::No,
        &[],
        (AttemptResult::Done, "web:1"),
    );
}

#[test]
fn a_good_release_that_came_meanwhile_is_left_alone() {
    // Between the read and the patch somebody brings the good release back.
    let meanwhile = |kubernetes: &mut FakeKubernetes| kubernetes.arrives = Some("web:2");
    let report = check(meanwhile, LookFirst::No, &[], (AttemptResult::Failed, "web:2"));
    assert!(report.detail.starts_with("the good release 2 runs already"), "{}", report.detail);
    assert_eq!(report.exchanges.len(), 5);
}

#[test]
fn replica_sets_are_read_page_by_page_up_to_a_bound() {
    let mut kubernetes = FakeKubernetes { page: 2, ..FakeKubernetes::new() };
    let report = carry(&mut open(&rollback(), LookFirst::No), &mut kubernetes, &[]);
    assert_eq!((report.result, kubernetes.image()), (AttemptResult::Done, "web:2"));
    let selector = "labelSelector=app%3Dweb%2Ctier%3Dfront%2Ctrack%20in%20%28stable%2Ccanary%29&limit=50";
    assert_eq!(kubernetes.queries, [selector.to_owned(), format!("{selector}&continue=p2")]);
    let report =
        check(|kubernetes| kubernetes.page = 1, LookFirst::No, &[], (AttemptResult::Failed, "web:3"));
    assert!(report.detail.contains("more than 100 ReplicaSets"), "{}", report.detail);
}

#[test]
fn the_patch_tests_what_it_was_made_for_and_leaves_its_mark() {
    let mut kubernetes = FakeKubernetes::new();
    carry(&mut open(&rollback(), LookFirst::No), &mut kubernetes, &[]);
    assert_eq!(
        kubernetes.patches,
        [json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "100"},
            {"op": "replace", "path": "/spec/template", "value": template("web:2")},
            {"op": "add", "path": "/metadata/annotations/homeostat.dev~1attempt", "value": "stage/shop/bad/rollback/1"},
        ])]
    );
}

#[test]
fn a_deployment_without_annotations_gets_them() {
    let bare = |kubernetes: &mut FakeKubernetes| {
        kubernetes.deployment["metadata"].as_object_mut().unwrap().remove("annotations");
    };
    check(bare, LookFirst::No, &[], (AttemptResult::Done, "web:2"));
}

#[test]
fn a_dry_run_reads_and_shows_the_patch_and_sends_none() {
    let plan = Plan { dry_run: true, ..rollback() };
    let mut kubernetes = FakeKubernetes::new();
    let report = carry(&mut open(&plan, LookFirst::No), &mut kubernetes, &[]);
    assert_eq!((report.result, kubernetes.image()), (AttemptResult::DryRun, "web:3"));
    assert_eq!(
        said(&report),
        [format!("GET {DEPLOYMENT}"), format!("GET {REPLICA_SETS}"), format!("PATCH {DEPLOYMENT}")]
    );
    let shown = &report.exchanges[2].request;
    assert!(shown.body.contains("web:2"));
    let preview = preview(&plan, &endpoints()).unwrap();
    assert_eq!((&preview.method, &preview.url), (&shown.method, &shown.url));
}

#[test]
fn what_containers_are_told_is_sent_and_not_recorded() {
    let report = check(|_| {}, LookFirst::No, &[], (AttemptResult::Done, "web:2"));
    let recorded = format!("{report:?}");
    assert!(!recorded.contains("hunter2"), "{recorded}");
    assert!(report.exchanges[2].request.body.contains("(withheld)"));
}

#[test]
fn an_answer_that_is_not_kubernetes_changes_nothing() {
    for nonsense in [json!(null), json!([]), json!({"metadata": 5}), json!({"metadata": {"uid": "u"}})] {
        let change = |kubernetes: &mut FakeKubernetes| {
            let template = kubernetes.deployment["spec"]["template"].clone();
            kubernetes.deployment = nonsense;
            if let Some(object) = kubernetes.deployment.as_object_mut() {
                object.insert("spec".into(), json!({"template": template}));
            }
        };
        let mut kubernetes = FakeKubernetes::new();
        change(&mut kubernetes);
        let report = carry(&mut open(&rollback(), LookFirst::No), &mut kubernetes, &[]);
        assert_eq!((report.result, kubernetes.patches.len()), (AttemptResult::Failed, 0));
    }
}

#[test]
fn a_session_gives_up_after_a_bounded_number_of_requests() {
    use Fault::{Lost, None, Status};
    let paged = |kubernetes: &mut FakeKubernetes| kubernetes.page = 2;
    let faults = [Lost, None, Lost, None, Lost, None, Status(409)];
    let report = check(paged, LookFirst::No, &faults, (AttemptResult::Failed, "web:3"));
    assert_eq!(report.exchanges.len(), EXCHANGES_MAX);
    assert_eq!(report.detail, "gave up after 8 requests");
    // The patch may have been carried out, and the looks after it come to nothing.
    let faults = [Lost, None, Lost, None, Lost, None, Lost, Lost];
    check(paged, LookFirst::No, &faults, (AttemptResult::Unknown, "web:3"));
}
