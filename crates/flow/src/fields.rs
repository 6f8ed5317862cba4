//! Lists of state fields as one text, which scripts split at spaces.
//!
//! A field's own spaces, bars and percent signs are escaped, so that any name goes through.

/// Escapes one field name.
pub(crate) fn escape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    for letter in field.chars() {
        match letter {
            '%' => out.push_str("%25"),
            ' ' => out.push_str("%20"),
            '|' => out.push_str("%7C"),
            other => out.push(other),
        }
    }
    out
}

/// The inverse of [`escape`].
pub(crate) fn unescape(field: &str) -> String {
    field.replace("%20", " ").replace("%7C", "|").replace("%25", "%")
}

/// Several fields as one text.
pub(crate) fn join(fields: &[String]) -> String {
    fields.iter().map(|field| escape(field)).collect::<Vec<_>>().join(" ")
}

/// The inverse of [`join`].
pub(crate) fn split(text: &str) -> Vec<String> {
    text.split(' ').filter(|field| !field.is_empty()).map(unescape).collect()
}

/// How the sorted set of timers names one: its fields, a bar, its name.
pub(crate) fn timer_member(fields: &[String], name: &str) -> String {
    format!("{}|{name}", join(fields))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_field_names_come_back(fields in proptest::collection::vec(".{1,12}", 0..5)) {
            prop_assert_eq!(split(&join(&fields)), fields);
        }

        #[test]
        fn a_member_has_its_first_bar_after_the_fields(fields in proptest::collection::vec(".{1,8}", 0..3), name in ".*") {
            let member = timer_member(&fields, &name);
            let (before, after) = member.split_once('|').unwrap_or_default();
            prop_assert_eq!(split(before), fields);
            prop_assert_eq!(after, name);
        }
    }
}
