//! The report's tables.

use super::scores::{Reached, Score, Scores, Share};
use crate::run::OURS;

/// A Markdown table; nothing without rows.
fn table(title: &str, text: &str, head: &[String], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let rule = format!("|{}", "---|".repeat(head.len()));
    let mut lines = vec![format!("## {title}\n\n{text}\n"), line(head), rule];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Three digits at most.
fn number(value: f64) -> String {
    let text = if value == 0.0 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

fn interval(share: &Share) -> String {
    format!("{} ({}–{})", percent(share.share), number(100.0 * share.interval.0), percent(share.interval.1))
}

pub(super) fn targets(scores: &Scores) -> String {
    let rows: Vec<Vec<String>> = scores
        .targets
        .iter()
        .map(|target| {
            let reached = match target.reached {
                Reached::Best => "**ahead**",
                Reached::Must => "reached",
                Reached::Missed => "**not reached**",
                Reached::Missing => "not run",
            };
            let value = target.value.map_or_else(|| "–".to_owned(), number);
            let must = target.must.map_or_else(|| "–".to_owned(), number);
            let unit = target.unit.clone();
            vec![
                target.number.clone(),
                target.claim.clone(),
                must,
                number(target.best),
                value,
                unit,
                reached.to_owned(),
                target.note.clone(),
            ]
        })
        .collect();
    let head = heads(&["#", "claim", "must", "ahead of every peer", "found", "unit", "", "how"]);
    let text = "At most the number in *must*; *ahead* is at most the number beside it.";
    table("Targets", text, &head, &rows)
}

pub(super) fn controls(scores: &Scores) -> String {
    let row = |control: &super::scores::Control| {
        let came = if control.sound { "sound" } else { "**FAILED CONTROL**" };
        vec![control.name.clone(), came.to_owned(), control.text.clone()]
    };
    let rows: Vec<_> = scores.controls.iter().map(row).collect();
    let text = "Detectors that know nothing must not pass, and the judge must not fall for these.";
    table("Controls", text, &heads(&["control", "", "found"]), &rows)
}

/// Worlds are columns, spreads lie within.
pub(super) fn false_rollbacks(scores: &Scores) -> String {
    let long: Vec<Vec<String>> = scores
        .cells_of("s1/healthy/")
        .into_iter()
        .filter_map(|cell| scores.of(cell, OURS))
        .map(|score| {
            let of = score.called.of.to_string();
            vec![tail(&score.cell, 2), of, interval(&score.called), percent(score.healthy.share)]
        })
        .collect();
    let text = "Healthy canaries through an hour, nominal 1 %. Cell: world/φ, the variance over the mean of the errors.";
    let head = heads(&["world/φ", "lives", "called bad (95 % interval)", "called healthy"]);
    let ours = table("S1: healthy canaries, ours", text, &head, &long);
    [ours, peers_false(scores)].join("\n\n").trim().to_owned()
}

fn peers_false(scores: &Scores) -> String {
    let cells = scores.cells_of("s1/peers/");
    let text = "The share of healthy lives called bad in an hour, in percent, fewer lives.";
    let value = |score: &Score| number(100.0 * score.called.share);
    by_system(scores, "S1: healthy canaries, peers", text, &cells, value)
}

/// Systems are rows, cells columns.
fn by_system(
    scores: &Scores,
    title: &str,
    text: &str,
    cells: &[&str],
    value: impl Fn(&Score) -> String,
) -> String {
    let Some(first) = cells.first() else { return String::new() };
    let mut head = vec!["system".to_owned()];
    head.extend(cells.iter().map(|cell| tail(cell, 2)));
    let row = |system: &str| {
        let values = cells.iter().map(|cell| scores.of(cell, system).map_or_else(String::new, &value));
        std::iter::once(system.to_owned()).chain(values).collect()
    };
    let rows: Vec<Vec<String>> = scores.systems(first).into_iter().map(row).collect();
    table(title, text, &head, &rows)
}

pub(super) fn delays(scores: &Scores) -> String {
    let text = "Ours again, with the share of bad canaries that were called healthy at some time.";
    let promoted = ours(scores, &scores.cells_of("s1/faulty/"));
    let mut parts = vec![table("S1: faults, ours", text, &head_of_ours(), &promoted)];
    let mut worlds: Vec<String> = scores.cells_of("s1/faulty/").into_iter().map(world).collect();
    worlds.dedup();
    for world in worlds {
        let cells = scores.cells_of(&format!("s1/faulty/{world}/"));
        let title = format!("S1: faults in world {world}");
        parts.push(by_system(scores, &title, DELAY_TEXT, &cells, delay));
    }
    parts.join("\n\n")
}

const DELAY_TEXT: &str = "\
Share found, median / 95th percentile of the delay in seconds; in brackets the share of the healthy \
twin's lives that was called.";

fn delay(score: &Score) -> String {
    let seconds = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let twin =
        score.twin.as_ref().map_or_else(String::new, |twin| format!(" ({})", percent(twin.called.share)));
    let found = percent(score.called.share);
    format!("{found}, {} / {}{twin}", seconds(score.median_s), seconds(score.p95_s))
}

/// `b/1` of `s1/faulty/b/1/x3`.
fn world(cell: &str) -> String {
    cell.split('/').skip(2).take(2).collect::<Vec<_>>().join("/")
}

/// The last parts of a cell's name.
fn tail(cell: &str, parts: usize) -> String {
    let all: Vec<&str> = cell.split('/').collect();
    all.get(all.len().saturating_sub(parts)..).unwrap_or(&all).join("/")
}

pub(super) fn latency(scores: &Scores) -> String {
    let mut cells = scores.cells_of("s2/");
    cells.sort_by_key(|cell| (cell.contains("faulty"), *cell));
    let rows: Vec<Vec<String>> = ours(scores, &cells);
    let text = "Log-normal latencies with a slow tail, 20 requests a second, half of them the canary's, for half an hour. \
                `biased`: machines that differ by 3 %, a true difference that no margin of the judge covers by design alone.";
    let ours = table("S2: latency, ours", text, &head_of_ours(), &rows);
    [ours, peers_on_latency(scores)].join("\n\n").trim().to_owned()
}

fn peers_on_latency(scores: &Scores) -> String {
    let (faulty, healthy): (Vec<&str>, Vec<&str>) =
        scores.cells_of("s2/").into_iter().partition(|cell| cell.starts_with("s2/faulty/"));
    let text = "\
The share of healthy lives called bad in half an hour, with its 95 % interval. A minute's p99 is about a second \
here when nothing is wrong, so that every default of 500 ms on it calls all lives: a threshold is of one service.";
    let value = |score: &Score| interval(&score.called);
    let called = by_system(scores, "S2: healthy canaries, peers", text, &healthy, value);
    [called, by_system(scores, "S2: faults", DELAY_TEXT, &faulty, delay)].join("\n\n")
}

fn head_of_ours() -> Vec<String> {
    heads(&["cell", "lives", "called (95 % interval)", "median s", "95th s", "called healthy"])
}

fn ours(scores: &Scores, cells: &[&str]) -> Vec<Vec<String>> {
    let seconds = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let row = |score: &Score| {
        vec![
            score.cell.clone(),
            score.lives.to_string(),
            interval(&score.called),
            seconds(score.median_s),
            seconds(score.p95_s),
            percent(score.healthy.share),
        ]
    };
    cells.iter().filter_map(|cell| scores.of(cell, OURS)).map(row).collect()
}

pub(super) fn weeks(scores: &Scores) -> String {
    let rate = |score: &Score| {
        let Some(rate) = &score.per_week else { return delay(score) };
        format!("{} ({}–{})", number(rate.rate), number(rate.interval.0), number(rate.interval.1))
    };
    let healthy = scores.cells_of("s3/healthy/");
    let text = "Alarms in a healthy stream-week, with a day of history; by φ.";
    let alarms = by_system(scores, "S3: a stream with no control, healthy", text, &healthy, rate);
    let faulty = scores.cells_of("s3/faulty/");
    let found =
        by_system(scores, "S3: a stream with no control that becomes worse", DELAY_TEXT, &faulty, delay);
    [alarms, found].join("\n\n").trim().to_owned()
}

pub(super) fn repairs(scores: &Scores) -> String {
    let text = "A call is the proof that it is fixed: wanted in `fixed`, false in `boundary` (errors halfway between \
                the two rates, geometrically), in `not-fixed`, and in `short-history` (the boundary, with twenty \
                minutes of history instead of six hours).";
    table("S6: is it fixed?", text, &head_of_ours(), &ours(scores, &scores.cells_of("s6/")))
}

pub(super) fn forecasts(scores: &Scores) -> String {
    let mut rows = Vec::new();
    for (family, systems) in &scores.forecasts {
        for (system, forecast) in systems {
            let coverage = forecast.coverage.map_or_else(|| "–".to_owned(), percent);
            rows.push(vec![
                family.clone(),
                system.clone(),
                number(forecast.error),
                coverage,
                forecast.steps.to_string(),
            ]);
        }
    }
    let text = "One step ahead. Error: mean absolute error over that of \"as before\". Coverage of the upper bound, nominal 95 %.";
    table("S5: forecasts", text, &heads(&["family", "system", "error", "coverage", "steps"]), &rows)
}

pub(super) fn fleet(scores: &Scores) -> String {
    let text = "Fifty services that call each other, 500 deployments a seed, a tenth of them bad: three to ten times \
                the errors, or nothing served at all. Gaps, duplicates, late and reordered observations, clocks off by \
                up to two seconds.";
    table("S7: end to end", text, &head_of_ours(), &ours(scores, &scores.cells_of("s7/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let check = |value: f64, expected: &str| assert_eq!(number(value), expected);
        check(0.0, "0");
        check(1200.0, "1200");
        check(12.5, "12.5");
        check(0.01234, "0.0123");
        check(2.0, "2");
    }

    #[test]
    fn names_are_cut_to_what_differs() {
        assert_eq!(tail("s1/faulty/b/1/x3", 2), "1/x3");
        assert_eq!(tail("s2", 2), "s2");
        assert_eq!(world("s1/faulty/b/1/x3"), "b/1");
    }
}
