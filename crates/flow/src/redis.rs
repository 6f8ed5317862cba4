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

/// The codes with which a server refuses every write, and what each means.
const REFUSES_WRITES: [(&str, &str); 5] = [
    ("OOM", "Redis has used up its memory and takes no writes: raise maxmemory, or free some of it"),
    ("READONLY", "this Redis is a replica and takes no writes: name the primary"),
    (
        "MISCONF",
        "Redis cannot write to its disk and takes no writes: make room, and look at its log \
         (docs/runbooks/disk-full.md)",
    ),
    (
        "NOREPLICAS",
        "Redis takes no writes while it has too few replicas: bring them back, or lower its min-replicas-to-write",
    ),
    ("NOPERM", "Redis does not let this user write keys that begin with `hs:`; grant it"),
];

impl RedisError {
    /// What it means and what to do, where the server takes no writes at all; its own words hold
    /// the place in a script, which help nobody.
    pub fn remedy(&self) -> Option<&'static str> {
        let (Self::Refused(text) | Self::Unavailable(text)) = self else { return None };
        let text = text.to_ascii_uppercase();
        REFUSES_WRITES.iter().find(|(code, _)| text.contains(code)).map(|(_, remedy)| *remedy)
    }

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
    fn a_server_that_takes_no_writes_is_told_in_words_to_act_on() {
        let check = |text: &str, expected: Option<&str>| {
            let remedy = RedisError::from_text(text).remedy();
            assert_eq!(remedy.is_some(), expected.is_some(), "{text}");
            assert!(remedy.unwrap_or_default().contains(expected.unwrap_or_default()), "{text}");
        };
        check(
            "OOM: command not allowed when used memory > 'maxmemory'. script: 5a, on @user_script:150.",
            Some("maxmemory"),
        );
        check("ReadOnly: You can't write against a read only replica.", Some("primary"));
        check("MISCONF Redis is configured to save RDB snapshots", Some("disk"));
        check("NOREPLICAS Not enough good replicas to write.", Some("min-replicas-to-write"));
        check("WRONGTYPE Operation against a key", None);
        check("broken pipe", None);
    }

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
