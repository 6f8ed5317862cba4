//! The planner, told as stories and attacked with random ones.

mod capacity;
mod random;
mod reruns;
mod stories;

use homeostat_policy::Policy;
use homeostat_schema::config::Config;
use homeostat_schema::types::{
    Assessment, Attempt, AttemptResult, Finding, Health, Incident, OperatorVerb, OperatorWord, Plan, Remedy,
    Sample, Verdict,
};

use super::{Case, Command, Fact, World, decide};
use crate::connector::Endpoints;
use crate::testing::{START_MS, endpoints, health};

/// A service and its surroundings, with a clock that is turned by hand.
struct Story {
    case: Case,
    now_ms: u64,
    seed: u64,
    config: Config,
    policy: Policy,
    endpoints: Endpoints,
    incident: Option<Incident>,
    dispatched: Vec<Plan>,
    learned: Vec<Sample>,
    timers: Vec<(String, u64)>,
    asked: Vec<String>,
}

impl Story {
    fn new(config: Config) -> Self {
        Self {
            case: Case::default(),
            now_ms: START_MS,
            seed: 7,
            config,
            policy: Policy::default(),
            endpoints: endpoints(),
            incident: None,
            dispatched: Vec::new(),
            learned: Vec::new(),
            timers: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Digests a fact on the case as it is stored and read back.
    fn hears(&mut self, fact: Fact) -> Vec<Command> {
        let case = Case::decode(Some(&self.case.encode())).expect("what was stored can be read");
        assert_eq!(case, self.case);
        self.digests(fact)
    }

    fn digests(&mut self, fact: Fact) -> Vec<Command> {
        let world = World {
            now_ms: self.now_ms,
            seed: self.seed,
            config: &self.config,
            config_version: 1,
            policy: &self.policy,
            endpoints: &self.endpoints,
        };
        let decided = decide(std::mem::take(&mut self.case), fact, &world);
        self.case = decided.case;
        self.incident = decided.incident.or(self.incident.take());
        for command in &decided.commands {
            self.keep(command.clone());
        }
        decided.commands
    }

    fn keep(&mut self, command: Command) {
        match command {
            Command::Dispatch(plan) => self.dispatched.push(plan),
            Command::Learn(sample) => self.learned.push(sample),
            Command::Assess(request) => self.asked.push(request.attempt),
            Command::VerifyAt { attempt, at_ms } => {
                self.timers.retain(|(name, _)| *name != attempt);
                self.timers.push((attempt, at_ms));
            }
        }
    }

    fn finds(&mut self, finding: Finding) -> &mut Self {
        self.hears(Fact::Finding(finding));
        self
    }

    /// The act stage answers the last plan of this remedy.
    fn attempts(&mut self, remedy: &Remedy, result: AttemptResult, detail: &str) -> &mut Self {
        let plan = self.last(remedy);
        self.pass(2);
        let attempt = answer(&plan, result, detail, self.now_ms);
        self.hears(Fact::Attempt(attempt));
        self
    }

    fn last(&self, remedy: &Remedy) -> Plan {
        let plan = self.dispatched.iter().rev().find(|plan| plan.remedy == *remedy);
        plan.expect("a plan of this remedy was dispatched").clone()
    }

    /// Turns the clock to the next timer, lets it ring, and the detector answers if it was asked.
    fn looks(&mut self, verdict: Verdict, score: f64, why: &str) -> &mut Self {
        let health = health(verdict, score, why);
        self.rings();
        let asked = self.asked.pop().expect("the detector was asked");
        self.hears(assessed(&asked, health, self.now_ms));
        self
    }

    fn rings(&mut self) -> &mut Self {
        let index = (0..self.timers.len()).min_by_key(|i| self.timers[*i].1).expect("a timer is set");
        let (attempt, at_ms) = self.timers.remove(index);
        self.now_ms = self.now_ms.max(at_ms);
        self.hears(Fact::VerifyDue { attempt });
        self
    }

    fn says(&mut self, verb: OperatorVerb) -> &mut Self {
        let incident = self.incident.as_ref().expect("there is an incident").id.clone();
        let (who, why) = ("ada".to_owned(), "I looked".to_owned());
        self.hears(Fact::Operator(OperatorWord { incident, verb, who, why, at: self.now_ms }));
        self
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now_ms += seconds * 1000;
        self
    }

    fn incident(&self) -> &Incident {
        self.incident.as_ref().expect("there is an incident")
    }

    /// The incident as a person reads it.
    fn timeline(&self) -> String {
        let incident = self.incident();
        let mut text = format!("{} [{}]\n", incident.title, incident.state.name());
        for item in &incident.timeline {
            text.push_str(&format!("{:>5}s {}\n", (item.at - START_MS) / 1000, item.text));
        }
        text
    }

    fn remedies(&self) -> Vec<&str> {
        self.dispatched.iter().map(|plan| plan.remedy.name()).collect()
    }

    fn rewards(&self) -> Vec<f64> {
        self.learned.iter().map(|sample| sample.reward).collect()
    }
}

fn answer(plan: &Plan, result: AttemptResult, detail: &str, now_ms: u64) -> Attempt {
    Attempt {
        id: plan.idempotency_key.clone(),
        plan: plan.id.clone(),
        incident: plan.incident.clone(),
        env: plan.env.clone(),
        service: plan.service.clone(),
        remedy: plan.remedy.clone(),
        attempt_result: result,
        exchanges: Vec::new(),
        detail: detail.into(),
        started_at: now_ms,
        ended_at: now_ms,
    }
}

fn assessed(attempt: &str, health: Health, now_ms: u64) -> Fact {
    Fact::Assessment(Assessment {
        attempt: attempt.into(),
        incident: String::new(),
        env: "stage".into(),
        service: "shop".into(),
        health,
        at: now_ms,
    })
}
