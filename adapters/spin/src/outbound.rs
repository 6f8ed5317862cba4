//! Outbound HTTP: a whole request out, a whole response back, within a time and a size.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};

use crate::clock::within;

/// Why there is no whole response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The component may not reach this host: nothing was sent.
    #[error("the host is not allowed; add it to the component's allowed_outbound_hosts")]
    Denied,
    /// No connection was made: nothing was sent.
    #[error("could not connect: {0}")]
    NotSent(String),
    /// Time ran out: whether the request was carried out is unknown.
    #[error("no whole answer within {0} ms")]
    TimedOut(u64),
    /// The connection broke: whether the request was carried out is unknown.
    #[error("the answer was cut off: {0}")]
    Broken(String),
    /// The answer was larger than allowed; the request was carried out.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl SendError {
    /// Whether the request certainly never reached its target.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Denied | Self::NotSent(_))
    }
}

/// Sends a request and reads its response.
///
/// # Errors
/// [`SendError`], which tells apart what was certainly not sent from what may have been.
pub async fn send(
    request: http::Request<Vec<u8>>,
    timeout_ms: u64,
    body_bytes_max: usize,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let response = within(timeout_ms, exchange(request, body_bytes_max)).await;
    response.unwrap_or(Err(SendError::TimedOut(timeout_ms)))
}

async fn exchange(
    request: http::Request<Vec<u8>>,
    body_bytes_max: usize,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let response = spin_sdk::http::send(request).await.map_err(sort)?;
    let (parts, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| SendError::Broken(format!("{error:?}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if body.len() + data.len() > body_bytes_max {
            return Err(SendError::TooLarge(body_bytes_max));
        }
        body.extend_from_slice(&data);
    }
    Ok(http::Response::from_parts(parts, body))
}

fn sort(error: spin_sdk::wasip3::http::types::ErrorCode) -> SendError {
    use spin_sdk::wasip3::http::types::ErrorCode as Code;
    match error {
        Code::HttpRequestDenied | Code::DestinationIpProhibited => SendError::Denied,
        Code::DnsTimeout
        | Code::DnsError(_)
        | Code::DestinationNotFound
        | Code::DestinationUnavailable
        | Code::DestinationIpUnroutable
        | Code::ConnectionRefused
        | Code::ConnectionTimeout
        | Code::ConnectionLimitReached
        | Code::TlsCertificateError
        | Code::HttpRequestMethodInvalid
        | Code::HttpRequestUriInvalid => SendError::NotSent(format!("{error:?}")),
        other => SendError::Broken(format!("{other:?}")),
    }
}
