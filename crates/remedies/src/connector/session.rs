//! One execution of a plan as a conversation, whatever the connector: records every exchange,
//! bounds their number, and keeps a dry run dry.

use homeostat_schema::types::{AttemptResult, Exchange, Plan, Remedy, Request, Target};

use super::github::{Redeploy, Rerun};
use super::kubernetes::{Rollback, ScaleUp};
use super::slack::Notify;
use super::wire::{Call, Effect, Heard, Step};
use super::{ConnectorError, EXCHANGES_MAX, Endpoints, LookFirst, Next, Reply, Report, TransportFailure};
use crate::{names, text};

/// The conversation of each remedy.
#[derive(Debug)]
pub(super) enum Talk {
    Rerun(Rerun),
    Redeploy(Redeploy),
    Rollback(Box<Rollback>),
    ScaleUp(ScaleUp),
    Notify(Notify),
}

impl Talk {
    pub(super) fn open(plan: &Plan, endpoints: &Endpoints, look: LookFirst) -> Result<Self, ConnectorError> {
        match (&plan.remedy, &plan.target) {
            (Remedy::RerunFailedJobs, Target::Github(target)) => {
                Rerun::open(plan, target, &endpoints.github_origin, look).map(Self::Rerun)
            }
            (Remedy::Redeploy, Target::Github(target)) => {
                Redeploy::open(plan, target, &endpoints.github_origin, look).map(Self::Redeploy)
            }
            (Remedy::Rollback, Target::Kubernetes(target)) => {
                let talk = Rollback::open(plan, target, &endpoints.kubernetes_origin, look)?;
                Ok(Self::Rollback(Box::new(talk)))
            }
            (Remedy::ScaleUp, Target::Kubernetes(target)) => {
                ScaleUp::open(plan, target, &endpoints.kubernetes_origin, look).map(Self::ScaleUp)
            }
            (Remedy::Notify, Target::Slack) => {
                Notify::open(plan, &endpoints.slack_origin, look).map(Self::Notify)
            }
            (remedy, target) => Err(ConnectorError::NoConnector {
                remedy: remedy.name().to_owned(),
                target: names::target(target),
            }),
        }
    }

    fn start(&mut self) -> Step {
        match self {
            Self::Rerun(talk) => talk.start(),
            Self::Redeploy(talk) => talk.start(),
            Self::Rollback(talk) => talk.start(),
            Self::ScaleUp(talk) => talk.start(),
            Self::Notify(talk) => talk.start(),
        }
    }

    fn hear(&mut self, heard: Heard) -> Step {
        match self {
            Self::Rerun(talk) => talk.hear(heard),
            Self::Redeploy(talk) => talk.hear(heard),
            Self::Rollback(talk) => talk.hear(heard),
            Self::ScaleUp(talk) => talk.hear(heard),
            Self::Notify(talk) => talk.hear(heard),
        }
    }

    /// The first request that changes something.
    pub(super) fn preview(&self) -> Request {
        match self {
            Self::Rerun(talk) => talk.act().record(),
            Self::Redeploy(talk) => talk.act().record(),
            Self::Rollback(talk) => talk.preview(),
            Self::ScaleUp(talk) => talk.preview(),
            Self::Notify(talk) => talk.act().record(),
        }
    }
}

/// One execution of a plan.
#[derive(Debug)]
pub struct Session {
    talk: Talk,
    dry_run: bool,
    /// The request under way.
    asked: Option<(Request, Effect)>,
    /// Whether something that changes something was sent, and not refused for certain.
    touched: bool,
    exchanges: Vec<Exchange>,
    report: Option<Report>,
}

impl Session {
    /// Opens the conversation of a plan.
    ///
    /// # Errors
    /// [`ConnectorError`] when the plan names what cannot be asked for; nothing was sent, so the
    /// attempt failed for certain.
    pub fn open(plan: &Plan, endpoints: &Endpoints, look_first: LookFirst) -> Result<Self, ConnectorError> {
        Ok(Self {
            talk: Talk::open(plan, endpoints, look_first)?,
            dry_run: plan.dry_run,
            asked: None,
            touched: false,
            exchanges: Vec::new(),
            report: None,
        })
    }

    /// What to do next: `None` to begin, then the reply to the last [`Next::Send`]; `None` there
    /// counts as no answer. Once finished it says the same again.
    pub fn next(&mut self, reply: Option<Reply<'_>>) -> Next {
        if let Some(report) = &self.report {
            return Next::Finished(report.clone());
        }
        let step = match self.asked.take() {
            None => self.talk.start(),
            Some((request, effect)) => {
                let lost = Reply { response: Err(TransportFailure::NoAnswer), took_ms: 0 };
                let reply = reply.unwrap_or(lost);
                self.record(request, &reply);
                let heard = Heard::of(&reply);
                if effect == Effect::Changes && matches!(heard, Heard::Refused(..)) {
                    self.touched = false;
                }
                self.talk.hear(heard)
            }
        };
        match step {
            Step::Send(call) => self.send(&call),
            Step::Done(detail) => self.finish(AttemptResult::Done, &detail),
            Step::Failed(detail) => self.finish(AttemptResult::Failed, &detail),
            Step::Unknown(detail) => self.finish(AttemptResult::Unknown, &detail),
        }
    }

    fn record(&mut self, request: Request, reply: &Reply<'_>) {
        let status = reply.response.map_or(0, |response| response.status().as_u16());
        self.exchanges.push(Exchange { request, status, took: reply.took_ms });
    }

    fn send(&mut self, call: &Call) -> Next {
        if self.dry_run && call.effect == Effect::Changes {
            self.exchanges.push(Exchange { request: call.record(), status: 0, took: 0 });
            let detail = format!("dry run: {} {} was not sent", call.method, call.url);
            return self.finish(AttemptResult::DryRun, &detail);
        }
        if self.exchanges.len() >= EXCHANGES_MAX {
            let detail = format!("gave up after {EXCHANGES_MAX} requests");
            return self.finish(self.undecided(), &detail);
        }
        let Some(outgoing) = call.outgoing() else {
            return self.finish(self.undecided(), "the request could not be built");
        };
        self.touched |= call.effect == Effect::Changes;
        self.asked = Some((call.record(), call.effect));
        Next::Send(outgoing)
    }

    /// Refused for certain as long as nothing that changes something was sent.
    fn undecided(&self) -> AttemptResult {
        if self.touched { AttemptResult::Unknown } else { AttemptResult::Failed }
    }

    fn finish(&mut self, result: AttemptResult, detail: &str) -> Next {
        let exchanges = std::mem::take(&mut self.exchanges);
        let report = Report { result, exchanges, detail: text::line(detail) };
        self.report = Some(report.clone());
        Next::Finished(report)
    }
}
