//! The real steps on the store in memory: an event goes in, a remedy comes out, and is verified.
//!
//! GitHub is a small state with one workflow run; time jumps from timer to timer.

mod canary;
mod capacity;
mod environment;

use std::cell::{Cell as Mutable, RefCell};
use std::pin::pin;
use std::rc::Rc;

use futures::executor::block_on;
use homeostat_flow::{
    Cell, Clock, Drained, Ended, Ingest, Ingested, Limits, MemoryStore, Shard, Stage, Store, drain,
    drain_calls,
};
use homeostat_policy::Policy;
use homeostat_remedies::connector::{Endpoints, Outgoing, TransportFailure};
use homeostat_schema::{
    config::Config,
    types::{
        Correlation, Event, EventKind, Incident, IncidentState, OutcomeKind, Signal, Status, TimelineFact,
        Trust,
    },
    wire,
};
use homeostat_stages::{
    Act, Coordinate, Detect, Learn, PlanStep, act, entry,
    name::{self, STAGES},
    snapshot::{self, Versioned},
    view,
};

/// Bells and jumps of time in one story; a loop that never comes to rest is a bug.
const TURNS_MAX: usize = 500;
const RUN: u64 = 4711;

/// GitHub with one run, and Kubernetes with one Deployment: the run's attempt, the Deployment's
/// replicas, and what was asked of them.
#[derive(Clone, Default)]
struct Forge {
    attempt: Rc<Mutable<u32>>,
    replicas: Rc<Mutable<u64>>,
    asked: Rc<RefCell<Vec<String>>>,
    clock: Rc<Mutable<u64>>,
    /// Does the next change, and loses its answer.
    lose_answer: Rc<Mutable<bool>>,
    /// Does the next change, and its caller dies.
    kill_caller: Rc<Mutable<bool>>,
}

impl Clock for Forge {
    fn elapsed_ms(&self) -> u64 {
        self.clock.get()
    }
}

impl act::Carrier for Forge {
    async fn carry(&self, outgoing: Outgoing, _: u64) -> act::Response {
        self.clock.set(self.clock.get() + 20);
        let request = outgoing.request;
        self.asked.borrow_mut().push(format!("{} {}", request.method(), request.uri().path()));
        if request.uri().host() == Some("kubernetes.example") {
            return Ok(self.deployment(&request));
        }
        if request.method() == http::Method::GET {
            let body =
                format!("{{\"id\":{RUN},\"run_attempt\":{},\"status\":\"completed\"}}", self.attempt.get());
            return Ok(http::Response::new(body.into_bytes()));
        }
        self.attempt.set(self.attempt.get() + 1);
        if self.kill_caller.replace(false) {
            std::future::pending::<()>().await;
        }
        if self.lose_answer.replace(false) {
            return Err(TransportFailure::NoAnswer);
        }
        let mut created = http::Response::new(b"{}".to_vec());
        *created.status_mut() = http::StatusCode::CREATED;
        Ok(created)
    }
}

impl Forge {
    /// Reads the Deployment, or gives it as many replicas as a patch says.
    fn deployment(&self, request: &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        let steps: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let mut steps = steps.as_array().into_iter().flatten();
        let wanted = steps.find(|step| step["path"] == "/spec/replicas").map(|step| &step["value"]);
        if let Some(wanted) = wanted.and_then(serde_json::Value::as_u64) {
            self.replicas.set(wanted);
        }
        let shown = serde_json::json!({
            "metadata": {"uid": "u", "resourceVersion": "1", "annotations": {}},
            "spec": {"replicas": self.replicas.get()},
        });
        http::Response::new(shown.to_string().into_bytes())
    }
}

struct World {
    store: MemoryStore,
    config: Config,
    forge: Forge,
    events: Mutable<u64>,
}

impl World {
    fn new(config: &str) -> Self {
        let config = format!(
            "{config}\n[learning]\nexploration = 0.0\n[[service]]\nname = \"shop\"\ngithub = {{ repository = \"acme/shop\" }}\n"
        );
        let forge = Forge::default();
        forge.attempt.set(1);
        Self {
            store: MemoryStore::new(Cell::new(name::SHARDS_DEFAULT, &STAGES)),
            config: Config::from_toml(&config, "test").unwrap(),
            forge,
            events: Mutable::new(0),
        }
    }

    fn frozen(&self) -> Versioned {
        Versioned { version: 1, config: self.config.clone() }
    }

