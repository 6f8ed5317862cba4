//! The stand-ins keep the contracts of what they stand for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use homeostat_testkit::fault::Fault;
use homeostat_testkit::github::{Conclusion, NewRun, sign};
use homeostat_testkit::http;
use homeostat_testkit::kubernetes::Name;
use homeostat_testkit::landscape::{Landscape, Secrets, Service};
use homeostat_testkit::payloads::Payloads;
use homeostat_testkit::server::{Answer, Received, Server, StandIn, eventually};
use homeostat_testkit::world::Behaviour;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(10);
const PACE: Duration = Duration::from_millis(40);
const GOOD: &str = "600d600d600d600d600d600d600d600d600d600d";
const BAD: &str = "bad0bad0bad0bad0bad0bad0bad0bad0bad0bad0";

/// Takes webhooks and keeps them.
#[derive(Default)]
struct Inbox(Mutex<Vec<Received>>);

impl StandIn for Inbox {
    fn answer(&self, request: &Received) -> Answer {
        self.0.lock().unwrap().push(request.clone());
        Answer::json(202, &json!({}))
    }
}

impl Inbox {
    fn of(&self, event: &str) -> Vec<Value> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|one| one.headers["x-github-event"] == event).map(Received::json).collect()
    }
}

struct Scene {
    land: Landscape,
    inbox: Arc<Inbox>,
    _inbox_server: Server,
}

async fn scene() -> Scene {
    let land = Landscape::start(Payloads::bare(), Secrets::from_seed(7), PACE).await.unwrap();
    land.add_service(Service {
        name: "shop".to_owned(),
        repository: "acme/shop".to_owned(),
        env: "stage".to_owned(),
        github_env: "staging".to_owned(),
        commits: vec![GOOD.to_owned(), BAD.to_owned()],
    });
    let inbox = Arc::new(Inbox::default());
    let server = Server::start(inbox.clone()).await.unwrap();
    land.connect(&server.origin());
    Scene { land, inbox, _inbox_server: server }
}

impl Scene {
    async fn github(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let token = format!("Bearer {}", self.land.secrets().github);
        let url = format!("{}{path}", self.land.github.server.origin());
        let headers = [("authorization", token.as_str()), ("user-agent", "test")];
        call(method, &url, &headers, body).await
    }

    async fn kubernetes(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let token = format!("Bearer {}", self.land.secrets().kubernetes);
        let url = format!("{}/apis/apps/v1/namespaces/shop{path}", self.land.kubernetes.server.origin());
        let headers = [("authorization", token.as_str()), ("content-type", "application/json-patch+json")];
        call(method, &url, &headers, body).await
    }

    async fn ended(&self, run: u64, attempt: u32) {
        let done = eventually(WITHIN, async || {
            self.land
                .github
                .run("acme/shop", run)
                .filter(|run| run.attempt == attempt && run.conclusion.is_some())
        });
        assert!(done.await.is_some(), "attempt {attempt} of run {run} did not end");
    }
}

async fn call(method: &str, url: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
    let request = http::request(method, url, headers, body.to_string().into_bytes()).unwrap();
    let answer = http::send(request).await.unwrap();
    (answer.status().as_u16(), http::json(&answer))
}

fn failing_once() -> NewRun {
    NewRun {
        name: "CI".to_owned(),
        sha: GOOD.to_owned(),
        plan: vec![Conclusion::Failure, Conclusion::Success],
        origin: Default::default(),
    }
}

#[tokio::test]
async fn a_rerun_is_a_new_attempt_that_comes_to_what_the_plan_says() {
    let scene = scene().await;
    let run = scene.land.github.start_run("acme/shop", failing_once()).unwrap();
    scene.ended(run, 1).await;
    let path = format!("/repos/acme/shop/actions/runs/{run}");
    assert_eq!(scene.github("GET", &path, Value::Null).await.1["conclusion"], "failure");
    assert_eq!(scene.github("POST", &format!("{path}/rerun-failed-jobs"), json!({})).await.0, 201);
    assert_eq!(
        scene.github("POST", &format!("{path}/rerun-failed-jobs"), json!({})).await.0,
        403,
        "it is running"
    );
    scene.ended(run, 2).await;
    let (_, seen) = scene.github("GET", &path, Value::Null).await;
    assert_eq!((&seen["run_attempt"], &seen["conclusion"]), (&json!(2), &json!("success")));
    let (status, _) = scene.github("POST", &format!("{path}/rerun-failed-jobs"), json!({})).await;
    assert_eq!(status, 403, "nothing failed");
    let told = eventually(WITHIN, async || Some(scene.inbox.of("workflow_run")).filter(|all| all.len() == 6));
    let actions: Vec<Value> = told.await.unwrap().iter().map(|hook| hook["action"].clone()).collect();
    assert_eq!(actions, ["requested", "in_progress", "completed", "requested", "in_progress", "completed"]);
}

