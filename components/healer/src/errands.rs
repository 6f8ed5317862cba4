//! Does what reconciling needs done: asks senders and Prometheus, looks up what arrived, takes in
//! what did not.

use homeostat_adapter_spin::{SteadyClock, send, wall_clock_ms};
use homeostat_api::intake::submit;
use homeostat_flow::seen::{day_of, is_seen};
use homeostat_flow::{Clock, views};
use homeostat_reconcile::{Auth, Observation, Outgoing, REPLY_BYTES_MAX};
use homeostat_schema::config::Config;
use homeostat_schema::secret::Secret;
use homeostat_sources::ingest::Outcome;
use homeostat_sources::{Admitted, Delivery, Instance, Item, Normalised, normalise};
use homeostat_stages::reconcile::Errands;
use homeostat_stages::view;
use homeostat_worker::{Desk, variable};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::{app_token, now_s};

const PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");

/// Newest events looked through for a source's times. A source whose events are rarer than one in
/// so many between two looks is not silent for long without being missed: its last one is
/// remembered.
const EVENTS_MAX: u32 = 500;

/// Works over Spin's outbound HTTP, behind `allowed_outbound_hosts`, and the drain's own store.
pub(crate) struct HttpErrands<'a> {
    clock: SteadyClock,
    desk: &'a Desk,
    config: Config,
}

impl<'a> HttpErrands<'a> {
    /// Measures by this clock, and takes in under this configuration.
    pub(crate) fn new(clock: SteadyClock, desk: &'a Desk, config: Config) -> Self {
        Self { clock, desk, config }
    }
}

impl HttpErrands<'_> {
    /// How many of these were new.
    async fn store(&self, items: &[Item]) -> Result<usize, String> {
        let outcomes = submit(&self.desk.store, items).await.map_err(|error| error.to_string())?;
        Ok(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Accepted { .. })).count())
    }
}

impl Clock for HttpErrands<'_> {
    fn elapsed_ms(&self) -> u64 {
        self.clock.elapsed_ms()
    }
}

impl Errands for HttpErrands<'_> {
    async fn carry(&self, outgoing: Outgoing, timeout_ms: u64) -> Result<http::Response<Vec<u8>>, String> {
        let request = authorised(outgoing).await?;
        send(request, timeout_ms, REPLY_BYTES_MAX).await.map_err(|error| error.to_string())
    }

    async fn arrived(&self, source: &str, deliveries: &[String]) -> Result<Vec<bool>, String> {
        let day = day_of(wall_clock_ms());
        let mut arrived = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            // As the ingest names the first item of a delivery.
            let id = format!("{source}:delivery:{delivery}:0");
            let seen = is_seen(self.desk.store.redis(), &id, day).await.map_err(|error| error.to_string())?;
            arrived.push(seen);
        }
        Ok(arrived)
    }

    async fn take_in(&self, source: &str, body: Vec<u8>) -> Result<usize, String> {
        let instance =
            Instance::of(&self.config, source).ok_or_else(|| format!("no source is named {source}"))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let mut seed = [0; 10];
        getrandom::fill(&mut seed).map_err(|_| "the host gives no random bytes".to_owned())?;
        let delivery = Delivery {
            source: instance,
            // Asked of the sender itself, at an origin the operator set.
            admitted: Admitted::Verified,
            headers: &headers,
            body: &body,
            received_at_ms: wall_clock_ms(),
            seed,
        };
        let items = match normalise(&delivery, &self.config) {
            Normalised::Items(items) => items,
            Normalised::NotUnderstood(why) => return Err(why.to_string()),
            // Neither is what we ask of an Alertmanager.
            Normalised::Batch(_) | Normalised::Ignored(_) => return Ok(0),
        };
        self.store(&items).await
    }

    async fn observe(&self, observations: Vec<Observation>) -> Result<usize, String> {
        let item = |one: Observation| Item { event: one.event, dedupe: vec![one.dedupe] };
        self.store(&observations.into_iter().map(item).collect::<Vec<_>>()).await
    }

    async fn came(&self, source: &str, after_ms: u64) -> Result<Vec<u64>, String> {
        let redis = self.desk.store.redis();
        let text = |error: homeostat_flow::RedisError| error.to_string();
        let newest = views::ranking(redis, view::EVENTS, None, EVENTS_MAX).await.map_err(text)?;
        let newer: Vec<_> = newest.into_iter().filter(|(_, at_ms)| *at_ms > after_ms).collect();
        let keys: Vec<_> = newer.iter().map(|(id, _)| view::event_key(id)).collect();
        let values = views::values(redis, &keys).await.map_err(text)?;
        let of_source = |value: &Option<Vec<u8>>| {
            let event = value.as_deref().and_then(|json| serde_json::from_slice::<Sourced>(json).ok());
            event.is_some_and(|event| event.source == source)
        };
        let theirs = newer.into_iter().zip(&values).filter(|(_, value)| of_source(value));
        Ok(theirs.map(|((_, at_ms), _)| at_ms).collect())
    }
}

/// Of an event, whose it is.
#[derive(Deserialize)]
struct Sourced {
    source: String,
}

/// The request with its secret.
async fn authorised(outgoing: Outgoing) -> Result<http::Request<Vec<u8>>, String> {
    let mut request = outgoing.request;
    let (name, secret) = match outgoing.auth {
        Auth::None => return Ok(request),
        Auth::GithubToken => (AUTHORIZATION, secret("github_token").await?),
        Auth::GitlabToken => (PRIVATE_TOKEN, secret("gitlab_token").await?),
        Auth::GithubApp(app) => {
            let key = secret("github_app_key").await?;
            let token = app_token::signed(&key, app, now_s());
            (AUTHORIZATION, token.ok_or_else(|| "github_app_key is no RSA key in PEM".to_owned())?)
        }
    };
    let text = if name == AUTHORIZATION {
        format!("Bearer {}", secret.expose())
    } else {
        secret.expose().to_owned()
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| "the token cannot be sent".to_owned())?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(request)
}

async fn secret(name: &'static str) -> Result<Secret, String> {
    let secret = Secret::new(variable(name).await.map_err(|error| error.to_string())?.trim());
    if secret.is_empty() { Err(format!("the variable {name} is not set")) } else { Ok(secret) }
}
