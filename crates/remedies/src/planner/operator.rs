//! An operator's word: approve, reject, resolve.

use homeostat_schema::types::{OperatorVerb, OperatorWord, Plan, TimelineFact};

use super::case::{Hands, Open, Stage};
use super::desk::Desk;
use super::words;
use crate::text;

/// Of who said it.
const WHO_CHARS_MAX: usize = 80;

impl Desk<'_> {
    /// A word on another incident, or on one that is closed, changes nothing.
    pub(super) fn operator(&mut self, mut open: Open, word: &OperatorWord) -> Open {
        if word.incident != open.incident.id {
            return open;
        }
        let word = OperatorWord {
            who: text::cut(&text::scrubbed(&word.who), WHO_CHARS_MAX),
            why: text::scrubbed(&word.why),
            ..word.clone()
        };
        let said = format!("{} said {}: {}", word.who, word.verb.name(), word.why);
        self.item(&mut open, &said, TimelineFact::Operator(word.clone()));
        match (word.verb, open.stage.clone()) {
            (OperatorVerb::Resolve, _) => self.close(&mut open),
            (OperatorVerb::Approve, Stage::Approval(plan)) => self.approved(&mut open, plan, &word.who),
            (OperatorVerb::Reject, Stage::Approval(plan)) => self.rejected(&mut open, &plan, &word.who),
            (OperatorVerb::Approve | OperatorVerb::Reject, _) => {
                self.note(&mut open, "nothing waits for approval here");
            }
        }
        open
    }

    /// The guards are asked again: an hour may have passed.
    fn approved(&mut self, open: &mut Open, plan: Plan, who: &str) {
        if self.too_late(&plan) {
            self.note(open, "the approval came too late");
            return self.approval_expired(open);
        }
        self.submit(open, plan.choice, plan.target, Some(who));
    }

    fn rejected(&mut self, open: &mut Open, plan: &Plan, who: &str) {
        open.tried.insert((words::release(&open.lead), plan.remedy.name().to_owned()));
        self.escalate(open, &format!("{who} rejected {}", plan.remedy.name()));
        open.hands = Hands::Off;
    }
}
