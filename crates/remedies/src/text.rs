//! Text for people, made safe: bounded, on one line, and without what looks like a secret.

/// Longest line in a timeline; a screen shows about this much.
pub(crate) const LINE_CHARS_MAX: usize = 400;
/// Longest name, id or version kept: git's longest hash is 64, Kubernetes names end at 253.
pub(crate) const NAME_CHARS_MAX: usize = 256;

/// What such a word starts with is a credential: GitHub's, Slack's and JWTs.
const SECRET_PREFIXES: [&str; 10] =
    ["ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "xox", "eyJ", "sk-", "AKIA"];
/// A Slack webhook's address is its secret.
const SECRET_PARTS: [&str; 1] = ["/services/"];
/// The word after one of these is a credential.
const SECRET_SCHEMES: [&str; 3] = ["bearer", "token", "basic"];

/// At most `max` characters, the last an ellipsis when some were cut.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// One line of at most [`LINE_CHARS_MAX`] characters: control characters become spaces.
pub(crate) fn line(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(&flat, LINE_CHARS_MAX)
}

/// As [`line`], with every word that looks like a credential withheld.
pub(crate) fn scrubbed(text: &str) -> String {
    let head: String = text.chars().take(4 * LINE_CHARS_MAX).collect();
    let mut after_scheme = false;
    let words: Vec<&str> = head
        .split_whitespace()
        .map(|word| {
            let withhold = looks_secret(word) || (after_scheme && word.chars().count() >= 16);
            let bare = word.trim_end_matches(':');
            after_scheme = SECRET_SCHEMES.iter().any(|scheme| bare.eq_ignore_ascii_case(scheme));
            if withhold { "(withheld)" } else { word }
        })
        .collect();
    line(&words.join(" "))
}

fn looks_secret(word: &str) -> bool {
    let bare = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let prefixed = |prefix: &&str| bare.starts_with(*prefix) && bare.chars().count() >= 16;
    let values = bare.split(['=', ':', '"', '\'']);
    SECRET_PREFIXES.iter().any(prefixed)
        || SECRET_PARTS.iter().any(|part| word.contains(part))
        || values
            .skip(1)
            .any(|value| SECRET_PREFIXES.iter().any(|p| value.starts_with(*p) && value.chars().count() >= 16))
}

/// `90 s`, `45 min`, `2 h`: for a person, rounded up to the unit shown.
pub(crate) fn span(ms: u64) -> String {
    match ms.div_ceil(1000) {
        s @ 0..=180 => format!("{s} s"),
        s @ 181..=10_800 => format!("{} min", s.div_ceil(60)),
        s => format!("{} h", s.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_by_characters_and_says_so() {
        for (input, max, expected) in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("äöüß", 3, "äö…"), ("", 3, "")]
        {
            assert_eq!(cut(input, max), expected);
        }
    }

    #[test]
    fn withholds_what_looks_like_a_credential() {
        for (input, expected) in [
            ("Bad credentials", "Bad credentials"),
            ("token ghp_0123456789abcdef0123 is bad", "token (withheld) is bad"),
            ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "Authorization: Bearer (withheld)"),
            ("see https://hooks.slack.com/services/T0/B0/x", "see (withheld)"),
            ("token=ghs_0123456789abcdef0123", "(withheld)"),
            ("two\nlines\u{7}", "two lines"),
        ] {
            assert_eq!(scrubbed(input).trim_end(), expected);
        }
    }

    #[test]
    fn spans_read_well() {
        for (ms, expected) in
            [(0, "0 s"), (1, "1 s"), (90_000, "90 s"), (300_000, "5 min"), (14_400_000, "4 h")]
        {
            assert_eq!(span(ms), expected);
        }
    }
}
