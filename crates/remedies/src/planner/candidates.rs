//! Which remedies fit a finding, and what each would work on here.
//!
//! | finding | remedies, in order of preference |
//! |---|---|
//! | run failed | re-run failed jobs, unless the finding says that another run is not worth it |
//! | deployment failed, latency high, error rate high | rollback, redeploy |
//! | capacity low | scale up, where the finding says how many replicas would do and they may be had |
//! | blind, disaster, and kinds this version does not know | none: a person is told |

use homeostat_schema::config::{Config, Service};
use homeostat_schema::types::{
    Evidence, Finding, FindingKind, GithubTarget, KubernetesTarget, Remedy, Target,
};

use crate::connector::check;

/// A remedy that fits, and its target where one is configured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) remedy: Remedy,
    pub(super) target: Option<Target>,
}

/// The remedies that fit, in order of preference.
pub(super) fn of(finding: &Finding, config: &Config) -> Vec<Candidate> {
    let fitting: &[Remedy] = match finding.kind {
        FindingKind::RunFailed if not_worth_a_run(finding).is_some() => &[],
        FindingKind::RunFailed => &[Remedy::RerunFailedJobs],
        FindingKind::DeploymentFailed | FindingKind::LatencyHigh | FindingKind::ErrorRateHigh => {
            &[Remedy::Rollback, Remedy::Redeploy]
        }
        FindingKind::CapacityLow if replicas(finding, config).is_some() => &[Remedy::ScaleUp],
        FindingKind::CapacityLow | FindingKind::Blind | FindingKind::Disaster | FindingKind::Other(_) => &[],
    };
    let service = config.services.iter().find(|known| known.name == finding.service);
    let target = |remedy| service.and_then(|service| target(remedy, finding, service));
    fitting.iter().map(|remedy| Candidate { remedy: remedy.clone(), target: target(remedy) }).collect()
}

/// The detector's word that another run of what failed is not worth its cost: a number against its
/// bound. A finding without one says nothing of the kind.
pub(super) fn not_worth_a_run(finding: &Finding) -> Option<&Evidence> {
    let told = finding.health.because.iter().find(|evidence| evidence.metric == Evidence::RERUN)?;
    (finding.kind == FindingKind::RunFailed && told.observed <= told.bound).then_some(told)
}

/// As many replicas as the detector says would do and as the configuration of now allows, where they
/// are more than there are. Nobody said how far it may grow: none.
pub(super) fn replicas(finding: &Finding, config: &Config) -> Option<u32> {
    if finding.kind != FindingKind::CapacityLow {
        return None;
    }
    let most = config.capacity(&finding.env, &finding.service)?.replicas_max;
    let told = finding.health.because.iter().find(|evidence| evidence.metric == Evidence::REPLICAS)?;
    let allowed = told.bound.min(f64::from(most));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0, at most a u32")]
    (told.bound.is_finite() && allowed > told.observed.max(0.0)).then_some(allowed as u32)
}

fn target(remedy: &Remedy, finding: &Finding, service: &Service) -> Option<Target> {
    match remedy {
        Remedy::Rollback | Remedy::ScaleUp => kubernetes(&finding.env, service),
        Remedy::Redeploy => good_commit(finding).and_then(|_| github(&finding.env, service)),
        Remedy::RerunFailedJobs => {
            check::run(finding.correlation.run.as_deref()).ok().and_then(|_| github(&finding.env, service))
        }
        _ => None,
    }
}

/// A commit to go back to: a good one, and not the one in question.
fn good_commit(finding: &Finding) -> Option<&str> {
    let good = check::commit(finding.last_good.as_ref()?.commit.as_deref()).ok()?;
    (finding.commit.as_deref() != Some(good)).then_some(good)
}

fn kubernetes(env: &str, service: &Service) -> Option<Target> {
    let place = service.kubernetes.get(env)?;
    Some(Target::Kubernetes(KubernetesTarget {
        namespace: place.namespace.clone(),
        deployment: place.deployment.clone(),
    }))
}

fn github(env: &str, service: &Service) -> Option<Target> {
    let place = service.github.as_ref()?;
    Some(Target::Github(GithubTarget {
        repository: place.repository.clone(),
        environment: place.environments.get(env).cloned().unwrap_or_else(|| env.to_owned()),
    }))
}
