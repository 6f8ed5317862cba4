//! The store on a real Redis: every operation is one Lua script, called by its digest.
//!
//! What it does not do: it opens no connection; [`Redis`] is a port.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sha1::{Digest, Sha1};

use crate::cell::Cell;
use crate::limits::Bounds;
use crate::name::{Kind, Shard, Stage, counters_key, key, shards_key};
use crate::redis::{Redis, RedisError, Reply};
use crate::said::{Said, Tell};
use crate::seen;
use crate::step::State;
use crate::store::{
    Batch, Commit, Committed, DeadLetter, Fetch, Fetched, Ingest, Ingested, Lag, Release, Released, Replayed,
    Ring, Store, StoreError, TickReport,
};
use crate::wire::{self, Answer, Call};
use crate::{check, fields};

/// A script and the digest Redis knows it by.
struct Script {
    name: &'static str,
    source: &'static str,
    digest: LazyLock<String>,
}

macro_rules! script {
    ($constant:ident, $name:literal) => {
        static $constant: Script = {
            const SOURCE: &str =
                concat!(include_str!("lua/prelude.lua"), include_str!(concat!("lua/", $name, ".lua")));
            Script { name: $name, source: SOURCE, digest: LazyLock::new(|| digest_of(SOURCE)) }
        };
    };
}

script!(INGEST, "ingest");
script!(FETCH, "fetch");
script!(COMMIT, "commit");
script!(RELEASE, "release");
script!(TICK, "tick");
script!(RING, "ring");
script!(DEAD, "dead");
script!(REPLAY, "replay");

