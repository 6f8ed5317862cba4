//! A verification in plain words.

use super::{BLIND_AFTER_MS, DEADLINE_MS, HOLD_OUT_MS, Verdict, Verification};
use crate::number::{percent, span, times};

impl Verification {
    pub(super) fn text(&self, verdict: Verdict, now_ms: u64, worse_elsewhere: Option<&str>) -> String {
        let since = self.since.plus(self.pending);
        let rates = format!(
            "{} of {} requests failed since the attempt ({}); usual is {}, before the attempt it was {}",
            since.bad(),
            since.total,
            percent(since.share()),
            percent(self.usual),
            percent(self.bad)
        );
        let evidence = format!(
            "evidence for fixed {}, for worse {}",
            times(self.fixing.ln_e()),
            times(self.worsening.ln_e())
        );
        let next = self.next(verdict, now_ms, worse_elsewhere);
        format!("{rates}; {evidence}; {next}")
    }

    fn next(&self, verdict: Verdict, now_ms: u64, worse_elsewhere: Option<&str>) -> String {
        match verdict {
            Verdict::Checking => format!(
                "neither is proven yet (×20 would be); without proof by {} after the attempt it counts as unproven",
                span(DEADLINE_MS)
            ),
            Verdict::Blind => format!("no requests for {}: nothing can be said", span(BLIND_AFTER_MS)),
            Verdict::Proven => {
                let proven_ms = self.proven_ms.unwrap_or(now_ms);
                let watched = format!(
                    "back to usual after {}; watched for a relapse for {}",
                    span(proven_ms.saturating_sub(self.attempt_ms)),
                    span(HOLD_OUT_MS)
                );
                match worse_elsewhere {
                    Some(stream) => format!("{watched}; not called fixed while {stream} is worse"),
                    None => watched,
                }
            }
            Verdict::Fixed => "fixed: back to usual, and no relapse in the hold-out".to_owned(),
            Verdict::Relapsed => "it came back to usual and rose again".to_owned(),
            Verdict::Worse => "worse than before the attempt: stop and call a person".to_owned(),
            Verdict::Unproven => {
                format!("not proven within {}: not to be taken for fixed", span(DEADLINE_MS))
            }
        }
    }
}
