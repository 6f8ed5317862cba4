//! Pages over the read models: a ranking by time, and a value for each of its members.
//!
//! Invariants: a request looks at no more than [`SCAN_MAX`] members, so a filter that matches
//! little gives short pages with a cursor, not a long wait; a page ends where the next begins,
//! however many members share a time; a page that leaves nothing out has no cursor.

use homeostat_flow::{Redis, Reply, views};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Problem, json};
use crate::query::Cursor;

/// Members looked at for one page: ten reads, some tens of milliseconds. A multiple of [`CHUNK`].
pub(crate) const SCAN_MAX: usize = 1_000;

/// Members read at once: a reply of well under a megabyte for events, a few for incidents.
const CHUNK: usize = 100;

/// A ranking, and how the keys of its members' values are made.
pub(crate) struct List {
    pub(crate) ranking: &'static str,
    pub(crate) key_of: fn(&str) -> String,
}

/// What is wanted of a list.
pub(crate) struct Pick<F> {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: u32,
    pub(crate) matches: F,
}

#[derive(Serialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    /// Values that are there and cannot be read: written by another version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

/// Answers with the next page of a list, newest first.
pub(crate) async fn page<R: Redis, T: DeserializeOwned + Serialize>(
    redis: &R,
    list: &List,
    pick: Pick<impl Fn(&T) -> bool>,
) -> Result<Answer, Problem> {
    let limit = usize::try_from(pick.limit).unwrap_or(SCAN_MAX);
    let mut page = Page { items: Vec::new(), next: None, unreadable: Vec::new() };
    let mut start = first_rank(redis, list, pick.cursor.as_ref()).await?;
    let (mut seen, mut last) = (0, None);
    loop {
        let members = members(redis, list, start).await?;
        if seen == SCAN_MAX && !members.is_empty() {
            return Ok(json(StatusCode::OK, &Page { next: last, ..page }));
        }
        let values = values(redis, list, &members).await?;
        for ((member, score), value) in members.iter().zip(values) {
            match value.map(|bytes| serde_json::from_slice::<T>(&bytes)) {
                Some(Ok(item)) if (pick.matches)(&item) => {
                    if page.items.len() == limit {
                        return Ok(json(StatusCode::OK, &Page { next: last, ..page }));
                    }
                    page.items.push(item);
                }
                Some(Err(_)) => page.unreadable.push(member.clone()),
                // Not asked for, or forgotten since.
                Some(Ok(_)) | None => {}
            }
            seen += 1;
            last = Some(Cursor { score: *score, member: member.clone() }.encode());
        }
        if members.len() < CHUNK {
            return Ok(json(StatusCode::OK, &page));
        }
        start += members.len();
    }
}

/// The newest values of a list that can be read, at most `count` members looked at.
pub(crate) async fn newest<R: Redis, T: DeserializeOwned>(
    redis: &R,
    list: &List,
    count: usize,
) -> Result<Vec<T>, Problem> {
    let mut items = Vec::new();
    let mut start = 0;
    while start < count {
        let members = members(redis, list, start).await?;
        let values = values(redis, list, &members).await?;
        items.extend(values.into_iter().flatten().filter_map(|bytes| serde_json::from_slice(&bytes).ok()));
        if members.len() < CHUNK {
            break;
        }
        start += members.len();
    }
    items.truncate(count);
    Ok(items)
}

/// The rank after the cursor's member; when it is gone, that of the first with a lower score.
async fn first_rank<R: Redis>(redis: &R, list: &List, cursor: Option<&Cursor>) -> Result<usize, Problem> {
    let Some(cursor) = cursor else { return Ok(0) };
    let key = homeostat_flow::name::view_key(list.ranking);
    let rank = redis.command("ZREVRANK", &[key.as_bytes(), cursor.member.as_bytes()]).await?;
    if let Some(rank) = rank.first().and_then(Reply::number) {
        return Ok(usize::try_from(rank).unwrap_or_default() + 1);
    }
    let score = cursor.score.to_string();
    let above = redis.command("ZCOUNT", &[key.as_bytes(), score.as_bytes(), b"+inf"]).await?;
    Ok(above
        .first()
        .and_then(Reply::number)
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or_default())
}

async fn members<R: Redis>(redis: &R, list: &List, start: usize) -> Result<Vec<(String, u64)>, Problem> {
    let key = homeostat_flow::name::view_key(list.ranking);
    let (first, last) = (start.to_string(), (start + CHUNK - 1).to_string());
    let args: [&[u8]; 4] = [key.as_bytes(), first.as_bytes(), last.as_bytes(), b"WITHSCORES"];
    let mut reply = redis.command("ZREVRANGE", &args).await?.into_iter();
    let mut members = Vec::new();
    while let (Some(member), Some(score)) = (reply.next(), reply.next()) {
        members.push((member.text(), score.text().parse().unwrap_or_default()));
    }
    Ok(members)
}

async fn values<R: Redis>(
    redis: &R,
    list: &List,
    members: &[(String, u64)],
) -> Result<Vec<Option<Vec<u8>>>, Problem> {
    let keys: Vec<String> = members.iter().map(|(member, _)| (list.key_of)(member)).collect();
    Ok(views::values(redis, &keys).await?)
}
