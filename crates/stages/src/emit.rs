//! Emit: what happened is told to one sink at a time, and tried again on a schedule until it is
//! taken or given up.
//!
//! Every sink has a shard of its own, so that one that is down holds up nobody else's. A delivery
//! that waits is a state field and a timer; when the timer rings it goes into the inbox again with
//! all that is needed to send it. No mark is made before a call: a delivery may reach its sink
//! twice, under the same id.

use homeostat_emit::cdevents::CdEvent;
use homeostat_emit::delivery::{self, Delivery};
use homeostat_emit::schedule::{self, Then};
use homeostat_flow::{
    Action, CallOutcome, Clock, Context, Effects, Input, LookFirst, Opening, Output, Ring, Shard, Stage,
    State, StepError, Timer, Write,
};
use homeostat_schema::{
    config::{Config, Sink},
    time,
};
use serde::{Deserialize, Serialize};

use crate::{entry, name, snapshot::Versioned};

/// Ranking of the deliveries that were given up, `<sink>/<id>`, by when.
pub const UNDELIVERED: &str = "undelivered";
/// The hash of counts: `<sink>:taken`, `<sink>:not-taken`, `<sink>:given-up`.
pub const EMITTED: &str = "emitted";

/// Deliveries listed as given up.
const UNDELIVERED_KEPT: u32 = 10_000;
/// How long one that was given up can be sent again, milliseconds: a month.
const UNDELIVERED_TTL_MS: u64 = 30 * 24 * 3600 * 1000;

/// The key of one delivery that was given up.
pub fn undelivered_key(sink: &str, id: &str) -> String {
    format!("undelivered:{sink}/{id}")
}

/// A delivery that was given up, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The sink's name.
    pub sink: String,
    /// The event's id.
    pub id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How often it was tried.
    pub tries: u32,
    /// Why it was not taken the last time.
    pub error: String,
    /// RFC 3339.
    pub given_up_at: String,
}

/// For the emit stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmitEntry {
    /// Send this; it was tried so often before.
    Send {
        /// What.
        delivery: Delivery,
        /// How often.
        tried: u32,
    },
    /// Send one that was given up again.
    Again {
        /// Which.
        id: String,
    },
}

/// A delivery that is not under way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum Kept {
    Waiting { delivery: Delivery, tried: u32 },
    GivenUp { delivery: Delivery },
}

/// Carries one delivery to its sink. The only I/O, done by who implements it.
pub trait Courier: Clock {
    /// Signs and sends it, and gives up after `timeout_ms`. The status of the answer.
    ///
    /// # Errors
    /// Why there is none, in words safe to show.
    fn deliver(
        &self,
        sink: &Sink,
        delivery: &Delivery,
        timeout_ms: u64,
    ) -> impl Future<Output = Result<u16, String>>;
}

/// How long a sink may take to answer, milliseconds.
pub const DELIVERY_MS_MAX: u64 = 5_000;

/// Tells sinks under one frozen configuration.
pub struct Emit<C> {
    frozen: Versioned,
    courier: C,
}

impl<C: Courier> Emit<C> {
    /// Tells the sinks of this configuration through `courier`.
    pub fn new(frozen: Versioned, courier: C) -> Self {
        Self { frozen, courier }
    }
}

impl<C: Courier> Action for Emit<C> {
    fn stage(&self) -> Stage {
        name::EMIT
    }

    fn open(&self, context: &Context, input: &Input, state: &State) -> Result<Opening, StepError> {
        let kept = read_kept(input, state)?;
        if let Some(timer) = &input.timer {
            return Ok(Opening::Settled(on_timer(context, input, timer, kept)));
        }
        match read(input)? {
            EmitEntry::Again { id } => Ok(Opening::Settled(again(context, &id, kept))),
            EmitEntry::Send { delivery, tried } => match self.frozen.config.sink(&delivery.sink) {
                // Sending twice is allowed, so no mark is needed.
                Some(_) => Ok(Opening::Started),
                None => {
                    let why = "there is no [[sink]] of this name any more";
                    Ok(Opening::Settled(given_up(context, delivery, tried, why)))
                }
            },
        }
    }

    async fn call(&self, input: &Input, _: LookFirst, within_ms: u64) -> CallOutcome {
        let failed = |why: &str| CallOutcome::Failed(why.as_bytes().to_vec());
        let Ok(EmitEntry::Send { delivery, .. }) = read(input) else { return failed("cannot be read") };
        let Some(sink) = self.frozen.config.sink(&delivery.sink) else { return failed("no such sink") };
        let answered = self.courier.deliver(sink, &delivery, within_ms.min(DELIVERY_MS_MAX)).await;
        match answered.map(delivery::judge) {
            Ok(delivery::Outcome::Taken) => CallOutcome::Done(Vec::new()),
            Ok(delivery::Outcome::NotTaken(why)) => failed(&why),
            Err(why) => CallOutcome::Unknown(why.into_bytes()),
        }
    }

    fn close(
        &self,
        context: &Context,
        input: &Input,
        _: &State,
        outcome: &CallOutcome,
    ) -> Result<Effects, StepError> {
        // A timer that is given up comes to nothing here; it is a dead letter of the flow's.
        let EmitEntry::Send { delivery, tried } = read(input)? else { return Ok(Effects::default()) };
        let why = match outcome {
            CallOutcome::Done(_) => return Ok(counted(&delivery.sink, "taken")),
            CallOutcome::Failed(why) | CallOutcome::Unknown(why) => String::from_utf8_lossy(why).into_owned(),
        };
        let tried = tried.saturating_add(1);
        Ok(match schedule::after(tried) {
            Then::Wait(wait_ms) => wait(context, delivery, tried, wait_ms),
            Then::GiveUp => given_up(context, delivery, tried, &why),
        })
    }
}

