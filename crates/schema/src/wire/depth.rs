//! A bound on nesting, checked before anything is parsed.

/// Arrays and objects within each other. A payload of ours has at most 8 levels and none of the
/// senders' documented ones more than 20; each level costs the parser stack, of which a wasm
/// instance has little.
pub const DEPTH_MAX: usize = 64;

/// Whether arrays and objects nest at most [`DEPTH_MAX`] deep. One pass, no memory; text that is
/// not JSON gets some answer, and the parser refuses it after.
pub fn within_depth(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for byte in json {
        match (quoted, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_strings_only() {
        let check =
            |json: String, expected: bool| assert_eq!(within_depth(json.as_bytes()), expected, "{json}");
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        check(nested(DEPTH_MAX), true);
        check(nested(DEPTH_MAX + 1), false);
        check("{\"a\":".repeat(DEPTH_MAX + 1), false);
        check("[]".repeat(1000), true);
        check(format!("\"{}\"", "[".repeat(1000)), true);
        check(format!("\"\\\"{}\"", "[".repeat(1000)), true);
        check(format!("\"\\\\\"{}", "[".repeat(1000)), false);
        check("]]]]".to_owned() + &nested(DEPTH_MAX), true);
        check(String::new(), true);
    }
}
