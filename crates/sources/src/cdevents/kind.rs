//! What a CDEvents type means.

use homeostat_schema::types::{EventKind, Status};

use super::body::Content;

/// The subjects whose predicates say that something was done: deployed, merged, published.
const DONE: &[&str] =
    &["artifact", "branch", "change", "environment", "repository", "service", "testoutput", "ticket"];

/// A type without its version.
pub(super) struct Type {
    /// `service`; empty for a type of another domain, which is all in `predicate`.
    pub(super) subject: String,
    predicate: String,
}

impl Type {
    /// Of `dev.cdevents.service.deployed.0.3.0`, `dev.cdeventsx.tool-subject.predicate.0.1.0` or
    /// `com.example.subject.predicate.0.1.0`. `None` when nothing is left without the version.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = unversioned(name);
        let (standard, rest) = match name.strip_prefix("dev.cdevents.") {
            Some(rest) => (true, rest),
            None => (false, name.strip_prefix("dev.cdeventsx.").unwrap_or(name)),
        };
        match rest.rsplit_once('.') {
            Some((subject, predicate)) if standard => {
                Some(Self { subject: subject.to_owned(), predicate: predicate.to_owned() })
            }
            _ if rest.is_empty() => None,
            _ => Some(Self { subject: String::new(), predicate: rest.to_owned() }),
        }
    }

    /// `service.deployed`.
    pub(super) fn name(&self) -> String {
        match self.subject.as_str() {
            "" => self.predicate.clone(),
            subject => format!("{subject}.{}", self.predicate),
        }
    }

    /// Whether it is a state of something that begins and ends once.
    pub(super) fn is_run(&self) -> bool {
        matches!(self.subject.as_str(), "build" | "pipelinerun" | "taskrun" | "testcaserun" | "testsuiterun")
    }

    pub(super) fn family(&self) -> EventKind {
        match (self.subject.as_str(), self.predicate.as_str()) {
            ("build" | "pipelinerun" | "testsuiterun", _) => EventKind::Run,
            ("taskrun" | "testcaserun", _) => EventKind::Job,
            ("service", "deployed" | "upgraded") => EventKind::Deployment,
            ("service", "rolledback") => EventKind::Rollback,
            ("incident", _) => EventKind::Alert,
            ("artifact", "published") => EventKind::Release,
            ("change", _) => EventKind::Change,
            _ => EventKind::Other(self.name()),
        }
    }

    pub(super) fn outcome(&self, content: &Content) -> Status {
        match (self.subject.as_str(), self.predicate.as_str()) {
            ("incident", "resolved") => Status::Resolved,
            ("incident", _) => Status::Firing,
            // A person has to look at it before it goes on.
            ("change", "created" | "updated" | "reviewed") => Status::Waiting,
            ("change", "abandoned") => Status::Cancelled,
            (_, "queued") => Status::Queued,
            (_, "started") => Status::Running,
            (_, "skipped") => Status::Skipped,
            ("build", "finished") if content.outcome.as_str().is_none() => built(content),
            (_, "finished") => content.outcome.as_str().map_or(Status::Unknown, outcome),
            (subject, _) if DONE.contains(&subject) => Status::Success,
            _ => Status::Unknown,
        }
    }
}

/// No version of CDEvents so far gives a build an outcome; one that made an artifact worked.
fn built(content: &Content) -> Status {
    match content.artifact_id.as_str() {
        Some(_) => Status::Success,
        None => Status::Unknown,
    }
}

fn outcome(name: &str) -> Status {
    match name {
        "success" => Status::Success,
        "failure" | "error" => Status::Failure,
        "cancel" | "canceled" | "cancelled" => Status::Cancelled,
        "skip" | "skipped" => Status::Skipped,
        other => Status::named(other),
    }
}

/// Without the three numbers at the end, the last of which may have a suffix: `0.3.0-draft`.
fn unversioned(name: &str) -> &str {
    let parts: Vec<(usize, &str)> = name.rmatch_indices('.').take(3).collect();
    let Some((at, _)) = parts.last().filter(|_| parts.len() == 3) else { return name };
    let (rest, version) = name.split_at(*at);
    let mut numbers = version.split('.').skip(1);
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let all = numbers.all(|part| numeric(part.split(['-', '+']).next().unwrap_or_default()));
    if all { rest } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lose_their_version_whatever_it_is() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(Type::parse(name).map(|kind| kind.name()).as_deref(), expected, "{name}");
        };
        check("dev.cdevents.service.deployed.0.3.0", Some("service.deployed"));
        check("dev.cdevents.service.deployed.99.0.1", Some("service.deployed"));
        check("dev.cdevents.service.deployed.0.4.0-draft", Some("service.deployed"));
        check("dev.cdeventsx.mytool-resource.created.0.1.0", Some("mytool-resource.created"));
        check("com.example.probes.ping.0.1.0", Some("com.example.probes.ping"));
        check("dev.cdevents.service.deployed", Some("service.deployed"));
        check("ping", Some("ping"));
        check("0.1.0", Some("0.1.0"));
        check("", None);
        check("dev.cdevents.", None);
    }

    #[test]
    fn predicates_and_outcomes_map() {
        let check = |name: &str, json: &str, kind: EventKind, status: Status| {
            let content: Content = serde_json::from_str(json).unwrap();
            let parsed = Type::parse(name).unwrap();
            assert_eq!((parsed.family(), parsed.outcome(&content)), (kind, status), "{name} {json}");
        };
        let none = "{}";
        check("dev.cdevents.service.rolledback.0.3.0", none, EventKind::Rollback, Status::Success);
        check("dev.cdevents.service.upgraded.0.3.0", none, EventKind::Deployment, Status::Success);
        check("dev.cdevents.incident.resolved.0.3.0", none, EventKind::Alert, Status::Resolved);
        check(
            "dev.cdevents.testsuiterun.finished.0.3.0",
            "{\"outcome\":\"error\"}",
            EventKind::Run,
            Status::Failure,
        );
        check(
            "dev.cdevents.pipelinerun.finished.0.3.0",
            "{\"outcome\":\"cancel\"}",
            EventKind::Run,
            Status::Cancelled,
        );
        check("dev.cdevents.pipelinerun.finished.0.3.0", none, EventKind::Run, Status::Unknown);
        check("dev.cdevents.build.finished.0.3.0", none, EventKind::Run, Status::Unknown);
        check(
            "dev.cdevents.build.finished.0.3.0",
            "{\"artifactId\":\"pkg:a/b@1\"}",
            EventKind::Run,
            Status::Success,
        );
        let custom = EventKind::Other("mytool-thing.broke".to_owned());
        check("dev.cdeventsx.mytool-thing.broke.0.1.0", none, custom, Status::Unknown);
        let unknown = EventKind::Other("rocket.launched".to_owned());
        check("dev.cdevents.rocket.launched.1.0.0", none, unknown, Status::Unknown);
    }
}
