//! `allowed_outbound_hosts`: where a component may go.
//!
//! Purpose: Spin's grammar, `scheme://host[:port]`, with `*` for any scheme, host or port,
//! `*.domain`, address blocks (`10.0.0.0/8`), port ranges (`8000..9000`, the end not included), and
//! the usual port of a scheme when none is given.
//! Does not: resolve names, or grant service chaining (`self`, `*.spin.internal`), which this host
//! lacks. User and password in an entry are ignored, so that the address of a Redis server with a
//! password can be its own entry.
//! Invariant: nothing is allowed unless an entry says so.

use std::net::IpAddr;

use http::Uri;

/// The hosts one component may reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    scheme: Scheme,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scheme {
    Any,
    Is(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Is(String),
    /// Ends with this, which begins with a dot.
    Under(String),
    Block(Block),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    network: IpAddr,
    prefix: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Any,
    Is(u16),
    Range(u16, u16),
}

/// Why an entry cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is not an allowed host: {expected}")]
pub struct AllowedHostError {
    /// The entry, variables filled in.
    pub entry: String,
    /// What is expected.
    pub expected: String,
}

impl AllowedHosts {
    /// Reads `entries`, variables filled in. Entries that came out empty (or as a bare `http://`)
    /// grant nothing, so that a variable can switch one off.
    ///
    /// # Errors
    /// The first entry that is not in the grammar.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, AllowedHostError> {
        let given = |entry: &&str| !matches!(entry.trim(), "" | "http://" | "https://");
        let parse = |entry: &str| {
            parse_entry(entry.trim())
                .map_err(|expected| AllowedHostError { entry: without_user(entry), expected })
        };
        entries.into_iter().filter(given).map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Adds what `other` allows.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether `url`, absolute, is allowed.
    pub fn allows_url(&self, url: &str) -> bool {
        url.parse::<Uri>().is_ok_and(|uri| self.allows_uri(&uri))
    }

    /// Whether `uri` is absolute and allowed.
    pub fn allows_uri(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
        let Some(port) = uri.port_u16().or_else(|| usual_port(scheme)) else { return false };
        self.allows(scheme, host, port)
    }

    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        self.0.iter().any(|allowed| {
            allowed.scheme.matches(scheme) && allowed.host.matches(&host) && allowed.port.matches(port)
        })
    }
}

impl Scheme {
    fn matches(&self, scheme: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Is(allowed) => allowed.eq_ignore_ascii_case(scheme),
        }
    }
}

impl Host {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Is(allowed) => allowed == host,
            Self::Under(suffix) => host.ends_with(suffix.as_str()),
            Self::Block(block) => host.parse().is_ok_and(|address| block.contains(address)),
        }
    }
}

impl Block {
    fn contains(&self, address: IpAddr) -> bool {
        let (network, address, width) = match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (u128::from(u32::from(network)), u128::from(u32::from(address)), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => (u128::from(network), u128::from(address), 128),
            _ => return false,
        };
        let host_bits = width - self.prefix;
        let of = |bits: u128| bits.checked_shr(host_bits).unwrap_or(0);
        of(network) == of(address)
    }
}

impl Port {
    fn matches(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Is(allowed) => *allowed == port,
            Self::Range(from, end) => (*from..*end).contains(&port),
        }
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "mqtt" => Some(1883),
        _ => None,
    }
}

fn without_user(entry: &str) -> String {
    match (entry.split_once("://"), entry.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => entry.to_owned(),
    }
}

fn parse_entry(entry: &str) -> Result<AllowedHost, String> {
    if entry == "insecure:allow-all" {
        return Err("write `*://*:*` to allow everything".to_owned());
    }
    let (scheme, rest) = entry
        .split_once("://")
        .ok_or_else(|| "expected `scheme://host:port`, as in `https://example.com`".to_owned())?;
    if rest.contains(['{', '}', ',']) {
        return Err("lists are not supported; write one entry for each".to_owned());
    }
    let scheme = parse_scheme(scheme)?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let (host, port) = split_port(rest.strip_suffix('/').unwrap_or(rest))?;
    let port = match port {
        Some(port) => parse_port(port)?,
        None => default_port(&scheme)?,
    };
    Ok(AllowedHost { scheme, host: parse_host(host)?, port })
}

fn parse_scheme(scheme: &str) -> Result<Scheme, String> {
    if scheme == "*" {
        return Ok(Scheme::Any);
    }
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(format!("`{scheme}` is not a scheme; expected letters, or `*`"));
    }
    Ok(Scheme::Is(scheme.to_ascii_lowercase()))
}

fn default_port(scheme: &Scheme) -> Result<Port, String> {
    match scheme {
        Scheme::Any => Err("a port is needed with scheme `*`; `:*` allows every port".to_owned()),
        Scheme::Is(scheme) => usual_port(scheme)
            .map(Port::Is)
            .ok_or_else(|| format!("scheme `{scheme}` has no usual port; write one, or `:*`")),
    }
}

/// Splits `host[:port]`, where an IPv6 host stands in brackets and a block ends in `/bits`.
fn split_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or_else(|| "`[` without `]`".to_owned())?;
        if rest.is_empty() {
            return Ok((host, None));
        }
        let port = rest.strip_prefix(':').ok_or_else(|| "expected `:port` after `]`".to_owned())?;
        return Ok((host, Some(port)));
    }
    match text.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

