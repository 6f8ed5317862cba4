//! Sinks that fail and senders that lost something, on the store in memory: time jumps from timer
//! to timer.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::cell::{Cell as Mutable, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use futures::executor::block_on;
use homeostat_emit::delivery::Delivery;
use homeostat_flow::{
    Cell, Clock, Ingest, Ingested, Limits, MemoryStore, Output, Ring, Shard, Stage, Store, drain_calls,
};
use homeostat_reconcile::{Auth, Observation, Origins, Outgoing};
use homeostat_schema::config::{Config, Sink};
use homeostat_stages::emit::{Courier, EmitEntry, UNDELIVERED, Undelivered, send_again, undelivered_key};
use homeostat_stages::name::{EMIT, PLAN, RECONCILE, SHARDS_DEFAULT, STAGES};
use homeostat_stages::reconcile::{Errands, Found, RECONCILERS, configured};
use homeostat_stages::snapshot::Versioned;
use homeostat_stages::{Emit, Reconcile, entry};
use serde_json::{Value, json};

/// Bells and jumps of time in one story; a loop that never comes to rest is a bug.
const TURNS_MAX: usize = 5_000;
const DAY_MS: u64 = 86_400_000;

/// Everything outside: what it was sent, and how it answers.
#[derive(Clone, Default)]
struct Outside {
    /// Sinks that answer 503, by name.
    down: Rc<RefCell<BTreeSet<String>>>,
    /// What sinks were sent: time, sink, id.
    told: Rc<RefCell<Vec<(u64, String, String)>>>,
    /// What GitHub lists, newest first.
    listed: Rc<RefCell<Vec<Value>>>,
    /// How GitHub answers when it is asked to deliver again.
    again: Rc<Mutable<u16>>,
    asked: Rc<RefCell<Vec<String>>>,
    /// Deliveries that arrived.
    arrived: Rc<RefCell<BTreeSet<String>>>,
    taken: Rc<RefCell<Vec<Value>>>,
    /// Ids of observations, with those that came twice.
    observed: Rc<RefCell<Vec<String>>>,
    /// Prometheus does not answer.
    unanswered: Rc<Mutable<bool>>,
    came: Rc<RefCell<Vec<u64>>>,
    now_ms: Rc<Mutable<u64>>,
    clock: Rc<Mutable<u64>>,
}

impl Clock for Outside {
    fn elapsed_ms(&self) -> u64 {
        self.clock.get()
    }
}

impl Courier for Outside {
    async fn deliver(&self, sink: &Sink, delivery: &Delivery, _: u64) -> Result<u16, String> {
        self.told.borrow_mut().push((self.now_ms.get(), sink.name.clone(), delivery.id.clone()));
        Ok(if self.down.borrow().contains(&sink.name) { 503 } else { 204 })
    }
}

impl Outside {
    /// A Prometheus that counted ten requests in each step it is asked for.
    fn numbers(&self, request: &http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, String> {
        self.asked.borrow_mut().push(format!("{} {}", request.method(), request.uri()));
        if self.unanswered.get() {
            return Err("connection refused".to_owned());
        }
        let query = request.uri().query().unwrap();
        let part = |name: &str| {
            let text = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap();
            text.parse::<f64>().unwrap() as u64
        };
        let (step, start, end) = (part("step"), part("start"), part("end"));
        let ends = (start..=end).step_by(usize::try_from(step).unwrap());
        let values: Vec<_> = ends.map(|at| json!([at, "10"])).collect();
        let matrix =
            json!({"resultType": "matrix", "result": [{"metric": {"arm": "canary"}, "values": values}]});
        Ok(http::Response::new(json!({"status": "success", "data": matrix}).to_string().into_bytes()))
    }
}

impl Errands for Outside {
    async fn carry(&self, outgoing: Outgoing, _: u64) -> Result<http::Response<Vec<u8>>, String> {
        let request = outgoing.request;
        if request.uri().path() == "/api/v1/query_range" {
            return self.numbers(&request);
        }
        self.asked.borrow_mut().push(format!("{} {}", request.method(), request.uri()));
        assert!(matches!(outgoing.auth, Auth::GithubToken | Auth::GitlabToken | Auth::None));
        let mut response = http::Response::new(Vec::new());
        if request.method() == http::Method::GET {
            *response.body_mut() = serde_json::to_vec(&*self.listed.borrow()).unwrap();
        } else {
            *response.status_mut() = http::StatusCode::from_u16(self.again.get()).unwrap();
        }
        Ok(response)
    }

