//! Whether Redis takes writes: it may answer and refuse every one of them.
//!
//! What it does not do: write anything that anybody reads.

use crate::name::PREFIX;
use crate::redis::{Redis, RedisError};

/// How long the key that is written stays, milliseconds.
const PROBE_MS: &str = "60000";

/// Redis does not take a write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Redis takes no writes, so every webhook is refused ({error}): {mend}")]
pub struct NotWritable {
    /// What it said.
    pub error: RedisError,
    /// What to do about it.
    pub mend: &'static str,
}

/// Writes one small key that goes away by itself.
///
/// # Errors
/// [`NotWritable`] when it is refused or not answered.
pub async fn takes_writes<R: Redis>(redis: &R) -> Result<(), NotWritable> {
    let key = format!("{PREFIX}probe");
    let args: [&[u8]; 4] = [key.as_bytes(), b"1", b"PX", PROBE_MS.as_bytes()];
    let written = redis.command("SET", &args).await;
    written.map(drop).map_err(|error| NotWritable { mend: mend(&error), error })
}

fn mend(error: &RedisError) -> &'static str {
    error.remedy().unwrap_or("see whether it still answers, and look at its log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        let check = |text: &str, expected: &str| {
            let error = RedisError::from_text(text);
            assert!(matches!(error, RedisError::Refused(_)), "{text} became {error:?}");
            assert!(mend(&error).contains(expected), "{text}: {}", mend(&error));
        };
        check("OOM command not allowed when used memory > 'maxmemory'.", "maxmemory");
        check("READONLY You can't write against a read only replica.", "primary");
        check("ReadOnly: You can't write against a read only replica.", "primary");
        check("NOREPLICAS Not enough good replicas to write.", "min-replicas");
        check("MISCONF Errors writing to the AOF file", "disk");
        check("NOPERM this user has no permissions", "grant");
        check("ERR odd", "log");
        let late = mend(&RedisError::Unavailable("the server hangs".to_owned()));
        assert!(late.contains("answers"), "{late}");
    }
}
