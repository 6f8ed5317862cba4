//! The whole API over a small stateful Redis that knows the few commands used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures::executor::block_on;
use homeostat_flow::{Cell, Redis, RedisError, Reply, ScriptStore};
use homeostat_schema::secret::SecretList;
use homeostat_sources::gate::Pace;
use homeostat_sources::ingest::DevMode;
use homeostat_sources::sealed::BodyKey;
use homeostat_sources::{Admitted, Delivery, Source};
use homeostat_stages::name::{SHARDS_DEFAULT, STAGES};
use homeostat_stages::snapshot::Versioned;
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::kept::KEEP;
use crate::letters::{BURY, Keeper, SEALED_MAX};
use crate::serve::serve;
use crate::*;

mod gate;
mod kept;
mod letters;
mod webhooks;

/// 2026-03-01T10:00:00Z.
const NOW: u64 = 1_772_359_200_000;

#[derive(Default)]
struct Fake {
    /// Refuses writes.
    read_only: bool,
    down: bool,
    full: bool,
    /// Commands that find the connection broken.
    breaks: std::cell::Cell<u32>,
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    hashes: RefCell<BTreeMap<String, BTreeMap<String, Vec<u8>>>>,
    rankings: RefCell<BTreeMap<String, Vec<(String, u64)>>>,
    streams: RefCell<BTreeMap<String, Vec<Vec<u8>>>>,
    seen: RefCell<BTreeSet<Vec<u8>>>,
    /// Payloads that reached an inbox.
    entries: RefCell<Vec<Value>>,
    /// It has no room for deliveries.
    keeps_nothing: bool,
    /// Event, life and bound of each delivery kept.
    kept: RefCell<Vec<[String; 3]>>,
    /// Names of what was counted.
    counted: RefCell<Vec<String>>,
    /// Names of the commands, in order.
    asked: RefCell<Vec<String>>,
}

fn bytes(value: Option<&Vec<u8>>) -> Reply {
    value.map_or(Reply::Nil, |value| Reply::Bytes(value.clone()))
}

impl Fake {
    fn member(&self, ranking: &str, member: &str, score: u64, key: &str, value: &Value) {
        self.values.borrow_mut().insert(format!("hs:v:{key}"), value.to_string().into_bytes());
        let mut rankings = self.rankings.borrow_mut();
        let members = rankings.entry(format!("hs:v:{ranking}")).or_default();
        members.push((member.to_owned(), score));
        members.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
    }

    fn ingest(&self, args: &[&[u8]]) -> Vec<Reply> {
        let keys: usize = std::str::from_utf8(args[1]).unwrap().parse().unwrap();
        let argv = &args[2 + keys..];
        if self.full {
            return vec![Reply::Bytes(b"full".to_vec())];
        }
        let ids: Vec<_> = argv[9..].iter().map(|id| id.to_vec()).collect();
        let mut seen = self.seen.borrow_mut();
        if ids.iter().any(|id| seen.contains(id)) {
            return vec![Reply::Bytes(b"duplicate".to_vec())];
        }
        seen.extend(ids);
        self.entries.borrow_mut().push(serde_json::from_slice(argv[7]).unwrap());
        vec![Reply::Bytes(b"accepted".to_vec()), Reply::Bytes(b"1-0".to_vec())]
    }

    fn bury(&self, args: &[&[u8]]) -> Vec<Reply> {
        let text = |at: usize| std::str::from_utf8(args[at]).unwrap().to_owned();
        self.streams.borrow_mut().entry(text(2)).or_default().push(args[4].to_vec());
        if !args[5].is_empty() {
            self.values.borrow_mut().insert(format!("{}1-0", text(8)), args[5].to_vec());
        }
        vec![Reply::Bytes(b"1-0".to_vec())]
    }

    fn keep(&self, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        if self.keeps_nothing {
            return Err(RedisError::Refused("OOM command not allowed".to_owned()));
        }
        let text = |at: usize| std::str::from_utf8(args[at]).unwrap().to_owned();
        self.values.borrow_mut().insert(format!("{}{}", text(8), text(3)), args[4].to_vec());
        self.kept.borrow_mut().push([text(3), text(5), text(7)]);
        Ok(vec![Reply::Int(1)])
    }

