//! Writes what the fuzz targets start from: a delivery of every source, and a forged one, in the
//! form that `fuzz/src/lib.rs` reads. `cargo run -p homeostat-testkit --example fuzz_seeds`
#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::fs;

use homeostat_testkit::landscape::workspace_root;
use homeostat_testkit::senders::{self, Sent, Signer};

/// The targets and their sources, in their order.
const TARGETS: [(&str, &[&str]); 6] = [
    ("alerts", &["alertmanager", "grafana", "datadog", "pagerduty"]),
    ("envelopes", &["cdevents", "cloudevents", "standard", "generic"]),
    ("forges", &["github", "gitlab", "bitbucket"]),
    ("gitops", &["argocd", "argo-rollouts", "flux"]),
    ("pipelines", &["jenkins", "circleci", "buildkite", "azure-devops", "tekton"]),
    ("proof", &senders::SOURCES),
];
/// What the targets take for now, milliseconds since the epoch.
const NOW_MS: u64 = 1_772_359_200_000;

fn main() -> std::io::Result<()> {
    for (target, sources) in TARGETS {
        let folder = workspace_root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (letter, source) in (b'a'..).zip(sources) {
            let Some(sent) = senders::delivery(source, 1, NOW_MS, Signer::Forger) else { continue };
            fs::write(folder.join(source), input(letter, &sent))?;
        }
        println!("{}", folder.display());
    }
    Ok(())
}

fn input(letter: u8, sent: &Sent) -> Vec<u8> {
    let mut input = vec![letter];
    for (name, value) in &sent.headers {
        input.extend(format!("{name}: {value}\n").bytes());
    }
    input.push(b'\n');
    input.extend(&sent.body);
    input
}