    fn endpoints() -> Endpoints {
        Endpoints {
            github_origin: "https://api.github.example".to_owned(),
            kubernetes_origin: "https://kubernetes.example".to_owned(),
            slack_origin: String::new(),
        }
    }

    fn policy(&self) -> Policy {
        let stored = self.store.view(view::POLICY);
        snapshot::read_policy(stored.as_ref().and_then(|view| view.value())).unwrap()
    }

    fn send(&self, event: &Event) -> Ingested {
        let output = entry::for_event(event, name::SHARDS_DEFAULT);
        let ids = [event.id.as_str()];
        block_on(self.store.ingest(&Ingest {
            stage: output.stage,
            shard: &output.shard,
            ids: &ids,
            day: 0,
            fields: &output.fields,
            payload: &output.payload,
        }))
        .unwrap()
    }

    fn run_ended(&self, status: Status, attempt: u32) -> Event {
        let number = self.events.get() + 1;
        self.events.set(number);
        let now = self.store.now_ms();
        Event {
            id: format!("event-{number}"),
            kind: EventKind::Run,
            source: "github".to_owned(),
            env: "stage".to_owned(),
            service: "shop".to_owned(),
            title: Some("build".to_owned()),
            version: None,
            commit: Some("0123456789abcdef".to_owned()),
            previous_version: None,
            branch: Some("main".to_owned()),
            status,
            duration: None,
            latency: None,
            signals: Vec::new(),
            occurred_at: now,
            received_at: now,
            actor: None,
            url: None,
            correlation: Correlation {
                run: Some(RUN.to_string()),
                run_attempt: Some(attempt),
                deployment: None,
                pull_request: None,
            },
            trust: Trust { signed: true, fresh: true, fork: false, self_: false, late: false, test: false },
            irreversible: false,
            attributes: Vec::new(),
        }
    }

    fn drain(&self, stage: Stage, shard: &Shard) -> Drained {
        let store = &self.store;
        let drained = block_on(async {
            match stage.as_str() {
                "detect" => drain(store, &Detect::new(self.frozen()), shard, &Limits::STEPS).await,
                "plan" => {
                    let step = PlanStep::new(self.frozen(), self.policy(), Self::endpoints());
                    drain(store, &step, shard, &Limits::STEPS).await
                }
                "act" => {
                    let action = Act::new(self.frozen(), Self::endpoints(), self.forge.clone());
                    drain_calls(store, &self.forge, &action, shard, &Limits::CALLS).await
                }
                "coordinate" => {
                    let step = Coordinate::new(self.frozen(), name::SHARDS_DEFAULT);
                    drain(store, &step, shard, &Limits::STEPS).await
                }
                _ => drain(store, &Learn::new(self.frozen()), shard, &Limits::STEPS).await,
            }
        });
        drained.unwrap()
    }

    fn begin_to_act_and_die(&self, shard: &Shard) {
        let action = Act::new(self.frozen(), Self::endpoints(), self.forge.clone());
        let mut worker = pin!(drain_calls(&self.store, &self.forge, &action, shard, &Limits::CALLS));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(worker.as_mut().poll(&mut context).is_pending(), "it should hang in its call");
    }

    /// Answers every bell until none is in flight.
    fn settle(&self) {
        for _ in 0..TURNS_MAX {
            let Some((stage, shard)) = self.store.take_bell() else { return };
            let drained = self.drain(stage, &shard);
            assert_eq!(drained.dead, 0, "a dead letter in {stage}");
        }
        panic!("the loop does not come to rest");
    }

    /// Jumps to the next timer within `within_ms`, and settles what it rings.
    fn wait(&self, within_ms: u64) {
        let end = self.store.now_ms() + within_ms;
        for _ in 0..TURNS_MAX {
            let Some(due) = self.store.next_due_ms().filter(|due| *due <= end) else { return };
            self.store.advance_ms(due.saturating_sub(self.store.now_ms()));
            block_on(self.store.tick()).unwrap();
            self.settle();
        }
        panic!("timers never end");
    }

    fn incident(&self) -> Incident {
        self.incidents().into_iter().next().expect("an incident")
    }

    fn incidents(&self) -> Vec<Incident> {
        let keys = self.store.view_keys().into_iter().filter(|key| key.starts_with("incident:"));
        keys.map(|key| wire::decode(self.store.view(&key).unwrap().value().unwrap()).unwrap()).collect()
    }

