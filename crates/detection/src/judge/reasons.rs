//! From the streams of a rollout to one verdict, one score, and why.
//!
//! Evidence of streams with arms: the average of their current e-values, by weights given before
//! anything was known of them, so that it is an e-value itself whatever their dependence (Vovk and
//! Wang, Annals of Statistics 2021). A part is kept for silence of the canary, and one for metrics
//! that turn up later. Streams without an arm alarm by themselves.

use homeostat_schema::time;

use super::decision::{Because, Decision, Verdict, told};
use super::rollout::Rollout;
use super::settings::Settings;
use super::stream::Stream;
use super::watch::Blindness;
use super::words;
use crate::number::float;
use crate::sequential::ln_weighted_exp;

/// How much the canary's silence counts.
pub(super) const SILENCE: f64 = 0.03;
/// How much the metrics count that both arms report at first, together.
const METRICS: f64 = 0.94;
/// Before any evidence: of ten rollouts, one and a half are bad.
const PRIOR_ODDS: f64 = 1.5 / 8.5;
/// With more evidence against it, a canary is not called healthy.
const SUSPICIOUS: f64 = 3.0;

/// Gives streams with arms their weight, once both arms told of them.
pub(super) fn give_weights(streams: &mut [Stream]) {
    let new = |stream: &Stream| stream.test.is_armed() && stream.met && stream.weight <= 0.0;
    let count = streams.iter().filter(|stream| new(stream)).count();
    if count == 0 {
        return;
    }
    let given: f64 = streams.iter().map(|stream| stream.weight).sum();
    let free = if given > 0.0 { 0.5 * (1.0 - SILENCE - given) } else { METRICS };
    #[expect(clippy::cast_precision_loss, reason = "at most 32 streams")]
    let each = free / count as f64;
    streams.iter_mut().filter(|stream| new(stream)).for_each(|stream| stream.weight = each);
}

/// The logarithm of the evidence that the rollout is bad: of the streams with arms, or of those
/// without if it is larger.
pub(super) fn ln_evidence(rollout: &Rollout) -> f64 {
    ln_armed(rollout).max(ln_alone(rollout))
}

fn ln_armed(rollout: &Rollout) -> f64 {
    let armed = rollout.streams.iter().filter(|stream| stream.weight > 0.0);
    let given: f64 = armed.clone().map(|stream| stream.weight).sum();
    let parts = armed.map(|stream| (stream.weight, stream.ln_worse()));
    let rest = [(SILENCE, rollout.silence.ln_e()), ((1.0 - SILENCE - given).max(0.0), 0.0)];
    ln_weighted_exp(parts.chain(rest))
}

/// The detectors' values over the batches they judged have a mean of at most 1 while all is well.
fn ln_alone(rollout: &Rollout) -> f64 {
    let values = rollout.streams.iter().filter_map(Stream::alarm).filter(|(_, batches)| *batches > 0);
    let (sum, count) =
        values.fold((0.0, 0.0), |(sum, count), (value, batches)| (sum + value / float(batches), count + 1.0));
    if count > 0.0 { (sum / count).max(f64::MIN_POSITIVE).ln() } else { f64::NEG_INFINITY }
}

/// 0 to 100, from the logarithm of the evidence.
pub(super) fn score(ln_evidence: f64) -> f64 {
    100.0 / (1.0 + PRIOR_ODDS * ln_evidence.exp())
}

/// The verdict, and whether the canary has been shown to be no worse than tolerated.
pub(super) fn verdict(rollout: &Rollout, ln_evidence: f64, settings: &Settings) -> (Verdict, bool) {
    let shown = rollout.said.shown || is_shown(rollout, settings);
    if rollout.said.verdict == Verdict::Bad {
        return (Verdict::Bad, shown);
    }
    if rollout.blindness(settings).is_some() {
        return (Verdict::Blind, shown);
    }
    if ln_armed(rollout) >= -settings.alpha.ln() || alarms(rollout, settings) {
        return (Verdict::Bad, shown);
    }
    let present = !canary_is_silent(rollout, settings);
    let healthy = shown && present && ln_evidence < SUSPICIOUS.ln();
    (if healthy { Verdict::Healthy } else { Verdict::Watching }, shown)
}

