//! Numbers asked of Prometheus: the steps since the last look, each once.
//!
//! One question after another (`requests`, `errors`, and `latency_ms`, `up`, `queue`, `load` and
//! `replicas` where they are given), over the same steps. Only when all were answered are there numbers: without `errors`
//! nobody could tell "none failed" from "nobody knows". What could not be asked is told as a failed
//! scrape of each step, and asked for again at the next look, as far back as a look goes.
//!
//! What this does not do: judge the numbers, or find out which release an arm runs.
//!
//! Invariants: each step of each arm is one event, however often it is asked for; a number that was
//! not answered is never told.

mod answer;
mod observed;
mod steps;

use homeostat_schema::config::Pull;
use homeostat_schema::types::Event;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::memory::Memory;
use crate::wire::request;
use crate::{Answer, Auth, Next, Origins, Report};
use answer::{NoSamples, Samples, samples};
use observed::Numbers;
use steps::Steps;

pub use steps::STEPS_MAX;

/// The source of what is asked of Prometheus. No sender has this name.
pub const SOURCE: &str = "prometheus";
/// How long Prometheus itself may work on a question, seconds: less than we wait.
const WORK_S: u64 = 4;

/// An event, and the id it must not come twice under.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Of kind observation.
    pub event: Event,
    /// The same for the same pull, step and arm.
    pub dedupe: String,
}

/// One look at one pull's numbers.
#[derive(Debug)]
pub(crate) struct Pulling {
    of: Pull,
    origin: String,
    now_ms: u64,
    steps: Option<Steps>,
    /// What was asked and is not answered yet.
    asked: Option<Question>,
    numbers: Numbers,
    report: Report,
    /// What is remembered once it was taken in.
    until: u64,
    told: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Requests,
    Errors,
    Latency,
    Up,
    Queue,
    Load,
    Replicas,
}

impl Question {
    const ALL: [Self; 7] =
        [Self::Requests, Self::Errors, Self::Latency, Self::Up, Self::Queue, Self::Load, Self::Replicas];

    fn of(self, pull: &Pull) -> Option<&str> {
        match self {
            Self::Requests => Some(&pull.requests),
            Self::Errors => Some(&pull.errors),
            Self::Latency => pull.latency_ms.as_deref(),
            Self::Up => pull.up.as_deref(),
            Self::Queue => pull.queue.as_deref(),
            Self::Load => pull.load.as_deref(),
            Self::Replicas => pull.replicas.as_deref(),
        }
    }
}

impl Pulling {
    pub(crate) fn new(of: &Pull, origins: &Origins, memory: Memory, now_ms: u64) -> Self {
        let (until, told) = (memory.until, memory.told);
        let steps = Steps::after(until, of.step_s.saturating_mul(1000), now_ms);
        Self {
            of: of.clone(),
            origin: origins.prometheus.clone(),
            now_ms,
            steps,
            asked: None,
            numbers: Numbers::default(),
            report: Report { memory, seen: steps.map_or(0, Steps::count), ..Report::default() },
            until,
            told,
        }
    }

    pub(crate) fn next(&mut self, answer: Answer) -> Next {
        // Nothing is complete that was not taken.
        let Some(steps) = self.steps else { return self.finish() };
        match (answer, self.asked) {
            (Answer::Begin, None) => self.ask(Some(Question::Requests), steps),
            (Answer::Response(response), Some(question)) => {
                match samples(response, &self.of, steps, self.now_ms) {
                    Ok(samples) => self.answered(question, samples, steps),
                    Err(no) => self.unanswered(no),
                }
            }
            (Answer::TakenIn(Ok(taken)), _) => {
                self.report.asked = taken;
                self.report.memory.until = self.until;
                self.report.memory.told = self.told;
                self.finish()
            }
            (Answer::TakenIn(Err(why)) | Answer::Failed(why), _) => {
                self.failed(why);
                self.finish()
            }
            _ => {
                self.failed("another answer was expected".to_owned());
                self.finish()
            }
        }
    }

    /// Asks this, or takes in what was answered when nothing is left to ask.
    fn ask(&mut self, question: Option<Question>, steps: Steps) -> Next {
        self.asked = question;
        let Some(expression) = question.and_then(|question| question.of(&self.of)) else {
            return self.take_in(steps);
        };
        match request(Method::GET, &self.origin, &path(expression, steps), Auth::None) {
            Some(outgoing) => Next::Send(outgoing),
            None => {
                let why = "there is no origin to ask: set prometheus_origin".to_owned();
                self.unanswered(NoSamples { why, wait_ms: None })
            }
        }
    }

    fn answered(&mut self, question: Question, samples: Samples, steps: Steps) -> Next {
        match question {
            Question::Requests => self.numbers.requests = samples,
            Question::Errors => self.numbers.errors = samples,
            Question::Latency => self.numbers.latency = samples,
            Question::Up => self.numbers.up = samples,
            Question::Queue => self.numbers.queue = samples,
            Question::Load => self.numbers.load = samples,
            Question::Replicas => self.numbers.replicas = samples,
        }
        let rest = Question::ALL.into_iter().skip_while(|one| *one != question).skip(1);
        let next = rest.into_iter().find(|one| one.of(&self.of).is_some());
        self.ask(next, steps)
    }

    fn take_in(&mut self, steps: Steps) -> Next {
        let seen = observed::seen(&self.of, steps, &self.numbers, self.now_ms);
        self.report.missing = seen.failed;
        self.report.memory.failures = 0;
        if seen.failed > 0 {
            let text =
                format!("no requests are counted, or up is 0, in {} of {} steps", seen.failed, steps.count());
            self.report.problem = Some(text);
        }
        (self.until, self.told) = (steps.last_ms, steps.last_ms);
        Next::Observe(seen.observations)
    }

    /// Tells of each step that nobody saw, once; the numbers may still be had at the next look.
    fn unanswered(&mut self, no: NoSamples) -> Next {
        self.failed(no.why);
        self.report.wait_ms = no.wait_ms;
        let step_ms = self.of.step_s.saturating_mul(1000);
        let Some(steps) = Steps::after(self.until.max(self.told), step_ms, self.now_ms) else {
            return self.finish();
        };
        self.report.missing = steps.count();
        self.told = steps.last_ms;
        Next::Observe(observed::unseen(&self.of, steps, self.now_ms))
    }

    fn failed(&mut self, why: String) {
        self.report.problem = Some(why);
        self.report.memory.failures = self.report.memory.failures.saturating_add(1);
    }

    fn finish(&mut self) -> Next {
        Next::Finished(Box::new(self.report.clone()))
    }
}

/// As text with three digits after the point, so that no float rounds a time.
fn seconds(at_ms: u64) -> String {
    format!("{}.{:03}", at_ms / 1000, at_ms % 1000)
}

fn path(expression: &str, steps: Steps) -> String {
    let query = utf8_percent_encode(expression, NON_ALPHANUMERIC);
    let (start, end, step) = (seconds(steps.first_ms), seconds(steps.last_ms), seconds(steps.step_ms));
    format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}&timeout={WORK_S}s")
}

#[cfg(test)]
mod tests;
