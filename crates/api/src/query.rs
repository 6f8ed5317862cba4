//! Query parameters, limits and cursors.
//!
//! Invariants: an unknown or repeated parameter is refused, since a filter that is overlooked
//! shows what was not asked for; a page is never larger than its bound.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;

use crate::answer::Problem;

/// Longest query taken, bytes: cursors have some two hundred.
const QUERY_MAX: usize = 4096;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads `a=b&c=d`; only `known` names may be there, each once.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let text = text.unwrap_or_default();
        if text.len() > QUERY_MAX {
            return Err(Problem::bad("query", format!("at most {QUERY_MAX} bytes are taken")));
        }
        let mut all = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                return Err(Problem::bad(
                    &name,
                    format!("unknown parameter; known are: {}", known.join(", ")),
                ));
            }
            if all.insert(name.clone(), value).is_some() {
                return Err(Problem::bad(&name, "given twice"));
            }
        }
        Ok(Self(all))
    }

    /// The parameter's value, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// How many items to answer with: `limit`, else `usual`, from 1 to `most`.
    ///
    /// # Errors
    /// 400 when it is no number in that range.
    pub fn limit(&self, usual: u32, most: u32) -> Result<u32, Problem> {
        let Some(text) = self.get("limit") else { return Ok(usual) };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| Problem::bad("limit", format!("a whole number from 1 to {most} is expected")))
    }

    /// Where the page before ended: `cursor`.
    ///
    /// # Errors
    /// 400 when it is not a cursor we gave.
    pub fn cursor(&self) -> Result<Option<Cursor>, Problem> {
        let Some(text) = self.get("cursor") else { return Ok(None) };
        let cursor = Cursor::decode(text);
        cursor.map(Some).ok_or_else(|| Problem::bad("cursor", "not a cursor that was given in `next`"))
    }
}

fn decoded(text: &str) -> Result<String, Problem> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| Problem::bad("query", "not UTF-8"))
}

/// A place in a ranking: the last member looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Its score.
    pub score: u64,
    /// Itself.
    pub member: String,
}

impl Cursor {
    /// As it is handed out.
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(format!("{} {}", self.score, self.member))
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (score, member) = text.split_once(' ')?;
        Some(Self { score: score.parse().ok()?, member: member.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["env", "limit", "cursor"];

    #[test]
    fn parameters_are_read_once_and_by_name() {
        let check = |text: &str, expected: Result<Option<&str>, u16>| {
            let query = Query::parse(Some(text), KNOWN).map_err(|problem| problem.status().as_u16());
            let env = query.as_ref().map(|query| query.get("env")).map_err(|status| *status);
            assert_eq!(env, expected, "{text}");
        };
        check("", Ok(None));
        check("env=prod", Ok(Some("prod")));
        check("&env=a%2Fb+c&", Ok(Some("a/b c")));
        check("env=", Ok(None));
        check("env", Ok(None));
        check("env=a&env=b", Err(400));
        check("envv=a", Err(400));
        check("env=%ff", Err(400));
        check(&"env=a&".repeat(1000), Err(400));
    }

    #[test]
    fn limits_stay_within_bounds() {
        let check = |text: &str, expected: Option<u32>| {
            let query = Query::parse(Some(text), KNOWN).unwrap();
            assert_eq!(query.limit(50, 200).ok(), expected, "{text}");
        };
        check("", Some(50));
        check("limit=1", Some(1));
        check("limit=200", Some(200));
        check("limit=201", None);
        check("limit=0", None);
        check("limit=-1", None);
        check("limit=x", None);
        check("limit=99999999999999999999", None);
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let cursor = Cursor { score: u64::MAX, member: "prod/unassigned/github/a b".to_owned() };
        let query = Query::parse(Some(&format!("cursor={}", cursor.encode())), KNOWN).unwrap();
        assert_eq!(query.cursor().unwrap(), Some(cursor));
        for text in ["cursor=!", "cursor=AAAA", "cursor=eA"] {
            assert!(Query::parse(Some(text), KNOWN).unwrap().cursor().is_err(), "{text}");
        }
    }
}
