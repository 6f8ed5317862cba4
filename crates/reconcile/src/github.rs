//! GitHub's list of a webhook's deliveries, newest first.
//! Source: <https://docs.github.com/en/rest/repos/webhooks#list-deliveries-for-a-repository-webhook>.
//!
//! A redelivery is an entry of its own with the `guid` of the delivery it repeats.

use homeostat_schema::time;
use http::HeaderMap;
use http::header::LINK;
use serde::Deserialize;

use crate::ledger::{Page, Sent};

/// Deliveries of a page: GitHub's most.
pub(crate) const PAGE: usize = 100;
/// How far before the last look is looked again, milliseconds: a delivery is listed when it ended.
pub(crate) const OVERLAP_MS: u64 = 10 * 60 * 1000;
/// Longest cursor taken from a link.
const CURSOR_BYTES_MAX: usize = 256;

#[derive(Deserialize)]
pub(crate) struct Delivery {
    id: u64,
    guid: String,
    delivered_at: String,
    #[serde(default)]
    status_code: u16,
    #[serde(default)]
    event: String,
    #[serde(default)]
    action: Option<String>,
}

pub(crate) fn page(list: Vec<Delivery>, headers: &HeaderMap) -> Page {
    Page { sent: list.into_iter().filter_map(sent).collect(), next: cursor(headers) }
}

fn sent(delivery: Delivery) -> Option<Sent> {
    Some(Sent {
        delivery: delivery.id,
        order: time::parse(&delivery.delivered_at).ok()?,
        acknowledged: (200..300).contains(&delivery.status_code),
        of_interest: is_of_interest(&delivery.event, delivery.action.as_deref()),
        key: Some(delivery.guid),
    })
}

/// What always becomes an event when it arrives.
fn is_of_interest(event: &str, action: Option<&str>) -> bool {
    matches!((event, action), ("workflow_run", Some("completed")) | ("deployment_status", Some("created")))
}

/// The cursor of `rel="next"`. Only it is taken from the link, never the address.
fn cursor(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let address = next.split(['<', '>']).nth(1)?;
    let (_, query) = address.split_once('?')?;
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.%=".contains(&byte);
    (cursor.len() <= CURSOR_BYTES_MAX && cursor.bytes().all(plain)).then(|| cursor.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_alone_is_taken_from_a_link() {
        let check = |link: &str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(LINK, link.parse().expect("a value"))]);
            assert_eq!(cursor(&headers).as_deref(), expected, "{link}");
        };
        let base = "https://api.github.com/repositories/1/hooks/2/deliveries";
        check(&format!("<{base}?per_page=100&cursor=v1_123>; rel=\"next\""), Some("v1_123"));
        check(&format!("<{base}?cursor=a>; rel=\"first\", <{base}?cursor=b>; rel=\"next\""), Some("b"));
        check(&format!("<{base}?cursor=a>; rel=\"prev\""), None);
        check(&format!("<{base}?cursor=a b>; rel=\"next\""), None);
        check("nonsense", None);
        assert_eq!(cursor(&HeaderMap::new()), None);
    }
}
