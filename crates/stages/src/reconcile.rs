//! Reconcile: senders are asked from time to time what they sent, and Prometheus for numbers.
//!
//! A timer for each `[[reconcile]]` and `[[pull]]` puts a look into the inbox, with what is
//! remembered of the one before; the look is the call; its result is remembered, shown, and sets
//! the next timer. An entry sets the timers when a configuration was applied.

use homeostat_flow::{
    Action, CallOutcome, Clock, Context, Effects, Input, LookFirst, Opening, Output, Ring, Shard, Stage,
    State, StepError, Timer, Write,
};
use homeostat_reconcile::{
    Answer, Look, Memory, Next, Observation, Origins, Outgoing, REQUEST_TIMEOUT_MS, Report, Silence,
};
use homeostat_schema::config::Ask;
use homeostat_schema::types::{
    Correlation, Evidence, Finding, FindingKind, Health, Severity, Trust, Verdict,
};
use homeostat_schema::{id, time};
use serde::{Deserialize, Serialize};

use crate::{
    entry::{self, PlanEntry},
    name,
    snapshot::Versioned,
    subject::Subject,
};

/// The hash of what each reconciler last found, by its id.
pub const RECONCILERS: &str = "reconcilers";
/// The hash of counts: `<id>:missing`, `<id>:asked`, `<id>:given-up`, `<id>:failed`.
pub const RECONCILED: &str = "reconciled";

/// For the reconcile stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReconcileEntry {
    /// A configuration was applied.
    Configured,
    /// Look, with what is remembered.
    Look {
        /// The reconciler's id; that of a pull after `pull/`.
        id: String,
        /// The store's clock, milliseconds since the epoch.
        now_ms: u64,
        /// As stored; nothing at the first look.
        memory: Option<String>,
    },
}

/// What a reconciler last found, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// RFC 3339.
    pub looked_at: String,
    /// Deliveries, alerts or steps that were looked at.
    pub seen: usize,
    /// Those that had not arrived; steps that nobody saw.
    pub missing: usize,
    /// Those asked for again, or taken in; observations.
    pub asked: usize,
    /// Those not asked for any more.
    pub given_up: usize,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Does what a look needs done. The only I/O, done by who implements it.
pub trait Errands: Clock {
    /// Sends with the secret that `outgoing.auth` names, and gives up after `timeout_ms`.
    ///
    /// # Errors
    /// Why there is no response, in words safe to show.
    fn carry(
        &self,
        outgoing: Outgoing,
        timeout_ms: u64,
    ) -> impl Future<Output = Result<http::Response<Vec<u8>>, String>>;

    /// Which of these deliveries of the source arrived.
    ///
    /// # Errors
    /// Why nobody can say.
    fn arrived(&self, source: &str, deliveries: &[String])
    -> impl Future<Output = Result<Vec<bool>, String>>;

    /// Takes a body in as if the source had sent it; how many events it was.
    ///
    /// # Errors
    /// Why it could not be.
    fn take_in(&self, source: &str, body: Vec<u8>) -> impl Future<Output = Result<usize, String>>;

    /// Takes observations of our own in, each once; how many were new.
    ///
    /// # Errors
    /// Why not all could be; taking all in again is safe.
    fn observe(&self, observations: Vec<Observation>) -> impl Future<Output = Result<usize, String>>;

    /// When events of the source came, later than this.
    ///
    /// # Errors
    /// Why nobody can say.
    fn came(&self, source: &str, after_ms: u64) -> impl Future<Output = Result<Vec<u64>, String>>;
}

/// Asks senders under one frozen configuration.
pub struct Reconcile<E> {
    frozen: Versioned,
    origins: Origins,
    errands: E,
}

/// What a look reported, on its way to the commit.
#[derive(Default, Serialize, Deserialize)]
struct Account {
    memory: Option<String>,
    found: Option<Found>,
    failures: u32,
    wait_ms: Option<u64>,
    silent_since_ms: Option<u64>,
    usual_ms: u64,
}

impl<E: Errands> Reconcile<E> {
    /// Asks as this configuration says, at these origins.
    pub fn new(frozen: Versioned, origins: Origins, errands: E) -> Self {
        Self { frozen, origins, errands }
    }

