//! Over a small Redis that keeps what is laid down and taken up.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::executor::block_on;
use homeostat_flow::{Cell, RedisError};
use homeostat_schema::plug_in::{Body, Draft};
use homeostat_sources::{Admitted, Source};
use homeostat_stages::name::{SHARDS_DEFAULT, STAGES};
use http::HeaderMap;
use serde_json::{Value, json};

use super::*;

/// 2026-03-01T10:00:00Z.
const NOW: u64 = 1_772_359_200_000;

/// How often a delivery was tried, and the letter laid for it.
type Tried = (u32, Vec<u8>);

/// A Redis that knows the commands used here. The script itself runs on a real one in the
/// end-to-end tests; this keeps its promise.
#[derive(Default)]
struct Fake {
    /// No event can be stored.
    full: bool,
    tries: RefCell<BTreeMap<Vec<u8>, Tried>>,
    letters: RefCell<BTreeMap<Vec<u8>, Value>>,
    counters: RefCell<BTreeMap<String, u32>>,
    stored: RefCell<Vec<Value>>,
}

impl Fake {
    fn letter(&self, letter: &[u8]) -> Vec<u8> {
        let mut letters = self.letters.borrow_mut();
        let id = format!("{}-0", letters.len() + 1).into_bytes();
        letters.insert(id.clone(), serde_json::from_slice(letter).unwrap());
        id
    }

    /// As `tries.lua`, or as `bury.lua`.
    fn eval(&self, args: &[&[u8]]) -> Vec<Reply> {
        if args[0] != TRIES.as_bytes() {
            return vec![Reply::Bytes(self.letter(args[4]))];
        }
        let mut all = self.tries.borrow_mut();
        let (tries, letter) = all.entry(args[2].to_vec()).or_default();
        *tries += 1;
        if tries.to_string().as_bytes() > args[4] {
            return vec![Reply::Bytes(b"given-up".to_vec()), Reply::Bytes(Vec::new())];
        }
        self.count(args[6]);
        vec![Reply::Bytes(b"ask".to_vec()), Reply::Bytes(letter.clone())]
    }

    fn remember(&self, tries: &[u8], letter: &[u8]) {
        self.tries.borrow_mut().entry(tries.to_vec()).or_default().1 = letter.to_vec();
    }

    fn count(&self, name: &[u8]) {
        *self.counters.borrow_mut().entry(String::from_utf8(name.to_vec()).unwrap()).or_default() += 1;
    }

    fn ingest(&self, args: &[&[u8]]) -> Vec<Reply> {
        if self.full {
            return vec![Reply::Bytes(b"full".to_vec())];
        }
        let keys: usize = std::str::from_utf8(args[1]).unwrap().parse().unwrap();
        self.stored.borrow_mut().push(serde_json::from_slice(args[2 + keys + 7]).unwrap());
        vec![Reply::Bytes(b"accepted".to_vec()), Reply::Bytes(b"1-0".to_vec())]
    }
}

impl Redis for Fake {
    async fn command(&self, name: &str, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        Ok(match name {
            "EVAL" if args[0] == crate::letters::BURY.as_bytes() => {
                self.count(args[9]);
                vec![Reply::Bytes(self.letter(args[4]))]
            }
            "EVAL" => self.eval(args),
            "HSET" => {
                self.remember(args[0], args[2]);
                vec![Reply::Int(1)]
            }
            "EVALSHA" => self.ingest(args),
            "XDEL" => vec![Reply::Int(i64::from(self.letters.borrow_mut().remove(args[1]).is_some()))],
            "DEL" => vec![Reply::Int(i64::from(self.tries.borrow_mut().remove(args[0]).is_some()))],
            "HINCRBY" => {
                self.count(args[1]);
                vec![Reply::Int(1)]
            }
            other => return Err(RedisError::Refused(format!("unknown command {other}"))),
        })
    }
}

/// Delivers `body` to a plug-in that answers as `ask` does.
fn deliver(
    store: &ScriptStore<Fake>,
    body: &[u8],
    ask: impl FnOnce(&Question) -> Result<Reading, String>,
) -> Result<(u16, Value), Problem> {
    let headers = HeaderMap::new();
    let delivery = Delivery {
        source: Source::PLUGIN.into(),
        admitted: Admitted::Verified,
        headers: &headers,
        body,
        received_at_ms: NOW,
        seed: [7; 10],
    };
    let answer = block_on(take(store, &Config::default(), &Keeper::default(), &delivery, ask))?;
    Ok((answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap()))
}

