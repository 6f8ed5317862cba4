//! Prometheus text. Nothing is counted here: every number is read from the store.
//!
//! What this does not do: label by service, whose number has no bound.

use std::collections::BTreeMap;

use homeostat_flow::name::dead_key;
use homeostat_flow::{Lag, Redis, Reply, ScriptStore, Store};
use homeostat_schema::types::IncidentState;
use homeostat_stages::view::ServiceView;
use http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::answer::{Answer, Problem, whole};
use crate::incidents::{self, Summary};
use crate::{listing, services};

/// The text format of Prometheus and OpenMetrics.
const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Incidents looked at: what is open is among the newest, and each is read whole.
const INCIDENTS_MAX: usize = 200;
/// Services looked at.
const SERVICES_MAX: usize = 1_000;

type Labels = Vec<(String, String)>;

/// What is kept beside the counters and counts nothing: which refusals the log has told.
const OF_THE_LOG: [&str; 2] = ["told", "told-at"];

/// What was read of the store.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) counters: BTreeMap<String, i64>,
    pub(crate) lag: Vec<Lag>,
    pub(crate) dead: i64,
    pub(crate) incidents: BTreeMap<&'static str, i64>,
    pub(crate) services: BTreeMap<String, i64>,
}

/// Answers with all metrics.
pub(crate) async fn answer<R: Redis>(store: &ScriptStore<R>) -> Result<Answer, Problem> {
    let text =
        render(&read(store).await?).ok_or_else(|| Problem::internal("the metrics could not be written"))?;
    Ok(whole(StatusCode::OK, KIND, text.into_bytes()))
}

async fn read<R: Redis>(store: &ScriptStore<R>) -> Result<Numbers, Problem> {
    let dead = store.redis().command("XLEN", &[dead_key().as_bytes()]).await?;
    let mut numbers = Numbers {
        counters: store.counters().await?,
        lag: store.lag().await?,
        dead: dead.first().and_then(Reply::number).unwrap_or_default(),
        incidents: IncidentState::NAMES.iter().map(|state| (*state, 0)).collect(),
        services: BTreeMap::new(),
    };
    for incident in listing::newest::<R, Summary>(store.redis(), &incidents::LIST, INCIDENTS_MAX).await? {
        *numbers.incidents.entry(incident.state.name()).or_default() += 1;
    }
    for service in listing::newest::<R, ServiceView>(store.redis(), &services::LIST, SERVICES_MAX).await? {
        *numbers.services.entry(service.health.verdict.name().to_owned()).or_default() += 1;
    }
    Ok(numbers)
}

fn render(numbers: &Numbers) -> Option<String> {
    let mut registry = Registry::with_prefix("homeostat");
    entries(&mut registry, &numbers.counters);
    sources(&mut registry, &numbers.counters);
    lag(&mut registry, &numbers.lag);
    let dead = Gauge::<i64>::default();
    dead.set(numbers.dead);
    registry.register("dead_letters", "Entries given up and kept for replay", dead);
    let states = numbers.incidents.iter().map(|(state, count)| (labels(&[("state", state)]), *count));
    gauges(&mut registry, "recent_incidents", "Incidents by state, of the newest 200", states);
    let verdicts = numbers.services.iter().map(|(verdict, count)| (labels(&[("verdict", verdict)]), *count));
    gauges(&mut registry, "services", "Services by verdict", verdicts);
    let mut text = String::new();
    encode(&mut text, &registry).ok()?;
    Some(text)
}

/// What the ingest counts of a source instance: the counter's name, the metric's, and its help.
const OF_SOURCES: [(&str, &str, &str); 3] = [
    ("key", "webhook_key_uses", "Deliveries proven, by source and place of the secret in its list"),
    ("refused", "webhook_refused", "Deliveries without proof, by source"),
    ("shed", "webhook_shed", "Deliveries told to come back later, by source"),
];