#[tokio::test]
async fn a_deployment_is_carried_out_and_told_with_the_payload_it_was_given() {
    let scene = scene().await;
    let stamp = json!({"homeostat": {"attempt": "a1"}});
    let body = json!({"ref": BAD, "environment": "staging", "payload": stamp});
    let (status, made) = scene.github("POST", "/repos/acme/shop/deployments", body).await;
    assert_eq!((status, &made["sha"]), (201, &json!(BAD)));
    let told =
        eventually(WITHIN, async || Some(scene.inbox.of("deployment_status")).filter(|all| all.len() == 2));
    let told = told.await.unwrap();
    assert_eq!(told[1]["deployment_status"]["state"], "success");
    assert_eq!(told[1]["deployment"]["payload"], stamp);
    assert_eq!(scene.land.world.running("stage", "shop").as_deref(), Some(BAD));
    let (_, found) = scene
        .github("GET", &format!("/repos/acme/shop/deployments?environment=staging&sha={BAD}"), Value::Null)
        .await;
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let (status, _) = scene.github("POST", "/repos/acme/shop/deployments", json!({"ref": "nowhere"})).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn a_newer_success_makes_the_deployment_before_it_inactive() {
    let scene = scene().await;
    for (sha, hooks) in [(GOOD, 2), (BAD, 5)] {
        scene.land.github.deploy("acme/shop", "staging", sha).unwrap();
        let told = async || Some(scene.inbox.of("deployment_status")).filter(|all| all.len() == hooks);
        assert!(eventually(WITHIN, told).await.is_some());
    }
    let states: Vec<_> =
        scene.land.github.deployments("acme/shop").iter().map(|one| one.state().to_owned()).collect();
    assert_eq!(states, ["inactive", "success"]);
}

#[tokio::test]
async fn a_commit_that_does_not_come_up_fails_its_deployment_and_leaves_the_old_one_running() {
    let scene = scene().await;
    scene.land.world.behaves(BAD, Behaviour::Undeployable);
    scene.land.github.deploy("acme/shop", "staging", BAD).unwrap();
    let told =
        eventually(WITHIN, async || Some(scene.inbox.of("deployment_status")).filter(|all| all.len() == 2));
    assert_eq!(told.await.unwrap()[1]["deployment_status"]["state"], "failure");
    assert_eq!(scene.land.world.running("stage", "shop").as_deref(), Some(GOOD));
}

#[tokio::test]
async fn every_webhook_is_signed_over_its_bytes_and_redelivered_as_it_was() {
    let scene = scene().await;
    scene.land.github.deploy("acme/shop", "staging", GOOD).unwrap();
    let sent = eventually(WITHIN, async || {
        Some(scene.land.github.courier().deliveries()).filter(|all| all.len() == 3)
    });
    let first = sent.await.unwrap().remove(0);
    let again = scene.land.github.courier().redeliver(&first.id).await.unwrap();
    assert_eq!(again.body, first.body);
    let inbox = scene.inbox.0.lock().unwrap();
    for received in inbox.iter() {
        let expected = sign(&scene.land.secrets().webhook, &received.body);
        assert_eq!(received.headers["x-hub-signature-256"], expected);
    }
}

#[test]
fn the_signature_is_the_one_in_github_s_documentation() {
    let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(sign("It's a Secret to Everybody", b"Hello, World!"), expected);
}

#[tokio::test]
async fn who_has_no_token_or_no_user_agent_is_refused() {
    let scene = scene().await;
    let url = format!("{}/repos/acme/shop", scene.land.github.server.origin());
    let token = format!("Bearer {}", scene.land.secrets().github);
    assert_eq!(call("GET", &url, &[("user-agent", "t")], Value::Null).await.0, 401);
    assert_eq!(
        call("GET", &url, &[("user-agent", "t"), ("authorization", "Bearer no")], Value::Null).await.0,
        401
    );
    assert_eq!(call("GET", &url, &[("authorization", &token)], Value::Null).await.0, 403);
    let url =
        format!("{}/apis/apps/v1/namespaces/shop/deployments/shop", scene.land.kubernetes.server.origin());
    assert_eq!(call("GET", &url, &[], Value::Null).await.0, 401);
}

#[tokio::test]
async fn a_patch_needs_the_newest_resource_version_and_a_known_template_gets_its_old_replica_set() {
    let scene = scene().await;
    let name = Name::new("shop", "shop");
    scene.land.kubernetes.hand().set_image(&name, &format!("registry.example/shop:{BAD}"));
    let (_, seen) = scene.kubernetes("GET", "/deployments/shop", Value::Null).await;
    assert_eq!(seen["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    let (_, sets) = scene.kubernetes("GET", "/replicasets?labelSelector=app%3Dshop", Value::Null).await;
    assert_eq!(sets["items"][0]["metadata"]["ownerReferences"][0]["uid"], seen["metadata"]["uid"]);
    let stale = json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]);
    assert_eq!(scene.kubernetes("PATCH", "/deployments/shop", stale).await.0, 422);
    let mut template = sets["items"][0]["spec"]["template"].clone();
    template["metadata"]["labels"].as_object_mut().unwrap().remove("pod-template-hash");
    let back = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": seen["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/spec/template", "value": template},
    ]);
    assert_eq!(scene.kubernetes("PATCH", "/deployments/shop", back.clone()).await.0, 200);
    assert_eq!(scene.kubernetes("PATCH", "/deployments/shop", back).await.0, 422, "the version moved on");
    let runs = async || (scene.land.world.running("stage", "shop").as_deref() == Some(GOOD)).then_some(());
    assert!(eventually(WITHIN, runs).await.is_some());
    let revisions: Vec<u64> =
        scene.land.kubernetes.revisions(&name).iter().map(|(revision, _)| *revision).collect();
    assert_eq!(revisions, [2, 3], "revision 1 became revision 3");
}

