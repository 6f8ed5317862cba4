//! The steps, in an operator's words.

use std::time::Duration;

use homeostat::faults::{BellFault, Calls, Rule, Strike, When};

use homeostat::factors::redis::RESPONSE_TIMEOUT;
use homeostat_flow::Limits;

use crate::scripts::Script;

/// How long the healer waits for a target's answer.
const OUTBOUND_MAX: Duration = Duration::from_millis(Limits::CALLS.call_ms);

/// How a release behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Healthy,
    Failing,
    Slow,
}

/// What becomes of the run of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It fails, and succeeds when it is run again.
    Flaky,
    /// It fails however often it is run.
    Broken,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// `deploy SERVICE RELEASE`: a pipeline brings it there and says so.
    Deploy(String, String),
    /// `send deployment STATUS SERVICE RELEASE`: a pipeline says so.
    Deployment { status: String, service: String, release: String },
    /// `look SERVICE N times`: a probe looks and tells.
    Look(String, usize),
    /// `measure SERVICE 60ms 6% N times`: a probe tells these numbers, whatever runs there.
    Measure { service: String, latency_ms: u32, errors_percent: u32, times: usize },
    /// `run SERVICE`: a flaky run is started, fails, and is told of.
    Run(String),
    /// `push SERVICE COMMIT flaky|broken`: its run is started, fails, and is told of.
    Push { service: String, commit: String, fate: Fate },
    /// `report run SERVICE`: how its run ended by now.
    ReportRun(String),
    /// `RELEASE becomes healthy|failing|slow`.
    Becomes(String, Mood),
    /// `SERVICE runs RELEASE`: waits for it.
    Runs(String, String),
    /// `advance 60s`: the clock, leases and bells; then a tick.
    Advance(Duration),
    /// `tick`.
    Tick,
    /// `approve|reject|resolve SERVICE`.
    Word(String, String),
    /// `approve SERVICE too late`: the answer is 409.
    WordRefused(String, String),
    /// `kill switch on|off`.
    KillSwitch(bool),
    /// `restart redis`.
    RestartRedis,
    /// `flood N forged`: webhooks with a wrong signature.
    FloodForged(usize),
    /// `flood N duplicates SERVICE RELEASE`: one failed deployment, told again and again.
    FloodDuplicates(usize, String, String),
    /// `learned N times`: lessons in the policy, which must be so many.
    Learned(u64),
    /// `clock back 60s`: as a time server sets it.
    ClockBack(Duration),
    /// `alert NAME of SERVICE`: fires for two minutes already, and its webhook was lost.
    Alert(String, String),
    /// `arrived N from SOURCE`: events in the list, which must be so many.
    Arrived(usize, String),
    /// `drain STAGE`: asked for over HTTP.
    Drain(String),
    /// A fault that lies in wait, such as `kill planner before commit`.
    Fault(Rule),
    /// `hold COMPONENT …`: as a fault, until `release`.
    Hold(String, Rule),
    /// `release`.
    Release,
    /// `delay COMPONENT … by 6s`: a hold, in which the clock moves and everything else goes on.
    Delay(Delay),
}

/// A call that takes its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) component: String,
    pub(crate) rule: Rule,
    pub(crate) by: Duration,
}

