use homeostat_schema::types::{EventKind, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{purl_name, purl_version};
use crate::Source;
use crate::draft::Draft;
use crate::reading::Reading;
use crate::testing::{any_json, ignored, only, read, survives};

const PLAIN: &[(&str, &str)] = &[("content-type", "application/json")];

fn deployed() -> Value {
    json!({
        "context": {
            "specversion": "0.5.1", "id": "e-1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0",
            "timestamp": "2026-03-01T10:00:00Z", "chainId": "c-1",
            "links": [{"linkType": "RELATION", "target": {"contextId": "r"}}, {"linkType": "PATH", "from": {"contextId": "p"}}],
        },
        "subject": {"id": "shop", "content": {
            "environment": {"id": "prod", "source": "/iaas"}, "artifactId": "pkg:oci/shop@sha256%3Aabc?tag=1.2",
        }},
        "customData": {"secret": "x"},
    })
}

fn of_type(name: &str, content: Value) -> Value {
    let mut event = deployed();
    event["context"]["type"] = name.into();
    event["subject"]["content"] = content;
    event
}

fn draft(event: &Value) -> Draft {
    only(Source::CDEVENTS, PLAIN, event)
}

#[test]
fn a_deployment_has_service_environment_version_and_time() {
    let said = draft(&deployed()).said;
    assert_eq!((&said.kind, &said.status), (&EventKind::Deployment, &Status::Success));
    assert_eq!((said.service_name.as_deref(), said.env_name.as_deref()), (Some("shop"), Some("prod")));
    assert_eq!((said.version.as_deref(), said.occurred_at_ms), (Some("sha256:abc"), Some(1_772_359_200_000)));
    assert_eq!(said.delivery.as_deref(), Some("/ci e-1"));
    let attribute =
        |name: &str| said.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(attribute("chain"), Some("c-1"));
    assert_eq!(attribute("caused-by"), Some("p"));
    assert_eq!(attribute("cdevent"), Some("service.deployed"));
    assert_eq!(attribute("artifact"), Some("pkg:oci/shop@sha256%3Aabc?tag=1.2"));
}

#[test]
fn a_later_version_with_more_fields_reads_the_same() {
    let mut later = deployed();
    later["context"]["specversion"] = "9.9.9".into();
    later["context"]["type"] = "dev.cdevents.service.deployed.9.9.9-draft".into();
    later["context"]["new"] = json!({"a": [1]});
    later["subject"]["content"]["newer"] = json!(5);
    later["whatever"] = json!([]);
    assert_eq!(draft(&later), draft(&deployed()));
}

#[test]
fn only_what_begins_and_ends_once_is_a_state() {
    let subject =
        |name: &str, content: Value| draft(&of_type(name, content)).subject.map(|subject| subject.id);
    let run = "dev.cdevents.pipelinerun.started.0.3.0";
    assert_eq!(subject(run, json!({})).as_deref(), Some("pipelinerun /ci shop"));
    assert_eq!(subject("dev.cdevents.service.deployed.0.3.0", json!({})), None);
    assert_eq!(subject("dev.cdevents.incident.detected.0.3.0", json!({})), None);
}

#[test]
fn runs_and_tasks_belong_together() {
    let content = json!({"pipelineName": "build", "uri": "https://ci.example/1", "outcome": "failure",
        "errors": "password=hunter2"});
    let run = draft(&of_type("dev.cdevents.pipelinerun.finished.0.3.0", content)).said;
    assert_eq!((run.kind, run.status), (EventKind::Run, Status::Failure));
    assert_eq!((run.correlation.run.as_deref(), run.service_name.as_deref()), (Some("shop"), Some("build")));
    assert_eq!(run.url.as_deref(), Some("https://ci.example/1"));
    assert!(run.attributes.iter().all(|(_, value)| !value.contains("hunter2")));
    let content = json!({"taskName": "unit", "pipelineRun": {"id": "run-1"}, "url": "https://ci.example/2"});
    let task = draft(&of_type("dev.cdevents.taskrun.started.0.2.0", content)).said;
    assert_eq!((task.kind, task.status), (EventKind::Job, Status::Running));
    assert_eq!((task.correlation.run.as_deref(), task.title.as_deref()), (Some("run-1"), Some("unit")));
    assert_eq!(task.url.as_deref(), Some("https://ci.example/2"));
}

#[test]
fn what_must_be_there_is_asked_for() {
    for path in ["/context/id", "/context/source", "/context/type", "/subject/id", "/context", "/subject"] {
        for value in [json!(null), json!(""), json!([])] {
            let mut event = deployed();
            *event.pointer_mut(path).unwrap() = value;
            assert!(read(Source::CDEVENTS, PLAIN, event.to_string().as_bytes()).is_err(), "{path}");
        }
    }
    for body in ["", "{", "[]", "5", "{\"context\":{}}"] {
        assert!(read(Source::CDEVENTS, PLAIN, body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn headers_and_body_must_name_the_same_event() {
    let with = |name: &'static str, value: &'static str| {
        let headers = [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "e-1"),
            ("ce-source", "/ci"),
            ("ce-type", "dev.cdevents.service.deployed.0.3.0"),
            ("ce-subject", "shop"),
        ];
        let headers: Vec<_> = headers
            .into_iter()
            .map(|(known, own)| (known, if known == name { value } else { own }))
            .collect();
        read(Source::CDEVENTS, &headers, deployed().to_string().as_bytes())
    };
    assert_eq!(with("", "").unwrap().id.as_deref(), Some("/ci e-1"));
    assert!(with("ce-id", "e-2").is_err());
    assert!(with("ce-source", "/other").is_err());
    assert!(with("ce-type", "dev.cdevents.service.rolledback.0.3.0").is_err());
    assert!(with("ce-subject", "another").is_err());
}

#[test]
fn structured_and_batched_events_are_read_too() {
    let event = json!({"specversion": "1.0", "id": "e-1", "source": "/ci", "data": deployed(),
        "type": "dev.cdevents.service.deployed.0.3.0"});
    let structured = [("content-type", "application/cloudevents+json")];
    assert_eq!(only(Source::CDEVENTS, &structured, &event), draft(&deployed()));
    let batch = [("content-type", "application/cloudevents-batch+json")];
    let read = read(Source::CDEVENTS, &batch, json!([event]).to_string().as_bytes()).unwrap();
    assert_eq!(read.reading, Reading::Items(vec![draft(&deployed())]));
}

#[test]
fn our_own_stamp_is_recognised() {
    let mut event = deployed();
    assert_eq!(draft(&event).own_attempt, None);
    event["customData"] = json!({"homeostat": {"attempt": "a1"}});
    assert_eq!(draft(&event).own_attempt.as_deref(), Some("a1"));
    let mut incident = of_type("dev.cdevents.incident.detected.0.3.0", json!({}));
    incident["customData"] = json!({"homeostat": {"severity": "critical", "state": "open"}});
    assert!(ignored(Source::CDEVENTS, PLAIN, &incident).contains("Homeostat"));
}

#[test]
fn package_urls_give_name_and_version() {
    let check = |purl: &str, name: Option<&str>, version: Option<&str>| {
        assert_eq!((purl_name(purl), purl_version(purl).as_deref()), (name, version), "{purl}");
    };
    check("pkg:oci/myapp@sha256%3A0b31?repository_url=a/b@c", Some("myapp"), Some("sha256:0b31"));
    check("pkg:golang/mygit.com/myorg/myapp@234fd4", Some("myapp"), Some("234fd4"));
    check("pkg:npm/%40acme/shop@1.2.3#sub/path", Some("shop"), Some("1.2.3"));
    check("pkg:npm/shop", Some("shop"), None);
    check("pkg:npm/shop@", Some("shop"), None);
    check("shop@1.2", None, None);
    check("pkg:", None, None);
}

proptest! {
    #[test]
    fn whatever_comes_is_answered(bytes: Vec<u8>, with in any_json()) {
        survives(Source::CDEVENTS, PLAIN, &bytes, &deployed(), &with);
        let run = of_type("dev.cdevents.taskrun.finished.0.3.0", json!({"outcome": "error", "pipelineRun": {"id": "1"}}));
        survives(Source::CDEVENTS, PLAIN, &bytes, &run, &with);
    }

    #[test]
    fn any_type_is_read(name in "[a-z0-9.\\-]{1,60}") {
        let event = of_type(&name, json!({}));
        let _ = read(Source::CDEVENTS, PLAIN, event.to_string().as_bytes());
    }

    #[test]
    fn any_package_url_is_answered(purl in "(pkg:)?[a-z@%:/?#0-9]{0,40}") {
        prop_assert!(purl_version(&purl).is_none_or(|version| version.len() <= purl.len()));
        prop_assert!(purl_name(&purl).is_none_or(|name| purl.contains(name)));
    }
}