    fn apply(&self, args: &[&[u8]]) -> Vec<Reply> {
        let mut hashes = self.hashes.borrow_mut();
        let hash = hashes.entry(String::from_utf8(args[2].to_vec()).unwrap()).or_default();
        let version: u64 =
            hash.get("version").map_or(0, |text| std::str::from_utf8(text).unwrap().parse().unwrap());
        let text = |text: String| Reply::Bytes(text.into_bytes());
        if !args[3].is_empty() && args[3] != version.to_string().as_bytes() {
            return vec![text("differs".to_owned()), text(version.to_string())];
        }
        hash.insert("version".to_owned(), (version + 1).to_string().into_bytes());
        hash.insert("json".to_owned(), args[4].to_vec());
        vec![text("done".to_owned()), text((version + 1).to_string())]
    }
}

impl Fake {
    /// Why a command is not carried out.
    fn refusal(&self, name: &str) -> Option<RedisError> {
        if self.down {
            return Some(RedisError::Unavailable("nobody answers".to_owned()));
        }
        if self.breaks.get() > 0 {
            self.breaks.set(self.breaks.get() - 1);
            return Some(RedisError::Unavailable("broken pipe".to_owned()));
        }
        let refused = self.read_only && name == "SET";
        refused.then(|| RedisError::Refused("OOM command not allowed".to_owned()))
    }
}

impl Redis for Fake {
    async fn command(&self, name: &str, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        if let Some(refusal) = self.refusal(name) {
            return Err(refusal);
        }
        self.asked.borrow_mut().push(name.to_owned());
        let text = |at: usize| std::str::from_utf8(args[at]).unwrap().to_owned();
        let (values, hashes) = (self.values.borrow(), self.hashes.borrow().clone());
        let ranking = || self.rankings.borrow().get(&text(0)).cloned().unwrap_or_default();
        Ok(match name {
            "PING" | "SET" => vec![Reply::Status("OK".to_owned())],
            "GET" => vec![bytes(values.get(&text(0)))],
            "MGET" => (0..args.len()).map(|at| bytes(values.get(&text(at)))).collect(),
            "HGET" => vec![bytes(hashes.get(&text(0)).and_then(|hash| hash.get(&text(1))))],
            "HMGET" => (1..args.len())
                .map(|at| bytes(hashes.get(&text(0)).and_then(|hash| hash.get(&text(at)))))
                .collect(),
            "HGETALL" | "SMEMBERS" | "CONFIG" => Vec::new(),
            "HINCRBY" => {
                self.counted.borrow_mut().push(text(1));
                vec![Reply::Int(1)]
            }
            "XLEN" => vec![Reply::Int(0)],
            "ZREVRANK" => {
                let at = ranking().iter().position(|(member, _)| *member == text(1));
                vec![at.map_or(Reply::Nil, |at| Reply::Int(at as i64))]
            }
            "ZCOUNT" => {
                let least: u64 = text(1).parse().unwrap();
                vec![Reply::Int(ranking().iter().filter(|(_, score)| *score >= least).count() as i64)]
            }
            "ZREVRANGE" => {
                let (from, to): (usize, usize) = (text(1).parse().unwrap(), text(2).parse().unwrap());
                let members = ranking().into_iter().skip(from).take(to + 1 - from);
                members
                    .flat_map(|(member, score)| {
                        [Reply::Bytes(member.into_bytes()), Reply::Bytes(score.to_string().into_bytes())]
                    })
                    .collect()
            }
            "EVALSHA" => self.ingest(args),
            "EVAL" if args[0] == BURY.as_bytes() => {
                drop(values);
                self.bury(args)
            }
            "EVAL" if args[0] == KEEP.as_bytes() => {
                drop(values);
                self.keep(args)?
            }
            "EVAL" => self.apply(args),
            "XRANGE" | "XREVRANGE" => {
                let streams = self.streams.borrow();
                let letters = streams.get(&text(0)).into_iter().flatten();
                letters
                    .flat_map(|letter| [&b"1-0"[..], b"d", letter].map(|part| Reply::Bytes(part.to_vec())))
                    .collect()
            }
            "XDEL" => vec![Reply::Int(self.streams.borrow_mut().remove(&text(0)).map_or(0, |_| 1))],
            "DEL" => {
                drop(values);
                vec![Reply::Int(self.values.borrow_mut().remove(&text(0)).map_or(0, |_| 1))]
            }
            other => return Err(RedisError::Refused(format!("unknown command {other}"))),
        })
    }
}

#[derive(Default)]
struct Shelf {
    down: bool,
    config: RefCell<Option<Versioned>>,
}

