//! Outbound HTTP: whole answers, time limits, bodies in parts.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::BodyExt;
use spin_sdk::http::{self, EmptyBody, Response};
use spin_sdk::time;
use spin_sdk::wasip3::http::types::RequestOptions;
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;

use crate::bodies::in_parts;
use crate::http::shown;

/// How long a body is left unread by the path that pauses.
const UNREAD: Duration = Duration::from_millis(1500);

/// GETs, and tells status and length.
pub(crate) async fn get(url: &str) -> String {
    match http::get(url).await {
        Ok(response) => told(response).await,
        Err(error) => format!("error {error:?}"),
    }
}

async fn told(response: Response) -> String {
    let status = response.status();
    let length = response.into_body().collect().await.map(|body| body.to_bytes().len());
    format!("{} {}", status.as_u16(), shown(length))
}

/// Gives the target a moment, and drops the request then.
pub(crate) async fn impatient(url: &str) -> String {
    const PATIENCE: Duration = Duration::from_millis(200);
    let answered = pin!(get(url));
    match select(answered, pin!(time::sleep(PATIENCE))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => "gave up".to_owned(),
    }
}

/// `URL CONNECT FIRST BETWEEN`: GETs with these time limits in milliseconds; `-` sets none.
pub(crate) async fn limited(argument: &str) -> String {
    match send(argument).await {
        Ok(response) => told(response).await,
        Err(error) => error,
    }
}

/// As [`limited`], and leaves the body unread for a while after its first part.
pub(crate) async fn paused(argument: &str) -> String {
    let mut body = match send(argument).await {
        Ok(response) => response.into_body(),
        Err(error) => return error,
    };
    let first = body.frame().await.map(|frame| frame.is_ok());
    time::sleep(UNREAD).await;
    let rest = body.collect().await.map(|body| body.to_bytes().len());
    format!("{first:?} {}", shown(rest))
}

async fn send(argument: &str) -> Result<Response, String> {
    let words: Vec<&str> = argument.split(' ').collect();
    let [url, connect, first, between] = words.as_slice() else { return Err("four words".to_owned()) };
    let nanoseconds = |word: &str| word.parse().ok().map(|ms: u64| ms * 1_000_000);
    let options = RequestOptions::new();
    let set = [
        options.set_connect_timeout(nanoseconds(connect)),
        options.set_first_byte_timeout(nanoseconds(first)),
        options.set_between_bytes_timeout(nanoseconds(between)),
    ];
    if set.iter().any(Result::is_err) {
        return Err(format!("options: {set:?}"));
    }
    let request = ::http::Request::get(*url).extension(RequestOptionsExtension(options));
    let request = request.body(EmptyBody::new()).map_err(|error| error.to_string())?;
    http::send(request).await.map_err(|error| format!("error {error:?}"))
}

/// `URL LENGTH`: POSTs a body that comes in two parts; `-` tells no length.
pub(crate) async fn upload(argument: &str) -> String {
    let (url, length) = argument.split_once(' ').unwrap_or((argument, "-"));
    let body = in_parts(async || Bytes::from_static(b"second"));
    let mut request = ::http::Request::post(url);
    if length != "-" {
        request = request.header("content-length", length);
    }
    let Ok(request) = request.body(body) else { return "no request".to_owned() };
    match http::send(request).await {
        Ok(response) => told(response).await,
        Err(error) => format!("error {error:?}"),
    }
}