    async fn arrived(&self, _: &str, deliveries: &[String]) -> Result<Vec<bool>, String> {
        let arrived = self.arrived.borrow();
        Ok(deliveries.iter().map(|delivery| arrived.contains(delivery)).collect())
    }

    async fn take_in(&self, _: &str, body: Vec<u8>) -> Result<usize, String> {
        self.taken.borrow_mut().push(serde_json::from_slice(&body).unwrap());
        Ok(1)
    }

    async fn observe(&self, observations: Vec<Observation>) -> Result<usize, String> {
        let mut observed = self.observed.borrow_mut();
        let before = observed.len();
        observed.extend(observations.into_iter().map(|one| one.dedupe));
        Ok(observed.len() - before)
    }

    async fn came(&self, _: &str, after_ms: u64) -> Result<Vec<u64>, String> {
        Ok(self.came.borrow().iter().copied().filter(|at| *at > after_ms).collect())
    }
}

struct World {
    store: MemoryStore,
    config: Config,
    outside: Outside,
    version: u64,
}

impl World {
    fn new(config: &str) -> Self {
        let outside = Outside::default();
        outside.again.set(202);
        Self {
            store: MemoryStore::new(Cell::new(SHARDS_DEFAULT, &STAGES)),
            config: Config::from_toml(config, "test").unwrap(),
            outside,
            version: 1,
        }
    }

    fn put(&self, output: &Output, id: &str) {
        let ingest = Ingest {
            stage: output.stage,
            shard: &output.shard,
            ids: &[id],
            day: 0,
            fields: &output.fields,
            payload: &output.payload,
        };
        assert!(matches!(block_on(self.store.ingest(&ingest)).unwrap(), Ingested::Accepted(_)));
    }

    fn happened(&self, sink: &str, id: &str) {
        let delivery = Delivery {
            sink: sink.to_owned(),
            id: id.to_owned(),
            kind: "dev.cdevents.incident.detected.0.3.0".to_owned(),
            body: "{}".to_owned(),
        };
        let payload = entry::encode(&EmitEntry::Send { delivery, tried: 0 });
        let output =
            Output { stage: EMIT, shard: Shard::outlet(sink), fields: Vec::new(), payload, ring: Ring::Now };
        self.put(&output, id);
    }

    fn drain(&self, stage: Stage, shard: &Shard) {
        let frozen = Versioned { version: self.version, config: self.config.clone() };
        self.outside.now_ms.set(self.store.now_ms());
        let (store, outside) = (&self.store, &self.outside);
        let drained = block_on(async {
            if stage == EMIT {
                let action = Emit::new(frozen, outside.clone());
                return drain_calls(store, outside, &action, shard, &Limits::CALLS).await;
            }
            let origin = "https://example.com".to_owned();
            let origins = Origins {
                github: origin.clone(),
                gitlab: origin.clone(),
                alertmanager: origin.clone(),
                prometheus: origin,
            };
            let action = Reconcile::new(frozen, origins, outside.clone());
            drain_calls(store, outside, &action, shard, &Limits::CALLS).await
        });
        assert_eq!(drained.unwrap().dead, 0, "a dead letter in {stage}");
    }

    fn settle(&self) {
        for _ in 0..TURNS_MAX {
            let Some((stage, shard)) = self.store.take_bell() else { return };
            if stage == EMIT || stage == RECONCILE {
                self.drain(stage, &shard);
            }
        }
        panic!("it does not come to rest");
    }