fn over(fake: Fake) -> ScriptStore<Fake> {
    ScriptStore::new(fake, Cell::new(SHARDS_DEFAULT, &STAGES))
}

fn letters(store: &ScriptStore<Fake>) -> Vec<Value> {
    store.redis().letters.borrow().values().cloned().collect()
}

fn failed_run() -> Draft {
    Draft {
        id: Some("run-1".to_owned()),
        status: Some("failure".to_owned()),
        service: Some("shop".to_owned()),
        env: Some("stage".to_owned()),
        occurred_at_ms: Some(NOW),
        ..Draft::saying("run")
    }
}

/// A trap ends the instance; here it ends the call.
fn trapped(store: &ScriptStore<Fake>, body: &[u8]) {
    let trap = || deliver(store, body, |_| std::panic::panic_any("a trap"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(trap)).is_err());
}

#[test]
fn what_it_reads_is_stored_and_leaves_no_letter() {
    let store = over(Fake::default());
    let (status, told) = deliver(&store, b"{}", |question| {
        assert_eq!(question.body, Body::Text("{}".to_owned()));
        // It is kept before it is shown.
        assert_eq!(letters(&store).len(), 1);
        Ok(Reading::Events(vec![failed_run()]))
    })
    .unwrap();
    assert_eq!((status, told["accepted"].as_array().unwrap().len()), (202, 1));
    assert_eq!(store.redis().stored.borrow()[0]["event"]["service"], "unassigned/plugin/shop");
    assert!(letters(&store).is_empty() && store.redis().tries.borrow().is_empty());
}

#[test]
fn what_is_not_of_interest_is_answered_with_200_and_leaves_no_letter() {
    let store = over(Fake::default());
    let (status, told) = deliver(&store, b"{}", |_| Ok(Reading::Ignored("a ping".to_owned()))).unwrap();
    assert_eq!((status, &told["ignored"]), (200, &json!("a ping")));
    assert!(letters(&store).is_empty());
}

#[test]
fn what_it_cannot_read_is_a_dead_letter_with_its_reason_and_is_not_asked_about_less() {
    let store = over(Fake::default());
    for _ in 0..=TRIES_MAX {
        let (status, told) = deliver(&store, b"{}", |_| Err("no field x".to_owned())).unwrap();
        assert_eq!(status, 202);
        assert!(told["ignored"].is_string() && !told.to_string().contains("no field x"), "{told}");
    }
    assert!(letters(&store).iter().all(|letter| letter["why"] == "the plug-in says: no field x"));
}

#[test]
fn what_it_returns_out_of_bounds_is_a_dead_letter() {
    let store = over(Fake::default());
    let endless = || Draft { latency_ms: Some(f64::NAN), ..failed_run() };
    let (status, _) = deliver(&store, b"{}", |_| Ok(Reading::Events(vec![endless()]))).unwrap();
    assert_eq!((status, letters(&store).len()), (202, 1));
    assert!(store.redis().stored.borrow().is_empty());
}

#[test]
fn a_trap_leaves_a_letter_and_a_later_answer_takes_it_up() {
    let store = over(Fake::default());
    trapped(&store, b"{}");
    assert_eq!((letters(&store).len(), &letters(&store)[0]["body_bytes"]), (1, &json!(2)));
    deliver(&store, b"{}", |_| Ok(Reading::Events(vec![failed_run()]))).unwrap();
    assert!(letters(&store).is_empty());
    let counters = store.redis().counters.borrow();
    assert_eq!((counters["plug-in-asked:plugin"], counters["plug-in-answered:plugin"]), (2, 1));
}

#[test]
fn a_body_that_traps_again_and_again_is_given_up_and_others_are_not() {
    let store = over(Fake::default());
    for _ in 0..TRIES_MAX {
        trapped(&store, b"evil");
    }
    let (status, told) = deliver(&store, b"evil", |_| panic!("asked too often")).unwrap();
    assert_eq!((status, told["ignored"].is_string(), letters(&store).len()), (202, true, 1));
    let (_, told) = deliver(&store, b"good", |_| Ok(Reading::Events(vec![failed_run()]))).unwrap();
    assert_eq!(told["accepted"].as_array().unwrap().len(), 1);
    assert_eq!(letters(&store).len(), 1);
}

#[test]
fn nothing_is_acknowledged_while_events_cannot_be_stored() {
    let store = over(Fake { full: true, ..Fake::default() });
    let refused = deliver(&store, b"{}", |_| Ok(Reading::Events(vec![failed_run()])));
    assert!(refused.is_err());
    assert_eq!(letters(&store).len(), 1);
}
