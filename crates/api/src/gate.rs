//! The gate: a pipeline asks whether to promote the newest release of a service.
//!
//! What this does not do: promote, or change anything; a POST is answered as a GET is.
//!
//! Invariant: `healthy` is answered only of the release that is compared now, of the one that was
//! asked for when one was, and only while the new version is heard.

use homeostat_flow::{Redis, views};
use homeostat_schema::time;
use homeostat_schema::types::Verdict;
use homeostat_stages::view::{self, ComparisonView};
use http::StatusCode;

use crate::answer::{Answer, Problem, json};
use crate::port::Snapshots;
use crate::query::Query;
use crate::serve::World;

/// A new version that was not heard of for so long is not called healthy, whoever should have
/// noticed: twice what it takes until silence is blind.
const STALE_MS: u64 = 90_000;
/// As much of a commit as git shows, and no less, tells one from another.
const COMMIT_CHARS_MIN: usize = 7;

/// What is asked for: any other verdict is 409, for who reads the status only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Require {
    Healthy,
    Bad,
    /// Healthy or bad: nothing to wait for.
    Decided,
}

impl Require {
    fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "healthy" => Ok(Self::Healthy),
            "bad" => Ok(Self::Bad),
            "decided" => Ok(Self::Decided),
            _ => Err(Problem::bad("require", "one of: healthy, bad, decided")),
        }
    }

    fn is_met_by(self, verdict: Verdict) -> bool {
        match self {
            Self::Healthy => verdict == Verdict::Healthy,
            Self::Bad => verdict == Verdict::Bad,
            Self::Decided => matches!(verdict, Verdict::Healthy | Verdict::Bad),
        }
    }
}

/// Answers with the verdict on the newest release.
///
/// # Errors
/// 404 for a service that nothing was heard of, 400 for a parameter that cannot be read.
pub(crate) async fn answer<R: Redis, S: Snapshots>(
    world: &World<'_, R, S>,
    (env, service): (&str, &str),
    query: Option<&str>,
) -> Result<Answer, Problem> {
    let query = Query::parse(query, &["require", "version", "commit"])?;
    let require = query.get("require").map(Require::parse).transpose()?;
    if query.get("commit").is_some_and(|commit| commit.chars().count() < COMMIT_CHARS_MIN) {
        return Err(Problem::bad("commit", format!("at least {COMMIT_CHARS_MIN} characters are expected")));
    }
    let keys = [view::comparison_key(env, service), view::service_key(env, service)];
    let mut found = views::values(world.store.redis(), &keys).await?.into_iter();
    let (compared, known) = (found.next().flatten(), found.next().flatten());
    let view = match compared {
        Some(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| Problem::internal("the comparison was written by another version"))?,
        None if known.is_some() => nothing_compared(env, service),
        None => return Err(unknown(env, service)),
    };
    let view = of_what_was_asked(still_heard(view, world.now_ms), &query);
    let met = require.is_none_or(|require| require.is_met_by(view.verdict));
    Ok(json(if met { StatusCode::OK } else { StatusCode::CONFLICT }, &view))
}

fn unknown(env: &str, service: &str) -> Problem {
    Problem::not_found().saying(format!(
        "nothing was heard of {service} in {env}: GET /api/v1/services lists what is known; a \
         deployment or observation sent to /api/v1/events, or [[pull]], makes a service known"
    ))
}

fn nothing_compared(env: &str, service: &str) -> ComparisonView {
    ComparisonView {
        env: env.to_owned(),
        service: service.to_owned(),
        verdict: Verdict::Watching,
        score: 0.0,
        text: "no versions are compared here: observations with the attribute arm (baseline and \
               canary) begin it"
            .to_owned(),
        would_change: String::new(),
        statistic: 0.0,
        bound: 0.0,
        samples: 0,
        version: None,
        commit: None,
        heard_at: None,
        plot: None,
    }
}

