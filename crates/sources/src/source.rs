//! A source: one table row per sender, made by the sender's own module.
//!
//! What this does not do: verify a proof (see [`crate::authenticate`]), read a body.
//!
//! Invariant: the route decides the source, and the source its schemes of proof, never a header.

use std::fmt;

use homeostat_schema::config;

use crate::authenticate::Scheme;
use crate::reading::{NotUnderstood, Raw, Read};
use crate::{
    alertmanager, argo_rollouts, argocd, azure_devops, bitbucket, buildkite, cdevents, circleci, cloudevents,
    datadog, flux, generic, github, gitlab, grafana, jenkins, pagerduty, plug_in, standard, tekton,
};

/// The cap of a source whose sender names none, bytes.
pub(crate) const BODY_MAX: usize = 1024 * 1024;

/// What is fixed about a source: a constant in its module.
pub(crate) struct Profile {
    /// As in its route and in events.
    pub(crate) name: &'static str,
    /// The longest body taken, bytes.
    pub(crate) body_max: usize,
    /// How a delivery can be proven. The first is the one it is judged by, unless the configuration
    /// names another.
    pub(crate) schemes: &'static [Scheme<'static>],
    /// Reads a delivery that was let in.
    pub(crate) read: fn(&Raw<'_>) -> Result<Read, NotUnderstood>,
}

/// A sender with a route of its own.
#[derive(Clone, Copy)]
pub struct Source(&'static Profile);

impl Source {
    /// GitHub's webhooks.
    pub const GITHUB: Self = Self(&github::PROFILE);
    /// GitLab's webhooks, of projects, groups and the system.
    pub const GITLAB: Self = Self(&gitlab::PROFILE);
    /// Bitbucket's webhooks, of Cloud and of Data Center.
    pub const BITBUCKET: Self = Self(&bitbucket::PROFILE);
    /// Jenkins's Notification and CloudEvents plug-ins.
    pub const JENKINS: Self = Self(&jenkins::PROFILE);
    /// CircleCI's outbound webhooks.
    pub const CIRCLECI: Self = Self(&circleci::PROFILE);
    /// Buildkite's webhooks, also by way of EventBridge.
    pub const BUILDKITE: Self = Self(&buildkite::PROFILE);
    /// Azure DevOps service hooks.
    pub const AZURE_DEVOPS: Self = Self(&azure_devops::PROFILE);
    /// Argo CD's notifications, by the template in `infra/argo/`.
    pub const ARGOCD: Self = Self(&argocd::PROFILE);
    /// Argo Rollouts' notifications, by the templates in `infra/argo/`.
    pub const ARGO_ROLLOUTS: Self = Self(&argo_rollouts::PROFILE);
    /// Flux's notification-controller.
    pub const FLUX: Self = Self(&flux::PROFILE);
    /// Prometheus Alertmanager.
    pub const ALERTMANAGER: Self = Self(&alertmanager::PROFILE);
    /// Grafana's alerting.
    pub const GRAFANA: Self = Self(&grafana::PROFILE);
    /// Datadog's webhooks, by the payload in `infra/datadog/`.
    pub const DATADOG: Self = Self(&datadog::PROFILE);
    /// PagerDuty's webhooks, version 3.
    pub const PAGERDUTY: Self = Self(&pagerduty::PROFILE);
    /// Tekton's CloudEvents.
    pub const TEKTON: Self = Self(&tekton::PROFILE);
    /// CDEvents, plain or in CloudEvents.
    pub const CDEVENTS: Self = Self(&cdevents::PROFILE);
    /// CloudEvents of any type.
    pub const CLOUDEVENTS: Self = Self(&cloudevents::PROFILE);
    /// The flat form, signed by Standard Webhooks.
    pub const STANDARD: Self = Self(&standard::PROFILE);
    /// The flat form, for scripts and for systems with no module of their own.
    pub const GENERIC: Self = Self(&generic::PROFILE);
    /// Whatever an installed plug-in reads.
    pub const PLUGIN: Self = Self(&plug_in::PROFILE);

    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::GITHUB,
        Self::GITLAB,
        Self::BITBUCKET,
        Self::JENKINS,
        Self::CIRCLECI,
        Self::BUILDKITE,
        Self::AZURE_DEVOPS,
        Self::ARGOCD,
        Self::ARGO_ROLLOUTS,
        Self::FLUX,
        Self::ALERTMANAGER,
        Self::GRAFANA,
        Self::DATADOG,
        Self::PAGERDUTY,
        Self::TEKTON,
        Self::CDEVENTS,
        Self::CLOUDEVENTS,
        Self::STANDARD,
        Self::GENERIC,
        Self::PLUGIN,
    ];

    /// The source of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.name() == name)
    }

    /// As in its route and in events.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The variable that holds its secrets.
    pub fn secret_variable(self) -> String {
        config::secret_variable(self.name())
    }

    /// The longest body taken, bytes.
    pub const fn body_max(self) -> usize {
        self.0.body_max
    }

    /// How a delivery can be proven.
    pub const fn schemes(self) -> &'static [Scheme<'static>] {
        self.0.schemes
    }

    /// Reads a delivery that was let in.
    ///
    /// # Errors
    /// [`NotUnderstood`] when it is not what this source sends.
    pub fn read(self, raw: &Raw<'_>) -> Result<Read, NotUnderstood> {
        (self.0.read)(raw)
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Source {}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