fn alarms(rollout: &Rollout, settings: &Settings) -> bool {
    rollout.streams.iter().filter_map(Stream::alarm).any(|(value, _)| value >= settings.run_length)
}

/// Whether every stream that can speak for the canary has done so; there must be one.
fn is_shown(rollout: &Rollout, settings: &Settings) -> bool {
    let mut proofs = rollout.streams.iter().filter_map(|stream| stream.ln_not_worse(settings)).peekable();
    proofs.peek().is_some() && proofs.all(|proof| proof >= -settings.beta.ln())
}

/// Whether the canary has been silent for too long to be called healthy.
pub(super) fn canary_is_silent(rollout: &Rollout, settings: &Settings) -> bool {
    let silent_ms = settings.silence_ms.saturating_add(rollout.wait_ms(settings));
    let last = rollout.watch.canary_ms();
    last.is_none_or(|last| rollout.newest_ms.saturating_sub(last) >= silent_ms)
}

/// The whole answer.
pub(super) fn decision(rollout: &Rollout, name: &str, at_ms: u64, settings: &Settings) -> Decision {
    let ln_evidence = ln_evidence(rollout);
    Decision {
        rollout: name.to_owned(),
        at: time::display(at_ms),
        verdict: rollout.said.verdict,
        score: (rollout.said.score * 10.0).round() / 10.0,
        evidence: told(ln_evidence.exp()),
        because: because(rollout, settings),
        would_change: words::would_change(rollout, ln_evidence, settings),
        last: false,
    }
}

fn because(rollout: &Rollout, settings: &Settings) -> Vec<Because> {
    let seconds = rollout.newest_ms.saturating_sub(rollout.first_ms) / 1000;
    let mut all: Vec<(f64, Because)> = Vec::new();
    if let Some(blindness) = rollout.blindness(settings).filter(|_| rollout.said.verdict == Verdict::Blind) {
        all.push((f64::INFINITY, telemetry(blindness, settings, seconds)));
    }
    let ln_e = rollout.silence.ln_e();
    if ln_e > 0.0 || (canary_is_silent(rollout, settings) && rollout.silence.slots > 0) {
        all.push((SILENCE.ln() + ln_e, words::silence(rollout, settings, seconds)));
    }
    for stream in &rollout.streams {
        let (loudness, mut reason) = words::stream(stream, settings, seconds);
        let late = rollout.ignored().late;
        if stream.test.is_armed() && !stream.met && late > 0 {
            reason.text = format!("both versions report, {late} times too late to be compared");
        }
        all.push((loudness, reason));
    }
    // Stable: streams that are equally loud stay in the order they turned up.
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().map(|(_, reason)| reason).collect()
}

fn telemetry(blindness: Blindness, settings: &Settings, seconds: u64) -> Because {
    let silent_s = |ms: u64| float(ms) / 1e3;
    let (statistic, text) = match blindness {
        Blindness::ScrapeFailed => (1.0, "a scrape failed and nothing was heard since".to_owned()),
        Blindness::Nothing(ms) => (silent_s(ms), format!("nothing was heard of any arm for {} s", ms / 1000)),
        Blindness::NoBaseline(ms) => (
            silent_s(ms),
            format!(
                "the old version has been silent for {} s: nothing to hold the new one against",
                ms / 1000
            ),
        ),
    };
    let bound = if blindness == Blindness::ScrapeFailed { 1.0 } else { silent_s(settings.blind_ms) };
    Because {
        metric: "telemetry".to_owned(),
        statistic,
        bound,
        weight: 0.0,
        effect: None,
        interval: None,
        samples: 0,
        seconds,
        text,
    }
}
