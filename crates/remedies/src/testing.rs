//! What tests of this crate start from: a configuration, a finding, a health.

use std::collections::BTreeMap;

use homeostat_schema::config::{Config, Environment, GitHub, Kubernetes, Mode, Service};
use homeostat_schema::types::{
    Correlation, Evidence, Finding, FindingKind, Health, Release, Severity, Trust, Verdict,
};

use crate::connector::Endpoints;

/// 2026-01-01T00:00:00Z.
pub(crate) const START_MS: u64 = 1_767_225_600_000;
pub(crate) const BAD_COMMIT: &str = "bad0000000000000000000000000000000000bad";
pub(crate) const GOOD_COMMIT: &str = "900d0000000000000000000000000000000900d0";

pub(crate) fn endpoints() -> Endpoints {
    Endpoints {
        github_origin: "https://api.github.com".into(),
        kubernetes_origin: "https://kubernetes.default.svc".into(),
        slack_origin: "https://hooks.slack.com".into(),
    }
}

/// Stage with this mode, no cooldown to speak of, and every target configured.
pub(crate) fn config(mode: Mode) -> Config {
    let mut config = Config::default();
    let stage = Environment { mode, cooldown_s: 30, attempts_max: 3, ..Environment::named("stage") };
    config.environments.insert("stage".into(), stage);
    config.learning.exploration = 0.0;
    config.services.push(Service {
        name: "shop".into(),
        matches: Vec::new(),
        mode: BTreeMap::new(),
        judge: BTreeMap::new(),
        objective: BTreeMap::new(),
        objective_days: BTreeMap::new(),
        pipeline_env: None,
        rerun_cost: None,
        calls: Vec::new(),
        capacity: BTreeMap::new(),
        github: Some(GitHub { repository: "acme/shop".into(), environments: BTreeMap::new() }),
        kubernetes: BTreeMap::from([(
            "stage".into(),
            Kubernetes { namespace: "shop".into(), deployment: "web".into() },
        )]),
    });
    config
}

pub(crate) fn health(verdict: Verdict, score: f64, text: &str) -> Health {
    let evidence = Evidence {
        metric: "deployment".into(),
        observed: 1.0,
        bound: 0.0,
        unit: "1".into(),
        samples: 1,
        text: text.into(),
        events: vec!["e1".into()],
    };
    Health { verdict, score, because: vec![evidence] }
}

pub(crate) fn finding(id: &str, kind: FindingKind) -> Finding {
    Finding {
        id: id.into(),
        kind,
        severity: Severity::Critical,
        env: "stage".into(),
        service: "shop".into(),
        version: Some("v2".into()),
        commit: Some(BAD_COMMIT.into()),
        last_good: Some(Release { version: Some("v1".into()), commit: Some(GOOD_COMMIT.into()), at: 1 }),
        health: health(Verdict::Bad, 20.0, "the deployment failed"),
        correlation: Correlation {
            run: Some("42".into()),
            run_attempt: Some(1),
            deployment: None,
            pull_request: None,
        },
        trust: Trust { signed: true, fresh: true, fork: false, self_: false, late: false, test: false },
        irreversible: false,
        found_at: START_MS,
        config_version: 1,
        plot: None,
        cause: None,
    }
}