    fn changes_asked(&self) -> usize {
        self.forge.asked.borrow().iter().filter(|line| line.starts_with("POST")).count()
    }
}

fn outcomes(incident: &Incident) -> Vec<OutcomeKind> {
    let outcome = |fact: &TimelineFact| match fact {
        TimelineFact::Outcome(outcome) => Some(outcome.kind),
        _ => None,
    };
    incident.timeline.iter().filter_map(|item| outcome(&item.fact)).collect()
}

const ACTING: &str = "[environments.stage]\nmode = \"act\"";

#[test]
fn a_failed_run_is_run_again_verified_and_learned_from() {
    let world = World::new(ACTING);
    world.send(&world.run_ended(Status::Failure, 1));
    world.settle();
    assert_eq!(world.incident().state, IncidentState::Verifying);
    assert_eq!(world.forge.attempt.get(), 2);

    world.send(&world.run_ended(Status::Success, 2));
    world.settle();
    world.wait(10 * 60_000);

    let incident = world.incident();
    assert_eq!(incident.state, IncidentState::Resolved);
    assert_eq!(outcomes(&incident), [OutcomeKind::Cured]);
    assert_eq!(world.policy().version(), 1);
    assert_eq!(world.changes_asked(), 1);
}

#[test]
fn errors_that_burn_the_objective_are_found_and_proven_to_be_over() {
    let world = World::new("[environments.stage]\nobjective = 99.9");
    let report = |bad: f64, times: u64| {
        for _ in 0..times {
            world.store.advance_ms(5_000);
            let signal = |name: &str, value: f64| Signal {
                name: name.to_owned(),
                value,
                unit: "1".to_owned(),
                samples: 1,
            };
            let signals = vec![signal("requests", 1_000.0), signal("errors", bad)];
            let event =
                Event { kind: EventKind::Observation, signals, ..world.run_ended(Status::Unknown, 1) };
            world.send(&event);
            world.settle();
        }
    };
    report(1.0, 60);
    assert!(!world.store.view_keys().iter().any(|key| key.starts_with("incident:")));
    // Three in a hundred, which the threshold of 5 % would let pass.
    report(30.0, 24);
    assert!(world.incident().title.starts_with("error-rate-high of shop"), "{}", world.incident().title);
    report(1.0, 24);
    // The first look at it is due, and silence is not.
    world.wait(1_000);
    let incident = world.incident();
    let told: Vec<&str> = incident.timeline.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(incident.state, IncidentState::Resolved, "{told:#?}");
    assert!(told.iter().any(|text| text.contains("back to usual")), "{told:#?}");
}

#[test]
fn a_redelivered_event_is_one_event() {
    let world = World::new(ACTING);
    let event = world.run_ended(Status::Failure, 1);
    assert!(matches!(world.send(&event), Ingested::Accepted(_)));
    world.settle();
    assert_eq!(world.send(&event), Ingested::Duplicate);
    world.settle();
    assert_eq!(world.changes_asked(), 1);
}

#[test]
fn what_comes_after_a_newer_state_is_listed_as_late() {
    let world = World::new(ACTING);
    let (running, ended) = (world.run_ended(Status::Running, 1), world.run_ended(Status::Success, 1));
    let next = world.run_ended(Status::Running, 2);
    for event in [&ended, &running, &next] {
        world.send(event);
        world.settle();
    }
    let check = |event: &Event, late: bool| {
        let shown = world.store.view(&view::event_key(&event.id)).unwrap();
        let mut expected = event.clone();
        expected.trust.late = late;
        assert_eq!(wire::decode::<Event>(shown.value().unwrap()).unwrap(), expected, "{}", event.id);
    };
    check(&ended, false);
    check(&running, true);
    check(&next, false);
}

#[test]
fn an_answer_that_was_lost_is_looked_for_and_nothing_is_done_twice() {
    let world = World::new(ACTING);
    world.forge.lose_answer.set(true);
    world.send(&world.run_ended(Status::Failure, 1));
    world.settle();
    assert_eq!(world.changes_asked(), 1);
    assert_eq!(world.forge.attempt.get(), 2);
}

