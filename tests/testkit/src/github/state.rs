//! What GitHub remembers: runs with their attempts and jobs, deployments with their statuses.
//!
//! Pure transitions; times come in as arguments.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// GitHub's ids have long outgrown 32 bits; so do these.
const FIRST_ID: u64 = 17_000_000_001;

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Well.
    Success,
    /// Badly.
    Failure,
}

impl Conclusion {
    /// GitHub's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// A run to be started.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The workflow's name.
    pub name: String,
    /// The commit it runs for.
    pub sha: String,
    /// What each attempt comes to; the last counts for all that follow. Empty: success.
    pub plan: Vec<Conclusion>,
    /// Where its code comes from.
    pub origin: Origin,
}

/// Where a run's code comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The repository itself.
    #[default]
    Own,
    /// A fork.
    Fork,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: u64,
    /// The workflow's name.
    pub name: String,
    /// The commit it runs for.
    pub sha: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// `queued`, `in_progress`, `completed`.
    pub status: &'static str,
    /// Only once it is completed.
    pub conclusion: Option<Conclusion>,
    /// Job name and conclusion of the current attempt.
    pub jobs: Vec<(String, Option<Conclusion>)>,
    /// Where its code comes from.
    pub origin: Origin,
    pub(super) number: u64,
    pub(super) created_ms: u64,
    pub(super) started_ms: u64,
    pub(super) updated_ms: u64,
    plan: Vec<Conclusion>,
}

/// A deployment to be created.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// A commit or a branch.
    pub reference: String,
    /// GitHub's name of the environment.
    pub environment: String,
    /// `deploy` or a custom name.
    pub task: String,
    /// Whatever its creator wants to find again.
    pub payload: Value,
    /// For people.
    pub description: Option<String>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its id.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// As it was asked for.
    pub reference: String,
    /// GitHub's name of the environment.
    pub environment: String,
    /// `deploy` or a custom name.
    pub task: String,
    /// As it was given.
    pub payload: Value,
    /// For people.
    pub description: Option<String>,
    /// State and text, oldest first.
    pub statuses: Vec<Status>,
    pub(super) created_ms: u64,
    pub(super) updated_ms: u64,
}

/// One status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub(super) id: u64,
    /// GitHub's word.
    pub state: String,
    /// For people.
    pub text: String,
    pub(super) at_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    repositories: BTreeMap<String, Repository>,
    ids: u64,
}

#[derive(Debug, Default)]
struct Repository {
    commits: Vec<String>,
    runs: BTreeMap<u64, Run>,
    deployments: BTreeMap<u64, Deployment>,
}

/// Why a re-run is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RerunRefused {
    NoSuchRun,
    StillRunning,
    NothingFailed,
}

impl NewDeployment {
    /// A deployment of a commit as a pipeline makes it.
    pub fn plain(environment: &str, sha: &str) -> Self {
        Self {
            reference: sha.to_owned(),
            environment: environment.to_owned(),
            task: "deploy".to_owned(),
            payload: json!({}),
            description: None,
        }
    }
}

impl Deployment {
    /// The newest status; `pending` before the first.
    pub fn state(&self) -> &str {
        self.statuses.last().map_or("pending", |status| &status.state)
    }
}

impl Run {
    fn outcome(&self) -> Conclusion {
        let index = usize::try_from(self.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.plan.get(index).or(self.plan.last()).copied().unwrap_or(Conclusion::Success)
    }
}

impl State {
    pub(super) fn add_repository(&mut self, full_name: &str, commits: &[&str]) {
        let commits = commits.iter().map(|&sha| sha.to_owned()).collect();
        self.repositories.insert(full_name.to_owned(), Repository { commits, ..Repository::default() });
    }

    pub(super) fn has_repository(&self, full_name: &str) -> bool {
        self.repositories.contains_key(full_name)
    }

    pub(super) fn run(&self, repository: &str, id: u64) -> Option<&Run> {
        self.repositories.get(repository)?.runs.get(&id)
    }

    pub(super) fn runs(&self, repository: &str) -> impl DoubleEndedIterator<Item = &Run> {
        self.repositories.get(repository).into_iter().flat_map(|one| one.runs.values())
    }

    pub(super) fn deployment(&self, repository: &str, id: u64) -> Option<&Deployment> {
        self.repositories.get(repository)?.deployments.get(&id)
    }

    pub(super) fn deployments(&self, repository: &str) -> impl DoubleEndedIterator<Item = &Deployment> {
        self.repositories.get(repository).into_iter().flat_map(|one| one.deployments.values())
    }