/// Counters named `<what>:<source>`, and `key:<source>:<place>`.
fn sources(registry: &mut Registry, counters: &BTreeMap<String, i64>) {
    for (what, metric, help) in OF_SOURCES {
        let family = Family::<Labels, Counter>::default();
        for (name, value) in counters {
            let Some(rest) = name.strip_prefix(what).and_then(|rest| rest.strip_prefix(':')) else {
                continue;
            };
            let labels = match rest.rsplit_once(':') {
                Some((source, key)) => labels(&[("source", source), ("key", key)]),
                None => labels(&[("source", rest)]),
            };
            family.get_or_create(&labels).inc_by(u64::try_from(*value).unwrap_or_default());
        }
        registry.register(metric, help, family);
    }
}

/// Counters are named `<what>:<stage>`.
fn entries(registry: &mut Registry, counters: &BTreeMap<String, i64>) {
    let family = Family::<Labels, Counter>::default();
    for (name, value) in counters {
        let (what, stage) = name.split_once(':').unwrap_or((name, ""));
        let of_source = OF_SOURCES.iter().any(|(of_source, _, _)| *of_source == what);
        if of_source || OF_THE_LOG.contains(&what) {
            continue;
        }
        let counter = family.get_or_create(&labels(&[("what", what), ("stage", stage)])).clone();
        counter.inc_by(u64::try_from(*value).unwrap_or_default());
    }
    registry.register("entries", "Entries and batches by what became of them", family);
}

fn lag(registry: &mut Registry, lag: &[Lag]) {
    let of = |pick: fn(&Lag) -> u64| {
        let place = |line: &Lag| labels(&[("stage", line.stage.as_str()), ("shard", line.shard.as_str())]);
        let rows: Vec<_> =
            lag.iter().map(|line| (place(line), i64::try_from(pick(line)).unwrap_or(i64::MAX))).collect();
        rows.into_iter()
    };
    gauges(registry, "unread_entries", "Entries not consumed", of(|line| line.unread));
    gauges(registry, "due_timers", "Timers that are due", of(|line| line.due));
    gauges(registry, "open_entries", "Entries handed out and not committed", of(|line| line.open));
    gauges(
        registry,
        "oldest_unread_milliseconds",
        "Age of the oldest unread entry",
        of(|line| line.oldest_ms),
    );
}

fn gauges(registry: &mut Registry, name: &str, help: &str, rows: impl Iterator<Item = (Labels, i64)>) {
    let family = Family::<Labels, Gauge>::default();
    for (labels, value) in rows {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use homeostat_flow::{Shard, Stage};

    #[test]
    fn the_numbers_become_prometheus_text() {
        let numbers = Numbers {
            counters: BTreeMap::from([
                ("appended:detect".to_owned(), 7),
                ("key:github/team-a:2".to_owned(), 5),
                ("odd\"name".to_owned(), -1),
                ("refused:github".to_owned(), 3),
            ]),
            lag: vec![Lag {
                stage: Stage::new("detect"),
                shard: Shard::service(1),
                unread: 3,
                due: 0,
                open: 2,
                oldest_ms: 41,
            }],
            dead: 1,
            incidents: BTreeMap::from([("open", 2)]),
            services: BTreeMap::from([("healthy".to_owned(), 5)]),
        };
        let text = render(&numbers).unwrap();
        for line in [
            "# TYPE homeostat_entries counter",
            r#"homeostat_entries_total{what="appended",stage="detect"} 7"#,
            r#"homeostat_entries_total{what="odd\"name",stage=""} 0"#,
            r#"homeostat_webhook_key_uses_total{source="github/team-a",key="2"} 5"#,
            r#"homeostat_webhook_refused_total{source="github"} 3"#,
            r#"homeostat_unread_entries{stage="detect",shard="s1"} 3"#,
            r#"homeostat_oldest_unread_milliseconds{stage="detect",shard="s1"} 41"#,
            "homeostat_dead_letters 1",
            r#"homeostat_recent_incidents{state="open"} 2"#,
            r#"homeostat_services{verdict="healthy"} 5"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
