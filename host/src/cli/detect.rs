//! `homeostat detect`: judges one series from a CSV file, each row from the rows before it.
//!
//! Purpose: read rows, ask `homeostat_detection::series`, write rows, draw a picture.
//! Does not: sort, fill in what is missing, or look ahead. Needs no running app.
//! Invariant: a row with a time gives a row, in the order of the input; memory does not grow
//! with the input.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use homeostat_detection::series::{Series, Settings};

use super::CliError;

mod picture;
mod progress;
mod row;
mod told;

use picture::Picture;
use progress::Progress;
use row::{Reader, Row};
use told::Told;

const EXAMPLES: &str = "\
Examples:
  homeostat detect cpu.csv                         timestamp,value in; with score and verdict out
  homeostat detect cpu.csv > judged.csv            the rows to a file, what is to be told on the terminal
  kubectl exec db -- stats | homeostat detect -    from a pipe
  homeostat detect cpu.csv --plot cpu.svg          the series, its scores and its anomalies as a picture
  homeostat detect cpu.csv --json | jq 'select(.verdict == \"anomaly\")'
  homeostat detect cpu.csv --anomaly-score 0.7     fewer anomalies

Times are RFC 3339, `YYYY-MM-DD hh:mm:ss` (UTC), or seconds or milliseconds since 1970.
Verdicts: learning (too little seen), normal, anomaly, blind (no value, out of order, or after a gap).

Exit codes:
  0  every row was read, whatever the verdicts
  1  some rows could not be read (told with their lines, the others are judged), or writing failed
  2  the arguments are wrong, the file cannot be opened, or no row of it could be read";

/// Bytes of the buffers between files and rows.
const BUFFER: usize = 1 << 16;

/// The arguments of `homeostat detect`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A CSV file with `timestamp,value`, with a heading or without; `-` is standard input
    #[arg(value_name = "SERIES.csv")]
    series: PathBuf,
    /// The score from which a value is an anomaly, 0 to 1
    #[arg(long, value_name = "SCORE", value_parser = score)]
    anomaly_score: Option<f64>,
    /// Write JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Draw the series, its scores and its anomalies
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn score(text: &str) -> Result<f64, String> {
    let score = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.0..=1.0).contains(&score) { Ok(score) } else { Err("not between 0 and 1".to_owned()) }
}

/// Judges the series.
///
/// # Errors
/// When the input cannot be opened or holds no row that can be read, a row could not be read, or
/// writing failed.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let (input, bytes) = open(&arguments.series)?;
    let mut output = Output::new(BufWriter::with_capacity(BUFFER, std::io::stdout().lock()), arguments.json);
    let mut settings = Settings::default();
    settings.anomaly_score = arguments.anomaly_score.unwrap_or(settings.anomaly_score);
    let mut judge = Judge { series: Series::default(), settings, told: Told::default() };
    let mut picture = arguments.plot.as_ref().map(|_| Picture::new(judge.settings.anomaly_score));
    let progress = Progress::new(bytes);
    let finished = judge.all(Reader::new(input), &mut output, picture.as_mut(), &progress);
    progress.finish();
    judge.told.print();
    // A reader that went away, as `| head` does, is no failure.
    if finished? == End::ReaderGone {
        return Ok(());
    }
    if let (Some(picture), Some(file)) = (picture, &arguments.plot) {
        picture.draw(file, &title(&arguments.series)).map_err(CliError::Failure)?;
    }
    judge.told.verdict()
}

fn title(series: &Path) -> String {
    if series == Path::new("-") { "standard input".to_owned() } else { series.display().to_string() }
}

/// The input, and how long it is where that is known.
fn open(series: &Path) -> Result<(Box<dyn Read>, Option<u64>), CliError> {
    if series == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let wrong = |error| CliError::Usage(format!("{}: {error}", series.display()));
    let file = File::open(series).map_err(wrong)?;
    let about = file.metadata().map_err(wrong)?;
    if about.is_dir() {
        return Err(CliError::Usage(format!("{}: a folder, not a file", series.display())));
    }
    Ok((Box::new(BufReader::with_capacity(BUFFER, file)), about.is_file().then_some(about.len())))
}

/// How it ended.
#[derive(PartialEq, Eq)]
enum End {
    Done,
    ReaderGone,
}

struct Judge {
    series: Series,
    settings: Settings,
    told: Told,
}

impl Judge {
    fn all<W: Write>(
        &mut self,
        mut rows: Reader<impl Read>,
        output: &mut Output<W>,
        mut picture: Option<&mut Picture>,
        progress: &Progress,
    ) -> Result<End, CliError> {
        let mut answer = |judge: &mut Self| -> std::io::Result<Result<(), row::Stopped>> {
            output.heading()?;
            while let Some(read) = rows.next() {
                let row = match read {
                    Ok(row) => row,
                    Err(row::Unread::Row(unread)) => {
                        judge.told.unread(&unread);
                        continue;
                    }
                    Err(row::Unread::Stopped(stopped)) => return Ok(Err(stopped)),
                };
                let judged = judge.series.observe(row.at_ms, row.value, &judge.settings);
                judge.told.row(&row, &judged);
                output.row(&row, &judged)?;
                if let Some(picture) = &mut picture {
                    picture.add(&row, &judged);
                }
                progress.at(row.line, row.byte);
            }
            output.finish().map(Ok)
        };
        match answer(self) {
            Ok(Ok(())) => Ok(End::Done),
            Ok(Err(stopped)) => Err(CliError::Failure(stopped.into())),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(End::ReaderGone),
            Err(error) => Err(CliError::Failure(error.into())),
        }
    }
}

/// Writes the answers.
struct Output<W: Write> {
    writer: W,
    form: Form,
}

enum Form {
    Csv,
    Json,
}

impl<W: Write> Output<W> {
    fn new(writer: W, json: bool) -> Self {
        Self { writer, form: if json { Form::Json } else { Form::Csv } }
    }

    fn heading(&mut self) -> std::io::Result<()> {
        match self.form {
            Form::Csv => writeln!(self.writer, "timestamp,value,anomaly_score,verdict"),
            Form::Json => Ok(()),
        }
    }

    fn row(&mut self, row: &Row, judged: &homeostat_detection::series::Judged) -> std::io::Result<()> {
        let (score, verdict) = (judged.score, judged.verdict.name());
        match self.form {
            Form::Csv => {
                let (time, value) = (row::cell(&row.time), row::cell(&row.text));
                writeln!(self.writer, "{time},{value},{score:.6},{verdict}")
            }
            Form::Json => {
                serde_json::to_writer(&mut self.writer, &told::line(row, judged))?;
                self.writer.write_all(b"\n")
            }
        }
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

impl Picture {
    fn draw(self, file: &Path, title: &str) -> anyhow::Result<()> {
        let svg = self.svg(title)?;
        std::fs::write(file, svg).with_context(|| format!("{} cannot be written", file.display()))
    }
}
