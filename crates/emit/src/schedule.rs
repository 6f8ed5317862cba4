//! When a delivery is tried again: Svix's schedule.
//! Source: <https://docs.svix.com/retries>.
//!
//! What this does not do: add chance to it. A sink has one delivery under way at a time, so what
//! waits for it does not come all at once.

/// The wait before each try, milliseconds: at once, then 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
pub const WAITS_MS: [u64; 8] = [
    0,
    5_000,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    120 * MINUTE_MS,
    300 * MINUTE_MS,
    600 * MINUTE_MS,
    600 * MINUTE_MS,
];

const MINUTE_MS: u64 = 60_000;

/// Tries a delivery has before it is given up.
pub const TRIES_MAX: u32 = 8;

const _: () = assert!(WAITS_MS.len() == TRIES_MAX as usize);

/// What follows a try that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Try again after so many milliseconds.
    Wait(u64),
    /// It was the last one: a dead letter.
    GiveUp,
}

/// What follows when try number `tried` (from 1) failed.
pub fn after(tried: u32) -> Then {
    let next = usize::try_from(tried).ok().and_then(|tried| WAITS_MS.get(tried));
    next.map_or(Then::GiveUp, |wait| Then::Wait(*wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_tries_over_a_day_and_then_no_more() {
        let mut waits = Vec::new();
        let mut tried = 1;
        while let Then::Wait(wait) = after(tried) {
            waits.push(wait / 1000);
            tried += 1;
        }
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
        assert_eq!(tried, TRIES_MAX);
        assert_eq!(after(u32::MAX), Then::GiveUp);
    }
}