impl Step {
    /// Reads a line; `None` for what is no step.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let own = |word: &str| word.to_owned();
        Some(match words.as_slice() {
            ["deploy", service, release] => Self::Deploy(own(service), own(release)),
            ["send", "deployment", status, service, release] => {
                Self::Deployment { status: own(status), service: own(service), release: own(release) }
            }
            ["look", service, times, "times"] => Self::Look(own(service), times.parse().ok()?),
            ["measure", service, latency, errors, times, "times"] => Self::Measure {
                service: own(service),
                latency_ms: latency.strip_suffix("ms")?.parse().ok()?,
                errors_percent: errors.strip_suffix('%')?.parse().ok()?,
                times: times.parse().ok()?,
            },
            ["run", service] => Self::Run(own(service)),
            ["push", service, commit, fate] => {
                Self::Push { service: own(service), commit: own(commit), fate: Fate::parse(fate)? }
            }
            ["report", "run", service] => Self::ReportRun(own(service)),
            [release, "becomes", mood] => Self::Becomes(own(release), Mood::parse(mood)?),
            [service, "runs", release] => Self::Runs(own(service), own(release)),
            ["advance", span] => Self::Advance(seconds(span)?),
            ["tick"] => Self::Tick,
            [verb @ ("approve" | "reject" | "resolve"), service] => Self::Word(own(verb), own(service)),
            ["approve", service, "too", "late"] => Self::WordRefused(own("approve"), own(service)),
            ["kill", "switch", "on"] => Self::KillSwitch(true),
            ["kill", "switch", "off"] => Self::KillSwitch(false),
            ["restart", "redis"] => Self::RestartRedis,
            ["flood", many, "forged"] => Self::FloodForged(many.parse().ok()?),
            ["flood", many, "duplicates", service, release] => {
                Self::FloodDuplicates(many.parse().ok()?, own(service), own(release))
            }
            ["learned", times, "times"] => Self::Learned(times.parse().ok()?),
            ["clock", "back", span] => Self::ClockBack(seconds(span)?),
            ["alert", name, "of", service] => Self::Alert(own(name), own(service)),
            ["arrived", many, "from", source] => Self::Arrived(many.parse().ok()?, own(source)),
            ["delay", component, place @ .., "by", span] => {
                Self::Delay(delay(component, place, seconds(span)?)?)
            }
            ["drain", stage] => Self::Drain(own(stage)),
            ["release"] => Self::Release,
            ["hold", component, place @ ..] => {
                let (calls, when, nth) = place_of(place)?;
                Self::Hold(own(component), Rule::call(component, calls, Strike::Hold(when), nth))
            }
            other => Self::Fault(fault(other)?),
        })
    }
}

impl Fate {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "flaky" => Some(Self::Flaky),
            "broken" => Some(Self::Broken),
            _ => None,
        }
    }
}

impl Mood {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "healthy" => Some(Self::Healthy),
            "failing" => Some(Self::Failing),
            "slow" => Some(Self::Slow),
            _ => None,
        }
    }
}

fn fault(words: &[&str]) -> Option<Rule> {
    Some(match words {
        ["kill", component, place @ ..] => {
            let (calls, when, nth) = place_of(place)?;
            Rule::call(component, calls, Strike::Kill(when), nth)
        }
        ["drop", component, "bell"] => Rule::bell(component, BellFault::Drop, 1),
        ["double", component, "bell"] => Rule::bell(component, BellFault::Double, 1),
        ["fail", component, "request", request @ ..] => outbound(component, request, Strike::Fail),
        ["lose", component, "answer", request @ ..] => outbound(component, request, Strike::Lose),
        ["fail", component, script] => redis(component, script, Strike::Fail)?,
        ["lose", component, script] => redis(component, script, Strike::Lose)?,
        _ => return None,
    })
}

/// `request PATCH`, `answer PATCH`, `commit`, `commit 2 of emit`, `reply of commit`. Who waits longer than
/// the limit of such a call has given it up by then.
fn delay(component: &str, words: &[&str], by: Duration) -> Option<Delay> {
    let ((calls, when, nth), limit) = match words {
        ["request", request @ ..] => (place_of(&[&["before", "request"], request].concat())?, OUTBOUND_MAX),
        ["answer", request @ ..] => (place_of(&[&["after", "request"], request].concat())?, OUTBOUND_MAX),
        ["reply", "of", script @ ..] => (place_of(&[&["after"], script].concat())?, RESPONSE_TIMEOUT),
        script => (place_of(&[&["before"], script].concat())?, RESPONSE_TIMEOUT),
    };
    let strike = if by < limit { Strike::Hold(when) } else { Strike::HoldAndLose(when) };
    Some(Delay { component: component.to_owned(), rule: Rule::call(component, calls, strike, nth), by })
}

