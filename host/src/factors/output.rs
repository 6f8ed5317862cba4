//! What a component writes to stdout and stderr, line by line into the log. A line about an internal
//! event becomes one of the log's own.
//!
//! Does not: keep or rotate files.
//! Invariant: a line longer than [`LINE_BYTES_MAX`] is cut into several; memory stays bounded, and
//! so does what one instance may write into the log.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use super::told::Told;

/// The longest line kept in memory before it is logged in parts, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// How much of one stream of one instance is logged, in bytes: far more than a component of ours
/// says, and far less than a plug-in in a loop would.
const INSTANCE_BYTES_MAX: usize = 256 * 1024;

/// Which of the two streams it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Logged as information.
    Stdout,
    /// Logged as a warning: panics and errors end up here.
    Stderr,
}

/// A stream whose lines go to the log under a component's name.
#[derive(Clone)]
pub struct LogStream {
    component: Arc<str>,
    channel: Channel,
    pending: Arc<Mutex<Pending>>,
}

/// What was written and is not in the log yet.
#[derive(Default)]
struct Pending {
    line: Vec<u8>,
    written: usize,
}

impl LogStream {
    /// The `channel` of `component`.
    pub fn new(component: Arc<str>, channel: Channel) -> Self {
        Self { component, channel, pending: Arc::default() }
    }

    fn push(&self, bytes: &[u8]) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let left = INSTANCE_BYTES_MAX.saturating_sub(pending.written);
        for byte in bytes.iter().take(left) {
            if *byte == b'\n' || pending.line.len() >= LINE_BYTES_MAX {
                self.log(&pending.line);
                pending.line.clear();
            }
            if *byte != b'\n' {
                pending.line.push(*byte);
            }
        }
        pending.written = pending.written.saturating_add(bytes.len());
        if left > 0 && bytes.len() >= left {
            self.log(b"this instance wrote too much; the rest is left out");
        }
    }

    fn log(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let component = self.component.as_ref();
        if let Some(told) = Told::read(&line) {
            return told.log(component);
        }
        match self.channel {
            Channel::Stdout => tracing::info!(target: "component", component, "{line}"),
            Channel::Stderr => tracing::warn!(target: "component", component, "{line}"),
        }
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        if Arc::strong_count(&self.pending) > 1 {
            return;
        }
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if !pending.line.is_empty() {
            self.log(&pending.line);
        }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