    pub(super) fn start_run(&mut self, repository: &str, wanted: NewRun, now_ms: u64) -> Option<u64> {
        let id = self.next_id();
        let repository = self.repositories.get_mut(repository)?;
        let run = Run {
            id,
            name: wanted.name,
            sha: wanted.sha,
            attempt: 1,
            status: "queued",
            conclusion: None,
            jobs: vec![("build".to_owned(), None), ("test".to_owned(), None)],
            origin: wanted.origin,
            number: repository.runs.len() as u64 + 1,
            created_ms: now_ms,
            started_ms: now_ms,
            updated_ms: now_ms,
            plan: wanted.plan,
        };
        repository.runs.insert(id, run);
        Some(id)
    }

    pub(super) fn begin_run(&mut self, repository: &str, id: u64, now_ms: u64) {
        if let Some(run) = self.run_mut(repository, id) {
            run.status = "in_progress";
            run.updated_ms = now_ms;
        }
    }

    /// The last job carries the conclusion; the others went well.
    pub(super) fn end_run(&mut self, repository: &str, id: u64, now_ms: u64) {
        let Some(run) = self.run_mut(repository, id) else { return };
        let outcome = run.outcome();
        run.status = "completed";
        run.conclusion = Some(outcome);
        run.updated_ms = now_ms;
        for (_, conclusion) in &mut run.jobs {
            *conclusion = Some(Conclusion::Success);
        }
        if let Some((_, last)) = run.jobs.last_mut() {
            *last = Some(outcome);
        }
    }

    pub(super) fn rerun_failed(
        &mut self,
        repository: &str,
        id: u64,
        now_ms: u64,
    ) -> Result<(), RerunRefused> {
        let run = self.run_mut(repository, id).ok_or(RerunRefused::NoSuchRun)?;
        if run.status != "completed" {
            return Err(RerunRefused::StillRunning);
        }
        if run.conclusion != Some(Conclusion::Failure) {
            return Err(RerunRefused::NothingFailed);
        }
        run.attempt += 1;
        run.status = "queued";
        run.conclusion = None;
        run.started_ms = now_ms;
        run.updated_ms = now_ms;
        for (_, conclusion) in &mut run.jobs {
            if *conclusion == Some(Conclusion::Failure) {
                *conclusion = None;
            }
        }
        Ok(())
    }

    /// `None` when there is no such repository or the reference leads nowhere.
    pub(super) fn create_deployment(
        &mut self,
        repository: &str,
        wanted: NewDeployment,
        now_ms: u64,
    ) -> Option<Deployment> {
        let id = self.next_id();
        let repository = self.repositories.get_mut(repository)?;
        let sha = resolve(&repository.commits, &wanted.reference)?;
        let deployment = Deployment {
            id,
            sha,
            reference: wanted.reference,
            environment: wanted.environment,
            task: wanted.task,
            payload: wanted.payload,
            description: wanted.description,
            statuses: Vec::new(),
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        repository.deployments.insert(id, deployment.clone());
        Some(deployment)
    }

    /// Returns every deployment whose status changed, the asked one first.
    pub(super) fn set_status(
        &mut self,
        repository: &str,
        id: u64,
        state: &str,
        text: &str,
        now_ms: u64,
    ) -> Vec<Deployment> {
        let Some(asked) = self.deployment(repository, id) else { return Vec::new() };
        let environment = asked.environment.clone();
        let replaced: Vec<u64> = self
            .deployments(repository)
            .filter(|one| state == "success" && one.id < id && one.environment == environment)
            .filter(|one| one.state() == "success")
            .map(|one| one.id)
            .collect();
        let first = self.add_status(repository, id, state, text, now_ms);
        let rest =
            replaced.into_iter().filter_map(|old| self.add_status(repository, old, "inactive", "", now_ms));
        first.into_iter().chain(rest.collect::<Vec<_>>()).collect()
    }

    fn add_status(
        &mut self,
        repository: &str,
        id: u64,
        state: &str,
        text: &str,
        now_ms: u64,
    ) -> Option<Deployment> {
        let status =
            Status { id: self.next_id(), state: state.to_owned(), text: text.to_owned(), at_ms: now_ms };
        let deployment = self.repositories.get_mut(repository)?.deployments.get_mut(&id)?;
        deployment.statuses.push(status);
        deployment.updated_ms = now_ms;
        Some(deployment.clone())
    }

    fn run_mut(&mut self, repository: &str, id: u64) -> Option<&mut Run> {
        self.repositories.get_mut(repository)?.runs.get_mut(&id)
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        FIRST_ID + self.ids
    }
}

/// A known commit, or the head of `main`.
fn resolve(commits: &[String], reference: &str) -> Option<String> {
    if reference == "main" {
        return commits.last().cloned();
    }
    commits.iter().find(|sha| *sha == reference).cloned()
}
