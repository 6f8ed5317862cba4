//! The name that was probably meant.

/// Edits that still count as a slip of the finger.
const EDITS_MAX: usize = 3;

/// Longest name looked at: the distance costs the product of the lengths.
const NAME_CHARS_MAX: usize = 64;

/// Reads serde's `unknown field `x`, expected …` (or `unknown variant`) and finds the nearest of
/// the expected names.
pub(super) fn from_message(message: &str) -> Option<String> {
    let message = message.strip_prefix("unknown ")?;
    let mut names = message.split('`').skip(1).step_by(2);
    let given = names.next()?;
    nearest(given, names).map(str::to_owned)
}

fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = EDITS_MAX.min(given.chars().count().div_ceil(2));
    names
        .map(|name| (distance(given, name), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().take(NAME_CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (line, theirs) in b.chars().take(NAME_CHARS_MAX).enumerate() {
        let mut next = vec![line + 1];
        let steps = a.iter().zip(row.iter().zip(row.iter().skip(1)));
        for (ours, (diagonal, above)) in steps {
            let replaced = diagonal + usize::from(*ours != theirs);
            let inserted = next.last().map_or(usize::MAX, |left| left + 1);
            next.push(replaced.min(above + 1).min(inserted));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        let check = |a: &str, b: &str, expected: usize| assert_eq!(distance(a, b), expected, "{a} {b}");
        check("", "", 0);
        check("abc", "", 3);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("Mode", "mode", 0);
    }

    #[test]
    fn the_nearest_expected_name_is_suggested() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(from_message(message).as_deref(), expected, "{message}");
        };
        check("unknown field `timeout`, expected one of `mode`, `timeout_s`", Some("timeout_s"));
        check("unknown field `kil_switch`, expected `kill_switch`", Some("kill_switch"));
        check("unknown variant `Act`, expected one of `observe`, `act`", Some("act"));
        check("unknown field `colour`, expected one of `mode`, `timeout_s`", None);
        check("missing field `name`", None);
        check("unknown", None);
    }
}
