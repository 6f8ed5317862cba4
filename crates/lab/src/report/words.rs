//! The report's prose.

use super::Made;
use super::scores::Scores;

pub(super) fn opening(scores: &Scores, made: &Made) -> String {
    let failed = scores.failed_controls();
    let mut text = String::from("# Detection: evaluation\n\n");
    if made.quick {
        text.push_str("**A quick look, too small to show anything but that the laboratory works.**\n\n");
    }
    if !failed.is_empty() {
        let names: Vec<&str> = failed.iter().map(|control| control.name.as_str()).collect();
        text.push_str(&format!("**FAILED CONTROL: {}. The numbers below are void.**\n\n", names.join("; ")));
    }
    let revision = made.revision.as_ref().map_or_else(String::new, |revision| format!(" at {revision}"));
    text.push_str(&format!(
        "Written by `{}`{revision}. Seeds {}. Parameters: `crates/lab/frozen.toml`, SHA-256 `{}`.\n\n{RULES}",
        made.command, made.seeds, scores.frozen
    ));
    text
}

const RULES: &str = "\
Simulated lives, all of them seeded. The system writes decisions under names that tell nothing; a \
scorer in Python (`scorer/`) holds them against the truth. Intervals are exact at 95 % (Clopper and \
Pearson; Garwood for rates). A delay counts all lives, those without a call as infinitely long; a \
dash is a median that does not exist, because fewer than half were called. Every score of a fault \
stands beside the share of healthy lives of the same world that the same system called (A/A). \
How a run is made, and what would make it void, is in \
[the decision on the laboratory](../adr/0012-laboratory.md).";

pub(super) fn picture(file: &str) -> String {
    format!("![{}]({file})", file.trim_end_matches(".svg").replace('-', " "))
}

pub(super) fn closing() -> String {
    CLOSING.to_owned()
}

const CLOSING: &str = "\
## What this does not show

- The lives are simulated, by the same people who wrote the judge. Bursts, wandering levels and \
shared incidents are in them; users who differ between the arms are not, and would break every test \
here.
- Target 5 (noise of real machines in Azure) and targets 6 and 7 (labelled progressive releases of \
ChangeRCA) need data sets that are not in any package registry and have no copy here: not run.
- Targets 8 and 9 are about single series of other people's data; see [nab.md](nab.md).
- Peers look at S1, at S2 and, one of them, at S3. On latencies each sees what it would see in \
production: a number a minute or an interval, or every request where its method wants that. Quantiles \
are exact, which no histogram's are.
- In S7 each deployment is judged by itself: which of several changes is to blame is not scored.
- Cost in WebAssembly (target 15) is measured apart; see [README.md](README.md).
- Peers are written anew from their published rules and checked against their published examples \
(`crates/lab/src/peers`). What surrounds a rule there (weights, promotion, retries on errors) is left \
out. *best* is the best of a small grid on seeds 0 to 99, not the best there is.";