fn parse_port(text: &str) -> Result<Port, String> {
    let number =
        |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is not a port from 0 to 65535"));
    if text == "*" {
        return Ok(Port::Any);
    }
    match text.split_once("..") {
        None => number(text).map(Port::Is),
        Some((from, end)) => {
            let (from, end) = (number(from)?, number(end)?);
            if from >= end {
                return Err(format!("port range `{text}` is empty; the end is not included"));
            }
            Ok(Port::Range(from, end))
        }
    }
}

fn parse_host(host: &str) -> Result<Host, String> {
    let host = host.to_ascii_lowercase();
    if host == "*" {
        return Ok(Host::Any);
    }
    if host == "self" || host == "self.alt" || host.ends_with(".spin.internal") {
        return Err("calls from component to component are not supported by this host".to_owned());
    }
    if let Some(domain) = host.strip_prefix("*.") {
        check_name(domain)?;
        return Ok(Host::Under(format!(".{domain}")));
    }
    if let Some((address, bits)) = host.split_once('/') {
        return parse_block(address, bits).map(Host::Block);
    }
    if host.parse::<IpAddr>().is_err() {
        check_name(&host)?;
    }
    Ok(Host::Is(host))
}

fn parse_block(address: &str, bits: &str) -> Result<Block, String> {
    let expected = || "expected no path, or an address block as in `10.0.0.0/8`".to_owned();
    let network: IpAddr = address.parse().map_err(|_| expected())?;
    let width = if network.is_ipv4() { 32 } else { 128 };
    let prefix: u32 = bits.parse().ok().filter(|bits| *bits <= width).ok_or_else(expected)?;
    Ok(Block { network, prefix })
}

fn check_name(name: &str) -> Result<(), String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.split('.').all(label) { Ok(()) } else { Err(format!("`{name}` is not a host name")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, url: &str, expected: bool) {
        let hosts = AllowedHosts::parse([entry]).expect("the entry is good");
        assert_eq!(hosts.allows_url(url), expected, "{entry} {url}");
    }

    #[test]
    fn schemes_hosts_and_ports_match_as_in_spin() {
        check("https://api.github.com", "https://api.github.com/repos", true);
        check("https://api.github.com", "https://api.github.com:443/", true);
        check("https://api.github.com", "https://API.github.com/", true);
        check("https://api.github.com", "http://api.github.com/", false);
        check("https://api.github.com", "https://api.github.com:8443/", false);
        check("https://api.github.com", "https://evil-api.github.com/", false);
        check("https://api.github.com/", "https://api.github.com/", true);
        check("redis://127.0.0.1:6379", "redis://127.0.0.1:6379/3", true);
        check("redis://127.0.0.1", "redis://127.0.0.1", true);
        check("redis://127.0.0.1:6379", "redis://127.0.0.1:6380", false);
        check("redis://:pw@h:1", "redis://:pw@h:1/0", true);
        check("*://*:*", "mqtt://anything:1", true);
        check("http://*", "http://x:80", true);
        check("http://*", "http://x:81", false);
        check("http://*.example.com", "http://a.example.com", true);
        check("http://*.example.com", "http://a.b.example.com", true);
        check("http://*.example.com", "http://example.com", false);
        check("http://*.example.com", "http://badexample.com", false);
        check("http://h:8000..8002", "http://h:8001", true);
        check("http://h:8000..8002", "http://h:8002", false);
        check("http://10.0.0.0/8:80", "http://10.9.9.9", true);
        check("http://10.0.0.0/8", "http://11.9.9.9", false);
        check("http://[fd00::/8]:80", "http://[fd12::1]/", true);
        check("http://[::1]:80", "http://[::1]/", true);
        check("http://h", "http://h@evil/", false);
        check("http://h", "/relative", false);
    }

    #[test]
    fn address_blocks_match_addresses_only() {
        let check = |block: &str, bits: u32, host: &str, expected: bool| {
            let network = block.parse().expect("an address");
            assert_eq!(
                Host::Block(Block { network, prefix: bits }).matches(host),
                expected,
                "{block}/{bits} {host}"
            );
        };
        check("10.0.0.0", 8, "10.9.9.9", true);
        check("10.0.0.0", 8, "11.0.0.0", false);
        check("10.0.0.0", 0, "250.1.1.1", true);
        check("10.0.0.1", 32, "10.0.0.1", true);
        check("10.0.0.1", 32, "10.0.0.2", false);
        check("fd00::", 8, "fd12::1", true);
        check("::", 0, "fd12::1", true);
        check("fd00::", 8, "10.0.0.1", false);
        check("10.0.0.0", 8, "ten.example.com", false);
    }

    #[test]
    fn entries_outside_the_grammar_are_refused() {
        for entry in [
            "api.github.com",
            "https://",
            "h2c2://x",
            "*://x",
            "ftp://x",
            "http://x:99999",
            "http://x:9..9",
            "http://x/path",
            "http://{a,b}",
            "insecure:allow-all",
            "http://self",
            "http://api.spin.internal",
            "http://10.0.0.0/33",
            "http://a..b",
            "http://*x",
            "://x",
        ] {
            let parsed = AllowedHosts::parse([entry]);
            assert_eq!(parsed.is_err(), !matches!(entry, "https://"), "{entry}");
        }
    }

    #[test]
    fn entries_switched_off_grant_nothing() {
        let hosts = AllowedHosts::parse(["", "http://", "https://"]).expect("they are skipped");
        assert_eq!(hosts, AllowedHosts::default());
        assert!(!hosts.allows_url("http://x"));
    }

    #[test]
    fn errors_keep_the_password_out() {
        let error = AllowedHosts::parse(["redis://:hush@h:x"]).expect_err("a bad port");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
