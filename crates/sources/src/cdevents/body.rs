//! The few fields read of a CDEvent, under the names of 0.4 and of 0.5.

use homeostat_schema::wire::flat::{self, URL_BYTES_MAX};
use serde::Deserialize;

use crate::lenient::{Few, Moment, Part, Word};

/// Links looked at; a chain that joins more than this says no more to a person.
const LINKS_MAX: usize = 16;

/// Longest identifier taken, characters.
const ID_MAX: usize = 1_024;

/// One more than kept, so that an address that is too long is seen to be.
type Url = Word<{ URL_BYTES_MAX + 1 }>;
type Id = Word<ID_MAX>;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Body {
    pub(super) context: Part<Context>,
    pub(super) subject: Part<Subject>,
    pub(super) custom_data: Part<Custom>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Context {
    pub(super) id: Id,
    pub(super) source: Id,
    #[serde(rename = "type")]
    pub(super) kind: Id,
    pub(super) timestamp: Moment,
    pub(super) chain_id: Word,
    links: Few<Link, LINKS_MAX>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Link {
    link_type: Word,
    from: Part<LinkEnd>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct LinkEnd {
    context_id: Word,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Subject {
    pub(super) id: Id,
    pub(super) content: Part<Content>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Content {
    pub(super) environment: Reference,
    pub(super) service: Reference,
    pub(super) repository: Reference,
    pub(super) pipeline_run: Reference,
    pub(super) test_suite_run: Reference,
    pub(super) artifact_id: Id,
    pub(super) outcome: Word,
    pub(super) pipeline_name: Word,
    pub(super) task_name: Word,
    pub(super) user: Word,
    name: Word,
    description: Word,
    reason: Word,
    test_case: Reference,
    test_suite: Reference,
    uri: Url,
    url: Url,
    view_url: Url,
    #[serde(rename = "ticketURI")]
    ticket_uri: Url,
}

/// Something else, by its id.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Reference(Part<Referred>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Referred {
    id: Word,
    name: Word,
}

/// What Homeostat puts into the custom data of its own events.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Custom {
    homeostat: Part<Stamp>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Stamp {
    pub(super) attempt: Word,
}

impl Context {
    /// The event that the sender says led to this one.
    pub(super) fn cause(&self) -> Option<&str> {
        let path = self.links.0.iter().find(|link| link.link_type.as_str() == Some("PATH"))?;
        path.from.0.as_ref()?.context_id.as_str()
    }
}

impl Content {
    pub(super) fn title(&self) -> Option<String> {
        let all = [&self.description, &self.pipeline_name, &self.task_name, &self.name];
        let named = all.into_iter().find_map(Word::as_str);
        let tested = || self.test_case.name().or_else(|| self.test_suite.name());
        named.or_else(tested).or(self.reason.as_str()).map(str::to_owned)
    }

    pub(super) fn url(&self) -> Option<String> {
        let all = [&self.uri, &self.url, &self.view_url, &self.ticket_uri];
        all.into_iter().find_map(|url| flat::safe_url(url.as_str()?))
    }
}

impl Reference {
    pub(super) fn id(&self) -> Option<&str> {
        self.0.0.as_ref()?.id.as_str()
    }

    fn name(&self) -> Option<&str> {
        self.0.0.as_ref()?.name.as_str()
    }
}

impl Custom {
    pub(super) fn into_stamp(self) -> Option<Stamp> {
        self.homeostat.0
    }
}
