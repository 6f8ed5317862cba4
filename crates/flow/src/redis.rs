//! The port to a Redis server: any command, replies flattened as Spin hands them out.

/// One value of a reply. Nested arrays are flattened before they get here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// A status such as `OK`.
    Status(String),
    /// A number.
    Int(i64),
    /// A bulk string.
    Bytes(Vec<u8>),
}

impl Reply {
    /// The value as text; a missing value is empty, and bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Status(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// The same as [`Reply::text`] without a copy of what is text already.
    pub fn into_text(self) -> String {
        match self {
            Self::Status(text) => text,
            Self::Bytes(bytes) => String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            other => other.text(),
        }
    }

    /// The value's bytes, or `None` for nil.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Nil => None,
            Self::Status(text) => Some(text.into_bytes()),
            Self::Int(number) => Some(number.to_string().into_bytes()),
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// The value as a number, when it is one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            other => other.text().parse().ok(),
        }
    }
}

/// Why a command gave no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// The server does not know the script's digest; the script itself must be sent.
    #[error("the server does not have the script")]
    NoScript,
    /// The server refused the command.
    #[error("Redis refused the command: {0}")]
    Refused(String),
    /// No connection, or it broke while waiting: whether the command was carried out is unknown.
    #[error("Redis cannot be reached: {0}")]
    Unavailable(String),
}

impl RedisError {
    /// Sorts a client's error text, where that is all there is (Spin's, for one).
    pub fn from_text(text: &str) -> Self {
        // As the server writes them, and as redis-rs (under Spin and our host) names them.
        const REFUSALS: [&str; 10] = [
            "WRONGTYPE",
            "OOM",
            "NOREPLICAS",
            "READONLY",
            "ReadOnly",
            "MISCONF",
            "NOPERM",
            "NoPerm",
            "ERR",
            "ResponseError",
        ];
        let lower = text.to_ascii_lowercase();
        if lower.contains("noscript") || lower.contains("no matching script") {
            Self::NoScript
        } else if REFUSALS.iter().any(|code| text.contains(code)) {
            Self::Refused(text.to_owned())
        } else {
            Self::Unavailable(text.to_owned())
        }
    }
}

/// A connection to one Redis primary.
pub trait Redis {
    /// Sends one command and waits for its reply, flattened.
    ///
    /// # Errors
    /// [`RedisError`] when the server refuses it or cannot be reached.
    fn command(&self, name: &str, args: &[&[u8]]) -> impl Future<Output = Result<Vec<Reply>, RedisError>>;
}

impl<R: Redis> Redis for &R {
    async fn command(&self, name: &str, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        (**self).command(name, args).await
    }
}

impl<R: Redis> Redis for std::rc::Rc<R> {
    async fn command(&self, name: &str, args: &[&[u8]]) -> Result<Vec<Reply>, RedisError> {
        (**self).command(name, args).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_texts_are_sorted() {
        let check = |text: &str, expected: fn(&RedisError) -> bool| {
            let error = RedisError::from_text(text);
            assert!(expected(&error), "{text} became {error:?}");
        };
        check("NOSCRIPT: No matching script. Please use EVAL.", |error| *error == RedisError::NoScript);
        check("An error was signalled by the server - NoScriptError: x", |error| {
            *error == RedisError::NoScript
        });
        check("NoScript: No matching script. Please use EVAL.", |error| *error == RedisError::NoScript);
        check("ResponseError: unknown command", |error| matches!(error, RedisError::Refused(_)));
        check("NoPerm: this user has no permissions", |error| matches!(error, RedisError::Refused(_)));
        check("BusyLoading: Redis is loading", |error| matches!(error, RedisError::Unavailable(_)));
        check("OOM command not allowed", |error| matches!(error, RedisError::Refused(_)));
        check("broken pipe", |error| matches!(error, RedisError::Unavailable(_)));
    }
}