impl Snapshots for Shelf {
    async fn config(&self) -> Result<Option<Versioned>, SnapshotsDown> {
        if self.down {
            Err(SnapshotsDown("the shelf is gone".to_owned()))
        } else {
            Ok(self.config.borrow().clone())
        }
    }
    async fn publish(&self, config: &Versioned) -> Result<(), SnapshotsDown> {
        if self.down {
            return Err(SnapshotsDown("the shelf is gone".to_owned()));
        }
        *self.config.borrow_mut() = Some(config.clone());
        Ok(())
    }
}

struct Api {
    store: ScriptStore<Fake>,
    shelf: Shelf,
    seed: u8,
    body_key: Option<BodyKey>,
}

impl Api {
    fn over(fake: Fake, shelf: Shelf) -> Self {
        Self {
            store: ScriptStore::new(fake, Cell::new(SHARDS_DEFAULT, &STAGES)),
            shelf,
            seed: 0,
            body_key: None,
        }
    }

    fn new() -> Self {
        Self::over(Fake::default(), Shelf::default())
    }

    fn redis(&self) -> &Fake {
        self.store.redis()
    }

    /// Sends `METHOD /path`, headers and a body; a token is added.
    fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path).header("authorization", "Bearer t1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let access = Access {
            api_tokens: SecretList::parse("t1"),
            internal_tokens: SecretList::parse("t1"),
            dev_mode: DevMode::Off,
        };
        self.seed += 1;
        let (store, snapshots) = (&self.store, &self.shelf);
        let body_key = self.body_key.clone();
        let world = World {
            store,
            snapshots,
            now_ms: NOW,
            seed: [self.seed; 10],
            dev_mode: DevMode::Off,
            body_key,
            variables_set: "github_token redis_url",
        };
        match admit(&parts, &access) {
            Ok(admission) => block_on(serve(&world, admission, &parts, body.as_bytes())),
            Err(problem) => problem.into(),
        }
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        told(&self.send(&format!("GET {path}"), &[], ""))
    }

    fn post(&mut self, path: &str, body: &str) -> (u16, Value) {
        told(&self.send(&format!("POST {path}"), &[], body))
    }
}

fn told(answer: &Answer) -> (u16, Value) {
    assert_eq!(answer.headers()["content-length"], answer.body().len().to_string());
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
}

fn incident(id: &str, env: &str, state: &str, opened_at: &str) -> Value {
    json!({
        "id": id, "env": env, "service": "shop", "title": "deployment failed", "severity": "critical",
        "state": state, "opened_at": opened_at, "updated_at": opened_at, "timeline": [],
    })
}

fn with_incidents(states: &[&str]) -> Api {
    let api = Api::new();
    for (at, state) in states.iter().enumerate() {
        let id = format!("i{at}");
        let env = if at % 2 == 0 { "prod" } else { "stage" };
        let value = incident(&id, env, state, "2026-03-01T10:00:00Z");
        // All opened at one time: pages must still be apart.
        api.redis().member("incidents", &id, NOW, &format!("incident:{id}"), &value);
    }
    api
}

#[test]
fn an_event_is_taken_once() {
    let mut api = Api::new();
    let flat = r#"{"event":"deployment","env":"production","service":"shop","status":"failure","timestamp":"2026-03-01T10:00:00Z"}"#;
    let (status, first) = api.post("/api/v1/events", flat);
    assert_eq!((status, &first["duplicate"]), (202, &json!(false)));
    let entry = api.redis().entries.borrow()[0].clone();
    assert_eq!(entry["event"]["id"], first["accepted"][0]);
    assert_eq!(entry["event"]["env"], "prod");
    assert_eq!(entry["event"]["trust"]["signed"], true);
    assert_eq!(api.post("/api/v1/events", flat), (202, json!({"accepted": [], "duplicate": true})));
    assert_eq!(api.redis().entries.borrow().len(), 1);
}

