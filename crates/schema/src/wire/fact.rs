//! One fact of a timeline: `{"kind":"finding","finding":{…}}`, `{"kind":"note"}`.

use serde::{Deserialize, Serialize};

use super::act::{Attempt, Outcome};
use super::incident::OperatorWord;
use super::judge::Finding;
use super::mirror::{Mirror, tie};
use super::plan::Plan;
use crate::types;

/// JSON form of [`types::TimelineFact`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub enum TimelineFact {
    /// The detector found something.
    Finding(Finding),
    /// A remedy was chosen.
    Plan(Plan),
    /// A remedy was carried out.
    Attempt(Attempt),
    /// An attempt was verified.
    Outcome(Outcome),
    /// A person said something.
    Operator(OperatorWord),
    /// The text of the item says it all.
    Note,
}

impl TimelineFact {
    /// What kind of item it is, in a word for people.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Finding(_) => "found",
            Self::Plan(_) => "plan",
            Self::Attempt(_) => "attempt",
            Self::Outcome(_) => "outcome",
            Self::Operator(_) => "operator",
            Self::Note => "note",
        }
    }
}

impl From<types::TimelineFact> for TimelineFact {
    fn from(value: types::TimelineFact) -> Self {
        match value {
            types::TimelineFact::Finding(finding) => Self::Finding(finding.mirror()),
            types::TimelineFact::Plan(plan) => Self::Plan(plan.mirror()),
            types::TimelineFact::Attempt(attempt) => Self::Attempt(attempt.mirror()),
            types::TimelineFact::Outcome(outcome) => Self::Outcome(outcome.mirror()),
            types::TimelineFact::Operator(word) => Self::Operator(word.mirror()),
            types::TimelineFact::Note => Self::Note,
        }
    }
}

impl From<TimelineFact> for types::TimelineFact {
    fn from(form: TimelineFact) -> Self {
        match form {
            TimelineFact::Finding(finding) => Self::Finding(finding.mirror()),
            TimelineFact::Plan(plan) => Self::Plan(plan.mirror()),
            TimelineFact::Attempt(attempt) => Self::Attempt(attempt.mirror()),
            TimelineFact::Outcome(outcome) => Self::Outcome(outcome.mirror()),
            TimelineFact::Operator(word) => Self::Operator(word.mirror()),
            TimelineFact::Note => Self::Note,
        }
    }
}

tie!(TimelineFact);

/// The tagged object. A struct and not a tagged enum, so that an error names the whole path.
#[derive(Default, Serialize, Deserialize)]
struct Form {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finding: Option<Finding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<Attempt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operator: Option<OperatorWord>,
}

impl From<TimelineFact> for Form {
    fn from(fact: TimelineFact) -> Self {
        let form = |kind: &str| Self { kind: kind.to_owned(), ..Self::default() };
        match fact {
            TimelineFact::Finding(finding) => Self { finding: Some(finding), ..form("finding") },
            TimelineFact::Plan(plan) => Self { plan: Some(plan), ..form("plan") },
            TimelineFact::Attempt(attempt) => Self { attempt: Some(attempt), ..form("attempt") },
            TimelineFact::Outcome(outcome) => Self { outcome: Some(outcome), ..form("outcome") },
            TimelineFact::Operator(word) => Self { operator: Some(word), ..form("operator") },
            TimelineFact::Note => form("note"),
        }
    }
}

impl TryFrom<Form> for TimelineFact {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let missing = || format!("kind is `{0}` but the field `{0}` is missing", form.kind);
        match form.kind.as_str() {
            "finding" => form.finding.map(Self::Finding).ok_or_else(missing),
            "plan" => form.plan.map(Self::Plan).ok_or_else(missing),
            "attempt" => form.attempt.map(Self::Attempt).ok_or_else(missing),
            "outcome" => form.outcome.map(Self::Outcome).ok_or_else(missing),
            "operator" => form.operator.map(Self::Operator).ok_or_else(missing),
            "note" => Ok(Self::Note),
            kind => Err(format!(
                "unknown kind `{kind}`, expected one of finding, plan, attempt, outcome, operator, note"
            )),
        }
    }
}
