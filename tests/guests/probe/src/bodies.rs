//! Response bodies: with and without a length, in parts, cut off.

use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use spin_sdk::http::body::stream;
use spin_sdk::http::{BoxBody, EmptyBody, FullBody, HeaderMap, StatusCode, box_body};
use spin_sdk::{time, wit_bindgen};

use crate::http::{Answer, wait};

/// Between two parts, so that the first is on its way before anything else happens.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a body is held open.
const HOLD: Duration = Duration::from_secs(20);

/// A body whose length the headers do not tell.
pub(crate) fn unmeasured() -> Answer {
    let body = FullBody::new(Bytes::from_static(b"unmeasured"));
    (StatusCode::OK, HeaderMap::new(), box_body(body))
}

/// A status, no headers and no body.
pub(crate) fn empty(status: &str) -> Answer {
    let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    (status.unwrap_or_default(), HeaderMap::new(), box_body(EmptyBody::new()))
}

/// `first`, a pause, `second`; with `length` as its length, if there is one.
pub(crate) fn parts(length: &str) -> Answer {
    (StatusCode::OK, measured(length), in_parts(async || Bytes::from_static(b"second")))
}

/// `first`, a pause, a panic; with `length` as its length, if there is one.
pub(crate) fn cut(length: &str) -> Answer {
    (StatusCode::OK, measured(length), in_parts(async || panic!("asked to panic in the body")))
}

/// `first`, and nothing more for a long time; counted among those who wait.
pub(crate) fn hold(length: &str) -> Answer {
    let last = async || {
        wait(HOLD).await;
        Bytes::from_static(b"second")
    };
    (StatusCode::OK, measured(length), in_parts(last))
}

/// `first`, a pause, and what `last` gives.
pub(crate) fn in_parts(last: impl AsyncFnOnce() -> Bytes + 'static) -> BoxBody {
    let (mut sender, body) = stream::<Bytes>();
    wit_bindgen::spawn(async move {
        // Whoever reads it sees for itself what did not come.
        let _ = sender.send(Bytes::from_static(b"first")).await;
        time::sleep(PAUSE).await;
        let _ = sender.send(last().await).await;
    });
    box_body(body)
}

fn measured(length: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(length) = length.parse::<u64>() {
        headers.insert("content-length", length.into());
    }
    headers
}