/// The word of a detector that has heard nothing, or does not run, is no word.
fn still_heard(view: ComparisonView, now_ms: u64) -> ComparisonView {
    let heard = view.heard_at.as_deref().and_then(|at| time::parse(at).ok()).unwrap_or(0);
    let silent_ms = now_ms.saturating_sub(heard);
    if view.verdict != Verdict::Healthy || silent_ms <= STALE_MS {
        return view;
    }
    let text = format!("nothing was heard of the new version for {} s", silent_ms / 1000);
    ComparisonView {
        verdict: Verdict::Blind,
        text,
        would_change: "telemetry that reports again".to_owned(),
        ..view
    }
}

/// A word on another release than the one that was asked for is none, whatever it is.
fn of_what_was_asked(view: ComparisonView, query: &Query) -> ComparisonView {
    let version = query.get("version").is_none_or(|asked| view.version.as_deref() == Some(asked));
    let commit = query.get("commit").is_none_or(|asked| is_commit(view.commit.as_deref(), asked));
    if version && commit {
        return view;
    }
    let known = view.version.as_deref().or(view.commit.as_deref());
    let text = match known {
        Some(known) => format!("another release is compared: {known}"),
        None => "no deployment told which release is compared".to_owned(),
    };
    ComparisonView {
        verdict: Verdict::Watching,
        text,
        would_change: "a deployment event of the release that was asked for".to_owned(),
        ..view
    }
}

fn is_commit(known: Option<&str>, asked: &str) -> bool {
    known.is_some_and(|known| known.starts_with(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_772_359_200_000;

    fn view(verdict: Verdict, heard_at: u64) -> ComparisonView {
        ComparisonView {
            verdict,
            version: Some("v2".to_owned()),
            commit: Some("600d1dea0b0b".to_owned()),
            heard_at: Some(time::display(heard_at)),
            ..nothing_compared("prod", "shop")
        }
    }

    #[test]
    fn what_is_required_is_met_by_its_verdicts_only() {
        let check = |require: Require, met: &[Verdict]| {
            for verdict in [Verdict::Healthy, Verdict::Watching, Verdict::Bad, Verdict::Blind] {
                assert_eq!(require.is_met_by(verdict), met.contains(&verdict), "{require:?} {verdict}");
            }
        };
        check(Require::Healthy, &[Verdict::Healthy]);
        check(Require::Bad, &[Verdict::Bad]);
        check(Require::Decided, &[Verdict::Healthy, Verdict::Bad]);
    }

    #[test]
    fn healthy_is_said_only_while_the_new_version_is_heard() {
        let check = |verdict: Verdict, heard_at: u64, expected: Verdict| {
            assert_eq!(still_heard(view(verdict, heard_at), NOW).verdict, expected);
        };
        check(Verdict::Healthy, NOW - STALE_MS, Verdict::Healthy);
        check(Verdict::Healthy, NOW - STALE_MS - 1, Verdict::Blind);
        check(Verdict::Bad, 0, Verdict::Bad);
        let never = ComparisonView { heard_at: None, ..view(Verdict::Healthy, NOW) };
        assert_eq!(still_heard(never, NOW).verdict, Verdict::Blind);
    }

    #[test]
    fn healthy_is_said_of_the_release_that_was_asked_for_only() {
        let check = |query: &str, expected: Verdict| {
            let query = Query::parse(Some(query), &["version", "commit"]).unwrap();
            let answer = of_what_was_asked(view(Verdict::Healthy, NOW), &query);
            assert_eq!(answer.verdict, expected, "{query:?}");
        };
        check("", Verdict::Healthy);
        check("version=v2&commit=600d1dea0b0b", Verdict::Healthy);
        check("commit=600d1de", Verdict::Healthy);
        check("commit=600d1de1", Verdict::Watching);
        check("version=v1", Verdict::Watching);
        check("version=v", Verdict::Watching);
    }
}
