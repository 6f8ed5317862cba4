//! What is answered while the components load: 503 at once, so that a prober need not wait and a
//! sender comes again.
//!
//! Does not: read a request, beyond what is there when its sender is answered.

use std::convert::Infallible;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// How long one connection is looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// Answers whoever comes, until dropped.
pub(crate) async fn turn_away(listener: &TcpListener) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(tokio::time::timeout(LOOKED_AT, tell(stream)))),
            // Out of file descriptors, usually: some are free again later.
            Err(_) => tokio::time::sleep(LOOKED_AT).await,
        }
    }
}

/// Who closes before reading the answer does not want it.
async fn tell(mut stream: TcpStream) {
    // Closing with something unread would take the answer back.
    let _unread = stream.read(&mut [0; 4096]).await.is_err();
    let _unheard = stream.write_all(ANSWER).await.is_err();
    let _gone = stream.shutdown().await.is_err();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_early_is_told_to_come_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut stream =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let ask = async {
            stream.write_all(b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            answer
        };
        let answer = tokio::select! {
            answer = ask => answer,
            never = turn_away(&listener) => match never {},
        };
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5"), "{answer}");
    }
}
