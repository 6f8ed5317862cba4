//! Sentences of the timeline, and the names things go by.

use homeostat_schema::identity::release_shown as shown;
use homeostat_schema::types::{
    Choice, Decision, Finding, FindingKind, GuardCheck, Health, Incident, Plan, Severity, Verdict,
};

use super::timeline::head;

/// Longest part of an idempotency key that comes from a release's name.
const RELEASE_CHARS_MAX: usize = 128;

/// What a release goes by: its commit, else its version.
pub(super) fn release(finding: &Finding) -> String {
    let name = finding.commit.as_deref().or(finding.version.as_deref()).unwrap_or("unknown");
    head(name, RELEASE_CHARS_MAX)
}

/// What a release is called before people: its version, else its commit.
pub(super) fn release_shown(finding: &Finding) -> &str {
    let name = finding.version.as_deref().or(finding.commit.as_deref());
    name.map_or("an unknown release", shown)
}

/// Made of content alone, so that a replay makes the same.
pub(super) fn idempotency_key(finding: &Finding, remedy: &str, ordinal: u32) -> String {
    format!("{}/{}/{}/{remedy}/{ordinal}", finding.env, finding.service, release(finding))
}

/// Safe as a path segment.
pub(super) fn incident_id(finding: &Finding) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    format!("inc-{}", finding.id.chars().map(legal).collect::<String>())
}

/// Of a finding whose cause is answered at another: where.
pub(super) fn shared(finding: &Finding) -> Option<String> {
    let cause = finding.cause.as_ref().filter(|cause| cause.answered)?;
    Some(format!(
        "one of {} findings of one incident ({}), which is dealt with at another: nobody is told again",
        cause.findings, cause.incident
    ))
}

pub(super) fn title(finding: &Finding) -> String {
    if finding.kind == FindingKind::Disaster {
        return format!("{} in {}", finding.service, finding.env);
    }
    format!("{} of {} {} in {}", finding.kind.name(), finding.service, release_shown(finding), finding.env)
}

pub(super) fn finding(finding: &Finding) -> String {
    format!("{}: {}", title(finding), health(&finding.health))
}

pub(super) fn health(health: &Health) -> String {
    let score = format!("{}, health score {:.0} of 100", verdict(health.verdict), health.score);
    match health.because.first() {
        Some(evidence) => format!("{score}, because {}", evidence.text),
        None => score,
    }
}

pub(super) fn verdict(verdict: Verdict) -> &'static str {
    verdict.name()
}

/// Why this remedy.
pub(super) fn reason(finding: &Finding, choice: &Choice) -> String {
    let allowed: Vec<&str> = choice.allowed.iter().map(|remedy| remedy.name()).collect();
    format!(
        "{} chosen of {} with chance {:.2} by policy version {}, for {}",
        choice.remedy.name(),
        allowed.join(", "),
        choice.propensity,
        choice.policy_version,
        self::finding(finding)
    )
}

pub(super) fn plan(plan: &Plan) -> String {
    let number = plan.replicas.map(|replicas| format!(" to {replicas} replicas")).unwrap_or_default();
    let what = format!("{}{number} on {}", plan.remedy.name(), crate::names::target(&plan.target));
    match plan.decision {
        Decision::Observed => format!("{what}: would be chosen; recorded only (mode observe)"),
        Decision::Suggested => format!("{what}: suggested, not done (mode suggest)"),
        Decision::AwaitingApproval => format!("{what}: waits for approval"),
        Decision::Dispatched if plan.dry_run => {
            format!("{what}: dispatched as a dry run, attempt {}", plan.ordinal)
        }
        Decision::Dispatched => format!("{what}: dispatched, attempt {}", plan.ordinal),
        Decision::HeldBack => format!("{what}: held back by {}", held_by(&plan.guards)),
    }
}

/// The guards that held it back, each with its reason.
pub(super) fn held_by(guards: &[GuardCheck]) -> String {
    let failed = guards.iter().filter(|check| !check.passed);
    let named: Vec<String> =
        failed.map(|check| format!("{} ({})", check.guard.name(), check.reason)).collect();
    named.join(" and ")
}

/// The worse of two.
pub(super) fn worse(a: Severity, b: Severity) -> Severity {
    let rank = |severity: &Severity| match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

pub(super) fn message(incident: &Incident, why: &str) -> String {
    format!("{}. {why}", incident.title)
}
