//! A small HTTP client of the app, for the operator's commands.
//!
//! Purpose: find the address and the token, ask, and turn every way this fails into a text that
//! says what to do.
//! Does not: retry, follow redirects, or know what the answers mean.
//! Invariant: the token kept in the default state folder goes to this machine only, unless the
//! folder was named; no token and no secret is ever part of an error.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use http::request::Builder;
use http::{Method, Request, StatusCode};
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::{CallError, Limits, call};
use super::{CliError, output};
use crate::app::STATE_DIR_DEFAULT;
use crate::state_dir::ApiToken;

/// The app gives up on its own components after half a minute, and a page of 200 incidents has well
/// under a megabyte.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(35), body_bytes_max: 16 * 1024 * 1024 };

/// Where the app is.
#[derive(Args)]
pub(super) struct Address {
    /// Where the app serves [default: http://127.0.0.1:3000]
    #[arg(long, env = "HOMEOSTAT_URL", value_name = "URL", global = true)]
    url: Option<String>,
}

/// Where `homeostat up` serves unless told otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:3000";

/// Where the app is, and what opens it. No `Debug`: it holds the token.
#[derive(Args)]
pub(super) struct Connection {
    #[command(flatten)]
    pub(super) address: Address,
    /// The API token; otherwise the one kept in the state folder
    #[arg(long, env = "HOMEOSTAT_TOKEN", hide_env_values = true, value_name = "TOKEN", global = true)]
    token: Option<String>,
    /// The app's state folder, which holds its API token [default: .homeostat, for an app on this machine]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub(super) state_dir: Option<PathBuf>,
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// The address is none.
    #[error("{url}: {why}; expected an address such as http://127.0.0.1:3000")]
    Address { url: String, why: String },
    /// The token cannot be read or sent.
    #[error("{0}")]
    Token(String),
    /// Nothing listens there.
    #[error(
        "nothing answers at {url} ({why}). Is the app running? Start it with `homeostat up`, or say where it \
         is with --url or HOMEOSTAT_URL"
    )]
    NotRunning { url: String, why: String },
    /// No answer, or not all of it.
    #[error("no whole answer from {url}: {why}. Look at the app's log, or run `homeostat doctor`")]
    NoAnswer { url: String, why: String },
    /// 401.
    #[error("{0}")]
    Unauthorised(String),
    /// Any other refusal.
    #[error("{url} refused with {status}: {why}")]
    Refused { url: String, status: StatusCode, why: String },
    /// Not what this version expects.
    #[error("{url} gave an answer that is not Homeostat's ({why}). Does another program serve there?")]
    Foreign { url: String, why: String },
}

impl ClientError {
    /// The status of the app's answer, where it gave one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorised(_) => Some(StatusCode::UNAUTHORIZED.as_u16()),
            Self::Refused { status, .. } => Some(status.as_u16()),
            _ => None,
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Address { .. } | ClientError::Token(_) => Self::Usage(error.to_string()),
            other => Self::Failure(other.into()),
        }
    }
}

/// Where the token came from, to say so when it is refused.
enum TokenFrom {
    Nowhere,
    Argument,
    File(PathBuf),
}

/// Asks the app. No `Debug`: it holds the token.
pub(super) struct Client {
    base: Url,
    token: Option<ApiToken>,
    token_from: TokenFrom,
}

/// An answer, read whole.
pub(super) struct Answered {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Address {
    /// The address, checked.
    pub(super) fn parse(&self) -> Result<Url, ClientError> {
        let given = self.url.as_deref().unwrap_or(URL_DEFAULT);
        let wrong = |why: &str| ClientError::Address { url: output::plain(given), why: why.to_owned() };
        let url = Url::parse(given).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let why = "an address holds no name and password; give the token with --token";
            return Err(ClientError::Token(why.to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("only scheme, host, port and path are expected"));
        }
        Ok(url)
    }