    /// Jumps from timer to timer for so long.
    fn wait(&self, within_ms: u64) {
        let end = self.store.now_ms() + within_ms;
        for _ in 0..TURNS_MAX {
            let Some(due) = self.store.next_due_ms().filter(|due| *due <= end) else {
                self.store.advance_ms(end.saturating_sub(self.store.now_ms()));
                return;
            };
            self.store.advance_ms(due.saturating_sub(self.store.now_ms()));
            block_on(self.store.tick()).unwrap();
            self.settle();
        }
        panic!("timers never end");
    }

    fn told(&self, sink: &str) -> Vec<u64> {
        let told = self.outside.told.borrow();
        let start = told.first().map_or(0, |one| one.0);
        told.iter().filter(|one| one.1 == sink).map(|one| (one.0 - start) / 1000).collect()
    }

    fn undelivered(&self, sink: &str, id: &str) -> Option<Undelivered> {
        let view = self.store.view(&undelivered_key(sink, id))?;
        Some(serde_json::from_slice(view.value().unwrap()).unwrap())
    }

    fn apply(&mut self) {
        self.version += 1;
        let (output, id) = configured(self.version);
        self.put(&output, &id);
        self.settle();
    }

    fn findings(&self) -> usize {
        (0..SHARDS_DEFAULT).map(|index| self.store.unread(PLAN, &Shard::service(index)).len()).sum()
    }

    fn posts(&self) -> Vec<String> {
        self.outside.asked.borrow().iter().filter(|one| one.starts_with("POST")).cloned().collect()
    }

