//! Bytes on the wire, as they are.

use anyhow::{Context, Result};
use homeostat_conformance::{Application, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How an answer ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It holds what was waited for.
    Seen,
    /// The other side closed the connection before.
    Closed,
}

/// Sends raw bytes and reads until the answer holds `until`, or the connection ends.
pub(crate) async fn raw(stream: &mut TcpStream, send: &str, until: &str) -> Result<(String, End)> {
    stream.write_all(send.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&answer).contains(until) {
            match stream.read_buf(&mut answer).await {
                Ok(1..) => {}
                // A reset ends it as well.
                Ok(0) | Err(_) => return End::Closed,
            }
        }
        End::Seen
    };
    let end = tokio::time::timeout(PATIENCE, read).await.context("no answer")?;
    Ok((String::from_utf8_lossy(&answer).into_owned(), end))
}

/// The text of a request without a body, after which the connection is closed.
pub(crate) fn request(method: &str, path: &str, argument: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: h\r\nx-argument: {argument}\r\nconnection: close\r\n\r\n")
}

/// Everything that comes for a request until the connection is closed: head in lower case, body.
pub(crate) async fn whole(
    app: &Application,
    method: &str,
    path: &str,
    argument: &str,
) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(app.authority()).await?;
    let (answer, end) = raw(&mut stream, &request(method, path, argument), "\u{0}never\u{0}").await?;
    anyhow::ensure!(end == End::Closed, "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no head: {answer:?}"))?;
    Ok((head.to_lowercase(), body.to_owned()))
}
