//! Carries a connector's requests, and adds the one secret each of them names.
//!
//! Invariant: a secret goes into a header, or is the URL, of the request that is sent, and nowhere
//! else: requests are recorded before they get here.

use homeostat_adapter_spin::{SendError, SteadyClock, send};
use homeostat_flow::Clock;
use homeostat_remedies::connector::{Auth, Outgoing, REPLY_BYTES_MAX, TransportFailure};
use homeostat_schema::secret::Secret;
use homeostat_stages::act::{Carrier, Response};
use homeostat_worker::variable;
use http::{HeaderValue, Uri, header::AUTHORIZATION};

/// Sends over Spin's outbound HTTP, behind `allowed_outbound_hosts`.
pub(crate) struct HttpCarrier {
    clock: SteadyClock,
}

impl HttpCarrier {
    /// Measures by this clock.
    pub(crate) fn new(clock: SteadyClock) -> Self {
        Self { clock }
    }
}

impl Clock for HttpCarrier {
    fn elapsed_ms(&self) -> u64 {
        self.clock.elapsed_ms()
    }
}

impl Carrier for HttpCarrier {
    async fn carry(&self, outgoing: Outgoing, timeout_ms: u64) -> Response {
        let request = authorised(outgoing).await.ok_or(TransportFailure::Denied)?;
        send(request, timeout_ms, REPLY_BYTES_MAX).await.map_err(|error| match error {
            SendError::Denied => TransportFailure::Denied,
            SendError::NotSent(_) => TransportFailure::NotSent,
            SendError::TimedOut(_) | SendError::Broken(_) | SendError::TooLarge(_) => {
                TransportFailure::NoAnswer
            }
        })
    }
}

/// The request with its secret; `None` when that is not set, or not one that can be sent.
async fn authorised(outgoing: Outgoing) -> Option<http::Request<Vec<u8>>> {
    let mut request = outgoing.request;
    match outgoing.auth {
        Auth::GitHubToken => bearer(&mut request, &secret("github_token").await?)?,
        Auth::KubernetesToken => bearer(&mut request, &secret("kubernetes_token").await?)?,
        Auth::SlackWebhook => {
            let url: Uri = secret("slack_webhook_url").await?.expose().parse().ok()?;
            *request.uri_mut() = url;
        }
        Auth::None => {}
    }
    Some(request)
}

fn bearer(request: &mut http::Request<Vec<u8>>, token: &Secret) -> Option<()> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Some(())
}

async fn secret(name: &'static str) -> Option<Secret> {
    let secret = Secret::new(variable(name).await.ok()?.trim());
    (!secret.is_empty()).then_some(secret)
}