    fn asked(&self, what: &str) -> usize {
        self.outside.asked.borrow().iter().filter(|one| one.contains(what)).count()
    }
}

const SINKS: &str = "[[sink]]\nname = \"team\"\nurl = \"https://team.example.com/in\"\n\
                     [[sink]]\nname = \"audit\"\nurl = \"https://audit.example.com/in\"\n";

#[test]
fn a_sink_that_is_up_is_told_once() {
    let world = World::new(SINKS);
    world.happened("team", "e1");
    world.settle();
    world.wait(2 * DAY_MS);
    assert_eq!(world.told("team"), [0]);
}

#[test]
fn a_sink_that_is_down_for_a_while_gets_everything_under_the_same_id() {
    let world = World::new(SINKS);
    world.outside.down.borrow_mut().insert("team".to_owned());
    for id in ["e1", "e2", "e3"] {
        world.happened("team", id);
        world.happened("audit", &format!("a{id}"));
    }
    world.settle();
    assert_eq!(world.told("audit").len(), 3, "another sink waited for the one that is down");
    world.wait(60_000);
    world.outside.down.borrow_mut().clear();
    world.wait(DAY_MS);
    let told = world.outside.told.borrow();
    for id in ["e1", "e2", "e3"] {
        assert_eq!(told.iter().filter(|one| one.2 == id).count(), 3, "{id}: at once, after 5 s and 5 min");
    }
    assert!(world.store.view(UNDELIVERED).is_none());
}

#[test]
fn a_sink_that_stays_down_is_tried_on_schedule_given_up_and_told_again_when_asked() {
    let world = World::new(SINKS);
    world.outside.down.borrow_mut().insert("team".to_owned());
    world.happened("team", "e1");
    world.settle();
    world.wait(2 * DAY_MS);
    assert_eq!(world.told("team"), [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 99_305]);
    let given_up = world.undelivered("team", "e1").unwrap();
    assert_eq!((given_up.tries, given_up.error.as_str()), (8, "status 503"));

    world.outside.down.borrow_mut().clear();
    world.put(&send_again("team", "e1"), "resend-1");
    world.put(&send_again("team", "e1"), "resend-2");
    world.settle();
    assert_eq!(world.told("team").len(), 9, "sent again once, however often it was asked for");
    assert_eq!(world.undelivered("team", "e1"), None);
    world.wait(60 * DAY_MS);
    assert_eq!(world.told("team").len(), 9);
}

#[test]
fn what_waits_for_a_sink_that_was_taken_out_is_given_up() {
    let mut world = World::new(SINKS);
    world.outside.down.borrow_mut().insert("team".to_owned());
    world.happened("team", "e1");
    world.settle();
    world.config.sinks.clear();
    world.wait(10_000);
    assert!(world.undelivered("team", "e1").unwrap().error.contains("no [[sink]]"));
    assert_eq!(world.told("team"), [0]);
}

const GITHUB: &str = "[[reconcile]]\nid = \"shop\"\nsource = \"github\"\n\
                      ask = { github-hook = { repository = \"acme/shop\", hook = 7 } }\n";

fn delivery(id: u64, guid: &str, at_ms: u64, status: u16) -> Value {
    let at = homeostat_schema::time::display(at_ms);
    json!({"id": id, "guid": guid, "delivered_at": at, "status_code": status, "event": "push", "redelivery": false})
}

#[test]
fn what_github_could_not_deliver_is_asked_for_until_it_arrives() {
    let mut world = World::new(GITHUB);
    let now = world.store.now_ms();
    *world.outside.listed.borrow_mut() = vec![
        delivery(4, "ok", now, 202),
        delivery(3, "answer-lost", now, 0),
        delivery(2, "lost", now, 0),
        delivery(1, "refused", now, 503),
    ];
    world.outside.arrived.borrow_mut().insert("answer-lost".to_owned());
    world.apply();
    world.wait(1_000);
    let base = "POST https://example.com/repos/acme/shop/hooks/7/deliveries";
    assert_eq!(world.posts(), [format!("{base}/2/attempts"), format!("{base}/1/attempts")]);

    world.outside.arrived.borrow_mut().insert("lost".to_owned());
    world.wait(DAY_MS);
    let of = |id: u64| world.posts().iter().filter(|one| one.ends_with(&format!("/{id}/attempts"))).count();
    assert_eq!((of(2), of(1)), (1, 3), "asked for three times at most, and not once it arrived");
    assert_eq!(of(3) + of(4), 0);
    let view = world.store.view(RECONCILERS).unwrap();
    let found: Found = serde_json::from_slice(view.field("shop").unwrap()).unwrap();
    assert_eq!((found.missing, found.problem), (0, None));
}

#[test]
fn a_sender_that_refuses_is_asked_ever_less_often() {
    let mut world = World::new(GITHUB);
    *world.outside.listed.borrow_mut() = vec![json!("not a delivery")];
    world.apply();
    world.wait(6 * 3_600_000);
    let looks = world.asked("GET");
    assert!((5..=13).contains(&looks), "{looks} looks in six hours");
}

#[test]
fn a_reconciler_that_was_taken_out_asks_no_more() {
    let mut world = World::new(GITHUB);
    world.apply();
    world.wait(150_000);
    let before = world.asked("GET");
    world.config.reconcilers.clear();
    world.apply();
    world.wait(DAY_MS);
    assert!(before > 0);
    assert_eq!(world.asked("GET"), before);
}

#[test]
fn gitlabs_events_are_sent_again_by_their_own_key() {
    let mut world = World::new(
        "[[reconcile]]\nid = \"lab\"\nsource = \"gitlab\"\nask = { gitlab-hook = { project = 5, hook = 9 } }\n",
    );
    let event = |id: u64, key: &str, status: Value| json!({"id": id, "request_headers": {"Idempotency-Key": key}, "response_status": status});
    *world.outside.listed.borrow_mut() =
        vec![event(3, "c", json!("internal error")), event(2, "b", json!("200")), event(1, "a", json!(502))];
    world.outside.arrived.borrow_mut().insert("a".to_owned());
    world.apply();
    world.wait(1_000);
    assert_eq!(world.posts(), ["POST https://example.com/api/v4/projects/5/hooks/9/events/3/resend"]);
}

#[test]
fn an_alert_that_was_missed_is_taken_in_once() {
    let mut world =
        World::new("[[reconcile]]\nid = \"alerts\"\nsource = \"alertmanager\"\nask = \"alertmanager\"\n");
    let now = world.store.now_ms();
    let alert = |fingerprint: &str, at_ms: u64| {
        json!({"fingerprint": fingerprint, "startsAt": homeostat_schema::time::display(at_ms),
            "labels": {"alertname": "High", "service": "shop"}, "annotations": {}, "generatorURL": "http://p/"})
    };
    *world.outside.listed.borrow_mut() = vec![alert("old", now - 600_000), alert("young", now + 10_000)];
    world.apply();
    world.wait(1_000);
    let fingerprints = |taken: &Value| {
        let alerts = taken["alerts"].as_array().unwrap().iter();
        alerts.map(|alert| alert["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        fingerprints(&world.outside.taken.borrow()[0]),
        ["old"],
        "the young one's webhook is under way"
    );
    world.wait(3_600_000);
    let taken: Vec<_> = world.outside.taken.borrow().iter().flat_map(fingerprints).collect();
    assert_eq!(taken, ["old", "young"]);
}

#[test]
fn a_source_that_falls_silent_is_a_finding_once() {
    let mut world = World::new(
        "[[reconcile]]\nid = \"rhythm\"\nsource = \"github\"\nask = { rhythm = { floor_s = 60, env = \"prod\" } }\n",
    );
    let now = world.store.now_ms();
    *world.outside.came.borrow_mut() = (0..20).map(|minute| now - 20 * 60_000 + minute * 60_000).collect();
    world.apply();
    world.wait(60_000);
    assert_eq!(world.findings(), 0, "not silent for long enough");
    world.wait(3_600_000);
    assert_eq!(world.findings(), 1);
}

const PULL: &str = "[[service]]\nname = \"checkout\"\n\
                    [[reconcile]]\nid = \"checkout\"\nsource = \"alertmanager\"\nask = \"alertmanager\"\n\
                    [[pull]]\nid = \"checkout\"\nservice = \"checkout\"\nenv = \"prod\"\n\
                    requests = \"r\"\nerrors = \"e\"\n";

#[test]
fn prometheus_is_asked_for_each_step_once_also_after_it_was_gone() {
    let mut world = World::new(PULL);
    world.apply();
    world.wait(60_000);
    let before = world.outside.observed.borrow().len();
    assert!((10..=13).contains(&before), "{before} steps of five seconds in a minute");

    world.outside.unanswered.set(true);
    world.wait(120_000);
    let failed =
        |world: &World| world.outside.observed.borrow().iter().filter(|one| one.ends_with(":failed")).count();
    let gone = failed(&world);
    assert!((15..=27).contains(&gone), "{gone} steps of five seconds in two minutes");
    let found = |world: &World, key: &str| {
        let view = world.store.view(RECONCILERS).unwrap();
        serde_json::from_slice::<Found>(view.field(key).unwrap()).unwrap()
    };
    assert_eq!(found(&world, "pull/checkout").problem.as_deref(), Some("connection refused"));

    world.outside.unanswered.set(false);
    world.wait(120_000);
    let observed = world.outside.observed.borrow().clone();
    assert_eq!(observed.iter().collect::<BTreeSet<_>>().len(), observed.len(), "a step came twice");
    let counted = observed.iter().filter(|one| one.ends_with(":canary")).count();
    assert!((57..=61).contains(&counted), "{counted} steps of five seconds in five minutes");
    assert_eq!(failed(&world), gone);
    assert_eq!(found(&world, "pull/checkout").problem, None);
    assert_eq!(found(&world, "checkout").problem, None, "a reconciler of the same id is another");
}

#[test]
fn prometheus_that_does_not_answer_is_asked_again_soon() {
    let mut world = World::new(PULL);
    world.outside.unanswered.set(true);
    world.apply();
    world.wait(3_600_000);
    let looks = world.asked("query_range");
    assert!((115..=125).contains(&looks), "{looks} looks in an hour");
    world.config.pulls.clear();
    world.apply();
    world.wait(60_000);
    assert_eq!(world.asked("query_range"), looks, "a pull that was taken out asks no more");
}