/// `after fetch`, `before commit`, `before commit 2`, `after commit of emit`, `at call 3`,
/// `at request POST`.
fn place_of(words: &[&str]) -> Option<(Calls, When, usize)> {
    if let [place @ .., "of", stage] = words {
        let (Calls::Redis(mut found), when, nth) = place_of(place)? else { return None };
        found.push(stage.as_bytes().to_vec());
        return Some((Calls::Redis(found), when, nth));
    }
    Some(match words {
        ["at", "call", nth] => (Calls::Any, When::Before, nth.parse().ok()?),
        ["at" | "before", "request", request @ ..] => (Calls::Outbound(request.join(" ")), When::Before, 1),
        ["after", "request", request @ ..] => (Calls::Outbound(request.join(" ")), When::After, 1),
        [when, name] => (calls(name)?, when_of(when)?, 1),
        [when, name, nth] => (calls(name)?, when_of(when)?, nth.parse().ok()?),
        _ => return None,
    })
}

fn when_of(word: &str) -> Option<When> {
    match word {
        "before" => Some(When::Before),
        "after" => Some(When::After),
        _ => None,
    }
}

fn calls(script: &str) -> Option<Calls> {
    let script = match script {
        "fetch" => Script::Fetch,
        "commit" => Script::Commit,
        "ingest" => Script::Ingest,
        _ => return None,
    };
    Some(Calls::Redis(vec![script.digest()]))
}

fn redis(component: &str, script: &str, strike: Strike) -> Option<Rule> {
    Some(Rule::call(component, calls(script)?, strike, 1))
}

fn outbound(component: &str, request: &[&str], strike: Strike) -> Rule {
    Rule::call(component, Calls::Outbound(request.join(" ")), strike, 1)
}

fn seconds(span: &str) -> Option<Duration> {
    span.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_and_what_is_none_is_not() {
        let check = |line: &str, expected: Option<Step>| assert_eq!(Step::parse(line), expected, "{line}");
        let own = str::to_owned;
        check("deploy shop bad", Some(Step::Deploy(own("shop"), own("bad"))));
        check("look shop 3 times", Some(Step::Look(own("shop"), 3)));
        check("advance 60s", Some(Step::Advance(Duration::from_secs(60))));
        let push = |fate| Some(Step::Push { service: own("shop"), commit: own("c1"), fate });
        check("push shop c1 broken", push(Fate::Broken));
        check("push shop c1 flaky", push(Fate::Flaky));
        check("push shop c1", None);
        check("kill switch on", Some(Step::KillSwitch(true)));
        check("release", Some(Step::Release));
        check("clock back 60s", Some(Step::ClockBack(Duration::from_secs(60))));
        let commit = || Calls::Redis(vec![Script::Commit.digest()]);
        let kill = |calls, when, nth| Step::Fault(Rule::call("healer", calls, Strike::Kill(when), nth));
        check("kill healer before commit", Some(kill(commit(), When::Before, 1)));
        check("kill healer after commit 2", Some(kill(commit(), When::After, 2)));
        check("kill healer at call 3", Some(kill(Calls::Any, When::Before, 3)));
        let post = Calls::Outbound("POST /repos".to_owned());
        check("kill healer at request POST /repos", Some(kill(post, When::Before, 1)));
        let of_emit = Calls::Redis(vec![Script::Commit.digest(), b"emit".to_vec()]);
        check("kill healer before commit 2 of emit", Some(kill(of_emit, When::Before, 2)));
        let delay = |calls, strike, seconds| {
            let rule = Rule::call("healer", calls, strike, 1);
            Some(Step::Delay(Delay { component: own("healer"), rule, by: Duration::from_secs(seconds) }))
        };
        let patch = || Calls::Outbound("PATCH".to_owned());
        check("delay healer request PATCH by 8s", delay(patch(), Strike::Hold(When::Before), 8));
        check("delay healer answer PATCH by 8s", delay(patch(), Strike::Hold(When::After), 8));
        check("delay healer answer PATCH by 10s", delay(patch(), Strike::HoldAndLose(When::After), 10));
        check("delay healer commit by 6s", delay(commit(), Strike::Hold(When::Before), 6));
        check("delay healer reply of commit by 6s", delay(commit(), Strike::Hold(When::After), 6));
        for line in [
            "",
            "kill switch",
            "delay healer commit",
            "kill healer at call 1 of emit",
            "clock back",
            "advance 60",
            "look shop",
            "kill healer before",
            "make it so",
        ] {
            check(line, None);
        }
    }
}