#[test]
fn a_kill_switch_thrown_after_the_plan_holds_the_call_back() {
    let mut world = World::new(ACTING);
    world.send(&world.run_ended(Status::Failure, 1));
    let shard = name::shard_of_service("shop", name::SHARDS_DEFAULT);
    world.drain(name::DETECT, &shard);
    world.drain(name::PLAN, &shard);
    world.config.kill_switch = true;
    world.settle();
    assert_eq!(world.changes_asked(), 0);
    let told = world.incident().timeline.iter().any(|item| item.text.contains("kill switch"));
    assert!(told, "{:#?}", world.incident().timeline);
}

#[test]
fn suggest_shows_the_exact_request_and_sends_nothing() {
    let world = World::new("[environments.stage]\nmode = \"suggest\"");
    world.send(&world.run_ended(Status::Failure, 1));
    world.settle();
    let incident = world.incident();
    let preview = incident.timeline.iter().find_map(|item| match &item.fact {
        TimelineFact::Plan(plan) => plan.preview.clone(),
        _ => None,
    });
    let url = format!("https://api.github.example/repos/acme/shop/actions/runs/{RUN}/rerun-failed-jobs");
    assert_eq!(preview.expect("a preview").url, url);
    assert_eq!(world.changes_asked(), 0);
}

#[test]
fn a_dry_run_records_the_request_and_sends_nothing() {
    let world = World::new("[environments.stage]\nmode = \"act\"\ndry_run = true");
    world.send(&world.run_ended(Status::Failure, 1));
    world.settle();
    let recorded = world.incident().timeline.iter().any(|item| match &item.fact {
        TimelineFact::Attempt(attempt) => attempt.exchanges.iter().any(|one| one.request.method == "POST"),
        _ => false,
    });
    assert!(recorded, "{:#?}", world.incident().timeline);
    assert_eq!(world.changes_asked(), 0);
}

#[test]
fn a_worker_that_dies_after_the_call_leaves_one_call_and_its_result() {
    let world = World::new(ACTING);
    world.send(&world.run_ended(Status::Failure, 1));
    let shard = name::shard_of_service("shop", name::SHARDS_DEFAULT);
    world.drain(name::DETECT, &shard);
    world.drain(name::PLAN, &shard);
    world.forge.kill_caller.set(true);
    world.begin_to_act_and_die(&shard);
    assert_eq!(world.changes_asked(), 1);

    world.store.expire_lease(name::ACT, &shard);
    assert_eq!(world.drain(name::ACT, &shard).ended, Ended::Idle);
    world.settle();
    assert_eq!(world.changes_asked(), 1, "{:?}", world.forge.asked.borrow());
    assert_eq!(world.incident().state, IncidentState::Verifying);
}

/// A push whose run fails, and how its second attempt ends, if there is one; whether there is.
fn push(world: &World, number: u64, second: Status) -> bool {
    let attempt = |number: u64, attempt: u32, status: Status| {
        let mut event = world.run_ended(status, attempt);
        event.commit = Some(format!("{number:040x}"));
        event.correlation.run = Some((RUN + number).to_string());
        world.send(&event);
        world.settle();
    };
    let before = world.changes_asked();
    world.forge.attempt.set(1);
    attempt(number, 1, Status::Failure);
    let again = world.changes_asked() > before;
    if again {
        attempt(number, 2, second);
    }
    world.wait(10 * 60_000);
    again
}

/// No guard stands in the way of trying again and again.
const PATIENT: &str = "[environments.stage]\nmode = \"act\"\ncooldown_s = 0\nattempts_max = 100";

#[test]
fn a_pipeline_that_breaks_with_every_commit_is_soon_not_run_again() {
    let world = World::new(PATIENT);
    let run_again = [1, 2, 3, 4, 5, 6].map(|number| push(&world, number, Status::Failure));
    assert_eq!(run_again, [true, true, true, true, false, false]);
    let incident = world.incident();
    assert_eq!(incident.state, IncidentState::Escalated);
    let told = incident.timeline.iter().filter(|item| item.text.contains("it is not run again: 1 of 1 run"));
    assert_eq!(told.count(), 2, "{:#?}", incident.timeline);
}

#[test]
fn a_flaky_pipeline_is_run_again_and_cured_every_time() {
    let world = World::new(PATIENT);
    let run_again = [1, 2, 3, 4, 5, 6].map(|number| push(&world, number, Status::Success));
    assert_eq!(run_again, [true; 6]);
    assert_eq!(world.incident().state, IncidentState::Resolved);
    assert_eq!(world.changes_asked(), 6);
}
