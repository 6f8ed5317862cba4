//! The report: what the scorer found, as Markdown with pictures.
//!
//! What this does not do: score, or leave out what is bad. Invariant: the same scores give the same
//! text.

mod plots;
pub mod scores;
mod tables;
mod words;

use scores::Scores;

/// The report's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `detection.md`.
    pub markdown: String,
    /// Pictures that it shows: file name and SVG.
    pub pictures: Vec<(String, String)>,
}

/// How a run was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The command.
    pub command: String,
    /// The seeds in words.
    pub seeds: String,
    /// The commit that was run, where it is known.
    pub revision: Option<String>,
    /// Whether it was only a quick look.
    pub quick: bool,
}

/// Draws the report.
///
/// # Errors
/// [`PlotError`] when a picture cannot be drawn.
pub fn draw(scores: &Scores, made: &Made) -> Result<Report, PlotError> {
    let pictures = plots::all(scores)?;
    let mut parts = vec![words::opening(scores, made), tables::targets(scores), tables::controls(scores)];
    parts.extend(pictures.iter().map(|(file, _)| words::picture(file)));
    parts.extend([
        tables::false_rollbacks(scores),
        tables::delays(scores),
        tables::latency(scores),
        tables::weeks(scores),
        tables::repairs(scores),
        tables::forecasts(scores),
        tables::fleet(scores),
    ]);
    parts.push(words::closing());
    parts.retain(|part| !part.is_empty());
    Ok(Report { markdown: format!("{}\n", parts.join("\n\n")), pictures })
}

/// A picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw {picture}: {reason}")]
pub struct PlotError {
    picture: &'static str,
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: &str = r#"{"frozen":"00ff","cells":[
        {"cell":"s1/peers/b/1","system":"homeostat","lives":10,"calls":0,"early":0,"median_s":null,"p95_s":null,
         "called":{"hits":0,"of":10,"share":0,"interval":[0,0.31]},"healthy":{"hits":9,"of":10,"share":0.9,"interval":[0.5,1]}},
        {"cell":"s1/faulty/b/1/x3","system":"homeostat","lives":10,"calls":10,"early":0,"median_s":60,"p95_s":120,
         "called":{"hits":10,"of":10,"share":1,"interval":[0.69,1]},"healthy":{"hits":0,"of":10,"share":0,"interval":[0,0.31]},
         "twin":{"cell":"s1/peers/b/1","called":{"hits":0,"of":10,"share":0,"interval":[0,0.31]}}},
        {"cell":"s2/healthy","system":"kayenta-mean","lives":10,"calls":1,"early":0,"median_s":null,"p95_s":null,
         "called":{"hits":1,"of":10,"share":0.1,"interval":[0,0.45]},"healthy":{"hits":0,"of":10,"share":0,"interval":[0,0.31]}},
        {"cell":"s2/faulty/x2","system":"kayenta-mean","lives":10,"calls":9,"early":0,"median_s":300,"p95_s":null,
         "called":{"hits":9,"of":10,"share":0.9,"interval":[0.55,1]},"healthy":{"hits":0,"of":10,"share":0,"interval":[0,0.31]},
         "twin":{"cell":"s2/healthy","called":{"hits":1,"of":10,"share":0.1,"interval":[0,0.45]}}}],
      "forecasts":{},"targets":[{"number":"2","claim":"x3","must":150,"best":90,"unit":"s","value":60,"reached":"best","note":"n"}],
      "controls":[{"name":"at random","sound":false,"text":"called 9 of 10"}]}"#;

    #[test]
    fn a_report_shows_a_failed_control_and_each_score_beside_its_twin()
    -> Result<(), Box<dyn std::error::Error>> {
        let scores: Scores = serde_json::from_str(SCORES)?;
        let made = Made {
            command: "homeostat eval detection".into(),
            seeds: "0 to 9".into(),
            revision: None,
            quick: false,
        };
        let report = draw(&scores, &made)?;
        assert!(report.markdown.contains("FAILED CONTROL"), "{}", report.markdown);
        assert!(report.markdown.contains("00ff"));
        assert!(report.markdown.contains("60 / 120"), "{}", report.markdown);
        assert!(report.markdown.contains("| kayenta-mean | 90 %, 300 / – (10 %) |"), "{}", report.markdown);
        assert!(report.pictures.iter().all(|(_, svg)| svg.starts_with("<svg")));
        assert_eq!(report, draw(&scores, &made)?);
        Ok(())
    }
}