    async fn look(&self, mut look: Look, source: &str, within_ms: u64) -> Report {
        let started = self.errands.elapsed_ms();
        let mut next = look.next(Answer::Begin);
        // Bounded: a look sends at most `EXCHANGES_MAX` requests, and none without time left.
        loop {
            let answer = match next {
                Next::Finished(report) => return *report,
                Next::Send(outgoing) => {
                    let used_ms = self.errands.elapsed_ms().saturating_sub(started);
                    let left_ms = within_ms.saturating_sub(used_ms).min(REQUEST_TIMEOUT_MS);
                    Answer::Response(match left_ms {
                        0 => Err("no time was left for this look".to_owned()),
                        _ => self.errands.carry(outgoing, left_ms).await,
                    })
                }
                Next::Compare(ids) => {
                    self.errands.arrived(source, &ids).await.map_or_else(Answer::Failed, Answer::Arrived)
                }
                Next::TakeIn(body) => Answer::TakenIn(self.errands.take_in(source, body).await),
                Next::Observe(observations) => Answer::TakenIn(self.errands.observe(observations).await),
                Next::Recall { after_ms } => {
                    self.errands.came(source, after_ms).await.map_or_else(Answer::Failed, Answer::Came)
                }
            };
            next = look.next(answer);
        }
    }

    fn set_all(&self, context: &Context) -> Effects {
        let all = Subject::all(&self.frozen.config);
        let timers = all.map(|one| timer(&one.key(), context.now_ms));
        Effects { timers: timers.collect(), ..Effects::default() }
    }

    /// A timer fell due: the look itself is an entry, which carries what it needs.
    fn on_timer(&self, context: &Context, timer: &str, state: &State) -> Effects {
        let id = timer.strip_prefix(name::LOOK).unwrap_or_default();
        let field = field(id);
        if Subject::of(&self.frozen.config, id).is_none() {
            return Effects { state: vec![(field, None)], ..Effects::default() };
        }
        let memory = state.get(&field).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let look = ReconcileEntry::Look { id: id.to_owned(), now_ms: context.now_ms, memory };
        let output = Output {
            stage: name::RECONCILE,
            shard: context.shard.clone(),
            fields: Vec::new(),
            payload: entry::encode(&look),
            ring: Ring::Now,
        };
        Effects { outputs: vec![output], ..Effects::default() }
    }
}

impl<E: Errands> Action for Reconcile<E> {
    fn stage(&self) -> Stage {
        name::RECONCILE
    }

    fn open(&self, context: &Context, input: &Input, state: &State) -> Result<Opening, StepError> {
        if let Some(timer) = &input.timer {
            return Ok(Opening::Settled(self.on_timer(context, timer, state)));
        }
        Ok(match read(input)? {
            ReconcileEntry::Configured => Opening::Settled(self.set_all(context)),
            ReconcileEntry::Look { id, .. } => match Subject::of(&self.frozen.config, &id) {
                // To ask twice is harmless, so no mark is needed.
                Some(_) => Opening::Started,
                None => Opening::Settled(Effects::default()),
            },
        })
    }

    async fn call(&self, input: &Input, _: LookFirst, within_ms: u64) -> CallOutcome {
        let Ok(ReconcileEntry::Look { id, now_ms, memory }) = read(input) else {
            return CallOutcome::Failed(Vec::new());
        };
        let Some(of) = Subject::of(&self.frozen.config, &id) else { return CallOutcome::Failed(Vec::new()) };
        // What cannot be read is begun anew: looking again at what was looked at does no harm.
        let memory = Memory::decode(memory.as_deref().map(str::as_bytes)).unwrap_or_default();
        let look = of.look(memory, &self.origins, now_ms);
        let report = self.look(look, of.source(), within_ms).await;
        CallOutcome::Done(entry::encode(&account(&report, now_ms)))
    }

    fn close(
        &self,
        context: &Context,
        input: &Input,
        _: &State,
        outcome: &CallOutcome,
    ) -> Result<Effects, StepError> {
        let ReconcileEntry::Look { id, .. } = read(input)? else { return Ok(Effects::default()) };
        let Some(of) = Subject::of(&self.frozen.config, &id) else { return Ok(Effects::default()) };
        let account: Account = match outcome {
            CallOutcome::Done(bytes) => entry::decode(bytes).map_err(|error| StepError(error.to_string()))?,
            // Its workers were lost: the next look goes on from what was remembered.
            CallOutcome::Failed(_) | CallOutcome::Unknown(_) => Account { failures: 1, ..Account::default() },
        };
        Ok(self.closed(context, of, account))
    }
}

