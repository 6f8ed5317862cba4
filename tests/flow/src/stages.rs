//! Three stages in a row over orders-like payloads: what was done to each entry can be counted,
//! and the state depends on the order in which it was done.

use homeostat_flow::{
    Context, Effects, Input, Output, Ring, Shard, Stage, State, Step, StepError, Verdict, Write,
};

/// First stage.
pub const FIRST: Stage = Stage::new("first");
/// Second stage.
pub const SECOND: Stage = Stage::new("second");
/// Third stage.
pub const THIRD: Stage = Stage::new("third");
/// All of them.
pub const ALL: [Stage; 3] = [FIRST, SECOND, THIRD];

/// A payload: which service it is about and which event it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Decides the shard.
    pub service: String,
    /// Unique.
    pub id: String,
}

impl Event {
    /// As carried by the streams.
    pub fn encode(&self) -> Vec<u8> {
        format!("{}/{}", self.service, self.id).into_bytes()
    }

    /// The inverse of `encode`.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let (service, id) = text.split_once('/')?;
        Some(Self { service: service.to_owned(), id: id.to_owned() })
    }

    /// The state field of its service.
    pub fn field(&self) -> String {
        format!("svc:{}", self.service)
    }
}

/// One of the three stages: counts the entry, folds it into its service's state, passes it on to
/// another shard's next stage.
#[derive(Debug, Clone, Copy)]
pub struct Relay {
    stage: Stage,
    next: Option<Stage>,
    shards: u32,
}

impl Relay {
    /// The three relays of a cell.
    pub fn chain(shards: u32) -> [Self; 3] {
        [
            Self { stage: FIRST, next: Some(SECOND), shards },
            Self { stage: SECOND, next: Some(THIRD), shards },
            Self { stage: THIRD, next: None, shards },
        ]
    }

    fn pass_on(self, event: &Event, input: &Input) -> Vec<Output> {
        // To another shard than its own, so that commits cross shards.
        let shard = homeostat_flow::cell::shard_of(&format!("{}{}", self.stage, event.service), self.shards);
        let output = |stage| Output {
            stage,
            shard,
            fields: vec![event.field()],
            payload: input.payload.clone(),
            ring: Ring::Now,
        };
        self.next.map(output).into_iter().collect()
    }
}

/// Folds one id into an order-sensitive digest.
pub fn fold(old: Option<&[u8]>, id: &str) -> Vec<u8> {
    let old = old.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map_or(17, u64::from_be_bytes);
    let new = id.bytes().fold(old, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    new.to_be_bytes().to_vec()
}

impl Step for Relay {
    type Hand = ();

    fn stage(&self) -> Stage {
        self.stage
    }

    fn apply(&self, (): &mut (), _: &Context, input: &Input, state: &State) -> Result<Verdict, StepError> {
        let event = Event::decode(&input.payload).ok_or_else(|| StepError("not an event".to_owned()))?;
        if event.id.starts_with("poison") {
            return Err(StepError(format!("{} cannot be digested", event.id)));
        }
        let digest = fold(state.get(&event.field()), &event.id);
        let count = Write::Add { key: format!("count:{}", self.stage), field: event.id.clone(), by: 1 };
        let shown = Write::HashSet {
            key: format!("digest:{}", self.stage),
            field: event.service.clone(),
            value: digest.clone(),
        };
        Ok(Verdict::Done(Effects {
            state: vec![(event.field(), Some(digest))],
            outputs: self.pass_on(&event, input),
            timers: vec![],
            writes: vec![count, shown],
            notes: vec![],
        }))
    }
}

/// Every shard of a cell with that many.
pub fn shards(many: u32) -> Vec<Shard> {
    (0..many).map(Shard::service).collect()
}