/// What is to be told, as entries for the sinks.
pub fn for_sinks(config: &Config, told: impl Fn(&Sink) -> Vec<CdEvent>) -> Vec<Output> {
    let of = |sink: &Sink| {
        let deliveries: Vec<_> =
            told(sink).iter().filter_map(|event| Delivery::new(&sink.name, event)).collect();
        deliveries.into_iter().map(|delivery| send(delivery, 0)).collect::<Vec<_>>()
    };
    config.sinks.iter().flat_map(of).collect()
}

/// One that was given up, on its way again.
pub fn send_again(sink: &str, id: &str) -> Output {
    let payload = entry::encode(&EmitEntry::Again { id: id.to_owned() });
    Output {
        stage: name::EMIT,
        shard: Shard::outlet(sink),
        fields: vec![field(id)],
        payload,
        ring: Ring::Now,
    }
}

fn send(delivery: Delivery, tried: u32) -> Output {
    let shard = Shard::outlet(&delivery.sink);
    let payload = entry::encode(&EmitEntry::Send { delivery, tried });
    Output { stage: name::EMIT, shard, fields: Vec::new(), payload, ring: Ring::Now }
}

fn field(id: &str) -> String {
    format!("out:{id}")
}

fn read(input: &Input) -> Result<EmitEntry, StepError> {
    entry::decode(&input.payload).map_err(|error| StepError(error.to_string()))
}

fn read_kept(input: &Input, state: &State) -> Result<Option<Kept>, StepError> {
    let bytes = input.fields.first().and_then(|field| state.get(field));
    bytes.map(|bytes| entry::decode(bytes).map_err(|error| StepError(error.to_string()))).transpose()
}

fn on_timer(context: &Context, input: &Input, timer: &str, kept: Option<Kept>) -> Effects {
    let dropped: Vec<_> = input.fields.iter().map(|field| (field.clone(), None)).collect();
    match kept {
        Some(Kept::Waiting { delivery, tried }) if timer.starts_with(name::AGAIN) => Effects {
            state: dropped,
            outputs: vec![Output { shard: context.shard.clone(), ..send(delivery, tried) }],
            ..Effects::default()
        },
        Some(Kept::GivenUp { .. }) if timer == name::FORGET => {
            Effects { state: dropped, ..Effects::default() }
        }
        // It was sent again since.
        _ => Effects::default(),
    }
}

fn again(context: &Context, id: &str, kept: Option<Kept>) -> Effects {
    let Some(Kept::GivenUp { delivery }) = kept else { return Effects::default() };
    let member = format!("{}/{id}", delivery.sink);
    Effects {
        state: vec![(field(id), None)],
        timers: vec![Timer::Cancel { name: name::FORGET.to_owned(), fields: vec![field(id)] }],
        writes: vec![
            Write::Unrank { key: UNDELIVERED.to_owned(), member },
            Write::Delete { key: undelivered_key(&delivery.sink, id) },
        ],
        outputs: vec![Output { shard: context.shard.clone(), ..send(delivery, 0) }],
        ..Effects::default()
    }
}

fn wait(context: &Context, delivery: Delivery, tried: u32, wait_ms: u64) -> Effects {
    let field = field(&delivery.id);
    let due_ms = context.now_ms.saturating_add(wait_ms);
    let timer = Timer::Set { name: format!("{}{tried}", name::AGAIN), fields: vec![field.clone()], due_ms };
    let mut effects = counted(&delivery.sink, "not-taken");
    effects.state.push((field, Some(entry::encode(&Kept::Waiting { delivery, tried }))));
    effects.timers.push(timer);
    effects
}

fn given_up(context: &Context, delivery: Delivery, tries: u32, why: &str) -> Effects {
    let field = field(&delivery.id);
    let shown = Undelivered {
        sink: delivery.sink.clone(),
        id: delivery.id.clone(),
        kind: delivery.kind.clone(),
        tries,
        error: why.to_owned(),
        given_up_at: time::display(context.now_ms),
    };
    let mut effects = counted(&delivery.sink, "given-up");
    effects.writes.push(Write::Set {
        key: undelivered_key(&delivery.sink, &delivery.id),
        value: entry::encode(&shown),
        ttl_ms: Some(UNDELIVERED_TTL_MS),
    });
    effects.writes.push(Write::Rank {
        key: UNDELIVERED.to_owned(),
        member: format!("{}/{}", delivery.sink, delivery.id),
        score: context.now_ms,
        keep: UNDELIVERED_KEPT,
    });
    effects.timers.push(Timer::Set {
        name: name::FORGET.to_owned(),
        fields: vec![field.clone()],
        due_ms: context.now_ms.saturating_add(UNDELIVERED_TTL_MS),
    });
    effects.state.push((field, Some(entry::encode(&Kept::GivenUp { delivery }))));
    effects
}

fn counted(sink: &str, what: &str) -> Effects {
    let count = Write::Add { key: EMITTED.to_owned(), field: format!("{sink}:{what}"), by: 1 };
    Effects { writes: vec![count], ..Effects::default() }
}