impl<E> Reconcile<E> {
    fn closed(&self, context: &Context, of: Subject<'_>, account: Account) -> Effects {
        let key = of.key();
        let wait_ms = account.wait_ms.unwrap_or(0).max(of.patience_ms(account.failures));
        let mut effects = Effects {
            timers: vec![timer(&key, context.now_ms.saturating_add(wait_ms))],
            state: account
                .memory
                .into_iter()
                .map(|memory| (field(&key), Some(memory.into_bytes())))
                .collect(),
            ..Effects::default()
        };
        if let Some(found) = account.found {
            effects.writes = shown(&key, &found);
        }
        if let (Some(since_ms), Subject::Sender(of)) = (account.silent_since_ms, of)
            && let Ask::Rhythm { env, .. } = &of.ask
        {
            let silence = Silence { since_ms, usual_ms: account.usual_ms };
            effects.outputs.push(self.finding(context, &of.source, env, silence));
        }
        effects
    }

    fn finding(&self, context: &Context, source: &str, env: &str, silence: Silence) -> Output {
        let service = format!("source/{source}");
        let finding = silent(&service, env, silence, context.now_ms, self.frozen.version);
        let shard = name::shard_of_service(&service, name::SHARDS_DEFAULT);
        entry::for_plan(&PlanEntry::Finding(finding.into()), env, &service, shard)
    }
}

/// Has the timers set by the configuration that was applied as this version.
pub fn configured(version: u64) -> (Output, String) {
    let payload = entry::encode(&ReconcileEntry::Configured);
    let output = Output {
        stage: name::RECONCILE,
        shard: Shard::global(),
        fields: Vec::new(),
        payload,
        ring: Ring::Now,
    };
    (output, format!("reconcile:configured:{version}"))
}

fn read(input: &Input) -> Result<ReconcileEntry, StepError> {
    entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))
}

fn field(id: &str) -> String {
    format!("rec:{id}")
}

/// Setting it again moves it, so that each reconciler has one.
fn timer(id: &str, due_ms: u64) -> Timer {
    Timer::Set { name: format!("{}{id}", name::LOOK), fields: vec![field(id)], due_ms }
}

fn account(report: &Report, now_ms: u64) -> Account {
    Account {
        memory: String::from_utf8(report.memory.encode()).ok(),
        found: Some(Found {
            looked_at: time::display(now_ms),
            seen: report.seen,
            missing: report.missing,
            asked: report.asked,
            given_up: report.given_up,
            problem: report.problem.clone(),
        }),
        failures: report.memory.failures(),
        wait_ms: report.wait_ms,
        silent_since_ms: report.silence.map(|silence| silence.since_ms),
        usual_ms: report.silence.map_or(0, |silence| silence.usual_ms),
    }
}

fn shown(id: &str, found: &Found) -> Vec<Write> {
    let last =
        Write::HashSet { key: RECONCILERS.to_owned(), field: id.to_owned(), value: entry::encode(found) };
    let counts = [
        ("asked", found.asked),
        ("given-up", found.given_up),
        ("failed", usize::from(found.problem.is_some())),
    ];
    let counts = counts.into_iter().filter(|(_, many)| *many > 0).map(|(what, many)| Write::Add {
        key: RECONCILED.to_owned(),
        field: format!("{id}:{what}"),
        by: i64::try_from(many).unwrap_or(0),
    });
    std::iter::once(last).chain(counts).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds of silence are far below 2^53")]
fn silent(service: &str, env: &str, silence: Silence, now_ms: u64, config_version: u64) -> Finding {
    let (silent_s, usual_s) = (now_ms.saturating_sub(silence.since_ms) / 1000, silence.usual_ms / 1000);
    let text = format!("nothing came for {silent_s} s, and at most {usual_s} s between two events is usual");
    let evidence = Evidence {
        metric: "silence".to_owned(),
        observed: silent_s as f64,
        bound: usual_s as f64,
        unit: "s".to_owned(),
        samples: 1,
        text,
        events: Vec::new(),
    };
    let kind = FindingKind::Blind;
    Finding {
        id: id::finding(env, service, &kind, &silence.since_ms.to_string()),
        kind,
        severity: Severity::Warning,
        env: env.to_owned(),
        service: service.to_owned(),
        version: None,
        commit: None,
        last_good: None,
        health: Health { verdict: Verdict::Blind, score: 0.0, because: vec![evidence] },
        correlation: Correlation { run: None, run_attempt: None, deployment: None, pull_request: None },
        // Our own: it rests on no event that could be forged, but on none at all.
        trust: Trust { signed: true, fresh: true, fork: false, self_: false, late: false, test: false },
        irreversible: false,
        found_at: now_ms,
        config_version,
        plot: None,
        cause: None,
    }
}
