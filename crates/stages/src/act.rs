//! Act: one plan at a time is marked, looked for, carried out, and its result reported.

use homeostat_flow::{
    Action, CallOutcome, Clock, Context, Effects, Input, LookFirst, Opening, Stage, State, StepError, Timer,
};
use homeostat_remedies::{
    connector::{
        self, Endpoints, Next, Outgoing, REQUEST_TIMEOUT_MS, Reply, Report, Session, TransportFailure,
    },
    guards,
};
use homeostat_schema::{
    types::{Attempt, AttemptResult, GuardCheck, Plan},
    wire,
};
use serde::{Deserialize, Serialize};

use crate::{
    entry::{self, ActEntry, PlanEntry},
    log::{self, AttemptBegun, AttemptEnded},
    name,
    snapshot::Versioned,
};

/// How long a finished attempt is remembered, so that a repeated plan finds it done.
const REMEMBERED_MS: u64 = 30 * 24 * 3600 * 1000;

/// What came back from a target, or why nothing did.
pub type Response = Result<http::Response<Vec<u8>>, TransportFailure>;

/// Carries one request to its target. The only I/O of this crate, done by who implements it.
pub trait Carrier: Clock {
    /// Sends with the secret that `outgoing.auth` names, and gives up after `timeout_ms`.
    fn carry(&self, outgoing: Outgoing, timeout_ms: u64) -> impl Future<Output = Response>;
}

/// Carries plans out under one frozen configuration.
pub struct Act<C> {
    frozen: Versioned,
    endpoints: Endpoints,
    carrier: C,
}

/// What is known of an attempt, kept in its state field.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum Mark {
    Started { at: u64 },
    Finished { result: wire::AttemptResult },
}

/// What a call reported, on its way from the call to the commit.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    detail: String,
    exchanges: Vec<wire::Exchange>,
    dry_run: bool,
}

impl<C: Carrier> Act<C> {
    /// Carries plans out through `carrier`.
    pub fn new(frozen: Versioned, endpoints: Endpoints, carrier: C) -> Self {
        Self { frozen, endpoints, carrier }
    }

    async fn run(&self, mut session: Session, within_ms: u64) -> Report {
        let started = self.carrier.elapsed_ms();
        let mut next = session.next(None);
        // Bounded: a session sends at most `connector::EXCHANGES_MAX` requests.
        loop {
            let outgoing = match next {
                Next::Finished(report) => return report,
                Next::Send(outgoing) => outgoing,
            };
            let sent = self.carrier.elapsed_ms();
            let left = within_ms.saturating_sub(sent.saturating_sub(started)).min(REQUEST_TIMEOUT_MS);
            // Without time left nothing is sent: a late call could outlive the lease.
            let response = match left {
                0 => Err(TransportFailure::NotSent),
                _ => self.carrier.carry(outgoing, left).await,
            };
            let took_ms = self.carrier.elapsed_ms().saturating_sub(sent);
            next = session
                .next(Some(Reply { response: response.as_ref().map_err(|failure| *failure), took_ms }));
        }
    }
}

impl<C: Carrier> Action for Act<C> {
    fn stage(&self) -> Stage {
        name::ACT
    }

    fn open(&self, context: &Context, input: &Input, state: &State) -> Result<Opening, StepError> {
        if input.timer.as_deref() == Some(name::FORGET) {
            return Ok(Opening::Settled(forget(input)));
        }
        let plan = read_plan(input)?;
        match read_mark(&plan, state)? {
            Some(Mark::Finished { .. }) => Ok(Opening::Settled(Effects::default())),
            Some(Mark::Started { .. }) => Ok(Opening::Started),
            None => Ok(self.open_new(context, &plan)),
        }
    }

    async fn call(&self, input: &Input, look_first: LookFirst, within_ms: u64) -> CallOutcome {
        let Ok(plan) = read_plan(input) else {
            return CallOutcome::Failed(account("the plan cannot be read", Vec::new(), false));
        };
        let look = match look_first {
            LookFirst::No => connector::LookFirst::No,
            LookFirst::Yes => connector::LookFirst::Yes,
        };
        match Session::open(&plan, &self.endpoints, look) {
            Ok(session) => outcome_of(self.run(session, within_ms).await),
            Err(error) => CallOutcome::Failed(account(&error.to_string(), Vec::new(), false)),
        }
    }

