//! One HTTP call, answered whole or not at all.
//!
//! Purpose: plain HTTP and HTTPS over the very client that carries the components' requests, so
//! that what can be reached from here can be reached from there.
//! Does not: retry, follow redirects, use a proxy, or trust other roots than the built-in web ones.
//! Invariant: a call ends within its time, and holds no more than its longest answer in memory.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, RequestOptions, default_send_request};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const AGENT: HeaderValue = HeaderValue::from_static(concat!("homeostat/", env!("CARGO_PKG_VERSION")));

/// What a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the first byte sent to the last one received.
    pub(super) timeout: Duration,
    /// The longest answer, bytes.
    pub(super) body_bytes_max: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// No connection: nothing was sent.
    #[error("{0}")]
    NotReached(String),
    /// The other side could not prove who it is: nothing was sent.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// Not within its time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It broke off.
    #[error("{0}")]
    Broken(String),
    /// Longer than what is read.
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
}

/// Sends a request to the absolute address it names, and reads the answer.
///
/// # Errors
/// [`CallError`]; never with a header or a body in it.
pub(super) async fn call(
    mut request: Request<Vec<u8>>,
    limits: Limits,
) -> Result<Response<Vec<u8>>, CallError> {
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    let length = request.body().len();
    let headers = request.headers_mut();
    headers.extend(host.map(|host| (HOST, host)));
    headers.entry(USER_AGENT).or_insert(AGENT);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let exchange = exchange(request, limits);
    tokio::time::timeout(limits.timeout, exchange).await.unwrap_or(Err(CallError::TimedOut(limits.timeout)))
}

async fn exchange(request: Request<Vec<u8>>, limits: Limits) -> Result<Response<Vec<u8>>, CallError> {
    let request = request.map(|body| Full::new(Bytes::from(body)).map_err(|never| match never {}));
    let options = RequestOptions {
        connect_timeout: Some(CONNECT_TIMEOUT.min(limits.timeout)),
        first_byte_timeout: Some(limits.timeout),
        between_bytes_timeout: Some(limits.timeout),
    };
    let (answer, connection) = default_send_request(request, Some(options)).await.map_err(sort)?;
    let (parts, body) = answer.into_parts();
    let read = async {
        let mut body = std::pin::pin!(body);
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(sort)?.into_data() else { continue };
            if whole.len() + data.len() > limits.body_bytes_max {
                return Err(CallError::TooLong(limits.body_bytes_max));
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole)
    };
    // The connection brings the bytes; how it ends does not matter once the body is whole.
    let driven = async {
        let _ended = connection.await.is_ok();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        whole = read => Ok(Response::from_parts(parts, whole?)),
        never = driven => match never {},
    }
}

fn sort(error: Error) -> CallError {
    match error {
        Error::Connect(error) => CallError::NotReached(error.to_string()),
        Error::ConnectionTimeout => {
            CallError::NotReached(format!("no connection within {CONNECT_TIMEOUT:?}"))
        }
        Error::Tls(error) => CallError::Tls(error.to_string()),
        Error::HttpRequestUriInvalid | Error::InvalidDnsNameError(_) => {
            CallError::NotReached("the address names no host that can be reached".to_owned())
        }
        Error::ConnectionReadTimeout => CallError::Broken("no answer in time".to_owned()),
        other => CallError::Broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Serves one connection with this text, or holds it open in silence; gives what it was sent.
    async fn serve(
        answer: Option<&'static str>,
    ) -> std::io::Result<(String, tokio::task::JoinHandle<String>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/path?x=1", listener.local_addr()?);
        let served = tokio::spawn(async move {
            let Ok((mut stream, _)) = listener.accept().await else { return String::new() };
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap_or_default();
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap_or_default(),
                None => std::future::pending().await,
            }
            String::from_utf8_lossy(head.get(..length).unwrap_or_default()).into_owned()
        });
        Ok((url, served))
    }

    async fn ask(url: &str, body_bytes_max: usize) -> Result<String, CallError> {
        let request = Request::get(url).body(Vec::new()).expect("a request");
        let limits = Limits { timeout: Duration::from_millis(500), body_bytes_max };
        let answer = call(request, limits).await?;
        Ok(format!("{} {}", answer.status().as_u16(), String::from_utf8_lossy(answer.body())))
    }

    #[tokio::test]
    async fn an_answer_is_whole_or_none() -> std::io::Result<()> {
        const ANSWER: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone";
        let (url, served) = serve(Some(ANSWER)).await?;
        assert_eq!(ask(&url, 4).await.ok().as_deref(), Some("404 gone"));
        let head = served.await?;
        let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        assert!(head.starts_with("GET /path?x=1 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {host}\r\n")), "{head}");

        let (url, _served) = serve(Some(ANSWER)).await?;
        assert!(matches!(ask(&url, 3).await, Err(CallError::TooLong(3))));
        let (url, _served) = serve(Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut")).await?;
        assert!(matches!(ask(&url, 9).await, Err(CallError::Broken(_))));
        let (url, _served) = serve(Some("redis")).await?;
        assert!(matches!(ask(&url, 9).await, Err(CallError::Broken(_))));
        Ok(())
    }

    #[tokio::test]
    async fn who_does_not_answer_is_waited_for_no_longer_than_said() -> std::io::Result<()> {
        let (url, served) = serve(None).await?;
        assert!(matches!(ask(&url, 9).await, Err(CallError::TimedOut(_) | CallError::Broken(_))));
        served.abort();
        // A port that was free a moment ago.
        let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        assert!(matches!(ask(&format!("http://{closed}"), 9).await, Err(CallError::NotReached(_))));
        let (url, _served) = serve(Some("HTTP/1.1 200 OK\r\n\r\n")).await?;
        let over_tls = url.replacen("http", "https", 1);
        assert!(matches!(ask(&over_tls, 9).await, Err(CallError::Tls(_))));
        Ok(())
    }
}
