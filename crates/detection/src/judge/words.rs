//! The reasons in plain words.

use super::contest::Contest;
use super::decision::{Because, Verdict, told};
use super::reasons::SILENCE;
use super::rollout::Rollout;
use super::samples::Samples;
use super::settings::Settings;
use super::stream::{Stream, Test};
use crate::sequential::Tally;

/// One stream's part, and how loud it is: the logarithm of its part of the evidence.
pub(super) fn stream(stream: &Stream, settings: &Settings, seconds: u64) -> (f64, Because) {
    let mut reason = Because {
        metric: stream.metric.clone(),
        statistic: told(stream.ln_worse().exp()),
        bound: told(1.0 / settings.alpha),
        weight: told(stream.weight),
        effect: None,
        interval: None,
        samples: 0,
        seconds,
        text: String::new(),
    };
    if let Some((value, batches)) = stream.alarm() {
        (reason.statistic, reason.bound) = (told(value), told(settings.run_length));
        alone(stream, batches, &mut reason);
        return ((value / settings.run_length).max(f64::MIN_POSITIVE).ln(), reason);
    }
    match &stream.test {
        Test::Counts(contest) => counts(contest, settings, &mut reason),
        Test::Samples(samples) => measurements(samples, settings, &mut reason),
        Test::Gauges(gauges) => {
            let (canary, baseline, batches) = gauges.seen();
            reason.samples = batches;
            reason.text = format!(
                "canary {} on average, baseline {}, in {batches} batches",
                number(canary),
                number(baseline)
            );
        }
        Test::PastCounts(_) | Test::PastSamples(_) | Test::PastGauges(_) => {}
    }
    (stream.weight.max(f64::MIN_POSITIVE).ln() + stream.ln_worse(), reason)
}

fn counts(contest: &Contest, settings: &Settings, reason: &mut Because) {
    let (seen, _) = contest.seen();
    reason.samples = seen.canary.total;
    let Some((effect, interval)) = contest.effect(settings.alpha) else {
        reason.text = "the canary has not reported yet".to_owned();
        return;
    };
    (reason.effect, reason.interval) = (Some(told(effect)), Some(interval));
    reason.text = format!(
        "canary {} bad ({} of {}), baseline {} ({} of {}): {} times as many{}",
        percent(seen.canary),
        seen.canary.bad(),
        seen.canary.total,
        percent(seen.baseline),
        seen.baseline.bad(),
        seen.baseline.total,
        number(effect),
        between(interval),
    );
}

fn measurements(samples: &Samples, settings: &Settings, reason: &mut Because) {
    let (canary, baseline) = samples.histograms();
    let share = samples.loudest();
    reason.samples = canary.count();
    let (Some(slow), Some(usual)) = (canary.quantile(share), baseline.quantile(share)) else {
        reason.text = "not enough measurements of both arms yet".to_owned();
        return;
    };
    let level = settings.alpha / 2.0;
    let (ours, theirs) = (canary.interval(share, level), baseline.interval(share, level));
    let ratio = |over: Option<f64>, under: Option<f64>| {
        over.zip(under).filter(|(_, under)| *under > 0.0).map(|(over, under)| told(over / under))
    };
    let interval = (ratio(ours.0, theirs.1), ratio(ours.1, theirs.0));
    let effect = ratio(Some(slow), Some(usual));
    (reason.effect, reason.interval) = (effect, Some(interval));
    reason.text = format!(
        "p{} of the canary {}, of the baseline {}: {} times as much{}",
        number(100.0 * share),
        number(slow),
        number(usual),
        effect.map_or_else(|| "many".to_owned(), number),
        between(interval),
    );
}

fn alone(stream: &Stream, batches: u64, reason: &mut Because) {
    let learning = "learning what is usual".to_owned();
    reason.samples = batches;
    let shares = |seen: Tally, learned: Tally| {
        let usual = if learned.total > 0 { percent(learned) } else { "the share allowed".to_owned() };
        format!("{} since then, {usual} before", percent(seen))
    };
    reason.text = match &stream.test {
        _ if batches == 0 => learning,
        Test::PastCounts(past) => {
            let (seen, learned) = past.seen();
            reason.samples = seen.total;
            format!("bad: {}", shares(seen, learned))
        }
        Test::PastSamples(past) => {
            let (seen, learned) = past.counts().seen();
            reason.samples = seen.total;
            format!("above what 5% of the first were above: {}", shares(seen, learned))
        }
        Test::PastGauges(past) => {
            let (last, usual) = past.seen();
            format!("now {}, usually {}", number(last), number(usual))
        }
        Test::Counts(_) | Test::Samples(_) | Test::Gauges(_) => learning,
    };
}

/// The silence of the canary.
pub(super) fn silence(rollout: &Rollout, settings: &Settings, seconds: u64) -> Because {
    let silent_s = rollout.silence.slots * settings.silence_ms / 1000;
    let text = match silent_s {
        0 => "the old version reports, the new one was silent again and again".to_owned(),
        _ => format!("the old version reports, the new one has been silent for {silent_s} s"),
    };
    Because {
        metric: "telemetry".to_owned(),
        statistic: told(rollout.silence.ln_e().exp()),
        bound: told(1.0 / settings.alpha),
        weight: SILENCE,
        effect: None,
        interval: None,
        samples: rollout.silence.slots,
        seconds,
        text,
    }
}

/// What would change the verdict.
pub(super) fn would_change(rollout: &Rollout, ln_evidence: f64, settings: &Settings) -> String {
    let bad = format!("bad at evidence {} (now {})", number(1.0 / settings.alpha), number(ln_evidence.exp()));
    match rollout.said.verdict {
        Verdict::Bad => "a new deployment, or the event `resolved`".to_owned(),
        Verdict::Blind => "telemetry that reports again".to_owned(),
        Verdict::Healthy => bad,
        Verdict::Watching => match waiting_for(rollout, settings) {
            Some(healthy) => format!("{bad}; {healthy}"),
            None => bad,
        },
    }
}

/// What is missing for healthy.
fn waiting_for(rollout: &Rollout, settings: &Settings) -> Option<String> {
    let proofs = rollout.streams.iter().filter_map(|stream| Some((stream, stream.ln_not_worse(settings)?)));
    let (stream, proof) = proofs.min_by(|a, b| a.1.total_cmp(&b.1))?;
    if proof >= -settings.beta.ln() {
        return Some("healthy once the suspicion is gone and the canary reports".to_owned());
    }
    let worst = (1.0 + settings.margin) * (1.0 + settings.tolerance);
    Some(format!(
        "healthy once `{}` of the canary is shown to be below {} times the baseline's: proof {} of {}",
        stream.metric,
        number(worst),
        number(proof.exp()),
        number(1.0 / settings.beta),
    ))
}

fn between((low, high): (Option<f64>, Option<f64>)) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!(" (between {} and {})", number(low), number(high)),
        (Some(low), None) => format!(" (at least {})", number(low)),
        (None, Some(high)) => format!(" (at most {})", number(high)),
        (None, None) => String::new(),
    }
}

fn percent(tally: Tally) -> String {
    format!("{}%", number(100.0 * tally.share()))
}

/// Three digits are enough to read.
fn number(value: f64) -> String {
    if !value.is_finite() || value.abs() >= 1e6 {
        return format!("{:.2e}", value.clamp(f64::MIN, f64::MAX));
    }
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{}", (value * 10.0).round() / 10.0),
        size if size >= 0.01 => format!("{}", (value * 100.0).round() / 100.0),
        _ => format!("{value:.1e}"),
    }
}
