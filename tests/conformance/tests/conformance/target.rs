//! A server that outbound requests are sent to: reads a request, and plays its part.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use homeostat_conformance::PATIENCE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

/// The end of a head.
pub(crate) const HEAD: &str = "\r\n\r\n";

/// What it does once it has read a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Sends this.
    Send(&'static str),
    /// Does nothing for a while.
    Pause(Duration),
    /// Closes the connection; without it, it stays open.
    Close,
}

/// A running target; ends with its test.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Target {
    /// Reads each request until it holds `until`, and plays `steps`.
    pub(crate) async fn start(until: &'static str, steps: &'static [Step]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, until, steps, sender.clone()));
            }
        });
        Ok(Self { address, requests })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The next request as it came, its head in lower case.
    pub(crate) async fn request(&mut self) -> Result<String> {
        let request = tokio::time::timeout(PATIENCE, self.requests.recv()).await?.context("a request")?;
        let (head, body) = request.split_once(HEAD).context("a head")?;
        Ok(format!("{}{HEAD}{body}", head.to_lowercase()))
    }
}

async fn play(
    mut stream: TcpStream,
    until: &'static str,
    steps: &'static [Step],
    requests: mpsc::UnboundedSender<String>,
) {
    let mut request = Vec::new();
    while !String::from_utf8_lossy(&request).contains(until) {
        let Ok(1..) = stream.read_buf(&mut request).await else { return };
    }
    // A test that does not look at requests has dropped the other end.
    let _ = requests.send(String::from_utf8_lossy(&request).into_owned());
    for step in steps {
        match step {
            Step::Send(text) => {
                // The client sees for itself when it got nothing.
                let _ = stream.write_all(text.as_bytes()).await;
            }
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Close => return,
        }
    }
    // Until the client goes.
    while let Ok(1..) = stream.read_buf(&mut request).await {}
}

/// An address where connecting neither succeeds nor fails: its queue is full and nobody accepts.
pub(crate) struct Unreachable {
    pub(crate) address: SocketAddr,
    _kept: (tokio::net::TcpListener, Vec<TcpStream>),
}

impl Unreachable {
    pub(crate) async fn start() -> Result<Self> {
        const QUEUE_MAX: usize = 16;
        const STUCK: Duration = Duration::from_millis(500);
        let socket = TcpSocket::new_v4()?;
        socket.bind("127.0.0.1:0".parse()?)?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut queued = Vec::new();
        while queued.len() < QUEUE_MAX {
            match tokio::time::timeout(STUCK, TcpStream::connect(address)).await {
                Ok(stream) => queued.push(stream?),
                Err(_) => return Ok(Self { address, _kept: (listener, queued) }),
            }
        }
        anyhow::bail!("the queue does not fill")
    }
}
