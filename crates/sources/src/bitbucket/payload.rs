//! The few fields read of the payloads of Bitbucket Cloud and of Bitbucket Data Center.

use serde::Deserialize;

use homeostat_schema::wire::flat::{TEXT_CHARS_MAX, URL_BYTES_MAX};

use crate::clock::Moment;
use crate::forge::{link, owned};
use crate::json::{First, Text};

/// One more than kept, so that an address that is too long is seen to be.
pub(super) type Url = Text<{ URL_BYTES_MAX + 1 }>;
pub(super) type Name = Text<TEXT_CHARS_MAX>;

/// What a body says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kind {
    /// Data Center only.
    pub(super) event_key: Option<Name>,
    /// Of Data Center's ping.
    pub(super) test: Option<bool>,
}

/// What Cloud sends.
pub(super) mod cloud {
    use super::{Deserialize, Moment, Name, Url};

    #[derive(Deserialize)]
    pub(in super::super) struct StatusHook {
        pub(in super::super) commit_status: Option<CommitStatus>,
        pub(in super::super) repository: Option<Repository>,
        pub(in super::super) actor: Option<Actor>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct CommitStatus {
        pub(in super::super) key: Option<Name>,
        pub(in super::super) name: Option<Name>,
        pub(in super::super) state: Option<Name>,
        pub(in super::super) refname: Option<Name>,
        pub(in super::super) url: Option<Url>,
        pub(in super::super) commit: Option<Commit>,
        pub(in super::super) repository: Option<Repository>,
        pub(in super::super) created_on: Option<Moment>,
        pub(in super::super) updated_on: Option<Moment>,
        pub(in super::super) links: Option<Links>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct PushHook {
        pub(in super::super) push: Option<Push>,
        pub(in super::super) repository: Option<Repository>,
        pub(in super::super) actor: Option<Actor>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Push {
        pub(in super::super) changes: Option<Vec<Change>>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Change {
        /// Null when it was deleted.
        pub(in super::super) new: Option<Tip>,
        /// Null when it was created.
        pub(in super::super) old: Option<Tip>,
        pub(in super::super) forced: Option<bool>,
    }

    /// A branch or tag at a commit.
    #[derive(Deserialize)]
    pub(in super::super) struct Tip {
        #[serde(rename = "type")]
        pub(in super::super) kind: Option<Name>,
        pub(in super::super) name: Option<Name>,
        pub(in super::super) target: Option<Commit>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct PullRequestHook {
        pub(in super::super) pullrequest: Option<PullRequest>,
        pub(in super::super) repository: Option<Repository>,
        pub(in super::super) actor: Option<Actor>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct PullRequest {
        pub(in super::super) id: Option<u64>,
        pub(in super::super) title: Option<Name>,
        pub(in super::super) state: Option<Name>,
        pub(in super::super) source: Option<End>,
        pub(in super::super) destination: Option<End>,
        pub(in super::super) updated_on: Option<Moment>,
        pub(in super::super) links: Option<Links>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct End {
        pub(in super::super) branch: Option<Branch>,
        pub(in super::super) commit: Option<Commit>,
        /// Null when it was deleted since.
        pub(in super::super) repository: Option<Repository>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Branch {
        pub(in super::super) name: Option<Name>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Commit {
        pub(in super::super) hash: Option<Name>,
        pub(in super::super) links: Option<Links>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Repository {
        pub(in super::super) full_name: Option<Name>,
        pub(in super::super) uuid: Option<Name>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Actor {
        pub(in super::super) nickname: Option<Name>,
        pub(in super::super) username: Option<Name>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Links {
        pub(in super::super) html: Option<Href>,
        /// Of a status: its commit's address in the API.
        pub(in super::super) commit: Option<Href>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Href {
        pub(in super::super) href: Option<Url>,
    }
}

/// What Data Center sends.
pub(super) mod data_center {
    use super::{Deserialize, First, Moment, Name, Url};

    #[derive(Deserialize)]
    pub(in super::super) struct RefsHook {
        pub(in super::super) date: Option<Moment>,
        pub(in super::super) actor: Option<Actor>,
        pub(in super::super) repository: Option<Repository>,
        pub(in super::super) changes: Option<Vec<Change>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(in super::super) struct Change {
        #[serde(rename = "ref")]
        pub(in super::super) git_ref: Option<GitRef>,
        pub(in super::super) from_hash: Option<Name>,
        pub(in super::super) to_hash: Option<Name>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct GitRef {
        /// Such as `refs/heads/main`.
        pub(in super::super) id: Option<Name>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(in super::super) struct PullRequestHook {
        pub(in super::super) date: Option<Moment>,
        pub(in super::super) actor: Option<Actor>,
        pub(in super::super) pull_request: Option<PullRequest>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(in super::super) struct PullRequest {
        pub(in super::super) id: Option<u64>,
        pub(in super::super) title: Option<Name>,
        pub(in super::super) from_ref: Option<End>,
        pub(in super::super) to_ref: Option<End>,
        pub(in super::super) links: Option<Links>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(in super::super) struct End {
        pub(in super::super) display_id: Option<Name>,
        pub(in super::super) latest_commit: Option<Name>,
        pub(in super::super) repository: Option<Repository>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Repository {
        pub(in super::super) id: Option<u64>,
        pub(in super::super) slug: Option<Name>,
        pub(in super::super) project: Option<Project>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Project {
        pub(in super::super) key: Option<Name>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Actor {
        pub(in super::super) name: Option<Name>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Links {
        #[serde(rename = "self")]
        pub(in super::super) own: Option<First<Href>>,
    }

    #[derive(Deserialize)]
    pub(in super::super) struct Href {
        pub(in super::super) href: Option<Url>,
    }
}

impl cloud::Links {
    /// The page for people.
    pub(super) fn page(&self) -> Option<String> {
        link(self.html.as_ref()?.href.as_ref())
    }

    /// The id at the end of the commit's address.
    pub(super) fn commit_id(&self) -> Option<String> {
        let address = owned(self.commit.as_ref()?.href.as_ref())?;
        let last = address.rsplit('/').next()?;
        let is_id = matches!(last.len(), 40 | 64) && last.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| last.to_owned())
    }
}

impl data_center::Links {
    /// The page for people.
    pub(super) fn page(&self) -> Option<String> {
        link(self.own.as_ref()?.0.as_ref()?.href.as_ref())
    }
}

impl data_center::Repository {
    /// `PROJECT/slug`.
    pub(super) fn full_name(&self) -> Option<String> {
        let key = owned(self.project.as_ref()?.key.as_ref())?;
        Some(format!("{key}/{}", owned(self.slug.as_ref())?))
    }
}