#[test]
fn a_batch_is_answered_item_by_item() {
    let mut api = Api::new();
    let (status, told) = api.post("/api/v1/events", r#"[{"event":"run","id":"a"},{"event":"run","id":"a"}]"#);
    assert_eq!(status, 202);
    assert_eq!(told["accepted"].as_array().unwrap().len(), 1);
    assert_eq!(told["items"][1], json!({"result": "duplicate"}));
}

#[test]
fn an_event_that_does_not_parse_names_its_field_and_nothing_is_taken() {
    let mut api = Api::new();
    let (status, problem) =
        api.post("/api/v1/events", r#"[{"event":"run"},{"event":"run","latency":"s3cret"}]"#);
    assert_eq!((status, problem["field"].as_str()), (400, Some("[1].latency")));
    assert!(!problem.to_string().contains("s3cret"), "{problem}");
    assert_eq!(api.post("/api/v1/events", "{").1["field"], "body");
    assert!(api.redis().entries.borrow().is_empty());
}

#[test]
fn lists_are_paged_without_gap_or_overlap() {
    let mut api = with_incidents(&["open"; 7]);
    let (mut seen, mut path) = (Vec::new(), "/api/v1/incidents?limit=2".to_owned());
    loop {
        let (status, page) = api.get(&path);
        assert_eq!(status, 200, "{page}");
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/incidents?limit=2&cursor={next}");
    }
    assert_eq!(seen, ["i6", "i5", "i4", "i3", "i2", "i1", "i0"]);
}

#[test]
fn the_last_page_of_a_list_leads_nowhere() {
    let mut api = with_incidents(&["resolved", "open", "resolved"]);
    let mut check = |query: &str, items: usize, more: bool| {
        let (_, page) = api.get(&format!("/api/v1/incidents?{query}"));
        assert_eq!(page["items"].as_array().unwrap().len(), items, "{query}");
        assert_eq!(page["next"].is_string(), more, "{query}: {page}");
    };
    check("limit=2", 2, true);
    check("limit=3", 3, false);
    check("limit=4", 3, false);
    check("limit=1&state=open", 1, false);
    check("limit=1&state=resolved", 1, true);
    let (_, first) = api.get("/api/v1/incidents?limit=1&state=resolved");
    let next = first["next"].as_str().unwrap();
    let (_, second) = api.get(&format!("/api/v1/incidents?limit=1&state=resolved&cursor={next}"));
    assert_eq!((second["items"][0]["id"].as_str(), &second["next"]), (Some("i0"), &Value::Null));
}

#[test]
fn lists_are_filtered() {
    let mut api = with_incidents(&["open", "open", "resolved", "resolved"]);
    let mut check = |query: &str, expected: &[&str]| {
        let (_, page) = api.get(&format!("/api/v1/incidents?{query}"));
        let ids: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
    };
    check("", &["i3", "i2", "i1", "i0"]);
    check("env=prod", &["i2", "i0"]);
    check("env=prod&state=open", &["i0"]);
    check("service=other", &[]);
    assert_eq!(api.get("/api/v1/incidents?state=closed").0, 400);
    assert_eq!(api.get("/api/v1/incidents?stat=open").1["field"], "stat");
}

#[test]
fn what_cannot_be_read_is_named_and_what_is_gone_is_left_out() {
    let mut api = with_incidents(&["open", "open", "open"]);
    api.redis().values.borrow_mut().remove("hs:v:incident:i0");
    api.redis().values.borrow_mut().insert("hs:v:incident:i1".to_owned(), b"{}".to_vec());
    let (status, page) = api.get("/api/v1/incidents");
    assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 1));
    assert_eq!(page["unreadable"], json!(["i1"]));
}

#[test]
fn an_incident_is_shown_whole() {
    let mut api = with_incidents(&["open"]);
    assert_eq!(
        api.get("/api/v1/incidents/i0"),
        (200, incident("i0", "prod", "open", "2026-03-01T10:00:00Z"))
    );
    assert_eq!(api.get("/api/v1/incidents/none").0, 404);
}

