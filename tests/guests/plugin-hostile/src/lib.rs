//! A plug-in that harms in the way a delivery's first word names, and reads well when it says `good`.
//!
//! Purpose: the end-to-end tests see that each harm costs its own delivery only.
//! Does not: test anything itself.

use std::sync::atomic::{AtomicU32, Ordering};

#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic)]
mod generated {
    use super::Hostile;

    wit_bindgen::generate!({ path: "../../../wit", world: "source-plug-in" });
    export!(Hostile);
}

use generated::exports::homeostat::schema::source::{Body, Delivery, Draft, Guest, Reading, Signal};

/// How often this instance was asked.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// A megabyte.
const MIB: usize = 1 << 20;

struct Hostile;

impl Guest for Hostile {
    fn read(delivery: Delivery) -> Result<Reading, String> {
        let Body::Text(text) = &delivery.body else { return Err("no text".to_owned()) };
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "good" => Ok(Reading::Events(vec![failed_run(rest)])),
            "headers" => Err(shown(&delivery)),
            "asked" => Ok(Reading::Ignored(format!("asked {}", ASKED.fetch_add(1, Ordering::Relaxed) + 1))),
            "loop" => forever(),
            "sleep" => asleep(),
            "trap" => std::process::abort(),
            "panic" => panic!("as told"),
            "grow" => grown(),
            "many" => Ok(Reading::Events((0..10_000_000).map(|_| failed_run("x")).collect())),
            "over" => Ok(Reading::Events((0..1_001).map(|_| failed_run("x")).collect())),
            "huge" => {
                Ok(Reading::Events(vec![Draft { title: Some("x".repeat(40 * MIB)), ..failed_run(rest) }]))
            }
            "infinite" => Ok(Reading::Events(vec![with_signal(f64::INFINITY)])),
            "nan" => Ok(Reading::Events(vec![with_signal(f64::NAN)])),
            "long" => Err("x\n".repeat(5 * MIB)),
            "lie" => Err(beyond_memory()),
            "print" => printed(),
            other => Err(format!("the word {other} is not known")),
        }
    }
}

fn failed_run(id: &str) -> Draft {
    Draft {
        id: Some(id.to_owned()),
        kind: "run".to_owned(),
        status: Some("failure".to_owned()),
        subject: None,
        attempt: None,
        service: Some("acme/shop".to_owned()),
        env: Some("stage".to_owned()),
        title: None,
        version: None,
        commit: None,
        previous_version: None,
        branch: None,
        duration_ms: None,
        latency_ms: None,
        signals: Vec::new(),
        occurred_at_ms: None,
        actor: None,
        url: None,
        run: None,
        deployment: None,
        pull_request: None,
        fork: false,
        test: false,
        irreversible: false,
        attributes: Vec::new(),
    }
}

fn with_signal(value: f64) -> Draft {
    let signal = Signal { name: "queue".to_owned(), value, unit: "1".to_owned(), samples: 1 };
    Draft { signals: vec![signal], ..failed_run("s") }
}

fn shown(delivery: &Delivery) -> String {
    let names: Vec<&str> = delivery.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.join(" ")
}

fn forever() -> ! {
    loop {
        ASKED.fetch_add(1, Ordering::Relaxed);
    }
}

fn asleep() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(3_600));
    }
}

#[expect(clippy::print_stdout, reason = "floods the log, as told")]
fn printed() -> ! {
    loop {
        println!("{}", "x".repeat(1_000));
    }
}

fn grown() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(vec![1; MIB]);
    }
}

/// A text that begins in memory and ends far beyond it.
#[expect(unsafe_code, reason = "a lie about a length is what this is for")]
fn beyond_memory() -> String {
    let length = 0x7000_0000;
    unsafe { String::from_raw_parts(std::ptr::dangling_mut::<u64>().cast::<u8>(), length, length) }
}