    /// A client that shows no token.
    pub(super) fn open(&self) -> Result<Client, ClientError> {
        let base = self.parse()?;
        Ok(Client { base, token: None, token_from: TokenFrom::Nowhere })
    }
}

impl Connection {
    /// A client that shows the token.
    pub(super) fn open(&self) -> Result<Client, ClientError> {
        let client = self.address.open()?;
        let (token, token_from) = self.find_token(&client.base)?;
        Ok(Client { token, token_from, ..client })
    }

    /// The state folder: the one named, else the usual one.
    pub(super) fn folder(&self) -> &Path {
        self.state_dir.as_deref().unwrap_or(Path::new(STATE_DIR_DEFAULT))
    }

    /// Whether the operator said where the app is, or showed its token.
    pub(super) fn is_named(&self) -> bool {
        self.address.url.is_some() || self.token.as_deref().is_some_and(|token| !token.trim().is_empty())
    }

    fn find_token(&self, base: &Url) -> Result<(Option<ApiToken>, TokenFrom), ClientError> {
        if let Some(token) = self.token.as_deref().map(str::trim).filter(|token| !token.is_empty()) {
            return Ok((Some(ApiToken::new(token.to_owned())), TokenFrom::Argument));
        }
        if self.state_dir.is_none() && !is_local(base) {
            return Ok((None, TokenFrom::Nowhere));
        }
        let file = self.folder().join("api-token");
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok((Some(ApiToken::new(text.trim().to_owned())), TokenFrom::File(file))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((None, TokenFrom::Nowhere)),
            Err(error) => Err(ClientError::Token(format!("{}: {error}", file.display()))),
        }
    }
}

/// Whether the address is this machine's loopback.
pub(super) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Client {
    /// The address, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A request with the token, for [`Client::send`]. The path begins with a slash.
    pub(super) fn request(&self, method: Method, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base()));
        match &self.token {
            Some(token) => bearer(request, token.expose()),
            None => request,
        }
    }

    /// Sends, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn send(&self, request: Builder, body: Vec<u8>) -> Result<Answered, ClientError> {
        let request = request.body(body).map_err(|_| {
            ClientError::Token("the token or a header holds characters that cannot be sent".to_owned())
        })?;
        let url = self.base().to_owned();
        let answer = call(request, LIMITS).await.map_err(|error| failure(&url, &error))?;
        let (parts, body) = answer.into_parts();
        Ok(Answered { url, status: parts.status, headers: parts.headers, body })
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As of [`Client::send`].
    pub(super) async fn send_json(
        &self,
        request: Builder,
        body: &impl Serialize,
    ) -> Result<Answered, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Token(error.to_string()))?;
        self.send(request.header(CONTENT_TYPE, "application/json"), body).await
    }

    /// `GET`s a path with a query.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Answered, ClientError> {
        let mut path = path.to_owned();
        if !query.is_empty() {
            let pairs = query.iter().map(|(name, value)| (*name, value.as_str()));
            let text = Url::parse_with_params("http://host/", pairs);
            path = format!(
                "{path}?{}",
                text.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
            );
        }
        let answer = self.send(self.request(Method::GET, &path), Vec::new()).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer)) }
    }

    /// What a path says as JSON, whatever its status; `None` when it says something else.
    pub(super) async fn look_at<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let answer = self.send(self.request(Method::GET, path), Vec::new()).await.ok()?;
        answer.json().ok()
    }

    /// What a refusal means and what to do about it.
    pub(super) fn refusal(&self, answer: &Answered) -> ClientError {
        if answer.status == StatusCode::UNAUTHORIZED {
            return ClientError::Unauthorised(self.unauthorised());
        }
        ClientError::Refused { url: answer.url.clone(), status: answer.status, why: answer.reason() }
    }

    fn unauthorised(&self) -> String {
        let url = self.base();
        match &self.token_from {
            TokenFrom::Nowhere => format!(
                "{url} wants the API token, and none was found: give --token or HOMEOSTAT_TOKEN, or the app's \
                 --state-dir, whose file api-token holds it"
            ),
            TokenFrom::Argument => {
                format!(
                    "{url} refused the token of --token or HOMEOSTAT_TOKEN: it is not that app's api_token"
                )
            }
            TokenFrom::File(file) => format!(
                "{url} refused the token in {}: the app there uses another state folder or an api_token of its \
                 own; give --token or --state-dir",
                file.display()
            ),
        }
    }
}

