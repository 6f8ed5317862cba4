//! What waits, and what was given up: from Redis where it was reached, else from the app's metrics.

use homeostat_adapter_native::NativeRedis;
use homeostat_flow::name::{dead_key, view_key};
use homeostat_flow::{Redis, Reply, ScriptStore, Store};

use super::app::Seen;
use super::finding::Finding;
use crate::cli::output;

/// Work that waits longer than this waits for nobody, milliseconds: a tick comes every two seconds.
const OLDEST_WARN_MS: u64 = 30_000;

/// Nothing works it off, milliseconds.
const OLDEST_WRONG_MS: u64 = 300_000;

/// The numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Backlog {
    unread: u64,
    due: u64,
    oldest_ms: u64,
    dead: u64,
    /// Verified webhooks that could not be read; `None` where it is not known.
    not_understood: Option<u64>,
}

/// Looks, and judges.
pub(super) async fn look(seen: &Seen, store: Option<ScriptStore<NativeRedis>>) -> Vec<Finding> {
    let read = match (&store, &seen.metrics) {
        (Some(store), _) => of_store(store).await,
        (None, Some(text)) => Some(of_metrics(text)),
        (None, None) => None,
    };
    match read {
        Some(backlog) => judge(&backlog),
        None => vec![Finding::skip("backlog", "neither Redis nor the app could be asked what waits")],
    }
}

async fn of_store(store: &ScriptStore<NativeRedis>) -> Option<Backlog> {
    let lag = store.lag().await.ok()?;
    let length = async |key: String| {
        let reply = store.redis().command("XLEN", &[key.as_bytes()]).await.ok()?;
        reply.first().and_then(Reply::number).and_then(|number| u64::try_from(number).ok())
    };
    Some(Backlog {
        unread: lag.iter().map(|line| line.unread).sum(),
        due: lag.iter().map(|line| line.due).sum(),
        oldest_ms: lag.iter().map(|line| line.oldest_ms).max().unwrap_or_default(),
        dead: length(dead_key()).await?,
        not_understood: length(view_key("not-understood")).await,
    })
}

fn of_metrics(text: &str) -> Backlog {
    let values = |name: &'static str| {
        text.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let value =
                rest.strip_prefix(' ').or_else(|| Some(rest.strip_prefix('{')?.rsplit_once("} ")?.1))?;
            value.parse::<u64>().ok()
        })
    };
    Backlog {
        unread: values("homeostat_unread_entries").sum(),
        due: values("homeostat_due_timers").sum(),
        oldest_ms: values("homeostat_oldest_unread_milliseconds").max().unwrap_or_default(),
        dead: values("homeostat_dead_letters").sum(),
        not_understood: None,
    }
}

fn judge(backlog: &Backlog) -> Vec<Finding> {
    let mut findings = vec![waiting(backlog)];
    findings.push(match backlog.dead {
        0 => Finding::ok("backlog", "no dead letters"),
        count => Finding::warn(
            "backlog",
            format!("{count} dead letters: inputs that failed again and again and were given up"),
            "docs/runbooks/dead-letters.md",
        ),
    });
    if let Some(count @ 1..) = backlog.not_understood {
        let text = format!("{count} verified webhooks could not be understood and were kept");
        findings.push(Finding::warn(
            "backlog",
            text,
            "docs/runbooks/not-understood.md shows how to look at them",
        ));
    }
    findings
}

fn waiting(backlog: &Backlog) -> Finding {
    let (unread, due, oldest) = (backlog.unread, backlog.due, output::span(backlog.oldest_ms));
    let text = format!("{unread} entries and {due} timers wait, the oldest entry for {oldest}");
    let mend = "is the app running? `homeostat tick` rings by hand; docs/runbooks/lag.md";
    match backlog.oldest_ms {
        ..=OLDEST_WARN_MS => Finding::ok("backlog", text),
        oldest if oldest <= OLDEST_WRONG_MS => Finding::warn("backlog", text, mend),
        _ => Finding::wrong("backlog", text, mend),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn the_numbers_are_read_from_the_metrics() {
        let text = "# TYPE homeostat_unread_entries gauge\n\
                    homeostat_unread_entries{stage=\"detect\",shard=\"s1\"} 3\n\
                    homeostat_unread_entries{stage=\"plan\",shard=\"odd} 9\"} 4\n\
                    homeostat_oldest_unread_milliseconds{stage=\"detect\",shard=\"s1\"} 41\n\
                    homeostat_oldest_unread_milliseconds{stage=\"plan\",shard=\"s1\"} 7\n\
                    homeostat_dead_letters 2\n# EOF\n";
        let expected = Backlog { unread: 7, due: 0, oldest_ms: 41, dead: 2, not_understood: None };
        assert_eq!(of_metrics(text), expected);
    }

    #[test]
    fn what_waits_too_long_is_wrong() {
        let check = |backlog: Backlog, expected: &[Level]| {
            let levels: Vec<Level> = judge(&backlog).iter().map(|finding| finding.level).collect();
            assert_eq!(levels, expected, "{backlog:?}");
        };
        let oldest = |oldest_ms| Backlog { oldest_ms, ..Backlog::default() };
        check(oldest(OLDEST_WARN_MS), &[Level::Ok, Level::Ok]);
        check(oldest(OLDEST_WARN_MS + 1), &[Level::Warn, Level::Ok]);
        check(oldest(OLDEST_WRONG_MS + 1), &[Level::Wrong, Level::Ok]);
        let given_up = Backlog { dead: 1, not_understood: Some(1), ..Backlog::default() };
        check(given_up, &[Level::Ok, Level::Warn, Level::Warn]);
    }
}
