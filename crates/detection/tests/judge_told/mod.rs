//! Tells a judge a story, and keeps what it says.

use homeostat_detection::judge::{Arm, Decision, Judge, Observation, Settings, Verdict, What};

/// Some time; a multiple of any batch.
const EPOCH_S: u64 = 1_767_225_600;
/// Seconds between two reports.
const STEP_S: u64 = 5;
/// Requests of an arm in one report.
const REQUESTS: u64 = 1_000;

/// In seconds.
pub(crate) fn minutes(minutes: u64) -> u64 {
    60 * minutes
}

/// A judge that is told a story.
pub(crate) struct Told {
    judge: Judge,
    step: u64,
    pub(crate) said: Vec<Decision>,
}

impl Told {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self { judge: Judge::new(settings), step: 0, said: Vec::new() }
    }

    /// Seconds since the story began.
    pub(crate) fn now_s(&self) -> u64 {
        self.step * STEP_S
    }

    /// Errors of the baseline alone, for so long.
    pub(crate) fn history(&mut self, seconds: u64, bad: u64) {
        self.feed(seconds, |_| (Some(bad), None));
    }

    /// The canary says nothing.
    pub(crate) fn baseline(&mut self, seconds: u64, bad: u64) {
        self.history(seconds, bad);
    }

    /// Errors of both, for so long. Each report has a few more or less, so that none is like another.
    pub(crate) fn both(&mut self, seconds: u64, baseline: u64, canary: u64) {
        self.feed(seconds, |step| (Some(varied(baseline, step)), Some(varied(canary, step * 5 + 2))));
    }

    /// Errors as a function of the step.
    pub(crate) fn feed(&mut self, seconds: u64, bad: impl Fn(u64) -> (Option<u64>, Option<u64>)) {
        for _ in 0..seconds / STEP_S {
            let (baseline, canary) = bad(self.step);
            if let Some(bad) = baseline {
                self.counts(Some(Arm::Baseline), bad);
            }
            if let Some(bad) = canary {
                self.counts(Some(Arm::Canary), bad);
            }
            self.step += 1;
        }
    }

    /// Errors of a stream without an arm.
    pub(crate) fn alone(&mut self, seconds: u64, bad: u64) {
        for _ in 0..seconds / STEP_S {
            self.counts(None, varied(bad, self.step));
            self.step += 1;
        }
    }

    /// Latencies, the canary's so many times the baseline's.
    pub(crate) fn latencies(&mut self, seconds: u64, canary: Option<f64>) {
        for _ in 0..seconds / STEP_S {
            let values = |times: f64, salt: u64| -> Vec<f64> {
                (0..100).map(|at| times * latency(self.step * 100 + at + salt)).collect()
            };
            let (usual, slow) = (values(1.0, 0), canary.map(|times| values(times, 7_777)));
            self.sample(Arm::Baseline, usual);
            if let Some(values) = slow {
                self.sample(Arm::Canary, values);
            }
            self.step += 1;
        }
    }

    /// An event every so many seconds, and nothing else.
    pub(crate) fn event(&mut self, event: &str, seconds: u64, every_s: u64) {
        for _ in 0..seconds / every_s {
            self.tell(None, What::Event { event: event.to_owned() });
            self.step += every_s / STEP_S;
        }
    }

    /// Nothing at all.
    pub(crate) fn silence(&mut self, seconds: u64) {
        self.step += seconds / STEP_S;
    }

    pub(crate) fn counts(&mut self, arm: Option<Arm>, bad: u64) {
        self.tell(arm, What::Bernoulli { metric: "errors".to_owned(), bad, total: REQUESTS });
    }

    /// A level of each arm given, for so long; `wobble` is what it moves by.
    pub(crate) fn levels(&mut self, seconds: u64, arms: &[(Option<Arm>, f64)], wobble: f64) {
        for _ in 0..seconds / STEP_S {
            for (salt, (arm, level)) in (1_u64..).zip(arms) {
                let moved = (self.step * 7_919 * salt + 31 * salt) % 101;
                let value = level + wobble * (moved as f64 / 50.0 - 1.0);
                self.tell(*arm, What::Gauge { metric: "queue".to_owned(), value });
            }
            self.step += 1;
        }
    }

    fn sample(&mut self, arm: Arm, values: Vec<f64>) {
        self.tell(Some(arm), What::Sample { metric: "latency_ms".to_owned(), values });
    }

    fn tell(&mut self, arm: Option<Arm>, what: What) {
        let at_ms = (EPOCH_S + self.now_s()) * 1000;
        let observation = Observation { rollout: "r1".to_owned(), at_ms, arm, told_by: None, what };
        self.judge.observe(&observation, &mut |decision| self.said.push(decision));
    }

    /// What was said last.
    pub(crate) fn last(&self) -> &Decision {
        self.said.last().unwrap()
    }

    /// Whether a verdict was never said.
    pub(crate) fn never(&self, verdict: Verdict) -> bool {
        self.said.iter().all(|decision| decision.verdict != verdict)
    }

    /// When a verdict was first said, in seconds since the story began.
    pub(crate) fn at_s(&self, verdict: Verdict) -> u64 {
        let first = self.said.iter().find(|decision| decision.verdict == verdict);
        let first = first.unwrap_or_else(|| panic!("never {verdict:?}: {:?}", self.said.last()));
        homeostat_schema::time::parse(&first.at).unwrap() / 1000 - EPOCH_S
    }
}

/// Between three quarters and five quarters of it.
fn varied(bad: u64, step: u64) -> u64 {
    bad * (3 * 100 + (step * 7_919) % 201) / 400
}

/// Some latency between 20 and 1,000 ms; its logarithm is spread evenly.
fn latency(at: u64) -> f64 {
    let share = (at * 7_919 % 10_007) as f64 / 10_007.0;
    20.0 * 50.0_f64.powf(share)
}