impl Answered {
    /// The body as JSON of this form.
    ///
    /// # Errors
    /// [`ClientError::Foreign`] when it is none.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ClientError::Foreign { url: self.url.clone(), why: error.to_string() })
    }

    /// Why it is a refusal, in one line.
    pub(super) fn reason(&self) -> String {
        #[derive(Deserialize)]
        struct Problem {
            title: String,
            #[serde(default)]
            detail: Option<String>,
            #[serde(default)]
            field: Option<String>,
        }
        let Ok(problem) = serde_json::from_slice::<Problem>(&self.body) else {
            return "the answer says no more".to_owned();
        };
        let field = problem.field.map(|field| format!("{field}: ")).unwrap_or_default();
        output::plain(&format!("{field}{}", problem.detail.unwrap_or(problem.title)))
    }
}

/// The same request with a token.
pub(super) fn bearer(request: Builder, token: &str) -> Builder {
    request.header(AUTHORIZATION, format!("Bearer {token}"))
}

fn failure(url: &str, error: &CallError) -> ClientError {
    let (url, why) = (url.to_owned(), error.to_string());
    match error {
        CallError::NotReached(_) => ClientError::NotRunning { url, why },
        CallError::TooLong(_) => ClientError::Foreign { url, why },
        CallError::Tls(_) | CallError::TimedOut(_) | CallError::Broken(_) => {
            ClientError::NoAnswer { url, why }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address { url: Some(url.to_owned()) }
    }

    fn connection(url: &str, token: Option<&str>, state_dir: Option<&Path>) -> Connection {
        Connection {
            address: address(url),
            token: token.map(str::to_owned),
            state_dir: state_dir.map(Path::to_owned),
        }
    }

    #[test]
    fn an_address_is_checked_before_anything_is_sent() {
        let check = |url: &str, expected: bool| assert_eq!(address(url).parse().is_ok(), expected, "{url}");
        check("http://127.0.0.1:3000", true);
        check("https://homeostat.example/ops/", true);
        check("ftp://host", false);
        check("127.0.0.1:3000", false);
        check("http://ann:token@host", false);
        check("http://host?x=1", false);
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.9", true),
            ("http://[::1]:3000", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(address(url).parse().is_ok_and(|url| is_local(&url)), expected, "{url}");
        }
    }

    #[test]
    fn the_kept_token_goes_to_this_machine_or_where_its_folder_was_named_for()
    -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("api-token"), "kept\n")?;
        let check = |connection: Connection, expected: Option<&str>| {
            let base = connection.address.parse().expect("an address");
            let (token, _) =
                connection.find_token(&base).map_err(|error| error.to_string()).expect("readable");
            assert_eq!(token.as_ref().map(ApiToken::expose), expected);
        };
        check(connection("http://10.0.0.1", None, Some(folder.path())), Some("kept"));
        check(connection("http://127.0.0.1", None, Some(folder.path())), Some("kept"));
        check(connection("http://127.0.0.1", Some("own"), Some(folder.path())), Some("own"));
        check(connection("http://10.0.0.1", None, None), None);
        Ok(())
    }

    #[test]
    fn a_refusal_says_field_and_reason_on_one_line() {
        let check = |body: &str, expected: &str| {
            let answer = Answered {
                url: String::new(),
                status: StatusCode::BAD_REQUEST,
                headers: HeaderMap::new(),
                body: body.as_bytes().to_vec(),
            };
            assert_eq!(answer.reason(), expected);
        };
        check(
            r#"{"title":"Bad Request","detail":"a text\nis expected","field":"who"}"#,
            "who: a text is expected",
        );
        check(r#"{"title":"Conflict"}"#, "Conflict");
        check("<html>", "the answer says no more");
    }
}
