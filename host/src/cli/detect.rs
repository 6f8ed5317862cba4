//! `homeostat detect`: judges one series from a CSV file, each row from the rows before it.
//!
//! Purpose: read rows, ask `homeostat_detection::series`, write rows, draw a picture.
//! Does not: sort, fill in what is missing, or look ahead. Needs no running app.
//! Invariant: a row with a time gives a row, in the order of the input; memory does not grow
//! with the input.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
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
    let form = if arguments.json { Form::Json } else { Form::Csv };
    let mut output = Output { writer: BufWriter::with_capacity(BUFFER, std::io::stdout().lock()), form };
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
    match series.file_name() {
        Some(name) if name != "-" => name.to_string_lossy().into_owned(),
        _ => "standard input".to_owned(),
    }
}

/// The input, and how long it is where that is known.
fn open(series: &Path) -> Result<(Box<dyn BufRead>, Option<u64>), CliError> {
    if series == Path::new("-") {
        return Ok((Box::new(std::io::stdin().lock()), None));
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
        mut rows: Reader<impl BufRead>,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(input: &str, form: Form) -> (String, Judge) {
        let mut judge =
            Judge { series: Series::default(), settings: Settings::default(), told: Told::default() };
        let mut output = Output { writer: Vec::new(), form };
        let end = judge.all(Reader::new(input.as_bytes()), &mut output, None, &Progress::new(None));
        assert!(end.is_ok_and(|end| end == End::Done));
        (String::from_utf8(output.writer).expect("text"), judge)
    }

    #[test]
    fn each_row_with_a_time_has_an_answer_in_its_place() {
        let (text, judge) = answer("timestamp,value\n10,1\n20,\nx,1\n30,2\n5,3\n", Form::Csv);
        let expected = "timestamp,value,anomaly_score,verdict\n10,1,0.000000,learning\n\
                        20,,0.000000,blind\n30,2,0.000000,learning\n5,3,0.000000,blind\n";
        assert_eq!(text, expected);
        assert!(matches!(judge.told.verdict(), Err(CliError::Failure(_))));
    }

    #[test]
    fn json_says_what_is_odd() {
        let (text, judge) = answer("2024-01-01 00:00:00,nan\n", Form::Json);
        let expected = r#"{"timestamp":"2024-01-01 00:00:00","value":null,"anomaly_score":0.0,"verdict":"blind","note":"no value: blind"}"#;
        assert_eq!(text.trim_end(), expected);
        assert!(judge.told.verdict().is_ok());
    }

    #[test]
    fn an_input_without_rows_is_wrong() {
        for input in ["", "timestamp,value\n", "x,y\na,b\n"] {
            let (_, judge) = answer(input, Form::Csv);
            assert!(matches!(judge.told.verdict(), Err(CliError::Usage(_))), "{input}");
        }
    }

    #[test]
    fn a_long_series_is_a_picture_of_bounded_size() -> anyhow::Result<()> {
        let rows: String = (0..50_000).map(|row| format!("{},{}\n", row * 60, row % 97)).collect();
        let mut judge =
            Judge { series: Series::default(), settings: Settings::default(), told: Told::default() };
        let mut output = Output { writer: std::io::sink(), form: Form::Csv };
        let mut picture = Picture::new(0.5);
        let progress = Progress::new(None);
        let end = judge.all(Reader::new(rows.as_bytes()), &mut output, Some(&mut picture), &progress);
        assert!(end.is_ok());
        let svg = picture.svg("a title")?;
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("a title"));
        assert!(svg.len() < 1 << 20, "{}", svg.len());
        Ok(())
    }

    #[test]
    fn a_picture_of_anything_is_a_picture() -> anyhow::Result<()> {
        let settings = Settings::default();
        for values in
            [vec![], vec!["0"], vec!["0", "0"], vec!["1e300", "-1e300"], vec!["1e16", "10000000000000002"]]
        {
            let rows: String = (0..).zip(&values).map(|(row, value)| format!("{row},{value}\n")).collect();
            let (mut reader, mut series) = (Reader::new(rows.as_bytes()), Series::default());
            let mut picture = Picture::new(0.5);
            while let Some(Ok(row)) = reader.next() {
                picture.add(&row, &series.observe(row.at_ms, row.value, &settings));
            }
            assert!(picture.svg("")?.starts_with("<svg"), "{values:?}");
        }
        Ok(())
    }
}
