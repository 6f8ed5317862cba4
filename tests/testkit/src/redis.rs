//! A private redis-server on a free loopback port, which can be killed and started again.
//!
//! What it does not do: it needs a `redis-server` (7.0 or later) on the path and installs none.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::port::free_port;

/// How long a server may take to answer: loading an append-only file on a busy machine takes a while.
const START_MAX: Duration = Duration::from_secs(20);

/// Ports tried: another process may take one between our look and the server's bind.
const PORTS_TRIED_MAX: usize = 5;

/// What a server keeps over its death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: the fastest.
    Memory,
    /// Every write, before it is answered: append-only file, fsync always.
    Always,
}

/// A running redis-server and its folder; both end with it.
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    durability: Durability,
    folder: tempfile::TempDir,
}

impl RedisServer {
    /// Starts a server that keeps nothing.
    ///
    /// # Errors
    /// When `redis-server` is not on the path or does not come up.
    pub fn start() -> io::Result<Self> {
        Self::start_with(Durability::Memory)
    }

    /// Starts a server.
    ///
    /// # Errors
    /// When `redis-server` is not on the path or does not come up.
    pub fn start_with(durability: Durability) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut server = Self { child: None, port: 0, durability, folder };
        for _ in 1..PORTS_TRIED_MAX {
            server.port = free_port()?;
            if server.launch().is_ok() {
                return Ok(server);
            }
        }
        server.port = free_port()?;
        server.launch()?;
        Ok(server)
    }

    /// The server's URL, without a database.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The server's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server at once (SIGKILL), as a crash would.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill(&mut self) -> io::Result<()> {
        let mut child =
            self.child.take().ok_or_else(|| io::Error::other("the redis-server is not running"))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Starts a killed server again, on the same port and folder.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self) -> io::Result<()> {
        if self.child.is_some() {
            self.kill()?;
        }
        self.launch()
    }

    /// Lets the server hang (SIGSTOP): connections stay, nothing is answered.
    ///
    /// # Errors
    /// When there is none.
    pub fn pause(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Ends [`RedisServer::pause`]: what was sent meanwhile is carried out now.
    ///
    /// # Errors
    /// When there is none.
    pub fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = self.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let id = id.ok_or_else(|| io::Error::other("the redis-server is not running"))?;
        Ok(kill_process(id, signal)?)
    }

    fn launch(&mut self) -> io::Result<()> {
        let (appendonly, fsync) = match self.durability {
            Durability::Memory => ("no", "no"),
            Durability::Always => ("yes", "always"),
        };
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", appendonly])
            .args(["--appendfsync", fsync, "--maxmemory-policy", "noeviction"])
            .args(["--logfile", "redis.log", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                let advice = "is it installed? Debian: apt-get install redis-server";
                io::Error::new(error.kind(), format!("could not start redis-server ({error}); {advice}"))
            })?;
        self.child = Some(child);
        let up = self.wait_until_up();
        if up.is_err()
            && let Some(mut child) = self.child.take()
        {
            // It did not come up; whether it is still there to be killed does not matter.
            let _ = child.kill();
            let _ = child.wait();
        }
        up
    }

    fn wait_until_up(&mut self) -> io::Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            if self.is_ours() {
                return Ok(());
            }
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                return Err(io::Error::other(format!("redis-server ended with {status}: {}", self.log())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let waited = START_MAX.as_secs();
        Err(io::Error::other(format!("redis-server did not answer within {waited} s: {}", self.log())))
    }

    /// Whether the server on our port is ready and is the process we started.
    fn is_ours(&self) -> bool {
        let Some(child) = &self.child else { return false };
        let info = info(self.port).unwrap_or_default();
        info.lines().any(|line| line.trim_end() == format!("process_id:{}", child.id()))
            && ping(self.port).is_ok_and(|reply| reply.starts_with("+PONG"))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // At the end of a test there is nobody left to tell.
        let _ = self.kill();
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    Ok(stream)
}

fn ping(port: u16) -> io::Result<String> {
    let mut stream = connect(port)?;
    stream.write_all(b"PING\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

fn info(port: u16) -> io::Result<String> {
    let mut stream = connect(port)?;
    stream.write_all(b"INFO server\r\nQUIT\r\n")?;
    let mut text = String::new();
    stream.take(64 << 10).read_to_string(&mut text)?;
    Ok(text)
}