#[tokio::test]
async fn slack_keeps_messages_and_refuses_what_slack_refuses() {
    let scene = scene().await;
    let slack = &scene.land.slack;
    let send = async |url: &str, body: Value| call("POST", url, &[], body).await.0;
    assert_eq!(send(&slack.hook_url(), json!({"text": "hello"})).await, 200);
    assert_eq!(send(&slack.hook_url(), json!({"txt": "hello"})).await, 400);
    assert_eq!(send(&format!("{}/services/none", slack.server.origin()), json!({"text": "x"})).await, 404);
    assert_eq!(slack.messages(), [json!({"text": "hello"})]);
}

#[tokio::test]
async fn a_fault_meets_one_request_and_does_or_does_not_do_the_work() {
    let scene = scene().await;
    let slack = &scene.land.slack;
    let send = async || {
        let body = json!({"text": "x"}).to_string().into_bytes();
        let request = http::request("POST", &slack.hook_url(), &[], body).unwrap();
        http::send(request).await.map(|answer| answer.status().as_u16()).ok()
    };
    let cases = [
        (Fault::Status(500), Some(500), 0),
        (Fault::Drop, None, 0),
        (Fault::LoseAnswer, None, 1),
        (Fault::Delay(PACE), Some(200), 2),
    ];
    for (fault, answer, done) in cases {
        slack.server.faults().next("POST", "/services/", fault);
        assert_eq!(send().await, answer, "{fault:?}");
        assert_eq!(slack.messages().len(), done, "{fault:?}");
    }
    assert_eq!(send().await, Some(200), "the faults are used up");
    assert_eq!(slack.server.count("POST", "/services/"), 5, "every request is in the record");
}

#[tokio::test]
async fn the_record_holds_no_token() {
    let scene = scene().await;
    scene.github("GET", "/repos/acme/shop", Value::Null).await;
    let record = format!("{:?}", scene.land.github.server.requests());
    assert!(record.contains("authorization") && !record.contains(&scene.land.secrets().github));
}
