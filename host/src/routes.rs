//! Which component serves a path.
//!
//! Purpose: Spin's routes: exact (`/a`), one segment by name (`/:name`), and a trailing `/...` that
//! matches the prefix itself and everything below. Exact beats a name, a name beats the wildcard,
//! a longer prefix beats a shorter one.
//! Does not: look at methods or hosts, or decode percent-encoding.
//! Invariant: lookup is a pure function of the path; one trailing `/` makes no difference.

use std::collections::BTreeMap;

use crate::config_file::{ConfigError, Located};
use routefinder::{RouteSpec, Router};

/// The HTTP routes of an application.
#[derive(Debug)]
pub struct Routes {
    router: Router<Target>,
}

#[derive(Debug)]
struct Target {
    route: String,
    component: String,
}

/// A route that matched.
#[derive(Debug, PartialEq, Eq)]
pub struct RouteMatch<'a> {
    /// The route as written in the manifest.
    pub route: &'a str,
    /// The component to call.
    pub component: &'a str,
    /// What the trailing wildcard matched, with a leading `/`; empty if nothing or no wildcard.
    pub path_info: String,
    /// Named segments in order of name.
    pub named: BTreeMap<String, String>,
}

impl RouteMatch<'_> {
    /// The route without its trailing wildcard, as in the `spin-component-route` header.
    pub fn component_route(&self) -> &str {
        self.route.strip_suffix("/...").unwrap_or(self.route)
    }
}

impl Routes {
    /// Builds the table from `(route, component)` in the order of the manifest.
    ///
    /// # Errors
    /// A route that cannot be read or that is there twice, with its line in `file`.
    pub fn new<'a>(
        file: &str,
        triggers: impl IntoIterator<Item = (&'a Located<String>, &'a str)>,
    ) -> Result<Self, ConfigError> {
        let mut router: Router<Target> = Router::new();
        let mut taken = BTreeMap::new();
        for (route, component) in triggers {
            let error = |message| ConfigError { file: file.to_owned(), line: route.line, message };
            let spec = route_spec(&route.value).map_err(error)?;
            if let Some(other) = taken.insert(spec.to_string(), component) {
                return Err(error(format!("route `{}` is already served by `{other}`", route.value)));
            }
            let target = Target { route: route.value.clone(), component: component.to_owned() };
            router.add(spec, target).map_err(|never| error(never.to_string()))?;
        }
        Ok(Self { router })
    }

    /// The best match for `path`, which has no query.
    pub fn find(&self, path: &str) -> Option<RouteMatch<'_>> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let found = self.router.best_match(path)?;
        let target = found.handler();
        let captures = found.captures();
        let path_info = match captures.wildcard() {
            None | Some("") => String::new(),
            Some(rest) => format!("/{}", rest.trim_start_matches('/')),
        };
        let named = captures.params().iter();
        let named = named.map(|capture| (capture.name().to_owned(), capture.value().to_owned())).collect();
        Some(RouteMatch { route: &target.route, component: &target.component, path_info, named })
    }

    /// `(route, component)` in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.router.iter().map(|(_, target)| (target.route.as_str(), target.component.as_str()))
    }
}

fn route_spec(route: &str) -> Result<RouteSpec, String> {
    if !route.starts_with('/') {
        return Err(format!("route `{route}` must begin with `/`"));
    }
    let (path, wildcard) = match route.strip_suffix("/...") {
        Some(prefix) => (prefix, "/*"),
        None => (route, ""),
    };
    if path.contains(['*', '?', '#']) || path.contains("...") {
        return Err(format!("route `{route}`: expected segments, `:names`, and `/...` at the end only"));
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    RouteSpec::try_from(format!("{path}{wildcard}")).map_err(|error| format!("route `{route}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(table: &[&str]) -> Result<Routes, ConfigError> {
        let located: Vec<_> = table
            .iter()
            .enumerate()
            .map(|(index, route)| Located { value: (*route).to_owned(), line: index + 1 })
            .collect();
        Routes::new("spin.toml", located.iter().map(|route| (route, "c")))
    }

    fn check(path: &str, expected: Option<(&str, &str)>) {
        let table = [
            "/...",
            "/webhooks/...",
            "/webhooks/github",
            "/:name",
            "/users/:id/posts/...",
            "/internal/drain/act",
        ];
        let routes = routes(&table).expect("the table is good");
        let found = routes.find(path).map(|found| (found.route.to_owned(), found.path_info));
        let expected = expected.map(|(route, info)| (route.to_owned(), info.to_owned()));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn exact_beats_name_beats_wildcard_and_longer_prefixes_win() {
        check("/", Some(("/...", "")));
        check("/x", Some(("/:name", "")));
        check("/x/", Some(("/:name", "")));
        check("/x/y", Some(("/...", "/x/y")));
        check("/webhooks", Some(("/webhooks/...", "")));
        check("/webhooks/", Some(("/webhooks/...", "")));
        check("/webhooks/gitlab/a", Some(("/webhooks/...", "/gitlab/a")));
        check("/webhooks/github", Some(("/webhooks/github", "")));
        check("/webhooks/github/a", Some(("/webhooks/...", "/github/a")));
        check("/webhooksx/a", Some(("/...", "/webhooksx/a")));
        check("/internal/drain/act", Some(("/internal/drain/act", "")));
        check("/internal/drain", Some(("/...", "/internal/drain")));
        check("/users/7/posts/a/b", Some(("/users/:id/posts/...", "/a/b")));
    }

    #[test]
    fn no_route_is_no_match() {
        let routes = routes(&["/a", "/b/..."]).expect("good");
        assert_eq!(routes.find("/c"), None);
        assert_eq!(routes.find("/a/b"), None);
        assert_eq!(routes.find(""), None);
    }

    #[test]
    fn named_segments_and_the_component_route_are_given() {
        let routes = routes(&["/users/:id/posts/..."]).expect("good");
        let found = routes.find("/users/7/posts/a").expect("it matches");
        assert_eq!(found.named, BTreeMap::from([("id".to_owned(), "7".to_owned())]));
        assert_eq!(found.component_route(), "/users/:id/posts");
    }

    #[test]
    fn bad_and_double_routes_are_refused_with_their_line() {
        for (table, line) in [(&["a"][..], 1), (&["/a", "/b/.../c"], 2), (&["/a", "/a"], 2), (&["/a*"], 1)] {
            let error = routes(table).err().map(|error| error.line);
            assert_eq!(error, Some(line), "{table:?}");
        }
    }
}
