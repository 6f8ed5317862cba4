//! Held against what others expect: the CDEvents that an independent project made of real
//! deliveries of GitHub and Argo CD, beside ours of the same bytes.
//!
//! Type, outcome, subject, time and, of an image, its package URL are compared. Where ours differ, the reason is named below, and
//! a reason that no longer applies fails the test.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the fixtures are files outside the repository")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use homeostat_emit::cdevents::{CdEvent, of_event};
use homeostat_schema::config::Config;
use homeostat_sources::{Admitted, Delivery, Instance, Normalised, normalise};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// Long after every delivery of the fixtures.
const RECEIVED_AT_MS: u64 = 1_900_000_000_000;

/// The first part of a file's name, and GitHub's name of the event where no headers were recorded.
const GITHUB_EVENTS: &[(&str, &str)] = &[("branch__", "push"), ("pull_request__", "pull_request")];

/// What differs, by file and field, and why it may.
const DIFFERENCES: &[(&str, &str, &str)] =
    &[("argocd/captured__005", "artifact", "theirs is empty, which the schema of CDEvents forbids")];

fn fixtures() -> PathBuf {
    let root = std::env::var_os("HOMEOSTAT_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        PathBuf::from,
    );
    assert!(
        root.is_dir(),
        "no fixtures at {}: set HOMEOSTAT_FIXTURES to the folder that has github-captured and argocd",
        root.display()
    );
    root
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn headers(folder: &str, name: &str, root: &Path) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let recorded = root.join(format!("inputs__{name}.headers.json"));
    if recorded.is_file() {
        for (name, value) in json(&recorded).as_object().unwrap() {
            // Their notes on the request itself are no headers.
            let Ok(header) = name.parse::<HeaderName>() else { continue };
            headers.insert(header, value.as_str().unwrap().parse().unwrap());
        }
    } else if folder == "github-captured" {
        let event = GITHUB_EVENTS.iter().find(|(start, _)| name.starts_with(start)).unwrap().1;
        headers.insert("x-github-event", HeaderValue::from_static(event));
        headers.insert("x-github-delivery", HeaderValue::from_static("72d3162e-cc78-11e3-81ab-4c9367dc0958"));
    }
    headers
}

/// Ours of a delivery.
fn ours(source: &str, folder: &str, name: &str, root: &Path) -> Vec<CdEvent> {
    let config = Config::default();
    let body = std::fs::read(root.join(format!("inputs__{name}.json"))).unwrap();
    let headers = headers(folder, name, root);
    let delivery = Delivery {
        source: Instance::of(&config, source).unwrap(),
        admitted: Admitted::Verified,
        headers: &headers,
        body: &body,
        received_at_ms: RECEIVED_AT_MS,
        seed: [0; 10],
    };
    match normalise(&delivery, &config) {
        Normalised::Items(items) => items.iter().flat_map(|item| of_event(&item.event)).collect(),
        Normalised::NotUnderstood(why) => panic!("{folder}/{name} is not understood: {why}"),
        Normalised::Ignored(_) | Normalised::Batch(_) => Vec::new(),
    }
}

/// `branch.created` of `dev.cdevents.branch.created.0.2.0`: the versions of types differ.
fn name_of(kind: &str) -> String {
    kind.split('.').skip(2).take(2).collect::<Vec<_>>().join(".")
}

fn time_of(text: &str) -> Option<i64> {
    homeostat_schema::time::parse_any(text).ok()
}

/// The fields that differ, with both values.
fn differences(expected: &Value, ours: Option<&CdEvent>) -> BTreeMap<&'static str, String> {
    let Some(ours) = ours else { return BTreeMap::from([("absent", String::new())]) };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = BTreeMap::new();
    let mut compare = |field: &'static str, theirs: String, ours: String| {
        if theirs != ours {
            found.insert(field, format!("theirs {theirs:?}, ours {ours:?}"));
        }
    };
    let (context, subject) = (&expected["context"], &expected["subject"]);
    compare("type", name_of(&text(&context["type"])), name_of(&ours.context.kind));
    compare("subject", text(&subject["id"]), ours.subject.id.clone());
    let outcome = |content: &Value| text(&content["outcome"]);
    compare("outcome", outcome(&subject["content"]), outcome(&ours.subject.content));
    let artifact = |content: &Value| text(&content["artifactId"]);
    compare("artifact", artifact(&subject["content"]), artifact(&ours.subject.content));
    let theirs = text(&context["timestamp"]);
    let equal = time_of(&theirs).is_some() && time_of(&theirs) == time_of(&ours.context.timestamp);
    compare("time", theirs, if equal { text(&context["timestamp"]) } else { ours.context.timestamp.clone() });
    found
}

/// The delivery that an expectation was made of, and which of its events it is: 0 is the first.
fn input_of(name: &str) -> (&str, usize) {
    let part = name.strip_prefix("captured__").and_then(|rest| rest.rsplit_once('.')?.1.parse().ok());
    match (name.rsplit_once('.'), part) {
        (Some((input, _)), Some(part)) => (input, part),
        _ => (name, 0),
    }
}

#[test]
fn ours_agree_with_what_is_expected_or_say_why_not() {
    let (mut agreed, mut wrong, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for (folder, source) in [("github-captured", "github"), ("argocd", "argocd")] {
        let root = fixtures().join(folder);
        let mut names: Vec<String> = std::fs::read_dir(&root)
            .unwrap()
            .filter_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                Some(name.strip_prefix("expected_cdevents__")?.strip_suffix(".json")?.to_owned())
            })
            .collect();
        names.sort();
        assert!(names.len() >= 9, "{folder} has {} expectations", names.len());
        for name in names {
            let file = format!("{folder}/{name}");
            let expected = json(&root.join(format!("expected_cdevents__{name}.json")));
            let (input, part) = input_of(&name);
            let ours = ours(source, folder, input, &root);
            let found = differences(&expected, ours.get(part));
            if found.is_empty() {
                agreed.push(file.clone());
            }
            for (field, values) in found {
                match DIFFERENCES.iter().position(|(of, what, _)| *of == file && *what == field) {
                    Some(at) => used.push(at),
                    None => wrong.push(format!("{file}: {field}: {values}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "differences without a reason:\n{}", wrong.join("\n"));
    let idle: Vec<_> =
        (0..DIFFERENCES.len()).filter(|at| !used.contains(at)).map(|at| DIFFERENCES[at]).collect();
    assert!(idle.is_empty(), "reasons that apply to nothing: {idle:?}");
    the_list_is_as_reviewed(&agreed);
}

/// The files on which ours agree in everything that is compared.
fn the_list_is_as_reviewed(agreed: &[String]) {
    let golden = include_str!("golden/agreed.txt");
    assert_eq!(agreed.join("\n"), golden.trim(), "the list of agreements changed");
}