#[test]
fn an_operators_word_reaches_the_case() {
    let mut api = with_incidents(&["awaiting-approval", "acting"]);
    let word = r#"{"who":"ann","why":"looks right"}"#;
    let (status, heard) = api.post("/api/v1/incidents/i0/approve", word);
    assert_eq!((status, heard), (202, json!({"incident": "i0", "verb": "approve", "duplicate": false})));
    let entry = api.redis().entries.borrow()[0].clone();
    assert_eq!(entry["operator"]["verb"], "approve");
    assert_eq!(entry["operator"]["who"], "ann");
    assert_eq!(api.post("/api/v1/incidents/i1/approve", word).0, 409);
    assert_eq!(api.post("/api/v1/incidents/none/approve", word).0, 404);
    assert_eq!(api.post("/api/v1/incidents/i0/approve", r#"{"who":"ann"}"#).0, 400);
    assert_eq!(api.redis().entries.borrow().len(), 1);
}

#[test]
fn a_word_sent_again_with_its_key_counts_once() {
    let mut api = with_incidents(&["awaiting-approval"]);
    let word = r#"{"who":"ann","why":"looks right"}"#;
    let mut send =
        || told(&api.send("POST /api/v1/incidents/i0/approve", &[("idempotency-key", "k")], word)).1;
    assert_eq!(send()["duplicate"], false);
    assert_eq!(send()["duplicate"], true);
}

#[test]
fn the_names_of_what_is_set_are_told_to_who_has_the_token() {
    let mut api = Api::new();
    let expected = json!({"known": true, "items": ["github_token", "redis_url"], "next": null});
    assert_eq!(api.get("/api/v1/variables"), (200, expected));
    assert_eq!(told(&variables::answer("")), (200, json!({"known": false, "items": [], "next": null})));
}

#[test]
fn a_configuration_is_applied_whole_and_by_version() {
    let mut api = Api::new();
    let shown = api.send("GET /api/v1/config", &[], "");
    assert_eq!(shown.headers()["etag"], "\"0\"");
    let toml = "kill_switch = true\n";
    let applied =
        api.send("PUT /api/v1/config", &[("content-type", "application/toml"), ("if-match", "\"0\"")], toml);
    assert_eq!(told(&applied), (200, json!({"version": 1, "published": true})));
    assert_eq!(applied.headers()["etag"], "\"1\"");
    assert_eq!(api.shelf.config.borrow().as_ref().unwrap().version, 1);
    let (status, config) = api.get("/api/v1/config");
    assert_eq!((status, &config["kill_switch"]), (200, &json!(true)));
    let json = [("content-type", "application/json; charset=utf-8"), ("if-match", "\"0\"")];
    assert_eq!(told(&api.send("PUT /api/v1/config", &json, &config.to_string())).0, 412);
    assert_eq!(told(&api.send("PUT /api/v1/config", &json[..1], &config.to_string())).1["version"], 2);
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let mut api = Api::new();
    let mut check = |kind: &str, if_match: &str, body: &str, expected: u16| {
        let headers = [("content-type", kind), ("if-match", if_match)];
        assert_eq!(
            told(&api.send("PUT /api/v1/config", &headers, body)).0,
            expected,
            "{kind} {if_match} {body}"
        );
    };
    check("application/toml", "*", "kill_swich = true", 422);
    check("application/toml", "*", "[environments.stage]\nscore_min = 101.0", 422);
    check("application/json", "*", "{", 422);
    check("text/plain", "*", "{}", 415);
    check("application/json", "3", "{}", 400);
    assert!(api.redis().hashes.borrow().is_empty());
}

#[test]
fn a_configuration_that_was_not_published_is_with_the_next_reader() {
    let mut api = Api::over(Fake::default(), Shelf { down: true, ..Shelf::default() });
    let applied = api.send("PUT /api/v1/config", &[("content-type", "application/json")], "{}");
    assert_eq!(told(&applied), (200, json!({"version": 1, "published": false})));
    api.shelf.down = false;
    assert_eq!(api.post("/api/v1/events", r#"{"event":"run"}"#).0, 202);
    assert_eq!(api.shelf.config.borrow().as_ref().unwrap().version, 1);
}

#[test]
fn a_tick_publishes_what_was_missed() {
    let mut api = Api::new();
    api.send("PUT /api/v1/config", &[("content-type", "application/json")], "{}");
    *api.shelf.config.borrow_mut() = None;
    assert_eq!(api.post("/internal/tick", ""), (200, json!({"rung": 0, "trimmed": 0})));
    assert_eq!(api.shelf.config.borrow().as_ref().unwrap().version, 1);
}

#[test]
fn a_stored_configuration_that_cannot_be_read_is_not_replaced_by_a_default() {
    let mut api = Api::new();
    let broken =
        BTreeMap::from([("version".to_owned(), b"1".to_vec()), ("json".to_owned(), b"{\"x\":1}".to_vec())]);
    api.redis().hashes.borrow_mut().insert("hs:config".to_owned(), broken);
    assert_eq!(api.get("/api/v1/config").0, 500);
    assert_eq!(api.post("/api/v1/events", r#"{"event":"run"}"#).0, 500);
}

#[test]
fn stores_that_are_down_are_told_apart() {
    let mut no_redis = Api::over(Fake { down: true, ..Fake::default() }, Shelf::default());
    let (status, ready) = no_redis.get("/ready");
    assert_eq!((status, &ready["redis"], &ready["key_value"]), (503, &json!(false), &json!(true)));
    let mut no_shelf = Api::over(Fake::default(), Shelf { down: true, ..Shelf::default() });
    let (status, ready) = no_shelf.get("/ready");
    assert_eq!((status, &ready["redis"], &ready["key_value"]), (503, &json!(true), &json!(false)));
    assert_eq!(no_redis.get("/health").0, 200);
    assert_eq!(no_shelf.get("/health").0, 200);
    assert_eq!(Api::new().get("/ready").0, 200);
    for path in [
        "/api/v1/events",
        "/api/v1/incidents",
        "/api/v1/incidents/i",
        "/api/v1/services",
        "/api/v1/policy",
        "/metrics",
    ] {
        assert_eq!(no_redis.get(path).0, 503, "{path}");
    }
    let down = no_redis.send("POST /api/v1/events", &[], r#"{"event":"run"}"#);
    assert_eq!((down.status().as_u16(), down.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    assert_eq!(no_shelf.post("/api/v1/events", r#"{"event":"run"}"#).0, 503);
}

#[test]
fn a_redis_that_refuses_writes_is_not_ready() {
    let mut full = Api::over(Fake { read_only: true, ..Fake::default() }, Shelf::default());
    let (status, ready) = full.get("/ready");
    assert_eq!((status, &ready["redis"]), (503, &json!(true)));
    assert!(ready["problems"][0].as_str().unwrap().contains("raise maxmemory"), "{ready}");
}

#[test]
fn another_number_of_shards_is_not_ready() {
    let mut api = Api::new();
    let cell = BTreeMap::from([("shards".to_owned(), b"8".to_vec())]);
    api.redis().hashes.borrow_mut().insert("hs:cell".to_owned(), cell);
    let (status, ready) = api.get("/ready");
    assert_eq!(status, 503);
    assert!(ready["problems"][0].as_str().unwrap().contains("8 shards"), "{ready}");
}

#[test]
fn the_page_and_the_plain_routes_answer() {
    let mut api = with_incidents(&["awaiting-approval"]);
    let page = api.send("GET /", &[], "");
    let html = std::str::from_utf8(page.body()).unwrap();
    assert_eq!(page.status(), 200);
    assert!(html.contains("awaiting-approval") && html.contains("href=\"/incidents/i0\""), "{html}");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = api.send("GET /incidents/i0", &[], "");
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
        (200, "text/html; charset=utf-8")
    );
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(api.send("GET /incidents/nothing", &[], "").status(), 404);
    assert_eq!(api.get("/api/v1/openapi.json").1["openapi"], "3.1.0");
    assert_eq!(api.get("/api/v1/policy").1, json!({"version": 0, "rows": []}));
    let head = api.send("HEAD /health", &[], "");
    assert!(head.body().is_empty() && head.headers()["content-length"] != "0");
    let mut down = Api::over(Fake { down: true, ..Fake::default() }, Shelf::default());
    assert!(String::from_utf8_lossy(down.send("GET /", &[], "").body()).contains("not ready"));
}

#[test]
fn bodies_are_refused_before_they_are_read() {
    let mut api = Api::new();
    let long = (BODY_MAX + 1).to_string();
    assert_eq!(told(&api.send("POST /api/v1/events", &[("content-length", &long)], "")).0, 413);
    assert_eq!(told(&api.send("POST /api/v1/events", &[("content-encoding", "gzip")], "")).0, 415);
    assert_eq!(told(&api.send("DELETE /api/v1/events", &[], "")).0, 405);
    assert_eq!(told(&api.send("GET /nowhere", &[], "")).0, 404);
}

fn deliver(api: &Api, source: Source, headers: &HeaderMap, body: &[u8]) -> Result<(u16, Value), u16> {
    let delivery = Delivery {
        source: source.into(),
        admitted: Admitted::Verified,
        headers,
        body,
        received_at_ms: NOW,
        seed: [9; 10],
    };
    let taken = block_on(async {
        let config = configuration::current(api.store.redis(), &api.shelf).await?.config;
        let keeper = Keeper::new(api.body_key.clone(), 3_600_000, [5; 24]);
        webhook::take(&api.store, &config, &keeper, Pace::Within, &delivery).await
    });
    taken.map(|answer| told(&answer)).map_err(|problem| problem.status().as_u16())
}

fn github(event: &str) -> HeaderMap {
    let pairs =
        [("content-type", "application/json"), ("x-github-event", event), ("x-github-delivery", "d1")];
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

/// A key for kept deliveries.
fn body_key(text: &str) -> Option<BodyKey> {
    BodyKey::parse(&text.repeat(32)).unwrap()
}