fn digest_of(source: &str) -> String {
    Sha1::digest(source.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The store over a connection to Redis.
pub struct ScriptStore<R> {
    redis: R,
    cell: Cell,
    bounds: Bounds,
    tell: Option<Tell>,
}

/// Why an input that nobody could finish was given up.
const WORKERS_LOST: &str = "its workers were lost over it";

impl<R: Redis> ScriptStore<R> {
    /// The store of `cell` behind `redis`, with the default bounds.
    pub fn new(redis: R, cell: Cell) -> Self {
        Self { redis, cell, bounds: Bounds::default(), tell: None }
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// The same, telling what was committed.
    #[must_use]
    pub fn telling(mut self, tell: Tell) -> Self {
        self.tell = Some(tell);
        self
    }

    /// Tells something that was done beside the flow.
    pub fn say(&self, note: &str) {
        self.tell(&Said::Note(note));
    }

    fn tell(&self, said: &Said<'_>) {
        if let Some(tell) = self.tell {
            tell(said);
        }
    }

    /// After it is done.
    fn tell_commit(&self, commit: &Commit<'_>, dead: bool) {
        for note in &commit.effects.notes {
            self.say(note);
        }
        if let Some(failure) = commit.failed.filter(|_| dead) {
            self.tell(&Said::Dead { stage: commit.stage, shard: commit.shard, why: failure.error });
        }
    }

    /// The connection, for plain commands.
    pub fn redis(&self) -> &R {
        &self.redis
    }

    fn call(&self, stage: Stage, shard: &Shard) -> Call {
        Call::new(stage, shard, self.bounds.bell_ms)
    }

    /// Runs a script by its digest; sends the script itself when the server does not have it.
    async fn run(&self, script: &Script, call: Call) -> Result<Answer, StoreError> {
        let many = call.keys.len().to_string();
        let mut args: Vec<&[u8]> = vec![script.digest.as_bytes(), many.as_bytes()];
        args.extend(call.keys.iter().map(String::as_bytes));
        args.extend(call.args.iter().map(Vec::as_slice));
        let reply = match self.redis.command("EVALSHA", &args).await {
            Err(RedisError::NoScript) => {
                if let Some(first) = args.first_mut() {
                    *first = script.source.as_bytes();
                }
                self.redis.command("EVAL", &args).await?
            }
            other => other?,
        };
        Ok(Answer::new(script.name, reply))
    }

    async fn every_shard(&self) -> Result<Vec<Shard>, StoreError> {
        let reply = self.redis.command("SMEMBERS", &[shards_key().as_bytes()]).await?;
        let mut shards: Vec<_> = reply.iter().filter_map(|name| Shard::parse(&name.text())).collect();
        shards.sort();
        Ok(shards)
    }

    /// `keep_ms` of `None` only looks. The last stage first: what a bell of this visit brings further
    /// is not rung for once more by the same visit.
    async fn visit(&self, keep_ms: Option<u64>) -> Result<TickReport, StoreError> {
        let mut report = TickReport::default();
        for shard in self.every_shard().await?.into_iter().rev() {
            for stage in self.cell.stages().iter().rev() {
                let mut call = self.call(*stage, &shard);
                call.arg(keep_ms.map(|keep| keep.to_string()).unwrap_or_default());
                let mut answer = self.run(&TICK, call).await?;
                answer.verdict()?;
                let rung: u32 = answer.number()?;
                let (unread, due) = (answer.number::<i64>()?.max(0).unsigned_abs(), answer.number()?);
                let (open, oldest_ms) = (answer.number()?, answer.number()?);
                report.trimmed += answer.number::<u64>()?;
                if rung == 1 {
                    report.rung.push((*stage, shard.clone()));
                }
                report.lag.push(Lag { stage: *stage, shard: shard.clone(), unread, due, open, oldest_ms });
            }
        }
        // Told in the usual order.
        report.rung.reverse();
        report.lag.reverse();
        Ok(report)
    }
}

impl<R: Redis> Store for ScriptStore<R> {
    fn cell(&self) -> &Cell {
        &self.cell
    }

    async fn ingest(&self, event: &Ingest<'_>) -> Result<Ingested, StoreError> {
        check::ingest(&self.cell, event).map_err(StoreError::Refused)?;
        let mut call = self.call(event.stage, event.shard);
        call.number(self.bounds.inbox_max).number(seen::SEEN_LIFE_MS);
        call.arg(fields::join(event.fields)).arg(event.payload).number(seen::SETS_PER_ID);
        for id in event.ids {
            let (number, bucket) = seen::number_and_bucket(id);
            call.number(number);
            call.keys.extend(seen::sets(event.day, bucket));
        }
        let mut answer = self.run(&INGEST, call).await?;
        match answer.verdict()?.as_str() {
            "accepted" => Ok(Ingested::Accepted(answer.text()?)),
            "duplicate" => Ok(Ingested::Duplicate),
            "full" => Ok(Ingested::Full),
            other => Err(answer.odd(format!("verdict `{other}`"))),
        }
    }

    async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, StoreError> {
        let mut call = self.call(fetch.stage, fetch.shard);
        call.arg(fetch.token.unwrap_or_default()).number(fetch.lease_ms.max(1));
        call.number(fetch.batch.max(1)).number(fetch.tries).number(self.bounds.dead_max);
        let fetched = wire::fetched(self.run(&FETCH, call).await?)?;
        let (Fetched::Idle { dead } | Fetched::Batch(Batch { dead, .. })) = &fetched else {
            return Ok(fetched);
        };
        for _ in 0..*dead {
            self.tell(&Said::Dead { stage: fetch.stage, shard: fetch.shard, why: WORKERS_LOST });
        }
        Ok(fetched)
    }

    async fn read_fields(&self, stage: Stage, shard: &Shard, fields: &[String]) -> Result<State, StoreError> {
        check::fields(fields).map_err(StoreError::Refused)?;
        if fields.is_empty() {
            return Ok(State::default());
        }
        let key = key(Kind::State, stage, shard);
        let escaped: Vec<_> = fields.iter().map(|field| fields::escape(field)).collect();
        let mut args = vec![key.as_bytes()];
        args.extend(escaped.iter().map(String::as_bytes));
        let values = self.redis.command("HMGET", &args).await?;
        Ok(State(fields.iter().cloned().zip(values.into_iter().map(Reply::into_bytes)).collect()))
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Committed, StoreError> {
        check::effects(&self.cell, commit.effects).map_err(StoreError::Refused)?;
        let call = wire::commit_call(commit, self.bounds.bell_ms, self.bounds.dead_max);
        let mut answer = self.run(&COMMIT, call).await?;
        match answer.verdict()?.as_str() {
            "done" => {
                let (seq, now_ms) = (answer.number()?, answer.number()?);
                let dead = answer.number::<u32>()? == 1;
                self.tell_commit(commit, dead);
                Ok(Committed::Done { seq, now_ms, dead })
            }
            "lost" => Ok(Committed::Lost),
            "stale" => Ok(Committed::Stale),
            other => Err(answer.odd(format!("verdict `{other}`"))),
        }
    }

    async fn release(&self, release: &Release<'_>) -> Result<Released, StoreError> {
        let mut call = self.call(release.stage, release.shard);
        call.arg(release.token).arg(release.untried.map_or("", |input| input.id.as_str()));
        call.arg(match release.ring {
            Ring::Now => "ring",
            Ring::AtTick => "quiet",
        });
        let mut answer = self.run(&RELEASE, call).await?;
        match answer.verdict()?.as_str() {
            "rung" => Ok(Released::Rung),
            "quiet" => Ok(Released::Quiet),
            "lost" => Ok(Released::Lost),
            other => Err(answer.odd(format!("verdict `{other}`"))),
        }
    }

    async fn ring(&self, stage: Stage, shard: &Shard) -> Result<(), StoreError> {
        self.run(&RING, self.call(stage, shard)).await?.verdict()?;
        Ok(())
    }

    async fn tick(&self) -> Result<TickReport, StoreError> {
        self.visit(Some(self.bounds.keep_ms)).await
    }

    async fn lag(&self) -> Result<Vec<Lag>, StoreError> {
        Ok(self.visit(None).await?.lag)
    }

    async fn counters(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let values = self.redis.command("HGETALL", &[counters_key().as_bytes()]).await?;
        let mut answer = Answer::new("counters", values);
        let mut counters = BTreeMap::new();
        while !answer.is_empty() {
            let name = answer.text()?;
            counters.insert(name, answer.number()?);
        }
        Ok(counters)
    }

    async fn dead_letters(&self, after: &str, count: u32) -> Result<Vec<DeadLetter>, StoreError> {
        // Any inbox's keys do: the script reads the one stream of dead letters.
        let Some(stage) = self.cell.stages().first() else { return Ok(Vec::new()) };
        let mut call = self.call(*stage, &Shard::global());
        call.arg(after).number(count.max(1));
        let mut answer = self.run(&DEAD, call).await?;
        let mut letters = Vec::new();
        while !answer.is_empty() {
            letters.push(wire::dead_letter(&mut answer)?);
        }
        Ok(letters)
    }

    async fn replay(&self, letter: &DeadLetter) -> Result<Replayed, StoreError> {
        let (stage, shard) = check::home(&self.cell, letter).map_err(StoreError::Refused)?;
        let mut call = self.call(stage, &shard);
        call.arg(letter.id.as_str());
        let mut answer = self.run(&REPLAY, call).await?;
        match answer.verdict()?.as_str() {
            "replayed" => Ok(Replayed::Done),
            "gone" => Ok(Replayed::Gone),
            other => Err(answer.odd(format!("verdict `{other}`"))),
        }
    }
}
