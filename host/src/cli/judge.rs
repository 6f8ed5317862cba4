//! `homeostat judge`: verdicts on rollouts from a file of observations, or as they come.
//!
//! Does not: reach for telemetry, or act on a verdict.
//! Invariant: the same lines and flags give the same answer, on any machine.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use homeostat_detection::judge::{Decision, Judge, Observation, Settings};

use super::CliError;

const EXAMPLES: &str = "\
One observation a line, in order of time:
  {\"rollout\":\"r1\",\"at\":\"2026-01-01T00:00:05Z\",\"arm\":\"canary\",\"metric\":\"errors\",\"kind\":\"bernoulli\",\"bad\":3,\"total\":200}
  {\"rollout\":\"r1\",\"at\":\"2026-01-01T00:00:05Z\",\"arm\":\"baseline\",\"metric\":\"latency_ms\",\"kind\":\"sample\",\"values\":[12.1,9.8]}
  {\"rollout\":\"r1\",\"at\":\"2026-01-01T00:00:05Z\",\"arm\":\"canary\",\"metric\":\"queue\",\"kind\":\"gauge\",\"value\":7}
  {\"rollout\":\"r1\",\"at\":\"2026-01-01T00:00:05Z\",\"kind\":\"event\",\"event\":\"scrape_failed\"}

Examples:
  homeostat judge observations.jsonl                     one line for each change, a last one per rollout
  homeostat judge observations.jsonl | grep '\"final\":true'   the last words only
  my-puller | homeostat judge                            as they come
  homeostat judge --alpha 0.001 --margin 0.1 prod.jsonl  a stricter budget, 10 % more errors allowed

Exit codes: 0 done, 1 the file cannot be read, or some lines were no observations (named on standard
error; the others were judged), 2 the arguments are wrong";

/// A longer line is refused and passed over: it is no observation, and would fill the memory.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Errors that are named one by one; the rest is counted.
const NAMED_MAX: u64 = 20;
/// Lines between two looks at the clock for progress.
const LINES_PER_LOOK: u64 = 4096;
/// No progress is shown for what takes less, nor more often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// The arguments of `homeostat judge`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Observations as JSON lines; standard input when it is left out or `-`
    file: Option<PathBuf>,
    /// The false-rollback budget: how likely a healthy rollout may be called bad over its whole life
    #[arg(long, default_value_t = Settings::default().alpha)]
    alpha: f64,
    /// How likely a canary worse than tolerated may be called healthy
    #[arg(long, default_value_t = Settings::default().beta)]
    beta: f64,
    /// The length of a batch of event time, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().batch_ms / 1000)]
    batch: u64,
    /// How long a batch waits for late observations, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().grace_ms / 1000)]
    grace: u64,
    /// What the canary's error rate may be more by: 0.1 is 10 percent
    #[arg(long, default_value_t = Settings::default().margin)]
    margin: f64,
    /// The same for measurements such as latencies
    #[arg(long, default_value_t = Settings::default().sample_margin)]
    sample_margin: f64,
    /// Healthy means shown to have less than this much more errors than the baseline
    #[arg(long, default_value_t = Settings::default().tolerance)]
    tolerance: f64,
    /// For counts without an arm: the allowed share of bad ones, in place of history
    #[arg(long, value_name = "SHARE")]
    bad_share_max: Option<f64>,
}

impl Arguments {
    fn settings(&self) -> Result<Settings, CliError> {
        let settings = Settings {
            alpha: self.alpha,
            beta: self.beta,
            batch_ms: self.batch.saturating_mul(1000),
            grace_ms: self.grace.saturating_mul(1000),
            margin: self.margin,
            sample_margin: self.sample_margin,
            tolerance: self.tolerance,
            bad_share_max: self.bad_share_max,
            ..Settings::default()
        };
        settings.check().map_err(|error| CliError::Usage(error.to_string()))?;
        Ok(settings)
    }
}

/// Judges a file, or what comes on standard input, to its end.
///
/// # Errors
/// When a setting is out of its range, the input cannot be read, or lines of it were no
/// observations.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let settings = arguments.settings()?;
    let (input, length): (Box<dyn Read>, Option<u64>) = match &arguments.file {
        Some(path) if path.as_os_str() != "-" => {
            let named = || format!("cannot read {}", path.display());
            let file = File::open(path).with_context(named)?;
            let length = file.metadata().ok().map(|metadata| metadata.len());
            (Box::new(file), length)
        }
        _ => (Box::new(std::io::stdin().lock()), None),
    };
    // What comes as it happens is answered as it happens.
    let live = length.is_none();
    let mut session = Session {
        judge: Judge::new(settings),
        output: BufWriter::new(std::io::stdout().lock()),
        live,
        closed: false,
        wrong: 0,
        progress: Progress::new(length),
    };
    session.read(BufReader::with_capacity(1 << 16, input))
}

struct Session<W: Write> {
    judge: Judge,
    output: W,
    live: bool,
    /// Nobody reads the answer any more, as after `| head`.
    closed: bool,
    wrong: u64,
    progress: Progress,
}

impl<W: Write> Session<W> {
    fn read(&mut self, mut input: impl BufRead) -> Result<(), CliError> {
        let mut line = Vec::new();
        let mut number = 0_u64;
        while !self.closed && next_line(&mut input, &mut line).context("reading the observations")? {
            number += 1;
            self.progress.advance(number, line.len());
            let text = line.trim_ascii();
            if !text.is_empty() {
                self.take(number, text);
            }
        }
        let (judge, output, closed) = (&mut self.judge, &mut self.output, &mut self.closed);
        judge.finish(&mut |decision| write(output, &decision, closed));
        let _reader_is_gone = self.output.flush().is_err();
        self.progress.end();
        self.sum_up(number)
    }

    fn take(&mut self, number: u64, text: &[u8]) {
        if text.len() >= LINE_BYTES_MAX {
            self.object(number, &format!("longer than {LINE_BYTES_MAX} bytes"));
            return;
        }
        match Observation::read(text) {
            Ok(observation) => {
                let (output, closed) = (&mut self.output, &mut self.closed);
                self.judge.observe(&observation, &mut |decision| write(output, &decision, closed));
                if self.live {
                    self.closed |= self.output.flush().is_err();
                }
            }
            Err(error) => self.object(number, &error.to_string()),
        }
    }

    #[expect(clippy::print_stderr, reason = "errors of the input go where answers do not")]
    fn object(&mut self, number: u64, error: &str) {
        self.wrong += 1;
        if self.wrong <= NAMED_MAX {
            eprintln!("line {number}: {error}");
        }
    }

    #[expect(clippy::print_stderr, reason = "what was not used is told beside the answer")]
    fn sum_up(&self, lines: u64) -> Result<(), CliError> {
        let ignored = self.judge.ignored();
        if ignored.late + ignored.repeated + ignored.unfit > 0 {
            eprintln!(
                "not used: {} late, {} told twice, {} that did not fit",
                ignored.late, ignored.repeated, ignored.unfit
            );
        }
        if self.wrong > 0 {
            let error = anyhow::anyhow!("{} of {lines} lines were no observations", self.wrong);
            return Err(CliError::Failure(error));
        }
        Ok(())
    }
}

/// Reads a line, of an overlong one as much as shows that it is; `false` at the end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let taken = input.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', line)?;
    if taken >= LINE_BYTES_MAX && !line.ends_with(b"\n") {
        skip_line(input)?;
    }
    Ok(taken > 0)
}

fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let skipped = end.map_or(buffer.len(), |end| end + 1);
        input.consume(skipped);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn write(output: &mut impl Write, decision: &Decision, closed: &mut bool) {
    let written = serde_json::to_writer(&mut *output, decision).is_ok() && output.write_all(b"\n").is_ok();
    *closed |= !written;
}

/// Tells how far it is, on a terminal, when it takes long.
struct Progress {
    shown: bool,
    length: Option<u64>,
    bytes: u64,
    next: Instant,
    any: bool,
}

impl Progress {
    fn new(length: Option<u64>) -> Self {
        let shown = length.is_some() && std::io::stderr().is_terminal();
        Self { shown, length, bytes: 0, next: Instant::now() + PROGRESS_EVERY, any: false }
    }

    #[expect(clippy::print_stderr, reason = "progress is for the person at the terminal")]
    fn advance(&mut self, lines: u64, bytes: usize) {
        self.bytes += bytes as u64;
        if self.shown && lines.is_multiple_of(LINES_PER_LOOK) && Instant::now() >= self.next {
            let percent = self.length.map_or(0, |length| 100 * self.bytes / length.max(1)).min(100);
            eprint!("\r{lines} observations, {percent} %");
            self.next = Instant::now() + PROGRESS_EVERY;
            self.any = true;
        }
    }

    #[expect(clippy::print_stderr, reason = "progress is for the person at the terminal")]
    fn end(&self) {
        if self.any {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(input: &str) -> (Vec<serde_json::Value>, Result<(), CliError>) {
        let mut session = Session {
            judge: Judge::new(Settings::default()),
            output: Vec::new(),
            live: false,
            closed: false,
            wrong: 0,
            progress: Progress::new(None),
        };
        let result = session.read(input.as_bytes());
        let lines = session.output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        (lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(), result)
    }

    #[test]
    fn a_wrong_line_is_named_and_the_others_are_judged() {
        let good = |at: u32| {
            format!(
                "{{\"rollout\":\"r\",\"at\":{},\"arm\":\"canary\",\"metric\":\"errors\",\
                 \"kind\":\"bernoulli\",\"bad\":0,\"total\":9}}\n",
                at * 1000
            )
        };
        let (lines, result) = judged(&format!("{}nonsense\n\n{}", good(1), good(2)));
        let error = result.err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("1 of 4 lines were no observations"));
        let last = lines.last().cloned().unwrap_or_default();
        assert_eq!(
            (&last["rollout"], &last["final"], &last["verdict"]),
            (&"r".into(), &true.into(), &"watching".into())
        );
        assert!(judged(&good(1)).1.is_ok());
    }

    #[test]
    fn an_overlong_line_is_passed_over() {
        let mut input = "x".repeat(LINE_BYTES_MAX + 5);
        input.push_str("\n{\"rollout\":\"r\",\"at\":0,\"kind\":\"event\",\"event\":\"deployed\"}\n");
        let (lines, result) = judged(&input);
        assert!(result.is_err());
        assert_eq!(lines.len(), 1);
    }
}