    fn close(
        &self,
        context: &Context,
        input: &Input,
        state: &State,
        outcome: &CallOutcome,
    ) -> Result<Effects, StepError> {
        let plan = read_plan(input)?;
        let started_at = match read_mark(&plan, state)? {
            Some(Mark::Finished { .. }) => return Ok(Effects::default()),
            Some(Mark::Started { at }) => at,
            None => context.now_ms,
        };
        Ok(finish(context, &plan, started_at, outcome))
    }
}

impl<C> Act<C> {
    fn open_new(&self, context: &Context, plan: &Plan) -> Opening {
        let checks = guards::recheck(plan, &self.frozen.config, context.now_ms);
        if let Some(held) = checks.iter().find(|check| !check.passed) {
            let outcome = CallOutcome::Failed(account(&held_back(held), Vec::new(), false));
            return Opening::Settled(finish(context, plan, context.now_ms, &outcome));
        }
        let mark = entry::encode(&Mark::Started { at: context.now_ms });
        let state = vec![(name::attempt_field(&plan.idempotency_key), Some(mark))];
        let notes = vec![log::line(&AttemptBegun::of(plan))];
        Opening::Mark(Effects { state, notes, ..Effects::default() })
    }
}

fn held_back(check: &GuardCheck) -> String {
    format!("held back before the call: {}", check.reason)
}

fn read_plan(input: &Input) -> Result<Plan, StepError> {
    match entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))? {
        ActEntry::Plan(plan) => Ok(plan.into()),
    }
}

fn read_mark(plan: &Plan, state: &State) -> Result<Option<Mark>, StepError> {
    let Some(bytes) = state.get(&name::attempt_field(&plan.idempotency_key)) else { return Ok(None) };
    entry::decode(bytes).map(Some).map_err(|error| StepError(error.to_string()))
}

fn forget(input: &Input) -> Effects {
    Effects { state: input.fields.iter().map(|field| (field.clone(), None)).collect(), ..Effects::default() }
}

fn account(detail: &str, exchanges: Vec<wire::Exchange>, dry_run: bool) -> Vec<u8> {
    entry::encode(&Account { detail: detail.to_owned(), exchanges, dry_run })
}

fn outcome_of(report: Report) -> CallOutcome {
    let dry_run = report.result == AttemptResult::DryRun;
    let exchanges = report.exchanges.into_iter().map(Into::into).collect();
    let account = account(&report.detail, exchanges, dry_run);
    match report.result {
        AttemptResult::Done | AttemptResult::DryRun => CallOutcome::Done(account),
        AttemptResult::Failed => CallOutcome::Failed(account),
        AttemptResult::Unknown => CallOutcome::Unknown(account),
    }
}

fn finish(context: &Context, plan: &Plan, started_at: u64, outcome: &CallOutcome) -> Effects {
    let (bytes, result) = match outcome {
        CallOutcome::Done(bytes) => (bytes, AttemptResult::Done),
        CallOutcome::Failed(bytes) => (bytes, AttemptResult::Failed),
        CallOutcome::Unknown(bytes) => (bytes, AttemptResult::Unknown),
    };
    let account: Account = entry::decode(bytes).unwrap_or_else(|_| Account {
        detail: "the attempt was given up: its workers died over it".to_owned(),
        ..Account::default()
    });
    let result = if account.dry_run { AttemptResult::DryRun } else { result };
    let attempt = Attempt {
        id: plan.idempotency_key.clone(),
        plan: plan.id.clone(),
        incident: plan.incident.clone(),
        env: plan.env.clone(),
        service: plan.service.clone(),
        remedy: plan.remedy.clone(),
        attempt_result: result,
        exchanges: account.exchanges.into_iter().map(Into::into).collect(),
        detail: account.detail,
        started_at,
        ended_at: context.now_ms,
    };
    report(context, plan, attempt)
}

fn report(context: &Context, plan: &Plan, attempt: Attempt) -> Effects {
    let field = name::attempt_field(&plan.idempotency_key);
    let mark = Mark::Finished { result: attempt.attempt_result };
    let notes = vec![log::line(&AttemptEnded::of(&attempt))];
    let entry = PlanEntry::Attempt(attempt.into());
    Effects {
        outputs: vec![entry::for_plan(&entry, &plan.env, &plan.service, context.shard.clone())],
        timers: vec![Timer::Set {
            name: name::FORGET.to_owned(),
            fields: vec![field.clone()],
            due_ms: context.now_ms.saturating_add(REMEMBERED_MS),
        }],
        state: vec![(field, Some(entry::encode(&mark)))],
        notes,
        ..Effects::default()
    }
}
